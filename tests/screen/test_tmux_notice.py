"""A desktop notification of a screen inside tmux reaches the terminal around it where tmux lets it through, and is a bell where not."""
import json
import os
import pty
import select
import shutil
import subprocess
import sys
import time

from runs import ANTLER, Home, check, done

LONG = {
    "name": "long", "data": {"format": "synthetic", "name": "moons", "samples": 40}, "model": {"layers": [{"class": "Dense", "units": 1}]},
    "compile": {"optimizer": "sgd", "loss": "mse"}, "fit": {"epochs": 1000000}, "keep": 2,
}


class Terminal:
    """tmux in a terminal of ours, with a screen of antler in it."""

    def __init__(self, home, settings, passthrough):
        own = os.path.join(home.folder, "config")
        os.makedirs(os.path.join(own, "antler"), exist_ok=True)
        with open(os.path.join(own, "antler", "settings.json"), "w") as f:
            json.dump(settings, f)
        self.environment = dict(os.environ, XDG_CONFIG_HOME=own, TERM="xterm-256color", LC_ALL="C.UTF-8", SHELL="/bin/sh", TMUX_TMPDIR=home.folder)
        self.environment.pop("TMUX", None)
        self.bytes = b""
        with open(os.path.join(home.folder, "tmux.conf"), "w") as f:
            f.write(f"set -g allow-passthrough {passthrough}\n")
        command = ["tmux", "-f", os.path.join(home.folder, "tmux.conf"), "new", "-x", "80", "-y", "24", ANTLER, "--home", home.home]
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execvpe("tmux", command, self.environment)

    def wait(self, wanted, seconds=20):
        until = time.monotonic() + seconds
        while wanted not in self.bytes and time.monotonic() < until:
            if select.select([self.fd], [], [], 0.1)[0]:
                try:
                    self.bytes += os.read(self.fd, 65536)
                except OSError:
                    break
        return wanted in self.bytes

    def close(self):
        subprocess.run(["tmux", "kill-server"], env=self.environment, capture_output=True)
        os.close(self.fd)
        os.waitpid(self.pid, 0)


def test(home, passthrough, form, wanted, never):
    run = home.detach("train", home.config("long", LONG))
    terminal = Terminal(home, {"notify.terminal": form}, passthrough)
    try:
        check(terminal.wait(b"running"), f"the screen in tmux shows the run: {terminal.bytes[-200:]}")
        terminal.bytes = b""
        home.antler("stop", run)
        check(terminal.wait(wanted), f"{form}, passthrough {passthrough}: expected {wanted} in {terminal.bytes[-400:]}")
        check(never not in terminal.bytes, f"{form}, passthrough {passthrough}: {never} reached the terminal")
    finally:
        terminal.close()


if __name__ == "__main__":
    if not shutil.which("tmux"):
        print("SKIP: tmux is not installed")
        sys.exit(77)
    home = Home()
    try:
        test(home, "on", "osc777", b"\033]777;notify;antler;long was stopped", b"\a")
        test(home, "on", "osc9", b"\033]9;long was stopped", b"\a")
        test(home, "off", "osc777", b"\a", b"]777;")
    finally:
        home.close()
    done()
