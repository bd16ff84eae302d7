#!/usr/bin/env python3
"""The ten models: milliseconds a training step of antler and of every peer that is installed, in interleaved rounds.

  ./dev bench models [MODEL...] [--peer NAME]... [--threads N]... [--rounds N] [--seconds S] [--action ACTION]... [--quick] [--resume]

antler is measured as people use it: the worker that `antler train` starts, from the time of its second epoch record to that of its last.
A peer is a process that has built and compiled the model beforehand and answers with the time of a window of steps. In each round every
cell has one window; the figure is the median over the rounds. A peer that takes more than HOPELESS times as long as the fastest of the
first round has had its only window (Keras on TensorFlow, which has a column of its own, stays). Each side is run with one thread (bound to
one core) and with all, and counts with its better one. The actions predict-1, predict-256 and evaluate-256 are calls of so many samples
that are in memory already: antler inside its worker (model_speed.c), peers inside their process; "all" means these and train, which share
the time that the peers need to start. `antler bfloat16` is antler under mixed_bfloat16, `antler direct` without Winograd. The floor is the multiply-adds of a step at the
rate that numpy's sgemm reaches in the same rounds.

All peers, settings and actions take about an hour. Every model's result is kept in build/bench-models-ACTION.json until it is measured
again; --resume leaves out the models that have been measured in the last day.
"""
import argparse, concurrent.futures, json, os, pathlib, select, statistics, subprocess, sys, tempfile, time

import models
from common import ANTLER, BUILD, CORES, FIRST, PEERS, clean_env, cpu_name, quiet, set_priority

HERE = pathlib.Path(__file__).parent

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
    "keras-jax bfloat16": ("keras", "peer_keras.py", "jax-bfloat16", (5, 6)),
}
ACTIONS = ("train", "predict-1", "predict-256", "evaluate-256")
HOPELESS = 1.5
# Rows that compute in less than float32: they are compared with each other, not with the rest.
BFLOAT16 = ("antler bfloat16", "keras-jax bfloat16")
OURS = ("antler", "antler bfloat16", "antler direct")
# Models with convolutions that Winograd's algorithm computes; the fastest peer against ours without it.
WINOGRAD, WANTED_DIRECT = (5, 6), 1.2


# --quick: the peers that were fastest on two kinds of processor, besides Keras on TensorFlow; with one thread in models 1 and 2
LIKELY = {1: ["jax-scan"], 2: ["jax-scan"], 3: ["jax-scan", "torch-fused"], 4: ["jax-scan", "torch-fused"], 5: ["torch-fused"], 6: ["torch-channels-last"],
          7: ["torch", "torch-fused"], 8: ["jax-scan", "jax-step", "torch-fused"], 9: ["torch-fused", "torch-compile"], 10: ["jax-scan", "torch-compile"]}


def installed():
    """Packages of the peers' environment among those that VARIANTS needs."""
    python = f"{PEERS}/bin/python"
    if not os.access(python, os.X_OK):
        return set()
    probe = "import importlib.util, json; print(json.dumps([n for n in ('optax', 'torch', 'tensorflow', 'keras') if importlib.util.find_spec(n)]))"
    return set(json.loads(subprocess.run([python, "-c", probe], stdout=subprocess.PIPE, check=True, env=clean_env()).stdout))


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

    def window(self, seconds, action):
        if self.dead:
            return None
        with quiet():
            set_priority(self.process.pid, True)
            self.process.stdin.write(f"{action.replace('-', ' ')} {seconds}\n".encode())
            self.process.stdin.flush()
            result = self.answer(120)
            if result:
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

    def __init__(self, model, threads, folder, label="antler", **more):
        self.label, self.model, self.threads, self.folder, self.dead, self.peak_bytes, self.n = label, model, threads, folder, None, 0, 0
        self.epochs, self.steps, self.more = 3, models.MODELS[model][5] // models.batch(model), more

    def ready(self):
        """Finds out how many epochs a second holds; None and self.dead when this build lacks a layer."""
        if self.train(3) is None:
            return False
        ms = self.train(3)
        self.ms = self.train(3 + int(200 / ms / self.steps)) if ms else None
        return self.ms is not None

    def path(self):
        return f"{self.folder}/{self.label} config{self.threads}.json"

    def train(self, epochs, first=()):
        self.n += 1
        home, path = f"{self.folder}/{self.label} runs{self.threads}", self.path()
        pathlib.Path(path).write_text(json.dumps(models.config(self.model, self.folder, epochs, **self.more)))
        command = [*first, ANTLER, "--home", home, "train", path, "--threads", str(self.threads), "--name", f"r{self.n}", "--json"]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=clean_env())
        if done.returncode:
            self.dead = done.stderr.decode(errors="replace").strip().splitlines()[-1].removeprefix("antler: ").removeprefix(path + ": ")[:110]
            return None
        folder = json.loads(done.stdout)["dir"]
        _, _, use = os.wait4(int(pathlib.Path(folder, "lock").read_text().split()[0]), 0)
        self.peak_bytes = use.ru_maxrss * 1024
        history = subprocess.run([ANTLER, "--home", home, "history", f"r{self.n}", "--json"], stdout=subprocess.PIPE, check=True, env=clean_env())
        times = json.loads(history.stdout)["metrics"]["loss"]["time"]
        return 1e3 * (times[-1] - times[0]) / (len(times) - 1) / self.steps

    def step(self, seconds, action):
        """evaluate and predict."""
        kind, batch = action.split("-")
        path = self.path()
        with quiet():
            done = subprocess.run([*FIRST, str(BUILD / "tests/model_speed"), path, kind, batch, str(self.threads), str(seconds)], stdout=subprocess.PIPE,
                                  env=clean_env(OPENBLAS_NUM_THREADS="1"), check=True)
        return json.loads(done.stdout)["ms"]

    def window(self, seconds, action):
        if self.dead or action != "train":
            return None if self.dead else self.step(seconds, action)
        epochs = 2 + int(seconds * 1e3 / self.ms / self.steps)
        with quiet():
            self.ms = self.train(epochs, FIRST) or self.ms
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


def sgemm_gflops(threads):
    """The best of a third of a second of numpy's products of 1024."""
    python = f"{PEERS}/bin/python" if os.access(f"{PEERS}/bin/python", os.X_OK) else sys.executable
    with quiet():
        return float(subprocess.run([*FIRST, python, "-c", SGEMM, "0.3"], stdout=subprocess.PIPE, check=True, env=clean_env(OPENBLAS_NUM_THREADS=str(threads))).stdout)


def check(model, folder):
    """What antler expects: multiply-adds of a step and bytes at the peak; None when it cannot run the model."""
    path = f"{folder}/check.json"
    pathlib.Path(path).write_text(json.dumps(models.config(model, folder)))
    done = subprocess.run([ANTLER, "check", path, "--json"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=clean_env())
    return json.loads(done.stdout) if done.returncode == 0 else {}


def wanted(name, model, options):
    if options.quick and name not in LIKELY[model] + ["keras-tensorflow"]:
        return False
    return not options.peer or any(name == p or p not in VARIANTS and name.startswith(p) for p in options.peer)


def start(model, options, have, folder):
    """(cells that are ready, {label: why} of those that are not): antler first, then the peers, two at a time."""
    models.make_data(model, folder)
    ours = [Antler(model, t, folder) for t in options.threads] + [Antler(model, t, folder, BFLOAT16[0], dtype_policy="mixed_bfloat16") for t in options.threads]
    ours += [Antler(model, t, folder, OURS[2], conv_algorithm="direct") for t in options.threads if model in WINOGRAD]
    answers = [(cell, cell.ready()) for cell in ours]
    names = [n for n, (package, _, _, unfit) in VARIANTS.items() if package in have and model not in unfit and wanted(n, model, options)]
    peers = [(n, t) for n in names for t in options.threads if not options.quick or t == (1 if model < 3 else max(options.threads))]

    def begin(peer):
        cell = Peer(peer[0], model, peer[1], folder)
        return cell, cell.ready()

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        answers += pool.map(begin, peers)
    return [cell for cell, ready in answers if ready], {cell.label: cell.dead for cell, ready in answers if not ready}


def stays(cell, ms, fastest):
    return cell.label in OURS or cell.label == "keras-tensorflow" or ms <= HOPELESS * fastest


def rounds(action, cells, options, failed, gemm):
    """{label: {threads: [ms...]}} of one action."""
    rows = {}
    for r in range(options.rounds):
        gemm.append(sgemm_gflops(max(options.threads)))
        now = []
        for cell in cells[r % len(cells):] + cells[:r % len(cells)] if cells else []:
            ms = cell.window(options.seconds, action)
            if ms is None:
                failed[cell.label] = cell.dead
            else:
                rows.setdefault(cell.label, {}).setdefault(cell.threads, []).append(ms)
                now.append((cell, ms))
        fastest = min((ms for cell, ms in now if cell.label not in (*OURS, BFLOAT16[1])), default=0)
        cells = [cell for cell, ms in now if stays(cell, ms, fastest)]
    return rows


def measure(model, options, folder, have):
    """One result for each action."""
    cells, failed = start(model, options, have, folder)
    expected, results = check(model, folder), []
    try:
        for action in options.action:
            failed, gemm = dict(failed), []
            rows = rounds(action, cells, options, failed, gemm)
            results.append({"model": model, "date": time.strftime("%Y-%m-%d"), "time": time.time(), "action": action, "quick": options.quick, "name": models.name(model), "ms": rows, "failed": failed,
                            "sgemm_gflops": statistics.median(gemm), "multiply_adds": expected.get("multiply_adds"), "expected_bytes": expected.get("memory_bytes"),
                            "memory": expected.get("memory"), "peak_bytes": {label: max(c.peak_bytes for c in cells if c.label == label) for label in rows}})
    finally:
        for cell in cells:
            cell.close()
    return results


def best(per_threads):
    """(ms, threads) of the better number of threads, medians."""
    return min((statistics.median(values), threads) for threads, values in per_threads.items())


def peers_of(r):
    """[(ms, label)] of those that compute in float32, the fastest first."""
    return sorted((best(v)[0], label) for label, v in r["ms"].items() if label not in (*OURS, BFLOAT16[1]))


def print_cells(result):
    ours = best(result["ms"]["antler"])[0] if "antler" in result["ms"] else None
    print(f"{result['model']}. {result['name']}, {result['action']}")
    for label, per_threads in sorted(result["ms"].items(), key=lambda item: best(item[1])):
        cells = "  ".join(f"{t}t {statistics.median(v):9.4f} ms (spread {100 * (max(v) / min(v) - 1):3.0f} %)" for t, v in sorted(per_threads.items()))
        print(f"   {label:22} {cells}" + (f"  {best(per_threads)[0] / ours:7.2f}x" if ours else ""))
    for label, why in result["failed"].items():
        print(f"   {label:22} not run: {why}")


HEAD = f"{'model':>5} {'antler ms':>10} {'2t gain':>8} {'fastest peer':>30} {'ratio':>7} {'wanted':>7} {'Keras-TF':>9} {'ratio':>7} {'wanted':>7}"
FLOOR = f" {'floor ms':>9} {'share':>6}"


def summary_row(r):
    """The row of a model: what the README quotes."""
    if "antler" not in r["ms"]:
        return f"{r['model']:>5} {r['failed'].get('antler', 'not run')}"
    threads, wanted = r["ms"]["antler"], WANTED[r["model"]] if r["action"] == "train" else (1.0, 1.0)
    ms = best(threads)[0]
    gain = f"{statistics.median(threads[1]) / statistics.median(threads[2]):.2f}" if {1, 2} <= set(threads) else "-"
    peers = peers_of(r)
    peer, ratio = (f"{peers[0][1]} {peers[0][0]:.4f}", f"{peers[0][0] / ms:.2f}") if peers else ("-", "-")
    tf = best(r["ms"]["keras-tensorflow"])[0] if "keras-tensorflow" in r["ms"] else None
    keras, keras_ratio = (f"{tf:.4f}", f"{tf / ms:.1f}") if tf else ("-", "-")
    floor = r["multiply_adds"] * 2 / r["sgemm_gflops"] / 1e6 if r["action"] == "train" else None
    last = f" {floor:9.4f} {100 * floor / ms:5.0f}%" if floor else ""
    return f"{r['model']:>5} {ms:10.4f} {gain:>8} {peer:>30} {ratio:>7} {wanted[0]:>7} {keras:>9} {keras_ratio:>7} {wanted[1]:>7}{last}"


def bfloat16_row(r):
    """antler's own gain, and the peer under the same policy."""
    ms, ours = best(r["ms"]["antler"])[0], best(r["ms"][BFLOAT16[0]])[0]
    peer = best(r["ms"][BFLOAT16[1]])[0] if BFLOAT16[1] in r["ms"] else None
    return f"{r['model']:>5} {ours:10.4f} ms, {ms / ours:5.2f}x of float32" + (f"; keras-jax {peer:9.4f} ms, {peer / ours:6.2f}x" if peer else "")


def direct_row(r):
    """The exact setting against Winograd's algorithm and the fastest peer."""
    ms, direct, peers = best(r["ms"]["antler"])[0], best(r["ms"][OURS[2]])[0], peers_of(r)
    return f"{r['model']:>5} {direct:10.4f} ms, {direct / ms:5.2f}x of Winograd's" + (f"; {peers[0][1]} {peers[0][0]:9.4f} ms, {peers[0][0] / direct:6.2f}x (wanted {WANTED_DIRECT})" if peers else "")


def memory_row(r):
    """The bound knows no data: parameters, gradients, optimizer state, what is alive at once, and 30 MB."""
    peers = [b for label, b in r["peak_bytes"].items() if label not in (*OURS, BFLOAT16[1])]
    ours, expected, parts = r["peak_bytes"]["antler"], r["expected_bytes"], r["memory"]
    bound = 2 * parts["parameters"] + parts["optimizer"] + parts["live"] + (30 << 20)
    return (f"{r['model']:>5} {ours / 1e6:8.1f} MB, expected {expected / 1e6:8.1f} ({100 * (expected / ours - 1):+.0f} %); without its data {(ours - parts['data']) / 1e6:.1f}, bound "
            f"{bound / 1e6:.1f}"
            + (f", peers {min(peers) / 1e6:.0f} to {max(peers) / 1e6:.0f}" if peers else ""))


def summary(results):
    lines = ["", results[0]["action"], HEAD + (FLOOR if results[0]["action"] == "train" else ""), *(summary_row(r) for r in results)]
    both = [r for r in results if {"antler", BFLOAT16[0]} <= set(r["ms"])]
    lines += ["", "mixed_bfloat16", *(bfloat16_row(r) for r in both)] if both else []
    direct = [r for r in results if {"antler", OURS[2]} <= set(r["ms"])]
    lines += ["", "conv_algorithm: direct", *(direct_row(r) for r in direct)] if direct else []
    if results[0]["action"] == "train":
        lines += ["", "peak memory", *(memory_row(r) for r in results if "antler" in r["ms"])]
    return "\n".join(lines)


def kept(action):
    """{model: its newest result} of this machine."""
    path = BUILD / f"bench-models-{action}.json"
    old = json.loads(path.read_text()) if path.exists() else {}
    results = old.get("results", []) if old.get("cpu") == cpu_name() else []
    for r in results:
        r["ms"] = {label: {int(t): values for t, values in per_threads.items()} for label, per_threads in r["ms"].items()}
    return {r["model"]: r for r in results}


def keep(result):
    results = {**kept(result["action"]), result["model"]: result}
    everything = {"cpu": cpu_name(), "results": [results[model] for model in sorted(results)]}
    (BUILD / f"bench-models-{result['action']}.json").write_text(json.dumps(everything, indent=2) + "\n")


def is_recent(model, options):
    return all(time.time() - kept(action).get(model, {"time": 0})["time"] < 86400 for action in options.action)


def main(argv):
    parser = argparse.ArgumentParser(prog="dev bench models", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", type=int, choices=[[], *models.MODELS], metavar="MODEL", default=[], help="1 to 10; default all")
    parser.add_argument("--peer", action="append", metavar="NAME", help="only this peer, or those whose name starts so: " + " ".join(VARIANTS) + "; none for antler alone")
    parser.add_argument("--threads", action="append", type=int, help="default 1 and all cores")
    parser.add_argument("--action", action="append", choices=[*ACTIONS, "all"], help="default train")
    parser.add_argument("--quick", action="store_true", help="only the peers that were fastest before, at their better number of threads")
    parser.add_argument("--resume", action="store_true", help="leave out models that were measured in the last day")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=1.2, help="of a window")
    options = parser.parse_args(argv)
    options.threads = options.threads or sorted({1, len(CORES)})
    options.action = list(ACTIONS) if "all" in (options.action or ()) else options.action or ["train"]
    have, chosen = installed(), options.models or list(models.MODELS)
    if not have and not options.peer:
        print(f"no peers in {PEERS} (./dev bench --peers makes that environment): antler alone")
    for model in chosen:
        if options.resume and is_recent(model, options):
            continue
        with tempfile.TemporaryDirectory(prefix="antler-bench-") as folder:
            for result in measure(model, options, folder, have):
                print_cells(result)
                keep(result)
        sys.stdout.flush()
    for action in options.action:
        results = [r for model, r in sorted(kept(action).items()) if model in chosen]
        print(summary(results))
        print(f"sgemm of numpy on {max(options.threads)} threads: {statistics.median(r['sgemm_gflops'] for r in results):.0f} GFLOP/s")


if __name__ == "__main__":
    main(sys.argv[1:])
