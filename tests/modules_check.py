#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Fails when the modules of core/ include each other in a circle.

Usage: modules_check.py SOURCE_DIRECTORY
"""
import pathlib
import re
import sys

INCLUDE = re.compile(r'^#include "(\w+)/', re.MULTILINE)


def included_modules(core):
    """For each module: the other modules it includes, each with a file that does."""
    modules = {path.parent.name for path in core.glob("*/CMakeLists.txt")}
    graph = {module: {} for module in sorted(modules)}
    for source in sorted(core.rglob("*.h")) + sorted(core.rglob("*.cpp")):
        module = source.relative_to(core).parts[0]
        for other in INCLUDE.findall(source.read_text(encoding="utf-8")):
            if module in modules and other in modules and other != module:
                graph[module].setdefault(other, source)
    return graph


def find_circle(graph):
    """The modules of one circle, the first again at the end; empty when there is none."""
    done = set()

    def visit(module, path):
        if module in path:
            return path[path.index(module):] + [module]
        if module in done:
            return []
        for other in graph[module]:
            if circle := visit(other, path + [module]):
                return circle
        done.add(module)
        return []

    for module in graph:
        if circle := visit(module, []):
            return circle
    return []


def self_test():
    assert find_circle({"a": ["b"], "b": ["c"], "c": ["a"]}) == ["a", "b", "c", "a"]
    assert find_circle({"a": ["b", "c"], "b": ["c"], "c": []}) == []


def main():
    self_test()
    core = pathlib.Path(sys.argv[1]) / "core"
    graph = included_modules(core)
    circle = find_circle(graph)
    for module, other in zip(circle, circle[1:]):
        print(f"{module} includes {other}: {graph[module][other].relative_to(core.parent)}")
    if circle:
        sys.exit("modules include each other in a circle: " + " -> ".join(circle))
    for module, others in graph.items():
        print(f"{module}: {' '.join(sorted(others)) or 'no other module'}")


if __name__ == "__main__":
    main()
