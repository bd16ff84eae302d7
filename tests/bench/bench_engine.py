"""Parts of ./dev bench that look at the engine as a whole: a model file's way to its first prediction, how costs grow, what the rest of a
training costs besides its steps, and a busy neighbour."""
import contextlib, json, multiprocessing, os, pathlib, statistics, subprocess

import numpy

import models
from common import ANTLER, BUILD, CORES, clean_env, keras_backends, median, quiet, run, say, train_ms

KERAS_MAKE = """
import sys, keras
small, units = sys.argv[2] == "small", 0
if small:
    model = keras.Sequential([keras.Input((64,)), keras.layers.Dense(128, "relu"), keras.layers.Dense(10)])
else:
    model = keras.Sequential([keras.Input((1250,)), keras.layers.Dense(4000), keras.layers.Dense(1250)])
model.compile("adam", "mse")
model.optimizer.build(model.trainable_variables)
model.save(sys.argv[1])
"""

KERAS_PREDICT = """
import sys, numpy, keras
model = keras.saving.load_model(sys.argv[1])
numpy.save(sys.argv[3], model.predict(numpy.load(sys.argv[2]), verbose=0))
"""


def bench_predict(work):
    """Load a .keras file and predict one sample: whole processes, Keras with the backend that takes least CPU."""
    backends = keras_backends()
    for size, wanted in ("small", 60), ("large", 10):
        path, x = work / f"{size}.keras", work / f"{size}.npy"
        subprocess.run([backends[0][1], "-c", KERAS_MAKE, str(path), size], check=True, stderr=subprocess.DEVNULL, env=clean_env(KERAS_BACKEND=backends[0][0]))
        numpy.save(x, numpy.ones((1, 64 if size == "small" else 1250), "f"))
        ours = [run([ANTLER, "predict", str(path), "--input", str(x), "--output", str(work / "y.npy")]) for _ in range(5)]
        theirs = {n: [run([python, "-c", KERAS_PREDICT, str(path), str(x), str(work / "k.npy")], KERAS_BACKEND=n) for _ in range(3)] for n, python in backends}
        name = min(theirs, key=lambda n: median(theirs[n], 1))
        keras = theirs[name]
        say("predict", f"{'9.6 k' if size == 'small' else '10 M'} parameters with Adam state, load and predict one sample: antler {median(ours, 0) * 1e3:.0f} ms, "
            f"{median(ours, 1) * 1e3:.0f} ms CPU, {median(ours, 2) / 1e6:.0f} MB; Keras on {name} {median(keras, 0) * 1e3:.0f} ms, {median(keras, 1) * 1e3:.0f} ms CPU, "
            f"{median(keras, 2) / 1e6:.0f} MB: {median(keras, 1) / median(ours, 1):.0f}x less CPU (wanted {wanted}x)",
            **{size: {"backend": name, "antler": [median(ours, k) for k in range(3)], "keras": [median(keras, k) for k in range(3)]}})


def write_config(folder, layers, batch, features, samples, epochs, loss="mse", optimizer="sgd", **more):
    """A training on random numbers with one history record an epoch and no checkpoint until its end."""
    rng = numpy.random.default_rng(0)
    folder.mkdir(exist_ok=True)
    numpy.save(folder / "x.npy", rng.standard_normal((samples, features), dtype="f"))
    numpy.save(folder / "y.npy", rng.standard_normal((samples, 1), dtype="f"))
    config = {"data": {"format": "npy", "x": "x.npy", "y": "y.npy"}, "model": {"layers": layers}, "compile": {"optimizer": optimizer, "loss": loss},
              "fit": {"epochs": epochs, "batch_size": batch}, "callbacks": [{"class": "ModelCheckpoint", "filepath": "last.keras", "save_freq": 1 << 40}], **more}
    path = folder / "config.json"
    path.write_text(json.dumps(config))
    return path


def dense(units, n=1):
    return [{"class": "Dense", "units": units, "activation": "relu"}] * n


def bench_scaling(work):
    """ms a step over a factor of 64 in batch, width of the data and depth, and what each costs for one unit of the largest and the smallest."""
    axes = {"batch": lambda n: (dense(256, 2) + [{"class": "Dense", "units": 1}], 16 * n, 256), "width": lambda n: (dense(256) + [{"class": "Dense", "units": 1}], 64, 64 * n),
            "depth": lambda n: (dense(128, 2 * n) + [{"class": "Dense", "units": 1}], 64, 128)}
    for axis, shape in axes.items():
        row = {}
        for n in (1, 4, 16, 64):
            layers, batch, features = shape(n)
            steps = max(4, 256 // n)
            path = write_config(work / f"{axis}{n}", layers, batch, features, batch * steps, 6)
            row[n] = min(train_ms(path, name=f"r{i}") for i in range(3))
        say("scaling", f"{axis:6} x1 {row[1]:.3f} ms, x4 {row[4]:.3f}, x16 {row[16]:.3f}, x64 {row[64]:.3f}: {row[64] / row[1]:.0f} times the cost for 64 times the {axis} "
            f"(from x16 to x64: {row[64] / row[16]:.2f} for 4)", **{axis: row})


def bench_plan(work):
    """How long a deep model takes to be read, shaped and planned: it must not be more than in proportion to its depth."""
    seconds = {}
    for n in 100, 1000:
        path = write_config(work / f"deep{n}", dense(32, n) + [{"class": "Dense", "units": 1}], 32, 32, 64, 1, optimizer="adam")
        seconds[n] = min(run([ANTLER, "check", str(path), "--json"])[0] for _ in range(3))
    say("plan", f"check of 100 layers {seconds[100] * 1e3:.0f} ms, of 1,000 {seconds[1000] * 1e3:.0f} ms", **{str(n): s for n, s in seconds.items()})


def bench_overhead(work):
    """What metrics, log, live page, CSV and a checkpoint an epoch cost, watched by the command line, as a share of epochs of a second.

    The epochs here are shorter, so that the difference stands out of the noise. Never with real-time priority: the thread that writes
    checkpoints would not get a core beside those that train, which spin, and training would wait for it.
    """
    steps, layers, rows = 64, dense(512, 2) + [{"class": "Dense", "units": 1}], {"bare": [], "whole": []}
    bare = write_config(work / "bare", layers, 128, 784, 128 * steps, 16, optimizer="adam", loss="binary_crossentropy")
    config = json.loads(bare.read_text())
    (work / "whole").mkdir()
    config["data"].update(x=str(work / "bare/x.npy"), y=str(work / "bare/y.npy"))
    config["compile"]["metrics"] = ["accuracy"]
    config["callbacks"] = [{"class": "CSVLogger", "filename": "log.csv"}]
    whole = work / "whole" / "config.json"
    whole.write_text(json.dumps(config))
    for i in range(8):
        for name, path in (("bare", bare), ("whole", whole))[::-1 if i % 2 else 1]:
            rows[name].append(train_ms(path, name=f"r{i}", first=()) * steps)
    cost = statistics.median(w - b for w, b in zip(rows["whole"], rows["bare"]))
    epoch = statistics.median(rows["bare"])
    say("overhead", f"accuracy, log, live page, CSV and an 8 MB checkpoint: {cost:.1f} ms an epoch of {epoch:.0f} ms, "
        f"{cost / 10:.1f} % of one of a second (wanted 1 %)", ms_an_epoch=cost, step_ms=epoch / steps)


def burn(core):
    os.sched_setaffinity(0, {core})
    while True:
        pass


@contextlib.contextmanager
def favour():
    """While this lasts this session stands above all others, where that is allowed: else the others decide the result."""
    path = pathlib.Path("/proc/self/autogroup")
    try:
        path.write_text("-20")
    except OSError:
        path = None
    try:
        with quiet():
            yield
    finally:
        if path:
            path.write_text("0")


def step_ms(model, folder, threads):
    done = subprocess.run([str(BUILD / "tests/model_speed"), str(folder / "config.json"), "train", str(models.batch(model)), str(threads), "0.8"], stdout=subprocess.PIPE,
                          env=clean_env(OPENBLAS_NUM_THREADS="1"), check=True)
    return json.loads(done.stdout)["ms"]


def neighbour_row(model, folder):
    """Medians of five interleaved rounds: (alone, beside a process that burns a core, each core in turn)."""
    alone, beside = [], []
    for i in range(5):
        alone.append(step_ms(model, folder, len(CORES)))
        neighbour = multiprocessing.Process(target=burn, args=(CORES[i % len(CORES)],), daemon=True)
        neighbour.start()
        try:
            beside.append(step_ms(model, folder, len(CORES)))
        finally:
            neighbour.kill()
            neighbour.join()
    return statistics.median(alone), statistics.median(beside)


def bench_neighbour(work):
    """A training on all cores while another process burns one of them."""
    for model in 3, 5, 9, 10:
        folder = work / str(model)
        folder.mkdir()
        models.make_data(model, folder)
        (folder / "config.json").write_text(json.dumps(models.config(model, str(folder))))
        with favour():
            alone, beside = neighbour_row(model, folder)
        say("neighbour", f"model {model}, {len(CORES)} threads: {alone:.2f} ms a step alone, {beside:.2f} with a core burnt by another process: {beside / alone:.2f} times "
            f"(wanted 2; the cores that are left: {len(CORES) / (len(CORES) - 0.5):.2f})", **{str(model): {"alone_ms": alone, "beside_ms": beside}})
