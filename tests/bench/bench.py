#!/usr/bin/env python3
"""What the README quotes: antler against Keras and against its own budgets, as ratios measured in one run.

  ./dev bench [NAME...]        default: all; an unknown name lists them
  ./dev bench models ...       the ten models against every peer: bench_models.py, which has options of its own
  ./dev bench readme           puts the figures of the models into README.md

Every figure is the median of several rounds; times of one machine mean little, ratios a little more. Processes that antler
detaches are counted too: this process makes itself their reaper. Results also go to build/bench.json.
"""
import argparse, json, os, pathlib, shutil, statistics, struct, subprocess, sys, tempfile, time

import bench_crowd, bench_engine, bench_gemm, bench_leet, bench_models, bench_readme, bench_screen
from common import ANTLER, BUILD, PYTHON, SOURCE, clean_env, cpu_name, keras_backends, median, reap_all, results, run, say, wall_ms

KERAS_DIGITS = """
import gzip, sys, numpy, keras
rows = numpy.loadtxt(gzip.open(sys.argv[1], "rt"), delimiter=",", skiprows=1, dtype="float32")
x, y = rows[:, :-1] / 16, rows[:, -1].astype("int32")
keras.utils.set_random_seed(1)
model = keras.Sequential([keras.Input((64,)), keras.layers.Dense(128, "relu"), keras.layers.Dense(10, "softmax")])
model.compile(keras.optimizers.Adam(0.001), "sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(x[:1438], y[:1438], validation_data=(x[1438:], y[1438:]), epochs=20, batch_size=32, verbose=0,
          callbacks=[keras.callbacks.ModelCheckpoint(sys.argv[2] + "/epoch-{epoch:04d}.keras")])
"""


def bench_digits(work):
    """The digits MLP, 20 epochs with a checkpoint each, whole processes; Keras with the backend that takes least CPU."""
    ours, theirs = [], {}
    for i in range(3):
        ours.append(run([ANTLER, "--home", f"{work}/d{i}", "train", str(SOURCE / "configs/digits-mlp.json"), "--set", "fit.epochs=20"]))
        for backend, python in keras_backends():
            folder = work / f"{backend}{i}"
            folder.mkdir()
            theirs.setdefault(backend, []).append(run([python, "-c", KERAS_DIGITS, str(SOURCE / "configs/digits.csv.gz"), str(folder)], KERAS_BACKEND=backend))
    backend = min(theirs, key=lambda name: median(theirs[name], 1))
    keras = theirs[backend]
    say("digits", f"MLP, 20 epochs, 20 checkpoints: antler {median(ours, 1):.2f} CPU s, {median(ours, 2) / 1e6:.0f} MB; "
        f"Keras on {backend} {median(keras, 1):.2f} CPU s, {median(keras, 2) / 1e6:.0f} MB: "
        f"{median(keras, 1) / median(ours, 1):.0f}x less CPU, {median(keras, 2) / median(ours, 2):.1f}x less memory (wanted 40x, 6x)",
        backend=backend, antler_cpu_s=median(ours, 1), keras_cpu_s=median(keras, 1), antler_bytes=median(ours, 2), keras_bytes=median(keras, 2))


def first_step_ms(command, home):
    """From the command to the end of its worker's first step, as the worker writes it into the live page (persistence/runs/run_live.h)."""
    start = time.time()
    run(command)
    page = max(pathlib.Path(home).glob("*/live"), key=lambda path: path.stat().st_mtime).read_bytes()
    return (struct.unpack_from("<d", page, 104)[0] - start) * 1e3


def bench_start(work):
    """Start of the program, and of a worker to its first step."""
    nothing, version = wall_ms(["/bin/true"]), wall_ms([ANTLER, "--version"])
    say("start", f"antler --version {version:.1f} ms (an empty process here {nothing:.1f} ms; wanted 10)", version_ms=version, empty_process_ms=nothing)
    for example in "digits-mlp", "digits-cnn":
        command = [ANTLER, "--home", f"{work}/{example}", "train", str(SOURCE / f"configs/{example}.json"), "--detach", "--set", "fit.epochs=1"]
        times = [first_step_ms(command, f"{work}/{example}") for _ in range(15)]
        say("start", f"{example}: command to first step {statistics.median(times):.0f} ms, best {min(times):.0f} (wanted 60)", **{example: times})


def bench_list(work):
    """list of 100 runs."""
    home, csv = str(work / "home"), work / "history.csv"
    csv.write_text("epoch,accuracy,loss,val_loss\r\n" + "".join(f"{e},{1 - 1 / (e + 2)},{1 / (e + 1)},{1.1 / (e + 1)}\r\n" for e in range(20)))
    for i in range(100):
        run([ANTLER, "--home", home, "import", str(csv), "--name", f"run-{i}"])
    run([ANTLER, "--home", home, "list"])
    ms = wall_ms([ANTLER, "--home", home, "list"])
    say("list", f"list of 100 runs {ms:.1f} ms (wanted 15)", ms=ms)


KERAS_FILE = """
import json, os, sys, time, keras
model = keras.Sequential([keras.Input((1250,)), keras.layers.Dense(4000), keras.layers.Dense(1250)])
model.compile("adam", "mse")
model.optimizer.build(model.trainable_variables)
model.save(sys.argv[1])
best = {"load_s": 1e9, "save_s": 1e9}
for _ in range(5):
    start = time.perf_counter(); model = keras.saving.load_model(sys.argv[1]); best["load_s"] = min(best["load_s"], time.perf_counter() - start)
    start = time.perf_counter(); model.save(sys.argv[2]); best["save_s"] = min(best["save_s"], time.perf_counter() - start)
    os.unlink(sys.argv[2])
print(json.dumps(best))
"""


def disk_seconds(path, size):
    """Writing and fsync of so many bytes, nothing else."""
    data = memoryview(b"x" * size)
    start = time.perf_counter()
    with open(path, "wb", buffering=0) as file:
        while data:
            data = data[file.write(data):]
        os.fsync(file.fileno())
    elapsed = time.perf_counter() - start
    path.unlink()
    return elapsed


def bench_files(work):
    """Loading and saving a 120 MB file: 10 M parameters with Adam state, best of 5. Keras leaves what it saves in the cache."""
    theirs = json.loads(subprocess.run([PYTHON, "-c", KERAS_FILE, str(work / "a.keras"), str(work / "b.keras")], stdout=subprocess.PIPE,
                                       stderr=subprocess.DEVNULL, check=True, env=clean_env()).stdout)
    program, rounds, disk = str(BUILD / "tests" / "keras_file_speed"), [], []
    for i in range(5):
        out = work / f"c{i}.keras"
        rounds.append(json.loads(subprocess.run([program, str(work / "a.keras"), str(out)], stdout=subprocess.PIPE, check=True).stdout))
        size = out.stat().st_size
        out.unlink()
        disk.append(disk_seconds(work / f"raw{i}", size))
    ours, disk_s = {key: min(r[key] for r in rounds) for key in rounds[0]}, min(disk)
    say("files", f"120 MB .keras with Adam state: load {ours['load_s']:.3f} s (Keras {theirs['load_s']:.2f} s, {theirs['load_s'] / ours['load_s']:.1f}x), "
        f"save without fsync {ours['save_s']:.3f} s (Keras {theirs['save_s']:.2f} s, {theirs['save_s'] / ours['save_s']:.1f}x; wanted 5x both), "
        f"durable {ours['durable_s']:.3f} s ({theirs['save_s'] / ours['durable_s']:.1f}x; so many bytes written and synced by a plain loop: {disk_s:.3f} s)",
        ours=ours, keras=theirs, disk_s=disk_s)


def bench_checkpoint(work):
    """How long training waits for a checkpoint of 120 MB."""
    rows = []
    for i in range(3):
        (work / f"r{i}").mkdir()
        text = subprocess.run([str(BUILD / "tests" / "checkpoint_gap"), str(work / f"r{i}")], stdout=subprocess.PIPE, check=True, env=clean_env(OPENBLAS_NUM_THREADS="1")).stdout
        rows.append(json.loads(text.splitlines()[-1]))
        shutil.rmtree(work / f"r{i}")
    best = min(rows, key=lambda row: row["save_ms"])
    say("checkpoint", f"10 M parameters with Adam: a step {best['step_ms']:.0f} ms, a checkpoint of 120 MB holds training up for {best['save_ms']:.0f} ms, "
        f"{best['save_ms'] / best['step_ms']:.1f} steps", runs=rows)


BENCHES = {name[6:]: function for module in (globals(), vars(bench_screen), vars(bench_crowd), vars(bench_engine), vars(bench_leet), vars(bench_gemm)) for name, function in list(module.items()) if name.startswith("bench_") and callable(function)}


def main():
    if sys.argv[1:2] == ["models"]:
        bench_models.main(sys.argv[2:])
        return
    if sys.argv[1:] == ["readme"]:
        bench_readme.update()
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*")
    names = parser.parse_args().names or list(BENCHES)
    unknown = [n for n in names if n not in BENCHES]
    if unknown:
        sys.exit(f"no bench '{unknown[0]}', there are: {' '.join(BENCHES)}")
    print(f"{cpu_name()}, {os.cpu_count()} cores, {time.strftime('%Y-%m-%d')}")
    work = pathlib.Path(tempfile.mkdtemp(prefix="antler-bench-"))
    try:
        for name in names:
            (work / name).mkdir()
            BENCHES[name](work / name)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    (BUILD / "bench.json").write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
