#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Fails when a source outside the folders of a system names one or includes its headers.

Usage: platform_boundary.py SOURCE_DIRECTORY [--write]

Systems have folders of their own: core/platform/<system>/, core/survey/<system>/ and plugins/. What is outside of
them today is listed in platform_exceptions.txt beside this script, and that list may only shrink: a file that is
clean, or cleaner than the list says, must be taken out of it. --write writes what is left after a cleaning.
"""
import pathlib
import re
import sys

LIST = pathlib.Path(__file__).with_name("platform_exceptions.txt")
FOLDERS = ("app", "bench", "core", "ui")
# Each place may name its system: sources in a folder with a system's name are only built there.
EXEMPT = re.compile(r"^core/(platform|survey)/(linux|windows|macos)/")
# The export macro of the public header differs between compilers.
EXPORT_MACRO = "core/include/snakepit/shm/snakepit_shm.h"
HEADERS = re.compile(
    r"^\s*#\s*include\s*<((?:sys|linux|mach|netinet|arpa|asm|net)/[\w./-]+|"
    r"(?:unistd|fcntl|poll|dirent|pwd|grp|dlfcn|spawn|pthread|sched|syslog|termios|windows|winternl|libproc|signal|ucred)\.h)>")
NAMES = re.compile(r"\b(__linux__|__linux|_WIN32|_WIN64|__APPLE__|__MACH__|__FreeBSD__|Q_OS_\w+)\b")
COMMENT = re.compile(r"//[^\n]*|/\*[\s\S]*?\*/")


def uses_of(text, export_macro=False):
    """The operating-system headers and platform names in a source, each once."""
    found = set()
    for line in text.splitlines():
        if match := HEADERS.match(line):
            found.add(f"<{match[1]}>")
    code = COMMENT.sub("", text)
    names = set(NAMES.findall(code))
    if export_macro:
        names -= {"_WIN32"}
    return found | names


def uses(root):
    """For each file outside the folders of systems that needs one: what it uses."""
    out = {}
    for folder in FOLDERS:
        for source in sorted((root / folder).rglob("*")):
            name = source.relative_to(root).as_posix()
            if source.suffix not in (".h", ".cpp", ".c") or EXEMPT.match(name):
                continue
            if found := uses_of(source.read_text(encoding="utf-8"), name == EXPORT_MACRO):
                out[name] = found
    return out


def read_list():
    out = {}
    for line in LIST.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            name, *found = line.split()
            out[name] = set(found)
    return out


def write_list(found):
    head = [line for line in LIST.read_text(encoding="utf-8").splitlines() if line.startswith("#")]
    lines = [f"{name} {' '.join(sorted(items))}" for name, items in sorted(found.items())]
    LIST.write_text("\n".join(head + lines) + "\n", encoding="utf-8")


def differences(found, allowed):
    """One sentence for each that is new, or not needed in the list any more."""
    for name in sorted(found.keys() | allowed.keys()):
        for item in sorted(found.get(name, set()) - allowed.get(name, set())):
            yield f"{name} uses {item}: move it to core/platform/<system>/ and call it through a header there"
        for item in sorted(allowed.get(name, set()) - found.get(name, set())):
            yield f"{name} does not use {item} any more: take it out of {LIST.name}"


def self_test():
    assert uses_of("#include <unistd.h>\n#include <vector>\n") == {"<unistd.h>"}
    assert uses_of("#  include <sys/mman.h>\n// __linux__\n#ifdef _WIN32\n") == {"<sys/mman.h>", "_WIN32"}
    assert uses_of("#ifdef _WIN32\n", export_macro=True) == set()
    assert uses_of('#include "sys/x.h"\n') == set()
    assert list(differences({"a": {"<x>"}}, {"a": {"<x>"}})) == []
    assert len(list(differences({"a": {"<x>"}}, {"b": {"<y>"}}))) == 2


def main():
    self_test()
    root = pathlib.Path(sys.argv[1])
    found = uses(root)
    if sys.argv[2:] == ["--write"]:
        allowed = read_list()
        write_list({name: items & allowed.get(name, set()) for name, items in found.items()
                    if items & allowed.get(name, set())})
    problems = list(differences(found, read_list()))
    print("\n".join(problems))
    count = sum(len(items) for items in found.values())
    print(f"{count} uses of operating-system headers in {len(found)} files outside their folders")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
