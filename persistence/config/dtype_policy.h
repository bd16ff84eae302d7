/* dtype_policy.h - the dtype policy of a whole model: what keras.config.set_dtype_policy does in Python.
 *
 * In Keras every layer has a policy of its own, "float32" or "mixed_bfloat16" (float32 variables, computed in
 * bfloat16), and a global one is what layers get that name none. A config says the global one as "dtype_policy".
 */
#ifndef PERSISTENCE_CONFIG_DTYPE_POLICY_H
#define PERSISTENCE_CONFIG_DTYPE_POLICY_H

#include "base/json.h"

/* A copy of the model (our short form or Keras' envelope) whose layers have the policy. New reference.
 *
 * In the short form a layer with a "dtype" keeps it. In a file every layer names one, so there a model that is float32
 * everywhere becomes mixed_bfloat16 everywhere; in one that is mixed already, the layers that were kept in float32 stay
 * so; and "float32" makes all layers float32. */
json_t *dtype_policy_apply(const json_t *model, const char *policy);

#endif
