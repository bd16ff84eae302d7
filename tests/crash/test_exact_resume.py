"""However a run is interrupted, going on gives byte for byte the weights, optimizer state and history of the uninterrupted run."""
import json
import os
import random
import signal
import subprocess
import time

from runs import ANTLER, Home, check, done, state, weights

MOONS = {"format": "synthetic", "name": "moons", "samples": 330, "noise": 0.2, "validation_split": 0.2}
DIGITS = {"format": "synthetic", "name": "blobs", "samples": 150, "noise": 0.3, "validation_split": 0.2}


def dense(units, **more):
    return {"class": "Dense", "units": units, **more}


CONFIGS = {
    # dropout, a learning rate that falls on plateaus, a rest batch
    "mlp": {
        "seed": 3, "data": MOONS,
        "model": {"layers": [dense(24, activation="relu"), {"class": "Dropout", "rate": 0.3}, dense(16, activation="tanh"), dense(1, activation="sigmoid")]},
        "compile": {"optimizer": {"class": "Adam", "learning_rate": 0.01}, "loss": "binary_crossentropy", "metrics": ["accuracy", "AUC"]},
        "fit": {"epochs": 300, "batch_size": 16}, "history": {"every_steps": 5},
        "callbacks": [{"class": "ReduceLROnPlateau", "monitor": "val_loss", "patience": 1, "factor": 0.5, "min_delta": 0.05}],
    },
    # convolution, batch normalization (moving averages), momentum
    "cnn": {
        "seed": 4, "data": {**MOONS, "shape": [2, 1]},
        "model": {"layers": [{"class": "Conv1D", "filters": 6, "kernel_size": 2, "padding": "same"}, {"class": "BatchNormalization"},
                             {"class": "Activation", "activation": "relu"}, {"class": "Flatten"}, dense(1, activation="sigmoid")]},
        "compile": {"optimizer": {"class": "SGD", "learning_rate": 0.05, "momentum": 0.9, "nesterov": True}, "loss": "binary_crossentropy",
                    "metrics": ["accuracy"]},
        "fit": {"epochs": 250, "batch_size": 20},
        "callbacks": [{"class": "ModelCheckpoint", "filepath": "e{epoch:02d}.keras"},
                      {"class": "ModelCheckpoint", "filepath": "best.keras", "save_best_only": True},
                      {"class": "ModelCheckpoint", "filepath": "b{epoch:02d}-{batch:03d}.keras", "save_freq": 7}],
    },
    # whose callbacks keep little: what there is to go on from is the backup of a moment ago
    "rare": {
        "seed": 6, "data": {**MOONS, "samples": 15000}, "backup_minutes": 0.0003,
        "model": {"layers": [dense(16, activation="relu"), dense(1, activation="sigmoid")]},
        "compile": {"optimizer": {"class": "Adam", "learning_rate": 0.01}, "loss": "binary_crossentropy"},
        "fit": {"epochs": 4, "batch_size": 1},
        "callbacks": [{"class": "ModelCheckpoint", "filepath": "w{epoch:02d}.weights.h5", "save_weights_only": True}],
    },
    # branches, best weights put back at the end, steps_per_epoch across passes, a schedule, bfloat16
    "functional": {
        "seed": 5, "data": MOONS, "keep": 5, "dtype_policy": "mixed_bfloat16",
        "model": {"layers": [{"class": "InputLayer", "name": "x", "shape": [2]}, dense(12, name="a", activation="relu", inputs=["x"]),
                             dense(12, name="b", activation="tanh", inputs=["x"]), {"class": "Add", "name": "sum", "inputs": ["a", "b"]},
                             {"class": "GaussianNoise", "stddev": 0.1, "name": "noise", "inputs": ["sum"]},
                             dense(1, name="y", activation="sigmoid", inputs=["noise"])]},
        "compile": {"optimizer": {"class": "RMSprop", "momentum": 0.5, "learning_rate": {"class": "ExponentialDecay", "initial_learning_rate": 0.01,
                                                                                        "decay_steps": 20, "decay_rate": 0.9}},
                    "loss": "binary_crossentropy", "metrics": ["accuracy"]},
        "fit": {"epochs": 400, "batch_size": 16, "steps_per_epoch": 7, "validation_steps": 2},
        "callbacks": [{"class": "EarlyStopping", "monitor": "val_loss", "patience": 2000, "restore_best_weights": True},
                      {"class": "CSVLogger", "filename": "log.csv"}],
    },
}


interruptions = {}


class Reference:
    """The uninterrupted run."""

    def __init__(self, home, config):
        result = home.json("train", config)
        self.run = result["run"]
        self.seconds = home.show(self.run)["duration_s"]
        self.history = home.history(self.run)
        self.weights = weights(home.last(self.run))
        self.hash = state(home.last(self.run))["history_hash"]


def compare(home, run, reference, what):
    check(home.history(run) == reference.history, f"{what}: the history differs")
    check(weights(home.last(run)) == reference.weights, f"{what}: weights or optimizer state differ")
    check(state(home.last(run))["history_hash"] == reference.hash, f"{what}: the hash of the history differs")


def interrupted_by(home, config, name, reference, interrupt, n, chance):
    """A run that is interrupted up to n times at random moments, and resumed until it is done."""
    run = home.detach("train", config)
    hits = 0
    while hits < n:
        time.sleep(chance.random() * 0.4 * reference.seconds)
        interrupt(home, run)
        after = home.wait(run, ("interrupted", "stopped", "finished"))
        if after == "finished":
            break
        hits += 1
        home.antler("resume", run, "--detach")
    interruptions[interrupt.__name__] = interruptions.get(interrupt.__name__, 0) + hits
    home.wait(run, ("finished",))
    compare(home, run, reference, name)


def killed_while_it_resumes(home, config, name, reference, chance):
    """A worker that dies anywhere between its start and its first steps: log cut, checkpoints announced again, or neither."""
    run = home.detach("train", config)
    time.sleep(0.3 * reference.seconds)
    kill(home, run)
    home.wait(run, ("interrupted", "finished"))
    for _ in range(8):
        worker = subprocess.Popen([os.path.join(os.path.dirname(ANTLER), "antler-worker"), "resume"], stdin=subprocess.PIPE,
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        worker.stdin.write(json.dumps({"run": home.dir(run)}).encode())
        worker.stdin.close()
        time.sleep(chance.random() * 0.04)
        worker.kill()
        worker.wait()
    if home.state(run) != "finished":
        home.antler("resume", run, "--detach")
    home.wait(run, ("finished",))
    compare(home, run, reference, f"{name} killed while it resumes")


def kill(home, run):
    home.kill(run, signal.SIGKILL)


def terminate(home, run):
    home.kill(run, signal.SIGTERM)


def stop(home, run):
    home.antler("stop", run, ok=False)


def pause_and_continue(home, run):
    home.antler("pause", run, ok=False)
    home.antler("continue", run, ok=False)
    home.antler("checkpoint", run, ok=False)
    home.kill(run, signal.SIGKILL)


def branches_equal_their_parent(home, reference, name):
    """From any checkpoint, as a new run: what follows is what followed."""
    checkpoints = [c for c in home.checkpoints(reference.run) if not c["weights_only"] and not state(os.path.join(home.folder, c["path"]))["finalized"]]
    last = reference.history["loss"][-1][0]
    for c in checkpoints[:: max(1, len(checkpoints) // 4)]:
        if state(os.path.join(home.folder, c["path"]))["epoch"] >= last:
            continue
        child = home.json("resume", os.path.join(home.folder, c["path"]), "--threads", "1")["run"]
        check(child != reference.run, f"{name}: a branch is a run of its own")
        compare(home, child, reference, f"{name} from {c['checkpoint']}")


def test(name, config, chance):
    home = Home()
    try:
        path = home.config(name, config)
        reference = Reference(home, path)
        repeated = Reference(home, path)
        check(repeated.history == reference.history and repeated.weights == reference.weights, f"{name}: two runs of one config differ")
        two = home.json("train", path, "--threads", "2")["run"]
        compare(home, two, reference, f"{name} with 2 threads")
        interrupted_by(home, path, f"{name} killed", reference, kill, 4, chance)
        interrupted_by(home, path, f"{name} terminated", reference, terminate, 2, chance)
        interrupted_by(home, path, f"{name} stopped", reference, stop, 2, chance)
        interrupted_by(home, path, f"{name} paused", reference, pause_and_continue, 1, chance)
        killed_while_it_resumes(home, path, name, reference, chance)
        branches_equal_their_parent(home, reference, name)
        if name == "functional":
            logs = [open(os.path.join(home.dir(r), "log.csv"), "rb").read() for r in home.ids() if os.path.exists(os.path.join(home.dir(r), "log.csv"))]
            check(logs.count(logs[0]) >= 7, f"{name}: the CSV logs differ")
    finally:
        home.close()


if __name__ == "__main__":
    chance = random.Random(20261125)
    for name, config in CONFIGS.items():
        test(name, config, chance)
    print("interruptions that hit:", interruptions)
    check(sum(interruptions.values()) >= 10, "hardly any interruption hit a running worker")
    done()
