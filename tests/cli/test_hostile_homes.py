"""Homes and moments nobody wishes for: damaged run folders and indexes, homes that cannot be written or are full, hostile names, terminals that go away.
Whoever reads reads on; what cannot be done is said in one sentence; nothing that was whole is lost."""
import copy
import hashlib
import os
import pty
import resource
import shutil
import signal
import sqlite3
import subprocess
import time

from hostile import ANTLER, Home, Idle, accepted, check, done, printable, refused, run

MLP = {
    "seed": 1, "data": {"format": "synthetic", "name": "blobs", "samples": 60, "noise": 0.4, "test_split": 0.2},
    "model": {"layers": [{"class": "Dense", "units": 8, "activation": "relu"}, {"class": "Dense", "units": 3, "activation": "softmax", "name": "out"}]},
    "compile": {"optimizer": {"class": "Adam", "learning_rate": 0.01}, "loss": "sparse_categorical_crossentropy", "metrics": ["accuracy"]},
    "fit": {"epochs": 2, "batch_size": 16},
}
READING = (["list"], ["list", "--json"], ["--once"], ["show", "other"], ["history", "other"], ["plot", "other"], ["evaluate", "other:2"])


def digests(folder):
    found = {}
    for name in sorted(os.listdir(folder)):
        with open(os.path.join(folder, name), "rb") as f:
            found[name] = hashlib.sha256(f.read()).hexdigest()
    return found


def put(path, content):
    """Bytes, or one of the things that lie where a file belongs; None = nothing."""
    if os.path.isdir(path) and not os.path.islink(path):
        os.rmdir(path)
    elif os.path.lexists(path):
        os.unlink(path)
    if content == "folder":
        os.mkdir(path)
    elif content == "loop":
        os.symlink(os.path.basename(path), path)
    elif content == "pipe":
        os.mkfifo(path)
    elif content is not None:
        with open(path, "wb") as f:
            f.write(content)


def test_a_damaged_run_harms_no_other(home):
    damage = (None, b"", bytes(range(256)) * 8, bytes(99), b'{"state": 7, "name": 5, "epoch": "x", "changes": 4, "tags": 3}\n', "folder", "loop", "pipe")
    home.json("train", home.config("other", MLP), "--name", "other")
    victim = home.json("train", home.config("victim", MLP), "--name", "victim")["run"]
    folder = home.dir(victim)
    whole = os.path.join(home.folder, "whole")
    shutil.copytree(folder, whole)
    for name in ("run.json", "config.json", "history.log", "commands.log", "lock", "live", "log.txt"):
        for content in damage:
            shutil.rmtree(folder)
            shutil.copytree(whole, folder)
            put(os.path.join(folder, name), content)
            accepted(home, "list")
            before = digests(os.path.join(folder, "checkpoints"))
            for command in (["show", victim], ["history", victim], ["resume", victim, "--epochs", "3"], ["tag", victim, "x"]):
                o = run(home, *command)
                check(o.status in (0, 1, 2, 3, 4, 5), f"{name} as {content!r:.20}: {command} ended with {o.status}: {o.err}")
                check(printable(o.err) and printable(o.out), f"{name} as {content!r:.20}: {command} writes control bytes")
            after = digests(os.path.join(folder, "checkpoints"))
            check(before == {k: v for k, v in after.items() if k in before}, f"{name} as {content!r:.20}: a checkpoint was changed")
    for command in READING:
        accepted(home, *command)
    shutil.rmtree(folder)
    shutil.copytree(whole, folder)
    accepted(home, "evaluate", victim + ":2")


def test_any_index_is_only_a_cache(home):
    index = os.path.join(home.home, "antler.db")
    accepted(home, "list")
    with open(index, "rb") as f:
        good = f.read()
    flipped = bytearray(good)
    for k in range(100, len(good), 97):
        flipped[k] ^= 0xFF
    for content in (None, b"", b"garbage" * 999, good[:5000], bytes(flipped), "folder", "pipe"):
        for end in ("-wal", "-shm", "-journal"):
            put(index + end, None)
        put(index, content)
        for command in READING:
            accepted(home, *command)
    put(index, None)
    elsewhere = os.path.join(home.folder, "elsewhere")
    with open(elsewhere, "w") as f:
        f.write("precious")
    os.symlink(elsewhere, index)
    accepted(home, "list")
    check(open(elsewhere).read() == "precious", "an index that is a link changed the file it leads to")
    put(index, None)
    accepted(home, "list")
    with sqlite3.connect(index) as db:
        db.execute("pragma user_version = 9999")
    db.close()
    accepted(home, "show", "other")
    refused(home, 1, ["newer antler"], "reindex")
    put(index, None)


def test_hostile_names_are_only_names(home):
    outside = set(os.listdir(home.folder))
    config = home.config("mlp", MLP)
    for name in ("..", "../../x", "/etc/x", "a/b", "\x1b[2J\u202eevil", "-rf", "%s%n", "é" * 200, "x" * 300, "\n", "a:b"):
        made = home.json("train", config, "--name=" + name, "--tag=" + name)
        folder = os.path.realpath(made["dir"])
        check(os.path.dirname(folder) == os.path.realpath(home.home), f"the run '{name!r}' is made in the home, found {folder}")
        accepted(home, "note", made["run"], "--", name)
        accepted(home, "show", made["run"])
    for command in (["list"], ["list", "--json"], ["--once"]):
        accepted(home, *command)
    check(set(os.listdir(home.folder)) - outside <= {"mlp.json"}, "a name left the home")
    for name in ("../other", "/", ":", ":1", "other:", "nope", "\x1b[2J"):
        refused(home, (2, 3), [], "show", name)
        refused(home, (2, 3), [], "evaluate", name)
    for place in ("other:0", "other:-1", "other:99", "other:x", "other:1.5", "other:" + "9" * 30):
        refused(home, (2, 3), [], "evaluate", place)


def test_a_long_home_works(home):
    folder = os.path.join(home.folder, *["h" * 100] * 7)
    os.makedirs(folder)
    for command in (["train", home.config("mlp", MLP)], ["list"], ["show", "mlp"], ["evaluate", "mlp:1"], ["resume", "mlp", "--epochs", "3"]):
        accepted(home, *command, environment={"ANTLER_HOME": folder})


def test_a_home_that_cannot_be_written_is_read(home):
    if os.getuid() != 0:
        print("SKIP: not root: no other user to be")
        return

    def nobody():
        os.setgid(65534)
        os.setuid(65534)

    os.chmod(home.folder, 0o755)
    for command in READING:
        accepted(home, *command, before=nobody)
    for command in (["train", home.config("mlp", MLP)], ["resume", "other", "--epochs", "9"], ["tag", "other", "x"], ["delete", "other"]):
        refused(home, (1, 5), ["Permission denied"], *command, before=nobody)
    os.chmod(home.home, 0)
    refused(home, 1, ["Permission denied"], "list", before=nobody)
    os.chmod(home.home, 0o755)


def test_a_full_disk_keeps_what_was_whole(home):
    disk = os.path.join(home.folder, "disk")
    os.mkdir(disk)
    if os.getuid() or subprocess.call(["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", disk], stderr=subprocess.DEVNULL):
        print("SKIP: no small disk can be mounted")
        return
    try:
        there = {"ANTLER_HOME": os.path.join(disk, "runs")}
        config = home.config("mlp", MLP)
        o = run(home, "train", config, "--set", "fit.epochs=60", environment=there)
        check(o.status in (1, 5) and o.err.count(b"\n") >= 1 and printable(o.err), f"training on a full disk ends with {o.status}: {o.err}")
        for command in (["list"], ["show", "mlp"], ["checkpoints", "mlp"], ["evaluate", "mlp:1"], ["history", "mlp"]):
            accepted(home, *command, environment=there)
        o = run(home, "train", config, environment=there)
        check(o.status in (1, 5) and printable(o.err), f"a second run on a full disk ends with {o.status}: {o.err}")
        with open(os.path.join(disk, "fill"), "wb") as f:
            try:
                f.write(bytes(1 << 20))
            except OSError:
                pass
        accepted(home, "list", environment=there)
        accepted(home, "evaluate", "mlp:1", environment=there)
    finally:
        subprocess.call(["umount", disk])


def started(home, before):
    until = time.monotonic() + 20
    while time.monotonic() < until:
        for name in set(home.ids()) - before:
            if home.state(name) == "running":
                return name
        time.sleep(0.02)
    check(False, "no run was started")
    return None


def test_runs_outlive_whoever_started_them(home):
    long = copy.deepcopy(MLP)
    long["fit"]["epochs"], long["keep"] = 1000000, 2
    config = home.config("long", long)
    environment = {**os.environ, "ANTLER_HOME": home.home}

    before = set(home.ids())
    p = subprocess.Popen([ANTLER, "train", config], cwd=home.folder, env=environment, stdout=subprocess.PIPE)
    name = started(home, before)
    p.kill()
    p.wait()
    check(home.state(name) == "running", "the run goes on when antler is killed")
    home.kill(name, signal.SIGSTOP)
    check(home.state(name) == "running", f"a stopped process is not interrupted, found {home.state(name)}")
    home.kill(name, signal.SIGCONT)
    home.kill(name, signal.SIGHUP)
    refused(home, 1, ["in use"], "delete", name)
    refused(home, 1, ["in use"], "resume", name)
    check(home.state(name) == "running", "what was refused changed nothing")
    home.kill(name, signal.SIGTERM)
    home.wait(name, ("stopped",))
    check(home.checkpoints(name)[-1]["step"] == home.show(name)["step"], "SIGTERM leaves a checkpoint of the last step")

    before = set(home.ids())
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(home.folder)
        os.execve(ANTLER, [ANTLER, "train", config], environment)
    name = started(home, before)
    os.close(terminal)  # hang-up
    os.waitpid(pid, 0)
    check(home.state(name) == "running", "the run goes on when the terminal hangs up")
    home.kill(name)
    home.wait(name, ("interrupted",))
    accepted(home, "evaluate", name + ":last")

    before = set(home.ids())
    p = subprocess.Popen([ANTLER, "train", config], cwd=home.folder, env=environment, stdout=subprocess.PIPE)
    name = started(home, before)
    p.stdout.close()
    p.wait(timeout=30)
    check(home.state(name) == "running", "the run goes on when nobody reads what antler prints")
    accepted(home, "stop", name)


def test_output_that_goes_nowhere(home):
    environment = {**os.environ, "ANTLER_HOME": home.home}
    for command in ("list", "show other", "history other --csv", "doctor --json"):
        with open("/dev/full", "w") as full:
            p = subprocess.run([ANTLER, *command.split()], cwd=home.folder, env=environment, stdout=full, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
        check(p.returncode == 1 and b"standard output" in p.stderr, f"{command} into a full device ends with {p.returncode}: {p.stderr}")
    p = subprocess.run(["sh", "-c", '"$0" train "$1" <&- >&- 2>&-; echo $?; "$0" list >&-; echo $?; "$0" <&- >&-; echo $?', ANTLER, home.config("mlp", MLP)],
                       cwd=home.folder, env=environment, capture_output=True, text=True)
    check(p.stdout.split() == ["0", "0", "0"], f"closed streams end with {p.stdout.split()}, expected 0")


if __name__ == "__main__":
    home = Home()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        Idle.mib = accepted(home, "doctor").rss_mib
        test_a_damaged_run_harms_no_other(home)
        test_any_index_is_only_a_cache(home)
        test_a_home_that_cannot_be_written_is_read(home)
        test_a_long_home_works(home)
        test_a_full_disk_keeps_what_was_whole(home)
        test_runs_outlive_whoever_started_them(home)
        test_output_that_goes_nowhere(home)
        test_hostile_names_are_only_names(home)
    finally:
        home.close()
    done()
