#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""check_options.py ROOT PROGRAMS: the commands and options that the manual names exist."""
import functools
import os
import pathlib
import re
import subprocess
import sys

ROOT, PROGRAMS = (pathlib.Path(word).resolve() for word in sys.argv[1:3])


@functools.cache
def help_of(program, *words):
    """Empty: there is no such command."""
    path = PROGRAMS / program
    done = subprocess.run([path, *words, "--help"], capture_output=True, text=True, stdin=subprocess.DEVNULL,
                          env=os.environ | {"QT_QPA_PLATFORM": "offscreen"})
    return done.stdout if done.returncode == 0 else ""


def uses(line):
    """(program, words) of each command in a line of code."""
    for program, rest in re.findall(r"(?<![=\w-])(snakepit-shm(?:-monitor|-bench)?) ([^`|;&#)'\"]*)", line):
        yield program, rest.split(" -- ")[0].split()


def problem_of(program, words):
    if not (PROGRAMS / program).exists():
        return None  # built without it
    command = []
    for word in words[:2]:
        if not re.fullmatch(r"[a-z][a-z-]*", word) or not help_of(program, *command, word):
            break
        command.append(word)
    if program == "snakepit-shm" and not command and words and re.fullmatch(r"[a-z][a-z-]+", words[0]):
        return f"unknown command '{words[0]}'"
    text = help_of(program, *command)
    for word in words[len(command):]:
        option = re.match(r"--?[a-z][a-z-]*", word)
        if option and not re.search(rf"(^|[\s,]){re.escape(option[0])}\b", text):
            return f"'{program} {' '.join(command)}' has no option {option[0]}"
    return None


def code_of(path):
    """(line number, code) of code blocks and backquotes."""
    fenced = False
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if line.lstrip().startswith("```"):
            fenced = not fenced
        elif fenced or line.startswith("    "):
            yield number, line
        else:
            for code in re.findall(r"`([^`]*)`", line):
                yield number, code


found = []
for page in [ROOT / "README.md", *sorted((ROOT / "packaging").rglob("*.md"))]:
    for number, code in code_of(page):
        for program, words in uses(code):
            if program != "snakepit-shm-bench" and (problem := problem_of(program, words)):
                found.append(f"{page.relative_to(ROOT)}:{number}: {problem}: {code.strip()}")
print("\n".join(found))
sys.exit(1 if found else 0)
