"""Writes run folders as docs and headers describe them, byte for byte and without antler: an independent second implementation.
Used by the command line tests and the benchmark of the index."""
import json
import os
import struct
import zlib


def frame(payload):
    return struct.pack("<II", len(payload), zlib.crc32(payload)) + payload


class Log:
    def __init__(self):
        self.bytes = bytearray()
        self.ids = {}

    def metrics(self, epoch, step, time, values):
        for name in values:
            if name not in self.ids:
                self.ids[name] = len(self.ids)
                self.bytes += frame(b"\x01" + struct.pack("<H", self.ids[name]) + name.encode())
        payload = b"\x02" + struct.pack("<qqdH", epoch, step, time, len(values))
        for name, value in values.items():
            payload += struct.pack("<Hd", self.ids[name], value)
        self.bytes += frame(payload)

    def json(self, kind, epoch, step, time, value):
        self.bytes += frame(struct.pack("<Bqqd", kind, epoch, step, time) + json.dumps(value).encode())

    def event(self, epoch, step, time, value):
        self.json(3, epoch, step, time, value)

    def checkpoint(self, epoch, step, time, name, **more):
        self.json(4, epoch, step, time, {"checkpoint": name, "size_bytes": 4, "weights_only": False, "best": False, **more})


def write_run(home, id, name=None, state="finished", config=None, log=None, checkpoints=(), created=1.7e9, **more):
    folder = os.path.join(home, id)
    os.makedirs(os.path.join(folder, "checkpoints"), exist_ok=True)
    run = {"format": 1, "id": id, "name": name or id, "created": created, "device": "cpu", "source": None, "parent": None, "tags": [],
           "note": "", "state": state, "epoch": 0, "step": 0, "error": None,
           "changes": [{"state": "running", "time": created, "epoch": 0, "step": 0},
                       {"state": state, "time": created + 102, "epoch": 0, "step": 0}]}
    run.update(more)
    with open(os.path.join(folder, "run.json"), "w") as file:
        json.dump(run, file)
    with open(os.path.join(folder, "config.json"), "w") as file:
        json.dump(config if config is not None else {"name": name, "fit": {"epochs": 3}}, file)
    if log is not None:
        with open(os.path.join(folder, "history.log"), "wb") as file:
            file.write(bytes(log.bytes if isinstance(log, Log) else log))
    for checkpoint in checkpoints:
        with open(os.path.join(folder, "checkpoints", checkpoint), "w") as file:
            file.write("file")
    return folder


def simple_log(epochs, scale=1.0, start=1.7e9):
    log = Log()
    log.event(0, 0, start, {"event": "started", "epochs": epochs})
    for epoch in range(1, epochs + 1):
        loss = scale / epoch
        log.metrics(epoch, 10 * epoch, start + epoch, {"loss": loss, "accuracy": 1 - loss / 10, "val_loss": loss + 0.01 * epoch})
        log.checkpoint(epoch, 10 * epoch, start + epoch, f"epoch-{epoch:04d}.keras", metrics={"loss": loss, "val_loss": loss + 0.01 * epoch})
    return log
