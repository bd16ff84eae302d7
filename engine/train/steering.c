/* steering.c - see steering.h */
#include "engine/train/steering.h"

#include <string.h>

static const char *const words[] = {
#define X(name, word, value) word,
    RUN_COMMANDS(X)
#undef X
};

void steering_init(struct steering *steering)
{
    *steering = (struct steering){0};
    pthread_mutex_init(&steering->mutex, NULL);
    pthread_cond_init(&steering->given, NULL);
}

void steering_release(struct steering *steering)
{
    pthread_cond_destroy(&steering->given);
    pthread_mutex_destroy(&steering->mutex);
}

bool steering_give(struct steering *steering, const struct steering_order *order)
{
    pthread_mutex_lock(&steering->mutex);
    bool fits = steering->n < STEERING_QUEUE;
    if (fits) {
        steering->queue[steering->n++] = *order;
        atomic_store(&steering->pending, true);
        pthread_cond_signal(&steering->given);
    }
    pthread_mutex_unlock(&steering->mutex);
    return fits;
}

bool steering_take(struct steering *steering, struct steering_order *order)
{
    pthread_mutex_lock(&steering->mutex);
    bool found = steering->n > 0;
    if (found) {
        *order = steering->queue[0];
        steering->n--;
        memmove(steering->queue, steering->queue + 1, (size_t)steering->n * sizeof *order);
    }
    atomic_store(&steering->pending, steering->n > 0);
    pthread_mutex_unlock(&steering->mutex);
    return found;
}

void steering_wait(struct steering *steering)
{
    pthread_mutex_lock(&steering->mutex);
    while (!steering->n)
        pthread_cond_wait(&steering->given, &steering->mutex);
    pthread_mutex_unlock(&steering->mutex);
}

bool steering_parse(const char *word, enum steering_verb *verb)
{
    for (int v = 0; v < STEERING_VERB_COUNT; v++)
        if (!strcmp(words[v], word)) {
            *verb = (enum steering_verb)v;
            return true;
        }
    return false;
}

const char *steering_word(enum steering_verb verb)
{
    return words[verb];
}
