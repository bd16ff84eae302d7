"""Model files nobody should believe, through the programs: each is refused in one sentence with status 4 (inspect says what is wrong instead where the
file can be read at all), in little memory, and nothing is made, left behind or read elsewhere."""
import copy
import io
import json
import os
import shutil
import subprocess
import tempfile
import warnings
import zipfile

from hostile import ANTLER, Home, Idle, accepted, check, done, refused, run

PYTHON = os.environ.get("ANTLER_PYTHON", os.path.expanduser("~/.cache/antler/venv/bin/python"))
MLP = {
    "seed": 1, "data": {"format": "synthetic", "name": "blobs", "samples": 60, "noise": 0.4, "test_split": 0.2},
    "model": {"layers": [{"class": "Dense", "units": 8, "activation": "relu"}, {"class": "Dense", "units": 3, "activation": "softmax", "name": "out"}]},
    "compile": {"optimizer": {"class": "Adam", "learning_rate": 0.01}, "loss": "sparse_categorical_crossentropy", "metrics": ["accuracy"]},
    "fit": {"epochs": 2, "batch_size": 16},
}


class Good:
    """A file of our own, taken apart."""

    def __init__(self, home):
        self.home = home
        self.config = home.config("good", MLP)
        result = home.json("train", self.config)
        self.run = result["run"]
        self.path = os.path.join(home.dir(self.run), "checkpoints", "epoch-0002.keras")
        with open(self.path, "rb") as f:
            self.bytes = f.read()
        with zipfile.ZipFile(self.path) as z:
            self.members = {n: z.read(n) for n in z.namelist()}
        self.model = json.loads(self.members["config.json"])
        self.metadata = json.loads(self.members["metadata.json"])

    def write(self, name, data):
        path = os.path.join(self.home.folder, name)
        with open(path, "wb") as f:
            f.write(data)
        return path

    def archive(self, name, compression=zipfile.ZIP_STORED, more=(), zeros=None, **members):
        """A .keras file with some members given as text, bytes, JSON or None (missing)."""
        with io.BytesIO() as memory:
            with zipfile.ZipFile(memory, "w", compression) as z:
                for member, value in {**self.members, **members}.items():
                    if value is not None:
                        z.writestr(member, value if isinstance(value, (bytes, str)) else json.dumps(value))
                for member, value in more:
                    z.writestr(member, value)
                if zeros:
                    with z.open(zeros, "w") as out:  # piece by piece: this process stays small, and so what it starts
                        for _ in range(256):
                            out.write(bytes(1 << 20))
            return self.write(name + ".keras", memory.getvalue())

    def changed(self, path, value):
        model = copy.deepcopy(self.model)
        at = model
        for key in path[:-1]:
            at = at[key]
        at[path[-1]] = value
        return model

    def train_from(self, path, **more):
        return self.home.config("from", {**{k: v for k, v in MLP.items() if k != "compile"}, "model": {"file": path}, **more})


def everywhere_refused(good, words, path):
    """Every door that opens a model file says the same."""
    config = good.train_from(path, compile=MLP["compile"])
    for command in (["inspect", path], ["evaluate", path, "--config", good.config], ["train", config]):
        refused(good.home, 4, [os.path.basename(path), *words], *command)


def test_what_is_no_archive_or_half_of_one(good):
    n = len(good.bytes)
    for k in range(20):
        refused(good.home, 4, [f"cut{k}.keras"], "inspect", good.write(f"cut{k}.keras", good.bytes[: n * k // 20]))
    for name, data, word in (("pickle", b"\x80\x04\x95\x10\0\0\0\0\0\0\0\x8c\x05posix", "pickle"), ("png", b"\x89PNG\r\n\x1a\n" + bytes(99), "picture"),
                             ("zeros", bytes(100000), "no Keras file"), ("behind", good.bytes + b"tail", "appended"),
                             ("second", good.bytes + b"PK\5\6" + bytes(18), "appended"), ("twice", good.bytes + good.bytes, "appended")):
        everywhere_refused(good, [word], good.write(name + ".keras", data))
    os.mkfifo(os.path.join(good.home.folder, "pipe"))
    for path in (os.path.join(good.home.folder, "pipe"), "/dev/zero", "/dev/null"):
        for command in (["inspect", path], ["import", path], ["evaluate", path, "--config", good.config]):
            refused(good.home, 4, ["not an ordinary file"], *command)
    refused(good.home, 2, ["not UTF-8"], "inspect", good.write("bad\udcff.keras", good.bytes))
    refused(good.home, 4, ["\\x1B[2J"], "inspect", good.write("\x1b[2J.keras", good.bytes[:500]))


def test_archives_that_lie(good):
    warnings.simplefilter("ignore")  # zipfile's, of the duplicate
    slips = [(name, "{}") for name in ("../../x", "/etc/x", "..\\x", "a\x1b]0;x\x07b")]
    for k, slip in enumerate(slips):
        everywhere_refused(good, ["unsafe name"], good.archive(f"slip{k}", more=[slip]))
    everywhere_refused(good, ["occurs twice"], good.archive("twice", more=[("config.json", "{}")]))
    link = zipfile.ZipInfo("config.json")
    link.external_attr = 0o120777 << 16
    everywhere_refused(good, ["link"], good.archive("link", more=[(link, "/etc/passwd")], **{"config.json": None}))
    everywhere_refused(good, ["larger"], good.archive("bomb", zipfile.ZIP_DEFLATED, zeros="config.json", **{"config.json": None}))
    refused(good.home, 4, ["bomb5.keras"], "inspect", good.archive("bomb5", zipfile.ZIP_DEFLATED, zeros="model.weights.h5", **{"model.weights.h5": None}))
    for member in ("config.json", "model.weights.h5"):
        everywhere_refused(good, [f"without {member}"], good.archive("without", **{member: None}))
    encrypted = bytearray(good.bytes)
    encrypted[6] |= 1
    everywhere_refused(good, ["own header"], good.write("header.keras", bytes(encrypted)))


def test_configs_that_no_json_is(good):
    text = good.members["config.json"].decode()
    for name, config, word in (("twice", text.replace('"units": 8', '"units": 8, "units": 9'), "duplicate"), ("cut", text[:-9], "premature"),
                               ("deep", text.replace('"relu"', "[" * 64 + "]" * 64), "64 levels"), ("brackets", "[" * 200000, "64 levels"),
                               ("lists", "[" + "[]," * 1300000 + "[]]", "lists and objects"), ("utf16", text.encode("utf-16"), "line 1"),
                               ("latin", text.encode().replace(b"relu", b"re\xfflu"), "line 1"), ("null", "null", "expected a JSON object"),
                               ("big", text.replace('"units": 8', '"units": ' + "9" * 30), "too big"), ("empty", "{}", "no Keras model")):
        everywhere_refused(good, [word], good.archive(name, **{"config.json": config}))


def layer(class_name, module="keras.layers", registered=None, **config):
    return {"module": module, "class_name": class_name, "config": {"name": "evil", **config}, "registered_name": registered}


def test_classes_that_are_code_or_unknown(good):
    cases = [(layer("Lambda", function={"class_name": "__lambda__", "config": {"code": "4wEA"}}), "never runs code"),
             (layer("TFSMLayer", filepath="/etc/passwd"), "never runs code"), (layer("TorchModuleWrapper", module="gASV"), "never runs code"),
             (layer("Dense", "evil", "evil>Dense", units=3), "never runs code"), (layer("Dense", "os", units=3), "never runs code"),
             (layer("system", "builtins", command="id"), "'system'"), (layer("StringLookup", vocabulary="/etc/passwd"), "StringLookup"),
             (layer("\x1b[2J"), "\\x1B[2J"), (layer("Dense", units=2**31), "2147483648"), (layer("Dense", units="8"), "integer"),
             (layer("Dense", units=-1), "between 1"), (layer("Dense", units=3, brand_new=1), "brand_new"), (layer("Dense", units=3, dtype=7), "dtype"),
             (layer("Dense", units=3, dtype="int8_from_float32"), "dtype"), (layer("Reshape", target_shape=[2**40, -1]), "Reshape"),
             (layer("BatchNormalization", axis=99), "axis 99"), (layer("Embedding", input_dim=2**50, output_dim=2**30), "input_dim"),
             (layer("Dense", units=3, kernel_initializer={"module": "os", "class_name": "system", "config": {}}), "'system'"),
             (layer("Dense", units=3, activation="(" * 5000), "activation"), (None, "null"), (layer("Dense", units=3, name="../x"), "../x")]
    for k, (evil, word) in enumerate(cases):
        path = good.archive(f"class{k}", **{"config.json": good.changed(["config", "layers", 2], evil)})
        refused(good.home, 4, [f"class{k}.keras", word], "evaluate", path, "--config", good.config)
        refused(good.home, 4, [word], "train", good.train_from(path, compile=MLP["compile"]))
        o = accepted(good.home, "inspect", path, "--json")  # says what is wrong, and what else is in the file
        check(json.loads(o.out)["problems"], f"inspect names a problem of class{k}.keras")
        accepted(good.home, "inspect", path)
    for key, value, word in ((["config", "layers"], [], "without layers"), (["config", "layers"], {"a": 1}, "without layers"),
                             (["class_name"], "MyModel", "MyModel"), (["config", "layers", 0, "config", "batch_shape"], 4, "list of sizes"),
                             (["config", "layers", 0, "config", "batch_shape"], [None, 2**40, 2**40], "2^40"),
                             (["config", "layers", 2, "config", "name"], "dense", "used twice")):
        path = good.archive("model", **{"config.json": good.changed(key, value)})
        refused(good.home, 4, [word], "evaluate", path, "--config", good.config)


def test_compile_settings_that_are_none(good):
    metadata = {k: v for k, v in good.metadata.items() if k != "antler"}
    for key, value, word in ((["loss"], {"module": "os", "class_name": "function", "config": "system"}, "'system'"), (["loss"], 5, "found integer"),
                             (["metrics"], 3, "found integer"), (["optimizer"], {"module": "builtins", "class_name": "exec", "config": {}}, "'exec'"),
                             (["optimizer", "config", "learning_rate"], -1, "-1"), (["optimizer", "config", "foo"], 3, "foo")):
        path = good.archive("compile", **{"config.json": good.changed(["compile_config", *key], value), "metadata.json": metadata})
        refused(good.home, 2, ["give one in the config", word], "train", good.train_from(path))


def test_positions_that_make_no_sense(good):
    place = os.path.join(good.home.dir(good.run), "checkpoints", "epoch-0002.keras")
    for change in ({"epoch": -1}, {"epoch": "x"}, {"batch": 999}, {"step": None}, {"callbacks": 7}, {"version": 99},
                   {"order": {**good.metadata["antler"]["order"], "pass": -1}}):
        path = good.archive("position", **{"metadata.json": {**good.metadata, "antler": {**good.metadata["antler"], **change}}})
        os.replace(path, place)
        refused(good.home, 4, [], "resume", good.run + ":2", "--epochs", "4")  # and no run is made
    good.write(place, good.bytes)


REFUSED_BY_READER = """soft_link soft_link_cycle external_link hard_link external_storage big_endian rank_bomb szip_or_lzf deflated_bomb group_soft_link
                       group_external_link group_cycle deep_groups terminal_names virtual""".split()
REFUSED_BY_MODEL = """missing_weight wrong_shape text_weight complex_weight compound_weight group_for_weight shape_bomb chunk_bomb empty_shape null_space
                      unwritten""".split()


def test_weights_that_lead_elsewhere(good):
    if not os.access(PYTHON, os.X_OK):
        print(f"SKIP: no Python with h5py at '{PYTHON}': its files are not tried")
        check(os.environ.get("CI") != "true", "h5py is needed in CI")
        return
    folder = tempfile.mkdtemp(dir=good.home.folder)
    plain = good.write("plain.h5", good.members["model.weights.h5"])
    subprocess.run([PYTHON, os.path.join(os.path.dirname(__file__), "hostile_h5.py"), plain, folder], check=True)
    files = {n[:-3]: open(os.path.join(folder, n), "rb").read() for n in os.listdir(folder)}
    place = os.path.join(good.home.dir(good.run), "checkpoints", "epoch-0002.keras")
    for name in REFUSED_BY_READER:
        path = good.archive(name, **{"model.weights.h5": files[name]})
        refused(good.home, 4, [name + ".keras"], "inspect", path)
        refused(good.home, 4, [name + ".keras"], "evaluate", path, "--config", good.config)
        os.replace(path, place)
        refused(good.home, 4, ["epoch-0002.keras"], "resume", good.run + ":2", "--epochs", "4")
    for name in REFUSED_BY_MODEL:
        path = good.archive(name, **{"model.weights.h5": files[name]})
        refused(good.home, 4, [name + ".keras"], "evaluate", path, "--config", good.config, lines=4)
        o = accepted(good.home, "inspect", path, "--json")
        check(json.loads(o.out)["problems"], f"inspect names a problem of {name}.keras")
    good.write(place, good.bytes)


def test_no_other_file_is_opened(good):
    if not shutil.which("strace"):
        print("SKIP: no strace: that no other file is opened is not looked at")
        return
    evil = layer("StringLookup", vocabulary="/etc/passwd")
    path = good.archive("watched", **{"config.json": good.changed(["config", "layers", 2], evil)})
    trace = os.path.join(good.home.folder, "trace")
    subprocess.run(["strace", "-f", "-qq", "-e", "trace=openat,execve,connect,socket", "-o", trace, ANTLER, "inspect", path],
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=good.home.folder, env={**os.environ, "ANTLER_HOME": good.home.home})
    calls = open(trace).read()
    if "openat" not in calls:
        print("SKIP: strace may not trace here")
        return
    check("/etc/passwd" not in calls and "connect(" not in calls, "inspect opens what the file names")
    check(calls.count("execve(") == 2, "inspect runs the two programs and nothing else")


if __name__ == "__main__":
    home = Home()
    try:
        good = Good(home)
        Idle.mib = accepted(home, "inspect", good.path).rss_mib
        runs = set(home.ids())
        for test in (test_what_is_no_archive_or_half_of_one, test_archives_that_lie, test_configs_that_no_json_is, test_classes_that_are_code_or_unknown,
                     test_compile_settings_that_are_none, test_positions_that_make_no_sense, test_weights_that_lead_elsewhere, test_no_other_file_is_opened):
            test(good)
        check(set(home.ids()) == runs, f"a refused file made a run: {set(home.ids()) - runs}")
        left = [n for n in os.listdir(home.home) if n.startswith(".new")] + [n for n in os.listdir(home.folder) if n.endswith(".tmp")]
        check(not left, f"left behind: {left}")
        check(run(home, "evaluate", good.run + ":2").status == 0, "the good file is still good")
    finally:
        home.close()
    done()
