"""Models nobody writes on purpose, by real Keras: nested, shared, named alike, frozen, with outputs that are inputs. antler predicts what Keras predicts,
trains them on, and Keras opens what that gives: no weight is ever another layer's."""
import json
import os
import subprocess
import sys
import warnings

os.environ.setdefault("KERAS_BACKEND", "jax")
os.environ.setdefault("JAX_PLATFORMS", "cpu")

import keras
import numpy as np
from keras import Input, Model, Sequential
from keras import layers as L
from work_folder import WorkFolder

ANTLER = os.path.join(os.environ["ANTLER_BUILD"], "antler")
SAMPLES = 6
failures = 0


def check(condition, text):
    global failures
    if not condition:
        failures += 1
        print("FAILED:", text, file=sys.stderr)


def nested():
    i = Input((6,), name="inner_in")
    inner = Model(i, L.BatchNormalization()(L.Dense(5, activation="tanh")(i)), name="inner")
    i = Input((5,))
    middle = Model(i, Sequential([Input((5,)), L.Dense(4, "relu"), L.Dense(5)], name="seq")(i) + i, name="middle")
    x = Input((6,), name="x")
    y = middle(inner(x))
    return Model(x, L.Dense(2)(L.Concatenate()([y, inner(L.Dense(6)(y))])))


def sequential_in_sequential():
    return Sequential([Input((4,), name="x"), Sequential([L.Dense(3), Sequential([L.Dense(3), L.Dense(2)])]), L.Dense(2)])


def shared_layers_and_two_inputs():
    a, b = Input((4,), name="a"), Input((4,), name="b")
    first, last = L.Dense(8, "gelu", name="shared"), L.Dense(3, "softmax", name="out")
    return Model([a, b], [last(first(a)), last(first(b))])


def objects_of_inputs_and_outputs():
    a, b = Input((4,), name="zeta"), Input((3,), name="alpha")
    return Model({"zeta": a, "alpha": b}, {"y2": L.Dense(2, name="y2")(a), "y1": L.Dense(3, name="y1")(b)})


def listed_in_another_order():
    x = Input((4,), name="x")
    late, early = L.Dense(4, name="late"), L.Dense(4, name="early")
    h = early(x)
    return Model(x, [L.Dense(2, name="p")(late(h)), L.Dense(2, name="q")(L.Dense(4, name="side")(x))])


def named_alike():
    x = h = Input((4,), name="x")
    for name in ("dense", "Dense", "dense_1", "dense-1", "dense.1", "DENSE", "vars", "layers", "..", "a b", 'q"uo\'te'):
        h = L.Dense(4, name=name)(h)
    return Model(x, h)


def named_in_other_alphabets():
    x = Input((4,), name="eingång")
    return Model(x, L.Dense(3, name="層🙂" + "n" * 900)(L.Dense(4, name="схема")(x)), name="模型")


def frozen_inside():
    inner = Sequential([Input((4,)), L.Dense(4), L.BatchNormalization(), L.Dense(4)], name="encoder")
    inner.layers[0].trainable = inner.layers[1].trainable = False
    x = Input((4,), name="x")
    return Model(x, L.Dense(2)(inner(x)))


def diamond():
    x = Input((4,), name="x")
    a = L.Dense(4)(x)
    b, c = L.Dense(4)(a), L.Dense(4)(a)
    d = L.Add()([c, b])
    e = L.Subtract()([L.Multiply()([d, a]), x])
    return Model(x, L.Average()([e, d, L.Maximum()([a, b])]))


def arithmetic():
    x = Input((4,), name="x")
    h = L.Dense(4)(x) * 2.0 + x
    return Model(x, 1 / (h * h + 1) - 1)


def an_output_that_is_an_input():
    x = Input((4,), name="x")
    return Model(x, [x, L.Dense(2, name="y")(x)])


def one_output_twice():
    x = Input((4,), name="x")
    y = L.Dense(2, name="y")(x)
    return Model(x, [y, y])


def pictures():
    return Sequential([Input((8, 8, 2), name="x"), L.Conv2D(4, 3, padding="same", activation="relu"), L.BatchNormalization(), L.MaxPooling2D(),
                       L.SeparableConv2D(4, 3, padding="same"), L.DepthwiseConv2D(3), L.Conv2DTranspose(3, 2, strides=2), L.GroupNormalization(3), L.Flatten(),
                       L.Dense(3, "softmax")])


def activations_as_layers():
    return Sequential([Input((4,), name="x"), L.Dense(4), L.LeakyReLU(negative_slope=0.2), L.PReLU(), L.ELU(0.5),
                       L.ReLU(max_value=6, negative_slope=0.1, threshold=0.2), L.Activation("mish"), L.Dense(3, activation=L.LeakyReLU())])


def many_of_one_class():
    return Sequential([Input((4,), name="x")] + [L.Dense(4) for _ in range(12)])


MODELS = [nested, sequential_in_sequential, shared_layers_and_two_inputs, objects_of_inputs_and_outputs, listed_in_another_order, named_alike,
          named_in_other_alphabets, frozen_inside, diamond, arithmetic, an_output_that_is_an_input, one_output_twice, pictures, activations_as_layers,
          many_of_one_class]


def antler(*arguments):
    done = subprocess.run([ANTLER, *arguments], capture_output=True, text=True)
    check(done.returncode == 0, f"antler {' '.join(arguments)} ended with {done.returncode}: {done.stderr.strip()}")
    return done.stdout


def shuffle_weights(model, rng):
    """Every weight another: what is swapped is seen."""
    for v in model.weights:
        if "seed" not in v.path:
            v.assign(rng.uniform(0.1, 0.6, v.shape).astype(v.dtype))


def flat(outputs):
    return [np.asarray(o) for o in keras.tree.flatten(outputs)]


def predicted(folder, path, name):
    out = os.path.join(folder, name + ".out.npz")
    antler("predict", path, "--input", os.path.join(folder, name + ".npz"), "--output", out)
    if not os.path.exists(out):
        return []
    with np.load(out) as arrays:
        return [arrays[k] for k in arrays.files]


def compare(ours, theirs, what):
    check(len(ours) == len(theirs), f"{what}: {len(ours)} outputs, expected {len(theirs)}")
    for a, b in zip(ours, theirs):
        check(a.shape == b.shape and np.allclose(a, b, rtol=2e-4, atol=2e-5), f"{what}: {a.ravel()[:3]} in antler, {b.ravel()[:3]} in Keras")


def check_model(folder, build, rng):
    keras.utils.clear_session()
    model, name = build(), build.__name__
    shuffle_weights(model, rng)
    model.compile(keras.optimizers.SGD(1e-5), "mse")
    x = {layer.name: rng.uniform(size=(SAMPLES, *layer.batch_shape[1:])).astype("float32") for layer in model._layers if isinstance(layer, L.InputLayer)}
    order = list(x) if isinstance(model, Sequential) else [t._keras_history.operation.name for t in model.inputs]
    feed = x if build is objects_of_inputs_and_outputs else [x[n] for n in order] if len(x) > 1 else next(iter(x.values()))
    call = lambda m: flat(m(feed, training=False))
    path = os.path.join(folder, name + ".keras")
    theirs = call(model)
    model.save(path)
    np.savez(os.path.join(folder, name + ".npz"), **x)
    compare(predicted(folder, path, name), theirs, name)
    inspected = json.loads(antler("inspect", path, "--json"))
    check(inspected["params"] == model.count_params() and not inspected["problems"], f"{name}: {inspected['params']} parameters, problems {inspected['problems']}")
    if build in (one_output_twice, shared_layers_and_two_inputs, an_output_that_is_an_input, arithmetic):
        return  # targets are named after outputs
    outputs = [model.layers[-1].name] if isinstance(model, Sequential) else list(model.output_names)
    np.savez(os.path.join(folder, name + ".data.npz"), **{"x_" + str(i): x[n] for i, n in enumerate(order)},
             **{"y_" + str(i): np.full(o.shape, 0.5, "float32") for i, o in enumerate(theirs)})
    config = {"seed": 1, "model": {"file": path}, "fit": {"epochs": 1, "batch_size": 4}, "data": {
        "format": "npz", "path": os.path.join(folder, name + ".data.npz"), "x": {n: "x_" + str(i) for i, n in enumerate(order)},
        "y": {n: "y_" + str(i) for i, n in enumerate(outputs)}}}
    with open(os.path.join(folder, name + ".json"), "w") as file:
        json.dump(config, file)
    text = antler("--home", os.path.join(folder, "runs"), "train", os.path.join(folder, name + ".json"), "--json")
    if not text:
        return
    trained = os.path.join(json.loads(text)["dir"], "checkpoints", "epoch-0001.keras")
    compare(predicted(folder, trained, name), call(keras.saving.load_model(trained)), f"{name}, trained on")


def main():
    warnings.simplefilter("ignore")
    rng = np.random.default_rng(5)
    with WorkFolder() as folder:
        for build in MODELS:
            check_model(folder, build, rng)
    print(f"{len(MODELS)} models, {failures} failures")
    sys.exit(1 if failures else 0)


main()
