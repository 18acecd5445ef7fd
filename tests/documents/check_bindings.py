#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""check_bindings.py ROOT LIBRARY COMPILER: C++, Python and JSON have what the C header has.

The header is the list: each option, each fact about a region and each function in it must be reachable in
the other languages, and Python's structures must have the offsets that a C compiler gives them."""
import ctypes
import inspect
import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(sys.argv[1])
LIBRARY, COMPILER = sys.argv[2:4]
INCLUDE = ROOT / "core" / "include"

os.environ["SNAKEPIT_SHM_LIBRARY"] = LIBRARY
sys.path.insert(0, str(ROOT / "packaging" / "python"))
import snakepit_shm  # noqa: E402

STRUCTURES = {
    "snakepit_shm_options": snakepit_shm._Options,
    "snakepit_shm_mapping": snakepit_shm._Mapping,
    "snakepit_shm_region_info": snakepit_shm._Info,
    "snakepit_shm_cleanup_options": snakepit_shm._CleanupOptions,
    "snakepit_shm_event": snakepit_shm._Event,
    "snakepit_shm_cleanup_result": snakepit_shm._CleanupResult,
}
# What has another form: a member of its own name would say less.
CPP_MEMBERS = {"timeout_ms": "timeout"}
JSON_KEYS = {"timeout_ms": "timeout", "owner": "permissions", "group": "permissions", "other": "permissions",
             "holder_pids": "references"}
# connect_within, lock_as and lock do what these do; slices of a wait are for interpreters.
NOT_IN_CPP = {"connect", "lock", "lock_wait"}
# connect_within and lock_as do what these do.
NOT_IN_PYTHON = {"connect", "lock"}

problems = []


def complain(what, missing):
    if missing:
        problems.append(f"{what}: {', '.join(sorted(missing))}")


def without_comments(text):
    return re.sub(r"/\*.*?\*/|//[^\n]*", "", text, flags=re.S)


def members(text, structure):
    """Names of the members of a C or C++ structure, in order."""
    body = re.search(rf"struct {structure}\b[^;{{]*\{{(.*?)\n\}}", text, re.S).group(1)
    body = re.sub(r"\{[^{}]*\}", "", body.split("// As the C interface")[0])
    out = []
    for statement in body.split(";"):
        for part in re.sub(r"<[^<>]*(<[^<>]*>)?[^<>]*>", "", statement).split(","):
            part = part.split("=")[0].strip()
            if name := re.search(r"(\w+)(\[\w+\])?$", part):
                out.append(name.group(1))
    return out


def offsets_in_c(structures):
    lines = ['#include <stdio.h>', '#include "snakepit/shm/snakepit_shm.h"', "int main(void) {"]
    for name, fields in structures.items():
        lines.append(f'printf("{name} %zu\\n", sizeof({name}));')
        lines += [f'printf("{name}.{field} %zu\\n", offsetof({name}, {field}));' for field in fields]
    with tempfile.TemporaryDirectory() as folder:
        source = pathlib.Path(folder, "offsets.c")
        source.write_text("\n".join([*lines, "return 0;", "}", ""]))
        subprocess.run([COMPILER, "-std=c99", f"-I{INCLUDE}", "-o", folder + "/offsets", str(source)], check=True)
        output = subprocess.run([folder + "/offsets"], capture_output=True, text=True, check=True).stdout
    return {name: int(value) for name, value in (line.split() for line in output.splitlines())}


header = without_comments((INCLUDE / "snakepit/shm/snakepit_shm.h").read_text())
cpp = without_comments((INCLUDE / "snakepit/shm/client.h").read_text())
listed = {name: members(header, name) for name in STRUCTURES}

expected = offsets_in_c(listed)
for name, structure in STRUCTURES.items():
    in_python = [field for field, _ in structure._fields_]
    if in_python != listed[name]:
        problems.append(f"{name}: C has {listed[name]}, Python has {in_python}")
        continue
    if ctypes.sizeof(structure) != expected[name]:
        problems.append(f"{name}: {expected[name]} bytes in C, {ctypes.sizeof(structure)} in Python")
    for field in in_python:
        if getattr(structure, field).offset != expected[f"{name}.{field}"]:
            problems.append(f"{name}.{field}: at another offset in Python")

facts = set(listed["snakepit_shm_region_info"]) - {"struct_size"}
options = set(listed["snakepit_shm_options"]) - {"struct_size"}
complain("RegionInfo in Python lacks", facts - set(snakepit_shm.RegionInfo._fields))
complain("options of allocate in Python lack", options - set(inspect.signature(snakepit_shm._options).parameters))
complain("RegionInfo in C++ lacks", {CPP_MEMBERS.get(f, f) for f in facts} - set(members(cpp, "RegionInfo")))
complain("Options in C++ lacks", {CPP_MEMBERS.get(f, f) for f in options} - set(members(cpp, "Options")))
json_source = (ROOT / "app/cli/json.cpp").read_text()
region_json = re.search(r"QJsonObject region_json\((.*?)\n\}", json_source, re.S).group(1)
keys = set(re.findall(r'\{"(\w+)",', region_json))
complain("JSON of a region lacks", {JSON_KEYS.get(f, f) for f in facts} - keys)

functions = set(re.findall(r"\bsnakepit_shm_(\w+)\(", header))
used_by_cpp = set(re.findall(r"\bsnakepit_shm_(\w+)\b", cpp))
python_source = (ROOT / "packaging/python/snakepit_shm.py").read_text()
used_by_python = set(snakepit_shm._PROTOTYPES) | set(re.findall(r"\bsnakepit_shm_(\w+)\b", python_source))
used_by_python |= {"close", "disconnect", "status_name", "status_type"}
complain("functions that C++ does not use", functions - used_by_cpp - NOT_IN_CPP - {"version"})
complain("functions that Python does not use", functions - used_by_python - NOT_IN_PYTHON)

for status in range(0, 200):
    name = snakepit_shm._status_name(status)
    if name != "unknown" and not snakepit_shm._lib.snakepit_shm_status_type(status):
        problems.append(f"status {status} has no type")

for problem in problems:
    print(problem)
print(f"{len(facts)} facts, {len(options)} options, {len(functions)} functions")
sys.exit(1 if problems else 0)
