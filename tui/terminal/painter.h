/* painter.h - from a grid to the bytes that make a terminal show it. A frame is one piece of bytes that the caller
 * sends (term.h) or feeds to an emulator (tests). No terminal is touched.
 *
 * Nothing changed means no bytes. Only what looks different is written, in the order that takes the fewest bytes
 * (pen.h).
 */
#ifndef TUI_TERMINAL_PAINTER_H
#define TUI_TERMINAL_PAINTER_H

#include "tui/terminal/grid.h"

struct painter;
/* terminal: a terminfo name. NULL and ERR_FAILED when it is unknown or cannot address its cursor. depth: the most
 * colours to use. */
struct painter *painter_open(const char *terminal, int width, int height, enum color_depth depth, bool light,
                             struct err *err);
void painter_close(struct painter *painter);
/* The colours the terminal has and was allowed. */
enum color_depth painter_depth(const struct painter *painter);
/* Other colours, no more of them than it was opened with; when they differ, everything is painted anew. */
void painter_set_theme(struct painter *painter, struct theme theme);
/* The next frame is painted whole (after a resize, a suspension, foreign output). */
void painter_repaint(struct painter *painter);

/* The bytes for a frame, *n of them (0: nothing changed), lent until the next call. The grid may have another size than
 * before. */
const char *painter_frame(struct painter *painter, const struct grid *grid, size_t *n);
/* The next frame that is painted whole asks whether the terminal repeats characters (REP): many say so in terminfo and
 * cannot do it, or only for those of one byte. It answers with the place of its cursor (REPLY_CURSOR). */
void painter_ask_repeat(struct painter *painter);
/* The answer, cell (x, y). Solid areas take a few bytes from now on, if it can. */
void painter_answer_repeat(struct painter *painter, int x, int y);
/* Bytes that leave the screen (back to the normal one, cursor shown, colours off); the next frame enters it again.
 * Lent. */
const char *painter_leave(struct painter *painter, size_t *n);

#endif
