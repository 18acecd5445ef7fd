#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""run.py BIN PACKAGES [--preload LIBRARY] PYTEST-ARGUMENTS…: pytest over the package in PACKAGES, with the manager in BIN.
With --program FILE ARGUMENTS… it runs that program instead.

Ends with 77 if there is nothing to run with."""
import importlib.util
import os
import pathlib
import sys

binaries, packages, *words = sys.argv[1:]
environment = dict(os.environ, SNAKEPIT_TEST_BIN=binaries, PYTHONPATH=packages, PYTHONDONTWRITEBYTECODE="1",
                   HYPOTHESIS_STORAGE_DIRECTORY=str(pathlib.Path(binaries).parent / "hypothesis"))
if words[:1] == ["--preload"]:
    # A sanitizer's runtime has to come before everything else in a process that was not built with it.
    environment.update(LD_PRELOAD=words[1], PYTHONMALLOC="malloc",
                       ASAN_OPTIONS=os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0")
    del words[:2]
missing = [name for name in ("numpy", "pytest", "hypothesis") if importlib.util.find_spec(name) is None]
if missing:
    print(f"SKIP   : {', '.join('python3-' + name for name in missing)} not installed")
    sys.exit(77)
os.chdir(pathlib.Path(__file__).parent)
program = words[1:] if words[:1] == ["--program"] else ["-m", "pytest", "-q", "-rs", "-W", "error", "-p", "no:cacheprovider", *words]
os.execve(sys.executable, [sys.executable, *program], environment)
