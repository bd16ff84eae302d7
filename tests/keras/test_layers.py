"""Layers against real Keras, both ways: models built and saved by Keras give the same predictions, gradients, penalties and variables
here, and what we save Keras loads with the same predictions. One process for all: importing Keras costs seconds."""
import itertools
import json
import os
import subprocess
import sys
import warnings

import quick_jax

python = os.environ.get("ANTLER_PYTHON", os.path.expanduser("~/.cache/antler/venv/bin/python"))
if sys.executable != python and os.path.exists(python) and not os.environ.get("ANTLER_REEXEC"):
    os.environ["ANTLER_REEXEC"] = "1"
    os.execv(python, [python, *sys.argv])
try:
    import jax
    import keras
    import numpy as np
except ImportError as error:
    print(f"SKIP: {error}")
    sys.exit(1 if os.environ.get("CI") == "true" else 77)
from keras import layers as L
from work_folder import WorkFolder

quick_jax.numpy_weights()
warnings.filterwarnings("ignore", message="The structure of `inputs`|When providing `inputs` as a dict")
warnings.filterwarnings("ignore", message="Layer .* does not support masking")
only = os.environ.get("ONLY", "")
build = os.environ.get("ANTLER_BUILD", "build-dev")
rng = np.random.default_rng(5)
cases, keep = [], {}
folder = WorkFolder()
path = lambda name: os.path.join(folder.name, name)


def randomize(model):
    """Weights that hide nothing: no zeros, no ones, positive variances."""
    values = []
    for v in model.weights:
        w = rng.normal(0, 0.5, v.shape)
        values.append(np.abs(w) + 0.5 if "variance" in v.name else w)
    model.set_weights(values)
    for layer in model._flatten_layers():
        if isinstance(layer, L.Normalization):
            layer.finalize_state()  # Keras computes with a copy of its weights


def data_for(model, batch, integers):
    arrays = []
    for t in model.inputs:
        shape = (batch, *t.shape[1:])
        whole = "int" in t.dtype
        arrays.append(rng.integers(0, integers, shape).astype("int32") if whole else rng.normal(0, 1, shape).astype("float32"))
    return arrays


def add(name, model, gradients=None, train=False, batch=3, integers=5, reload=None, inputs=None):
    """Every fourth model also compares gradients and goes back to Keras, unless the caller decides: that is where the time goes."""
    if only not in name:
        return
    gradients = len(cases) % 4 == 0 if gradients is None else gradients
    reload = len(cases) % 4 == 1 if reload is None else reload
    name = f"{len(cases):03d}-{name}"
    randomize(model)
    model.save(path(f"{name}.keras"))
    arrays = inputs or data_for(model, batch, integers)
    files = []
    for i, a in enumerate(arrays):
        np.save(path(f"{name}.in{i}.npy"), a)
        files.append(f"{name}.in{i}.npy")
    cases.append({"name": name, "file": f"{name}.keras", "inputs": files, "gradients": gradients, "train": train})
    keep[name] = (model, arrays, reload)


def one(shape, layer, **kw):
    """A layer alone behind a Dense-free input: gradients only where it has weights."""
    model = keras.Sequential([keras.Input(shape), layer])
    add(type(layer).__name__, model, **kw)


def layer_cases():
    init = dict(bias_initializer="ones")
    one((5,), L.Dense(3))
    one((5,), L.Dense(4, "tanh", use_bias=False))
    one((2, 3, 5), L.Dense(3, "relu", **init))
    one((4,), L.Dense(3, kernel_regularizer=keras.regularizers.L1L2(0.01, 0.03), bias_regularizer="l2", activity_regularizer="l1"))
    one((4,), L.Dense(3, kernel_regularizer=keras.regularizers.OrthogonalRegularizer(0.1, mode="columns")))
    one((4,), L.Dense(3, kernel_regularizer=keras.regularizers.OrthogonalRegularizer(0.1)))
    one((4,), L.Dense(3, kernel_constraint=keras.constraints.MaxNorm(0.7), bias_constraint="non_neg"))
    one((4,), L.Dense(3, kernel_constraint=keras.constraints.UnitNorm(axis=1)))
    one((4,), L.Dense(3, kernel_constraint=keras.constraints.MinMaxNorm(0.4, 0.8, rate=0.7)))
    names = ["celu", "elu", "exponential", "gelu", "glu", "hard_shrink", "hard_sigmoid", "hard_silu", "hard_tanh", "leaky_relu", "linear",
             "log_sigmoid", "log_softmax", "mish", "relu", "relu6", "selu", "sigmoid", "silu", "soft_shrink", "softmax", "softplus",
             "softsign", "sparse_plus", "sparse_sigmoid", "sparsemax", "squareplus", "tanh", "tanh_shrink"]
    for part in (names[:10], names[10:20], names[20:]):
        x = keras.Input((6,))
        h = L.Dense(6)(x)
        add("activations", keras.Model(x, [L.Activation(name)(h) for name in part]), gradients=True, reload=True)
    stack = [L.ReLU(), L.ReLU(max_value=1.0, negative_slope=0.1, threshold=0.2), L.LeakyReLU(), L.LeakyReLU(negative_slope=0.1), L.ELU(alpha=0.7),
             L.Softmax(), L.Softmax(axis=1), L.Softmax(axis=(1, 2)), L.PReLU(), L.PReLU(shared_axes=[1])]
    for layer in stack:
        add(type(layer).__name__, keras.Sequential([keras.Input((4, 3)), L.Dense(3), layer]))
    one((4,), L.Dense(3, activation=L.LeakyReLU(negative_slope=0.05)))


def conv_cases():
    one((7, 3), L.Conv1D(4, 3))
    one((7, 3), L.Conv1D(4, 3, padding="same", strides=2, activation="relu"))
    one((9, 3), L.Conv1D(4, 3, padding="causal", dilation_rate=2))
    one((9, 3), L.Conv1D(4, 2, padding="causal", strides=2))
    one((6, 7, 2), L.Conv2D(3, 3))
    one((6, 7, 2), L.Conv2D(3, (3, 2), strides=(2, 1), padding="same", activation="tanh"))
    one((6, 7, 4), L.Conv2D(6, 3, groups=2, padding="same", use_bias=False))
    one((8, 7, 2), L.Conv2D(3, 3, dilation_rate=(2, 1), padding="same"))
    one((7, 7, 2), L.Conv2D(3, 4, strides=3, padding="same"))
    one((4, 5, 4, 2), L.Conv3D(3, 2, padding="same"))
    one((6, 7, 2), L.DepthwiseConv2D(3, depth_multiplier=2, padding="same"))
    one((7, 2), L.DepthwiseConv1D(3, strides=2))
    both = dict(gradients=True, reload=True)
    one((7, 3), L.SeparableConv1D(4, 3, depth_multiplier=2, activation="tanh"), **both)
    one((6, 7, 2), L.SeparableConv2D(3, (3, 2), strides=2, padding="same", use_bias=False, depthwise_regularizer="l2"), **both)
    one((6, 7, 2), L.SeparableConv2D(3, 2, dilation_rate=2))
    for i, (shape, make, options) in enumerate([
            ((5, 2), L.Conv1DTranspose, dict(kernel_size=3)), ((5, 2), L.Conv1DTranspose, dict(kernel_size=2, strides=3, padding="same")),
            ((5, 2), L.Conv1DTranspose, dict(kernel_size=1, strides=3)), ((5, 2), L.Conv1DTranspose, dict(kernel_size=4, strides=3, output_padding=1)),
            ((5, 2), L.Conv1DTranspose, dict(kernel_size=3, strides=2, padding="same", output_padding=1)),
            ((3, 4, 2), L.Conv2DTranspose, dict(kernel_size=3, strides=2, padding="same", activation="relu")),
            ((3, 4, 2), L.Conv2DTranspose, dict(kernel_size=(4, 1), strides=(2, 3), padding="same", output_padding=(0, 2), use_bias=False)),
            ((3, 4, 2), L.Conv2DTranspose, dict(kernel_size=3, dilation_rate=2)), ((3, 4, 2), L.Conv2DTranspose, dict(kernel_size=(2, 3), strides=(4, 1))),
            ((2, 3, 2, 2), L.Conv3DTranspose, dict(kernel_size=2, strides=2))]):
        one(shape, make(3, **options), gradients=i % 2 == 0, reload=i % 4 == 0)
    for layer in [L.MaxPooling1D(), L.MaxPooling1D(3, strides=2, padding="same"), L.AveragePooling1D(3, strides=1, padding="same")]:
        add(type(layer).__name__, keras.Sequential([keras.Input((8, 2)), L.Dense(3), layer]))
    for layer in [L.MaxPooling2D(), L.MaxPooling2D((3, 2), strides=2, padding="same"), L.AveragePooling2D(2), L.MaxPool2D(2, strides=1),
                  L.AveragePooling2D(3, strides=2, padding="same"), L.GlobalMaxPooling2D(), L.GlobalAveragePooling2D(),
                  L.GlobalAveragePooling2D(keepdims=True)]:
        add(type(layer).__name__, keras.Sequential([keras.Input((7, 6, 2)), L.Dense(3), layer]))
    for layer in [L.GlobalMaxPooling1D(), L.GlobalAveragePooling1D(keepdims=True)]:
        add(type(layer).__name__, keras.Sequential([keras.Input((7, 2)), L.Dense(3), layer]))
    for layer in [L.MaxPooling3D(), L.AveragePooling3D(2, padding="same"), L.GlobalAveragePooling3D(), L.GlobalMaxPooling3D()]:
        add(type(layer).__name__, keras.Sequential([keras.Input((4, 5, 4, 2)), L.Dense(2), layer]))


def other_cases():
    for layer in [L.BatchNormalization(), L.BatchNormalization(scale=False, momentum=0.8, epsilon=0.01), L.BatchNormalization(center=False)]:
        one((5, 4), layer)
        add("BatchNormalization-train", keras.Sequential([keras.Input((5, 4)), layer.__class__.from_config(layer.get_config())]), train=True)
    one((5, 4), L.BatchNormalization(axis=1))
    add("BatchNormalization-train", keras.Sequential([keras.Input((5, 4)), L.BatchNormalization(axis=1)]), train=True)
    frozen = keras.Sequential([keras.Input((4,)), L.BatchNormalization(trainable=False), L.Dense(2)])
    add("BatchNormalization-frozen", frozen, train=True)
    for layer in [L.LayerNormalization(), L.LayerNormalization(axis=[1, 2], epsilon=0.1), L.LayerNormalization(scale=False),
                  L.LayerNormalization(center=False), L.RMSNormalization(), L.GroupNormalization(groups=2), L.GroupNormalization(groups=-1)]:
        one((5, 4), layer)
    both = dict(gradients=True, reload=True)
    one((5, 4), L.LayerNormalization(axis=1), **both)
    one((3, 4, 2), L.LayerNormalization(axis=[1, 3], scale=False), **both)
    one((3, 4, 2), L.LayerNormalization(axis=[1, 2]), **both)
    one((3, 4, 2), L.RMSNormalization(axis=[2, 3]), **both)
    one((4, 3, 5), L.GroupNormalization(groups=2, axis=1), **both)
    add("UnitNormalization", keras.Sequential([keras.Input((5, 4)), L.Dense(4), L.UnitNormalization(axis=[1, 2])]), **both)
    for layer in [L.UnitNormalization(), L.UnitNormalization(axis=1), L.Flatten(), L.Reshape((2, -1)), L.Reshape((20,)), L.Permute((2, 1)),
                  L.ZeroPadding1D(), L.ZeroPadding1D((2, 1)), L.Cropping1D((1, 2)), L.UpSampling1D(3), L.Identity(), L.Rescaling(0.5, offset=-1),
                  L.Rescaling([0.5, 1.0, 2.0, 3.0], offset=[0.0, 1.0, 2.0, 3.0]), L.Dropout(0.5), L.SpatialDropout1D(0.5), L.GaussianNoise(0.5),
                  L.GaussianDropout(0.5), L.AlphaDropout(0.5), L.ActivityRegularization(l1=0.1, l2=0.2)]:
        add(type(layer).__name__, keras.Sequential([keras.Input((5, 4)), L.Dense(4), layer]))
    one((4,), L.RepeatVector(3))
    for layer in [L.ZeroPadding2D(), L.ZeroPadding2D((1, 2)), L.ZeroPadding2D(((1, 0), (2, 3))), L.Cropping2D(1), L.Cropping2D(((1, 0), (0, 2))),
                  L.UpSampling2D(), L.UpSampling2D((2, 3)), L.UpSampling2D((2, 3), interpolation="bilinear"), L.SpatialDropout2D(0.3)]:
        add(type(layer).__name__, keras.Sequential([keras.Input((4, 5, 2)), L.Dense(2), layer]))
    add("Embedding", keras.Sequential([keras.Input((6,), dtype="int32"), L.Embedding(5, 3), L.GlobalAveragePooling1D(), L.Dense(2)]))
    both = dict(gradients=True, reload=True)
    add("Normalization", keras.Sequential([keras.Input((4,)), L.Normalization(), L.Dense(3)]), **both)
    add("Normalization-axes", keras.Sequential([keras.Input((2, 3, 4)), L.Normalization(axis=(1, -1)), L.Conv2D(2, 1)]), **both)
    add("Normalization-all", keras.Sequential([keras.Input((2, 3)), L.Dense(3), L.Normalization(axis=None), L.Flatten(), L.Dense(2)]), **both)
    add("Normalization-invert", keras.Sequential([keras.Input((4,)), L.Dense(4), L.Normalization(invert=True)]), **both)
    add("Normalization-given", keras.Sequential([keras.Input((4,)), L.Normalization(mean=[1.0, 2.0, 3.0, 4.0], variance=[1.0, 0.0, 4.0, 9.0]), L.Dense(3)]), **both)
    add("Normalization-number", keras.Sequential([keras.Input((2, 3)), L.Normalization(axis=(1, 2), mean=0.5, variance=2.0), L.Dense(3)]), **both)
    add("Discretization", keras.Sequential([keras.Input((4,)), L.Discretization([-0.5, 0.0, 0.7]), L.Embedding(4, 3), L.Flatten(), L.Dense(2)]), **both)
    add("Discretization-one-hot", keras.Sequential([keras.Input((1,)), L.Discretization([-0.5, 0.7], output_mode="one_hot"), L.Dense(2)]), **both)
    add("Discretization-one-hot-many", keras.Sequential([keras.Input((3,)), L.Discretization([0.0], output_mode="one_hot"), L.Dense(2)]), **both)
    for mode, shape in (("multi_hot", (4,)), ("count", (4,)), ("one_hot", (4,)), ("one_hot", (1,)), ("one_hot", (2, 3))):
        add(f"CategoryEncoding-{mode}", keras.Sequential([keras.Input(shape, dtype="int32"), L.CategoryEncoding(6, output_mode=mode), L.Dense(2)]), **both)
    add("Embedding-float", keras.Sequential([keras.Input((6,)), L.Embedding(5, 3)]), inputs=[rng.integers(0, 5, (3, 6)).astype("float32")])


def attention_cases():
    """Rows of padding, causal, windows, groups, gates, several axes, scores as an output, masks given and masks that came along."""
    both = dict(gradients=True, reload=True)

    def heads(layer, query=(5, 6), value=(4, 6), key=None, mask=None, **call):
        tensors = [keras.Input(s) for s in (query, value, key) if s]
        arrays = [rng.normal(0, 1, (3, *s)).astype("float32") for s in (query, value, key) if s]
        inputs = list(tensors)
        if mask:
            inputs.append(keras.Input(mask, dtype="bool"))
            call["attention_mask"] = inputs[-1]
            arrays.append(rng.random((3, *mask)) < 0.6)
        add(type(layer).__name__, keras.Model(inputs, layer(*tensors, **call)), inputs=arrays, **both)

    heads(L.MultiHeadAttention(2, 3))
    heads(L.MultiHeadAttention(3, 2, value_dim=4, output_shape=7, use_bias=False, dropout=0.1), key=(4, 5), value=(4, 3))
    heads(L.MultiHeadAttention(2, 3, output_shape=(2, 3)), use_causal_mask=True)
    heads(L.MultiHeadAttention(2, 3, dropout=0.4, kernel_regularizer="l2", activity_regularizer="l1"), return_attention_scores=True)
    heads(L.MultiHeadAttention(2, 3), mask=(5, 4))
    heads(L.MultiHeadAttention(2, 3), mask=(1, 5, 4), return_attention_scores=True, use_causal_mask=True)
    heads(L.MultiHeadAttention(2, 3, sliding_window=2, use_gate=True), use_causal_mask=True)
    heads(L.MultiHeadAttention(2, 3, attention_axes=2), query=(3, 5, 6), value=(3, 4, 6))
    heads(L.MultiHeadAttention(2, 3), query=(3, 2, 6), value=(2, 4, 6), mask=(3, 2, 2, 4), return_attention_scores=True)
    heads(L.MultiHeadAttention(2, 3, attention_axes=(1, 3)), query=(3, 2, 4, 6), value=(2, 2, 3, 6), return_attention_scores=True)
    heads(L.GroupQueryAttention(3, 4, 2))
    heads(L.GroupQueryAttention(3, 6, 3, use_gate=True, sliding_window=3, activity_regularizer="l2"), key=(4, 6), use_causal_mask=True)
    heads(L.GroupQueryAttention(3, 4, 1, dropout=0.2), mask=(5, 4), return_attention_scores=True)
    for layer in [L.MultiHeadAttention(2, 3), L.GroupQueryAttention(2, 4, 2, dropout=0.1)]:
        a, b = keras.Input((6,), dtype="int32"), keras.Input((4,), dtype="int32")
        q, v = L.Embedding(5, 6, mask_zero=True)(a), L.Embedding(5, 6, mask_zero=True)(b)
        y = L.GlobalAveragePooling1D()(layer(layer(q, v), v, key=v))
        add("attention-masked", keras.Model([a, b], y), **both)
    a = keras.Input((6,), dtype="int32")
    h = L.Embedding(5, 6, mask_zero=True)(a)
    h = L.Add()([h, L.MultiHeadAttention(2, 3)(h, h, use_causal_mask=True)])
    add("attention-residual", keras.Model(a, L.GlobalAveragePooling1D()(h)), **both)


    def scored(layer, key=True, masks=(), **call):
        tensors = [keras.Input((5, 4)), keras.Input((3, 6 if key else 4)), keras.Input((3, 4))][:2 + key]
        arrays = [rng.normal(0, 1, (3, *t.shape[1:])).astype("float32") for t in tensors]
        inputs, given = list(tensors), None
        if masks:
            given = []
            for steps in masks:
                given.append(keras.Input((steps,), dtype="bool") if steps else None)
                if steps:
                    inputs.append(given[-1])
                    m = rng.random((3, steps)) < 0.6
                    m[:, 0] = True
                    arrays.append(m)
            call["mask"] = given
        add(type(layer).__name__, keras.Model(inputs, layer(tensors, **call)), inputs=arrays, **both)

    scored(L.Attention())
    scored(L.Attention(use_scale=True, dropout=0.3), key=False, use_causal_mask=True)
    scored(L.Attention(use_scale=True, score_mode="concat"), return_attention_scores=True)
    scored(L.Attention(score_mode="concat"), masks=(None, 3))
    scored(L.AdditiveAttention(), masks=(5, 3, None), return_attention_scores=True)
    scored(L.AdditiveAttention(use_scale=False), key=False, use_causal_mask=True)
    a, b = keras.Input((6,), dtype="int32"), keras.Input((4,), dtype="int32")
    q, v = L.Embedding(5, 6, mask_zero=True)(a), L.Embedding(5, 6, mask_zero=True)(b)
    y = L.Add()([L.AdditiveAttention()([q, v]), L.Attention()([q, v, v])])
    add("attention-masks-along", keras.Model([a, b], L.GlobalAveragePooling1D()(y)), **both)
    x = keras.Input((6,), dtype="int32")
    places = keras.ops.cumsum(keras.ops.ones_like(x), axis=-1) - 1
    h = L.Embedding(5, 4)(x) + L.Embedding(6, 4)(places)
    add("attention-places", keras.Model(x, keras.ops.cumsum(L.MultiHeadAttention(2, 3)(h, h, use_causal_mask=True), axis=1)), **both)
    for shape, layer in [((4,), L.EinsumDense("ab,bc->ac", 3, bias_axes="c", activation="tanh")), ((5, 4), L.EinsumDense("abc,cd->abd", (5, 3), bias_axes="bd")),
                         ((5, 4), L.EinsumDense("abc,bde->acde", (4, 2, 3), bias_axes="e")), ((5, 4), L.EinsumDense("...x,xy->...y", 3, bias_axes="y")),
                         ((5, 4, 2), L.EinsumDense("ab...,bc->ac...", 3, bias_axes="c")), ((5, 4), L.EinsumDense("abc,bcd->abd", (5, 3))),
                         ((5, 4), L.EinsumDense("abc,cd->ad", 3, kernel_regularizer="l2")), ((5, 4, 3), L.EinsumDense("abcd,cde->aecb", (2, 4, 5), bias_axes="cb"))]:
        one(shape, layer, **both)


def merge_cases():
    for make in [L.Add, L.Subtract, L.Multiply, L.Average, L.Maximum, L.Minimum, L.Concatenate, lambda: L.Concatenate(axis=1)]:
        a, b = keras.Input((3, 4)), keras.Input((3, 4))
        layer = make()
        add(type(layer).__name__, keras.Model([a, b], layer([L.Dense(4)(a), b])))
    a, b, c = keras.Input((3, 4)), keras.Input((3, 1)), keras.Input((4,))
    add("Add-broadcast", keras.Model([a, b, c], L.Add()([L.Dense(4)(a), b, L.Dense(4)(c)])))
    for axes, normalize in [((1, 1), False), (2, True), ((2, 1), False)]:
        a, b = keras.Input((4, 4)), keras.Input((4, 4))
        add("Dot", keras.Model([a, b], L.Dot(axes=axes, normalize=normalize)([L.Dense(4)(a), b])))
    a, b = keras.Input((5,)), keras.Input((5,))
    add("Dot", keras.Model([a, b], L.Dot(axes=1, normalize=True)([L.Dense(5)(a), b])))
    x = keras.Input((4,))
    h = L.Dense(4)(x)
    y = keras.ops.maximum(h * 2.0 + 1.0, 3.0 - h) / 2.0 + keras.ops.tanh(x) ** 2.0
    add("operations", keras.Model(x, y))


def graph_cases():
    x = keras.Input((4,), name="x")
    p, q = L.Dense(3, name="p")(x), L.Dense(3, name="q")(x)
    add("swapped", keras.Model(x, L.Add()([q, p])))
    shared = L.Dense(4)
    a, b = keras.Input((4,)), keras.Input((4,))
    add("shared", keras.Model([a, b], [L.Add()([shared(a), shared(shared(b))]), shared(a)]))
    conv = L.Conv2D(2, 3, padding="same")
    a, b = keras.Input((5, 6, 2)), keras.Input((3, 4, 2))
    add("shared-shapes", keras.Model([a, b], L.Concatenate()([L.GlobalMaxPooling2D()(conv(a)), L.GlobalMaxPooling2D()(conv(b))])))
    add("nested", nested_model(), gradients=True, reload=True)
    add("nested-train", nested_model(), train=True)
    base = keras.Sequential([keras.Input((4,)), L.Dense(4), L.BatchNormalization()])
    base.trainable = False
    x = keras.Input((4,))
    add("frozen-base", keras.Model(x, L.Dense(2)(base(x, training=False))), train=True)
    unused = keras.Input((2,), name="unused")
    x = keras.Input((4,))
    add("unused-input", keras.Model([unused, x], L.Dense(2)(x)), gradients=False)
    x = keras.Input((4,))
    add("dict", keras.Model({"in": x}, {"b": L.Dense(2)(x), "a": L.Dense(3)(x)}))
    for k in range(30):
        add("random", random_graph(k), gradients=k < 2, reload=k < 6)


def nested_model():
    """A Functional inside, called twice, with a Sequential inside of that; a second Sequential beside it."""
    inner = keras.Sequential([keras.Input((4,)), L.Dense(4, "tanh"), L.BatchNormalization()], name="inner")
    other = keras.Sequential([keras.Input((4,)), L.Dense(4, "tanh"), L.BatchNormalization()], name="other")
    i = keras.Input((4,))
    fun = keras.Model(i, [L.Dense(4)(i), L.Dense(4)(inner(i))], name="fun")
    x = keras.Input((4,))
    u, v = fun(x)
    return keras.Model(x, [fun(u)[1], other(v)])


def random_graph(seed):
    r = np.random.default_rng(seed)
    tensors = [keras.Input((4,)) for _ in range(r.integers(1, 4))]
    inputs = list(tensors)
    pool = [L.Dense(4) for _ in range(3)] + [L.BatchNormalization(), keras.Sequential([keras.Input((4,)), L.Dense(4), L.Dense(4, "relu")])]
    i = keras.Input((4,))
    pool.append(keras.Model(i, L.Add()([L.Dense(4)(i), L.Dense(4)(i)])))
    for _ in range(r.integers(4, 14)):
        kind = r.integers(0, 4)
        pick = lambda: tensors[r.integers(0, len(tensors))]
        if kind == 0:
            tensors.append(pool[r.integers(0, len(pool))](pick()))
        elif kind == 1:
            tensors.append(L.Dense(4, "tanh")(pick()))
        elif kind == 2:
            tensors.append([L.Add(), L.Maximum(), L.Average()][r.integers(0, 3)]([pick(), pick()]))
        else:
            tensors.append(pick() * 0.5)
    made = tensors[len(inputs):]
    outputs = [made[-1]] + [made[k] for k in r.integers(0, len(made), 2)]
    unique = list({id(t): t for t in outputs}.values())
    return keras.Model(inputs, unique if len(unique) > 1 else unique[0])


def mask_cases():
    """Token ids and sequences that end in padding. The models are compared later: none shares a layer with another."""
    ids = (rng.integers(1, 5, (3, 6)) * (np.arange(6) < np.array([[2], [6], [4]]))).astype("int32")
    steps = (rng.normal(0, 1, (3, 6, 4)) * (np.arange(6) < np.array([[5], [3], [6]]))[..., None]).astype("float32")
    both = dict(gradients=True, reload=True)

    def mask_case(name, make):
        x, f = keras.Input((6,), dtype="int32"), keras.Input((6, 4))
        add(f"mask-{name}", keras.Model([x, f], make(x, L.Embedding(5, 4, mask_zero=True)(x), f)), inputs=[ids, steps], **both)

    pool = lambda t, **kw: L.GlobalAveragePooling1D(**kw)(t)

    def through(x, e, f):
        h = e
        for layer in [L.Dense(4, "tanh"), L.Dropout(0.5), L.LayerNormalization(), L.BatchNormalization(), L.Activation("relu"), L.LeakyReLU(),
                      L.PReLU(), L.Rescaling(2.0), L.Identity(), L.UnitNormalization(), L.GroupNormalization(2), L.SpatialDropout1D(0.2),
                      L.GaussianNoise(0.1), L.GaussianDropout(0.1), L.AlphaDropout(0.1), L.ELU(), L.ReLU(), L.ActivityRegularization(0.1)]:
            h = layer(h)
        return [pool(h), pool(e, keepdims=True), pool(L.Masking()(f))]

    mask_case("through", through)
    mask_case("ends", lambda x, e, f: [pool(end) for end in [L.Conv1D(4, 1)(e), L.RMSNormalization()(e), L.Reshape((3, 8))(e), e * 2.0,
                                                            L.MaxPooling1D(1)(e), L.ZeroPadding1D(1)(e)]])

    def merge(x, e, f):
        g = L.Masking()(f)
        return [pool(L.Add()([e, g])), pool(L.Multiply()([e, f])), pool(L.Maximum()([g, e, e])),
                pool(L.Multiply()([g, e])), pool(L.Minimum()([e, f, g])), pool(L.Average()([e, g])), pool(L.Subtract()([e, f])), pool(L.Concatenate()([e, f])),
                pool(L.Concatenate()([e, g])), pool(L.Concatenate(axis=1)([g, e])), pool(L.Concatenate(axis=1)([e, f]))]

    mask_case("merge", merge)

    def nested(x, e, f):
        i = keras.Input((6, 4))
        inner = keras.Model(i, [L.Dense(4)(i), pool(L.Dense(3)(i))])
        return [pool(inner(e)[0]), inner(L.Masking()(f))[1], pool(keras.Sequential([keras.Input((6, 4)), L.Dense(4), L.Dropout(0.1)])(e))]

    mask_case("nested", nested)
    mask_case("keyword", lambda x, e, f: L.GlobalAveragePooling1D()(L.Add()([L.Dense(4)(f), e]), mask=keras.ops.logical_not(keras.ops.equal(x, 2))))
    mask_case("softmax", lambda x, e, f: L.Softmax()(L.Dense(6)(L.GlobalMaxPooling1D()(L.Add()([e, f]))), mask=keras.ops.not_equal(x, 0)))
    value = np.where(steps == 0, 0.5, steps).astype("float32")
    add("mask-value", keras.Sequential([keras.Input((6, 4)), L.Masking(0.5), L.Dense(3), L.GlobalAveragePooling1D()]), inputs=[value], **both)
    for name, axis in [("norm", -1), ("norm-axis", 1)]:
        norm = keras.Sequential([keras.Input((6, 4)), L.Masking(), L.BatchNormalization(axis=axis)])
        add(f"mask-{name}", norm, inputs=[steps], train=True, gradients=True)


def wrapper_cases():
    both = dict(gradients=True, reload=True)
    add("TimeDistributed", keras.Sequential([keras.Input((5, 4)), L.TimeDistributed(L.Dense(3, "tanh", kernel_regularizer="l2"))]), **both)
    add("TimeDistributed-conv", keras.Sequential([keras.Input((3, 6, 5, 2)), L.TimeDistributed(L.Conv2D(3, 2)), L.TimeDistributed(L.Flatten()), L.Dense(2)]), **both)
    add("TimeDistributed-norm", keras.Sequential([keras.Input((5, 4)), L.TimeDistributed(L.BatchNormalization())]), train=True, gradients=True)
    inner = keras.Sequential([keras.Input((4,)), L.Dense(3), L.BatchNormalization(), L.Dense(2)], name="inner")
    add("TimeDistributed-model", keras.Sequential([keras.Input((5, 4)), L.TimeDistributed(inner)]), **both)
    inner = keras.Sequential([keras.Input((4,)), L.Dense(3), L.BatchNormalization(), L.Dense(2)], name="inner")
    add("TimeDistributed-model-train", keras.Sequential([keras.Input((5, 4)), L.TimeDistributed(inner)]), train=True, gradients=True)
    i = keras.Input((4, 3))
    inner = keras.Model(i, L.Add()([L.GlobalAveragePooling1D()(L.Dense(5)(i)), L.Flatten()(L.Dense(5)(L.GlobalMaxPooling1D()(i)))]))
    x = keras.Input((6, 4, 3))
    h = L.TimeDistributed(inner)(L.TimeDistributed(L.TimeDistributed(L.Dense(3)))(x))
    frozen = L.TimeDistributed(L.Dense(2), trainable=False)
    add("TimeDistributed-nested", keras.Model(x, frozen(h)), **both)


def recurrent_cases():
    both = dict(gradients=True, reload=True)
    turns = itertools.cycle([dict(gradients=True, reload=False), dict(gradients=False, reload=True)])  # each costs seconds
    seq = lambda *layers, **kw: add("-".join(dict.fromkeys(type(l).__name__ for l in layers)), keras.Sequential([keras.Input((5, 3)), *layers]), **kw)
    every = dict(kernel_regularizer="l2", recurrent_regularizer="l1", bias_regularizer="l2", kernel_constraint=keras.constraints.MaxNorm(0.7),
                 recurrent_constraint=keras.constraints.UnitNorm(), bias_constraint="non_neg", activity_regularizer="l2")
    for make in [L.LSTM, L.GRU, L.SimpleRNN, lambda u, **kw: L.GRU(u, reset_after=False, **kw)]:
        seq(make(4), **next(turns))
        seq(make(4, return_sequences=True, dropout=0.3, recurrent_dropout=0.4), make(3, go_backwards=True, return_sequences=True), L.Dense(2), **next(turns))
        seq(make(3, activation="relu", use_bias=False, **every), gradients=True, reload=False)
        seq(make(4, activation="softmax", go_backwards=True, unroll=True), **next(turns))
    for options in [dict(recurrent_activation="hard_sigmoid", activation="linear"), dict(recurrent_activation="relu", activation="sigmoid"),
                    dict(recurrent_activation="gelu", activation="elu", use_bias=False)]:
        seq(L.LSTM(3, unit_forget_bias=False, **options), **next(turns))
        seq(L.GRU(3, **options), **next(turns))
        seq(L.GRU(3, reset_after=False, **options), **next(turns))
    seq(L.RNN(L.LSTMCell(4, kernel_regularizer="l2")), **both)
    seq(L.RNN([L.GRUCell(4), L.LSTMCell(3), L.GRUCell(2, reset_after=False), L.SimpleRNNCell(3)], return_sequences=True, go_backwards=True), **both)

    x = keras.Input((5, 3))
    states = [L.Dense(4, "tanh")(L.Flatten()(x)) for _ in range(2)]
    y, h, c = L.LSTM(4, return_state=True, return_sequences=True)(x, initial_state=states)
    z, s = L.GRU(4, return_state=True, go_backwards=True)(y, initial_state=c)
    q = L.SimpleRNN(4)(y, initial_state=[h])
    add("states", keras.Model(x, [y, L.Add()([h, z]), L.Concatenate()([c, s, q])]), **both)
    stacked = L.RNN(L.StackedRNNCells([L.LSTMCell(3), L.GRUCell(4)]), return_state=True)(x)
    add("stacked-states", keras.Model(x, keras.tree.flatten(stacked)), **both)
    shared = L.LSTM(4, return_sequences=True, name="shared")
    a, b = keras.Input((5, 4)), keras.Input((3, 4))
    add("shared-lstm", keras.Model([a, b], [shared(shared(a)), shared(b)]), **both)
    i, h, c = keras.Input((3,)), keras.Input((4,)), keras.Input((4,))
    add("cells", keras.Model([i, h, c], keras.tree.flatten([L.LSTMCell(4)(i, [h, c]), L.GRUCell(4, reset_after=False)(i, [h]), L.SimpleRNNCell(4)(i, [c])])), **both)

    ids = np.array([[1, 2, 0, 0, 3, 0], [4, 0, 0, 1, 1, 2], [0, 0, 2, 1, 0, 4]], "int32")
    steps = rng.normal(0, 1, (3, 6, 4)).astype("float32")
    steps[ids == 0] = 0
    k = 0
    for make in [L.LSTM, L.GRU, L.SimpleRNN, lambda u, **kw: L.GRU(u, reset_after=False, **kw)]:
        for options in [{}, dict(return_sequences=True), dict(go_backwards=True, return_sequences=True), dict(zero_output_for_mask=True),
                        dict(zero_output_for_mask=True, return_sequences=True, go_backwards=True)]:
            if k % 2 or options:
                x = keras.Input((6,), dtype="int32")
                h = make(3, **options)(L.Embedding(5, 4, mask_zero=True)(x))
                out = [h, L.GlobalAveragePooling1D()(h), make(2)(h)] if "return_sequences" in options else h
                add("mask-rnn", keras.Model(x, out), inputs=[ids], gradients=k % 2 == 0, reload=k % 4 == 0)
            k += 1
    for j, mode in enumerate(["concat", "sum", "mul", "ave"]):
        make = [L.LSTM, L.GRU, L.SimpleRNN, L.GRU][j]
        seq(L.Bidirectional(make(3, return_sequences=j % 2 == 0, dropout=0.2, kernel_regularizer="l2"), merge_mode=mode), gradients=j < 2, reload=j > 1)
        x = keras.Input((6,), dtype="int32")
        h = L.Bidirectional(make(3, return_sequences=True), merge_mode=mode)(L.Embedding(5, 4, mask_zero=True)(x))
        add("mask-both", keras.Model(x, [h, L.Bidirectional(make(2), merge_mode=mode)(h)]), inputs=[ids], gradients=j > 1, reload=j < 2)
    seq(L.Bidirectional(L.RNN([L.LSTMCell(3), L.GRUCell(2)]), backward_layer=L.GRU(4, go_backwards=True)), **both)
    x = keras.Input((5, 3))
    a, b = L.Bidirectional(L.GRU(4, return_sequences=True), merge_mode=None)(x)
    y, h, c, hb, cb = L.Bidirectional(L.LSTM(4, return_state=True, return_sequences=True))(a)
    z = L.Bidirectional(L.LSTM(4))(b, initial_state=[h, c, hb, cb])
    add("both-states", keras.Model(x, [a, y, z, c]), **both)
    frozen = L.Bidirectional(L.LSTM(2))
    frozen.trainable = False
    add("both-frozen", keras.Sequential([keras.Input((5, 3)), frozen, L.Dense(2)]), **both)

    f = keras.Input((6, 4))
    m = L.Masking()(f)
    y, h, c = L.LSTM(4, return_state=True, return_sequences=True, zero_output_for_mask=True)(m)
    z = L.LSTM(4)(m, initial_state=[h, c])
    w = L.RNN([L.LSTMCell(4), L.GRUCell(3)], return_sequences=True)(m)
    v = L.GRU(4)(f, mask=keras.ops.any(keras.ops.not_equal(f, 0), axis=-1))
    add("mask-states", keras.Model(f, [y, z, w, L.GRU(2)(w), v]), inputs=[steps], **both)


failures = []


def check(name, what, ours, theirs, tolerance=1e-5):
    ours, theirs = np.asarray(ours), np.asarray(theirs)
    if ours.shape != theirs.shape:
        failures.append(f"{name}: {what} has the shape {ours.shape}, Keras {theirs.shape}")
    elif ours.size and not np.allclose(ours, theirs, rtol=tolerance, atol=tolerance * max(1, np.abs(theirs).max(initial=0))):
        failures.append(f"{name}: {what} differs from Keras by {np.abs(ours - theirs).max():.3g}: {ours.ravel()[:4]} and {theirs.ravel()[:4]}")


def load(name, what, i):
    file = path(f"{name}.{what}.{i}.npy")
    return np.load(file) if os.path.exists(file) else None


def compare(case, report):
    name = case["name"]
    model, arrays, reload = keep[name]
    if "error" in report:
        failures.append(f"{name}: {report['error']}")
        return
    if isinstance(model, keras.Sequential):
        names = [l.name for l in model.layers]
        order = report["order"][1:]
    else:
        names = [o.name for o in model.operations]
        order = report["order"]
    if names != order:
        failures.append(f"{name}: order of layers {order}, Keras has {names}")
    trainable = [v.value for v in model.trainable_variables]
    others = [v.value for v in model.non_trainable_variables]
    feed = arrays[0] if len(arrays) == 1 else arrays
    if isinstance(model._inputs_struct if hasattr(model, "_inputs_struct") else None, dict):
        feed = dict(zip(sorted(model._inputs_struct), arrays))

    def loss(t):
        out, non, extra = model.stateless_call(t, others, feed, training=case["train"], return_losses=True)
        flat = keras.tree.flatten(out)
        return sum(0.5 * (o.astype("float32") ** 2).sum() for o in flat) + sum(extra), (flat, non, sum(extra))

    if case["gradients"] and trainable:
        (_, (flat, non, penalty)), grads = jax.value_and_grad(loss, has_aux=True)(trainable)
    else:
        (_, (flat, non, penalty)), grads = loss(trainable), []
    for i, o in enumerate(flat):
        check(name, f"output {i}", load(name, "out", i), o)
    ours = load(name, "penalty", 0)
    if ours is not None or float(penalty):
        check(name, "penalty", 0.0 if ours is None else ours, penalty)
    for i, g in enumerate(grads):
        check(name, f"gradient of {report['trainable'][i]}", load(name, "grad", i), g, 3e-5)
    for i, v in enumerate(model.trainable_variables):
        check(name, f"constrained {v.path}", load(name, "constrained", i), v.constraint(v.value) if v.constraint else v.value)
    if case["train"]:
        saved = keras.models.load_model(path(f"{name}.saved.keras"), compile=False)
        for v, value in zip(model.non_trainable_variables, non):
            v.assign(value)
        saved.set_weights(model.get_weights())
        check_after(name, saved, report)
    elif reload:
        reload_ours(name, flat, feed)


def check_after(name, model, report):
    """Moving averages after the step: by h5 path, as Keras itself writes them."""
    import h5py
    import zipfile
    model.save(path("after.keras"))
    with zipfile.ZipFile(path("after.keras")) as z:
        z.extract("model.weights.h5", folder.name)
    with h5py.File(path("model.weights.h5")) as f:
        for i, p in enumerate(report["variables"]):
            check(name, f"{p} after a training step", load(name, "after", i), f[p][()])


def reload_ours(name, flat, feed):
    try:
        again = keras.models.load_model(path(f"{name}.saved.keras"))
        out = keras.tree.flatten(again(feed, training=False))
    except Exception as error:
        failures.append(f"{name}: Keras cannot load what we saved: {str(error)[:400]}")
        return
    for i, o in enumerate(flat):
        check(name, f"output {i} of the model we saved", out[i], o)


def short_cases():
    """Our short form: Keras loads what it becomes, and predicts the same as we did."""
    dense = lambda units, **kw: {"class": "Dense", "units": units, **kw}
    forms = {
        "short-sequential": [{"class": "InputLayer", "shape": [6, 6, 1]}, {"class": "Conv2D", "filters": 3, "kernel_size": 3, "activation": "relu"},
                             {"class": "BatchNormalization"}, {"class": "MaxPool2D"}, {"class": "Flatten"}, {"class": "Dropout", "rate": 0.3},
                             dense(4, activation="softmax", kernel_initializer={"class": "HeNormal", "seed": 3}, kernel_regularizer={"class": "L2", "l2": 0.1})],
        "short-functional": [{"class": "InputLayer", "name": "a", "shape": [4]}, dense(4, name="d", inputs=[["a"], ["d:0"]]),
                             {"class": "Sequential", "name": "s", "layers": [dense(4), dense(4, activation="relu")], "inputs": ["d:1"]},
                             {"class": "Functional", "name": "f", "layers": [{"class": "InputLayer", "name": "i", "shape": [4]}, dense(4, name="g"),
                              {"class": "Add", "inputs": ["i", "g"]}], "inputs": ["s"]},
                             {"class": "Concatenate", "inputs": ["a", "f", "d"]}, dense(2)],
        "short-outputs": [{"class": "InputLayer", "name": "a", "shape": [4]}, {"class": "InputLayer", "name": "b", "shape": [4]},
                          {"class": "Multiply", "name": "m", "inputs": ["b", "a"]}, dense(3, name="p"), dense(2, name="q", inputs=["m"])],
        "short-attention": [{"class": "InputLayer", "name": "x", "shape": [5, 4]}, {"class": "InputLayer", "name": "m", "shape": [5, 5]},
                            {"class": "MultiHeadAttention", "name": "self", "num_heads": 2, "key_dim": 3, "inputs": ["x", "x"], "call": {"use_causal_mask": True}},
                            {"class": "MultiHeadAttention", "name": "named", "num_heads": 2, "key_dim": 3, "inputs": {"query": "self", "value": "x", "attention_mask": "m"}},
                            {"class": "GroupQueryAttention", "name": "scores", "head_dim": 3, "num_query_heads": 2, "num_key_value_heads": 1,
                             "inputs": ["named", "x", "self"], "call": {"return_attention_scores": True}},
                            {"class": "Flatten", "name": "p", "inputs": ["scores:0:1"]}, {"class": "Flatten", "name": "q", "inputs": ["scores"]}],
        "short-custom": [{"class": "InputLayer", "shape": [3]}, {"class": "Expression", "expression": "x * s + tanh(b)",
                          "weights": {"s": {"shape": "last", "initializer": "ones"}, "b": {"shape": [3], "initializer": {"class": "RandomNormal", "stddev": 1}}}},
                         dense(3, activation={"expression": "x * relu(x)"})],
    }
    gru = {"class": "GRU", "units": 4, "return_sequences": True, "kernel_initializer": {"class": "HeNormal"}}
    forms["short-recurrent"] = [
        {"class": "InputLayer", "name": "x", "shape": [6, 3]}, {"class": "Bidirectional", "layer": gru, "name": "b", "merge_mode": "sum"},
        {"class": "LSTM", "units": 4, "return_state": True, "return_sequences": True, "name": "l", "inputs": ["b"]},
        {"class": "SimpleRNN", "units": 4, "name": "r", "inputs": {"sequences": "x", "initial_state": ["l:0:1"]}},
        {"class": "TimeDistributed", "name": "t", "layer": {"class": "Sequential", "layers": [dense(3, activation="tanh"), {"class": "BatchNormalization"}]}, "inputs": ["l"]},
        {"class": "RNN", "name": "n", "cell": [{"class": "LSTMCell", "units": 3}, {"class": "GRUCell", "units": 2}], "inputs": ["t"]},
        {"class": "Concatenate", "inputs": ["r", "n", "l:0:2"]}, dense(2)]
    for name, form in forms.items():
        inputs = []
        for i, layer in enumerate(l for l in form if l["class"] == "InputLayer"):
            np.save(path(f"{name}.in{i}.npy"), rng.normal(0, 1, (3, *layer["shape"])).astype("float32"))
            inputs.append(f"{name}.in{i}.npy")
        cases.append({"name": name, "short": {"name": "m", "layers": form}, "inputs": inputs})


@keras.saving.register_keras_serializable("antler", name="Expression")
class Expression(keras.layers.Layer):
    """What a Python user registers to open our custom layers; also stands for custom activations."""

    def __init__(self, expression, weights=None, **kw):
        super().__init__(**kw)
        self.expression, self.given = expression, weights or {}

    def build(self, shape):
        for key, spec in self.given.items():
            size = [shape[-1]] if spec.get("shape", "last") == "last" else spec["shape"]
            setattr(self, key, self.add_weight(shape=size, name=key))

    def call(self, x):
        names = {key: getattr(self, key) for key in self.given}
        return eval(self.expression, {"tanh": keras.ops.tanh, "relu": keras.ops.relu, "x": x, **names})


def compare_short(case, report):
    name = case["name"]
    if "error" in report:
        failures.append(f"{name}: {report['error']}")
        return
    model = keras.models.load_model(path(f"{name}.saved.keras"))
    arrays = [np.load(path(f)) for f in case["inputs"]]
    out = keras.tree.flatten(model(arrays[0] if len(arrays) == 1 else arrays, training=False))
    for i, o in enumerate(out):
        check(name, f"output {i}", load(name, "out", i), o)
    if len(out) > 1 and list(model.output_names) != ["p", "q"]:
        failures.append(f"{name}: outputs {model.output_names}")
    if not any(np.abs(np.asarray(o)).max() > 1e-3 for o in out):
        failures.append(f"{name}: all outputs are zero, the comparison says nothing")


layer_cases()
conv_cases()
other_cases()
attention_cases()
merge_cases()
graph_cases()
mask_cases()
wrapper_cases()
recurrent_cases()
short_cases()
json.dump(cases, open(path("cases.json"), "w"))
subprocess.run([os.path.join(build, "tests", "drive_model"), folder.name], check=True)
reports = json.load(open(path("report.json")))
for case in cases:
    (compare_short if "short" in case else compare)(case, reports[case["name"]])
print(f"{len(cases)} models compared with Keras {keras.__version__}, {len(failures)} differences")
print("\n".join(failures[:60]))
sys.exit(1 if failures else 0)
