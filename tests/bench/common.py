"""What all parts of ./dev bench share: the built programs, clean environments, processes with their costs, and the results.

On a machine that others use too: ANTLER_BENCH_REALTIME=1 (root) measures with real-time priority, ANTLER_BENCH_LOCK names a lock file that
is held while something is measured.
"""
import contextlib, ctypes, fcntl, json, os, pathlib, statistics, subprocess, sys, tempfile, time

SOURCE = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("ANTLER_BUILD", SOURCE / "build"))
ANTLER = str(BUILD / "antler")
PYTHON = os.environ.get("ANTLER_PYTHON", sys.executable)
PEERS = os.environ.get("ANTLER_PEERS", os.path.expanduser("~/.cache/antler/peers"))
CORES = sorted(os.sched_getaffinity(0))
ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER: detached workers become our children
REALTIME = bool(os.environ.get("ANTLER_BENCH_REALTIME"))
FIRST = ["chrt", "-f", "50"] if REALTIME else []  # before a command that is measured
results = {}


def clean_env(**more):
    env = {k: v for k, v in os.environ.items() if not k.startswith(("OPENBLAS_", "ANTLER_", "OMP_", "MKL_"))}
    env.update({"KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu", "TERM": "xterm-256color", "LC_ALL": "C.UTF-8", **more})
    return env


@contextlib.contextmanager
def quiet():
    """While this lasts nobody else measures who agreed on the lock file."""
    path = os.environ.get("ANTLER_BENCH_LOCK")
    if not path:
        yield
        return
    with open(path, "a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def set_priority(pid, realtime):
    """Of a process with all its threads."""
    for task in os.listdir(f"/proc/{pid}/task") if REALTIME else ():
        with contextlib.suppress(ProcessLookupError):
            os.sched_setscheduler(int(task), os.SCHED_FIFO if realtime else os.SCHED_OTHER, os.sched_param(50 if realtime else 0))


def reap_all():
    """(CPU s, peak bytes) of every process left behind, once they have ended."""
    cpu, peak = 0.0, 0
    while True:
        try:
            _, _, use = os.wait4(-1, 0)
        except ChildProcessError:
            return cpu, peak
        cpu += use.ru_utime + use.ru_stime
        peak = max(peak, use.ru_maxrss * 1024)


def run(command, **env):
    """(wall s, CPU s, peak bytes) of a command and all that it left behind (process_cost.c)."""
    with quiet(), tempfile.TemporaryFile() as errors:
        done = subprocess.run([*FIRST, str(BUILD / "tests/process_cost"), *command], stdout=subprocess.PIPE, stderr=errors, check=True, env=clean_env(**env))
        cost = json.loads(done.stdout)
        if cost["status"]:
            errors.seek(0)
            sys.exit(f"{command}: exit {cost['status']}\n{errors.read().decode(errors='replace')[-2000:]}")
    return cost["wall_s"], cost["cpu_s"], cost["peak_bytes"]


def wall_ms(command, rounds=30):
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True, env=clean_env())
        times.append((time.perf_counter() - start) * 1e3)
    return statistics.median(times)


def ask(*command, first=()):
    return json.loads(subprocess.run([*first, ANTLER, *map(str, command), "--json"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True, env=clean_env()).stdout)


def median(rows, column):
    return statistics.median(row[column] for row in rows)


def say(name, text, **values):
    results.setdefault(name, {}).update(values)
    print(f"{name:10} {text}", flush=True)


def cpu_name():
    return next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "?")


def keras_backends():
    """(name, python) of every backend that can be had: the peers' environment, else the one of the tests."""
    python = f"{PEERS}/bin/python"
    if not os.access(python, os.X_OK):
        return [("jax", PYTHON)]
    probe = "import importlib.util, json; print(json.dumps([n for n in ('jax', 'tensorflow', 'torch') if importlib.util.find_spec(n)]))"
    return [(n, python) for n in json.loads(subprocess.run([python, "-c", probe], stdout=subprocess.PIPE, check=True, env=clean_env()).stdout)]


def train_ms(config, *more, name="r", first=FIRST):
    """ms a step of a training with one history record an epoch: from the time of its first record to that of its last."""
    with quiet():
        result = ask("--home", config.parent / "runs", "train", config, "--name", name, *more, first=first)
    loss = ask("--home", config.parent / "runs", "history", result["run"])["metrics"]["loss"]
    return 1e3 * (loss["time"][-1] - loss["time"][0]) / (loss["step"][-1] - loss["step"][0])
