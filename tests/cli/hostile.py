"""What the hostile tests share: one refused command, measured whole. A refusal is one sentence on standard error with the right exit status, nothing on
standard output, no control bytes, little memory; the workers it started are counted too (this process adopts them)."""
import ctypes
import os
import resource
import signal
import time

from runs import ANTLER, Home, check, done  # noqa: F401

PR_SET_CHILD_SUBREAPER = 36
ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
SHOW = os.environ.get("ANTLER_HOSTILE_SHOW")
MEMORY_MIB, SECONDS = 64, 30
SANITIZED = "asan" in os.path.basename(os.path.abspath(os.environ.get("ANTLER_BUILD", "build")))


class Outcome:
    def __init__(self, status, out, err, rss_mib, seconds):
        self.status, self.out, self.err, self.rss_mib, self.seconds = status, out, err, rss_mib, seconds


def limits(more=None):
    resource.setrlimit(resource.RLIMIT_CPU, (20, 20))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if not SANITIZED:
        resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
    if more:
        more()


def run(home, *arguments, stdin=None, before=None, environment=None, folder=None):
    """Runs antler to its end and to that of every process it left behind; peak memory is that of the largest of them."""
    out, err = os.path.join(home.folder, ".out"), os.path.join(home.folder, ".err")
    began = time.monotonic()
    pid = os.fork()
    if pid == 0:
        try:
            os.dup2(os.open(out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), 1)
            os.dup2(os.open(err, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), 2)
            os.dup2(os.open("/dev/null", os.O_RDONLY) if stdin is None else stdin, 0)
            limits(before)
            signal.alarm(SECONDS)  # what hangs ends by this signal, which is a wrong status
            os.chdir(folder or home.folder)
            os.execve(ANTLER, [ANTLER, *map(os.fsencode, arguments)], {**os.environ, "ANTLER_HOME": home.home, **(environment or {})})
        finally:
            os._exit(126)
    status, rss = None, 0
    while status is None:
        try:
            ended, code, usage = os.wait4(-1, 0)
        except ChildProcessError:
            break
        rss = max(rss, usage.ru_maxrss / 1024)
        if ended == pid:
            status = os.waitstatus_to_exitcode(code)
    with open(out, "rb") as f, open(err, "rb") as g:
        outcome = Outcome(status, f.read(), g.read(), rss, time.monotonic() - began)
    if SHOW:
        text = outcome.err.decode("utf-8", "backslashreplace").rstrip()
        print(f"[{outcome.status}] {outcome.seconds:5.2f}s {rss:5.0f}M  {' '.join(map(str, arguments))[-110:]}\n      {text[:700]!r}", flush=True)
    return outcome


def printable(data):
    """No byte of data moves a cursor or changes a terminal; the line end is allowed."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return not [c for c in text if (ord(c) < 32 and c != "\n") or 127 <= ord(c) < 160 or c in "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"]


class Idle:
    mib = 40


def refused(home, status, words, *arguments, lines=1, **more):
    """The command ends with one of the statuses and one sentence that has these words."""
    statuses = status if isinstance(status, tuple) else (status,)
    o = run(home, *arguments, **more)
    what = f"antler {' '.join(map(str, arguments))[:200]}"
    text = o.err.decode("utf-8", "backslashreplace")
    check(o.status in statuses, f"{what} ended with {o.status}, expected {status}: {text.strip()}")
    check(printable(o.err), f"{what} writes control bytes: {o.err!r}")
    check(0 < text.count("\n") <= lines, f"{what} says {text.count(chr(10))} lines, expected {lines}: {text}")
    check(not o.out, f"{what} printed on standard output: {o.out[:200]!r}")
    for word in words:
        check(word in text, f"{what} says {text.strip()!r}, expected {word!r} in it")
    if not SANITIZED:
        check(o.rss_mib <= Idle.mib + MEMORY_MIB, f"{what} took {o.rss_mib:.0f} MiB, expected at most {Idle.mib + MEMORY_MIB:.0f}")
    return o


def accepted(home, *arguments, **more):
    o = run(home, *arguments, **more)
    what = f"antler {' '.join(map(str, arguments))[:200]}"
    check(o.status == 0, f"{what} ended with {o.status}, expected 0: {o.err.decode('utf-8', 'backslashreplace').strip()}")
    check(printable(o.err) and printable(o.out), f"{what} writes control bytes: {o.err!r} {o.out[:300]!r}")
    return o
