"""./dev bench leet: a real offline run of Weights & Biases (20 metrics x 50,000 steps) opened by W&B's own terminal viewer LEET and by antler watch, in turns, in the
same kind of terminal, which says that it is well when it is asked (DSR) and answers nothing else.

first: until the first cell of a curve was written. complete: until the last byte before a second of silence. CPU: of the process with all its
children until then. memory: the most that was resident (of LEET's program alone, without the Python that starts it; of antler with what its private folder holds)."""
import fcntl, glob, os, pathlib, pty, select, shutil, statistics, struct, subprocess, tempfile, termios, time

from common import ANTLER, FIRST, PEERS, clean_env, quiet, say

WRITER = """
import math, random, sys, wandb
random.seed(1)
run = wandb.init(project="bench", name="long", dir=sys.argv[1], config={"lr": 0.001}, mode="offline", settings=wandb.Settings(x_disable_stats=True, console="off"))
for step in range(50000):
    run.log({f"metric_{m}": math.exp(-step / 20000) * (1 + m) + random.random() * 0.1 for m in range(20)})
run.finish()
"""
SILENCE_S, AT_MOST_S = 1.0, 60.0


def curve_cells(data):
    return any(0x2801 <= ord(c) <= 0x28FF for c in data.decode(errors="ignore"))


def tree(pid):
    """The process and all its children."""
    found = [pid]
    for parent in found:
        for task in glob.glob(f"/proc/{parent}/task/*/children"):
            try:
                found += [int(child) for child in open(task).read().split()]
            except OSError:
                pass
    return found


def cpu_s(pid):
    ticks = 0
    for one in tree(pid):
        try:
            fields = open(f"/proc/{one}/stat").read().rsplit(")", 1)[1].split()
            ticks += sum(map(int, fields[11:15]))
        except OSError:
            pass
    return ticks / os.sysconf("SC_CLK_TCK")


def peak_mb(pid, program):
    peak = 0
    for one in tree(pid):
        try:
            if program in os.readlink(f"/proc/{one}/exe"):
                peak = max(peak, int(next(l for l in open(f"/proc/{one}/status") if l.startswith("VmHWM")).split()[1]))
        except OSError:
            pass
    return peak / 1024


def folder_mb(folder):
    return sum(os.path.getsize(os.path.join(base, name)) for base, _, files in os.walk(folder) for name in files if os.path.exists(os.path.join(base, name))) / 1e6


def look(command, program, width, height, temporary):
    """One opening: {"first_s", "complete_s", "cpu_s", "mb", "bytes"}."""
    time.sleep(1)  # what ran before has used up its share of real time
    master, inner = pty.openpty()
    fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("4H", height, width, 0, 0))
    began = time.perf_counter()
    process = subprocess.Popen([*FIRST, *command], stdin=inner, stdout=inner, stderr=inner, env=clean_env(TMPDIR=temporary, COLORTERM="truecolor"), start_new_session=True)
    os.close(inner)
    first = last = None
    size, tail, cpu = 0, b"", 0.0
    while time.perf_counter() - began < AT_MOST_S and select.select([master], [], [], SILENCE_S if first else AT_MOST_S)[0]:
        try:
            data = os.read(master, 1 << 16)
        except OSError:
            break
        last = time.perf_counter() - began
        size += len(data)
        os.write(master, b"\x1b[0n" * ((tail[-3:] + data).count(b"\x1b[5n")))
        if first is None and curve_cells(tail + data):
            first = last
        tail = data[-8:]
    cpu = cpu_s(process.pid)
    mb = peak_mb(process.pid, program) + (folder_mb(temporary) if program == "antler" else 0)
    os.write(master, b"q")
    time.sleep(0.1)
    process.kill()
    process.wait()
    os.close(master)
    shutil.rmtree(temporary, ignore_errors=True)
    os.mkdir(temporary)
    return {"first_s": first or AT_MOST_S, "complete_s": last or AT_MOST_S, "cpu_s": cpu, "mb": mb, "bytes": size}


def make_run(work):
    """The .wandb file, kept for the next time."""
    kept = pathlib.Path(tempfile.gettempdir()) / "antler-bench-leet"
    found = glob.glob(f"{kept}/wandb/*run-*/run-*.wandb")
    if not found:
        kept.mkdir(exist_ok=True)
        subprocess.run([f"{PEERS}/bin/python", "-c", WRITER, str(kept)], check=True, env=clean_env(WANDB_SILENT="true"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        found = glob.glob(f"{kept}/wandb/*run-*/run-*.wandb")
    return found[0]


def bench_leet(work):
    """The same .wandb file in W&B's LEET and in antler watch."""
    if subprocess.run([f"{PEERS}/bin/python", "-c", "import wandb"], stderr=subprocess.DEVNULL, check=False).returncode if os.access(f"{PEERS}/bin/python", os.X_OK) else True:
        say("leet", "SKIP: wandb is not in the peers' environment (./dev bench --peers)")
        return
    path, temporary = make_run(work), str(work / "tmp")
    os.mkdir(temporary)
    with open(path, "rb") as file: # both from the cache
        while file.read(1 << 20):
            pass
    for width, height in ((80, 24), (200, 50)):
        rows = {"leet": [], "antler": []}
        for _ in range(3):
            with quiet():
                rows["leet"].append(look([f"{PEERS}/bin/wandb", "leet", path], "wandb-core", width, height, temporary))
                rows["antler"].append(look([ANTLER, "--home", str(work / "home"), "watch", path], "antler", width, height, temporary))
        leet, ours = ({key: statistics.median(row[key] for row in rows[who]) for key in rows[who][0]} for who in ("leet", "antler"))
        say("leet", f"{width}x{height}: first curve {ours['first_s'] * 1e3:.0f} ms (LEET {leet['first_s'] * 1e3:.0f}, wanted 60), complete {ours['complete_s'] * 1e3:.0f} ms "
            f"(LEET {leet['complete_s'] * 1e3:.0f}: {ours['complete_s'] / leet['complete_s']:.3f}x, wanted 150 ms and 0.2x), CPU {ours['cpu_s']:.2f} s (LEET {leet['cpu_s']:.2f}: "
            f"{ours['cpu_s'] / leet['cpu_s']:.3f}x, wanted 0.1x), memory {ours['mb']:.0f} MB (LEET {leet['mb']:.0f}: {ours['mb'] / leet['mb']:.2f}x, wanted 0.5x), written "
            f"{ours['bytes'] / 1e3:.1f} kB (LEET {leet['bytes'] / 1e3:.0f}: {ours['bytes'] / leet['bytes']:.3f}x, wanted 0.25x)", **{f"{width}x{height}": rows})
