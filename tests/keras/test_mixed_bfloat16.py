"""mixed_bfloat16 against real Keras: what each layer rounds, three epochs of training, files both ways with a policy per layer.

What is compared is measured by bfloat16's own noise: the distance between Keras under mixed_bfloat16 and the same Keras in float32. A program that
rounds in the same places is at 0; one that rounds as often elsewhere is at 1.4, the root of 2; one that forgets to round is at 1 and has outputs that
bfloat16 cannot hold.
"""
import json
import os
import subprocess
import sys
import warnings

import quick_jax
import keras
import numpy as np
from keras import layers as L
from work_folder import WorkFolder

quick_jax.numpy_weights()
warnings.filterwarnings("ignore")
ANTLER = os.path.join(os.environ["ANTLER_BUILD"], "antler")
ONLY = os.environ.get("ONLY", "")
work = WorkFolder()
folder = work.name
failures = []
rng = np.random.default_rng(11)
path = lambda name: os.path.join(folder, name)


def check(condition, text):
    if not condition:
        failures.append(text)
        print("FAILED:", text, file=sys.stderr)


def antler(*arguments, ok=True):
    done = subprocess.run([ANTLER, "--home", path("runs"), *arguments, "--json"], capture_output=True, text=True, cwd=folder, timeout=120)
    check(done.returncode == 0 or not ok, f"antler {' '.join(arguments)}: {done.returncode} {done.stderr.strip()[-600:]}")
    return json.loads(done.stdout) if done.stdout.strip() else {"error": done.stderr}


def rms(values):
    flat = np.concatenate([np.asarray(v, dtype=np.float64).ravel() for v in values])
    return float(np.sqrt(np.mean(flat * flat)))


def numbers(tensors):
    return [np.asarray(t).astype("float32") for t in tensors]


def is_bfloat16(x):
    return not np.any(np.asarray(x, dtype="float32").view("uint32") & 0xffff)


def built(make, policy):
    """The same starting weights under either policy: no zeros and no ones that hide anything."""
    keras.config.set_dtype_policy(policy)
    model = make()
    keras.config.set_dtype_policy("float32")
    fill = np.random.default_rng(5)
    model.set_weights([np.abs(fill.normal(0, 0.4, w.shape)) + 0.5 if "variance" in w.name or "gamma" in w.name else fill.normal(0, 0.4, w.shape)
                       for w in model.weights])
    return model


def stack(*shape_and_layers):
    return lambda: keras.Sequential([L.Input(shape_and_layers[0]), *[make() for make in shape_and_layers[1:]]])


def attention():
    x = L.Input((6, 16))
    return keras.Model(x, L.MultiHeadAttention(4, 4)(x, x, use_causal_mask=True))


def scores():
    x = L.Input((6, 8))
    return keras.Model(x, L.Attention(use_scale=True)([x, x]))


def merge():
    x = L.Input((12,))
    a, b = L.Dense(8)(x), L.Dense(8, activation="tanh")(x)
    return keras.Model(x, L.Concatenate()([L.Add()([a, b]), L.Multiply()([a, b]), L.Average()([a, b])]))


def masked():
    x = L.Input((6, 8))
    return keras.Model(x, L.GRU(8)(L.Masking(0.0)(x)))


def operations():
    x = L.Input((12,))
    a = L.Dense(8)(x)
    return keras.Model(x, L.Dense(4)(keras.ops.relu(a) + 0.5 * a * keras.ops.cast(a > 0, "bfloat16")))


ELSEWHERE = 1.5
TRAINED = 2  # two trainings that each round in their own places are sqrt(2) of that noise apart
# Keras on JAX rounds every sum inside a softmax, an average or a norm; we sum in float32 and round what comes out.
ROUNDED_INSIDE = {"Dense gelu", "Dense softmax", "UnitNormalization", "pooling", "activations", "SimpleRNN", "LSTM", "LSTM by steps", "GRU", "GRU reset before",
                  "Bidirectional", "MultiHeadAttention", "Attention", "Masking", "keras.ops"}
LAYERS = {
    "Dense": stack((24,), lambda: L.Dense(16)),
    "Dense gelu": stack((24,), lambda: L.Dense(16, activation="gelu")),
    "Dense softmax": stack((24,), lambda: L.Dense(5, activation="softmax")),
    "Dense on sequences": stack((7, 24), lambda: L.Dense(16, activation="relu")),
    "Conv2D": stack((8, 8, 6), lambda: L.Conv2D(8, 3, padding="same", activation="relu")),
    "Conv2D strided": stack((9, 9, 3), lambda: L.Conv2D(8, 4, strides=2)),
    "Conv1D causal": stack((12, 5), lambda: L.Conv1D(6, 3, padding="causal")),
    "DepthwiseConv2D": stack((8, 8, 6), lambda: L.DepthwiseConv2D(3)),
    "SeparableConv2D": stack((8, 8, 6), lambda: L.SeparableConv2D(4, 3)),
    "Conv2DTranspose": stack((5, 5, 4), lambda: L.Conv2DTranspose(3, 3, strides=2)),
    "BatchNormalization": stack((20,), lambda: L.BatchNormalization()),
    "LayerNormalization": stack((20,), lambda: L.LayerNormalization()),
    "GroupNormalization": stack((4, 4, 8), lambda: L.GroupNormalization(4)),
    "RMSNormalization": stack((20,), lambda: L.RMSNormalization()),
    "UnitNormalization": stack((20,), lambda: L.UnitNormalization()),
    "Rescaling": stack((20,), lambda: L.Rescaling(1 / 7, 0.3)),
    "EinsumDense": stack((5, 12), lambda: L.EinsumDense("abc,cde->abde", output_shape=(None, 3, 4), bias_axes="de")),
    "pooling": stack((8, 8, 3), lambda: L.AveragePooling2D(2), lambda: L.MaxPooling2D(2)),
    "global pooling": stack((8, 8, 3), lambda: L.GlobalAveragePooling2D()),
    "PReLU": stack((20,), lambda: L.PReLU()),
    "activations": stack((20,), lambda: L.Dense(12), lambda: L.LeakyReLU(), lambda: L.Activation("silu"), lambda: L.Softmax()),
    "SimpleRNN": stack((6, 8), lambda: L.SimpleRNN(8)),
    "LSTM": stack((6, 8), lambda: L.LSTM(8, return_sequences=True)),
    "LSTM by steps": stack((6, 8), lambda: L.LSTM(8, activation="gelu")),
    "GRU": stack((6, 8), lambda: L.GRU(8)),
    "GRU reset before": stack((6, 8), lambda: L.GRU(8, reset_after=False)),
    "Bidirectional": stack((6, 8), lambda: L.Bidirectional(L.LSTM(4, return_sequences=True))),
    "TimeDistributed": stack((6, 8), lambda: L.TimeDistributed(L.Dense(4))),
    "MultiHeadAttention": attention,
    "Attention": scores,
    "merging": merge,
    "Masking": masked,
    "keras.ops": operations,
}


def test_a_layer_predicts_what_keras_predicts():
    for name, make in LAYERS.items():
        if ONLY not in name:
            continue
        mixed, plain = built(make, "mixed_bfloat16"), built(make, "float32")
        x = rng.normal(size=(16, *mixed.inputs[0].shape[1:])).astype("float32")
        mixed.save(path("layer.keras"))
        np.save(path("layer.npy"), x)
        result = antler("predict", "layer.keras", "--input", "layer.npy", "--output", "layer-out.npy")
        if not os.path.exists(path("layer-out.npy")):
            continue
        ours, theirs, exact = np.load(path("layer-out.npy")), mixed.predict(x, verbose=0).astype("float32"), plain.predict(x, verbose=0)
        os.remove(path("layer-out.npy"))
        check(ours.shape == theirs.shape and result["samples"] == 16, f"{name}: shape {ours.shape}, expected {theirs.shape}")
        check(is_bfloat16(ours), f"{name}: the outputs are not bfloat16")
        distance, noise = rms([ours - theirs]), rms([exact - theirs])
        print(f"  {name}: {distance / noise:.3f} of the noise {noise / rms([theirs]):.1e}", flush=True)
        check(distance <= (ELSEWHERE if name in ROUNDED_INSIDE else 0.05) * noise, f"{name}: differs from Keras by {distance:.2e}, float32 does by {noise:.2e}")


def mlp():
    model = keras.Sequential([L.Input((24,)), L.Dense(48, activation="relu"), L.Dropout(0.0), L.Dense(48, activation="tanh"), L.Dense(4, dtype="float32")])
    model.compile(keras.optimizers.Adam(0.003), keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    return model


def cnn():
    model = keras.Sequential([L.Input((10, 10, 2)), L.Conv2D(8, 3, use_bias=False), L.BatchNormalization(), L.ReLU(), L.MaxPooling2D(),
                              L.Conv2D(8, 3, padding="same", activation="relu"), L.GlobalAveragePooling2D(), L.Dense(4)])
    model.compile(keras.optimizers.SGD(0.01, momentum=0.9), keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    return model


def rnn():
    model = keras.Sequential([L.Input((8, 6)), L.LSTM(12, return_sequences=True), L.GRU(12), L.Dense(4)])
    model.compile(keras.optimizers.Adam(0.003), keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    return model


def transformer():
    ids = L.Input((8,), dtype="int32")
    h = L.Embedding(12, 16)(ids)
    h = L.Add()([h, L.MultiHeadAttention(2, 8)(*[L.LayerNormalization()(h)] * 2, use_causal_mask=True)])
    h = L.Add()([h, L.Dense(16)(L.Dense(32, activation="gelu")(L.LayerNormalization()(h)))])
    model = keras.Model(ids, L.Dense(4)(L.GlobalAveragePooling1D()(h)))
    model.compile(keras.optimizers.Adam(0.003), keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    return model


def data_of(name, model):
    shape, rng = (80, *model.inputs[0].shape[1:]), np.random.default_rng(11)
    x = rng.integers(0, 12, shape).astype("int32") if name == "transformer" else rng.normal(size=shape).astype("float32")
    flat = x.reshape(80, -1).astype("float32")
    return x, (flat[:, 0] > flat[:, 1]).astype("int32") + 2 * (flat[:, 2] > flat[:, 3])


def policies_of(model):
    return {layer.name: layer.dtype_policy.name for layer in model.layers if not isinstance(layer, L.InputLayer)}


def train_ours(name, model, x, y):
    model.save(path(f"{name}.keras"))
    np.savez(path(f"{name}.npz"), x=x, y=y)
    config = {"data": {"format": "npz", "path": f"{name}.npz", **({"dtype": "int32"} if x.dtype == np.int32 else {})}, "model": {"file": f"{name}.keras"},
              "fit": {"epochs": 3, "batch_size": 16, "shuffle": False}}
    with open(path(f"{name}.json"), "w") as f:
        json.dump(config, f)
    return antler("train", f"{name}.json", "--name", name)


def test_training_stays_within_the_noise():
    for name, make in {"mlp": mlp, "cnn": cnn, "rnn": rnn, "transformer": transformer}.items():
        if ONLY not in name:
            continue
        mixed, plain = built(make, "mixed_bfloat16"), built(make, "float32")
        start = numbers(mixed.weights)
        x, y = data_of(name, mixed)
        train_ours(name, mixed, x, y)
        history = mixed.fit(x, y, epochs=3, batch_size=16, shuffle=False, verbose=0).history
        exact = plain.fit(x, y, epochs=3, batch_size=16, shuffle=False, verbose=0).history
        last = antler("checkpoints", name)[-1]["path"]
        ours = keras.saving.load_model(path(last))
        policies = policies_of(ours)
        check(policies == policies_of(mixed), f"{name}: the policies came back as {policies}")
        check(all(w.dtype == "float32" for w in ours.weights), f"{name}: a weight is not float32")
        mine, theirs, plainly = numbers(ours.weights), numbers(mixed.weights), numbers(plain.weights)
        moved = [max(rms([b - s]), 1e-6) for b, s in zip(theirs, start)]
        distance = rms([(a - b) / m for a, b, m in zip(mine, theirs, moved)])
        noise = rms([(a - b) / m for a, b, m in zip(plainly, theirs, moved)])
        loss = [float(v) for v in antler("history", name)["metrics"]["loss"]["value"]]
        print(f"  {name}: weights {distance / noise:.3f} of the noise {noise:.1e}; losses {loss} {history['loss']} {exact['loss']}", flush=True)
        check(distance <= TRAINED * noise, f"{name}: weights differ from Keras by {distance:.2e} of their way, float32 does by {noise:.2e}")
        check(np.max(np.abs(np.array(loss) - history["loss"])) <= 2e-3 * max(history["loss"]), f"{name}: losses {loss}, expected {history['loss']}")
        again = ours.evaluate(x, y, batch_size=16, verbose=0, return_dict=True)
        evaluated = antler("evaluate", last, "--config", f"{name}.json")["metrics"]
        check(abs(again["loss"] - evaluated["loss"]) <= 2e-3 * abs(again["loss"]), f"{name}: Keras evaluates our file to {again}, we to {evaluated}")


DENSE = [{"class": "Dense", "units": 16, "activation": "relu", "name": "a"}, {"class": "Dense", "units": 4, "name": "b", "dtype": "float32"}]


def config_with(**keys):
    x, y = rng.normal(size=(60, 8)).astype("float32"), rng.integers(0, 4, 60)
    np.savez(path("rows.npz"), x=x, y=y)
    config = {"data": {"format": "npz", "path": "rows.npz"}, "model": {"layers": DENSE}, "fit": {"epochs": 2, "batch_size": 16},
              "compile": {"optimizer": "adam", "loss": {"class": "SparseCategoricalCrossentropy", "from_logits": True}, "metrics": []}, **keys}
    with open(path("rows.json"), "w") as f:
        json.dump(config, f)
    return x


def saved_policies(run, place=-1):
    file = path(antler("checkpoints", run)[place]["path"])
    return policies_of(keras.saving.load_model(file)), file


def test_the_config_says_the_policy_of_all_layers_without_one():
    x = config_with(dtype_policy="mixed_bfloat16")
    antler("train", "rows.json", "--name", "policy")
    policies, file = saved_policies("policy")
    check(policies == {"a": "mixed_bfloat16", "b": "float32"}, f"a config with a policy and a layer of its own gave {policies}")
    np.save(path("x.npy"), x)
    antler("predict", file, "--input", "x.npy", "--output", "x-out.npy")
    theirs = keras.saving.load_model(file).predict(x, verbose=0)
    check(rms([np.load(path("x-out.npy")) - theirs]) <= 1e-6 * rms([theirs]), "Keras predicts something else from a file with two policies")
    listed = {layer["name"]: layer["dtype_policy"] for layer in antler("inspect", file)["layers"]}
    check(listed.get("a") == "mixed_bfloat16" and listed.get("b") == "float32", f"inspect lists the policies {listed}")


def test_a_branch_may_change_the_policy():
    config_with()
    antler("train", "rows.json", "--name", "plain")
    check(saved_policies("plain")[0] == {"a": "float32", "b": "float32"}, "the policy without a key is not float32")
    antler("resume", "plain:1", "--set", "dtype_policy=mixed_bfloat16", "--name", "branch")
    check(saved_policies("branch")[0]["a"] == "mixed_bfloat16", "a branch did not take the new policy")
    antler("resume", "policy:1", "--set", "dtype_policy=float32", "--name", "back")
    check(saved_policies("back")[0] == {"a": "float32", "b": "float32"}, "a branch did not go back to float32")


def test_other_policies_are_refused():
    config_with(dtype_policy="mixed_float16")
    said = antler("check", "rows.json", ok=False).get("error", "")
    check("mixed_float16" in said and "mixed_bfloat16" in said, f"mixed_float16 in a config is refused with: {said}")
    for policy in ("mixed_float16", "bfloat16", "float64"):
        built(lambda: stack((4,), lambda: L.Dense(3))(), policy).save(path("refused.keras"))
        np.save(path("four.npy"), np.zeros((1, 4), "float32"))
        said = antler("predict", "refused.keras", "--input", "four.npy", ok=False).get("error", "")
        check(f"'{policy}'" in said and "mixed_bfloat16" in said, f"a file with the policy {policy} is refused with: {said}")


def main():
    for name, test in list(globals().items()):
        if name.startswith("test_"):
            print(name, flush=True)
            test()
    print(f"{len(failures)} failures")
    sys.exit(bool(failures))


main()
