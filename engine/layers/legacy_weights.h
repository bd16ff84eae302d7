/* legacy_weights.h - where the weights of a layer lie in a file. Keras 3 files are read by position of class; legacy
 * HDF5 files (model.save("x.h5"), save_weights of Keras 2) name datasets after layers, with the scopes of their time in
 * between:
 *
 *     model_weights/dense/sequential/dense/kernel        Keras 3       model_weights/dense/dense/kernel:0   Keras 2
 *     model_weights/encoder/encoder/dense/kernel         in a nested model
 *
 * There a weight is the one dataset below its outermost layer whose last names are those of layer and weight
 * ("mha/query/kernel" for a weight of an object inside the layer).
 */
#ifndef ENGINE_LAYERS_LEGACY_WEIGHTS_H
#define ENGINE_LAYERS_LEGACY_WEIGHTS_H

#include "engine/layers/layer.h"
#include "persistence/keras/keras_file.h"

/* NULL when there is none, or several fit. */
const struct weight *layer_find_weight(const struct keras_file *file, const struct layer *layer,
                                       const struct variable *variable);
/* How many datasets the file has for this layer. */
int layer_count_weights(const struct keras_file *file, const struct layer *layer);

#endif
