"""Configs and command lines that are wrong: each is refused in one sentence that names the place, with status 2 (5 for memory, 6 for a device), and no
run is made. What the table of keys refuses by itself is tested in unit/test_run_config.c; here is what needs the data, the model or the machine."""
import copy
import json
import os

from hostile import SANITIZED, Home, Idle, accepted, check, done, refused

MLP = {
    "seed": 1, "data": {"format": "synthetic", "name": "blobs", "samples": 60, "noise": 0.4, "test_split": 0.2},
    "model": {"layers": [{"class": "Dense", "units": 8, "activation": "relu"}, {"class": "Dense", "units": 3, "activation": "softmax", "name": "out"}]},
    "compile": {"optimizer": {"class": "Adam", "learning_rate": 0.01}, "loss": "sparse_categorical_crossentropy", "metrics": ["accuracy"]},
    "fit": {"epochs": 1, "batch_size": 16},
}


def changed(path, value):
    config = copy.deepcopy(MLP)
    at = config
    keys = path.split(".")
    for key in keys[:-1]:
        at = at[int(key)] if key.isdigit() else at[key]
    at[int(keys[-1]) if keys[-1].isdigit() else keys[-1]] = value
    return config


WRONG_VALUES = [  # path, value, status, words
    ("seed", "x", 2, "seed"), ("seed", -1, 2, "seed"), ("name", 5, 2, "name"), ("device", "quantum", 6, "quantum"), ("keep", 0, 2, "keep"),
    ("fit", 5, 2, "fit"), ("fit", None, 2, "fit"), ("model", {}, 2, "model"), ("data", {}, 2, "data.format"), ("callbacks", [5], 2, "callbacks"),
    ("foo", 1, 2, "foo"), ("fit.epoch", 1, 2, "did you mean 'epochs'"), ("data.sample", 1, 2, "data.sample"), ("compile.los", 1, 2, "compile.los"),
    ("fit.batch_size", 0, 2, "fit.batch_size"), ("fit.batch_size", -1, 2, "fit.batch_size"), ("fit.batch_size", 2**40, 2, "fit.batch_size"),
    ("fit.epochs", 0, 2, "fit.epochs"), ("fit.epochs", 1.5, 2, "fit.epochs"), ("fit.steps_per_epoch", 0, 2, "steps_per_epoch"),
    ("fit.class_weight", {"0": -1}, 2, "class_weight"), ("fit.shuffle", "x", 2, "fit.shuffle"),
    ("compile.optimizer", "Adamm", 2, "did you mean 'Adam'"), ("compile.optimizer", {"class": "Adam", "learning_rate": "NaN"}, 2, "learning_rate"),
    ("compile.optimizer", {"class": "Adam", "learning_rate": -1}, 2, "learning_rate"), ("compile.optimizer", {"class": "Adam", "beta_1": 2}, 2, "beta_1"),
    ("compile.optimizer", {"class": "Adam", "clipnorm": 1, "clipvalue": 1}, 2, "only one"),
    ("compile.optimizer", {"class": "Adam", "learning_rate": {"class": "Nope"}}, 2, "'Nope'"),
    ("compile.loss", "nope", 2, "'nope'"), ("compile.loss", None, 2, "loss"), ("compile.loss", ["mse", "mse"], 2, "2 losses"),
    ("compile.loss", "categorical_crossentropy", 2, "sparse_categorical_crossentropy"), ("compile.loss", {"nope": "mse"}, 2, "'nope'"),
    ("compile", {"loss": "binary_crossentropy", "metrics": ["accuracy", "AUC", "Precision", "R2Score", {"class": "F1Score", "threshold": 0.5}, "mse", "RootMeanSquaredError", "PearsonCorrelation"]}, 2, "compile.loss"),
    ("compile.metrics", ["nope"], 2, "'nope'"), ("compile.metrics", [5], 2, "metrics[0]"), ("compile.loss_weights", [1, 2], 2, "loss_weights"),
    ("model.layers.0.class", "Lambda", 2, "never runs code"), ("model.layers.0.class", "denze", 2, "did you mean 'Dense'"),
    ("model.layers.0.unit", 4, 2, "did you mean 'units'"), ("model.layers.0.units", 0, 2, "units"), ("model.layers.0.units", 2**31, 2, "units"),
    ("model.layers.0.activation", "nope", 2, "'nope'"), ("model.layers.0.activation", {"expression": "x**"}, 2, "column 4"),
    ("model.layers.0.activation", {"expression": "(" * 3000}, 2, "expression"), ("model.layers.0.activation", {"expression": "system('id')"}, 2, "system"),
    ("model.layers.1.name", "a/b", 2, "'a/b'"), ("model.layers.0.inputs", ["nope"], 2, "'nope'"),
    ("model.layers.1.units", 2, 2, "tells 2 classes apart"), ("data.name", "sine", 2, "class numbers"),
    ("model.layers.0", {"class": "InputLayer", "shape": [4]}, 2, "wants (4,)"), ("model.layers.0", {"class": "Conv2D", "filters": 2, "kernel_size": 3}, 2, "conv2d"),
    ("data.samples", 0, 2, "samples"), ("data.samples", 2**62, 2, "samples"), ("data.test_split", 1.5, 2, "test_split"), ("data.shape", [3], 2, "shape"),
    ("data.scale", "nope", 2, "scale"), ("model", {"file": "nope.keras"}, 3, "nope.keras"), ("model", {"file": "/"}, 4, "folder"),
    ("callbacks", [{"class": "ModelCheckpoint", "filepath": "../{epoch}.keras"}], 2, "plain file name"),
    ("callbacks", [{"class": "ModelCheckpoint", "filepath": "{epoch:99999999d}.keras"}], 2, "at most 32"),
    ("callbacks", [{"class": "ModelCheckpoint", "filepath": "{epoch.__class__}.keras"}], 2, "__class__"),
    ("callbacks", [{"class": "CSVLogger", "filename": "/etc/passwd"}], 2, "plain file name"),
    ("callbacks", [{"class": "EarlyStopping", "monitor": "nope"}], 2, "'nope'"),
    ("callbacks", [{"class": "LearningRateScheduler", "schedule": "import os"}], 2, "column 1"),
]


def test_wrong_values_are_refused(home):
    for path, value, status, word in WRONG_VALUES:
        refused(home, status, [word], "train", home.config("wrong", {**MLP, path: value} if "." not in path else changed(path, value)))


def test_more_memory_than_there_is_is_said_before_it_is_taken(home):
    if SANITIZED:  # the sanitizer's allocator ends the process where the system's says no
        return
    for path, value in (("model.layers.0.units", 10**8), ("model.layers.0.units", 2**30), ("data.samples", 10**9)):
        refused(home, 5, ["MB"], "train", home.config("large", changed(path, value)))
    large = changed("data.samples", 200000)
    large["fit"]["batch_size"], large["model"]["layers"][0]["units"] = 100000, 16000
    refused(home, 5, ["MB wanted", "smaller batch"], "train", home.config("large", large))


def test_files_that_hold_no_config(home):
    os.mkfifo(os.path.join(home.folder, "pipe"))
    os.symlink("loop", os.path.join(home.folder, "loop"))
    for name, data in (("empty.json", b""), ("cut.json", json.dumps(MLP)[:-5].encode()), ("latin.json", b'{"name": "\xff"}'), ("nul.json", bytes(99)),
                       ("deep.json", b"[" * 100000), ("twice.json", b'{"seed": 1, "seed": 2}'), ("esc.json", b'{"\x1b[2J": 1}'),
                       ("esc2.json", b'{"\\u001b[2J\\u202e": 1}'), ("list.json", b"[]"), ("tab.yaml", b"a:\n\tb: 1\n"), ("tag.yaml", b"name: !!python/object:os.system x\n"),
                       ("bomb.yaml", b"a: &a [x,x,x,x,x,x,x,x,x]\n" + b"".join(b"%c: &%c [%s]\n" % (c, c, b",".join([b"*%c" % (c - 1)] * 9)) for c in range(98, 108))),
                       ("large.json", b" " * (5 << 20))):
        with open(os.path.join(home.folder, name), "wb") as f:
            f.write(data)
        refused(home, 2, [name], "train", name)
        refused(home, 2, [name], "check", name)
    for name in ("pipe", "loop", "/dev/zero", "/dev/null", "/proc/self/mem", home.folder, "nope.json", "x" * 5000):
        refused(home, 2, [name[:100]], "train", name)


def test_data_that_are_none(home):
    rows = "a,b,label\n" + "1,2,0\n" * 20
    with open(os.path.join(home.folder, "good.csv"), "w") as f:
        f.write(rows)
    for name, text in (("ragged.csv", rows + "1,2\n"), ("words.csv", rows + "x,2,0\n"), ("missing.csv", rows + ",2,0\n"), ("head.csv", "a,b,label\n"),
                       ("empty.csv", ""), ("nul.csv", "\0" * 50)):
        with open(os.path.join(home.folder, name), "w") as f:
            f.write(text)
        refused(home, (2, 4), [name], "train", home.config("data", {**MLP, "data": {"format": "csv", "path": name}}))
    os.makedirs(os.path.join(home.folder, "pictures", "cats", "more"))
    for data, word in (({"format": "csv", "path": "good.csv", "label": "nope"}, "'nope'"), ({"format": "csv", "path": "good.csv", "label": 7}, "label"),
                       ({"format": "npy", "x": "good.csv", "y": "good.csv"}, "good.csv"), ({"format": "csv", "path": "nope.csv"}, "nope.csv"),
                       ({"format": "idx", "images": "good.csv", "labels": "good.csv"}, "good.csv"), ({"format": "images", "path": "pictures"}, "is a folder")):
        refused(home, (2, 4), [word], "train", home.config("data", {**MLP, "data": data}))
    for kind in ("csv", "npz", "text"):
        for path in ("pipe", "/dev/zero", "."):
            refused(home, 2, ["expected a file"], "train", home.config("data", {**MLP, "data": {"format": kind, "path": path}}))


def test_words_on_the_command_line(home):
    config = home.config("mlp", MLP)
    for words, status, said in ((["train"], 2, "CONFIG"), (["nope"], 2, "did you mean"), (["train", config, "b"], 2, "too much"), (["train", config, "--nope"], 2, "--nope"),
                                (["train", config, "--set"], 2, "KEY=VALUE"), (["train", config, "--set", "x"], 2, "KEY=VALUE"), (["train", config, "--set", "=5"], 2, "KEY=VALUE"),
                                (["train", config, "--set", "fit.epochs.x=5"], 2, "fit.epochs.x"), (["train", config, "--set", "model.layers[9].units=5"], 2, "list of 2"),
                                (["train", config, "--set", "fit..epochs=5"], 2, "not a path"), (["train", config, "--set", "a" * 9999 + "=1"], 2, "--set"),
                                (["train", config, "--name", "\udcff"], 2, "not UTF-8"), (["list", "((("], 2, "filter"), (["list", "--sort", "nope"], 2, "nope"),
                                (["train", config, "--home", "/dev/null"], 2, "is a file"), (["list", "--home", config], 2, "is a file")):
        refused(home, status, [said], *words)


if __name__ == "__main__":
    home = Home()
    try:
        Idle.mib = accepted(home, "train", home.config("mlp", MLP), "--set", 'model.layers[0].activation={"expression": "x * sigmoid(x)"}').rss_mib
        runs = set(home.ids())
        test_wrong_values_are_refused(home)
        test_more_memory_than_there_is_is_said_before_it_is_taken(home)
        test_files_that_hold_no_config(home)
        test_data_that_are_none(home)
        test_words_on_the_command_line(home)
        check(set(home.ids()) == runs, f"a refused config made a run: {set(home.ids()) - runs}")
    finally:
        home.close()
    done()
