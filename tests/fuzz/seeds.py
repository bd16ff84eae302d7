"""What the fuzzers begin with: small files of every kind, each in the shape its target wants, made by the built programs and by hand.

    seeds.py BUILD CORPUS        BUILD: a folder with antler and antler-worker; CORPUS/fuzz_<target>/ is filled
"""
import gzip
import io
import json
import os
import struct
import subprocess
import sys
import tempfile
import zipfile

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FOREIGN = os.path.join(SOURCE, "tests", "files", "foreign")
CONFIG = {
    "name": "seed", "data": {"format": "synthetic", "name": "moons", "samples": 20},
    "model": {"layers": [{"class": "Dense", "units": 2, "activation": "relu"}, {"class": "Dense", "units": 1}]},
    "compile": {"optimizer": "adam", "loss": "mse", "metrics": ["mae"]}, "fit": {"epochs": 2},
}
LAYERS = [
    '[{"class": "Conv2D", "filters": 2, "kernel_size": 3, "input_shape": [5, 5, 1]}, {"class": "BatchNormalization"}, {"class": "Flatten"}]',
    '[{"class": "Embedding", "input_dim": 5, "output_dim": 4, "input_shape": [6]}, {"class": "LSTM", "units": 3}, {"class": "Dense", "units": 1}]',
    '[{"class": "Dense", "units": 4, "activation": "x * relu(x)", "input_shape": [3]}, {"class": "Dropout", "rate": 0.5}]',
]
FILTERS = ['state:running AND best.val_loss<0.1', '"two words" -tag:x | (created>=2026-11-23 duration<5m)', 'NOT config.fit.epochs=3 dig*ts?']
TERMINAL = [b"\033[A\033OB\033[<0;12;7M\033[200~a\tb\033[201~", b"\033]11;rgb:0000/0000/0000\033\\\033[?62;22c", b"10 %\r20 %\r\033[31mred\033[0m\n\b\b",
            "日本語 \U0001f600 e\u0301\n".encode()]


def read(*path):
    with open(os.path.join(*path), "rb") as f:
        return f.read()


def train(build, folder):
    """A run of two epochs; its folder."""
    config = os.path.join(folder, "seed.json")
    with open(config, "w") as f:
        json.dump(CONFIG, f)
    subprocess.run([os.path.join(build, "antler"), "--home", os.path.join(folder, "runs"), "train", config], check=True, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)
    runs = os.path.join(folder, "runs")
    return next(os.path.join(runs, r) for r in os.listdir(runs) if os.path.isdir(os.path.join(runs, r)) and r != "trash")


def npy(shape, values):
    head = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}"
    head += " " * (53 - len(head)) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head.encode() + struct.pack(f"<{len(values)}f", *values)


def npz():
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w") as z:
        z.writestr("x.npy", npy((2, 2), [1, 2, 3, 4]))
        z.writestr("y.npy", npy((2,), [0, 1]))
    return memory.getvalue()


def data_files():
    """In the order of the formats of fuzz_data."""
    csv = b"a,b,label\n1,2,0\n3,,1\n5,6,0\n"
    idx = struct.pack(">IIII", 0x803, 2, 2, 2) + bytes(range(8))
    return [csv, csv.replace(b",", b";"), npy((3, 2), [1, 2, 3, 4, 5, 6]), npz(), idx, bytes(3073), "Ein kleiner Text.\n".encode(), b"ab\r\ncd\n",
            gzip.compress(csv)]


def payloads(log):
    """The frames of a history without their lengths and checksums, each behind its size in a byte."""
    at, out = 0, b""
    while at + 8 <= len(log):
        (n,) = struct.unpack_from("<I", log, at)
        out += bytes([n]) + log[at + 8:at + 8 + n] if n < 256 else b""
        at += 8 + n
    return out


def seeds(run):
    model = read(run, "checkpoints", "epoch-0002.keras")
    with zipfile.ZipFile(io.BytesIO(model)) as z:
        members = {name: z.read(name) for name in z.namelist()}
    log = read(run, "history.log")
    foreign = [(b"\x00\x01", "tf2", "events.out.tfevents.3.host.1.2.v2"), (b"\x00\x00", "events.payloads"), (b"\x01\x00", "wandb.payloads"),
               (b"\x01\x01", "wandb", "offline-run-20261125_211100-tiny0001", "run-tiny0001.wandb"), (b"\x02", "history.csv"), (b"\x03", "history.json")]
    yield "fuzz_zip", [model, npz()]
    yield "fuzz_hdf5", [data for name, data in members.items() if name.endswith(".h5")]
    yield "fuzz_model", [members["config.json"]] + [text.encode() for text in LAYERS]
    yield "fuzz_config", [read(run, "config.json")] + [read(SOURCE, "configs", c) for c in os.listdir(os.path.join(SOURCE, "configs")) if c.endswith(("json", "yaml"))]
    yield "fuzz_history", [log if log[0] & 1 else b"\x01" + log[1:], b"\x00" + payloads(log)]
    yield "fuzz_data", [bytes([format % 8]) + data for format, data in enumerate(data_files())]
    yield "fuzz_text", [text.encode() for text in FILTERS] + [read(FOREIGN, "history.csv"), read(FOREIGN, "history.json")]
    yield "fuzz_source", [head + read(FOREIGN, *path) for head, *path in foreign]
    yield "fuzz_screen", TERMINAL


def main():
    build, corpus = sys.argv[1:]
    with tempfile.TemporaryDirectory(prefix="antler-seeds-") as folder:
        for target, inputs in seeds(train(build, folder)):
            os.makedirs(os.path.join(corpus, target), exist_ok=True)
            for i, data in enumerate(inputs):
                with open(os.path.join(corpus, target, f"seed-{i}"), "wb") as f:
                    f.write(data)


main()
