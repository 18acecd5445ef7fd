#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""check_types.py PACKAGES: mypy over the Python package in PACKAGES and over a program that uses it, and stubtest, which
compares the extension with its stub. Ends with 77 where mypy is not installed."""
import importlib.util
import os
import pathlib
import subprocess
import sys

packages = sys.argv[1]
here = pathlib.Path(__file__).parent
for name in ("mypy", "numpy"):
    if importlib.util.find_spec(name) is None:
        print(f"SKIP   : {'mypy' if name == 'mypy' else 'python3-numpy'} not installed")
        sys.exit(77)
environment = dict(os.environ, MYPYPATH=packages, PYTHONPATH=packages, PYTHONDONTWRITEBYTECODE="1")
settings = str(here / "mypy.ini")
status = 0
for words in (["mypy", "--config-file", settings, "-p", "snakepit_shm"],
              ["mypy", "--config-file", settings, str(here / "typed_use.py")],
              ["mypy.stubtest", "snakepit_shm", "--mypy-config-file", settings, "--allowlist",
               str(here / "stubtest_allowlist.txt")]):
    status |= subprocess.run([sys.executable, "-m", *words], env=environment).returncode
sys.exit(1 if status else 0)
