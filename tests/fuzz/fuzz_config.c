/* fuzz_config - the input is a config: read it as YAML (which JSON is, too), check it, fill it in, check it again. */
#include "persistence/config/run_config.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err err = {0};
    json_t *config = config_parse_yaml((const char *)data, size, "input", &err);
    if (!config && !err.text[0])
        abort();
    bool ok = config && config_check(config, "input", &err);
    if (config && !ok && !err.text[0])
        abort();
    if (ok) {
        config_resolve(config, "/");
        if (!config_check(config, "input", &err))
            abort();
    }
    json_decref(config);
    return 0;
}
