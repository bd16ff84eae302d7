/* input.h - bytes from a terminal become events. Our own decoder: it never blocks, and a sequence may be split at any
 * byte.
 *
 * Understood: UTF-8, control keys, CSI and SS3 keys with modifiers (xterm, rxvt, the Linux console, vt100),
 * modifyOtherKeys and the kitty form, SGR and X10 mouse reports, bracketed paste, focus, and the answers to our own
 * queries. Anything else is dropped whole. A lone ESC is a key once nothing has followed it for INPUT_ESCAPE_MS: the
 * loop calls input_timeout then.
 *
 *   GROUND --ESC--> ESCAPE --'['--> CSI --final--> GROUND
 *                      |               +--"200~"--> PASTE --"ESC[201~"--> GROUND
 *                      |               +--"M"--> X10 --three bytes--> GROUND
 *                      |               +--"["--> LINUX --one byte--> GROUND
 *                      +--'O'--> SS3 --byte--> GROUND
 *                      +--']'--> OSC --BEL or ESC \--> GROUND
 *                      +--timeout--> GROUND (the key Esc)
 *                      +--other--> GROUND (Alt + key)
 *   GROUND --byte >= 0x80--> UTF8 --last--> GROUND
 */
#ifndef TUI_TERMINAL_INPUT_H
#define TUI_TERMINAL_INPUT_H

#include "base/str.h"

enum { INPUT_ESCAPE_MS = 40 };

/* A key is a code point or one of these, with modifiers added. Ctrl and letters: lower case. */
enum {
    K_SHIFT = 1 << 24,
    K_ALT = 1 << 25,
    K_CTRL = 1 << 26,
    K_MODIFIERS = K_SHIFT | K_ALT | K_CTRL,
    K_TAB = 9,
    K_ENTER = 13,
    K_ESC = 27,
    K_SPACE = 32,
    K_BACKSPACE = 0x200000,
    K_UP,
    K_DOWN,
    K_LEFT,
    K_RIGHT,
    K_HOME,
    K_END,
    K_PGUP,
    K_PGDN,
    K_INSERT,
    K_DELETE,
    K_F1,
    K_F2,
    K_F3,
    K_F4,
    K_F5,
    K_F6,
    K_F7,
    K_F8,
    K_F9,
    K_F10,
    K_F11,
    K_F12
};

enum event_kind {
    EVENT_KEY,
    EVENT_PASTE, /* text */
    EVENT_MOUSE,
    EVENT_FOCUS, /* x = 1 got it, 0 lost it */
    /* the terminal answered: reply; a colour: x = 1 when the ground is light; the cursor: its cell, never in the first
       row, which would be a key */
    EVENT_REPLY,
    EVENT_RESIZE,   /* x, y: the new size */
    EVENT_TICK,     /* time has passed */
    EVENT_READY,    /* a watched file is readable: x = its number */
    EVENT_CHILD,    /* a child process has changed its state */
    EVENT_RESUMED,  /* back after a suspension */
    EVENT_HANGUP,   /* the terminal is gone */
    EVENT_TERMINATE /* asked to end (SIGTERM, SIGINT) */
};
enum mouse_action { MOUSE_PRESS, MOUSE_RELEASE, MOUSE_DRAG, MOUSE_MOVE, MOUSE_WHEEL_UP, MOUSE_WHEEL_DOWN };
enum reply { REPLY_DEVICE, REPLY_BACKGROUND, REPLY_STATUS, REPLY_CURSOR };

struct event {
    enum event_kind kind;
    int key;  /* KEY */
    int x, y; /* MOUSE: cell, from 0 */
    enum mouse_action action;
    int button;    /* MOUSE: 0 left, 1 middle, 2 right */
    int modifiers; /* MOUSE: K_SHIFT, ... */
    enum reply reply;
    /* PASTE: UTF-8 as pasted, lent until the handler returns; control characters but tab and newline are left out. */
    const char *text;
    double now; /* seconds of a clock that never jumps: filled in by the loop */
};

struct input {
    int state;
    unsigned char bytes[64];
    int n; /* bytes of the sequence so far, without its introducer */
    int utf8_left;
    uint32_t utf8_least;
    int paste_match; /* bytes of the end mark seen */
    struct str paste;
    bool osc_escape;
    int osc_length;
};
typedef void input_emit(void *context, const struct event *event); /* receives every event, in order */

/* Start from a zeroed struct. */
void input_feed(struct input *input, const void *bytes, size_t n, input_emit *emit, void *context);
/* Whether a lone ESC waits for its timeout. */
bool input_waiting(const struct input *input);
void input_timeout(struct input *input, input_emit *emit, void *context);
void input_release(struct input *input);

#endif
