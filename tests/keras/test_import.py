"""What real Keras wrote, imported. Of a keras.callbacks.CSVLogger: the history antler shows is the one Keras returned. Of model.save(): a run
whose checkpoint evaluates as in Keras and can be trained further."""
import json
import math
import os
import subprocess
import sys

os.environ.setdefault("KERAS_BACKEND", "jax")
os.environ.setdefault("JAX_PLATFORMS", "cpu")

import h5py
import keras
import numpy as np
from work_folder import WorkFolder

ANTLER = os.path.join(os.environ["ANTLER_BUILD"], "antler")
failures = 0


def check(condition, text):
    global failures
    if not condition:
        failures += 1
        print("FAILED:", text, file=sys.stderr)


def same(a, b):
    a, b = float(a), float(b)
    return a == b or (math.isnan(a) and math.isnan(b))


def imported(home, path):
    run = json.loads(subprocess.run([ANTLER, "--home", home, "import", path, "--json"], capture_output=True, check=True).stdout)[0]["run"]
    history = json.loads(subprocess.run([ANTLER, "--home", home, "history", run, "--json"], capture_output=True, check=True).stdout)
    return history["metrics"]


def compare(metrics, expected, what):
    """expected: {name: {epoch: value}}"""
    check(set(metrics) == set(expected), f"{what}: metrics {sorted(metrics)}, expected {sorted(expected)}")
    for name, values in expected.items():
        series = metrics.get(name, {"epoch": [], "value": []})
        check(series["epoch"] == list(values), f"{what}: epochs of {name} are {series['epoch']}, expected {list(values)}")
        check(all(same(a, b) for a, b in zip(series["value"], values.values())), f"{what}: values of {name}")


def model(rate=0.01):
    keras.utils.set_random_seed(1)
    net = keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(4, "relu"), keras.layers.Dense(2, "softmax")])
    net.compile(keras.optimizers.SGD(rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return net


def antler(home, *arguments):
    done = subprocess.run([ANTLER, "--home", home, *arguments], capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr


def check_model(folder, x, y, name):
    """A .keras file keeps the optimizer's state; a legacy .h5 leaves it behind."""
    home, path, data = (os.path.join(folder, part) for part in ("models", name, "data.npz"))
    whole = name.endswith(".keras")
    net = model()
    net.fit(x, y, epochs=2, batch_size=16, verbose=0)
    net.save(path)
    np.savez(data, x=x, y=y)
    given = ["format=npz", f"path={data}", "x=x", "y=y"]
    overrides = [word for item in given for word in ("--data", item)]
    code, out, err = antler(home, "import", path, "--json")
    run = json.loads(out)[0]["run"]
    entry = json.loads(antler(home, "checkpoints", run, "--json")[1])
    steps = int(net.optimizer.iterations) if whole else 0
    check(len(entry) == 1 and entry[0]["epoch"] == 0 and entry[0]["step"] == steps and entry[0]["best"], f"one checkpoint at the optimizer's step {steps}, found {entry}")
    with open(entry[0]["path"], "rb") as copy, open(path, "rb") as original:
        check(copy.read() == original.read(), "the checkpoint is a copy of the file")
    code, out, err = antler(home, "evaluate", f"{run}:best", "--split", "train", "--json", *overrides)
    ours = json.loads(out)["metrics"] if code == 0 else {}
    theirs = net.evaluate(x, y, verbose=0, return_dict=True)
    check(set(ours) == set(theirs) and all(abs(ours[k] - theirs[k]) <= 1e-5 * max(1, abs(theirs[k])) for k in ours), f"{name}: evaluate gives {ours} {err}, Keras {theirs}")
    sets = [word for item in given for word in ("--set", f"data.{item}")]
    code, out, err = antler(home, "resume", f"{run}:last", "--epochs", "2", "--json", *sets, "--set", "fit.batch_size=16", "--set", "fit.shuffle=false")
    if not whole:
        check("optimizer state starts anew" in err, f"what is left behind is said: {err}")
        net.compile(keras.optimizers.SGD(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"])
    history = net.fit(x, y, epochs=2, batch_size=16, shuffle=False, verbose=0).history
    loss = json.loads(out)["metrics"]["loss"] if code == 0 else math.nan
    check(abs(loss - history["loss"][-1]) < 1e-5, f"{name}: two more epochs end at loss {loss} {err}, in Keras at {history['loss'][-1]}")


def check_legacy_names(folder):
    """Legacy weights of nested models, in the words of Keras 3 (dense/model/dense/kernel) and of Keras 2 (dense/dense/kernel:0)."""
    home, path, older = (os.path.join(folder, part) for part in ("legacy", "nested.h5", "older.h5"))
    inner = keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(5, "relu", name="dense"), keras.layers.Dense(3, name="dense_1")], name="inner")
    net = keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(4, name="dense"), inner, keras.layers.BatchNormalization(name="batch_normalization")], name="net")
    net.save(path)
    with h5py.File(path) as file, h5py.File(older, "w") as out:
        out.attrs["model_config"] = file.attrs["model_config"]
        for group, names in {"dense": ("dense",), "inner": ("dense", "dense_1"), "batch_normalization": ("batch_normalization",)}.items():
            for layer in names:
                variables = (net if group == layer else inner).get_layer(layer).variables
                for variable in variables:
                    out[f"model_weights/{group}/{layer}/{variable.name}:0"] = np.array(variable)
    x = np.random.default_rng(1).normal(size=(6, 4)).astype("float32")
    np.save(os.path.join(folder, "x.npy"), x)
    expected = net.predict(x, verbose=0)
    for file in (path, older):
        code, out, err = antler(home, "import", file, "--json")
        run = json.loads(out)[0]["run"] if code == 0 else "none"
        code, out, err = antler(home, "predict", f"{run}:last", "--input", os.path.join(folder, "x.npy"), "--json")
        values = list(json.loads(out)["outputs"].values())[0] if code == 0 else []
        check(len(values) == 6 and np.abs(np.array(values) - expected).max() < 1e-5, f"{os.path.basename(file)}: predictions differ: {err}")


def check_refusals(folder):
    home = os.path.join(folder, "refused")
    net, paths = model(), {name: os.path.join(folder, name) for name in ("good.keras", "w.weights.h5", "lambda.keras", "cut.keras", "bent.keras")}
    net.save(paths["good.keras"])
    net.save_weights(paths["w.weights.h5"])
    keras.Sequential([keras.layers.Input((3,)), keras.layers.Lambda(lambda x: 2 * x)]).save(paths["lambda.keras"])
    whole = open(paths["good.keras"], "rb").read()
    open(paths["cut.keras"], "wb").write(whole[: len(whole) // 2])
    open(paths["bent.keras"], "wb").write(whole[: len(whole) // 2] + bytes([whole[len(whole) // 2] ^ 255]) + whole[len(whole) // 2 + 1 :])
    for name, word in {"w.weights.h5": "model.weights", "lambda.keras": "never runs code", "cut.keras": "cut.keras", "bent.keras": "damaged"}.items():
        code, out, err = antler(home, "import", paths["good.keras"], paths[name])
        check(code == 4 and word in err and not out, f"import of {name} ends with {code}: {err}")
    check(not os.path.exists(home), "a refused file means no run at all")


def main():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(64, 3)).astype("float32"), rng.integers(0, 2, 64)
    fit = dict(batch_size=16, verbose=0, validation_split=0.25)
    with WorkFolder() as folder:
        home, path = os.path.join(folder, "home"), os.path.join(folder, "a.csv")
        first = model().fit(x, y, epochs=4, callbacks=[keras.callbacks.CSVLogger(path)], **fit).history
        compare(imported(home, path), {k: dict(enumerate(v, 1)) for k, v in first.items()}, "plain")
        again = model(0.1).fit(x, y, epochs=2, callbacks=[keras.callbacks.CSVLogger(path, append=True)], **fit).history
        both = {k: {**dict(enumerate(v, 1)), **dict(enumerate(again[k], 1))} for k, v in first.items()}
        compare(imported(home, path), both, "a restarted training that appended")
        later = model().fit(x, y, epochs=7, initial_epoch=4, callbacks=[keras.callbacks.CSVLogger(path, append=True)], **fit).history
        compare(imported(home, path), {k: {**v, **dict(enumerate(later[k], 5))} for k, v in both.items()}, "a continued training that appended")
        path = os.path.join(folder, "b.csv")
        nan = model(1e30).fit(x, y, epochs=3, callbacks=[keras.callbacks.CSVLogger(path, separator=";")], **fit).history
        compare(imported(home, path), {k: dict(enumerate(v, 1)) for k, v in nan.items()}, "NaN, with semicolons")
        path = os.path.join(folder, "c.csv")
        sparse = model().fit(x, y, epochs=4, validation_freq=2, callbacks=[keras.callbacks.CSVLogger(path)], **fit).history
        logged = imported(home, path)
        compare({k: logged[k] for k in ("loss", "accuracy")}, {k: dict(enumerate(sparse[k], 1)) for k in ("loss", "accuracy")}, "validation_freq=2")
        check_model(folder, x, y, "my net.keras")
        check_model(folder, x, y, "old net.h5")
        check_legacy_names(folder)
        check_refusals(folder)
    sys.exit(1 if failures else 0)


main()
