"""What the crash and command tests share: a home in a temporary folder, the built antler, and a look at what runs leave behind."""
import json
import os
import signal
import subprocess
import sys
import time
import zipfile

from work_folder import WorkFolder

BUILD = os.environ.get("ANTLER_BUILD", "build")
ANTLER = os.path.join(BUILD, "antler")
failures = []
n_checks = 0


def check(condition, text):
    global n_checks
    n_checks += 1
    if not condition:
        failures.append(text)
        print(f"FAILED: {text}", file=sys.stderr)


def done():
    print(f"{n_checks} checks, {len(failures)} failures")
    sys.exit(1 if failures else 0)


def run_tests(module):
    """Every function test_... of a module (globals()), or those whose names hold a word of the command line; ends the program."""
    chosen = sys.argv[1:]
    for name, test in list(module.items()):
        if name.startswith("test_") and (not chosen or any(c in name for c in chosen)):
            began = time.monotonic()
            test()
            print(f"{name} {time.monotonic() - began:.1f} s", flush=True)
    done()


def same_file(a, b):
    try:
        return os.path.samefile(a, b)
    except OSError:
        return False


class Home:
    def __init__(self):
        self.work = WorkFolder(memory=True)  # kill -9 does not test fsync: do not wait for it
        self.folder = self.work.name
        self.home = os.path.join(self.folder, "runs")

    def close(self):
        for run in self.ids():
            self.kill(run)
        self.work.cleanup()

    def ids(self):
        if not os.path.isdir(self.home):
            return []
        return sorted(n for n in os.listdir(self.home) if os.path.exists(os.path.join(self.home, n, "run.json")))

    def dir(self, run):
        return os.path.join(self.home, run)

    def antler(self, *arguments, ok=True, environment=None, **more):
        """Runs a command; returns (status, stdout, stderr). ok: it has to end with 0."""
        env = dict(os.environ, ANTLER_HOME=self.home, **(environment or {}))
        p = subprocess.run([ANTLER, *map(str, arguments)], capture_output=True, text=True, cwd=self.folder, env=env, timeout=120, **more)
        if ok:
            check(p.returncode == 0, f"antler {' '.join(map(str, arguments))} ended with {p.returncode}: {p.stderr.strip()}")
        return p.returncode, p.stdout, p.stderr

    def json(self, *arguments, ok=True, **more):
        status, out, err = self.antler(*arguments, "--json", ok=ok, **more)
        try:
            return json.loads(out)
        except ValueError:
            check(not ok, f"antler {' '.join(map(str, arguments))} printed no JSON: {out!r} {err!r}")
            return {}

    def config(self, name, config):
        path = os.path.join(self.folder, name + ".json")
        with open(path, "w") as f:
            json.dump(config, f)
        return path

    def detach(self, *arguments, **more):
        """Launches and returns the run's id."""
        return self.antler(*arguments, "--detach", **more)[1].strip()

    def pid(self, run):
        """Process of the holder of the lock."""
        try:
            with open(os.path.join(self.dir(run), "lock")) as f:
                return int(f.read().split()[0])
        except (OSError, ValueError, IndexError):
            return 0

    def alive(self, run):
        return self.show(run).get("state") in ("queued", "running", "paused")

    def show(self, run):
        status, out, _ = self.antler("show", run, "--json", ok=False)
        return json.loads(out) if status == 0 else {}

    def state(self, run):
        return self.show(run).get("state")

    def wait(self, run, states, seconds=200):
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            state = self.state(run)
            if state in states:
                return state
            time.sleep(0.02)
        check(False, f"{run} is {self.state(run)}, expected one of {states}")
        return None

    def kill(self, run, number=signal.SIGKILL):
        """Signals the worker that has the run. A number in the file may be that of somebody else by now: it has to hold the file."""
        lock, pid = os.path.join(self.dir(run), "lock"), self.pid(run)
        try:
            process = os.pidfd_open(pid)
        except OSError:
            return
        try:
            if any(same_file(f"/proc/{pid}/fd/{n}", lock) for n in os.listdir(f"/proc/{pid}/fd")):
                signal.pidfd_send_signal(process, number)
        except OSError:
            pass  # gone
        finally:
            os.close(process)

    def checkpoints(self, run):
        return self.json("checkpoints", run)

    def last(self, run):
        """Path of the last full checkpoint."""
        full = [c for c in self.checkpoints(run) if not c["weights_only"]]
        return os.path.join(self.folder, full[-1]["path"]) if full else None

    def history(self, run):
        """{metric: [(epoch, step, value)]}: what has to be equal, without times."""
        metrics = self.json("history", run)["metrics"]
        return {m: list(zip(s["epoch"], s["step"], map(str, s["value"]))) for m, s in metrics.items()}


def weights(path):
    """The bytes of the weights and the optimizer state: equal or not."""
    with zipfile.ZipFile(path) as z:
        return z.read("model.weights.h5")


def state(path):
    with zipfile.ZipFile(path) as z:
        return json.loads(z.read("metadata.json"))["antler"]
