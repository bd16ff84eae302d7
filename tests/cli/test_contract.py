"""The contract of --json, key by key, on real runs of the shipped examples: exactly one JSON document on stdout and nothing else there, strict
JSON (no bare NaN), the keys that scripts rely on with their types, and numbers that agree from one command to the next."""
import json
import math
import os

from runs import Home, check, done

CONFIGS = os.path.join(os.environ["ANTLER_SOURCE"], "configs")
STATES = "queued running paused finished stopped failed interrupted".split()


# ---- types: a predicate each; an object is {key: type}, every one of which must be there ----
def text(v):
    return isinstance(v, str)


def whole(v):
    return isinstance(v, int) and not isinstance(v, bool)


def number(v):
    return (isinstance(v, (int, float)) and not isinstance(v, bool) and math.isfinite(v)) or v in ("NaN", "Infinity", "-Infinity")


def truth(v):
    return isinstance(v, bool)


def state(v):
    return v in STATES


def anything(v):
    return True


def or_null(inner):
    return lambda v: v is None or fits(v, inner) is None


def any_shape(v):
    return number(v) or (isinstance(v, list) and all(any_shape(x) for x in v))


class Map:
    """An object whose keys are names of metrics or outputs."""

    def __init__(self, inner, at_least=1):
        self.inner, self.at_least = inner, at_least


def fits(value, kind, place=""):
    """None, or where and why value is not of this kind."""
    if isinstance(kind, Map):
        if not isinstance(value, dict) or len(value) < kind.at_least:
            return f"{place}: {value!r} has fewer than {kind.at_least} entries"
        return next((why for k, v in value.items() if (why := fits(v, kind.inner, f"{place}.{k}"))), None)
    if isinstance(kind, dict):
        if not isinstance(value, dict):
            return f"{place}: {value!r} is no object"
        missing = [k for k in kind if k not in value]
        return f"{place}: {missing} are missing in {sorted(value)}" if missing else next((why for k, t in kind.items() if (why := fits(value[k], t, f"{place}.{k}"))), None)
    if isinstance(kind, list):
        if not isinstance(value, list):
            return f"{place}: {value!r} is no array"
        return next((why for i, v in enumerate(value) if (why := fits(v, kind[0], f"{place}[{i}]"))), None)
    return None if kind(value) else f"{place}: {str(value)[:80]!r} is not {getattr(kind, '__name__', 'of its type')}"


TRAINED = {"run": text, "dir": text, "state": state, "epoch": whole, "epochs": whole, "step": whole, "metrics": Map(number)}
RUN = {"run": text, "name": text, "state": state, "epoch": whole, "epochs": whole, "step": whole, "created": number, "duration_s": number, "learning_rate": or_null(number), "device": text,
       "tags": [text], "parent": or_null({"run": text, "checkpoint": text}), "last": Map(number), "best": Map({"value": number, "epoch": whole}, 0)}
SHOWN = {**RUN, "config": Map(anything), "error": or_null(text)}
HISTORY = {"run": text, "metrics": Map({"epoch": [whole], "step": [whole], "time": [number], "value": [number]})}
CHECKPOINT = {"checkpoint": text, "path": text, "epoch": whole, "step": whole, "created": number, "size_bytes": whole, "weights_only": truth, "best": truth, "metrics": Map(number)}
EVALUATED = {"checkpoint": text, "samples": whole, "metrics": Map(number)}
PREDICTED = {"checkpoint": text, "samples": whole, "outputs": Map(any_shape)}
INSPECTED = {"file": text, "format": text, "keras_version": text, "model": {"class": text, "name": text, "inputs": anything, "outputs": anything},
             "layers": [{"name": text, "class": text, "output_shape": anything, "params": whole, "trainable": truth}], "params": whole, "optimizer": or_null(Map(anything)),
             "weights": [{"path": text, "shape": [whole], "dtype": text}], "problems": [text]}
COMPARED = {"runs": [text], "config": [{"key": text, "values": [anything]}], "metrics": [{"name": text, "last": [or_null(number)], "best": [or_null(number)], "best_epoch": [or_null(whole)]}]}


def no_constant(word):
    raise ValueError(f"bare {word} is no JSON")


def ask(home, kind, *arguments):
    """Runs a command with --json; checks that stdout is one document of this kind."""
    what = "antler " + " ".join(map(str, arguments))
    status, out, err = home.antler(*arguments, "--json")
    try:
        value = json.loads(out, parse_constant=no_constant)
    except ValueError as error:
        check(False, f"{what}: stdout is no single JSON document ({error}): {out[:200]!r}")
        return None
    check(out.endswith("\n") and "\x1b" not in out and "\r" not in out, f"{what}: only the document and a line end on stdout")
    why = fits(value, kind)
    check(why is None, f"{what}: {why}")
    return value


def test_training(home):
    mlp = ask(home, TRAINED, "train", os.path.join(CONFIGS, "digits-mlp.json"), "--set", "fit.epochs=3", "--tag", "first")
    check(mlp["state"] == "finished" and mlp["epoch"] == mlp["epochs"] == 3 and os.path.isdir(os.path.join(home.folder, mlp["dir"])), f"train: {mlp}")
    wine = ask(home, TRAINED, "train", os.path.join(CONFIGS, "wine-regression.json"), "--set", "fit.epochs=4")
    ask(home, TRAINED, "train", os.path.join(CONFIGS, "digits-cnn-functional.json"), "--set", "fit.epochs=1")
    ask(home, TRAINED, "train", os.path.join(CONFIGS, "moons.yaml"), "--set", "fit.epochs=2")
    child = ask(home, TRAINED, "resume", f"{mlp['run']}:2", "--epochs", "4", "--name", "child", "--set", "compile.optimizer.learning_rate=0.01")
    check(child["run"] != mlp["run"] and child["epoch"] == 4, f"a branch is a new run: {child}")
    longer = ask(home, TRAINED, "resume", mlp["run"], "--epochs", "5")
    check(longer["run"] == mlp["run"] and longer["epoch"] == 5, f"a run goes on in place: {longer}")
    wild = ask(home, TRAINED, "train", os.path.join(CONFIGS, "digits-mlp.json"), "--name", "wild", "--set", 'compile.optimizer={"class": "SGD", "learning_rate": 1e30}',
               "--set", "fit.epochs=2")
    check(wild["metrics"]["loss"] == "NaN", f"NaN is the string: {wild['metrics']}")
    return longer, wine, child, wild


def test_reading(home, mlp, child, wild):
    runs = ask(home, [RUN], "list")
    check(len(runs) == 6 and runs == sorted(runs, key=lambda r: -r["created"]), "list has all runs, newest first")
    by_id = {r["run"]: r for r in runs}
    check(by_id[mlp["run"]]["tags"] == ["first"] and by_id[mlp["run"]]["parent"] is None, "a run has its tags and no parent")
    check(by_id[child["run"]]["parent"]["run"] == mlp["run"], f"a branch names its parent: {by_id[child['run']]['parent']}")
    check(by_id[mlp["run"]]["last"] == mlp["metrics"], "list and train agree on the last metrics")
    check(all(b["value"] not in ("NaN", "Infinity") for r in runs for b in r["best"].values()), "a best value is finite")
    check(ask(home, [RUN], "list", "state:finished", "name:wild")[0]["last"]["loss"] == "NaN", "list writes NaN as a string")
    check(ask(home, [RUN], "list", "name:nobody") == [], "nothing found is an empty array")
    shown = ask(home, SHOWN, "show", mlp["run"])
    check({k: shown[k] for k in RUN} == by_id[mlp["run"]] and shown["error"] is None and shown["config"]["fit"]["epochs"] == 5, "show is an entry of list and more")
    check("NaN" in ask(home, HISTORY, "history", wild["run"])["metrics"]["loss"]["value"], "history writes NaN as a string")
    history = ask(home, HISTORY, "history", mlp["run"])["metrics"]
    check(history["val_loss"]["epoch"] == [1, 2, 3, 4, 5] and history["val_loss"]["step"] == sorted(history["val_loss"]["step"]), "epochs count from 1")
    check(all(len({len(column) for column in series.values()}) == 1 for series in history.values()), "the columns of a metric are equally long")
    inherited = ask(home, HISTORY, "history", child["run"], "--metric", "loss")["metrics"]
    check(list(inherited) == ["loss"] and inherited["loss"]["epoch"] == [1, 2, 3, 4], "a branch has its parent's part up to the checkpoint")
    check(inherited["loss"]["value"][:2] == history["loss"]["value"][:2], "and it is the parent's")
    compared = ask(home, COMPARED, "compare", mlp["run"], child["run"])
    keys = {c["key"]: c["values"] for c in compared["config"]}
    check(compared["runs"] == [mlp["run"], child["run"]] and keys.get("compile.optimizer.learning_rate") == [0.001, 0.01], f"compare shows what differs: {keys}")
    check(all(len({json.dumps(v) for v in c["values"]}) > 1 for c in compared["config"]), "and only that")
    check(len(ask(home, COMPARED, "compare", mlp["run"], child["run"], "--all")["config"]) > len(keys), "--all shows the rest too")


def test_checkpoints(home, mlp, wine):
    for run in (mlp, wine):
        list_ = ask(home, [CHECKPOINT], "checkpoints", run["run"])
        check(sum(c["best"] for c in list_) == 1 and [c["epoch"] for c in list_] == sorted(c["epoch"] for c in list_), "one is the best, oldest first")
        check(all(os.path.getsize(os.path.join(home.folder, c["path"])) == c["size_bytes"] for c in list_), "path and size are those of the file")
        for name in ("best", "last", str(list_[0]["epoch"])):
            on = ask(home, EVALUATED, "evaluate", f"{run['run']}:{name}", "--split", "validation")
            entry = next(c for c in list_ if {"best": c["best"], "last": c is list_[-1]}.get(name, str(c["epoch"]) == name))
            check(all(on["metrics"][k] == entry["metrics"][f"val_{k}"] for k in on["metrics"]), f"evaluate {name} gives what was recorded: {on['metrics']} {entry['metrics']}")
        inspected = ask(home, INSPECTED, "inspect", os.path.join(home.folder, list_[-1]["path"]))
        check(inspected["problems"] == [] and sum(layer["params"] for layer in inspected["layers"]) == inspected["params"], f"inspect: {inspected['problems']}")
    predicted = ask(home, PREDICTED, "predict", f"{mlp['run']}:last", "--input", "test[0:3]")
    values = list(predicted["outputs"].values())[0]
    check(predicted["samples"] == 3 and len(values) == 3 and all(abs(sum(row) - 1) < 1e-5 for row in values), "predict gives a probability per class and sample")
    path = os.path.join(home.folder, "p.npy")
    to_file = ask(home, {"checkpoint": text, "samples": whole, "file": text}, "predict", f"{mlp['run']}:last", "--input", "test[0:3]", "--output", path)
    check("outputs" not in to_file and os.path.exists(path), f"with --output the values go to the file: {to_file}")


def test_other_documents(home, mlp):
    config = os.path.join(CONFIGS, "digits-cnn.json")
    ask(home, {"config": Map(anything), "model": Map(anything), "params": whole, "memory_bytes": whole, "data": Map(anything), "warnings": [text]}, "check", config)
    ask(home, {"sandbox": Map(anything), "devices": [{"name": text, "available": truth}], "warnings": [text]}, "doctor")
    again = os.path.join(home.folder, "h.csv")
    with open(again, "w") as file:
        file.write("epoch,loss\n0,1.5\n1,nan\n")
    ask(home, [{"run": text, "file": text}], "import", again, os.path.join(home.folder, ask(home, [CHECKPOINT], "checkpoints", mlp["run"])[0]["path"]))
    detached = ask(home, {**TRAINED, "metrics": Map(number, 0)}, "train", os.path.join(CONFIGS, "moons.yaml"), "--set", "fit.epochs=100000", "--set", "keep=2", "--detach")
    for command in ("pause", "continue", "checkpoint", "stop"):
        ask(home, {"run": text, "command": text, "ok": truth}, command, detached["run"])


def test_errors_print_no_document(home, mlp):
    for status, arguments in ((3, ("show", "nobody")), (2, ("train", "nowhere.json")), (3, ("evaluate", f"{mlp['run']}:77")), (4, ("inspect", os.path.join(CONFIGS, "wine.csv"))),
                              (2, ("list", "--sorted")), (6, ("train", os.path.join(CONFIGS, "moons.yaml"), "--device", "abacus"))):
        code, out, err = home.antler(*arguments, "--json", ok=False)
        check(code == status and not out and len(err.strip().splitlines()) == 1, f"antler {' '.join(arguments)}: exit status {code}, expected {status}; {out!r} {err!r}")


home = Home()
try:
    mlp, wine, child, wild = test_training(home)
    test_reading(home, mlp, child, wild)
    test_checkpoints(home, mlp, wine)
    test_other_documents(home, mlp)
    test_errors_print_no_document(home, mlp)
finally:
    home.close()
done()
