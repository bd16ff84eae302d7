/* steering.h - what people ask of a running training, handed from the control thread to the loop.
 *
 * The loop looks at one flag between two steps (steering_pending: a plain load) and takes the orders out one by one
 * when it is set. The control thread (engine/worker/control.h) puts them in: commands from commands.log and signals.
 * Every order is carried out, and answered in the history, by the loop alone; so there is no state to guard but this
 * queue.
 */
#ifndef ENGINE_TRAIN_STEERING_H
#define ENGINE_TRAIN_STEERING_H

#include "base/err.h"
#include "persistence/runs/run_commands.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

enum steering_verb {
#define X(name, word, value) STEER_##name,
    RUN_COMMANDS(X)
#undef X
        STEERING_VERB_COUNT
};

struct steering_order {
    enum steering_verb verb;
    int64_t number;     /* of the command that is answered; 0 for a signal */
    double value;       /* learning rate or epochs */
    const char *signal; /* "SIGTERM", ...; NULL for a command. A constant */
};

enum { STEERING_QUEUE = 64 };
struct steering {
    atomic_bool pending;
    pthread_mutex_t mutex;
    pthread_cond_t given;
    struct steering_order queue[STEERING_QUEUE];
    int n;
};

void steering_init(struct steering *steering);
void steering_release(struct steering *steering);
/* From any thread. False when the queue is full (the loop is inside a very long step): try again later. */
bool steering_give(struct steering *steering, const struct steering_order *order);
static inline bool steering_pending(const struct steering *steering)
{
    return atomic_load_explicit(&steering->pending, memory_order_relaxed);
}
/* The oldest order; false when there is none. */
bool steering_take(struct steering *steering, struct steering_order *order);
/* Sleeps until there is an order (a paused run). */
void steering_wait(struct steering *steering);
/* "stop" -> STEER_STOP; false for an unknown word. */
bool steering_parse(const char *word, enum steering_verb *verb);
const char *steering_word(enum steering_verb verb);

#endif
