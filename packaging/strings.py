#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Lists every text that a person can read, one a line as PATH:LINE: KIND: TEXT.

Kinds: string (C++, C and Python literals of two words or more, and everything given to tr()), doc (Markdown prose)
and comment. With --check only texts that match tests/prose_patterns.txt are listed, each with what to write
instead, and the exit status is 1 when there is one.
"""
import argparse
import ast
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
SKIPPED = ("tests/", "LICENSES/", "resources/")
SQL = re.compile(r"^\s*(SELECT|INSERT|UPDATE|DELETE|CREATE|DROP|ALTER|PRAGMA|ATTACH|DETACH|BEGIN|WITH)\b")
TOKEN = re.compile(
    r'(?P<comment>//[^\n]*|/\*.*?\*/)'
    r'|(?:u8|u|U|L)?R"(?P<mark>[^()\s\\]{0,16})\((?P<raw>.*?)\)(?P=mark)"'
    r'|(?:u8|u|U|L)?"(?P<string>(?:[^"\\\n]|\\.)*)"'
    r"|'(?:[^'\\\n]|\\.)+'"
    r'|(?P<newline>\n)|(?P<space>[ \t]+)|(?P<other>\w+|.)', re.S)


def unescaped(text):
    return text.replace('\\"', '"').replace("\\'", "'").replace("\\n", " ").replace("\\t", " ").replace("\\\\", "\\")


def readable(text, translated):
    if SQL.match(text) or re.match(r"^\s*[{<#.*]?[\w-]+\s*\{", text):  # statements and style sheets
        return False
    return translated and re.search(r"[A-Za-z]{2}", text) or re.search(r"[A-Za-z]{2,}[,;:.'’)]* +[A-Za-z({']", text)


def of_cpp(text):
    """(line, kind, text) of a C or C++ source; literals that stand side by side are one text."""
    line, pending, first, before, last = 1, "", 0, "", ""
    comment, comment_line = [], 0

    for match in TOKEN.finditer(text):
        kind = match.lastgroup if match.lastgroup != "mark" else "raw"
        if match.group("raw") is not None or match.group("string") is not None:
            literal = match.group("raw") if match.group("raw") is not None else unescaped(match.group("string"))
            if not pending:
                first, before = line, last
            pending += literal
        elif kind == "comment":
            body = match.group("comment")
            words = body[2:].strip() if body.startswith("//") else body[2:-2].replace("\n *", "\n").strip()
            if not comment:
                comment_line = line
            comment.append(re.sub(r"\s+", " ", words))
        elif kind in ("newline", "space"):
            pass
        else:
            if pending:
                translated = before == "tr" or before == "translate"
                if readable(pending, translated):
                    yield first, "string", re.sub(r"\s+", " ", pending).strip()
                pending = ""
            if comment:
                yield comment_line, "comment", " ".join(comment)
                comment = []
            word = match.group(0)
            if word != "(":
                last = word
        line += match.group(0).count("\n")
    if comment:
        yield comment_line, "comment", " ".join(comment)


def of_python(text):
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and readable(node.value, False):
            yield node.lineno, "string", re.sub(r"\s+", " ", node.value).strip()
        if isinstance(node, ast.JoinedStr):
            value = "".join(part.value if isinstance(part, ast.Constant) else "{}" for part in node.values)
            if readable(value, False):
                yield node.lineno, "string", re.sub(r"\s+", " ", value).strip()
    yield from of_script(text)


def of_script(text):
    comment, first = [], 0
    for number, line in enumerate(text.split("\n") + [""], 1):
        match = re.match(r"^\s*#(?!!)\s?(.*)", line)
        if match:
            if not comment:
                first = number
            comment.append(match.group(1).strip())
        elif comment:
            yield first, "comment", " ".join(comment)
            comment = []


def of_markdown(text):
    """Paragraphs and table rows, without code blocks."""
    paragraph, first, code = [], 0, False
    for number, line in enumerate(text.split("\n") + [""], 1):
        if line.startswith("```"):
            code = not code
        starts = re.match(r"^\s*([-*]|\d+\.|\||#)", line)
        if paragraph and (starts or not line.strip() or code):
            yield first, "doc", " ".join(paragraph)
            paragraph = []
        if code or not line.strip() or re.match(r"^( {4}|\t)(?![-*\d])", line) or line.startswith("```"):
            continue
        if not paragraph:
            first = number
        paragraph.append(line.strip())


def texts(path):
    text = (ROOT / path).read_text(encoding="utf-8", errors="replace")
    suffix = pathlib.Path(path).suffix
    if suffix in (".cpp", ".h", ".c"):
        return of_cpp(text)
    if suffix == ".py":
        return of_python(text)
    if suffix == ".md":
        return of_markdown(text)
    if suffix in (".txt", ".cmake", ".sh", ".toml") or path == "packaging/dev":
        return of_script(text)
    return []


def patterns():
    out = []
    for line in (ROOT / "tests/prose_patterns.txt").read_text(encoding="utf-8").split("\n"):
        if line and not line.startswith("#"):
            kinds, pattern, instead = line.split("\t")
            out.append((kinds.split(","), re.compile(pattern), instead))
    return out


def selected(paths, kinds):
    """(path, line, kind, text) of the tracked and new files below `paths`."""
    files = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard", "--"] + paths, cwd=ROOT,
                           check=True, capture_output=True, text=True).stdout.split()
    for path in sorted(set(files)):
        if path.startswith(SKIPPED) or not (ROOT / path).is_file() or path == "packaging/strings.py":
            continue
        for line, kind, text in sorted(texts(path)):
            if kind in kinds:
                yield path, line, kind, text


def hits(kind, text, rules):
    return [(pattern, instead) for kinds, pattern, instead in rules if kind in kinds and pattern.search(text)]


def main():
    parser = argparse.ArgumentParser(prog="packaging/dev strings", description=__doc__.split("\n\n")[0])
    parser.add_argument("--check", action="store_true", help="List only texts that match tests/prose_patterns.txt")
    parser.add_argument("--kind", default="string,doc", help="Any of string,doc,comment (default: string,doc)")
    parser.add_argument("paths", nargs="*", help="Only files below these")
    arguments = parser.parse_args()
    found = 0
    rules = patterns() if arguments.check else []
    for path, line, kind, text in selected(arguments.paths, arguments.kind.split(",")):
        if not arguments.check:
            print(f"{path}:{line}: {kind}: {text}")
        for pattern, instead in hits(kind, text, rules):
            found += 1
            print(f"{path}:{line}: {kind}: {text}\n    /{pattern.pattern}/: write {instead}")
    if arguments.check:
        print(f"{found} texts to mend", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except BrokenPipeError:
        sys.stderr.close()
