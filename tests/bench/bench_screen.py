"""./dev bench screen charts live many: what the screen writes and how long it takes, in a terminal that answers as xterm does, and in one that never answers."""
import fcntl, json, os, pathlib, pty, re, select, statistics, struct, subprocess, tempfile, termios, time

from common import ANTLER, BUILD, FIRST, SOURCE, clean_env, quiet, reap_all, run, say, wall_ms

ANSWERS = {"xterm": {b"\x1b[5n": b"\x1b[0n", b"\x1b[6n": b"\x1b[2;4R", b"\x1b[c": b"\x1b[?64;1;2c"},  # well; REP works; a VT420
           "tmux": {b"\x1b[5n": b"\x1b[0n", b"\x1b[6n": b"\x1b[2;2R", b"\x1b[c": b"\x1b[?1;2c"},      # REP only for ASCII
           "mute": {}}


class Screen:
    """antler in a terminal; what it writes is timed and counted."""

    def __init__(self, home, width=80, height=24, terminal="xterm"):
        self.fd, inner = pty.openpty()
        fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("4H", height, width, 0, 0))
        self.answers, self.tail = ANSWERS[terminal], b""
        self.started = time.perf_counter()
        self.process = subprocess.Popen([*FIRST, ANTLER, "--home", str(home)], stdin=inner, stdout=inner, stderr=inner, env=clean_env(), start_new_session=True)
        os.close(inner)

    def answer(self, data):
        self.tail += data
        end = 0
        for question in re.finditer(rb"\x1b\[(?:5n|6n|c)", self.tail):
            end = question.end()
            os.write(self.fd, self.answers.get(question.group(), b""))
        self.tail = self.tail[max(end, len(self.tail) - 3):]

    def read(self, quiet_s, at_most_s=10.0):
        """Everything until nothing came for quiet_s: [(time, bytes)]."""
        chunks, end = [], time.perf_counter() + at_most_s
        while time.perf_counter() < end and select.select([self.fd], [], [], quiet_s)[0]:
            try:
                chunks.append((time.perf_counter(), os.read(self.fd, 1 << 16)))
            except OSError:  # it has ended
                break
            self.answer(chunks[-1][1])
        return chunks

    def first_frame_ms(self):
        """Until the screen was taken; modes and titles come before."""
        seen = b""
        for when, data in self.read(1.0):
            seen += data
            if b"\x1b[?1049h" in seen:
                return (when - self.started) * 1e3
        return float("inf")

    def key(self, text, quiet_s):
        """(ms to the first byte of the answer, ms to its last byte)."""
        start = time.perf_counter()
        os.write(self.fd, text.encode())
        chunks = self.read(quiet_s)
        return ((chunks[0][0] - start) * 1e3, (chunks[-1][0] - start) * 1e3) if chunks else (float("inf"), float("inf"))

    def bytes_of(self, keys, quiet_s=0.15):
        counts = []
        for key in keys:
            os.write(self.fd, key.encode())
            counts.append(sum(len(data) for _, data in self.read(quiet_s)))
        return counts

    def cpu_s(self):
        return int(pathlib.Path(f"/proc/{self.process.pid}/schedstat").read_text().split()[0]) / 1e9

    def peak_mb(self):
        return int(re.search(r"VmHWM:\s+(\d+)", pathlib.Path(f"/proc/{self.process.pid}/status").read_text())[1]) / 1024

    def close(self):
        os.write(self.fd, b"\x1b\x1bqq")
        for _ in range(100):
            self.read(0.01, 0.05)
            if self.process.poll() is not None:
                break
        else:
            self.process.kill()
        self.process.wait()
        os.close(self.fd)


def make_home(home, runs, metrics, records):
    subprocess.run([str(BUILD / "tests" / "make_home"), str(home), str(runs), str(metrics), str(records)], check=True)
    return wall_ms([ANTLER, "--home", str(home), "list"], rounds=1)


def p99(times):
    return times[min(len(times) - 1, len(times) * 99 // 100)]


def bench_screen(work):
    """Bytes and CPU when nothing happens, time of keys, opening a long history."""
    home = work / "long"
    cold = make_home(home, 1, 20, 50000)
    make_home(home, 30, 3, 40)
    for terminal in "xterm", "mute":
        with quiet():
            screen = Screen(home, terminal=terminal)
            screen.read(0.6)
            cpu, idle = screen.cpu_s(), sum(len(data) for _, data in screen.read(5.0, 5.0))
            share = (screen.cpu_s() - cpu) / 5
            keys = min((sorted(screen.key("jk"[i // 20 % 2], 0.02)[0] for i in range(200)) for _ in range(2)), key=p99)
            screen.key("G", 0.2)
            opened = []
            for _ in range(5):
                opened.append(screen.key("\r", 0.3)[1])
                screen.key("\x1b", 0.3)
            screen.close()
        say("screen", f"{'a terminal that never answers: ' if terminal == 'mute' else ''}idle for 5 s: {idle} bytes (wanted 0), {share:.2%} of a core (wanted 0.2); "
            f"key to first byte: median {statistics.median(keys):.1f} ms (wanted 2), p99 {p99(keys):.1f} (wanted 16); 20 metrics x 50,000 steps opened in "
            f"{statistics.median(opened):.0f} ms (wanted 150)", **{terminal: {"idle_bytes": idle, "idle_share": share, "keys_ms": keys, "opened_ms": opened}})
    say("screen", f"20 metrics x 50,000 steps: taken into the index once in {cold:.0f} ms", ingest_ms=cold)


def chart_bytes(home, what, terminal, width, height):
    screen = Screen(home, width, height, terminal)
    screen.read(0.6)
    screen.key("\r", 0.5)
    screen.key("0", 0.3)
    moves, zooms, paints = screen.bytes_of(["\x1b[D"] * 25), screen.bytes_of("++++----"), screen.bytes_of(["\x0c"] * 2)
    screen.close()
    say("charts", f"{what}, {width}x{height}, as {terminal}: the cursor writes {statistics.median(moves):.0f} bytes (largest {max(moves)}, wanted 400), a zoom "
        f"{statistics.median(zooms):.0f} (largest {max(zooms)}, wanted 4,000), a whole repaint {max(paints)} (wanted 12,000)",
        **{f"{what} {terminal} {width}x{height}": {"cursor": moves, "zoom": zooms, "repaint": paints}})


def bench_charts(work):
    """A frame of 10 million points, and the bytes of the keys of a chart: of a run of 100 epochs with its checkpoints, and of eight metrics of noise."""
    frame = json.loads(subprocess.run([str(BUILD / "tests" / "chart_speed"), "10000000"], stdout=subprocess.PIPE, check=True).stdout)
    say("charts", f"10 M points in four curves at 200x50: a frame takes {frame['whole_ms']:.2f} ms whole, {frame['clipped_ms']:.2f} without outliers, "
        f"{frame['zoomed_ms']:.2f} zoomed (wanted 16)", **frame)
    make_home(work / "noise", 1, 8, 20000)
    run([ANTLER, "--home", str(work / "run"), "train", str(SOURCE / "configs/digits-mlp.json"), "--set", "fit.epochs=100"])
    for what, home in ("a run", work / "run"), ("noise", work / "noise"):
        for width, height in (80, 24), (200, 50):
            for terminal in "xterm", "tmux":
                chart_bytes(home, what, terminal, width, height)


LIVE = {"model": {"layers": [{"class": "Dense", "units": 64, "activation": "relu"}, {"class": "Dense", "units": 1, "activation": "sigmoid"}]},
        "compile": {"optimizer": "adam", "loss": "binary_crossentropy", "metrics": ["accuracy"]}, "fit": {"epochs": 500, "batch_size": 1}}


def watch_live(work, samples, width, height):
    """Bytes of every frame of ten seconds while a run trains, on its own view, sorted."""
    (work / "live.json").write_text(json.dumps({**LIVE, "data": {"format": "synthetic", "name": "moons", "samples": samples, "validation_split": 0.1}}))
    command = [ANTLER, "--home", str(work), "train", str(work / "live.json"), "--detach", "--threads", "1"]
    name = subprocess.run(command, stdout=subprocess.PIPE, check=True, env=clean_env()).stdout.decode().strip()
    screen = Screen(work, width, height)
    screen.read(0.3, 1.0)
    screen.key("\r", 0.3)
    screen.read(1.0, 5.0)
    ticks = sorted(len(data) for _, data in screen.read(2.0, 10.0)) or [0]
    screen.close()
    subprocess.run([ANTLER, "--home", str(work), "stop", name], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=clean_env())
    reap_all()
    return ticks


def bench_live(work):
    """Bytes of a tick while a run trains: in the middle of long epochs, and with about an epoch a second."""
    for name, samples, width, height in (("long epochs", 4000000, 80, 24), ("an epoch a second or two", 400000, 80, 24), ("the same", 400000, 200, 50)):
        (work / f"{samples}-{width}").mkdir()
        ticks = watch_live(work / f"{samples}-{width}", samples, width, height)
        n = len(ticks)
        say("live", f"{name}, {width}x{height}: a tick takes {ticks[n // 2]} bytes in the median, p90 {ticks[n * 9 // 10]}, largest of {n} {ticks[-1]} (wanted 400; an axis that "
            f"grows takes more); {n / 10:.1f} frames a second (wanted at most 10)", **{f"{samples}_{width}": ticks})


def import_seconds(home, work, count):
    """So many small CSVLogger files, one run each."""
    folder = work / "csv"
    folder.mkdir()
    for i in range(count):
        (folder / f"run-{i:05d}.csv").write_text("epoch,accuracy,loss,val_loss\r\n" + "".join(f"{e},{1 - 1 / (e + 2 + i % 7)},{1 / (e + 1)},{1.1 / (e + 1)}\r\n" for e in range(10)))
    return run([ANTLER, "--home", str(home), "import", str(folder)])[0]


def bench_many(work):
    """10,000 runs: imported, listed, and on the screen."""
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else str(work)
    with tempfile.TemporaryDirectory(prefix="antler-bench-", dir=memory) as home:
        took = import_seconds(f"{home}/imported", pathlib.Path(home), 10000)
        say("many", f"10,000 small CSV files: imported in {took:.1f} s (wanted 20)", import_s=took)
        cold = make_home(f"{home}/runs", 10000, 2, 5)
        warm = wall_ms([ANTLER, "--home", f"{home}/runs", "list"], rounds=5)
        with quiet():
            screen = Screen(f"{home}/runs")
            first = screen.first_frame_ms()
            moves = sorted(screen.key("jk"[i // 30 % 2], 0.03)[0] for i in range(200))
            screen.key("/", 0.1)
            strokes = sorted(screen.key(letter, 0.2)[0] for letter in "made-00777\b\b\b\b\bmade")
            peak = screen.peak_mb()
            screen.close()
        say("many", f"10,000 runs on the screen: first frame {first:.0f} ms (wanted 200), a move p99 {p99(moves):.1f} ms (wanted 16), a filter keystroke "
            f"{statistics.median(strokes):.1f} ms in the median, worst {strokes[-1]:.1f} (wanted 16), {peak:.0f} MB at most (wanted 64)",
            first_ms=first, move_ms=moves, filter_ms=strokes, peak_mb=peak)
        say("many", f"list of 10,000 runs: {warm:.0f} ms (the first time, all new: {cold / 1e3:.1f} s)", warm_ms=warm, cold_ms=cold)
