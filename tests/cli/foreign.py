"""Writes histories as other tools do, byte for byte and without them: TensorBoard's event files and the .wandb files of Weights & Biases."""
import json
import struct
import zlib


def _table():
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
        table.append(byte)
    return table


TABLE = _table()


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def masked(data):
    crc = crc32c(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def varint(n):
    out = bytearray()
    while n > 0x7F:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    return bytes(out) + bytes([n])


def field(number, value):
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    if isinstance(value, float):
        return varint(number << 3 | 1) + struct.pack("<d", value)
    value = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(value)) + value


def tf_record(payload):
    length = struct.pack("<Q", len(payload))
    return length + struct.pack("<I", masked(length)) + payload + struct.pack("<I", masked(payload))


def scalar_event(tag, step, value, time=1.7e9):
    """As tf.summary.scalar writes it: a float tensor of the plugin scalars."""
    tensor = field(1, 1) + field(4, struct.pack("<f", value))
    summary = field(1, field(1, tag) + field(8, tensor) + field(9, field(1, field(1, "scalars"))))
    return tf_record(field(1, float(time)) + field(2, step) + field(5, summary))


def png(width, height, pixel, channels=3):
    """A PNG file; pixel(x, y) gives its bytes."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + bytes(v for x in range(width) for v in pixel(x, y)) for y in range(height))
    head = struct.pack(">IIBBBBB", width, height, 8, {1: 0, 3: 2, 4: 6}[channels], 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def image_event(tag, step, pictures, time=1.7e9):
    """As tf.summary.image writes it: strings of width, height, and one file a picture."""
    tensor = field(1, 7) + b"".join(field(8, s) for s in (b"8", b"8", *pictures))
    return tf_record(field(1, float(time)) + field(2, step) + field(5, field(1, field(1, tag) + field(8, tensor) + field(9, field(1, field(1, "images"))))))


def text_event(tag, step, text, time=1.7e9):
    tensor = field(1, 7) + field(8, text)
    return tf_record(field(1, float(time)) + field(2, step) + field(5, field(1, field(1, tag) + field(8, tensor) + field(9, field(1, field(1, "text"))))))


class Wandb:
    """A .wandb file that grows in memory."""

    def __init__(self):
        self.bytes = bytearray(b":W&B\xe1\xbe\x00")

    def add(self, record):
        first = True
        while True:
            left = 32768 - len(self.bytes) % 32768
            if left < 7:
                self.bytes += bytes(left)
                left = 32768
            piece, record = record[:left - 7], record[left - 7:]
            kind = (1 if not record else 2) if first else (4 if not record else 3)
            self.bytes += struct.pack("<IHB", zlib.crc32(bytes([kind]) + piece), len(piece), kind) + piece
            first = False
            if not record:
                return

    def run(self, name, config=None, tags=(), start=1.7e9):
        items = b"".join(field(1, field(1, key) + field(16, json.dumps(value))) for key, value in (config or {}).items())
        self.add(field(17, field(1, "id") + field(4, items) + field(8, name) + b"".join(field(10, t) for t in tags) + field(17, field(1, int(start)))))

    def history(self, values):
        self.add(field(2, b"".join(field(1, field(2, key) + field(16, json.dumps(value))) for key, value in values.items())))

    def output(self, text):
        self.add(field(13, field(3, text)))

    def exit(self, code=0):
        self.add(field(18, field(1, code)))
