"""Data against NumPy, scikit-learn and Keras: arrays of every type, tables, scales, splits and resized pictures. Usage: test_data.py DRIVER"""
import gzip
import itertools
import json
import os
import struct
import subprocess
import sys
import zlib

os.environ["KERAS_BACKEND"] = "jax"
import numpy as np
from numpy.lib import format as npy_format
from work_folder import WorkFolder

failures = []


def check(what, ok, detail=""):
    if not ok:
        failures.append(what)
        print("FAILED", what, detail)


class Driver:
    def __init__(self, program):
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, **request):
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def data(self, folder, **data):
        answer = self.ask(data=data, folder=folder)
        if "error" in answer:
            raise AssertionError(answer["error"])
        return answer


def same(answer, expected, dtype="float32"):
    values = np.array([float(v) for v in answer["values"]], "float64")
    return answer["dtype"] == dtype and answer["shape"] == list(expected.shape[1:]) and np.array_equal(values, expected.astype(dtype).astype("float64").ravel())


def every_dtype_order_and_version(driver, folder):
    rng = np.random.default_rng(1)
    kinds = ["?", "u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f2", "f4", "f8"]
    for kind, order, byte_order, version in itertools.product(kinds, "CF", "<>", [(1, 0), (2, 0), (3, 0)]):
        a = np.abs(rng.normal(0, 40, (5, 3, 4))).astype(np.dtype(kind).newbyteorder(byte_order))
        a = np.asarray(a, order=order)
        path = os.path.join(folder, "a.npy")
        with open(path, "wb") as f:
            npy_format.write_array(f, a, version=version)
        check(f"npy {kind} {order} {byte_order} {version}", same(driver.data(folder, format="npy", x="a.npy")["inputs"][0], a))
        driver.ask(copy=path, to=os.path.join(folder, "b.npy"))
        b = np.load(os.path.join(folder, "b.npy"))
        check(f"npy written {kind} {order}", b.dtype == np.dtype(kind) and np.array_equal(b, a))
    for shape in [(4,), (4, 1), (2, 3, 1, 2, 1, 2, 1, 1, 2)]:
        a = rng.normal(size=shape).astype("f4")
        np.save(os.path.join(folder, "a.npy"), a)
        check(f"npy {shape}", same(driver.data(folder, format="npy", x="a.npy")["inputs"][0], a))


def halves_are_exact(driver, folder):
    bits = np.arange(65536, dtype="u2").view("f2")
    a = bits[np.isfinite(bits)]
    np.save(os.path.join(folder, "h.npy"), a)
    check("all finite halves", same(driver.data(folder, format="npy", x="h.npy")["inputs"][0], a))


def archives(driver, folder):
    x, y, w = np.arange(12, dtype="f8").reshape(4, 3), np.array([0, 2, 1, 2], "i8"), np.ones(4, "f4")
    for save in (np.savez, np.savez_compressed):
        save(os.path.join(folder, "a.npz"), x=x, y=y, w=w, other=np.asfortranarray(x.T))
        answer = driver.data(folder, format="npz", path="a.npz", sample_weight="w")
        check(save.__name__, same(answer["inputs"][0], x) and same(answer["targets"][0], y, "int32") and answer["classes"] == 3)
    np.save(os.path.join(folder, "x.npy"), x)
    with gzip.open(os.path.join(folder, "x.npy.gz"), "wb") as f:
        np.save(f, np.asfortranarray(x))
    check("npy.gz", same(driver.data(folder, format="npy", x="x.npy.gz")["inputs"][0], x))
    driver.ask(copy=os.path.join(folder, "x.npy"), to=os.path.join(folder, "b.npz"))
    check("npz written", np.array_equal(np.load(os.path.join(folder, "b.npz"))["x"], x))


def tables(driver, folder):
    rng = np.random.default_rng(2)
    x = rng.normal(size=(300, 4)) * 10.0 ** rng.integers(-30, 30, (300, 4))
    texts = [[rng.choice([repr(float(v)), f"{v:.3e}", f"{v:.25g}", f" {v:+.17G} "]) for v in row] for row in x]
    with gzip.open(os.path.join(folder, "t.csv.gz"), "wt", newline="") as f:
        f.write("a,b,c,d,y\r\n" + "".join(",".join(row) + f",{i % 7}\r\n" for i, row in enumerate(texts)))
    answer = driver.data(folder, format="csv", path="t.csv.gz")
    check("csv numbers", same(answer["inputs"][0], np.array([[float(v) for v in row] for row in texts])))
    check("csv labels", same(answer["targets"][0], np.arange(300) % 7, "int32"))


def scales(driver, folder):
    import keras
    from sklearn.preprocessing import MinMaxScaler, StandardScaler

    rng = np.random.default_rng(3)
    x = np.column_stack([rng.normal(5, 3, 50), rng.uniform(-1, 1, 50), np.full(50, 7.0), rng.integers(0, 200, 50)]).astype("f4")
    np.save(os.path.join(folder, "x.npy"), x)
    for name, scaler in (("standard", StandardScaler()), ("minmax", MinMaxScaler())):
        answer = driver.data(folder, format="npy", x="x.npy", scale=name, test_split=0.3)
        train = x[: int(np.floor(50 * 0.7))].astype("f8")
        got = np.array(answer["inputs"][0]["values"]).reshape(train.shape)
        check(name, np.allclose(got, scaler.fit_transform(train), atol=2e-6), str(np.abs(got - scaler.fit_transform(train)).max()))
    pixels = rng.integers(0, 255, (20, 4, 5, 3)).astype("u1")
    np.save(os.path.join(folder, "p.npy"), pixels)
    layer = keras.layers.Normalization(axis=-1)
    layer.adapt(pixels.astype("f4"))
    got = np.array(driver.data(folder, format="npy", x="p.npy", scale="standard")["inputs"][0]["values"]).reshape(pixels.shape)
    check("standard = Normalization(axis=-1)", np.allclose(got, np.asarray(layer(pixels.astype("f4"))), atol=1e-5))


def splits(driver, folder):
    from keras.src.trainers.data_adapters.array_slicing import train_validation_split

    for n in (2, 5, 7, 10, 33, 100, 1437, 1797):
        a = np.arange(n, dtype="f4")
        np.save(os.path.join(folder, "s.npy"), a)
        for share in (0.1, 0.2, 0.25, 0.3, 0.5, 0.7, 1 / 3):
            answer = driver.ask(data=dict(format="npy", x="s.npy", validation_split=share), folder=folder)
            try:
                (train,), (rest,) = train_validation_split((a,), share)
            except ValueError:
                check(f"split {n} {share} refused", "error" in answer)
                continue
            check(f"split {n} {share}", answer.get("n") == [len(train), len(rest), 0] and same(answer["inputs"][0], np.asarray(train)), str(answer)[:200])


def write_png(path, pixels):
    h, w, _ = pixels.shape
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    chunk = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    with open(path, "wb") as f:
        f.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", w, h, 8, 2, 0, 0, 0)) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def pictures(driver, folder):
    import keras

    rng = np.random.default_rng(4)
    os.makedirs(os.path.join(folder, "pictures", "only"))
    image = rng.integers(0, 256, (7, 10, 3)).astype("u1")
    write_png(os.path.join(folder, "pictures", "only", "a.png"), image)
    check("picture", same(driver.data(folder, format="images", path="pictures")["inputs"][0], image[None]))
    for size in ([4, 4], [14, 20], [9, 5], [1, 1]):
        got = np.array(driver.data(folder, format="images", path="pictures", size=size)["inputs"][0]["values"]).reshape(*size, 3)
        want = np.asarray(keras.ops.image.resize(image.astype("f4"), size, interpolation="bilinear", antialias=False))
        check(f"resize {size}", np.abs(got - want).max() <= 0.5 + 1e-3, str(np.abs(got - want).max()))


def main():
    driver = Driver(sys.argv[1])
    tests = (every_dtype_order_and_version, halves_are_exact, archives, tables, scales, splits, pictures)
    try:
        with WorkFolder() as folder:
            for test in tests:
                test(driver, folder)
    finally:
        driver.process.stdin.close()
        driver.process.wait()
    check("driver ended", driver.process.returncode == 0)
    print(f"{len(failures)} checks failed" if failures else "all as expected")
    return bool(failures)


sys.exit(main())
