/* keys.h - ONE table of everything a key can do: its name, its keys, where it works, its help. Dispatch, footer, help,
 * command palette and the key map file all read it. Views handle actions, never keys.
 *
 * Lower case looks or creates; the capitals S P K L E T N D change a run that exists.
 *
 *     struct keymap map;
 *     keys_init(&map);
 *     enum action action = keys_action(&map, event.key, IN_ALL | IN_LIST | IN_RUN);
 */
#ifndef TUI_TERMINAL_KEYS_H
#define TUI_TERMINAL_KEYS_H

#include "base/err.h"
#include "tui/terminal/input.h"

/* where an action works; a view says which of these it is in now */
enum key_place {
    IN_ALL = 1,
    IN_LIST = 2,
    IN_CHART = 4,
    IN_CHECKPOINT = 8,     /* a checkpoint is selected or near the cursor */
    IN_RUN = 16,           /* a run is selected */
    IN_PANES = 32,         /* there is more than one pane */
    IN_MOVE = 64,          /* something can be moved through */
    IN_RESULT = 128,       /* what a checkpoint does with a part of the data */
    IN_JOBS = 256,         /* the list of jobs */
    IN_TEXT = 512,         /* a text to read and search */
    IN_SAMPLES = 4096,     /* samples with what a model says of them */
    IN_PICK = 1024,        /* a plain list to choose one from */
    IN_FORM = 2048,        /* fields of a config */
    IN_ROWS = 8192,        /* rows that can be opened and marked, neither filtered nor sorted */
    IN_COMPARED = 16384,   /* runs over each other */
    IN_LIVE = 32768,       /* the selected run has not ended: it can be steered */
    IN_WRITING = 65536,    /* where a model writes text */
    IN_SIDEWAYS = 2097152, /* something can be moved through, changed or unfolded to the side */
    IN_ITEMS = 1048576,    /* a list of a config that grows and shrinks */
    IN_ALONE = 131072,     /* what is chosen from a list can be seen without it */
    IN_QUEUE = 262144,     /* a run that waits for a place is selected in the list of jobs */
    IN_OUTPUTS = 16777216, /* a model with several outputs: one of them is shown */
    IN_PICTURES = 4194304, /* pictures of a run, by tag and step */
    IN_WALK = 8388608,     /* there are checkpoints to walk along a chart */
    IN_ASKED = 524288      /* a question to the worker is selected there */
};

/* X(action, name, default keys, places, rank in the footer (0: not there, small first), word there (long|short), help)
 */
#define KEY_ACTIONS(X)                                                                                                 \
    X(HELP, "help", "? F1", IN_ALL, 90, "help", "this help: the keys that work here")                                  \
    X(PALETTE, "palette", ":", IN_ALL, 0, "command", "run any action by its name")                                     \
    X(THEME, "theme", "F2", IN_ALL, 0, "theme", "colours: dark, light, colour-blind safe, sixteen, none")              \
    X(BACK, "back", "q", IN_ALL, 80, "back", "back to where you came from; at the top, leave (runs go on)")            \
    X(CANCEL, "cancel", "Esc Ctrl-G Ctrl-C", IN_ALL, 0, "cancel", "one layer back; never leaves the program")          \
    X(REDRAW, "redraw", "Ctrl-L", IN_ALL, 0, "redraw", "paint the screen anew")                                        \
    X(SUSPEND, "suspend", "Ctrl-Z", IN_ALL, 0, "suspend", "back to the shell; 'fg' returns")                           \
    X(VIEW_RUNS, "runs", "1", IN_ALL, 0, "runs", "all runs")                                                           \
    X(VIEW_RUN, "run", "2", IN_ALL, 0, "run", "the selected run")                                                      \
    X(VIEW_COMPARE, "comparison", "3", IN_ALL, 0, "compare", "the marked runs over each other")                        \
    X(VIEW_NEW, "launcher", "4", IN_ALL, 0, "new", "start a run from a config")                                        \
    X(VIEW_JOBS, "jobs", "5", IN_ALL, 0, "jobs", "what trains, waits, was asked and has ended lately")                 \
    X(VIEW_LOG, "log", "6", IN_ALL, 0, "log", "what the worker printed")                                               \
    X(UP, "up", "Up k", IN_MOVE, 0, "up", "move up")                                                                   \
    X(DOWN, "down", "Down j", IN_MOVE, 0, "down", "move down")                                                         \
    X(LEFT, "left", "Left h", IN_SIDEWAYS, 0, "left", "move left; on a chart, the cursor")                             \
    X(RIGHT, "right", "Right l", IN_SIDEWAYS, 0, "right", "move right; on a chart, the cursor")                        \
    X(FAST_LEFT, "fast-left", "Shift-Left Ctrl-Left", IN_CHART, 0, "", "the cursor a tenth of the chart to the left")  \
    X(FAST_RIGHT, "fast-right", "Shift-Right Ctrl-Right", IN_CHART, 0, "",                                             \
      "the cursor a tenth of the chart to the right")                                                                  \
    X(PAGE_UP, "page-up", "PgUp", IN_MOVE, 0, "", "a page up")                                                         \
    X(PAGE_DOWN, "page-down", "PgDn", IN_MOVE, 0, "", "a page down")                                                   \
    X(HALF_UP, "half-page-up", "Ctrl-U", IN_MOVE, 0, "", "half a page up")                                             \
    X(HALF_DOWN, "half-page-down", "Ctrl-D", IN_MOVE, 0, "", "half a page down")                                       \
    X(TOP, "top", "g Home", IN_MOVE, 0, "first", "to the first")                                                       \
    X(BOTTOM, "bottom", "G End", IN_MOVE, 0, "last", "to the last")                                                    \
    X(NEXT_PANE, "next-pane", "Tab", IN_PANES, 0, "pane", "the next pane")                                             \
    X(PREVIOUS_PANE, "previous-pane", "Shift-Tab", IN_PANES, 0, "", "the previous pane")                               \
    X(MAXIMISE, "maximise", "z", IN_PANES | IN_ALONE, 0, "maximise", "this pane alone, and back")                      \
    X(OPEN, "open", "Enter", IN_LIST | IN_PICK | IN_ROWS | IN_COMPARED | IN_JOBS, 10, "open", "open what is selected") \
    X(MARK, "mark", "Space", IN_LIST | IN_ROWS, 20, "mark", "mark it, for comparing")                                  \
    X(PIN, "baseline", "Space", IN_COMPARED, 20, "baseline", "measure the other runs against this one")                \
    X(FILTER, "filter", "/", IN_LIST | IN_PICK, 40, "filter", "show only what matches: name, state:running, loss<0.2") \
    X(SORT_LEFT, "sort-left", "<", IN_LIST | IN_COMPARED, 0, "", "sort by the column to the left")                     \
    X(SORT_RIGHT, "sort-right", ">", IN_LIST | IN_COMPARED, 0, "sort", "sort by the column to the right")              \
    X(SORT_REVERSE, "sort-reverse", "R", IN_LIST | IN_COMPARED, 0, "reverse", "turn the order around")                 \
    X(PREVIOUS_PICTURE, "previous-picture", "[", IN_PICTURES, 0, "", "the picture of the step before")                 \
    X(NEXT_PICTURE, "next-picture", "]", IN_PICTURES, 12, "next",                                                      \
      "the picture of the next step (Up, Down: another tag)")                                                          \
    X(PREVIOUS_CHECKPOINT, "previous-checkpoint", "[", IN_WALK | IN_RESULT | IN_WRITING, 0, "",                        \
      "to the checkpoint before")                                                                                      \
    X(NEXT_CHECKPOINT, "next-checkpoint", "]", IN_WALK | IN_RESULT | IN_WRITING, 37, "next",                           \
      "to the checkpoint behind")                                                                                      \
    X(BEST, "best", "b", IN_WALK | IN_RESULT | IN_WRITING, 0, "best", "to the best checkpoint")                        \
    X(ZOOM_IN, "zoom-in", "+ =", IN_CHART, 50, "zoom", "zoom in around the cursor")                                    \
    X(ZOOM_OUT, "zoom-out", "-", IN_CHART, 0, "", "zoom out")                                                          \
    X(ZOOM_ALL, "zoom-all", "0", IN_CHART, 0, "all", "the whole curve")                                                \
    X(FOLLOW, "follow", "f", IN_CHART, 0, "follow", "keep the newest in view")                                         \
    X(AXIS, "axis", "x", IN_CHART, 48, "axis", "x axis: epoch, step, time, clock, steps since the fork, samples")      \
    X(LOG_Y, "log-y", "y", IN_CHART, 49, "log", "y axis linear or logarithmic")                                        \
    X(LOG_X, "log-x", "X", IN_CHART, 0, "", "x axis linear or logarithmic")                                            \
    X(SMOOTH, "smooth", "s", IN_CHART, 47, "smooth", "smoothing 0, 0.6, 0.9, 0.97; the raw curve stays behind")        \
    X(METRICS, "metrics", "m", IN_CHART, 45, "metrics", "choose what is drawn: one metric, or all of them")            \
    X(SPLIT, "split", "v", IN_CHART, 0, "", "training, validation or both")                                            \
    X(CLIP, "clip", "o", IN_CHART, 0, "", "clip outliers, marked with an arrow")                                       \
    X(PART, "part", "v", IN_RESULT, 25, "part", "the part of the data: test, validation, training")                    \
    X(OUTPUT, "output", "o", IN_OUTPUTS, 26, "output", "another output of the model")                                  \
    X(AGAIN, "again", "u", IN_RESULT, 46, "again", "compute it again")                                                 \
    X(WRITE, "write-on", "Enter", IN_WRITING, 10, "change",                                                            \
      "change the prompt, temperature, seed or length; it is written anew (Left, Right: a little less, more)")         \
    X(ANOTHER, "another", "u", IN_WRITING, 12, "another", "another text: the next seed")                               \
    X(CANCEL_JOB, "cancel-job", "x", IN_ASKED, 12, "cancel", "cancel the job")                                         \
    X(SEARCH, "search", "/", IN_TEXT, 40, "search", "find text: Enter goes to the next place, Esc ends")               \
    X(PICK, "pick", "/", IN_SAMPLES, 27, "filter",                                                                     \
      "only samples that match: wrong, right, class:3, said:8, p<0.8, error>1")                                        \
    X(EDIT, "edit", "Enter", IN_FORM, 10, "change",                                                                    \
      "change the value; on 'start', start the run; on a group, fold or unfold it")                                    \
    X(RESET, "reset", "u Backspace", IN_FORM, 20, "take back", "the value as it was when the form opened")             \
    X(ENQUEUE, "enqueue", "w", IN_FORM, 15, "queue", "check it and let it start when a place is free")                 \
    X(FOLD, "fold", "Space", IN_FORM, 22, "fold", "fold or unfold a group")                                            \
    X(ADD, "add", "+ Insert", IN_ITEMS, 24, "add", "add a layer, a callback or a metric behind this one")              \
    X(REMOVE, "remove", "- Delete", IN_ITEMS, 26, "take out", "take it out of its list")                               \
    X(MOVE_UP, "move-up", "Shift-Up <", IN_ITEMS, 0, "", "one place up in its list")                                   \
    X(MOVE_DOWN, "move-down", "Shift-Down >", IN_ITEMS, 28, "move", "one place down in its list")                      \
    X(EVALUATE, "evaluate", "e", IN_CHECKPOINT, 31, "evaluate", "evaluate the checkpoint")                             \
    X(PREDICT, "predict", "p", IN_CHECKPOINT, 32, "predict", "predict with the checkpoint")                            \
    X(RESUME, "resume", "r", IN_CHECKPOINT, 33, "resume", "go on from the checkpoint")                                 \
    X(BRANCH, "branch", "t", IN_CHECKPOINT | IN_QUEUE, 34, "try other settings|try",                                   \
      "branch: go on from the checkpoint with other settings; a run that waits: change its settings")                  \
    X(INSPECT, "inspect", "i", IN_CHECKPOINT, 36, "inspect", "what is in the checkpoint's file")                       \
    X(EXPORT, "export", "w", IN_CHART, 0, "write",                                                                     \
      "write what is seen: SVG, PNG, CSV, or copy the command that gives the same")                                    \
    X(DIFF, "diff", "d", IN_CHECKPOINT, 0, "diff",                                                                     \
      "difference to the marked one; of results and predictions: which samples changed")                               \
    X(NEW, "new", "n", IN_ALL, 41, "new", "new run from a config")                                                     \
    X(COMPARE, "compare", "c", IN_RUN, 38, "compare", "compare the marked runs")                                       \
    X(ACTIONS, "actions", "a", IN_RUN, 60, "actions", "everything that can be done with it, as a menu")                \
    X(COPY, "copy", "Y", IN_RUN, 0, "copy", "copy the path or value, and show it")                                     \
    X(STOP, "stop", "S", IN_LIVE, 35, "stop", "CHANGES THE RUN: stop after this step, with a checkpoint")              \
    X(PAUSE, "pause", "P", IN_LIVE, 39, "pause", "CHANGES THE RUN: pause or continue")                                 \
    X(KEEP, "keep", "K", IN_LIVE, 0, "keep", "CHANGES THE RUN: a checkpoint now")                                      \
    X(LEARNING_RATE, "learning-rate", "L", IN_LIVE, 0, "rate", "CHANGES THE RUN: another learning rate")               \
    X(EPOCHS, "epochs", "E", IN_LIVE, 0, "epochs", "CHANGES THE RUN: another number of epochs")                        \
    X(EARLIER, "earlier", "A Shift-Up", IN_QUEUE, 13, "earlier", "CHANGES THE RUN: ahead by one place in the queue")   \
    X(LATER, "later", "B Shift-Down", IN_QUEUE, 14, "later", "CHANGES THE RUN: back by one place in the queue")        \
    X(START_NOW, "start-now", "X", IN_QUEUE, 11, "start now",                                                          \
      "CHANGES THE RUN: it starts without waiting for a place")                                                        \
    X(HOLD, "hold", "H", IN_JOBS, 30, "hold", "hold the queue, so that nothing starts by itself, or let it go on")     \
    X(TAG, "tag", "T", IN_RUN, 0, "tag", "CHANGES THE RUN: its tags")                                                  \
    X(NOTE, "note", "N", IN_RUN, 0, "note", "CHANGES THE RUN: its note")                                               \
    X(DELETE, "delete", "D", IN_RUN, 0, "delete", "CHANGES THE RUN: to the trash, after asking by name")               \
    X(UNDO, "undo", "U", IN_ALL, 0, "undo", "take the last deletion back")

enum action {
    ACTION_NONE,
#define X(action, name, keys, places, rank, word, help) ACTION_##action,
    KEY_ACTIONS(X)
#undef X
        ACTION_COUNT
};

struct key_row {
    const char *name, *keys;
    unsigned places;
    int rank;
    const char *word, *help;
};
/* The row of an action; ACTION_NONE has an empty one. */
const struct key_row *keys_row(enum action action);
/* The action of that name, ACTION_NONE when there is none. */
enum action keys_find(const char *name);

enum { KEYS_PER_ACTION = 4 };
struct keymap {
    int key[ACTION_COUNT][KEYS_PER_ACTION]; /* 0: none */
};
void keys_init(struct keymap *map);
/* A key map file: lines "action = key key ...", '#' starts a comment. Replaces the keys of the actions it names.
 * Unknown names and keys, and one key for two actions that work at the same place, are ERR_USAGE with the line; then
 * the map is unchanged. */
bool keys_load(struct keymap *map, const char *text, const char *file_name, struct err *err) MUST_USE;
enum action keys_action(const struct keymap *map, int key, unsigned places);

enum { KEY_TEXT = 32 };
/* "Ctrl-L", "Shift-Tab", "PgUp", "Space", "e". Returns text. */
char *keys_print(int key, char text[KEY_TEXT]);
/* Back; 0 when it is no key. */
int keys_parse(const char *text);
/* All keys of an action, separated by blanks. */
char *keys_of(const struct keymap *map, enum action action, char *text, size_t size);

#endif
