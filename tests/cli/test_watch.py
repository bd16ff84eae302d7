"""antler watch: what it shows of histories that others write, that it follows them, that it writes nothing beside them, and what it leaves behind."""
import os
import signal
import subprocess
import time

from foreign import Wandb, scalar_event
from runs import ANTLER, check, done
from work_folder import WorkFolder

folder = WorkFolder()
work = folder.name
temporary = os.path.join(work, "tmp")
os.mkdir(temporary)
ENV = {**os.environ, "TMPDIR": temporary, "LC_ALL": "C.UTF-8", "COLUMNS": "100", "LINES": "32", "TERM": "xterm-256color"}
NOW = time.time()


def path(*parts):
    joined = os.path.join(work, *parts)
    os.makedirs(os.path.dirname(joined), exist_ok=True)
    return joined


def write(name, data, mode="wb"):
    with open(path(name), mode) as file:
        file.write(data)


def watch(*arguments, ok=True):
    done_ = subprocess.run([ANTLER, "--home", os.path.join(work, "home"), "watch", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=ENV, cwd=work, timeout=60)
    check(not ok or done_.returncode == 0, f"watch {arguments} ends with {done_.returncode}: {done_.stderr.decode()}")
    return done_.stdout.decode() if ok else (done_.returncode, done_.stderr.decode())


def everything(folder):
    return sorted(os.path.join(base, name) for base, folders, files in os.walk(folder) for name in folders + files)


def make_logs():
    write("logs/a/train/events.out.tfevents.1.host", b"".join(scalar_event("epoch_loss", e, 1 / (e + 1), NOW - 9 + e) for e in range(5)))
    write("logs/a/validation/events.out.tfevents.2.host", b"".join(scalar_event("epoch_loss", e, 1.2 / (e + 1), NOW - 9 + e) for e in range(5)))
    write("logs/b/run.csv", "epoch,accuracy,loss\n0,0.5,1\n1,0.75,0.5\n", "w")
    run = Wandb()
    run.run("nightly", {"lr": 0.001, "opt": {"name": "adam"}}, ["x"], NOW - 100)
    for step in range(10):
        run.history({"_step": step, "_timestamp": NOW - 100 + step, "loss": 1 / (step + 1), "val/loss": 1.1 / (step + 1)})
    run.output("hello\n")
    run.exit(3)
    write("logs/wandb/run-20260101_000000-abc/run-abc.wandb", bytes(run.bytes))


def test_the_list_names_all_of_a_folder():
    before = everything(path("logs"))
    text = watch("logs")
    for words in ("a ", "b/run", "nightly", "running", "failed", "val_loss 0.24 @5"):
        check(words in text, f"the list has '{words}':\n{text}")
    check(everything(path("logs")) == before, "nothing is written beside the files")
    check(not os.path.exists(path("home")), "the home is not made")
    check(os.listdir(temporary) == [], f"nothing is left in the temporary folder: {os.listdir(temporary)}")


def test_the_home_inside_a_folder_is_passed_by():
    own = ["--home", "mixed/runs"]
    write("mixed/c.csv", b"epoch,loss\n0,1.0\n1,0.5\n")
    subprocess.run([ANTLER, *own, "import", "mixed/c.csv", "--name", "mine"], env=ENV, cwd=work, check=True, stdout=subprocess.DEVNULL)
    text = subprocess.run([ANTLER, *own, "watch", "mixed"], env=ENV, cwd=work, stdout=subprocess.PIPE, text=True).stdout
    check("c " in text and "runs/" not in text, f"runs of the home are not watched:\n{text}")
    own_home = subprocess.run([ANTLER, *own, "watch", "mixed/runs"], env=ENV, cwd=work, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    check(own_home.returncode == 2 and "is the home itself" in own_home.stderr and not own_home.stdout, f"the home alone is refused: {own_home}")
    other = watch("mixed/runs")
    check("mine " in other, f"a run of another home keeps its name:\n{other}")


def test_a_single_history_is_opened():
    text = watch("logs/wandb/run-20260101_000000-abc/run-abc.wandb", "--once")
    for words in ("nightly", "failed", "val/loss", "settings", "adam", "imported"):
        check(words in text, f"its frame has '{words}':\n{text}")


def test_models_beside_it_are_checkpoints():
    for epoch in (1, 2):
        write(f"logs/b/model.{epoch:02d}.keras", b"PK\3\4" + bytes(100))
        os.utime(path(f"logs/b/model.{epoch:02d}.keras"), (NOW - 50, NOW - 50))
    text = watch("logs/b/run.csv", "--once")
    check("checkpoints 2" in text and "evaluate" in text, f"there are two checkpoints:\n{text}")
    check("0.7500" in text or "0.5000" in text, f"with the metrics of their epochs:\n{text}")


def test_what_cannot_be_watched_is_refused():
    code, err = watch("logs/nothing", ok=False)
    check(code == 3 and "there is no 'logs/nothing'" in err, f"a path that is not there: {code} {err}")
    write("logs/data.txt", "hello", "w")
    code, err = watch("logs/data.txt", ok=False)
    check(code == 4 and "expected" in err and "TensorBoard" in err, f"a file that is no history: {code} {err}")


def test_a_damaged_file_is_shown_with_its_error():
    data = b"".join(scalar_event("x", s, s, NOW) for s in range(9))
    write("damaged/events.out.tfevents.1", data[:100] + b"!" + data[101:])
    text = watch("damaged", "--once")
    check("is damaged at byte" in text and "failed" in text, f"the frame says so:\n{text}")


class Lines:
    """antler watch --plain, read line by line."""

    def __init__(self, *arguments):
        self.process = subprocess.Popen([ANTLER, "--home", os.path.join(work, "home"), "watch", "--plain", *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                        env=ENV, cwd=work)
        os.set_blocking(self.process.stdout.fileno(), False)
        self.text = ""

    def until(self, words, seconds=20):
        end = time.time() + seconds
        while words not in self.text and time.time() < end:
            self.text += (self.process.stdout.read() or b"").decode()
            time.sleep(0.02)
        check(words in self.text, f"a line with '{words}' comes:\n{self.text}")

    def end(self, number):
        self.process.send_signal(number)
        self.process.wait(20)
        return self.process.returncode


def test_growing_files_are_followed():
    write("grow/one.csv", "epoch,loss\n0,1\n", "w")
    lines = Lines("grow")
    lines.until("one")
    write("grow/one.csv", "1,0.5\n2,0.2", "a")  # the last line has no end yet
    lines.until("one  step 2  loss 0.5")
    check("0.2" not in lines.text, "half a line is no record")
    write("grow/one.csv", "5\n", "a")
    lines.until("one  step 3  loss 0.25")
    event = scalar_event("loss", 7, 0.125, NOW)
    write("grow/run/events.out.tfevents.1", event[:20])
    lines.until("", 0)
    time.sleep(0.5)
    write("grow/run/events.out.tfevents.1", event)
    lines.until("run  step 7  loss 0.125")
    write("grow/one.csv", "epoch,loss\n0,9\n", "w")  # started anew
    lines.until("one  step 1  loss 9")
    check(lines.end(signal.SIGINT) == 130, "Ctrl-C ends it")
    check(os.listdir(temporary) == [], "nothing is left")


def test_what_a_killed_one_left_is_removed_by_the_next():
    lines = Lines("grow")
    lines.until("one")
    check(lines.end(signal.SIGKILL) == -9, "killed")
    check(len(os.listdir(temporary)) == 1, "its private home is left")
    other = Lines("grow")
    other.until("one")
    check(len(os.listdir(temporary)) == 1, "only that of the living one is there")
    watch("grow")
    check(len(os.listdir(temporary)) == 1, "which is left alone")
    other.end(signal.SIGTERM)
    check(os.listdir(temporary) == [], "nothing is left")


make_logs()
test_the_list_names_all_of_a_folder()
test_the_home_inside_a_folder_is_passed_by()
test_a_single_history_is_opened()
test_models_beside_it_are_checkpoints()
test_what_cannot_be_watched_is_refused()
test_a_damaged_file_is_shown_with_its_error()
test_growing_files_are_followed()
test_what_a_killed_one_left_is_removed_by_the_next()
done()
