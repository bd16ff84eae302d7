"""The queue of a home: every run that waits is started once and only once, by whoever ends or looks, whoever is killed at whatever
moment; and what a person changes about it holds."""
import json
import os
import random
import shutil
import signal
import subprocess
import threading
import time

from runs import ANTLER, BUILD, Home, check, run_tests, weights
from test_every_write import preload

TABLE = {"format": "synthetic", "name": "moons", "samples": 60, "noise": 0.2}
BASE = {"seed": 3, "data": TABLE, "model": {"layers": [{"class": "Dense", "units": 4, "activation": "relu"}, {"class": "Dense", "units": 1, "activation": "sigmoid"}]},
        "compile": {"optimizer": "adam", "loss": "binary_crossentropy"}, "fit": {"epochs": 2, "batch_size": 16}, "keep": 1}
LONG = {**BASE, "fit": {"epochs": 100000, "batch_size": 16}}


def queued_home(n, config=BASE, held=True, slots=1):
    home = Home()
    path = home.config("tiny", config)
    os.makedirs(home.home)
    if held:
        home.antler("queue", "hold")
    if slots != 1:
        home.antler("queue", "--slots", slots)
    runs = [home.antler("train", path, "--queue", "--name", f"r{k}")[1].strip() for k in range(n)]
    return home, runs


def run_json(home, run):
    with open(os.path.join(home.dir(run), "run.json")) as f:
        return json.load(f)


def wait_until(condition, what, seconds=60, pause=0.02):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if condition():
            return
        time.sleep(pause)
    check(False, f"{what} within {seconds} s")


def states(home, runs):
    return [run_json(home, r)["state"] for r in runs]


def waiting(home):
    return [w["run"] for w in home.json("queue")["waiting"]]


def started_once(home, run, what):
    """One start in the history, one change to running: nobody else began it and it was not begun twice."""
    changes = [c["state"] for c in run_json(home, run)["changes"]]
    with open(os.path.join(home.dir(run), "history.log"), "rb") as f:
        starts = f.read().count(b'"started"')
    check(changes.count("running") == 1 and starts == 1, f"{what}: {run} was started {starts} times: {changes}")


def spans(home, runs):
    """When each ran: (begin, end), in the order of their begin."""
    all = []
    for run in runs:
        at = {c["state"]: c["time"] for c in run_json(home, run)["changes"]}
        all.append((at["running"], at.get("finished", at.get("failed")), run))
    return sorted(all)


def test_they_run_in_order_with_nobody_looking():
    home, runs = queued_home(4)
    try:
        check(states(home, runs) == ["queued"] * 4, "a held queue starts nothing")
        home.antler("queue", "move", runs[3], "first")
        home.antler("queue", "move", runs[0], "down")
        check(waiting(home) == [runs[3], runs[1], runs[0], runs[2]], f"the order is {waiting(home)}")
        home.antler("queue", "release")
        wait_until(lambda: states(home, runs) == ["finished"] * 4, "one ends and starts the next")
        ran = spans(home, runs)
        check([r for _, _, r in ran] == [runs[3], runs[1], runs[0], runs[2]], "they run in the order of the queue")
        check(all(a[1] <= b[0] for a, b in zip(ran, ran[1:])), "never two at a time")
        for run in runs:
            started_once(home, run, "one after the other")
    finally:
        home.close()


def test_many_lookers_and_killed_ones_start_each_run_once():
    home, runs = queued_home(12, slots=3)
    stop = threading.Event()
    rng = random.Random(7)

    def look(kills):
        while not stop.is_set():
            p = subprocess.Popen([ANTLER, "list"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=home.folder, env=dict(os.environ, ANTLER_HOME=home.home))
            if kills:
                time.sleep(rng.random() * 0.01)
                p.kill()
            p.wait()

    try:
        home.antler("queue", "hold")
        lookers = [threading.Thread(target=look, args=(k % 2 == 0,)) for k in range(6)]
        for t in lookers:
            t.start()
        subprocess.run([ANTLER, "queue", "release"], env=dict(os.environ, ANTLER_HOME=home.home), cwd=home.folder)
        wait_until(lambda: states(home, runs) == ["finished"] * 12, "all have finished")
        stop.set()
        for t in lookers:
            t.join()
        for run in runs:
            started_once(home, run, "many lookers")
        ran = spans(home, runs)
        most = max(sum(b <= begin < e for b, e, _ in ran) for begin, _, _ in ran)
        check(most <= 3, f"{most} ran at the same time, expected at most 3")
    finally:
        stop.set()
        home.close()


def test_a_looker_that_dies_before_any_of_its_calls_neither_loses_nor_doubles():
    at, died = 1, True
    home, runs = queued_home(1)
    try:
        home.antler("queue", "hold")
        while died:
            home.antler("list")  # what is new is in the index: the next look does nothing but start
            with open(os.path.join(home.home, "queue.json")) as f:
                order = json.load(f)
            order["held"] = False
            with open(os.path.join(home.home, "queue.json"), "w") as f:
                json.dump(order, f)
            died = home.antler("list", ok=False, environment={"LD_PRELOAD": preload(), "KILL_AT": str(at), "KILL_NAME": "antler"})[0] != 0
            time.sleep(0.02)
            home.antler("list")
            wait_until(lambda: states(home, runs[-1:]) == ["finished"], f"dead before call {at}: the run still finishes", 20)
            started_once(home, runs[-1], f"dead before call {at}")
            home.antler("queue", "hold")
            runs.append(home.antler("train", os.path.join(home.folder, "tiny.json"), "--queue")[1].strip())
            at += 1
        check(at > 4, f"only {at} places to die at")
    finally:
        home.close()


def test_a_killed_worker_leaves_the_queue_to_whoever_looks():
    home, runs = queued_home(2, {**BASE, "fit": {"epochs": 5000, "batch_size": 4}})
    try:
        home.antler("queue", "release")
        wait_until(lambda: states(home, runs[:1]) == ["running"], "the first one runs", pause=0.002)
        home.kill(runs[0])
        wait_until(lambda: not os.path.exists(f"/proc/{home.pid(runs[0])}") or home.state(runs[0]) == "interrupted", "it is dead")
        home.antler("list")
        wait_until(lambda: home.state(runs[1]) in ("running", "finished"), "the next one starts with the next look")
        check(home.state(runs[0]) == "interrupted", f"the killed one is {home.state(runs[0])}")
        wait_until(lambda: home.state(runs[1]) == "finished", "and finishes")
        reference = home.json("train", os.path.join(home.folder, "tiny.json"))["run"]
        home.antler("resume", runs[0], "--queue")
        wait_until(lambda: home.state(runs[0]) == "finished", "resumed through the queue it finishes")
        check(home.history(runs[0]) == home.history(reference), "with the history of an uninterrupted run")
        check(weights(home.last(runs[0])) == weights(home.last(reference)), "and its weights")
    finally:
        home.close()


def test_workers_killed_while_they_start_are_tried_again_and_given_up():
    home, runs = queued_home(2, held=True)
    try:
        env = {"LD_PRELOAD": preload(), "KILL_AT": "8", "KILL_NAME": "antler-worker"}
        home.antler("queue", "release", environment=env)
        wait_until(lambda: home.antler("list", environment=env) and run_json(home, runs[0])["state"] != "queued",
                   f"after several tries it is given up: {run_json(home, runs[0])}", 20)
        error = run_json(home, runs[0])["error"]
        check(error and "before training had begun" in error, f"and says so, not {error}")
        home.antler("list")
        wait_until(lambda: home.state(runs[1]) in ("finished", "failed"), "the next one is not held up")
    finally:
        home.close()


def test_one_that_fails_at_once_does_not_stop_the_others():
    home = Home()
    try:
        with open(os.path.join(home.folder, "d.csv"), "w") as f:
            f.write("a,b\n" + "".join(f"{k % 5},{k % 2}\n" for k in range(40)))
        doomed = home.config("doomed", {**BASE, "data": {"format": "csv", "path": "d.csv"}})
        fine = home.config("fine", BASE)
        os.makedirs(home.home)
        home.antler("queue", "hold")
        a = home.antler("train", doomed, "--queue")[1].strip()
        b = home.antler("train", fine, "--queue")[1].strip()
        os.unlink(os.path.join(home.folder, "d.csv"))
        home.antler("queue", "release")
        wait_until(lambda: home.state(b) == "finished", "the next one runs")
        check(run_json(home, a)["state"] == "failed" and "d.csv" in run_json(home, a)["error"], f"the first says why: {run_json(home, a)['error']}")
    finally:
        home.close()


def test_what_a_person_changes_holds():
    home, runs = queued_home(4)
    try:
        home.antler("queue", "edit", runs[1], "--set", "fit.epochs=5")
        status, _, err = home.antler("queue", "edit", runs[1], "--set", "fit.epoch=5", ok=False)
        check(status == 2 and "epochs" in err, f"a wrong key is refused: {err}")
        status, _, err = home.antler("queue", "move", runs[1], "1", "--name", "no", ok=False)
        check(status == 2 and "--name" in err, f"an option that means nothing there is refused: {err}")
        named = home.antler("queue", "add", *[home.config("tiny", BASE)] * 2, "--name", "both")[1].split()
        check([home.show(run)["name"] for run in named] == ["both-1", "both-2"], "several of one name are numbered")
        home.antler("queue", "remove", *named)
        home.antler("stop", runs[0])
        check(home.state(runs[0]) == "stopped", "stop takes it out of the queue")
        home.antler("queue", "start", runs[3])
        wait_until(lambda: home.state(runs[3]) == "finished", "start starts it although the queue is held")
        check(waiting(home) == [runs[1], runs[2]], f"{waiting(home)} wait")
        home.antler("queue", "release")
        wait_until(lambda: states(home, runs[1:3]) == ["finished"] * 2, "the rest follows")
        check(home.show(runs[1])["epoch"] == 5, "with the changed number of epochs")
        child = home.antler("resume", runs[1] + ":last", "--queue", "--epochs", 8)[1].strip()
        wait_until(lambda: home.state(child) == "finished", "a branch waits and starts like any other")
        check(home.show(child)["epoch"] == 8 and home.show(child)["parent"]["run"] == runs[1], "from its parent")
        status, _, err = home.antler("queue", "remove", child, ok=False)
        check(status == 1 and "finished" in err, f"what does not wait cannot be taken out: {err}")
    finally:
        home.close()


def test_a_lost_order_is_made_anew_and_a_copied_home_starts_nothing():
    home, runs = queued_home(2)
    try:
        shutil.copytree(home.home, home.home + "-copy")
        os.unlink(os.path.join(home.home + "-copy", "queue.json"))
        home.antler("--home", home.home + "-copy", "queue")
        time.sleep(0.3)
        with open(os.path.join(home.home + "-copy", runs[0], "run.json")) as f:
            check(json.load(f)["state"] == "queued", "a copy is not started by looking")
        with open(os.path.join(home.home, "queue.json"), "w") as f:
            f.write("{ damaged")
        home.antler("queue")
        wait_until(lambda: states(home, runs) == ["finished"] * 2, "the order is made anew from the runs")
        for run in runs:
            started_once(home, run, "a lost order")
    finally:
        home.close()


def test_a_hostile_order_leads_nowhere():
    home, runs = queued_home(1)
    try:
        other, elsewhere = queued_home(1)
        with open(os.path.join(home.home, "queue.json"), "w") as f:
            json.dump({"held": False, "waiting": [1, None, "x", {"run": ""}, {"run": "."}, {"run": ".."}, {"run": f"../../{os.path.basename(other.folder)}/runs/{elsewhere[0]}"},
                                                  {"run": "trash"}, {"run": "nobody", "device": 7}, {"run": runs[0], "device": "cuda:99999999999"}]}, f)
        home.antler("list")
        home.antler("queue")
        wait_until(lambda: states(home, runs) == ["finished"], "the run of this home is started")
        check(states(other, elsewhere) == ["queued"], "a run of another home is not")
        check(not os.path.exists(os.path.join(home.home, "lock")), "the home is no run")
        other.close()
    finally:
        home.close()


def test_a_run_started_by_hand_keeps_its_place():
    home = Home()
    try:
        long = home.detach("train", home.config("long", LONG))
        waits = home.antler("train", home.config("tiny", BASE), "--queue")[1].strip()
        time.sleep(0.2)
        check(home.state(waits) == "queued", "what was started by hand counts too")
        home.antler("stop", long)
        wait_until(lambda: home.state(waits) == "finished", "and when it is stopped the next one starts")
    finally:
        home.close()


if __name__ == "__main__":
    run_tests(globals())
