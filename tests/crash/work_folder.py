"""A folder of a test's own. It goes when the test ends, and what killed tests left behind goes with the next one: nobody holds its lock any more.
tests/check.h does the same for tests in C."""
import fcntl
import os
import shutil
import tempfile
import time

PREFIX = "antler-test-"
YOUNG_S = 600  # its lock may not be taken yet


def sweep(base):
    for name in os.listdir(base):
        path = os.path.join(base, name)
        try:
            if not name.startswith(PREFIX) or os.stat(path).st_mtime > time.time() - YOUNG_S:
                continue
            lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        except OSError:
            continue  # somebody else's, or gone
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(path, ignore_errors=True)
        except OSError:
            pass  # its test lives
        finally:
            os.close(lock)


class WorkFolder(tempfile.TemporaryDirectory):
    """memory: not on the disk, where nothing has to survive."""

    def __init__(self, memory=False):
        base = "/dev/shm" if memory and os.access("/dev/shm", os.W_OK) else tempfile.gettempdir()
        sweep(base)
        super().__init__(prefix=PREFIX, dir=base, ignore_cleanup_errors=True)
        self.lock = os.open(self.name, os.O_RDONLY | os.O_DIRECTORY)
        fcntl.flock(self.lock, fcntl.LOCK_EX)
