"""The reading command line on homes that this script writes itself (home.py): JSON keys, exit codes, texts. Only the built antler is run."""
import json
import os
import subprocess
import sys
import tempfile

from home import Log, simple_log, write_run
from work_folder import WorkFolder

ANTLER = os.path.join(os.environ["ANTLER_BUILD"], "antler")
failures = 0


def check(condition, what):
    global failures
    if not condition:
        failures += 1
        print("FAILED:", what)


def antler(home, *arguments, status=0, env=None):
    environment = {k: v for k, v in os.environ.items() if k not in ("ANTLER_HOME", "NO_COLOR")}
    environment.update(env or {})
    done = subprocess.run([ANTLER, "--home", home, *arguments], capture_output=True, env=environment, stdin=subprocess.DEVNULL)
    out, err = done.stdout.decode(), done.stderr.decode()
    check(done.returncode == status, f"antler {arguments}: exit {done.returncode}, expected {status}: {err}")
    if status:
        check(err.startswith("antler: ") and err.count("\n") == 1, f"antler {arguments}: one line on stderr, found {err!r}")
    return out, err


def answer(home, *arguments):
    out, err = antler(home, *arguments, "--json")
    check(err == "", f"{arguments}: nothing on stderr with --json, found {err!r}")
    return json.loads(out, parse_constant=lambda word: check(False, f"bare {word} in JSON"))


def fill(home):
    write_run(home, "2026-11-23_10-00-00_mlp", "mlp", log=simple_log(3), checkpoints=["epoch-0002.keras", "epoch-0003.keras"], tags=["t", "u"],
              config={"name": "mlp", "fit": {"epochs": 3}, "seed": 1, "compile": {"optimizer": {"class": "Adam", "learning_rate": 0.001}}}, created=1e9)
    log = simple_log(2, 2.0)
    log.metrics(3, 30, 1.7e9 + 3, {"loss": float("nan"), "val_loss": float("inf")})
    write_run(home, "2026-11-23_10-00-01_mlp", "mlp", state="failed", error="loss became NaN at step 30", log=log, created=1.1e9,
              config={"name": "mlp", "fit": {"epochs": 9}, "seed": 1, "compile": {"optimizer": {"class": "Adam", "learning_rate": 0.01}}})
    child = Log()
    child.metrics(3, 30, 1.7e9 + 9, {"loss": 0.25})
    write_run(home, "2026-11-24_child", "child", state="running", log=child, created=1.2e9, worker={"pid": 1, "host": "x"},
              parent={"run": "2026-11-23_10-00-00_mlp", "checkpoint": "epoch-0002.keras", "epoch": 2, "step": 20})
    os.makedirs(os.path.join(home, "not-a-run"), exist_ok=True)


def test_list(home):
    runs = answer(home, "list")
    check([r["run"] for r in runs] == ["2026-11-24_child", "2026-11-23_10-00-01_mlp", "2026-11-23_10-00-00_mlp"], "newest first")
    keys = {"run", "name", "state", "epoch", "epochs", "step", "created", "duration_s", "device", "tags", "parent", "last", "best"}
    check(all(keys <= set(r) for r in runs), "keys of list")
    check([r["state"] for r in runs] == ["interrupted", "failed", "finished"], "a running run without a lock is interrupted")
    mlp, nan = runs[2], runs[1]
    check((mlp["epoch"], mlp["epochs"], mlp["step"], mlp["tags"], mlp["duration_s"]) == (3, 3, 30, ["t", "u"], 102), "numbers of list")
    check(mlp["best"]["loss"] == {"value": 1 / 3, "epoch": 3} and mlp["last"]["loss"] == 1 / 3, "last and best")
    check(mlp["best"]["accuracy"]["epoch"] == 3, "accuracy is better upwards")
    check(nan["last"]["loss"] == "NaN" and nan["last"]["val_loss"] == "Infinity" and nan["best"]["loss"]["value"] == 1.0, "NaN is a string, best never NaN")
    check(runs[0]["parent"]["run"] == "2026-11-23_10-00-00_mlp" and mlp["parent"] is None, "parent")
    check([r["run"][-9:] for r in answer(home, "list", "--sort", "config.compile.optimizer.learning_rate")][:2] == ["00-00_mlp", "00-01_mlp"], "sort")
    check([r["last"]["loss"] for r in answer(home, "list", "--sort", "loss")] == [0.25, 1 / 3, "NaN"], "sort by a metric")
    check([r["last"]["loss"] for r in answer(home, "list", "--sort=-loss")][:2] == [1 / 3, 0.25], "reversed")
    check([r["name"] for r in answer(home, "list", "best.loss<0.3")] == ["child"], "filter")
    check(len(answer(home, "list", "state:finished", "OR", "-mlp")) == 2, "filter of several words")
    check(answer(home, "list", "nothing") == [], "an empty list is a list")
    out, _ = antler(home, "list")
    check("loss became NaN" in out and "3/3" in out and "\x1b" not in out, "the table")
    out2, _ = antler(home)
    check(out2 == out, "without a terminal and a command: the list")
    _, err = antler(home, "list", "best.val_loss<", status=2)
    check("column 15" in err, "the error points at the column")
    antler(home, "list", "--sort", "lss", status=2)


def test_show_and_find(home):
    shown = answer(home, "show", "child")
    check(shown["config"]["fit"] == {"epochs": 3} and shown["error"] is None and shown["run"] == "2026-11-24_child", "show")
    check(answer(home, "show", "2026-11-23_10-00-01_mlp")["error"] == "loss became NaN at step 30", "error of a run")
    check(answer(home, "show", "2026-11-24")["name"] == "child", "a unique prefix")
    _, err = antler(home, "show", "mlp", status=3)
    check("2026-11-23_10-00-00_mlp" in err and "2026-11-23_10-00-01_mlp" in err, "candidates are named")
    _, err = antler(home, "show", "2026-11-23", status=3)
    check("fits 2 runs" in err, "an ambiguous prefix")
    _, err = antler(home, "show", "chld", status=3)
    check("did you mean 'child'" in err, "the nearest name")
    out, _ = antler(home, "show", "child")
    check("interrupted" in out and "epoch-0002.keras" in out, "show for people")


def test_history(home):
    history = answer(home, "history", "child")
    loss = history["metrics"]["loss"]
    check(history["run"] == "2026-11-24_child" and set(loss) == {"epoch", "step", "time", "value"}, "keys of history")
    check(loss["epoch"] == [1, 2, 3] and loss["step"] == [10, 20, 30] and loss["value"] == [1.0, 0.5, 0.25], "the parent's part is included")
    check(history["metrics"]["val_loss"]["epoch"] == [1, 2], "and only up to the fork")
    failed = answer(home, "history", "2026-11-23_10-00-01", "--metric", "loss")
    check(failed["metrics"]["loss"]["value"] == [2.0, 1.0, "NaN"] and list(failed["metrics"]) == ["loss"], "--metric, NaN")
    out, _ = antler(home, "history", "2026-11-23_10-00-01", "--csv")
    check(out.splitlines()[0] == "epoch,step,time,loss,accuracy,val_loss" and out.splitlines()[3] == "3,30,1700000003.000000,NaN,,Infinity", f"csv {out}")
    antler(home, "history", "child", "--metric", "lss", status=2)
    antler(home, "history", "child", "--csv", "--json", status=2)


def test_checkpoints(home):
    list_ = answer(home, "checkpoints", "2026-11-23_10-00-00_mlp")
    keys = {"checkpoint", "path", "epoch", "step", "created", "size_bytes", "weights_only", "best", "metrics"}
    check([c["checkpoint"] for c in list_] == ["epoch-0002.keras", "epoch-0003.keras"], "only those that are there")
    check(all(keys <= set(c) and os.path.isfile(c["path"]) for c in list_), "keys of checkpoints")
    check([c["best"] for c in list_] == [False, True] and list_[1]["metrics"]["loss"] == 1 / 3, "best")
    check(answer(home, "checkpoints", "child") == [], "none")


def test_compare(home):
    a, b = "2026-11-23_10-00-00_mlp", "2026-11-23_10-00-01_mlp"
    compared = answer(home, "compare", a, b)
    check(compared["runs"] == [a, b], "runs of compare")
    check({c["key"]: c["values"] for c in compared["config"]} == {"compile.optimizer.learning_rate": [0.001, 0.01], "fit.epochs": [3, 9]},
          "only differing keys")
    loss = [m for m in compared["metrics"] if m["name"] == "loss"][0]
    check(loss == {"name": "loss", "last": [1 / 3, "NaN"], "best": [1 / 3, 1.0], "best_epoch": [3, 2]}, "metrics of compare")
    everything = answer(home, "compare", a, b, "--all")
    check({"seed", "name", "compile.optimizer.class"} <= {c["key"] for c in everything["config"]}, "--all")
    antler(home, "compare", a, status=2)
    antler(home, "compare", a, b)


def test_annotations(home):
    antler(home, "tag", "child", "new", "-t", "+new2")
    antler(home, "note", "child", "two", "words")
    shown = answer(home, "show", "child")
    check(shown["tags"] == ["new", "new2"] and shown["note"] == "two words", "tag and note")
    antler(home, "tag", "child", "-new")
    check(antler(home, "tag", "child")[0] == "new2\n", "tags are printed")
    check(antler(home, "note", "child")[0] == "two words\n", "the note is printed")
    antler(home, "delete", "child")
    antler(home, "show", "child", status=3)
    check("2026-11-24_child" in antler(home, "restore")[0], "the trash is listed")
    antler(home, "restore", "2026-11-24")
    antler(home, "delete", "child")
    antler(home, "restore", "child")
    check(answer(home, "show", "child")["tags"] == ["new2"], "restored")
    antler(home, "restore", "nothing", status=3)


def test_import(home):
    folder = tempfile.mkdtemp(dir=home)
    for name, text in (("a.csv", "epoch,loss\r\n0,1\r\n1,0.5\r\n"), ("b.csv", "epoch,loss\n0,3\n1,2\n0,30\n"), ("bad.csv", "epoch,loss\n0,x\n")):
        with open(os.path.join(folder, name), "w", newline="") as file:
            file.write(text)
    where = os.path.join(folder, "home")
    a, b = os.path.join(folder, "a.csv"), os.path.join(folder, "b.csv")
    antler(where, "import", a, b)
    check(answer(where, "history", "b")["metrics"]["loss"]["value"] == [30.0, 2.0], "the later of a repeated epoch counts")
    check(answer(where, "show", "a")["state"] == "finished", "an imported run is finished")
    antler(where, "import", a, os.path.join(folder, "bad.csv"), "--name", "x", status=4)
    check(len(answer(where, "list")) == 2, "all or nothing")
    antler(where, "import", os.path.join(folder, "none.csv"), status=3)
    antler(where, "import", a, "--name", "../../evil\x1b[31m name")
    check(len(answer(where, "list")) == 3 and not any("/" in r["run"] or "\x1b" in r["run"] for r in answer(where, "list")), "a hostile name")
    check("\x1b" not in antler(where, "list")[0], "nothing hostile reaches the terminal")


def test_usage(home):
    check(antler(home, "--version")[0].startswith("antler "), "version")
    for command in ("list", "show", "history", "checkpoints", "compare", "import", "tag", "note", "delete", "restore", "reindex"):
        check(f"antler {command}" in antler(home, command, "--help")[0], f"help of {command}")
        check(f"\n  {command} " in antler(home, "--help")[0], f"{command} is listed")
        for document in ("man", "bash", "zsh", "fish"):
            check(command in antler(home, "help", document)[0], f"{command} in {document}")
    check("did you mean 'list'" in antler(home, "lst", status=2)[1], "nearest command")
    check("did you mean '--json'" in antler(home, "list", "--jsn", status=2)[1], "nearest option")
    antler(home, "show", status=2)
    antler(home, "show", "a", "b", status=2)
    antler(home, "show", "-x", status=2)
    antler(home, "list", "--sort", status=2)
    antler(home, "reindex", "--json", status=2)
    check(answer(os.path.join(home, "nowhere"), "list") == [], "a home that does not exist is empty")
    check(not os.path.exists(os.path.join(home, "nowhere")), "and is not made by looking")
    antler(os.path.join(home, "2026-11-24_child", "run.json"), "list", status=2)
    antler(home, "reindex")
    with open("/dev/full", "w") as full:
        check(subprocess.run([ANTLER, "--home", home, "list"], stdout=full, stderr=subprocess.DEVNULL).returncode == 1, "a full standard output is told")


def test_bad_homes(home):
    bad = os.path.join(home, "bad-home")
    write_run(bad, "a", log=b"\x00\x01\x02garbage" * 30)
    write_run(bad, "b\x1b[31m\n", "name\x1b]0;x\x07", log=simple_log(2))
    for name, text in (("c", "{"), ("d", "[]"), ("e", '{"state": "flying"}'), ("f", '{"state": "finished", "changes": 3, "tags": {"a": 1}, "epoch": "x"}')):
        write_run(bad, name)
        with open(os.path.join(bad, name, "run.json"), "w") as file:
            file.write(text)
    write_run(bad, "g", log=simple_log(2), checkpoints=["epoch-0001.keras"])
    log = Log()
    log.checkpoint(1, 1, 1.0, "../../../etc/passwd")
    log.json(4, 1, 1, 1.0, ["no object"])
    log.bytes += b"\x05\x00\x00\x00" + b"\x00\x00\x00\x00" + b"abcde"
    write_run(bad, "h", log=log)
    runs = answer(bad, "list")
    check(len(runs) == 8, "every folder is listed")
    check(answer(bad, "checkpoints", "h") == [], "a path in a log is no checkpoint")
    check("\x1b" not in antler(bad, "list")[0] + antler(bad, "show", "g")[0], "no control characters")
    for run in runs:
        answer(bad, "show", run["run"])
        answer(bad, "history", run["run"])


def main():
    with WorkFolder() as home:
        fill(home)
        for test in (test_list, test_show_and_find, test_history, test_checkpoints, test_compare, test_annotations, test_import, test_usage, test_bad_homes):
            test(home)
    sys.exit(1 if failures else 0)


main()
