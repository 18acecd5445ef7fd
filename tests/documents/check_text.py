#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""check_text.py ROOT: links of all Markdown pages resolve, and README.md keeps the rules of its form."""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(sys.argv[1]).resolve()
COLUMNS, ITEMS = 120, 7


def pages():
    listed = subprocess.run(["git", "-C", str(ROOT), "ls-files", "--cached", "--others", "--exclude-standard", "*.md"],
                            capture_output=True, text=True)
    if listed.returncode == 0 and listed.stdout:
        names = [ROOT / name for name in listed.stdout.splitlines()]
    else:  # an exported tree
        names = [path for path in ROOT.rglob("*.md") if "build" not in path.relative_to(ROOT).parts[0]]
    return sorted(path for path in names if path.exists())


def without_code(text):
    """Lines with code blocks left empty."""
    out, fenced = [], False
    for line in text.splitlines():
        if line.lstrip().startswith("```"):
            fenced = not fenced
            out.append("")
        else:
            out.append("" if fenced or line.startswith("    ") else line)
    return out


def anchors(path):
    out = set()
    for line in without_code(path.read_text()):
        if match := re.match(r"#+ (.*)", line):
            words = re.sub(r"[^\w\- ]", "", re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", match[1]).lower())
            out.add(words.strip().replace(" ", "-"))
    return out


def broken_links(path):
    for number, line in enumerate(without_code(path.read_text()), 1):
        for target in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`]*`", "", line)):
            if re.match(r"[a-z]+:", target):
                continue
            name, _, anchor = target.partition("#")
            file = (path.parent / name).resolve() if name else path
            if not file.exists():
                yield f"{path.relative_to(ROOT)}:{number}: {target} does not exist"
            elif anchor and file.suffix == ".md" and anchor not in anchors(file):
                yield f"{path.relative_to(ROOT)}:{number}: {target}: no such heading"


def is_prose(line):
    return bool(line.strip()) and not re.match(r"(\||#|!\[|<!--|\[!)", line)


def form_of(path):
    """What README.md must not have."""
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if len(line) > COLUMNS:
            yield f"{path.name}:{number}: {len(line)} columns, at most {COLUMNS}"
    items = 0
    for number, line in enumerate(without_code(path.read_text()), 1):
        item = re.match(r"\s*([-*]|\d+\.) ", line)
        items = items + 1 if item else 0 if is_prose(line) or line.startswith("#") else items
        if items == ITEMS + 1:
            yield f"{path.name}:{number}: a list of more than {ITEMS} items"
        if not is_prose(line):
            continue
        text = re.sub(r"`[^`]*`", "code", re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", line)).rstrip()
        if re.search(r"[.!?] +[A-Z]", re.sub(r"^\s*\d+\. ", "", text)):
            yield f"{path.name}:{number}: more than one sentence: {text}"
        if not text.endswith((".", ":", "?", "!")):
            yield f"{path.name}:{number}: a sentence that does not end on its line: {text}"


problems = [problem for path in pages() for problem in broken_links(path)] + list(form_of(ROOT / "README.md"))
print("\n".join(problems))
sys.exit(1 if problems else 0)
