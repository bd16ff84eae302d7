/* pace.c - see pace.h */
#include "tui/terminal/pace.h"

#include <string.h>

bool pace_frame(struct pace *p, size_t bytes, double now)
{
    bool asks = p->state == PACE_NEW || p->state == PACE_PACED;
    if (!asks || p->n == PACE_FRAMES) {
        if (p->n) /* answered for together with the last question */
            p->sent[p->n - 1].bytes += bytes;
        return false;
    }
    if (p->state == PACE_NEW)
        p->state = PACE_ASKED;
    p->sent[p->n].bytes = bytes;
    p->sent[p->n++].at = now;
    return true;
}

void pace_answered(struct pace *p, double now)
{
    if (!p->n)
        return;
    p->round_trip_s = now - p->sent[0].at;
    memmove(p->sent, p->sent + 1, (size_t)--p->n * sizeof *p->sent);
    p->state = PACE_PACED;
}

double pace_wait_s(struct pace *p, double now)
{
    size_t behind = 0;
    for (int i = 0; i < p->n; i++)
        behind += p->sent[i].bytes;
    if (!p->n || p->state == PACE_FREE || (p->state == PACE_PACED && behind <= PACE_BYTES && p->n < PACE_FRAMES))
        return 0;
    double patience = p->state == PACE_PACED ? PACE_PATIENCE_S : PACE_FIRST_S, left = p->sent[0].at + patience - now;
    if (left > 0)
        return left;
    bool paced = p->state == PACE_PACED;
    p->state = PACE_FREE;
    p->n = paced ? 0 : p->n; /* the first answer may still come, over a slow line */
    return 0;
}
