# SPDX-License-Identifier: MIT
"""One extension for every Python since 3.11: subinterpreters, and the ends of interpreters."""
import glob
import os
import shutil
import subprocess
import sys

import pytest

# Starts of threads and views, and what lets the memory outlive them. Standard library alone: later Pythons have no numpy.
BEGIN = "c = s.Client(); r = c.allocate(4096); "
ENDS = {
    "globals": BEGIN + "v = r.view",
    "a view without its client and region": BEGIN + "v = r.view; del c, r",
    "a capsule": BEGIN + "v = r.__dlpack__(); w = r.__arrow_c_array__(); del c, r",
    "an encrypted capsule": ("c = s.Client(); r = c.allocate(1 << 20, security_level='high'); r.view[0] = 1; "
                             "v = r.__dlpack__(); threading.Thread(target=time.sleep, args=(.01,)).start(); del c, r"),
    "an encrypted capsule of threads": ("c = s.Client(); ids = [c.allocate(1 << 18, security_level='high').id for _ in range(8)]; "
                                        "v = [c.map(i, True).__dlpack__() for i in ids]; c.list(); del c"),
    "kept by sys": BEGIN + "sys.keep = [r.view, r.__dlpack__(max_version=(1, 0)), r, c]",
    "cycles": BEGIN + "r.own = [r, c, r.view]; c.own = r; del r, c",
    "atexit": BEGIN + "import atexit; atexit.register(c.close); atexit.register(lambda: r.view[0])",
    "a lock": BEGIN + "l = r.lock()",
    "a finaliser that uses it": BEGIN + ("K = type('K', (), {'__del__': lambda self: (bytes(r.view[:1]), c.list())}); k = K(); "
                                         "sys.keep = k"),
    "a thread that looks": BEGIN + ("v = r.view; threading.Thread(target=lambda: [bytes(v) for _ in iter(int, 1)], "
                                    "daemon=True).start(); time.sleep(.1)"),
    "a thread in wait": BEGIN + "threading.Thread(target=lambda: r.wait(0), daemon=True).start(); time.sleep(.2)",
    "a thread in lock": BEGIN + ("l = r.lock(); threading.Thread(target=lambda: s.Client().lock(r.id), daemon=True).start(); "
                                 "time.sleep(.2)"),
    "threads that ask": BEGIN + ("exec('def ask():\\n while 1: c.info(r.id); c.list(); c.read(r.id, 0, 8)'); "
                                 "[threading.Thread(target=ask, daemon=True).start() for _ in range(3)]; time.sleep(.1)"),
    "threads that allocate": BEGIN + ("exec('def ask():\\n while 1: c.allocate(4096).deallocate()'); "
                                      "[threading.Thread(target=ask, daemon=True).start() for _ in range(3)]; time.sleep(.1)"),
    "threads that list": BEGIN + ("exec('def ask():\\n while 1: c.list()'); [c.allocate(64) for _ in range(50)]; "
                                  "[threading.Thread(target=ask, daemon=True).start() for _ in range(3)]; time.sleep(.1)"),
}


def pythons():
    """Every Python since 3.11 on this machine."""
    found = {}
    for name in ["python3.11", "python3.12", "python3.13", "python3.14"]:
        for path in [shutil.which(name), *glob.glob(os.path.expanduser(f"~/.pyenv/versions/*/bin/{name}"))]:
            if path and subprocess.run([path, "-c", ""], stderr=subprocess.DEVNULL).returncode == 0:
                found.setdefault(name, path)
    return {"python3": sys.executable, **found}


PYTHONS = pythons()


@pytest.fixture(params=PYTHONS)
def python(request):
    return PYTHONS[request.param]


@pytest.mark.parametrize("end", ENDS)
def test_an_interpreter_ends_with(end, python, program):
    for _ in range(5 if "thread" in end else 1):
        program(ENDS[end], python=python)


def test_later_pythons_run_the_same_extension(python, program):
    said = program(BEGIN + "r.view[:2] = b'ab'; print(c.map(r.id).view[:2].tobytes(), sys.version_info[:2])", python=python)
    assert said.startswith("b'ab'")


IN_SUBINTERPRETERS = '''
try:
    import _interpreters as interpreters
except ImportError:
    import _xxsubinterpreters as interpreters
def run(one, text):
    problem = interpreters.run_string(one, text)
    assert problem is None, problem
code = """
import snakepit_shm as s
c = s.Client()
for i in range(20):
    with c.allocate(4096) as r:
        r.view[:5] = b"inner"
        with r.lock(timeout=60): assert bytes(c.map(r.id).view[:5]) == b"inner"
        try: c.map("shm_x")
        except s.Error as problem: assert problem.code == "invalid_region_id"
        else: raise AssertionError
kept = [c.allocate(64).view, c.allocate(64).__dlpack__()]
"""
'''


def test_subinterpreters_have_clients_of_their_own(python, program):
    program(IN_SUBINTERPRETERS + '''
mine = s.Client(); region = mine.allocate(64); region.view[:2] = b"ok"
for turn in range(4):
    one = interpreters.create()
    run(one, code)
    interpreters.destroy(one)
    assert bytes(region.view[:2]) == b"ok" and mine.info(region.id).size == 64
''', python=python)


def test_subinterpreters_run_beside_each_other(python, program):
    """Each with a GIL of its own where Python has that (3.12)."""
    program(IN_SUBINTERPRETERS + '''
problems = []
def work():
    try:
        for _ in range(3):
            one = interpreters.create()
            try:
                run(one, code)
            finally:  # CPython hangs or crashes at its end where a thread left one behind
                interpreters.destroy(one)
    except BaseException as problem:
        problems.append(problem)
threads = [threading.Thread(target=work) for _ in range(3)]
for t in threads: t.start()
for t in threads: t.join()
assert not problems, problems
''', python=python)
