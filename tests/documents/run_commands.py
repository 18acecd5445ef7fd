#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""run_commands.py SOURCE BUILD PAGE: runs the commands of a page as printed; see README.md."""
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time

SOURCE, BUILD = (pathlib.Path(word).resolve() for word in sys.argv[1:3])
PAGE = SOURCE / sys.argv[3]
LONGEST = 600  # seconds, on a busy machine
READY = "until snakepit-shm status > /dev/null 2>&1; do kill -0 $! || exit 1; sleep 0.1; done"


def blocks(text):
    """(language, name of a file or None, code) of each fenced block."""
    for words, code in re.findall(r"^```([^\n]+)\n(.*?)^```$", text, re.M | re.S):
        language, _, rest = words.partition(" ")
        yield language, rest.removeprefix("file=") or None, code


def of_developers(line, usage):
    """The word of ./packaging/dev is known."""
    word = line.split()[1]
    if not re.search(rf"^  (\w+, )*{word}\b", usage, re.M):
        sys.exit(f"{PAGE.name}: ./packaging/dev has no word '{word}'")


def script_of(home):
    usage = subprocess.run([SOURCE / "packaging/dev", "help"], capture_output=True, text=True).stdout
    out = ["set -eu -o pipefail"]
    for language, name, code in blocks(PAGE.read_text()):
        if language == "python":
            file = home / (name or f"block{len(out)}.py")
            file.write_text(code)
            if not name:
                out.append(f"echo '+ the Python block'; /usr/bin/python3 {file.name}")
        elif language == "sh":
            for line in code.splitlines():
                if line.startswith("./packaging/dev "):
                    of_developers(line, usage)
                    continue
                out.append(line)
                if re.search(r"snakepit-shm serve &", line):
                    out.append(READY)
    return "\n".join(out) + "\n"


def link_tree(work):
    """The source tree with the built one where ./packaging/dev puts it."""
    for entry in SOURCE.iterdir():
        if not entry.name.startswith("build") and not entry.name.startswith("."):
            (work / entry.name).symlink_to(entry)
    (work / "build").symlink_to(BUILD)


def end_group(group):
    """Ends the managers that the page has started, and waits until they have ended."""
    try:
        os.killpg(group, signal.SIGTERM)
        for _ in range(300):
            time.sleep(0.1)
            os.killpg(group, 0)
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        pass


def main():
    if subprocess.run(["/usr/bin/python3", "-c", "import numpy"], capture_output=True).returncode != 0:
        print("no numpy for /usr/bin/python3")
        return 77
    with tempfile.TemporaryDirectory(prefix="snakepit-documents-", ignore_cleanup_errors=True) as scratch:
        work = pathlib.Path(scratch)
        link_tree(work)
        runtime = work / "runtime"
        runtime.mkdir(mode=0o700)
        keep = {k: v for k, v in os.environ.items() if not k.startswith(("SNAKEPIT_SHM_", "XDG_", "PYTHONPATH"))}
        environment = keep | {"HOME": scratch, "XDG_RUNTIME_DIR": scratch + "/runtime",
                              "SNAKEPIT_SHM_RUNTIME_DIR": scratch + "/runtime/default",
                              "SNAKEPIT_SHM_STATE_DIR": scratch + "/state", "PYTHONPATH": str(BUILD / "python"),
                              "PATH": f"{BUILD}/bin:{os.environ['PATH']}"}
        script = work / "commands.sh"
        script.write_text(script_of(work))
        shell = subprocess.Popen(["bash", "-x", script.name], cwd=work, env=environment, start_new_session=True,
                                 stdin=subprocess.DEVNULL)
        try:
            return shell.wait(timeout=LONGEST)
        finally:
            end_group(shell.pid)


sys.exit(main())
