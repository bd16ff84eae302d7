"""The commands that ask the worker: what they print, how they end, what they leave behind. CONTRACT: exit statuses and JSON keys."""
import json
import os
import resource
import signal
import struct
import subprocess
import time
import zipfile

from runs import ANTLER, Home, check, done, state, weights

MLP = {
    "seed": 1, "data": {"format": "synthetic", "name": "blobs", "samples": 300, "noise": 0.4, "validation_split": 0.1, "test_split": 0.1},
    "model": {"layers": [{"class": "Dense", "units": 8, "activation": "relu"}, {"class": "Dense", "units": 3, "activation": "softmax", "name": "out"}]},
    "compile": {"optimizer": {"class": "Adam", "learning_rate": 0.01}, "loss": "sparse_categorical_crossentropy", "metrics": ["accuracy"]},
    "fit": {"epochs": 3, "batch_size": 16},
}


def has(object, keys, what):
    missing = [k for k in keys.split() if k not in object]
    check(not missing, f"{what}: keys {missing} are missing in {sorted(object)}")


def fails(home, status, words, *arguments, **more):
    """The command ends with the status, prints nothing on stdout, and one sentence with these words."""
    code, out, err = home.antler(*arguments, ok=False, **more)
    check(code == status, f"antler {' '.join(arguments)} ended with {code}, expected {status}: {err.strip()}")
    for word in words:
        check(word in err, f"antler {' '.join(arguments)} says {err.strip()!r}, expected {word!r} in it")
    check(not out, f"antler {' '.join(arguments)} printed {out!r} on stdout")


def with_(config, path, value):
    config = json.loads(json.dumps(config))
    at = config
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = value
    return config


def test_results_have_their_keys(home):
    config = home.config("mlp", MLP)
    result = home.json("train", config)
    has(result, "run dir state epoch epochs step metrics", "train")
    check(result["state"] == "finished" and result["epoch"] == 3 and "val_accuracy" in result["metrics"], f"train gives {result}")
    run = result["run"]
    names = [c["checkpoint"] for c in home.checkpoints(run)]
    check(names == [f"epoch-000{e}.keras" for e in (1, 2, 3)], f"one checkpoint per epoch, found {names}")
    evaluated = home.json("evaluate", f"{run}:3", "--split", "validation")
    has(evaluated, "checkpoint samples metrics", "evaluate")
    check(evaluated["metrics"]["loss"] == result["metrics"]["val_loss"], "evaluate gives what validation gave")
    predicted = home.json("predict", f"{run}:last", "--input", "test[0:4]")
    has(predicted, "checkpoint samples outputs", "predict")
    check(len(predicted["outputs"]["out"]) == 4 and len(predicted["outputs"]["out"][0]) == 3, "predict gives samples x classes")
    inspected = home.json("inspect", home.last(run))
    has(inspected, "file format keras_version model layers params optimizer weights problems", "inspect")
    has(inspected["model"], "class name inputs outputs", "inspect.model")
    has(inspected["layers"][0], "name class output_shape params trainable", "inspect.layers")
    check(inspected["problems"] == [], f"no problems, found {inspected['problems']}")
    has(home.json("check", config), "config model params memory_bytes data warnings", "check")
    has(home.json("doctor"), "sandbox blas cpu threads devices warnings locale terminal home", "doctor")
    return run


def test_predictions_are_written(home, run):
    for suffix in (".npy", ".npz", ".csv", ".json"):
        path = os.path.join(home.folder, "p" + suffix)
        result = home.json("predict", f"{run}:last", "--input", "test", "--output", path)
        check(result.get("file") == path and "outputs" not in result, f"predict --output names its file: {result}")
        check(os.path.getsize(path) > 100, f"'{path}' is written")
    lines = open(os.path.join(home.folder, "p.csv")).read().splitlines()
    check(lines[0] == "out_0,out_1,out_2" and len(lines) == 31, f"the table has a head and 30 samples: {lines[:1]} {len(lines)}")
    fails(home, 2, [".npy, .npz, .csv or .json"], "predict", f"{run}:last", "--input", "test", "--output", "p.txt")


def test_outputs_of_one_layer_have_names_of_their_own(home):
    """A layer that is called twice gives two outputs of one name."""
    layer = {"class": "InputLayer", "shape": [2]}
    model = {"layers": [{**layer, "name": "a"}, {**layer, "name": "b"}, {"class": "Dense", "name": "d", "units": 2, "inputs": [["a"], ["b"]]}], "outputs": ["d:0", "d:1"]}
    for name, column in (("xa", [[1, 2], [3, 4]]), ("xb", [[5, 6], [7, 8]])):
        data = struct.pack(f"<{4}f", *[v for row in column for v in row])
        head = b"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2), }".ljust(117) + b"\n"
        open(os.path.join(home.folder, name + ".npy"), "wb").write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head + data)
    config = {"data": {"format": "npy", "x": ["xa.npy", "xb.npy"], "y": ["xa.npy", "xb.npy"]}, "model": model, "compile": {"optimizer": "sgd", "loss": "mse"},
              "fit": {"epochs": 1}}
    run = home.json("train", home.config("twice", config))["run"]
    outputs = home.json("predict", f"{run}:last", "--input", "train")["outputs"]
    check(list(outputs) == ["d", "d_1"] and outputs["d"] != outputs["d_1"], f"outputs: {outputs}")
    home.antler("predict", f"{run}:last", "--input", "train", "--output", "twice.npz")
    names = zipfile.ZipFile(os.path.join(home.folder, "twice.npz")).namelist()
    check(names == ["d.npy", "d_1.npy"], f"members: {names}")


def test_the_four_errors_say_what_to_do(home, run):
    unknown = home.config("unknown", with_(MLP, ["model", "layers", 0, "class"], "Dens"))
    fails(home, 2, ["model.layers[0]", "'Dens'", "did you mean 'Dense'"], "train", unknown)
    image = with_(MLP, ["model", "layers", 0], {"class": "InputLayer", "shape": [4, 4, 1]})
    fails(home, 2, ["has shape (2,)", "wants (4, 4, 1)"], "train", home.config("shape", image))
    fails(home, 4, ["the model wants (2, 9)", "(2, 8)"], "resume", f"{run}:2", "--epochs", "5", "--set", "model.layers[0].units=9")
    _, _, err = home.antler("resume", f"{run}:2", "--epochs", "3", "--set", 'compile.optimizer={"class": "SGD"}')
    check("optimizer state starts anew: the file was trained with Adam, this run uses SGD" in err, f"missing optimizer state is said: {err}")
    pickle = os.path.join(home.folder, "m.keras")
    open(pickle, "wb").write(b"\x80\x04\x95\x10\0\0\0\0\0\0\0\x8c\x05posix")
    fails(home, 4, ["pickle", ".keras"], "inspect", pickle)
    for page, word in (("unknown-layer", "did you mean"), ("shape-mismatch", "data.shape"), ("missing-optimizer-state", "starts anew"),
                       ("unsupported-format", "pickle")):
        text = open(os.path.join(os.environ["ANTLER_SOURCE"], "docs", "errors", page + ".md")).read()
        check(word in text, f"docs/errors/{page}.md explains {word!r}")


def test_wrong_words_have_their_status(home, run):
    before = home.ids()
    fails(home, 2, ["fit.epoch", "did you mean 'epochs'"], "train", home.config("key", with_(MLP, ["fit"], {"epoch": 3})))
    fails(home, 2, ["EarlyStopping"], "train", home.config("callback", {**MLP, "callbacks": [{"class": "EarlyStoping"}]}))
    fails(home, 2, ["nope.json"], "train", "nope.json")
    fails(home, 3, ["nope"], "evaluate", "nope:1")
    fails(home, 3, ["nope.keras"], "inspect", "nope.keras")
    fails(home, 3, [run], "evaluate", f"{run}:99")
    fails(home, 6, ["'quantum'"], "train", home.config("mlp", MLP), "--device", "quantum")
    fails(home, 2, ["--threads"], "train", home.config("mlp", MLP), "--threads", "0")
    fails(home, 2, ["nothing left to do", "--epochs"], "resume", run)
    plan = open(os.path.join(home.dir(run), "config.json")).read()
    fails(home, 2, ["nothing left to do"], "resume", run, "--epochs", "1")
    check(open(os.path.join(home.dir(run), "config.json")).read() == plan, "a refused resume leaves the plan of the run alone")
    fails(home, 6, ["'cpu:1'"], "train", home.config("mlp", MLP), "--device", "cpu:1")
    fails(home, 1, ["is finished"], "stop", run)
    cut = os.path.join(home.folder, "cut.keras")
    data = open(home.last(run), "rb").read()
    open(cut, "wb").write(data[: len(data) // 2])
    fails(home, 4, ["cut.keras"], "inspect", cut)
    fails(home, 4, ["cut.keras"], "evaluate", cut, "--config", home.config("mlp", MLP))
    check(home.ids() == before, "a refused command makes no run")


LONG = with_(with_(MLP, ["fit", "epochs"], 100000), ["keep"], 3)


def test_devices_that_are_not_there(home, run):
    config = home.config("device", MLP)
    for name in ("cuda", "cuda:1"):
        fails(home, 6, [f"device '{name}' is not available"], "train", config, "--device", name)
        fails(home, 6, [f"device '{name}' is not available"], "evaluate", f"{run}:last", "--device", name)
    for name in ("gpu", "cuda:", "cuda:x", "CPU"):
        fails(home, 6, [f"there is no device '{name}'", "cuda:K"], "train", config, "--set", f"device={name}")


def wait_for(condition, what, seconds=30):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if condition():
            return
        time.sleep(0.01)
    check(False, f"{what} did not come")


def foreground(home, *arguments):
    env = dict(os.environ, ANTLER_HOME=home.home)
    return subprocess.Popen([ANTLER, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=home.folder, env=env)


def test_interrupt_stops_with_a_checkpoint_and_again_ends_at_once(home):
    config = home.config("long", LONG)
    for presses, expected in ((1, "stopped"), (2, "interrupted")):
        before = set(home.ids())
        process = foreground(home, "train", config)
        wait_for(lambda: set(home.ids()) - before, "a run")
        run = (set(home.ids()) - before).pop()
        wait_for(lambda: home.state(run) == "running" and home.show(run)["epoch"] > 1, "an epoch")
        if presses == 2:
            home.antler("pause", run)
            process.send_signal(signal.SIGINT)
            home.kill(run, signal.SIGINT)  # the worker has been told twice, whatever it does between
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
        check(process.returncode == 130, f"Ctrl-C ends with {process.returncode}, expected 130: {err}")
        check(home.state(run) in (expected, "stopped"), f"after {presses} Ctrl-C the run is {home.state(run)}")
        if expected == "stopped":
            last = state(home.last(run))
            check(last["step"] == home.show(run)["step"], "the last checkpoint holds the last step")


def test_a_detached_worker_is_on_its_own(home):
    run = home.detach("train", home.config("long", LONG))
    pid = home.pid(run)
    fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
    check(int(fields[3]) not in (os.getsid(0), 0) and int(fields[4]) == 0, "the worker has a session of its own and no terminal")
    links = {os.readlink(f"/proc/{pid}/fd/{k}") for k in (1, 2)}
    check(links == {os.path.join(home.dir(run), "log.txt")}, f"its output goes to log.txt, found {links}")
    answer = home.json("pause", run)
    check(answer["ok"] and home.state(run) == "paused", "pause pauses")
    step = home.show(run)["step"]
    home.antler("checkpoint", run)
    names = [c["checkpoint"] for c in home.checkpoints(run)]
    check(any(n.startswith("step-") for n in names), f"checkpoint writes one at once: {names}")
    for number, command, value in ((50, "learning_rate", 0.5), (51, "epochs", 99999), (52, "epochs", 0), (53, "dance", 1)):
        with open(os.path.join(home.dir(run), "commands.log"), "a") as f:
            f.write(json.dumps({"number": number, "command": command, "value": value}) + "\n")
    home.antler("continue", run)
    wait_for(lambda: home.show(run)["step"] > step, "a step after continue")
    home.antler("stop", run)
    check(home.state(run) == "stopped", "stop stops")
    check(abs(state(home.last(run))["learning_rate"] - 0.5) < 1e-6, "the learning rate was changed")
    check(home.show(run)["epochs"] == 99999, "the number of epochs was changed, and a wrong one refused")
    fails(home, 1, ["stopped"], "pause", run)


def test_a_long_epoch_is_backed_up(home):
    config = {**MLP, "data": {**MLP["data"], "samples": 300000}, "backup_minutes": 0.001, "fit": {"epochs": 2000, "batch_size": 1},
              "callbacks": [{"class": "ModelCheckpoint", "filepath": "w{epoch}.weights.h5", "save_weights_only": True}]}
    run = home.detach("train", home.config("rare", config))
    backup = os.path.join(home.dir(run), "checkpoints", "antler-backup.keras")
    wait_for(lambda: os.path.exists(backup), "a backup in the first epoch")
    home.kill(run)
    home.wait(run, ("interrupted",))
    kept = state(backup)
    check(0 < kept["step"] < 240000 and kept["epoch"] == 0, f"a backup of inside the epoch, found step {kept['step']}")
    check(home.checkpoints(run) == [], "a backup is not among the checkpoints")
    _, _, err = home.antler("resume", run, "--detach")
    wait_for(lambda: home.show(run)["step"] > kept["step"], "a step behind the backup")
    home.antler("stop", run)
    log = open(os.path.join(home.dir(run), "history.log"), "rb").read()
    check(b'"resumed"' in log and b'"antler-backup.keras"' in log, "the history says what the run went on from")
    names = [c["checkpoint"] for c in home.checkpoints(run) if not c["weights_only"]]
    check(names == ["final.keras"] and not os.path.exists(backup), f"the next checkpoint takes the place of the backup: {names}")
    home.antler("resume", run, "--detach")
    wait_for(lambda: os.path.exists(backup), "a backup after the resume")
    home.antler("pause", run)
    home.kill(run)
    home.wait(run, ("interrupted",))
    home.antler("resume", run, "--detach")
    home.antler("stop", run)
    check(home.state(run) == "stopped" and not os.path.exists(backup) and state(home.last(run))["step"] == home.show(run)["step"],
          "a run that stops soon after going on from a backup leaves a checkpoint of its last state")
    quiet = home.detach("train", home.config("none", {**config, "backup_minutes": 0}))
    wait_for(lambda: home.show(quiet)["step"] > 30000, "half an epoch")
    home.kill(quiet)
    check("antler-backup.keras" not in os.listdir(os.path.join(home.dir(quiet), "checkpoints")), "0 means never")


def test_one_of_two_resumes_wins(home):
    run = home.detach("train", home.config("long", LONG))
    for _ in range(4):
        home.kill(run)
        home.wait(run, ("interrupted",))
        both = [foreground(home, "resume", run, "--detach") for _ in range(3)]
        codes = sorted(p.wait(60) for p in both)
        check(codes == [0, 1, 1], f"of three resumes one wins and two are refused: {codes}")
        said = "".join(p.stderr.read() for p in both)
        check(said.count("in use by process") == 2, f"the refused ones name who holds the run: {said}")
    home.antler("stop", run)


def test_a_run_that_is_leaving_is_gone_on_with_and_who_stopped_it_does_not_wait_for_the_next(home):
    run = home.detach("train", home.config("long", LONG))
    for _ in range(4):
        stopper = foreground(home, "stop", run)
        while home.antler("resume", run, "--detach", ok=False)[0] != 0:  # refused as long as it trains, never once it is said to be stopped
            state_now = home.state(run)
            check(state_now == "running" or home.antler("resume", run, "--detach", ok=False)[0] == 0, f"a run that is {state_now} is resumed at once")
            if state_now != "running":
                break
        try:
            check(stopper.wait(20) == 0, f"stop stopped it: {stopper.stderr.read()}")
        except subprocess.TimeoutExpired:
            check(False, "stop waits for a worker that it did not ask")
            stopper.kill()
        check(home.state(run) == "running", "it goes on")
    home.antler("stop", run)


def test_a_full_disk_stops_nothing_before_the_end(home):
    small = home.json("train", home.config("small", MLP))["run"]
    before = {c["checkpoint"]: weights(os.path.join(home.folder, c["path"])) for c in home.checkpoints(small)}

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (8000, 8000))

    code, _, err = home.antler("resume", small, "--epochs", "5", ok=False, preexec_fn=limit)
    check(code in (1, 5) and "could not be saved" in err, f"the end says what is missing: {code} {err}")
    check(home.state(small) == "failed", f"the run is {home.state(small)}, expected failed")
    after = {c["checkpoint"]: weights(os.path.join(home.folder, c["path"])) for c in home.checkpoints(small)}
    check(after == before, f"earlier checkpoints are intact: {sorted(after)}")
    check(not [n for n in os.listdir(os.path.join(home.dir(small), "checkpoints")) if n.endswith(".tmp")], "no temporary files are left")
    check(len(home.history(small)["loss"]) == 5, "training went on to its end")
    again = home.json("resume", small)
    check(again["state"] == "finished" and len(home.history(small)["loss"]) == 5, "with room again it goes on and finishes")


def test_steps_keep_and_nan(home):
    config = {**MLP, "keep": 2, "history": {"every_steps": 5}, "fit": {"epochs": 6, "batch_size": 16}}
    run = home.json("train", home.config("keep", config))["run"]
    names = [c["checkpoint"] for c in home.checkpoints(run)]
    check("epoch-0006.keras" in names and len(names) <= 3, f"keep leaves the newest and the best: {names}")
    worse = {"seed": 1, "keep": 1, "data": {"format": "synthetic", "name": "moons", "samples": 60, "noise": 0.1},
             "model": {"layers": [{"class": "Dense", "units": 4, "activation": "relu"}, {"class": "Dense", "units": 1}]},
             "compile": {"optimizer": {"class": "SGD", "learning_rate": 2.0}, "loss": "mse"}, "fit": {"epochs": 4, "batch_size": 16}}
    names = [c["checkpoint"] for c in home.checkpoints(home.json("train", home.config("worse", worse))["run"])]
    check(names == ["epoch-0001.keras", "epoch-0004.keras"], f"so it does where they are two and one is to be kept: {names}")
    steps = [s for _, s, _ in home.history(run)["batch_loss"]]
    check(steps == [s for s in range(1, 6 * 15 + 1) if s % 5 == 0], f"a loss every five steps: {steps}")
    wild = with_(MLP, ["compile", "optimizer"], {"class": "SGD", "learning_rate": 1e30})
    result = home.json("train", home.config("wild", wild))
    check(result["metrics"]["loss"] == "NaN", f"NaN is said: {result['metrics']}")
    best = home.show(result["run"])["best"].get("loss")
    check(not best or best["value"] != "NaN", f"a best value is never NaN: {best}")
    nan = home.config("nan", {**wild, "callbacks": [{"class": "TerminateOnNaN"}]})
    result = home.json("train", nan)
    check(result["epoch"] == 1 and result["state"] == "finished", f"TerminateOnNaN ends it: {result}")
    printed = home.antler("train", nan)[1]
    check("\nwarning: " in printed and "NaN" in printed, f"what the worker warns of is printed between the epochs: {printed}")


def test_what_has_no_effect_is_said(home):
    fit = {**MLP["fit"], "steps_per_epoch": 500, "validation_steps": 40, "class_weight": {"0": 2.0, "7": 3.0}}
    warnings = home.json("check", home.config("more", with_(MLP, ["fit"], fit)))["warnings"]
    for words in ("fit.steps_per_epoch is 500, the data give 15 batches of 16: an epoch ends after those",
                  "fit.validation_steps is 40, the data give 2 batches of 16", "fit.class_weight.7 has no effect"):
        check(any(words in w for w in warnings), f"{words!r} is among {warnings}")
    check(len(warnings) == 3, f"three warnings, found {warnings}")
    _, _, err = home.antler("train", home.config("more", with_(MLP, ["fit"], fit)))
    check("fit.steps_per_epoch is 500" in err, f"train says it too: {err}")
    for scale in (0, 1e300, "0/3"):
        fails(home, 2, ["data.scale: the factor is"], "train", home.config("zero", with_(MLP, ["data"], {**MLP["data"], "scale": scale})))


def test_weights_that_do_not_fit_are_told_in_one_line(home):
    wide = json.loads(json.dumps(MLP))
    wide["model"]["layers"][0]["units"] = 9
    file = home.last(home.json("train", home.config("mlp", MLP))["run"])
    code, out, err = home.antler("train", home.config("wide", with_(wide, ["model", "weights"], file)), ok=False)
    check(code == 4 and len(err.strip().splitlines()) == 1, f"one line and 4, found {code}: {err}")
    for words in ("the weights of 2 layers do not fit", "layer 'dense' (Dense): kernel in the file has the shape (2, 8), the model wants (2, 9)", "layer 'out'"):
        check(words in err, f"{words!r} is in {err}")


def test_a_damaged_last_checkpoint_is_passed_over(home):
    whole = home.json("train", home.config("six", with_(MLP, ["fit", "epochs"], 6)))["run"]
    for name, damage in (("cut off", lambda data: data[:-100]), ("one bit wrong", lambda data: data[:3000] + bytes([data[3000] ^ 4]) + data[3001:])):
        run = home.json("train", home.config("four", with_(MLP, ["fit", "epochs"], 4)))["run"]
        last = home.last(run)
        data = open(last, "rb").read()
        open(last, "wb").write(damage(data))
        status, out, err = home.antler("resume", run, "--epochs", "6")
        check("epoch-0004.keras' is passed over" in err, f"{name}: the damaged one is named: {err}")
        check(home.history(run) == home.history(whole), f"{name}: the history is that of an uninterrupted run")
        check(weights(home.last(run)) == weights(home.last(whole)), f"{name}: the weights are those of an uninterrupted run")
    for c in home.checkpoints(run):
        os.remove(os.path.join(home.folder, c["path"]))
    status, out, err = home.antler("resume", run, "--epochs", "7")
    check("starts again from its beginning" in err and len(home.history(run)["loss"]) == 7, f"without checkpoints it starts again: {err}")


def test_data_that_changed_are_refused_in_place_and_said_in_a_branch(home):
    rows = "".join(f"{i % 7},{i % 3},{i % 2}\n" for i in range(60))
    table = os.path.join(home.folder, "t.csv")
    open(table, "w").write(rows)
    config = with_(MLP, ["data"], {"format": "csv", "path": "t.csv", "validation_split": 0.2})
    run = home.json("train", home.config("table", config))["run"]
    open(table, "w").write(rows + rows)
    fails(home, 2, ["the data are not those it was trained on", f"antler resume {run}:last"], "resume", run, "--epochs", "4")
    _, _, err = home.antler("resume", f"{run}:last", "--epochs", "4")
    check("anew: the data are not those it was trained on" in err, f"a branch says what starts anew: {err}")


if __name__ == "__main__":
    home = Home()
    try:
        run = test_results_have_their_keys(home)
        test_predictions_are_written(home, run)
        test_outputs_of_one_layer_have_names_of_their_own(home)
        test_the_four_errors_say_what_to_do(home, run)
        test_wrong_words_have_their_status(home, run)
        test_devices_that_are_not_there(home, run)
        test_interrupt_stops_with_a_checkpoint_and_again_ends_at_once(home)
        test_a_detached_worker_is_on_its_own(home)
        test_a_long_epoch_is_backed_up(home)
        test_one_of_two_resumes_wins(home)
        test_a_run_that_is_leaving_is_gone_on_with_and_who_stopped_it_does_not_wait_for_the_next(home)
        test_a_full_disk_stops_nothing_before_the_end(home)
        test_steps_keep_and_nan(home)
        test_what_has_no_effect_is_said(home)
        test_weights_that_do_not_fit_are_told_in_one_line(home)
        test_a_damaged_last_checkpoint_is_passed_over(home)
        test_data_that_changed_are_refused_in_place_and_said_in_a_branch(home)
    finally:
        home.close()
    done()
