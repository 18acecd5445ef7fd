#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Compares snakepit_shm with Python's multiprocessing.shared_memory and with sending bytes through a pipe.

    snakepit-shm serve &
    bench/compare_python.py                     # a table; --json FILE keeps the figures

Each row is measured in rounds that alternate between the candidates, so that a busy machine slows both;
a figure is the median of its rounds, for one operation. Needs numpy.
"""
import argparse
import json
import mmap
import multiprocessing
import os
import pathlib
import statistics
import sys
import time
from multiprocessing import shared_memory

import numpy

KIB, MIB = 1 << 10, 1 << 20


def import_snakepit():
    sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "build" / "python"))
    import snakepit_shm
    return snakepit_shm


class Candidates:
    """The candidates of the comparison: each method does one operation of one of them."""

    def __init__(self):
        self.client = import_snakepit().Client()
        self.lock = multiprocessing.Lock()
        self.existing = {size: self.client.allocate(size) for size in (4 * KIB, 64 * MIB)}
        self.segments = {size: shared_memory.SharedMemory(create=True, size=size) for size in self.existing}

    def close(self):
        for region in self.existing.values():
            region.deallocate()
        for segment in self.segments.values():
            segment.close()
            segment.unlink()
        self.client.close()

    def ours_create(self, size, fill):
        region = self.client.allocate(size)
        if fill:
            numpy.frombuffer(region.view, numpy.uint8)[:] = 1
        region.deallocate()

    def theirs_create(self, size, fill):
        segment = shared_memory.SharedMemory(create=True, size=size)
        if fill:
            numpy.frombuffer(segment.buf, numpy.uint8)[:] = 1
        segment.close()
        segment.unlink()

    def ours_map(self, size):
        self.client.map(self.existing[size].id).close()

    def theirs_map(self, size):
        shared_memory.SharedMemory(self.segments[size].name).close()

    def ours_lock(self):
        self.client.lock(self.existing[4 * KIB].id).release()

    def theirs_lock(self):
        with self.lock:
            pass


def pipe_of(size):
    """Sends `size` bytes to another process through a pipe; it answers when it has them."""
    ours, theirs = multiprocessing.Pipe()
    data = bytes(size)

    def consume():
        while theirs.recv_bytes():
            theirs.send_bytes(b"x")

    process = multiprocessing.get_context("fork").Process(target=consume, daemon=True)
    process.start()

    def send():
        ours.send_bytes(data)
        ours.recv_bytes()

    return send, process.kill


def posix_create(size, fill):
    """The same with the operating system's calls alone, as a C program uses them."""
    path = f"/dev/shm/compare_python_{os.getpid()}"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    os.ftruncate(descriptor, size)
    memory = mmap.mmap(descriptor, size)
    if fill:
        numpy.frombuffer(memory, numpy.uint8)[:] = 1
    memory.close()
    os.close(descriptor)
    os.unlink(path)


def median_of(work, times):
    begun = time.perf_counter()
    for _ in range(times):
        work()
    return (time.perf_counter() - begun) / times


def measure(candidates, rounds, seconds):
    """{candidate: seconds for one operation}, from alternating rounds of about `seconds` each."""
    times = {name: max(1, int(seconds / max(median_of(work, 1), 1e-7))) for name, work in candidates.items()}
    times = {name: max(1, min(most, int(seconds / max(median_of(candidates[name], min(most, 20)), 1e-7))))
             for name, most in times.items()}
    taken = {name: [] for name in candidates}
    for _ in range(rounds):
        for name, work in candidates.items():
            taken[name].append(median_of(work, times[name]))
    return {name: statistics.median(values) for name, values in taken.items()}


def rows(both):
    for label, size in (("4 KiB", 4 * KIB), ("1 MiB", MIB), ("64 MiB", 64 * MIB)):
        yield f"create, fill, free {label}", {
            "snakepit_shm": lambda size=size: both.ours_create(size, True),
            "multiprocessing": lambda size=size: both.theirs_create(size, True),
            "POSIX calls": lambda size=size: posix_create(size, True)}
    for label, size in (("4 KiB", 4 * KIB), ("64 MiB", 64 * MIB)):
        yield f"create, free {label} (not filled)", {
            "snakepit_shm": lambda size=size: both.ours_create(size, False),
            "multiprocessing": lambda size=size: both.theirs_create(size, False),
            "POSIX calls": lambda size=size: posix_create(size, False)}
    send, end = pipe_of(64 * MIB)
    yield "map, unmap 64 MiB that exists", {
        "snakepit_shm": lambda: both.ours_map(64 * MIB), "multiprocessing": lambda: both.theirs_map(64 * MIB),
        "pipe (copies)": send}
    end()
    yield "lock, unlock, no contention", {"snakepit_shm": both.ours_lock, "multiprocessing": both.theirs_lock}


def microseconds(seconds):
    return f"{seconds * 1e6:,.1f} µs" if seconds < 1e-4 else f"{seconds * 1e6:,.0f} µs"


def show(label, taken):
    ours, theirs = taken["snakepit_shm"], taken["multiprocessing"]
    ratio = f"{theirs / ours:.1f} times faster" if ours <= theirs else f"{ours / theirs:.1f} times slower"
    others = [f"{name} {microseconds(value)}" for name, value in taken.items() if name not in ("snakepit_shm", "multiprocessing")]
    print(f"| {label} | {microseconds(ours)} | {microseconds(theirs)} | {ratio} | {'; '.join(others)} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description="Compare snakepit_shm with multiprocessing.shared_memory")
    parser.add_argument("--rounds", type=int, default=15, help="alternating rounds for each row (default: 15)")
    parser.add_argument("--seconds", type=float, default=0.1, help="length of one round (default: 0.1)")
    parser.add_argument("--json", metavar="FILE", help="write the figures, in seconds for one operation")
    options = parser.parse_args()
    both = Candidates()
    print("| operation | snakepit_shm | multiprocessing | ratio | others |\n|---|---|---|---|---|")
    figures = {}
    for label, candidates in rows(both):
        figures[label] = measure(candidates, options.rounds, options.seconds)
        show(label, figures[label])
    both.close()
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
