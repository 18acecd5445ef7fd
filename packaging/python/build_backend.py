# SPDX-License-Identifier: MIT
"""Builds the wheel with CMake and the standard library alone, so that `pip install .` works offline.

Reuses a build tree that $SNAKEPIT_SHM_BUILD_DIR names; else it builds in a temporary one."""
import base64
import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile

_HERE = pathlib.Path(__file__).resolve().parent
_SOURCE = _HERE.parents[1]
_TAG = "cp311-abi3-linux_" + os.uname().machine


def _version():
    return re.search(r"VERSION (\d+\.\d+\.\d+)", (_SOURCE / "CMakeLists.txt").read_text()).group(1)


def _metadata():
    return ("Metadata-Version: 2.1\nName: snakepit-shm\n"
            f"Version: {_version()}\n"
            "Summary: Share memory between processes through the Snakepit SHM manager of this host\n"
            "License: MIT\nRequires-Python: >=3.11\nProvides-Extra: arrays\nRequires-Dist: numpy; extra == 'arrays'\n"
            "Description-Content-Type: text/markdown\n\n" + (_HERE / "README.md").read_text())


def _run(*words):
    subprocess.run(words, check=True, stdout=sys.stderr)


def _package(scratch):
    """The directory of the built package."""
    tree = os.environ.get("SNAKEPIT_SHM_BUILD_DIR")
    if not tree:
        tree = os.path.join(scratch, "build")
        _run("cmake", "-S", str(_SOURCE), "-B", tree, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release", "-DSNAKEPIT_GUI=OFF",
             f"-DPython3_EXECUTABLE={sys.executable}")
    _run("cmake", "--build", tree, "--target", "snakepit_python_package")
    built, package = pathlib.Path(tree, "python", "snakepit_shm"), pathlib.Path(scratch, "snakepit_shm")
    shutil.copytree(built, package, ignore=shutil.ignore_patterns("__pycache__"))  # follows links
    for library in package.glob("*.so"):
        if shutil.which("strip"):
            _run("strip", "--strip-unneeded", str(library))
    return package


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    name = f"snakepit_shm-{_version()}"
    info = f"{name}.dist-info"
    with tempfile.TemporaryDirectory() as scratch:
        files = {f"snakepit_shm/{path.name}": path.read_bytes() for path in sorted(_package(scratch).iterdir())}
    files[f"{info}/METADATA"] = _metadata().encode()
    files[f"{info}/WHEEL"] = (f"Wheel-Version: 1.0\nGenerator: snakepit-shm {_version()}\nRoot-Is-Purelib: false\n"
                              f"Tag: {_TAG}\n").encode()
    files[f"{info}/RECORD"] = "".join(
        f"{path},sha256={base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b'=').decode()},{len(data)}\n"
        for path, data in files.items()).encode() + f"{info}/RECORD,,\n".encode()
    date = time.gmtime(max(int(os.environ.get("SOURCE_DATE_EPOCH", "315532800")), 315532800))[:6]
    wheel = f"{name}-{_TAG}.whl"
    with zipfile.ZipFile(os.path.join(wheel_directory, wheel), "w", zipfile.ZIP_DEFLATED) as archive:
        for path, data in files.items():
            entry = zipfile.ZipInfo(path, date)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = (0o755 if path.endswith(".so") else 0o644) << 16
            archive.writestr(entry, data)
    return wheel


def build_sdist(sdist_directory, config_settings=None):
    raise RuntimeError("there is no source distribution of the Python package alone: it is built from the project's "
                       "source tree, by 'pip install .' or 'python3 -m build --wheel' in packaging/python")


def get_requires_for_build_wheel(config_settings=None):
    return []
