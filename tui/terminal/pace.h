/* pace.h - how far a terminal is behind what was sent to it. Buffers on the way (of the kernel, of an SSH connection)
 * take many frames at once and show them one after the other, long after they were true. So every frame ends with a
 * question that any terminal answers at once (DSR, "are you well?"), and while more than PACE_BYTES are not answered
 * for, no frame is made: a slow line shows fewer frames, never old ones. Pure.
 *
 *   first frame: asks --answered--> PACED: asks with every frame
 *                     --nothing within PACE_FIRST_S--> FREE: never asks again, unless an answer comes after all
 *   PACED --nothing within PACE_PATIENCE_S--> FREE
 */
#ifndef TUI_TERMINAL_PACE_H
#define TUI_TERMINAL_PACE_H

#include <stdbool.h>
#include <stddef.h>

enum { PACE_BYTES = 1500, PACE_FRAMES = 16 };
#define PACE_FIRST_S 0.1
#define PACE_PATIENCE_S 20.0

enum pace_state { PACE_NEW, PACE_ASKED, PACE_PACED, PACE_FREE };
struct pace { /* start from a zeroed struct */
    enum pace_state state;
    struct {
        size_t bytes;
        double at;       /* seconds of a clock that never jumps */
    } sent[PACE_FRAMES]; /* not answered for, oldest first */
    int n;
    double round_trip_s; /* of the last answer */
};

/* A frame of so many bytes goes out: whether the question belongs behind it. */
bool pace_frame(struct pace *pace, size_t bytes, double now);
void pace_answered(struct pace *pace, double now);
/* Seconds until the next frame may be made even without an answer; 0: it may be made now. */
double pace_wait_s(struct pace *pace, double now);

#endif
