"""Whole trainings on a GPU that is none (fake_cuda.h: its memory is closed to the host, so that whoever reads it there ends with a fault): close to those on
the CPU, resumed to the byte, and nothing lost where a call of CUDA fails."""
import json
import os
import sys

from runs import BUILD, Home, check, run_tests, state, weights

os.environ["ANTLER_WORKER"] = os.path.join(BUILD, "tests", "fake_gpu", "antler-worker")
CONFIGS = os.path.join(os.environ["ANTLER_SOURCE"], "configs")
TEXT = "so long as it runs it can be read again, and what is read again is learned. " * 12
SMALL = {  # a step that is recorded and replayed, a rest, a validation, kept weights, a momentum
    "seed": 3, "keep": 9,
    "data": {"format": "synthetic", "name": "spirals", "samples": 90, "validation_split": 0.2},
    "model": {"layers": [{"class": "Dense", "units": 8, "activation": "relu"}, {"class": "BatchNormalization"}, {"class": "Dropout", "rate": 0.25},
                         {"class": "Dense", "units": 3, "activation": "softmax"}]},
    "compile": {"optimizer": {"class": "Adam", "learning_rate": 0.01, "use_ema": True}, "loss": "sparse_categorical_crossentropy", "metrics": ["accuracy"]},
    "fit": {"epochs": 4, "batch_size": 16}, "history": {"every_steps": 2},
    "callbacks": [{"class": "EarlyStopping", "monitor": "val_loss", "patience": 9, "restore_best_weights": True}, {"class": "CSVLogger", "filename": "log.csv"}],
}
READER = {
    "data": {"format": "text", "path": "words.txt", "sequence_length": 8, "stride": 4, "test_split": 0.2},
    "model": {"layers": [{"class": "Embedding", "input_dim": 0, "output_dim": 4}, {"class": "LSTM", "units": 4, "return_sequences": True}, {"class": "Dense", "units": 0, "activation": "softmax"}]},
    "compile": {"optimizer": {"class": "RMSprop"}, "loss": "sparse_categorical_crossentropy"}, "fit": {"epochs": 1},
}
home = Home()


def close(a, b, what, tolerance=2e-3):
    check(abs(float(a) - float(b)) <= tolerance * (1 + abs(float(b))), f"{what} is {a} on the GPU, {b} on the CPU")


def train(path, device, *more):
    return home.json("train", path, "--device", device, *more)["run"]


def last(run, metric):
    return home.history(run)[metric][-1][2]


def test_the_digits_are_learned_as_on_the_cpu():
    path = os.path.join(CONFIGS, "digits-mlp.json")
    gpu, cpu = (train(path, device, "--set", "fit.epochs=2") for device in ("cuda", "cpu"))
    for metric in home.history(cpu):
        for (_, _, a), (_, _, b) in zip(home.history(gpu)[metric], home.history(cpu)[metric]):
            close(a, b, metric)
    check(home.show(gpu)["device"] == "cuda:0", f"the run names its device, found {home.show(gpu)['device']!r}")
    for checkpoint, device in (f"{gpu}:last", "cuda"), (f"{gpu}:last", "cpu"), (f"{cpu}:last", "cuda"):
        metrics = home.json("evaluate", checkpoint, "--device", device)["metrics"]
        for name, value in home.json("evaluate", checkpoint, "--device", "cpu")["metrics"].items():
            close(metrics[name], value, f"{name} of the test part")
    outputs = [home.json("predict", f"{gpu}:last", "--input", "test[0:5]", "--device", device)["outputs"] for device in ("cuda", "cpu")]
    for a, b in zip(*(sum(next(iter(o.values())), []) for o in outputs)):
        close(a, b, "a prediction", 1e-4)


def test_mixed_precision_rounds_as_on_the_cpu():
    path = os.path.join(CONFIGS, "digits-mlp.json")
    gpu, cpu = (train(path, device, "--set", "fit.epochs=1", "--set", "dtype_policy=mixed_bfloat16") for device in ("cuda", "cpu"))
    close(last(gpu, "loss"), last(cpu, "loss"), "the loss in mixed_bfloat16", 0.01)


def test_text_is_written_as_on_the_cpu():
    with open(os.path.join(home.folder, "words.txt"), "w") as file:
        file.write(TEXT)
    config = json.loads(json.dumps(READER))
    for layer, key in (0, "input_dim"), (2, "units"):
        config["model"]["layers"][layer][key] = len(set(TEXT))
    run = train(home.config("reader", config), "cuda")
    said = [home.json("predict", f"{run}:last", "--prompt", "so ", "--tokens", 12, "--temperature", 0, "--device", device) for device in ("cuda", "cpu")]
    check(said[0]["text"] and said[0]["text"] == said[1]["text"], f"the GPU writes {said[0]}, the CPU {said[1]}")


def test_a_resumed_training_gives_the_same_bytes():
    path = home.config("small", SMALL)
    whole = train(path, "cuda")
    parts = train(path, "cuda", "--set", "fit.epochs=2", "--set", "callbacks=[]")
    first = train(path, "cuda")
    check(home.history(whole) == home.history(first), "a training gives the same bytes when it is done again")
    check(weights(home.last(whole)) == weights(home.last(first)), "and the same weights")
    branch = home.json("resume", f"{first}:2", "--device", "cuda")["run"]
    check(home.history(branch) == home.history(whole), "a branch that changes nothing has the same history")
    check(weights(home.last(branch)) == weights(home.last(whole)), "and ends with the same weights")
    check(len(home.history(parts)["loss"]) == 2, "two epochs are two epochs")


def test_a_training_goes_on_on_another_device_and_says_that_it_is_another():
    path = home.config("small", SMALL)
    for then, now in ("cuda", "cpu"), ("cpu", "cuda"):
        run = train(path, then)
        status, out, said = home.antler("resume", f"{run}:2", "--device", now, "--name", "other")
        check("not the same to the last bit" in out + said, f"a training that changes its device says so, found {out + said!r}")
        branch = home.show("other")["run"] if then == "cuda" else home.ids()[-1]
        close(last(branch, "loss"), last(run, "loss"), "the last loss", 0.02)
        status, out, said = home.antler("resume", f"{run}:2", "--device", then)
        check("last bit" not in out + said, f"one that keeps its device says nothing, found {out + said!r}")


def calls_of(config):
    """How many calls of CUDA can fail in this training."""
    log = os.path.join(home.folder, "calls")
    home.json("train", config, "--device", "cuda", environment={"ANTLER_FAKE_CUDA_COUNT": log})
    with open(log) as file:
        return int(file.read())


def whole(run):
    """Every checkpoint of a run can be read and holds numbers only; how many there are."""
    listed = home.checkpoints(run)
    for c in listed:
        status, out, err = home.antler("inspect", os.path.join(home.folder, c["path"]), ok=False)
        check(status == 0, f"{c['checkpoint']} is whole: {err}")
        check(b"NaN" not in json.dumps(c["metrics"]).encode(), f"{c['checkpoint']} has the metrics {c['metrics']}")
    return len(listed)


def test_a_call_that_fails_ends_the_run_and_loses_nothing():
    config = home.config("small", SMALL)
    n = calls_of(config)
    reference = home.ids()[-1]
    every = 1 if os.environ.get("ANTLER_LONG") else max(1, n // 24)
    begun = 0
    for k in range(1, n + 1, every):
        before = set(home.ids())
        status, out, err = home.antler("train", config, "--device", "cuda", ok=False, environment={"ANTLER_FAKE_CUDA_FAIL": str(k)})
        runs = set(home.ids()) - before
        if status == 0 and runs:  # at the very end, when everything is saved
            check(k > n * 0.9, f"call {k} of {n} has failed and nobody has noticed")
            continue
        check(status in (5, 6), f"when call {k} of {n} fails the training ends with 6, or 5 for memory, found {status}: {err}")
        check("cuda" in err, f"call {k}: the error names the device, found {err!r}")
        if not runs:
            continue  # before there was a run
        begun += 1
        run = runs.pop()
        check(home.state(run) == "failed", f"call {k}: the run is {home.state(run)}")
        check(status == 5 or f"antler resume {run} --device cpu" in err, f"call {k}: the error says how to go on, found {err!r}")
        whole(run)
        check(all(v.lower() not in ("nan", "inf") for m in home.history(run).values() for _, _, v in m), f"call {k}: the history holds numbers only")
        if begun % 5 == 1:
            home.json("resume", run, "--device", "cuda")
            check(home.history(run) == home.history(reference), f"call {k}: gone on with, the run has the history of one that was not interrupted")
            check(weights(home.last(run)) == weights(home.last(reference)), f"call {k}: and its weights")
    check(begun >= 10, f"most failures come inside of a training, found {begun}")


def test_evaluation_and_prediction_fail_as_loudly():
    config = home.config("small", SMALL)
    run = train(config, "cuda")
    for command in ("evaluate", f"{run}:last"), ("predict", f"{run}:last", "--input", "validation[0:18]"):
        n_failed = 0
        for k in range(1, 400, 7):
            status, out, err = home.antler(*command, "--device", "cuda", "--json", ok=False, environment={"ANTLER_FAKE_CUDA_FAIL": str(k)})
            check(status in (0, 5, 6) and "nan" not in out.lower(), f"{command[0]}, call {k}: found {status} {out} {err}")
            n_failed += status != 0
            if status == 0:
                break
        check(n_failed >= 3, f"{command[0]}: {n_failed} failures were told")


def test_memory_that_is_not_there_is_error_5_and_says_what_would_help():
    layers = [{"class": "Dense", "units": n, "activation": "softmax"} for n in (700, 700, 3)]
    config = dict(SMALL, model={"layers": layers}, data={"format": "synthetic", "name": "spirals", "samples": 5000}, fit={"batch_size": 5000}, device="cuda")
    path, said = home.config("large", config), []
    for megabytes in range(4, 400, 6):
        status, out, err = home.antler("check", path, ok=False, environment={"ANTLER_FAKE_CUDA_MEGABYTES": str(megabytes)})
        said.append(err)
        check(status in (0, 5), f"{megabytes} MB are too little for it or enough, found {status}: {err}")
        if status == 0:
            break
    for words in "on cuda:0 for variable", "a smaller batch would help":
        check(any(words in s and "are free" in s for s in said), f"one error has {words!r}, found {set(said)}")
    check(not said[-1], "at last it is enough")


def test_check_counts_the_memory_of_the_gpu_by_itself():
    checks = {device: home.json("check", home.config("small", dict(SMALL, device=device)))["memory"] for device in ("cpu", "cuda")}
    check(checks["cpu"]["device"] == 0 and checks["cuda"]["device"] >= checks["cuda"]["parameters"] + checks["cuda"]["optimizer"], f"found {checks}")


if __name__ == "__main__":
    try:
        run_tests(globals())
    finally:
        home.close()
