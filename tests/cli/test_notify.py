"""A person's own command is told what happens to a run, by the worker, with no screen open; it cannot harm the run, and it never comes
from a home or a config."""
import json
import os
import pty
import select
import time

from runs import ANTLER, Home, check, run_tests, weights

BASE = {"seed": 3, "data": {"format": "synthetic", "name": "moons", "samples": 80, "noise": 0.2, "validation_split": 0.2},
        "model": {"layers": [{"class": "Dense", "units": 4, "activation": "relu"}, {"class": "Dense", "units": 1, "activation": "sigmoid"}]},
        "compile": {"optimizer": "adam", "loss": "binary_crossentropy"}, "fit": {"epochs": 3, "batch_size": 16}}
FACTS = "EVENT RUN NAME DIR STATE EPOCH EPOCHS STEP METRIC VALUE BEST BEST_EPOCH ERROR TEXT".split()


def told(home, n, seconds=20):
    """The facts of the first n notices, as the command wrote them."""
    path = os.path.join(home.folder, "told")
    until = time.monotonic() + seconds
    notices = []
    while time.monotonic() < until and len(notices) < n:
        if os.path.exists(path):
            with open(path) as f:
                notices = [dict(zip(FACTS, line.rstrip("\n").split("\t"))) for line in f if line.endswith("\n")]
        time.sleep(0.02)
    check(len(notices) >= n, f"{n} notices expected, found {[x.get('EVENT') for x in notices]}")
    return notices + [{}] * n


def teller(home):
    """A command that appends a line of facts; the format is printf's, so that nothing in a fact is run."""
    return "printf '%s\\t%s\\t%s\\t%s\\t%s\\t%s\\t%s\\t%s\\t%s\\t%s\\t%s\\t%s\\t%s\\t%s\\n' " + " ".join(f'"$ANTLER_{f}"' for f in FACTS) + f" >> {home.folder}/told"


def own(home, **settings):
    folder = os.path.join(home.folder, "own", "antler")
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "settings.json"), "w") as f:
        json.dump({k.replace("_", "."): v for k, v in settings.items()}, f)
    return {"XDG_CONFIG_HOME": os.path.join(home.folder, "own")}


def test_the_end_of_a_run_is_told_with_its_facts():
    home = Home()
    try:
        env = {**own(home, notify_command=teller(home)), "ANTLER_EVENT": "failed", "ANTLER_ERROR": "of another run"}
        run = home.json("train", home.config("a", BASE), "--name", "a; touch $(pwd)/x `id`", environment=env)
        notice = told(home, 1)[0]
        check(notice.get("EVENT") == "finished" and notice.get("STATE") == "finished", f"{notice}")
        check(notice.get("ERROR") == "", "facts of another run are not inherited")
        check(notice.get("RUN") == run["run"] and notice.get("DIR") == os.path.realpath(home.dir(run["run"])), f"{notice}")
        check(notice.get("NAME") == "a; touch $(pwd)/x `id`", "a name is a fact, never a command")
        check((notice.get("EPOCH"), notice.get("EPOCHS"), notice.get("STEP")) == ("3", "3", "12"), f"{notice}")
        check(notice.get("METRIC") == "val_loss" and abs(float(notice["VALUE"]) - run["metrics"]["val_loss"]) < 1e-12, f"{notice}")
        check("has finished at epoch 3 of 3: val_loss" in notice.get("TEXT", ""), f"{notice}")
        check(int(notice.get("BEST_EPOCH", 0)) in (1, 2, 3), f"{notice}")
    finally:
        home.close()


def test_nan_and_failure_are_told_too():
    home = Home()
    try:
        env = own(home, notify_command=teller(home))
        diverging = {**BASE, "compile": {"optimizer": {"class": "SGD", "learning_rate": 1e30}, "loss": "mse"}}
        diverging["model"] = {"layers": [{"class": "Dense", "units": 4}, {"class": "Dense", "units": 1}]}
        home.antler("train", home.config("nan", diverging), environment=env)
        notices = told(home, 2)
        check([n.get("EVENT") for n in notices[:2]] == ["nan", "finished"], f"{notices}")
        check(notices[0].get("METRIC") in ("loss", "val_loss") and notices[0].get("VALUE") in ("NaN", "Infinity"), f"{notices[0]}")
        os.unlink(os.path.join(home.folder, "told"))
        with open(os.path.join(home.folder, "d.csv"), "w") as f:
            f.write("a,b\n" + "".join(f"{k % 5},{k % 2}\n" for k in range(40)))
        home.antler("queue", "hold")
        doomed = home.antler("train", home.config("doomed", {**BASE, "data": {"format": "csv", "path": "d.csv"}}), "--queue", environment=env)[1].strip()
        os.unlink(os.path.join(home.folder, "d.csv"))
        home.antler("queue", "release", environment=env)
        notice = told(home, 1)[0]
        check(notice.get("EVENT") == "failed" and notice.get("RUN") == doomed and "d.csv" in notice.get("ERROR", ""), f"{notice}")
    finally:
        home.close()


def test_a_new_best_value_is_told_when_it_is_wanted():
    home = Home()
    try:
        env = own(home, notify_command=teller(home), notify_best=True)
        home.antler("train", home.config("a", {**BASE, "fit": {"epochs": 4000, "batch_size": 16}, "keep": 1}), environment=env)
        notices = [n for n in told(home, 2) if n]
        best = [n for n in notices if n["EVENT"] == "best"]
        check(best and notices[-1]["EVENT"] == "finished", f"{[n['EVENT'] for n in notices]}")
        check(len(best) < 6, f"{len(best)} notices of new best values: they are told now and then")
        check(best and best[0]["VALUE"] == best[0]["BEST"] and best[0]["STATE"] == "running", f"{best[:1]}")
    finally:
        home.close()


def test_a_command_that_fails_is_a_line_of_the_log_and_nothing_else():
    home = Home()
    try:
        plain = home.json("train", home.config("a", BASE))["run"]
        for command, words in (("echo said; exit 3", "ended with 3"), ("kill -9 $$", "ended by signal 9"), ("/no/such/program", "ended with 127")):
            run = home.json("train", home.config("a", BASE), environment={"ANTLER_NOTIFY": command})
            check(run["state"] == "finished", f"{command}: {run['state']}")
            log = os.path.join(home.dir(run["run"]), "log.txt")
            until = time.monotonic() + 10
            while time.monotonic() < until and words not in open(log).read():
                time.sleep(0.02)
            check(words in open(log).read(), f"{command}: log.txt has {open(log).read()!r}")
            check(home.history(run["run"]) == home.history(plain) and weights(home.last(run["run"])) == weights(home.last(plain)), f"{command}: the run differs")
    finally:
        home.close()


def test_a_home_cannot_bring_a_command_along():
    home = Home()
    try:
        os.makedirs(home.home)
        with open(os.path.join(home.home, "settings.json"), "w") as f:
            json.dump({"notify.command": f"touch {home.folder}/harm"}, f)
        _, _, err = home.antler("train", home.config("a", BASE), environment={"XDG_CONFIG_HOME": home.folder})
        check("taken from your own settings only" in err, f"it says why nobody is told: {err!r}")
        status, _, err = home.antler("train", home.config("b", {**BASE, "notify": "touch harm"}), ok=False)
        check(status == 2 and "notify" in err, f"a config has no such key: {err}")
        time.sleep(0.2)
        check(not os.path.exists(os.path.join(home.folder, "harm")), "a command of the home was run")
    finally:
        home.close()


class Screen:
    """antler on a terminal of its own; all bytes it writes."""

    def __init__(self, home, **environment):
        env = {k: v for k, v in os.environ.items() if k not in ("TMUX", "NO_COLOR", "COLORTERM")}
        env.update(ANTLER_HOME=home.home, TERM="xterm-256color", LC_ALL="C.UTF-8", **environment)
        self.pid, self.fd = pty.fork()
        if not self.pid:
            os.chdir(home.folder)
            os.execve(ANTLER, [ANTLER], env)
        self.bytes = b""

    def read(self, what, seconds=20):
        until = time.monotonic() + seconds
        while what not in self.bytes and time.monotonic() < until:
            if select.select([self.fd], [], [], 0.05)[0]:
                try:
                    self.bytes += os.read(self.fd, 65536)
                except OSError:
                    break
        check(what in self.bytes, f"the terminal was not sent {what!r}; the end: {self.bytes[-300:]!r}")

    def close(self):
        os.write(self.fd, b"q")
        self.read(b"\033[23;0t")
        os.waitpid(self.pid, 0)
        os.close(self.fd)


def test_the_terminal_is_told_too():
    home = Home()
    try:
        env = own(home, notify_terminal="osc9", notify_bell=True)
        run = home.detach("train", home.config("slow", {**BASE, "fit": {"epochs": 1000000, "batch_size": 16}, "keep": 1}))
        screen = Screen(home, **env)
        screen.read(b"\033[22;0t")  # the person's own title is put aside
        screen.read(b"% slow - antler\033\\")
        home.antler("stop", run)
        screen.read(b"\033]9;slow was stopped")
        screen.read(b"\a")
        screen.read(b"\033]2;antler\033\\")
        screen.close()
        quiet = Screen(home, **own(home, notify_title=False))
        quiet.read(b"slow")
        os.write(quiet.fd, b"q")
        os.waitpid(quiet.pid, 0)
        check(b"\033]2;" not in quiet.bytes and b"\033[22;0t" not in quiet.bytes, "a title that was not wanted")
        os.close(quiet.fd)
    finally:
        home.close()


def test_what_the_machine_did_is_kept_beside_the_history():
    home = Home()
    try:
        run = home.detach("train", home.config("a", {**BASE, "fit": {"epochs": 1000000, "batch_size": 16}, "keep": 1}))
        until = time.monotonic() + 30
        metrics = {}
        while time.monotonic() < until and len(metrics.get("system/cpu", {}).get("value", [])) < 2:
            time.sleep(0.3)
            metrics = home.json("history", run, "--system")["metrics"]
        home.antler("stop", run)
        check(set(metrics) == {"system/cpu", "system/memory", "system/samples_per_s", "system/machine_cpu", "system/machine_memory"}, f"{sorted(metrics)}")
        check(all(v > 0 for v in metrics["system/memory"]["value"] + metrics["system/samples_per_s"]["value"]), f"{metrics}")
        check(not any(m.startswith("system") for m in home.json("history", run)["metrics"]), "the history itself has nothing of it")
        check(home.antler("plot", run, "--metric", "system/cpu")[1].count("system/cpu") > 0, "it can be drawn")
    finally:
        home.close()


if __name__ == "__main__":
    run_tests(globals())
