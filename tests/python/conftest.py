# SPDX-License-Identifier: MIT
"""A real manager for the tests of the Python package, in a directory that ends with the run; see run.py."""
import gc
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import pytest

PATIENCE = 60  # seconds; no test waits this long when all is well
ROOM = 1 << 30
BIN = pathlib.Path(os.environ["SNAKEPIT_TEST_BIN"])


def until(condition):
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "waited for in vain"
        time.sleep(0.005)


class Manager:
    """`snakepit-shm serve` of an instance of its own; this process and its children are its clients."""

    def __init__(self):
        memory = os.statvfs("/dev/shm")
        roomy = memory.f_bavail * memory.f_frsize > ROOM
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="snakepit-python-", dir="/dev/shm" if roomy else None))
        for name in [name for name in os.environ if name.startswith("SNAKEPIT_SHM_")] + [
                "RUNTIME_DIRECTORY", "STATE_DIRECTORY", "JOURNAL_STREAM"]:
            os.environ.pop(name, None)
        (self.home / "segments").mkdir()
        (self.home / "config.toml").write_text(
            f'[shared_memory]\nmax_regions = 100000\nmax_regions_per_process = 100000\n[shared_memory.platform_options.linux]\nshm_path = "{self.home}/segments"\n')
        os.environ.update(SNAKEPIT_SHM_RUNTIME_DIR=str(self.home / "run"), SNAKEPIT_SHM_STATE_DIR=str(self.home / "state"),
                          SNAKEPIT_SHM_CONFIG=str(self.home / "config.toml"))
        self.process = None
        self.start()

    def start(self):
        environment = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}
        with open(self.home / "said", "a") as said:
            self.process = subprocess.Popen([BIN / "snakepit-shm", "serve"], env=environment, stdout=subprocess.PIPE, stderr=said)
        assert self.process.stdout.readline(), (self.home / "said").read_text()

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.process.stdout.close()

    def end(self):
        self.kill()
        shutil.rmtree(self.home)


@pytest.fixture(scope="session")
def manager():
    made = Manager()
    yield made
    made.end()


@pytest.fixture
def fresh_manager():
    """One that the test may kill."""
    kept = dict(os.environ)
    made = Manager()
    yield made
    made.end()
    os.environ.clear()
    os.environ.update(kept)


@pytest.fixture
def client(manager):
    import snakepit_shm
    made = snakepit_shm.Client()
    yield made
    gc.collect()
    made.__exit__(None, None, None)


@pytest.fixture
def other(manager):
    import snakepit_shm
    with snakepit_shm.Client() as made:
        yield made


@pytest.fixture(autouse=True)
def nothing_is_ignored(capfd):
    """No test leaves an exception that Python could only print."""
    yield
    said = capfd.readouterr().err
    assert "Exception ignored" not in said and "Fatal Python error" not in said, said


class Fails:
    """`with fails(code)`: an Error of that code is raised in the block."""

    def __init__(self, code, kind=None):
        import snakepit_shm
        self._code, self._kind = code, kind or snakepit_shm.Error

    def __enter__(self):
        return self

    def __exit__(self, kind, problem, trace):
        assert problem is not None, f"nothing was raised where {self._code} was due"
        if not isinstance(problem, self._kind):
            return False
        assert problem.code == self._code, (problem.code, self._code, str(problem))
        assert str(problem)
        return True


@pytest.fixture
def fails(manager):
    return Fails


@pytest.fixture
def program(manager):
    """Runs a Python program of its own to its end; it must end with `status` and print no error. Returns
    what it printed."""

    def run(text, status=0, python=sys.executable, environment=None):
        done = subprocess.run([python, "-c", "import gc, os, sys, threading, time\nimport snakepit_shm as s\n" + text],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=PATIENCE,
                              env=environment or os.environ)
        assert done.returncode == status and not done.stderr, (text, done)
        return done.stdout

    return run
