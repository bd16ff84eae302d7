#!/usr/bin/env python3
"""The ten models: milliseconds a training step of antler and of every peer that is installed, in interleaved rounds.

  ./dev bench models [MODEL...] [--peer NAME]... [--threads N]... [--rounds N] [--seconds S] [--realtime]

antler is measured as people use it: the worker that `antler train` starts, from the time of its second epoch record to that of its last.
A peer is a process that has built and compiled the model beforehand and answers with the time of a window of steps. In each round every
cell has one window; the figure is the median over the rounds. Each side is run with one thread (bound to one core) and with two, and
counts with its better one. The floor is the multiply-adds of a step at the rate that numpy's sgemm reaches in the same rounds.
"""
import argparse, contextlib, fcntl, json, os, pathlib, select, statistics, subprocess, sys, tempfile, time

import models

SOURCE = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("ANTLER_BUILD", SOURCE / "build"))
ANTLER = str(BUILD / "antler")
PEERS = os.environ.get("ANTLER_PEERS", os.path.expanduser("~/.cache/antler/peers"))
HERE = pathlib.Path(__file__).parent
CORES = sorted(os.sched_getaffinity(0))

# ratio to the fastest peer, ratio to Keras on TensorFlow
WANTED = {1: (1.3, 60), 2: (1.3, 30), 3: (1.05, 1.8), 4: (1.1, 1.4), 5: (2.0, 2.0), 6: (1.8, 2.0), 7: (1.2, 2.2), 8: (2.5, 3.0), 9: (1.5, 2.5), 10: (1.0, 1.15)}
# name -> (package, script, variant, models where it is out of the question: minutes a step)
VARIANTS = {
    "jax-scan": ("optax", "peer_jax.py", "scan", (5, 6)),
    "jax-step": ("optax", "peer_jax.py", "step", ()),
    "torch": ("torch", "peer_torch.py", "eager", ()),
    "torch-fused": ("torch", "peer_torch.py", "fused", ()),
    "torch-compile": ("torch", "peer_torch.py", "compile", ()),
    "torch-channels-last": ("torch", "peer_torch.py", "channels_last", (1, 2, 3, 4, 7, 8, 9, 10)),
    "keras-tensorflow": ("tensorflow", "peer_keras.py", "tensorflow", ()),
    "keras-tensorflow-xla": ("tensorflow", "peer_keras.py", "tensorflow-xla", (6,)),
    "keras-jax": ("keras", "peer_keras.py", "jax", ()),
    "keras-torch": ("torch", "peer_keras.py", "torch", ()),
}


def clean_env(**more):
    env = {k: v for k, v in os.environ.items() if not k.startswith(("OPENBLAS_", "ANTLER_", "OMP_", "MKL_"))}
    env.update(LC_ALL="C.UTF-8", **more)
    return env


def installed():
    """Packages of the peers' environment among those that VARIANTS needs."""
    python = f"{PEERS}/bin/python"
    if not os.access(python, os.X_OK):
        return set()
    probe = "import importlib.util, json; print(json.dumps([n for n in ('optax', 'torch', 'tensorflow', 'keras') if importlib.util.find_spec(n)]))"
    return set(json.loads(subprocess.run([python, "-c", probe], stdout=subprocess.PIPE, check=True, env=clean_env()).stdout))


@contextlib.contextmanager
def quiet(realtime):
    """A window in which nobody else measures, where a lock file is agreed on (ANTLER_BENCH_LOCK)."""
    path = os.environ.get("ANTLER_BENCH_LOCK")
    if not realtime or not path:
        yield
        return
    with open(path, "a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def set_priority(pid, realtime):
    for task in os.listdir(f"/proc/{pid}/task"):
        with contextlib.suppress(ProcessLookupError):
            os.sched_setscheduler(int(task), os.SCHED_FIFO if realtime else os.SCHED_OTHER, os.sched_param(50 if realtime else 0))


class Peer:
    """A process of peer_<name>.py."""

    def __init__(self, name, model, threads, folder):
        _, script, variant, _ = VARIANTS[name]
        self.label, self.threads, self.model, self.dead, self.buffer = name, threads, model, None, b""
        cores = set(CORES[:1]) if threads == 1 else set(CORES)
        env = clean_env(OMP_NUM_THREADS=str(threads), OPENBLAS_NUM_THREADS=str(threads), PYTHONPATH=str(HERE), TF_CPP_MIN_LOG_LEVEL="3")
        self.errors = tempfile.TemporaryFile()
        self.process = subprocess.Popen([f"{PEERS}/bin/python", str(HERE / script), str(model), variant, str(threads), str(folder)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=self.errors, env=env, preexec_fn=lambda: os.sched_setaffinity(0, cores))

    def answer(self, at_most_s):
        """The next line of JSON on its output; other lines are its libraries'."""
        end = time.monotonic() + at_most_s
        while time.monotonic() < end:
            while b"\n" in self.buffer:
                line, self.buffer = self.buffer.split(b"\n", 1)
                if line.startswith(b"{"):
                    return json.loads(line)
            if select.select([self.process.stdout], [], [], end - time.monotonic())[0]:
                data = os.read(self.process.stdout.fileno(), 65536)
                if not data:
                    break
                self.buffer += data
        self.errors.seek(0)
        text = self.errors.read().decode(errors="replace").strip().splitlines()
        self.dead = text[-1] if text and self.process.poll() is not None else f"no answer in {at_most_s:.0f} s"
        self.close()
        return None

    def ready(self):
        return self.answer(600) is not None

    def window(self, seconds, realtime, action="train"):
        if self.dead:
            return None
        with quiet(realtime):
            if realtime:
                set_priority(self.process.pid, True)
            self.process.stdin.write(f"{action} {seconds}\n".encode())
            self.process.stdin.flush()
            result = self.answer(120)
            if realtime and result:
                set_priority(self.process.pid, False)
        if result:
            self.peak_bytes = result["peak_bytes"]
        return result["ms"] if result else None

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


class Antler:
    """antler train, one run a window."""

    label = "antler"

    def __init__(self, model, threads, folder, **more):
        self.model, self.threads, self.folder, self.dead, self.peak_bytes, self.n = model, threads, folder, None, 0, 0
        self.epochs, self.steps, self.more = 3, models.MODELS[model][5] // models.batch(model), more

    def ready(self):
        """Finds out how many epochs a second holds; None and self.dead when this build lacks a layer."""
        if self.train(3, False) is None:
            return False
        ms = self.train(3, False)
        self.ms = self.train(3 + int(200 / ms / self.steps), False) if ms else None
        return self.ms is not None

    def train(self, epochs, realtime):
        self.n += 1
        home, path = f"{self.folder}/runs{self.threads}", f"{self.folder}/config{self.threads}.json"
        pathlib.Path(path).write_text(json.dumps(models.config(self.model, self.folder, epochs, **self.more)))

        def child():
            if realtime:
                os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(50))

        command = [ANTLER, "--home", home, "train", path, "--threads", str(self.threads), "--name", f"r{self.n}", "--json"]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=clean_env(), preexec_fn=child)
        if done.returncode:
            self.dead = done.stderr.decode(errors="replace").strip().splitlines()[-1]
            return None
        history = subprocess.run([ANTLER, "--home", home, "history", f"r{self.n}", "--json"], stdout=subprocess.PIPE, check=True, env=clean_env())
        times = json.loads(history.stdout)["metrics"]["loss"]["time"]
        return 1e3 * (times[-1] - times[0]) / (len(times) - 1) / self.steps

    def window(self, seconds, realtime):
        if self.dead:
            return None
        epochs = 2 + int(seconds * 1e3 / self.ms / self.steps)
        with quiet(realtime):
            self.ms = self.train(epochs, realtime) or self.ms
        return None if self.dead else self.ms

    def close(self):
        pass


SGEMM = """
import sys, time, numpy
a = numpy.ones((1024, 1024), "f"); b = a.copy(); a @ b
best, end = 0, time.perf_counter() + float(sys.argv[1])
while time.perf_counter() < end:
    start = time.perf_counter(); a @ b; best = max(best, 2 * 1024**3 / (time.perf_counter() - start))
print(best / 1e9)
"""


def sgemm_gflops(threads, realtime):
    """The best of a third of a second of numpy's products of 1024."""
    def child():
        if realtime:
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(50))

    python = f"{PEERS}/bin/python" if os.access(f"{PEERS}/bin/python", os.X_OK) else sys.executable
    with quiet(realtime):
        return float(subprocess.run([python, "-c", SGEMM, "0.3"], stdout=subprocess.PIPE, check=True, env=clean_env(OPENBLAS_NUM_THREADS=str(threads)), preexec_fn=child).stdout)


def multiply_adds(model, folder):
    path = f"{folder}/check.json"
    pathlib.Path(path).write_text(json.dumps(models.config(model, folder)))
    done = subprocess.run([ANTLER, "check", path, "--json"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=clean_env())
    return json.loads(done.stdout)["multiply_adds"] if done.returncode == 0 else None


def measure(model, options, folder, have):
    """{label: {threads: [ms...]}}, and what could not be run: {label: why}."""
    models.make_data(model, folder)
    cells, rows, failed = [Antler(model, t, folder) for t in options.threads], {}, {}
    for name, (package, _, _, unfit) in VARIANTS.items():
        if package in have and model not in unfit and (not options.peer or any(name.startswith(p) for p in options.peer)):
            cells += [(name, t) for t in options.threads]
    started = []
    for cell in cells:
        cell = Peer(cell[0], model, cell[1], folder) if isinstance(cell, tuple) else cell
        if cell.ready():
            started.append(cell)
        else:
            failed[cell.label] = cell.dead
    gemm = []
    try:
        for r in range(options.rounds):
            gemm.append(sgemm_gflops(max(options.threads), options.realtime))
            for cell in started[r % len(started):] + started[:r % len(started)] if started else []:
                ms = cell.window(options.seconds, options.realtime)
                if ms is None:
                    failed[cell.label] = cell.dead
                else:
                    rows.setdefault(cell.label, {}).setdefault(cell.threads, []).append(ms)
    finally:
        for cell in started:
            cell.close()
    return {"model": model, "name": models.name(model), "ms": rows, "failed": failed, "sgemm_gflops": statistics.median(gemm), "multiply_adds": multiply_adds(model, folder)}


def best(per_threads):
    """(ms, threads) of the better number of threads, medians."""
    return min((statistics.median(values), threads) for threads, values in per_threads.items())


def print_cells(result):
    ours = best(result["ms"]["antler"])[0] if "antler" in result["ms"] else None
    print(f"{result['model']}. {result['name']}")
    for label, per_threads in sorted(result["ms"].items(), key=lambda item: best(item[1])):
        cells = "  ".join(f"{t}t {statistics.median(v):9.4f} ms (spread {100 * (max(v) / min(v) - 1):3.0f} %)" for t, v in sorted(per_threads.items()))
        print(f"   {label:22} {cells}" + (f"  {best(per_threads)[0] / ours:7.2f}x" if ours else ""))
    for label, why in result["failed"].items():
        print(f"   {label:22} not run: {why}")


def summary(results):
    """The row of each model: what the README quotes."""
    lines = ["", f"{'model':>5} {'antler ms':>10} {'2t gain':>8} {'fastest peer':>30} {'ratio':>7} {'wanted':>7} {'Keras-TF':>9} {'ratio':>7} {'wanted':>7} {'floor ms':>9} {'share':>6}"]
    for r in results:
        if "antler" not in r["ms"]:
            lines.append(f"{r['model']:>5} {r['failed'].get('antler', 'not run')}")
            continue
        ms, _ = best(r["ms"]["antler"])
        threads = r["ms"]["antler"]
        gain = f"{statistics.median(threads[1]) / statistics.median(threads[2]):.2f}" if {1, 2} <= set(threads) else "-"
        peers = sorted((best(v) + (label,)) for label, v in r["ms"].items() if label != "antler")
        tf = best(r["ms"]["keras-tensorflow"])[0] if "keras-tensorflow" in r["ms"] else None
        floor = r["multiply_adds"] * 2 / r["sgemm_gflops"] / 1e6
        lines.append(f"{r['model']:>5} {ms:10.4f} {gain:>8} " + (f"{peers[0][2] + f' {peers[0][0]:.4f}':>30} {peers[0][0] / ms:7.2f} {WANTED[r['model']][0]:>7} " if peers else f"{'-':>30} {'-':>7} {WANTED[r['model']][0]:>7} ")
                     + (f"{tf:9.4f} {tf / ms:7.1f} {WANTED[r['model']][1]:>7}" if tf else f"{'-':>9} {'-':>7} {WANTED[r['model']][1]:>7}") + f" {floor:9.4f} {100 * floor / ms:5.0f}%")
    return "\n".join(lines)


def main(argv):
    parser = argparse.ArgumentParser(prog="dev bench models", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", type=int, choices=[[], *models.MODELS], metavar="MODEL", default=[], help="1 to 10; default all")
    parser.add_argument("--peer", action="append", metavar="NAME", help="only peers whose name starts so: " + " ".join(VARIANTS) + "; none for antler alone")
    parser.add_argument("--threads", action="append", type=int, help="default 1 and all cores")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=1.2, help="of a window")
    parser.add_argument("--realtime", action="store_true", help="measure with real-time priority (root), so that other processes do not disturb")
    options = parser.parse_args(argv)
    options.threads = options.threads or sorted({1, len(CORES)})
    have = installed()
    if not have and not options.peer:
        print(f"no peers in {PEERS} (./dev bench --peers makes that environment): antler alone")
    results = []
    for model in options.models or models.MODELS:
        with tempfile.TemporaryDirectory(prefix="antler-bench-") as folder:
            results.append(measure(model, options, folder, have))
        print_cells(results[-1])
        sys.stdout.flush()
        (BUILD / "bench-models.json").write_text(json.dumps(results, indent=2) + "\n")
    print(summary(results))
    print(f"sgemm of numpy on {max(options.threads)} threads: {statistics.median(r['sgemm_gflops'] for r in results):.0f} GFLOP/s")
    return results


if __name__ == "__main__":
    main(sys.argv[1:])
