"""./dev bench crowd: eight runs train and eight screens look at one home; how long keys wait on each of the screens."""
import json, os, select, subprocess, threading, time

from bench_screen import Screen
from common import ANTLER, BUILD, clean_env, reap_all, say

WORKERS, SCREENS, ROUNDS = 8, 8, 40
CONFIG = {"data": {"format": "synthetic", "name": "moons", "samples": 200000, "validation_split": 0.1}, "keep": 2,
          "model": {"layers": [{"class": "Dense", "units": 64, "activation": "relu"}, {"class": "Dense", "units": 1, "activation": "sigmoid"}]},
          "compile": {"optimizer": "adam", "loss": "binary_crossentropy", "metrics": ["accuracy"]}, "fit": {"epochs": 100000, "batch_size": 32}}
MARKS = b"help -", b"work here"  # parts of the answer to '?': what a frame leaves as it was is not sent


class Reader(threading.Thread):
    """Takes in all that a screen writes, as a terminal does."""

    def __init__(self, screen):
        super().__init__(daemon=True)
        self.screen, self.seen, self.wanted, self.answered, self.over = screen, b"", False, threading.Event(), False

    def run(self):
        while not self.over:
            if not select.select([self.screen.fd], [], [], 0.1)[0]:
                continue
            try:
                data = os.read(self.screen.fd, 1 << 16)
            except OSError:
                return
            self.seen = (self.seen + data)[-100000:]
            self.screen.answer(data)
            if self.wanted and any(mark in self.seen for mark in MARKS):
                self.wanted = False
                self.when = time.perf_counter()
                self.answered.set()

    def key_ms(self):
        self.seen, self.wanted = b"", True
        self.answered.clear()
        start = time.perf_counter()
        os.write(self.screen.fd, b"?")
        took = (self.when - start) * 1e3 if self.answered.wait(5) else float("inf")
        os.write(self.screen.fd, b"\x07")  # closes it
        time.sleep(0.02)
        return took


def bench_crowd(work):
    subprocess.run([str(BUILD / "tests" / "make_home"), str(work), "30", "3", "40"], check=True)
    (work / "crowd.json").write_text(json.dumps(CONFIG))
    started = [subprocess.run([ANTLER, "--home", str(work), "train", str(work / "crowd.json"), "--detach", "--threads", "1", "--name", f"crowd-{k}"],
                              stdout=subprocess.PIPE, check=True, env=clean_env()).stdout.decode().strip() for k in range(WORKERS)]
    screens = [Screen(work, 100, 30) for _ in range(SCREENS)]
    readers = [Reader(screen) for screen in screens]
    try:
        for k, reader in enumerate(readers):
            reader.start()
            time.sleep(0.2)
            if k % 2:
                os.write(reader.screen.fd, b"\r")  # every other one looks at a curve
        time.sleep(1)
        times = sorted(reader.key_ms() for _ in range(ROUNDS) for reader in readers)
    finally:
        for run in started:
            subprocess.run([ANTLER, "--home", str(work), "stop", run], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=clean_env())
        for reader in readers:
            reader.over = True
            reader.join()
            reader.screen.close()
        reap_all()
    say("crowd", f"{WORKERS} runs and {SCREENS} screens on one home: a key is answered in {times[len(times) // 2]:.1f} ms in the median, p99 "
        f"{times[len(times) * 99 // 100]:.1f}, worst of {len(times)} {times[-1]:.1f} (wanted 50)", key_ms=times)
