#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""prose_check.py KINDS PATH...: the texts below PATH match none of tests/prose_patterns.txt.

First checks itself: bad sentences are found, good ones are not. Exit status 77: git lists no files here.
"""
import importlib.util
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
SPEC = importlib.util.spec_from_file_location("strings_list", ROOT / "packaging/strings.py")
STRINGS = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(STRINGS)

BAD = (
    "'x' is no number",
    "there is no such field",
    "look whether it runs",
    "the segment was cut by someone else",
    "end this program and start it anew",
    "connect was given no place for the client",
    "cannot look at /dev/shm",
    "cannot look into the directory",
    "its process cannot be seen from here",
    "find out who writes to the directory",
    "no such lease is to be had",
    "the newest so many events",
    "this reference was given back already",
)
GOOD = (
    "expected a number, got 'x'",
    "unknown field 'x'",
    "there is no longer a manager of this instance",
    "the segment was truncated by another process",
    "cannot stat /dev/shm: permission denied",
    "check that the manager is running",
    "the reference was already released",
    "there is no room for 3 regions",
)


def check_itself(rules):
    source = "\n".join(f'say("{text}",\n    x);' for text in BAD + GOOD)
    found = {text for _, kind, text in STRINGS.of_cpp(source) if STRINGS.hits(kind, text, rules)}
    return [f"not found: {text}" for text in BAD if text not in found] + [
        f"found, but good: {text}" for text in GOOD if text in found]


def main():
    kinds, paths = sys.argv[1].split(","), sys.argv[2:]
    rules = STRINGS.patterns()
    problems = check_itself(rules)
    if subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True).returncode != 0:
        print("skipped: git lists no files here", *problems, sep="\n")
        return 1 if problems else 77
    checked = 0
    for path, line, kind, text in STRINGS.selected(paths, kinds):
        checked += 1
        problems += [f"{path}:{line}: {kind}: {text}\n    /{pattern.pattern}/: write {instead}"
                     for pattern, instead in STRINGS.hits(kind, text, rules)]
    if checked == 0:
        problems.append("no texts found")
    print(*problems, f"{checked} texts checked, {len(problems)} problems", sep="\n")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
