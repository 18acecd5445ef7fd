#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""check_bindings.py ROOT PACKAGES: C++, Python, Elixir and JSON have what the C header has.

The header is the list: each option, each fact about a region and each function in it must be reachable in
the other languages. PACKAGES is the directory with the Python package."""
import inspect
import pathlib
import re
import sys

ROOT = pathlib.Path(sys.argv[1])
INCLUDE = ROOT / "core" / "include"

sys.path.insert(0, sys.argv[2])
import snakepit_shm  # noqa: E402

STRUCTURES = ("snakepit_shm_options", "snakepit_shm_region_info")
# What has another form: a member of its own name would say less.
CPP_MEMBERS = {"timeout_ms": "timeout"}
JSON_KEYS = {"timeout_ms": "timeout", "owner": "permissions", "group": "permissions", "other": "permissions",
             "holder_pids": "references"}
# connect_within, lock_as and lock do what these do; the others are for interpreters.
NOT_IN_CPP = {"connect", "lock", "lock_wait", "unmap_blocks"}
# connect_within, lock_as, and ring_peek with ring_release do what these do.
NOT_IN_PYTHON = {"connect", "lock", "ring_pop"}
# connect_within and lock_as do what these do; processes wait for events.
NOT_IN_ELIXIR = {"connect", "lock", "lock_wait"}

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


def text_of(*names):
    return "".join(without_comments((INCLUDE / "snakepit/shm" / name).read_text()) for name in names)


header = text_of("snakepit_shm.h", "snakepit_shm_ring.h")
cpp = text_of("client.h", "ring.h")
listed = {name: members(header, name) for name in STRUCTURES}

facts = set(listed["snakepit_shm_region_info"]) - {"struct_size"}
options = set(listed["snakepit_shm_options"]) - {"struct_size"}
complain("RegionInfo in Python lacks", facts - set(snakepit_shm.RegionInfo._fields))
complain("options of allocate in Python lack", options - set(inspect.signature(snakepit_shm._values.options).parameters))
described = set(members(header, "snakepit_shm_ring_description")) - {"struct_size"}
complain("RingInfo in Python lacks", described - set(snakepit_shm.RingInfo._fields))
complain("RegionInfo in C++ lacks", {CPP_MEMBERS.get(f, f) for f in facts} - set(members(cpp, "RegionInfo")))
complain("Options in C++ lacks", {CPP_MEMBERS.get(f, f) for f in options} - set(members(cpp, "Options")))
json_source = (ROOT / "app/cli/json.cpp").read_text()
region_json = re.search(r"QJsonObject region_json\((.*?)\n\}", json_source, re.S).group(1)
keys = set(re.findall(r'\{"(\w+)",', region_json))
complain("JSON of a region lacks", {JSON_KEYS.get(f, f) for f in facts} - keys)

functions = set(re.findall(r"\bsnakepit_shm_(\w+)\(", header))
used_by_cpp = set(re.findall(r"\bsnakepit_shm_(\w+)\b", cpp))
python_source = "".join(path.read_text() for path in (ROOT / "packaging/python/native").iterdir())
used_by_python = set(re.findall(r"\bsnakepit_shm_(\w+)\b", python_source))
complain("functions that C++ does not use", functions - used_by_cpp - NOT_IN_CPP - {"version"})
complain("functions that Python does not use", functions - used_by_python - NOT_IN_PYTHON)

elixir_source = "".join(path.read_text() for path in (ROOT / "packaging/elixir/native").iterdir())
used_by_elixir = set(re.findall(r"\bsnakepit_shm_(\w+)\b", elixir_source))
of_rings = {name for name in functions if name.startswith("ring_")}
complain("functions that Elixir does not use", functions - used_by_elixir - NOT_IN_ELIXIR - of_rings)
complain("facts that Elixir lacks", facts - set(re.findall(r'\{"(\w+)", ', elixir_source)))
complain("options that Elixir lacks", options - set(re.findall(r"\bout\.(\w+)", elixir_source)))

for status in range(0, 200):
    name = snakepit_shm._native.status_name(status)
    if name != "unknown" and not snakepit_shm._native.status_type(status):
        problems.append(f"status {status} has no type")

for problem in problems:
    print(problem)
print(f"{len(facts)} facts, {len(options)} options, {len(functions)} functions")
sys.exit(1 if problems else 0)
