/* epoch_work.c - see epoch_work.h */
#include "base/hash.h"
#include "persistence/runs/epoch_work.h"

#include <stdlib.h>
#include <string.h>

static uint64_t mix_part(uint64_t work, const json_t *part)
{
    char *text = part ? json_dumps(part, JSON_SORT_KEYS | JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
    work = hash_mix(work, text ? text : "", text ? strlen(text) : 0);
    free(text);
    return work;
}

uint64_t epoch_work(const json_t *config)
{
    static const char *const parts[] = {"data",
                                        "model",
                                        "dtype_policy",
                                        "conv_algorithm",
                                        "fit.batch_size",
                                        "fit.steps_per_epoch",
                                        "fit.validation_freq",
                                        "fit.validation_steps",
                                        "fit.validation_batch_size"};
    uint64_t work = 1;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        work = mix_part(work, js_at(config, parts[i]));
    return work ? work : 1;
}
