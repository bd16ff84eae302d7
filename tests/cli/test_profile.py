"""train --profile and --trace: what they say adds up, the trace is strict JSON of bounded size, and neither changes a bit of the result."""
import json
import os

from runs import Home, check, done, weights

CONFIGS = os.path.join(os.environ["ANTLER_SOURCE"], "configs")
DIGITS = os.path.join(CONFIGS, "digits-mlp.json")


def close(a, b):
    return abs(a - b) <= 1e-6 * max(abs(a), abs(b), 1e-9)


def test_the_times_add_up(home):
    result = home.json("train", DIGITS, "--set", "fit.epochs=3", "--profile")
    profile = result["profile"]
    check(profile == json.load(open(os.path.join(result["dir"], "profile.json"))), "--json has what is kept in profile.json")
    for part in profile["train"], profile["validation"]:
        check(close(sum(part["shares"].values()), 1), f"shares are a whole: {part['shares']}")
        check(min(part["shares"].values()) >= 0, f"no share is negative: {part['shares']}")
        for key in "kernels", "ops", "layers":
            rows = part[key]
            check(close(sum(r["seconds"] for r in rows), part["full_seconds"]), f"{key} add up to all kernels of full batches")
            check(rows == sorted(rows, key=lambda r: -r["seconds"]), f"{key} are sorted by time")
    check(profile["train"]["steps"] == result["step"], "every step was counted")
    check({r["layer"] for r in profile["train"]["layers"]} >= {"dense", "dense_1"}, "layers are named")
    products = [r for r in profile["train"]["kernels"] if r["op"] == "matmul"]
    check(len(products) == 5 and all(r["gflops"] > 0 and r["floor"] > 0 for r in products), "two layers have five products")
    memory = profile["memory"]
    check(memory["total"] == sum(v for k, v in memory.items() if k not in ("total", "peak", "live")), "the parts of the memory are the total")
    check(memory["parameters"] > 0 and memory["optimizer"] > memory["parameters"], "Adam holds more than the weights")


def test_the_table_is_printed(home):
    _, out, _ = home.antler("train", DIGITS, "--set", "fit.epochs=2", "--profile")
    for word in "kernels", "between", "ms a step", "of floor", "matmul", "dense_1", "machine:", "memory: peak":
        check(word in out, f"the table says '{word}'")


def test_the_result_is_the_same_bytes(home):
    plain = home.json("train", DIGITS, "--set", "fit.epochs=2")["run"]
    measured = home.json("train", DIGITS, "--set", "fit.epochs=2", "--profile", "--trace", "trace.json")["run"]
    check(weights(home.last(plain)) == weights(home.last(measured)), "weights and optimizer state are those of a run that is not measured")
    check(home.history(plain) == home.history(measured), "so is the history")


def strict(path):
    def refuse(word):
        raise ValueError(word)

    with open(path) as file:
        return json.load(file, parse_constant=refuse)


def test_the_trace_shows_epochs_kernels_and_checkpoints(home):
    result = home.json("train", DIGITS, "--set", "fit.epochs=3", "--trace", "trace.json")
    check("profile" not in result and not os.path.exists(os.path.join(result["dir"], "profile.json")), "--trace alone leaves no profile")
    trace = strict(os.path.join(home.folder, "trace.json"))
    events = [e for e in trace["traceEvents"] if e["ph"] == "X"]
    names = [e["name"] for e in events]
    check([f"epoch {n}" in names for n in (1, 2, 3)] == [True] * 3, "every epoch")
    check(sum(n.startswith("checkpoint of epoch") for n in names) == 3, "every checkpoint that was written")
    check(sum(n.startswith("validation of epoch") for n in names) == 3, "every validation")
    check(names.count("matmul") > 5 * result["step"], "every product")
    check(all(e["dur"] >= 0 and e["ts"] >= 0 for e in events), "times run forward")
    epoch = next(e for e in events if e["name"] == "epoch 2")
    inside = [e for e in events if e["name"] == "matmul" and epoch["ts"] <= e["ts"] <= epoch["ts"] + epoch["dur"]]
    check(len(inside) >= 5 * result["step"] // 3, "an epoch's products lie within it")
    check(set(trace["otherData"].values()) == {0}, "nothing was dropped")


def test_the_trace_shows_the_threads(home):
    wide = home.config("wide", {"data": {"format": "synthetic", "name": "moons", "samples": 4000}, "model": {"layers": [
        {"class": "Dense", "units": 512, "activation": "relu"}, {"class": "Dense", "units": 512, "activation": "relu"}, {"class": "Dense", "units": 1}]},
        "compile": {"optimizer": "adam", "loss": "mse"}, "fit": {"epochs": 2, "batch_size": 256}})
    home.json("train", wide, "--trace", "wide.json", "--threads", "2")
    events = strict(os.path.join(home.folder, "wide.json"))["traceEvents"]
    lanes = {e["tid"]: e["args"]["name"] for e in events if e["name"] == "thread_name"}
    kernels = [e for e in events if e["ph"] == "X" and lanes[e["tid"]] == "training" and e["name"] == "matmul"]
    parts = [e for e in events if e["ph"] == "X" and lanes[e["tid"]] == "thread 1" and e["name"] == "matmul"]
    check(len(kernels) >= len(parts) >= 32, f"the first thread works on a product in each of 32 steps: {len(parts)} of {len(kernels)}")
    check(all(e["args"]["layer"] for e in parts), "parts are named after their kernels, with the layer")


def test_a_long_trace_is_bounded(home):
    config = home.config("long", {"data": {"format": "synthetic", "name": "moons", "samples": 20000}, "model": {"layers": [{"class": "Dense", "units": 1}]},
                                  "compile": {"optimizer": "sgd", "loss": "mse"}, "fit": {"epochs": 2, "batch_size": 1}})
    run = home.json("train", config, "--trace", "long.json")["run"]
    trace = strict(os.path.join(home.folder, "long.json"))
    dropped = trace["otherData"]["dropped_kernels"]
    kernels = [e for e in trace["traceEvents"] if e["ph"] == "X" and e["tid"] == 1 and "epoch" not in e["name"]]
    check(dropped > 0 and len(kernels) <= 160000, f"{len(kernels)} kernels are kept, {dropped} dropped")
    check("epoch 2" in [e["name"] for e in trace["traceEvents"]], "the last epoch is there all the same")
    with open(os.path.join(home.dir(run), "history.log"), "rb") as file:
        check(b"later ones are not in it" in file.read(), "the history says that something was dropped")


def test_a_trace_that_cannot_be_written_is_refused_before_the_run(home):
    runs = home.ids()
    status, _, err = home.antler("train", DIGITS, "--trace", "nowhere/trace.json", ok=False)
    check(status != 0 and "nowhere/trace.json" in err, f"the error names the file: {err.strip()}")
    check(home.ids() == runs, "no run was made")


def test_resume_has_them_too(home):
    run = home.json("train", DIGITS, "--set", "fit.epochs=1")["run"]
    result = home.json("resume", run, "--epochs", "2", "--profile")
    check(result["profile"]["train"]["steps"] == result["step"] // 2, "only the steps of the second epoch")


def test_check_knows_the_memory(home):
    memory, config = home.json("check", DIGITS)["memory"], home.json("train", DIGITS, "--set", "fit.epochs=2", "--profile")["profile"]["memory"]
    check({k: v for k, v in config.items() if k != "peak"} == memory, "check expects what the profile does")


if __name__ == "__main__":
    home = Home()
    try:
        for name, test in list(globals().items()):
            if name.startswith("test_"):
                test(home)
    finally:
        home.close()
    done()
