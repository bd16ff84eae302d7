/* model_json.h - a model in the answers of check and inspect: {"class", "name", "inputs", "outputs"}; layers are
 * model_describe's. */
#ifndef ENGINE_WORKER_MODEL_JSON_H
#define ENGINE_WORKER_MODEL_JSON_H

#include "engine/layers/model.h"

/* model NULL: it cannot be built; inputs and outputs are empty then. New reference. */
json_t *model_json(const struct model_spec *spec, const struct model *model);

#endif
