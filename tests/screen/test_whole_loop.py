"""The loop a person goes through, by keys alone, at 80x24, in an empty folder, with the real programs in a real terminal (tmux):
three keys start the digits, [ ] walk over its checkpoints, e says what `antler evaluate` says, p shows samples with probabilities, r makes a child run,
t branches with another learning rate, all are marked and compared; then the terminal is lost, and everything is found again; a long run's curve grows until S
stops it."""
import json
import os
import re
import shutil
import subprocess
import sys
import time

from work_folder import WorkFolder

ANTLER = os.path.join(os.environ["ANTLER_BUILD"], "antler")
if not shutil.which("tmux"):
    print("SKIP: tmux is not installed")
    sys.exit(1 if os.environ.get("CI") == "true" else 77)


class Terminal:
    """A tmux of its own: keys in, the visible text out."""

    def __init__(self, folder):
        self.opened = 0
        self.folder = folder

    def tmux(self, *words):
        return subprocess.run(["tmux", "-S", os.path.join(self.folder, "tmux%d" % self.opened), "-f", "/dev/null", *words], capture_output=True, text=True).stdout

    def open(self):
        self.opened += 1
        environment = ["LC_ALL=C.UTF-8", "TERM=tmux-256color"]
        self.tmux("-u", "new-session", "-d", "-x", "80", "-y", "24", "-c", self.folder, "env", *environment, ANTLER)

    def close(self):
        self.tmux("kill-server")

    def keys(self, *keys):
        for key in keys:
            self.tmux("send-keys", key)

    def screen(self):
        return self.tmux("capture-pane", "-p")

    def wait(self, *patterns):
        """The screen once it matches all patterns."""
        end = time.time() + 40
        while time.time() < end:
            text = self.screen()
            if all(re.search(pattern, text) for pattern in patterns):
                return text
            time.sleep(0.05)
        sys.exit("the screen never showed %r:\n%s" % (patterns, text))


def ask(folder, *words):
    done = subprocess.run([ANTLER, *words, "--json"], cwd=folder, capture_output=True, text=True)
    if done.returncode:
        sys.exit("antler %s: %s" % (" ".join(words), done.stderr))
    return json.loads(done.stdout)


def expect(condition, what, screen=""):
    if not condition:
        sys.exit("%s\n%s" % (what, screen))


def epochs_shown(screen):
    return int(re.search(r"epoch (\d+)/", screen).group(1))


def start_the_digits(terminal):
    terminal.wait("No runs here yet")
    terminal.keys("n", "Enter", "Enter")
    terminal.wait(r"digits-cnn +✓ finished +epoch 15/15")


def walk_and_evaluate(terminal, folder):
    terminal.keys("[", "[", "[", "]")
    terminal.wait(r"epoch 13 ", r"\[◇\]")
    terminal.keys("e")
    screen = terminal.wait("samples of test", r"\n loss +\d")
    told = ask(folder, "evaluate", "digits-cnn:13")["metrics"]
    for name, value in told.items():
        shown = re.search(r"\n %s +(\S+)" % name, screen)
        expect(shown and shown.group(1) == "%.4g" % value, "%s is %r, the screen says" % (name, value), screen)
    terminal.keys("q")
    terminal.wait("checkpoints 15")


def predict(terminal):
    terminal.keys("p")
    screen = terminal.wait("samples of test", r"sample 0 +true 5", r"5 +█+")
    expect(re.search(r"\n +0 +5 +5 +0\.9\d\d", screen), "no sample with its probability", screen)
    terminal.keys("q")
    terminal.wait("checkpoints 15")


def resume(terminal, folder):
    terminal.keys("r")
    terminal.wait("goes on from epoch 13 of digits-cnn")
    terminal.keys("Enter")
    terminal.wait(r"✓ finished +epoch 15/15", "checkpoints 2")
    runs = ask(folder, "list")
    expect(len(runs) == 2 and runs[0]["parent"]["run"] == runs[1]["run"], "no child: %s" % runs)


def branch(terminal, folder):
    terminal.keys("t")
    terminal.wait("start the branch", "learning_rate +0.001")
    for _ in range(30):
        if re.search(r"\n compile.optimizer.learning_rate ", terminal.screen()):
            break
        terminal.keys("Down")
        time.sleep(0.1)
    terminal.keys("Enter", "C-u", "0.003", "Enter")
    terminal.wait(r"--set\s+compile.optimizer.learning_rate=0.003")
    terminal.keys("g", "Enter")
    terminal.wait(r"✓ finished +epoch 30/30")
    rate = ask(folder, "show", ask(folder, "list")[0]["run"])["config"]["compile"]["optimizer"]["learning_rate"]
    expect(rate == 0.003, "the branch learns with %r" % rate)


def compare(terminal):
    terminal.keys("1")
    terminal.wait("3 finished")
    terminal.keys("g", "Space", "Space", "Space", "c")
    terminal.wait("3 marked runs", r"compile.optimizer.learning_rate +.*0.001 +.*0.00", "0.003")


def watch_it_grow(terminal, folder):
    ask(folder, "train", os.path.join(os.environ["ANTLER_BUILD"], "configs", "digits-mlp.json"), "--set", "fit.epochs=999999", "--name", "long", "--detach")
    terminal.wait("1 running", r"long +▶ running")
    terminal.keys("g", "Enter")
    early = late = terminal.wait(r"long +▶ running +epoch \d+/999999")
    end = time.time() + 40
    while epochs_shown(late) <= epochs_shown(early) and time.time() < end:
        late = terminal.wait(r"long +▶ running +epoch \d+/999999")
    expect(epochs_shown(early) < epochs_shown(late), "the curve did not grow", early + late)
    terminal.keys("S")
    terminal.wait(r"long +■ stopped +epoch \d+/999999")


def main():
    work = WorkFolder()
    folder = work.name
    terminal = Terminal(folder)
    try:
        terminal.open()
        start_the_digits(terminal)
        walk_and_evaluate(terminal, folder)
        predict(terminal)
        resume(terminal, folder)
        branch(terminal, folder)
        compare(terminal)
        terminal.close()
        terminal.open()
        screen = terminal.wait("antler +runs", "3 finished")
        expect(len(re.findall(r"digits-cnn(-lr)? +✓ finished", screen)) == 3, "not every run was found again", screen)
        watch_it_grow(terminal, folder)
    finally:
        terminal.close()
        subprocess.run([ANTLER, "stop", "long"], cwd=folder, capture_output=True)
        work.cleanup()


main()
