"""antler plot on a home this script writes itself: text, ASCII, colours, SVG, PNG, errors."""
import os
import struct
import subprocess
import sys
import xml.dom.minidom
import zlib

from home import Log, write_run
from work_folder import WorkFolder

ANTLER = os.path.join(os.environ["ANTLER_BUILD"], "antler")
failures = 0


def check(condition, what):
    global failures
    if not condition:
        failures += 1
        print("FAILED:", what)


def plot(home, *arguments, status=0, env=None):
    environment = {k: v for k, v in os.environ.items() if k not in ("ANTLER_HOME", "NO_COLOR", "LC_ALL")}
    environment.update({"LC_ALL": "C.UTF-8", **(env or {})})
    done = subprocess.run([ANTLER, "--home", home, "plot", *arguments], capture_output=True, env=environment, stdin=subprocess.DEVNULL)
    check(done.returncode == status, f"plot {arguments}: exit {done.returncode}, expected {status}: {done.stderr.decode()}")
    return done.stdout.decode(), done.stderr.decode()


def log_of(epochs, scale=1.0):
    log = Log()
    for epoch in range(1, epochs + 1):
        log.metrics(epoch, 45 * epoch, 1.7e9 + epoch, {"loss": scale * 2 / epoch, "accuracy": 1 - 0.5 / epoch,
                                                      "val_loss": scale * (2.2 / epoch + 0.05 * epoch), "val_accuracy": 1 - 0.6 / epoch})
        log.checkpoint(epoch, 45 * epoch, 1.7e9 + epoch, f"epoch-{epoch:04d}.keras", metrics={"val_loss": scale * (2.2 / epoch + 0.05 * epoch)})
    return log


def fill(home):
    names = [f"epoch-{epoch:04d}.keras" for epoch in range(1, 13)]
    write_run(home, "2026-11-23_10-00-00_cnn", "cnn", log=log_of(12), checkpoints=names)
    write_run(home, "2026-11-23_10-00-01_mlp", "mlp", log=log_of(20, 2.0))
    broken = log_of(2)
    broken.metrics(3, 135, 1.7e9 + 3, {"loss": float("nan"), "val_loss": float("inf")})
    write_run(home, "2026-11-23_10-00-02_bad", "bad", state="failed", log=broken)
    write_run(home, "2026-11-23_10-00-03_empty", "empty", log=Log())


def check_text(home):
    out, _ = plot(home, "cnn", "--width", "70", "--height", "16")
    lines = out.split("\n")
    check(len(lines) == 17 and max(map(len, lines)) <= 70, f"16 lines of at most 70 columns, found {len(lines)}")
    check("val_loss" in out and "epoch" in out and "◇" in out and "●" in out and "ckpt" in out, f"names, axis and checkpoints:\n{out}")
    check(any(0x2800 < ord(c) < 0x2900 for c in out) and "\u2800" not in out, "braille, and no empty pattern")
    check("\033" not in out, "no colours into a pipe")
    plain, _ = plot(home, "cnn", "--ascii")
    check(plain.isascii() and "*" in plain and "o" in plain, f"only ASCII:\n{plain}")
    check(plot(home, "cnn", env={"LC_ALL": "C"})[0].isascii(), "only ASCII in the C locale")
    both, _ = plot(home, "cnn", "mlp", "--metric", "val_loss")
    check("val_loss" in both and " cnn" in both and " mlp" in both and "ckpt" not in both, f"two runs:\n{both}")
    panels, _ = plot(home, "cnn", "--metric", "loss", "--metric", "val_loss", "--metric", "accuracy")
    check(panels.count("epoch") == 2 and panels.count("loss") >= 3 and "accuracy" in panels, f"two charts:\n{panels}")
    bad, _ = plot(home, "bad")
    check("NaN from epoch 3" in bad and "×" in bad, f"the divergence is marked:\n{bad}")
    log, _ = plot(home, "cnn", "--log-y", "--smooth", "0.6")
    check(log != plot(home, "cnn", "--smooth", "0.6")[0] and log != plot(home, "cnn", "--log-y")[0], "log axis and smoothing change the picture")
    zoomed, _ = plot(home, "cnn", "--x", "step", "--x-range=90:270")
    check("step" in zoomed and "zoomed" in zoomed and "500" not in zoomed, f"a part of the axis:\n{zoomed}")
    cloud, _ = plot(home, "cnn", "mlp", "--metric", "loss", "--bright", "mlp")
    check(" mlp" in cloud and " cnn" not in cloud, f"one stands out:\n{cloud}")
    for axis in ("epoch", "step", "time", "clock", "fork"):
        check(plot(home, "cnn", "--x", axis)[0] != "", f"an axis of {axis}")
    values, _ = plot(home, "cnn", "--metric", "loss", "--csv", "-", "--x", "epoch", "--smooth", "0.5", "--x-range", "2:3")
    check(values == "epoch,loss,loss (smooth)\n2,1,1.3333333333333333\n3,0.6666666666666666,0.9523809523809523\n", f"values:\n{values}")
    heads, _ = plot(home, "cnn", "mlp", "--metric", "loss", "--metric", "accuracy", "--csv", "-")
    check(heads.split("\n")[0].split(",")[1:] == ["cnn loss", "mlp loss", "cnn accuracy", "mlp accuracy"], f"whose values of what:\n{heads}")
    for width in (1, 5, 23, 300):
        for height in (1, 4, 9, 60):
            out = plot(home, "cnn", "--width", str(width), "--height", str(height))[0].split("\n")
            check(len(out) == height + 1 and max(map(len, out)) <= width, f"{width} x {height} fits")


def png_pixels(path):
    with open(path, "rb") as file:
        data = file.read()
    check(data[:8] == b"\x89PNG\r\n\x1a\n", "a PNG signature")
    at, body = 8, b""
    while at < len(data):
        size, kind = struct.unpack(">I4s", data[at:at + 8])
        if kind == b"IHDR":
            width, height = struct.unpack(">II", data[at + 8:at + 16])
        if kind == b"IDAT":
            body += data[at + 8:at + 8 + size]
        at += size + 12
    return width, height, zlib.decompress(body)


def check_pictures(home, folder):
    svg, png = os.path.join(folder, "a.svg"), os.path.join(folder, "a.png")
    out, err = plot(home, "cnn", "--svg", svg, "--png", png, "--width", "640", "--height", "300")
    check(out == "" and err == "", "quiet when it writes files")
    document = xml.dom.minidom.parse(svg)
    check(document.documentElement.getAttribute("width") == "640", "the width asked for")
    check(any("val_loss" in node.toxml() for node in document.getElementsByTagName("text")), "names in the SVG")
    width, height, pixels = png_pixels(png)
    check((width, height) == (640, 300) and len(set(pixels)) > 20, f"a picture of 640 x 300 with ink, found {width} x {height}")
    plot(home, "cnn", "--metric", "loss", "--metric", "accuracy", "--svg", svg, "--png", png)
    check(xml.dom.minidom.parse(svg).documentElement.getAttribute("height") == "640", "two panels of 320 in one SVG")
    check(png_pixels(png)[1] == 640, "two panels of 320 in one PNG")
    first = open(svg).read()
    plot(home, "cnn", "--metric", "loss", "--metric", "accuracy", "--svg", svg)
    check(open(svg).read() == first, "the same bytes again")


def check_errors(home, folder):
    for arguments, status, words in [
            (("nobody",), 3, "nobody"), (("cnn", "--metric", "lss"), 2, "there is"), (("cnn", "--width", "0"), 2, "--width"),
            (("cnn", "--smooth", "2"), 2, "--smooth"), (("cnn", "--x", "epochs"), 2, "one of epoch, step"),
            (("cnn", "--x-range", "3"), 2, "LO:HI"), (("cnn", "--x-range", "3:1"), 2, "LO:HI"), (("cnn", "--x", "time", "--log-x"), 2, "--log-x"),
            (("cnn", "--bright", "mlp"), 2, "--bright"), (("cnn", "--x", "samples"), 2, "batch size"), (("cnn", "--dark"), 2, "--dark"), (("empty",), 3, "empty so far"),
            (("cnn", "--png", os.path.join(folder, "no", "such.png")), 1, "such.png"), ((), 2, "RUN")]:
        _, err = plot(home, *arguments, status=status)
        check(err.count("\n") == 1 and words in err, f"{arguments}: one line that says {words!r}, found {err!r}")


def check_colors(home):
    leader, follower = os.openpty()
    environment = {**{k: v for k, v in os.environ.items() if k != "NO_COLOR"}, "TERM": "xterm-256color", "LC_ALL": "C.UTF-8"}
    for extra, colored in (({}, True), ({"NO_COLOR": "1"}, False)):
        done = subprocess.run([ANTLER, "--home", home, "plot", "cnn", "--width", "60", "--height", "10"], stdin=follower, stdout=follower,
                              env={**environment, **extra})
        out = os.read(leader, 65536).decode()
        check(done.returncode == 0 and ("\033[0;38;5;74m" in out) == colored, f"colours on a terminal: {colored}")


def main():
    with WorkFolder() as folder:
        home = os.path.join(folder, "runs")
        os.makedirs(home)
        fill(home)
        check_text(home)
        check_pictures(home, folder)
        check_errors(home, folder)
        check_colors(home)
    sys.exit(1 if failures else 0)


main()
