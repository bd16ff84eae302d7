/* run_events.h - what happened to a run, in a person's words: "learning rate is 0.01 from here", "branched from epoch 8
 * of ...". */
#ifndef TUI_CLIENT_RUN_EVENTS_H
#define TUI_CLIENT_RUN_EVENTS_H

#include "persistence/index/index.h"
#include "tui/terminal/theme.h"

/* Writes the words for an event; an event of a kind unknown here is shown as it was written. Returns how it is to be
 * shown. */
enum style event_words(const struct run_event *event, char *text, size_t size);

/* The whole of it: a message of another tool may have many lines. New ones begin where one is longer than `columns`.
 * Instead of what out held. */
enum style event_lines(const struct run_event *event, int columns, struct str *out);

/* Something that a person looking at a curve wants to see on it: an order carried out, a warning, a restart. */
struct notable_event {
    int64_t epoch, step;
    double time;
    char letter; /* L learning rate, E epochs, P paused, C goes on, K checkpoint asked for, S asked to stop, R
                    restarted, W warning, X failed */
    const char *words;
};
/* Those of n events, in order, in arena. Returns how many. */
size_t events_notable(const struct run_event *events, size_t n, struct arena *arena,
                      const struct notable_event **notable);

#endif
