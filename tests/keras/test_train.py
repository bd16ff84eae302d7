"""Training against real Keras: the same files, data and order give the same history, weights and optimizer state; Keras goes on from our checkpoints
and we go on from Keras'. One process, because importing Keras takes seconds."""

import json
import os
import subprocess
import sys
import warnings

os.environ["KERAS_BACKEND"] = "jax"
os.environ.setdefault("JAX_PLATFORMS", "cpu")
import keras
import numpy as np
from keras import layers
from work_folder import WorkFolder

warnings.filterwarnings("ignore")
ANTLER = os.path.join(os.environ["ANTLER_BUILD"], "antler")
work = WorkFolder()
folder = work.name
failures = []
rng = np.random.default_rng(7)


def check(condition, text):
    if not condition:
        failures.append(text)
        print("FAILED:", text, file=sys.stderr)


def antler(*arguments, ok=True):
    done = subprocess.run([ANTLER, "--home", os.path.join(folder, "runs"), *arguments, "--json"], capture_output=True, text=True, cwd=folder, timeout=120)
    check(done.returncode == 0 or not ok, f"antler {' '.join(arguments)}: {done.returncode} {done.stderr.strip()[-600:]}")
    return json.loads(done.stdout) if done.stdout.strip() else {}


def near(ours, theirs, tolerance, text):
    ours, theirs = np.asarray(ours, dtype=np.float64), np.asarray(theirs, dtype=np.float64)
    if ours.shape != theirs.shape:
        return check(False, f"{text}: shape {ours.shape}, expected {theirs.shape}")
    worst = np.max(np.abs(ours - theirs) / np.maximum(1, np.abs(theirs))) if ours.size else 0
    check(worst <= tolerance, f"{text}: differs by {worst:.2e}, allowed {tolerance:.0e}")


def compare_history(run, history, first_epoch, text, tolerance=2e-5):
    ours = antler("history", run)["metrics"]
    check(set(ours) == set(history), f"{text}: metrics {sorted(ours)}, expected {sorted(history)}")
    for name in set(ours) & set(history):
        values = [float(v) for e, v in zip(ours[name]["epoch"], ours[name]["value"]) if e > first_epoch]
        near(values, history[name], tolerance, f"{text}: {name}")


def compare_model(path, model, start, text):
    """Weights relative to how far training has moved them; the optimizer's variables."""
    ours = keras.saving.load_model(path)
    for mine, theirs, before in zip(ours.weights, model.weights, start):
        moved = max(float(np.max(np.abs(np.asarray(theirs) - before))), 1e-3)
        near(np.asarray(mine) / moved, np.asarray(theirs) / moved, 2e-2, f"{text}: weight {theirs.path}")
    mine, theirs = ours.optimizer.variables, model.optimizer.variables
    check(len(mine) == len(theirs), f"{text}: {len(mine)} optimizer variables, expected {len(theirs)}")
    for a, b in zip(mine, theirs):
        scale = max(float(np.max(np.abs(np.asarray(b)))), 1e-8)
        near(np.asarray(a) / scale, np.asarray(b) / scale, 2e-2, f"{text}: optimizer {b.path}")


def save_data(name, x, y):
    arrays = {"x": x, "y": y} if not isinstance(y, list) else {"x": x, **{f"y{i}": v for i, v in enumerate(y)}}
    np.savez(os.path.join(folder, name + ".npz"), **arrays)


def case_mlp():
    model = keras.Sequential([layers.Input((6,)), layers.Dense(16, activation="relu"), layers.Dense(3, activation="softmax")])
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"])
    x = rng.normal(size=(70, 6)).astype("float32")
    return model, x, (x[:, 0] + x[:, 1] > 0).astype("int32") + (x[:, 2] > 1), {}


def case_cnn():
    model = keras.Sequential([layers.Input((8, 8, 1)), layers.Conv2D(4, 3, padding="same", use_bias=False), layers.BatchNormalization(), layers.ReLU(),
                              layers.MaxPooling2D(), layers.Flatten(), layers.Dense(1, activation="sigmoid")])
    model.compile(keras.optimizers.SGD(0.05, momentum=0.9, nesterov=True), "binary_crossentropy", metrics=["accuracy", keras.metrics.AUC(name="auc")])
    x = rng.normal(size=(50, 8, 8, 1)).astype("float32")
    return model, x, (x.mean(axis=(1, 2, 3)) > 0).astype("float32"), {}


def case_regression():
    a = layers.Input((4,), name="a")
    h = layers.Add()([layers.Dense(8, activation="tanh", kernel_regularizer="l2")(a), layers.Dense(8, activation="gelu")(a)])
    model = keras.Model(a, layers.Dense(2)(h))
    model.compile(keras.optimizers.RMSprop(0.005, momentum=0.3), "mse", metrics=["mae"])
    x = rng.normal(size=(64, 4)).astype("float32")
    return model, x, np.stack([x[:, 0] * x[:, 1], x[:, 2]], axis=1).astype("float32"), {}


def case_class_weight():
    model = keras.Sequential([layers.Input((5,)), layers.Dense(8, activation="relu"), layers.Dense(3, activation="softmax")])
    schedule = keras.optimizers.schedules.ExponentialDecay(0.02, 5, 0.8)
    model.compile(keras.optimizers.AdamW(schedule, weight_decay=0.01, clipnorm=0.5), "sparse_categorical_crossentropy", metrics=["accuracy"],
                  weighted_metrics=["sparse_categorical_crossentropy"])
    x = rng.normal(size=(61, 5)).astype("float32")
    return model, x, (x[:, 0] > 0.3).astype("int32") + (x[:, 1] > 0.8), {"class_weight": {0: 0.5, 2: 3.0}}


def case_two_outputs():
    a = layers.Input((4,), name="a")
    h = layers.Dense(8, activation="relu")(a)
    model = keras.Model(a, [layers.Dense(1, name="size")(h), layers.Dense(3, activation="softmax", name="kind")(h)])
    model.compile(keras.optimizers.Adam(0.01, amsgrad=True), loss=["mse", "sparse_categorical_crossentropy"], loss_weights=[0.5, 2.0],
                  metrics=[["mae"], ["accuracy"]])
    x = rng.normal(size=(60, 4)).astype("float32")
    return model, x, [x[:, :1] * 2, (x[:, 1] > 0).astype("int32") + (x[:, 2] > 1)], {}


def test_best_weights_and_averages_end_as_in_keras():
    """EarlyStopping puts the best weights back, use_ema the averages: final.keras holds what Keras' model holds after fit."""
    keras.utils.set_random_seed(5)
    x = rng.normal(size=(60, 6)).astype("float32")
    y = (x[:, 0] > 0).astype("int32")
    save_data("best", x[:40], y[:40])
    save_data("best-val", x[40:], y[40:])
    data = {"format": "npz", "path": "best.npz", "validation": {"format": "npz", "path": "best-val.npz"}}
    for name, optimizer, callbacks, ours in (
            ("best weights", keras.optimizers.Adam(0.3), [keras.callbacks.EarlyStopping(patience=3, restore_best_weights=True)],
             [{"class": "EarlyStopping", "patience": 3, "restore_best_weights": True}]),
            ("averages", keras.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.7), [], [])):
        model = keras.Sequential([layers.Input((6,)), layers.Dense(12, activation="relu"), layers.Dense(2)])
        # Logits: a step of 0.3 leads to probabilities below 1e-7, which Keras clips on JAX and not on TensorFlow.
        model.compile(optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
        model.save(os.path.join(folder, "best.keras"))
        start = [np.array(w) for w in model.weights]
        config = {"data": data, "model": {"file": "best.keras"}, "fit": {"epochs": 8, "batch_size": 8, "shuffle": False}, "callbacks": ours}
        with open(os.path.join(folder, "best.json"), "w") as f:
            json.dump(config, f)
        run = antler("train", "best.json").get("run")
        history = model.fit(x[:40], y[:40], validation_data=(x[40:], y[40:]), epochs=8, batch_size=8, shuffle=False, verbose=0, callbacks=callbacks).history
        compare_history(run, history, 0, name, 1e-3)
        last = antler("checkpoints", run)[-1]
        check(last["checkpoint"] == "final.keras", f"{name}: the last state is {last['checkpoint']}, expected final.keras")
        compare_model(os.path.join(folder, last["path"]), model, start, name)


def test_architecture_json_goes_both_ways():
    example = os.path.join(os.environ["ANTLER_SOURCE"], "configs", "digits-cnn-functional.json")
    path = os.path.join(folder, "architecture.json")
    params = antler("check", example, "--architecture", path)["params"]
    with open(path) as f:
        model = keras.models.model_from_json(f.read())
    check(model.count_params() == params, f"architecture: Keras counts {model.count_params()} parameters, we {params}")
    with open(path, "w") as f:
        f.write(model.to_json())
    with open(example) as f:
        config = json.load(f)
    config["data"]["path"] = os.path.join(os.path.dirname(example), config["data"]["path"])
    config["model"] = {"file": "architecture.json"}
    with open(os.path.join(folder, "from-json.json"), "w") as f:
        json.dump(config, f)
    again = antler("check", os.path.join(folder, "from-json.json"))
    check(again.get("params") == params, f"architecture: read from Keras' JSON we count {again.get('params')} parameters, expected {params}")


def case_token_ids():
    """The model takes int32: the data must come as such."""
    model = keras.Sequential([layers.Input((12,), dtype="int32"), layers.Embedding(20, 6), layers.Conv1D(8, 3, padding="causal", dilation_rate=2,
                              activation="silu"), layers.GlobalAveragePooling1D(), layers.Dense(1, activation="sigmoid")])
    model.compile(keras.optimizers.Adagrad(0.05), "binary_crossentropy", metrics=["accuracy", keras.metrics.Precision(name="p")])
    x = rng.integers(0, 20, (60, 12)).astype("int64")
    return model, x, (x.mean(axis=1) > 9.5).astype("float32"), {}


def case_sentences():
    """Padded sequences through recurrent layers of every kind."""
    x = layers.Input((9,), dtype="int32")
    h = layers.Embedding(12, 5, mask_zero=True)(x)
    h, s, c, *_ = layers.Bidirectional(layers.LSTM(4, return_sequences=True, return_state=True), merge_mode="sum")(h)
    h = layers.TimeDistributed(layers.Dense(5, activation="tanh"))(h)
    h = layers.RNN([layers.GRUCell(4), layers.SimpleRNNCell(3)])(h)
    model = keras.Model(x, layers.Dense(1, activation="sigmoid")(layers.Concatenate()([h, s, layers.Dense(2)(c)])))
    model.compile(keras.optimizers.Nadam(0.01), "binary_crossentropy", metrics=["accuracy"])
    ids = rng.integers(1, 12, (60, 9)) * (np.arange(9) < rng.integers(2, 10, 60)[:, None])
    return model, ids.astype("int32"), (ids.sum(axis=1) > 30).astype("float32"), {}


def test_short_epochs_go_on_where_the_last_one_stopped():
    """steps_per_epoch, validation_steps and a list of epochs to validate after: Keras' iterators live across epochs, and an epoch never wraps."""
    keras.utils.set_random_seed(6)
    model, x, y, _ = case_mlp()
    save_data("short", x[:50], y[:50])
    save_data("short-val", x[50:], y[50:])
    model.save(os.path.join(folder, "short.keras"))
    arguments = {"epochs": 6, "batch_size": 8, "shuffle": False, "steps_per_epoch": 3, "validation_steps": 2, "validation_batch_size": 4}
    for name, freq in (("a list", [1, 3, 4]), ("every second", 2)):
        model = keras.saving.load_model(os.path.join(folder, "short.keras"))
        config = {"data": {"format": "npz", "path": "short.npz", "validation": {"format": "npz", "path": "short-val.npz"}},
                  "model": {"file": "short.keras"}, "fit": {**arguments, "validation_freq": freq}}
        with open(os.path.join(folder, "short.json"), "w") as f:
            json.dump(config, f)
        run = antler("train", "short.json").get("run")
        history = model.fit(x[:50], y[:50], validation_data=(x[50:], y[50:]), validation_freq=freq, verbose=0, **arguments).history
        compare_history(run, history, 0, f"short epochs, validated after {name}")


def test(name, make):
    keras.utils.set_random_seed(11)
    model, x, y, fit = make()
    n = len(x) * 3 // 4
    several = isinstance(y, list)
    y_train, y_val = ([v[:n] for v in y], [v[n:] for v in y]) if several else (y[:n], y[n:])
    save_data(name, x[:n], y_train)
    save_data(name + "-val", x[n:], y_val)
    start_file = os.path.join(folder, name + ".keras")
    model.save(start_file)
    start = [np.array(w) for w in model.weights]
    targets = {"y": {o: f"y{i}" for i, o in enumerate(model.output_names)}} if several else {}
    where = {"format": "npz", "path": name + ".npz", **targets, "validation": {"format": "npz", "path": name + "-val.npz", **targets}}
    config = {"name": name,
              "data": where,
              "model": {"file": name + ".keras"},
              "fit": {"epochs": 3, "batch_size": 16, "shuffle": False, **{k: {str(c): w for c, w in v.items()} for k, v in fit.items()}}}
    path = os.path.join(folder, name + ".json")
    with open(path, "w") as f:
        json.dump(config, f)
    run = antler("train", path).get("run")
    if not run:
        return
    files = {c["epoch"]: os.path.join(folder, c["path"]) for c in antler("checkpoints", run)}
    data = dict(x=x[:n], y=y_train, validation_data=(x[n:], y_val), batch_size=16, shuffle=False, verbose=0, **fit)

    history = model.fit(epochs=2, **data).history
    middle = os.path.join(folder, name + "-2.keras")
    model.save(middle)
    last = model.fit(initial_epoch=2, epochs=3, **data).history
    whole = {k: history[k] + last[k] for k in history}
    compare_history(run, whole, 0, name)
    compare_model(files[3], model, start, name)

    continued = keras.saving.load_model(files[2])
    theirs = continued.fit(initial_epoch=2, epochs=3, **data).history
    for key in theirs:
        near(theirs[key], last[key], 2e-5, f"{name}: Keras goes on from our checkpoint: {key}")

    sets = [f"--set=data={json.dumps(where)}",
            f"--set=fit={json.dumps({**config['fit'], 'initial_epoch': 2})}"]
    ours = antler("resume", middle, "--epochs", "3", "--name", name + "-from-keras", *sets).get("run")
    if ours:
        compare_history(ours, last, 2, f"{name}: we go on from Keras' checkpoint")

    metrics = antler("evaluate", files[3], "--split", "validation")["metrics"]
    expected = model.evaluate(x[n:], y_val, batch_size=16, verbose=0, return_dict=True)
    check(set(metrics) == set(expected), f"{name}: evaluate gives {sorted(metrics)}, expected {sorted(expected)}")
    for key in expected:
        near(metrics[key], expected[key], 2e-5, f"{name}: evaluate {key}")
    predictions = antler("predict", files[3], "--input", "validation[0:7]")["outputs"]
    expected = model.predict(x[n:n + 7], verbose=0)
    for values, wanted in zip(predictions.values(), expected if several else [expected]):
        near(values, wanted, 2e-5, f"{name}: predict")


if __name__ == "__main__":
    for case in (case_mlp, case_cnn, case_regression, case_class_weight, case_two_outputs, case_token_ids, case_sentences):
        test(case.__name__[5:], case)
    test_best_weights_and_averages_end_as_in_keras()
    test_architecture_json_goes_both_ways()
    test_short_epochs_go_on_where_the_last_one_stopped()
    work.cleanup()
    print(f"{len(failures)} failures")
    sys.exit(1 if failures else 0)
