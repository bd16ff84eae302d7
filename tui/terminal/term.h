/* term.h - the terminal we run on: raw mode, size, what it can show, output that never blocks, and leaving it sane
 * whatever happens.
 *
 * A frame is one write. While the terminal has not taken the last frame, or has not said that it has shown the last
 * ones (pace.h), new ones are skipped, not queued: a slow line shows fewer frames, never old ones. A crash writes a
 * string prepared at the start and restores the modes, then dies of the same signal. Only one terminal is open at a
 * time.
 */
#ifndef TUI_TERMINAL_TERM_H
#define TUI_TERMINAL_TERM_H

#include "tui/terminal/grid.h"
#include "tui/terminal/input.h"

enum color_choice { COLOR_AUTO, COLOR_ALWAYS, COLOR_NEVER, COLOR_16, COLOR_256 };
bool color_choice_parse(const char *text, enum color_choice *choice);

struct term_facts {          /* what was found, for antler doctor too */
    char type[64];           /* the terminfo name in use */
    bool usable;             /* a terminal on both ends, not "dumb" */
    bool ascii;              /* the locale has no UTF-8, or it was asked for */
    bool rich;               /* understands mouse, paste and focus modes */
    bool titled;             /* can keep the title of its window and give it back; cleared by who does not want one */
    bool light_known, light; /* from COLORFGBG */
    enum color_depth depth;  /* the most colours to use: NO_COLOR, --color and the environment */
    bool true_color;         /* pictures may have colours outside of the palette (COLORTERM) */
    int width, height;
};
/* Looks, changes nothing. Calls setlocale(LC_ALL, "") once. */
void term_look(enum color_choice color, bool ascii, struct term_facts *facts);

struct term;
/* Takes the terminal: raw mode, alternate screen with the first frame. NULL and err when it cannot (dumb, not a
 * terminal, unknown type). */
struct term *term_open(const struct term_facts *facts, struct err *err);
/* Gives it back as it was; waits shortly for answers that are still under way, so that they do not end up in the shell.
 */
void term_close(struct term *term);

int term_fd(const struct term *term);
const struct term_facts *term_facts(const struct term *term);
/* Asks the system for the size; true when it differs. */
bool term_measure(struct term *term);
/* Draws what changed. False: the last frame is still under way, draw later. */
bool term_draw(struct term *term, const struct grid *grid);
/* Seconds until a frame may be drawn even when the terminal does not say before that it has shown what it was sent
 * (pace.h); 0: now. */
double term_wait_s(struct term *term);
/* Sends what is left of a frame; false while the terminal does not take it. */
bool term_flush(struct term *term);
/* Other colours from the next frame on. */
void term_set_theme(struct term *term, enum theme_name name);
/* What is in use: no more than the terminal has. */
struct theme term_theme(const struct term *term);
void term_repaint(struct term *term);
/* The terminal answered a query (EVENT_REPLY). */
void term_reply(struct term *term, const struct event *event);
/* Reads what has been typed: bytes, 0 when there is nothing, -1 when the terminal is gone. */
long term_read(struct term *term, void *bytes, size_t size_bytes);
/* Gives the terminal back, stops the process group as Ctrl-Z does, and takes the terminal again when it goes on. */
void term_suspend(struct term *term);
/* The same around a program of the caller's (an editor): leave, run, enter. */
void term_leave(struct term *term);
void term_enter(struct term *term);
/* After somebody else stopped and continued us: the modes again, and everything painted anew. */
void term_regain(struct term *term);
/* Puts text on the clipboard of the person's machine (OSC 52); many terminals ignore it, so show it too. False when it
 * is too long. */
bool term_copy(struct term *term, const char *text);

/* The title of the window, when it differs from the one it has; the person's own comes back with term_leave. */
void term_title(struct term *term, const char *text);
/* Tells the person beside the terminal: a notification in the form of "osc9" or "osc777", and a bell. Inside tmux the
 * notification goes through where tmux lets it through (allow-passthrough); else the bell stands in for it. */
void term_tell(struct term *term, const char *form, bool bell, const char *text);

#endif
