"""A worker that dies before any of its writes, renames and syncs leaves a run that goes on byte for byte, and nothing else.

What random kills hardly ever hit is hit here one by one: a checkpoint that is half written, written but not announced, announced while
the end of the run is not; and again while it resumes."""
import json
import os
import shutil
import subprocess

from runs import ANTLER, BUILD, Home, check, done, state, weights

TABLE = {"format": "synthetic", "name": "moons", "samples": 90, "noise": 0.2, "validation_split": 0.2}
MODEL = {"layers": [{"class": "Dense", "units": 6, "activation": "relu"}, {"class": "Dropout", "rate": 0.2}, {"class": "Dense", "units": 1, "activation": "sigmoid"}]}
BASE = {"seed": 5, "data": TABLE, "model": MODEL}
CONFIGS = {
    # stopped by a callback that puts the best weights back, averages of the weights, checkpoints that are replaced
    "stopping": {
        **BASE, "compile": {"optimizer": {"class": "Adam", "learning_rate": 0.3, "use_ema": True}, "loss": "binary_crossentropy", "metrics": ["accuracy"]},
        "fit": {"epochs": 30, "batch_size": 16},
        "callbacks": [{"class": "EarlyStopping", "patience": 2, "restore_best_weights": True}, {"class": "CSVLogger", "filename": "log.csv"},
                      {"class": "ModelCheckpoint", "filepath": "best.keras", "save_best_only": True},
                      {"class": "ModelCheckpoint", "filepath": "e{epoch:02d}.keras"},
                      {"class": "ModelCheckpoint", "filepath": "b{epoch:02d}-{batch}.keras", "save_freq": 3}]},
    "keeping": {
        **BASE, "keep": 1, "compile": {"optimizer": {"class": "SGD", "learning_rate": 0.1, "momentum": 0.9, "gradient_accumulation_steps": 2},
                                       "loss": "binary_crossentropy"},
        "fit": {"epochs": 4, "batch_size": 20}, "history": {"every_steps": 1}},
    # so large that its checkpoints are written straight from the variables
    "large": {
        **BASE, "model": {"layers": [{"class": "Dense", "units": 1500, "activation": "relu"}, {"class": "Dense", "units": 1500, "activation": "relu"},
                                     {"class": "Dense", "units": 1, "activation": "sigmoid"}]},
        "compile": {"optimizer": {"class": "SGD", "learning_rate": 0.1, "momentum": 0.9}, "loss": "binary_crossentropy"}, "fit": {"epochs": 3, "batch_size": 36},
        "callbacks": [{"class": "ModelCheckpoint", "filepath": "b{epoch:02d}-{batch}.keras", "save_freq": 3}]},
}


def preload():
    """Under the address sanitizer its library has to come first."""
    used = subprocess.run(["ldd", os.path.join(BUILD, "antler-worker")], capture_output=True, text=True).stdout
    sanitizer = [line.split()[2] for line in used.splitlines() if "libasan" in line]
    return ":".join(sanitizer + [os.path.join(BUILD, "tests", "libkill_at.so")])


def dying(home, at, *arguments):
    return home.antler(*arguments, ok=False, environment={"LD_PRELOAD": preload(), "KILL_AT": str(at)})[0]


def left_over(home, run):
    folder = os.path.join(home.dir(run), "checkpoints")
    listed = {os.path.basename(c["path"]) for c in home.checkpoints(run)}
    return [name for name in os.listdir(folder) if name not in listed]


def go_on(home, run, at):
    """Dies once more on the way (at), then goes on to the end."""
    for attempt in range(3):
        if home.state(run) == "finished":
            return
        if attempt == 0 and at:
            dying(home, at, "resume", run)
        else:
            home.antler("resume", run)


def kept(home, run):
    """What callbacks and `keep` ask for. The last state may be called after its step instead, where that is what the run went on from."""
    return {(c["checkpoint"], c["epoch"], c["step"]) for c in home.checkpoints(run) if not c["checkpoint"].startswith(("final", "step-"))}


def compare(home, run, reference, what):
    check(home.state(run) == "finished", f"{what}: {home.state(run)}")
    check(home.history(run) == reference["history"], f"{what}: the history differs")
    check(weights(home.last(run)) == reference["weights"], f"{what}: weights or optimizer state differ")
    check(state(home.last(run))["callbacks"] == reference["callbacks"], f"{what}: the callbacks stand elsewhere")
    check(kept(home, run) == reference["kept"], f"{what}: other checkpoints {sorted(kept(home, run) ^ reference['kept'])}")
    check(not left_over(home, run), f"{what}: left over: {left_over(home, run)}")


def test_any_write_may_be_the_last(name, config, stride):
    home = Home()
    try:
        path = home.config(name, config)
        run = home.json("train", path)["run"]
        reference = {"history": home.history(run), "weights": weights(home.last(run)), "callbacks": state(home.last(run))["callbacks"], "kept": kept(home, run)}
        at, died, compared = 1, True, 0
        while died:
            shutil.rmtree(home.home, ignore_errors=True)
            died = dying(home, at, "train", path) != 0
            for run in [r for r in home.ids() if not r.startswith(".")]:
                go_on(home, run, [0, at // 2, 0, at][at // stride % 4])
                compare(home, run, reference, f"{name}, dead before write {at}")
                compared += 1
            at += stride
        check(compared > 10, f"{name}: only {compared} runs were there to go on with")
    finally:
        home.close()


def test_what_a_callback_ended_goes_on_only_when_asked(config):
    home = Home()
    try:
        run = home.json("train", home.config("stopped", config))["run"]
        shown = home.show(run)
        last = home.last(run)
        check(shown["epoch"] < 30, "EarlyStopping did not stop")
        for arguments in (["resume", run], ["resume", last]):
            status, _, text = home.antler(*arguments, ok=False)
            check(status == 2 and "EarlyStopping" in text and "--epochs" in text, f"{arguments[1]}: {status} {text}")
        child = home.json("resume", last, "--set", "callbacks=[]", "--epochs", shown["epoch"] + 4)
        check(child["epoch"] == shown["epoch"] + 4, f"without the callback: {child}")
        child = home.json("resume", last, "--epochs", 30)
        check(child["epoch"] > shown["epoch"] + 1, f"asked for more, it has patience anew: {child}")
        check(home.show(run)["epoch"] == shown["epoch"], "the parent was touched")
        more = home.json("resume", run, "--epochs", 30)
        check(more["run"] == run and more["epoch"] > shown["epoch"], f"in place: {more}")
    finally:
        home.close()


def test_stopped_before_its_last_validation_it_ends_with_a_checkpoint():
    """The file of the stop is of the last step, and still it is not the last state."""
    home = Home()
    try:
        run = home.detach("train", home.config("late", {
            **BASE, "data": {**TABLE, "samples": 40000, "validation_split": 0.999}, "compile": {"optimizer": "sgd", "loss": "binary_crossentropy"},
            "model": {"layers": [{"class": "Dense", "units": 700, "activation": "tanh"}, {"class": "Dense", "units": 1, "activation": "sigmoid"}]},
            "fit": {"epochs": 1, "batch_size": 64, "validation_batch_size": 1},
            "callbacks": [{"class": "ModelCheckpoint", "filepath": "w.weights.h5", "save_weights_only": True}]}))
        while home.show(run)["step"] == 0 and home.alive(run):
            pass
        home.antler("stop", run)
        home.wait(run, ("stopped",))
        check(state(home.last(run))["epoch"] == 0, "the stop did not come before the validation")
        home.antler("resume", run)
        check(home.state(run) == "finished" and state(home.last(run))["epoch"] == 1, "the last full checkpoint is not the last state")
    finally:
        home.close()


if __name__ == "__main__":
    for name, stride in (("stopping", 5), ("keeping", 4), ("large", 9)):
        test_any_write_may_be_the_last(name, CONFIGS[name], stride)
    test_what_a_callback_ended_goes_on_only_when_asked(CONFIGS["stopping"])
    test_stopped_before_its_last_validation_it_ends_with_a_checkpoint()
    done()
