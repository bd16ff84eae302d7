/* metric_direction.c - see metric_direction.h */
#include "base/str.h"
#include "persistence/runs/metric_direction.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* Last parts of names, in lower case. */
static const char *const upward_endings[] = {
    "accuracy",
    "acc",
    "auc",
    "precision",
    "recall",
    "f1",
    "f1_score",
    "fbeta_score",
    "iou",
    "io_u",
    "r2",
    "r2_score",
    "score",
    "dice",
    "correlation",
    "similarity",
    "specificity",
    "sensitivity",
    "psnr",
    "ssim",
    "bleu",
    "kappa",
    "mcc",
    "map",
    "true_positives",
    "true_negatives",
};

bool metric_is_better_upwards(const char *name)
{
    char lower[128];
    snprintf(lower, sizeof lower, "%s", name);
    for (char *p = lower; *p; p++)
        *p = (char)tolower((unsigned char)*p);
    size_t n = strlen(lower), digits = n;
    while (digits && isdigit((unsigned char)lower[digits - 1]))
        digits--;
    if (digits < n && digits > 1 && lower[digits - 1] == '_') /* Keras numbers equal names: auc_1 */
        lower[digits - 1] = 0;
    for (size_t e = 0; e < sizeof upward_endings / sizeof upward_endings[0]; e++) {
        const char *ending = upward_endings[e];
        size_t length = strlen(lower), part = strlen(ending);
        if (str_ends(lower, ending) && (length == part || strchr("_/.", lower[length - part - 1])))
            return true;
    }
    return false;
}

const char *monitored_metric(const json_t *config, int *mode)
{
    static const char *const classes[] = {"ModelCheckpoint", "EarlyStopping"};
    json_t *callback;
    size_t i;
    *mode = 0;
    for (size_t c = 0; c < 2; c++)
        json_array_foreach(json_object_get(config, "callbacks"), i, callback) {
            const char *monitor = js_string(callback, "monitor", NULL), *text = js_string(callback, "mode", "auto");
            if (strcmp(js_string(callback, "class", ""), classes[c]) != 0 || !monitor)
                continue;
            *mode = !strcmp(text, "max") ? 1 : !strcmp(text, "min") ? -1 : 0;
            return monitor;
        }
    return NULL;
}

int metric_watch_rank(const char *name, const char *monitor)
{
    if (monitor && !strcmp(name, monitor))
        return 0;
    if (!strcmp(name, "val_loss") || !strcmp(name, "loss"))
        return *name == 'v' ? 1 : 2;
    if (str_starts(name, "system/") || str_starts(name, "batch_") || strcasestr(name, "learning_rate") ||
        str_ends(name, "lr"))
        return 6;
    if (str_ends(name, "loss"))
        return strcasestr(name, "val") ? 3 : 4;
    return 5;
}
