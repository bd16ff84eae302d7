"""Importing what antler itself made: a checkpoint of another home keeps its epoch, step and metrics, and training goes on from it."""
import os
import shutil
import signal
import subprocess
import time

from runs import ANTLER, Home, check, done, weights

CONFIG = {
    "seed": 1, "data": {"format": "synthetic", "name": "blobs", "samples": 300, "noise": 0.4, "validation_split": 0.1, "test_split": 0.1},
    "model": {"layers": [{"class": "Dense", "units": 8, "activation": "relu"}, {"class": "Dense", "units": 3, "activation": "softmax"}]},
    "compile": {"optimizer": {"class": "Adam", "learning_rate": 0.01}, "loss": "sparse_categorical_crossentropy", "metrics": ["accuracy"]},
    "fit": {"epochs": 3, "batch_size": 16},
}
SETS = ["--set", "data=" + '{"format": "synthetic", "name": "blobs", "samples": 300, "noise": 0.4, "validation_split": 0.1, "test_split": 0.1}',
        "--set", "fit.batch_size=16", "--set", "seed=1"]


def test_a_checkpoint_keeps_its_place(home, other):
    run = home.json("train", home.config("net", CONFIG))["run"]
    second = home.checkpoints(run)[1]
    path = os.path.join(home.folder, second["path"])
    imported = other.json("import", path, "--name", "taken over")[0]["run"]
    shown = other.show(imported)
    check(shown["state"] == "finished" and shown["epoch"] == 2 and shown["step"] == second["step"], f"the run stands at epoch 2: {shown}")
    check(shown["last"] == second["metrics"], f"its last metrics {shown['last']} are the checkpoint's {second['metrics']}")
    entry = other.checkpoints(imported)[0]
    check(entry["metrics"] == second["metrics"] and entry["checkpoint"] == second["checkpoint"], f"the checkpoint is {entry}")
    child = other.json("resume", f"{imported}:2", "--epochs", "3", *SETS)
    check(child.get("epoch") == 3, f"the child ends at epoch 3: {child}")
    check(weights(other.last(child["run"])) == weights(home.last(run)), "the third epoch gives the same weights as in the run it came from")
    return path


def test_an_imported_run_is_only_read(other):
    imported = other.json("list", "source:keras")[0]["run"]
    before = sorted(os.listdir(other.dir(imported)))
    for arguments, status, words in ((("resume", imported), 2, "data of its own"), (("stop", imported), 1, "finished"), (("resume", imported, "--epochs", "9"), 2, "data of its own")):
        code, out, err = other.antler(*arguments, ok=False)
        check(code == status and words in err and not out, f"antler {' '.join(arguments)} ends with {code}: {err.strip()}")
    check(sorted(os.listdir(other.dir(imported))) == before, "nothing is written into an imported run")


def test_a_file_that_is_called_something_else_becomes_the_final_checkpoint(other, path):
    for name in ("net.zip", "two words.keras"):
        copy = os.path.join(other.folder, name)
        shutil.copy(path, copy)
        imported = other.json("import", copy)[0]["run"]
        names = [c["checkpoint"] for c in other.checkpoints(imported)]
        check(names == ["final.keras"], f"'{name}' is {names} of its run")
        os.unlink(copy)


def test_the_home_inside_a_folder_is_passed_by(other):
    before = len(other.json("list"))
    with open(os.path.join(other.folder, "history.csv"), "w") as f:
        f.write("epoch,loss\n0,1.0\n1,0.5\n")
    taken = other.json("import", other.folder)
    check(len(taken) == 1 and len(other.json("list")) == before + 1, f"of a folder around the home only what is new is taken: {taken}")
    code, _, err = other.antler("import", other.home, ok=False)
    check(code == 4 and "are there already" in err, f"the home itself is refused: {err}")


def test_a_run_of_another_home_keeps_its_name(home, other):
    run = home.json("list")[-1]
    taken = other.json("import", os.path.join(home.home, run["run"]))
    name = other.json("show", taken[0]["run"])["name"]
    check(name == run["name"], f"a run of another home is called as it was there: {name}, {run['name']}")


def test_a_copied_home_is_whole(other):
    copy = Home()
    shutil.copytree(other.home, copy.home)
    run = copy.json("list", "source:keras")[0]["run"]
    result = copy.json("evaluate", f"{run}:last", *[w for k in ("format=synthetic", "name=blobs", "samples=300", "noise=0.4") for w in ("--data", k)])
    check(result["samples"] == 300 and copy.home in result["checkpoint"], f"evaluate works in a copied home: {result}")
    copy.close()


def test_a_killed_import_leaves_the_whole_run_or_none(path):
    home = Home()
    for wait_ms in range(1, 60, 4):
        process = subprocess.Popen([ANTLER, "--home", home.home, "import", path], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(wait_ms / 1000)
        process.send_signal(signal.SIGKILL)
        process.wait()
    runs = home.json("list") if os.path.isdir(home.home) else []
    for run in runs:
        with open(home.last(run["run"]), "rb") as copy, open(path, "rb") as original:
            check(run["state"] == "finished" and copy.read() == original.read(), f"the run {run['run']} is whole")
    home.close()


home, other = Home(), Home()
try:
    path = test_a_checkpoint_keeps_its_place(home, other)
    test_an_imported_run_is_only_read(other)
    test_a_file_that_is_called_something_else_becomes_the_final_checkpoint(other, path)
    test_a_copied_home_is_whole(other)
    test_the_home_inside_a_folder_is_passed_by(other)
    test_a_run_of_another_home_keeps_its_name(home, other)
    test_a_killed_import_leaves_the_whole_run_or_none(path)
finally:
    home.close()
    other.close()
done()
