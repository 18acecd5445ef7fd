#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A pool of worker processes that are killed at random: the same program over snakepit_shm and over the
standard library.

Workers invert video frames in shared memory and write one row each of a shared table of histograms
under a lock. The program kills workers with SIGKILL, starts others, and gives the frame of a killed
worker to another one. In the end it compares every pixel and every row with what they have to be.

    snakepit-shm serve &                                     # snakepit_shm needs a manager
    packaging/examples/pool_of_workers.py --kills 30 --seeds 1,2,3

Needs numpy. Prints one line for each run; exits with 1 if a run over snakepit_shm was not right.
"""
import argparse
import contextlib
import multiprocessing
import os
import pathlib
import random
import signal
import sys
import time
from multiprocessing import connection, shared_memory

import numpy

SHAPE = (1080, 1920, 3)  # 6 MB
SIZE = SHAPE[0] * SHAPE[1] * SHAPE[2]
ROW = 256 * 8  # a histogram of uint64


def import_snakepit():
    """Installed, or from the build tree beside this file."""
    sys.path.append(str(pathlib.Path(__file__).resolve().parents[2] / "build" / "python"))
    import snakepit_shm
    return snakepit_shm


# Both classes: create(size) and open(name) give an object with .name and .memory, close() ends this
# process's use of it and destroy() the segment; locked(name) is a context manager.


class StandardLibrary:
    name = "multiprocessing"

    def __init__(self, context):
        self.lock = context.Lock()

    def start(self):
        pass

    def create(self, size):
        return self._with_memory(shared_memory.SharedMemory(create=True, size=size))

    def open(self, name):
        return self._with_memory(shared_memory.SharedMemory(name))

    @staticmethod
    def _with_memory(segment):
        segment.memory = segment.buf
        return segment

    def locked(self, name):
        return self.lock

    def close(self, segment):
        segment.memory = None
        segment.close()

    def destroy(self, segment):
        self.close(segment)
        segment.unlink()

    def left(self):
        return 0  # what it created was destroyed by name, or is removed by its resource tracker


class Snakepit:
    name = "snakepit_shm"

    def __init__(self, context):
        self.client = None

    def __reduce__(self):  # a worker that is not forked connects for itself
        return Snakepit, (None,)

    def start(self):
        self.client = import_snakepit().Client()  # one for each process
        self.client.announce(worker=multiprocessing.current_process().name, session="pool_of_workers")

    def create(self, size):
        return self._with_memory(self.client.allocate(size))

    def open(self, name):
        return self._with_memory(self.client.map(name, writable=True))

    @staticmethod
    def _with_memory(region):
        region.name = region.id
        region.memory = region.view
        return region

    def locked(self, name):
        return self.client.lock(name)

    def close(self, region):
        region.memory = None
        region.close()

    def destroy(self, region):
        self.close(region)
        self.client.deallocate(region.name)

    def left(self):
        return len(self.client.list("session:pool_of_workers"))


NOISE = numpy.random.default_rng(1).integers(0, 256, SHAPE, numpy.uint8)
NOISE_COUNTS = numpy.bincount(NOISE.ravel(), minlength=256)


def frame(index):
    return NOISE + numpy.uint8(index % 256)  # wraps


def inverted(index):
    """A finished frame and its histogram."""
    return 255 - frame(index), numpy.roll(NOISE_COUNTS, index % 256)[::-1]


def work(library, board_name, tasks):
    """A worker: takes frames from `tasks` until it is killed or told to stop."""
    library.start()
    board = library.open(board_name)
    while (task := tasks.recv()) is not None:
        index, name = task
        segment = library.open(name)
        pixels = numpy.frombuffer(segment.memory, numpy.uint8, SIZE)
        numpy.subtract(255, pixels, out=pixels)
        with library.locked(board_name) as lock:
            inconsistent = getattr(lock, "inconsistent", False)  # the last writer died in its lock
            row = numpy.frombuffer(board.memory, numpy.uint64, 256, index * ROW)
            row[:] = numpy.bincount(pixels, minlength=256)  # the whole row: repairs a half-written one
            del row
        del pixels
        library.close(segment)
        tasks.send((index, inconsistent))
    os._exit(0)


def kill_at_times(orders):
    """A process of its own: takes (process id, seconds from now) and kills that process then."""
    due = []
    while True:
        wait = max(0, due[0][0] - time.monotonic()) if due else None
        if orders.poll(wait):
            pid, delay = orders.recv()
            with contextlib.suppress(ProcessLookupError):
                due.append((time.monotonic() + delay, os.pidfd_open(pid)))
                due.sort()
        while due and due[0][0] <= time.monotonic():
            _, process = due.pop(0)
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(process, signal.SIGKILL)
            os.close(process)


class Pool:
    """One run: `frames` frames, `workers` workers, `kills` kills at times that `seed` chooses."""

    def __init__(self, library, context, options, seed):
        self.library, self.context, self.options = library, context, options
        self.random = random.Random(seed)
        self.doomed = []  # processes that are killed at some time
        self.killed = self.done = self.inconsistent = self.wrong = self.started = 0
        self.seconds = 0.05  # that a frame takes, about
        self.waiting = list(range(options.frames))
        self.workers = {}  # pipe to a worker -> [its process, the frame it has, its segment, since when]
        self.orders, orders = context.Pipe()
        self.killer = context.Process(target=kill_at_times, args=(orders,), daemon=True)
        self.killer.start()
        library.start()
        self.board = library.create(options.frames * ROW)

    def start_worker(self):
        ours, theirs = self.context.Pipe()
        self.started += 1
        process = self.context.Process(target=work, name=f"worker-{self.started}", daemon=True,
                                       args=(self.library, self.board.name, theirs))
        process.start()
        theirs.close()
        self.workers[ours] = [process, None, None, 0]

    def give(self, pipe):
        worker = self.workers[pipe]
        if worker[1] is not None:
            return
        if not self.waiting:
            self.order_kill(worker[0])  # those that were not killed in time
            return
        index = self.waiting.pop()
        segment = self.library.create(SIZE)
        numpy.frombuffer(segment.memory, numpy.uint8, SIZE).reshape(SHAPE)[:] = frame(index)
        worker[1:] = index, segment, time.monotonic()
        with contextlib.suppress(OSError):  # it was killed; died() gives the frame to another one
            pipe.send((index, segment.name))
        self.order_kill(worker[0])

    def order_kill(self, process):
        """So that the kills are spread over all frames; while it works, or shortly after."""
        chance = (self.options.kills - len(self.doomed)) / max(1, len(self.waiting))
        if process.pid not in self.doomed and self.random.random() < chance:
            self.orders.send((process.pid, self.random.uniform(0, 1.2 * self.seconds)))
            self.doomed.append(process.pid)

    def died(self, pipe):
        process, index, segment, _ = self.workers.pop(pipe)
        process.join()
        self.killed += 1
        pipe.close()
        if segment is not None:
            self.library.destroy(segment)  # half inverted
            self.waiting.append(index)
        self.start_worker()

    def finished(self, pipe):
        index, inconsistent = pipe.recv()
        segment, since = self.workers[pipe][2:]
        self.workers[pipe][1:] = None, None, 0
        self.seconds += 0.2 * (time.monotonic() - since - self.seconds)
        expected, counts = inverted(index)
        pixels = numpy.frombuffer(segment.memory, numpy.uint8, SIZE).reshape(SHAPE)
        row = numpy.frombuffer(self.board.memory, numpy.uint64, 256, index * ROW)
        self.wrong += not (numpy.array_equal(pixels, expected) and numpy.array_equal(row, counts))
        del pixels, row
        self.library.destroy(segment)
        self.done += 1
        self.inconsistent += inconsistent

    def run(self):
        """True when all frames were done; False when no frame was done for `stuck_after` seconds, and no worker ran."""
        for _ in range(self.options.workers):
            self.start_worker()
        moved, used = time.monotonic(), self.processor_time()
        while self.done < self.options.frames or self.killed < self.options.kills:
            for pipe in list(self.workers):
                self.give(pipe)
            for pipe in connection.wait(list(self.workers), self.options.stuck_after):
                try:
                    self.finished(pipe)
                    moved, used = time.monotonic(), self.processor_time()
                except (EOFError, OSError):
                    self.died(pipe)
            if time.monotonic() - moved > self.options.stuck_after:
                before, used = used, self.processor_time()
                if used == before:
                    return False
                moved = time.monotonic()  # a busy machine
        return True

    def processor_time(self):
        """Returns the processor time of each worker in clock ticks."""
        ticks = {}
        for process, *_ in self.workers.values():
            with contextlib.suppress(OSError), open(f"/proc/{process.pid}/stat") as stat:
                fields = stat.read().rpartition(")")[2].split()
                ticks[process.pid] = int(fields[11]) + int(fields[12])  # utime and stime of proc(5)
        return ticks

    def end(self):
        self.killer.kill()
        for process, _, segment, _ in self.workers.values():
            process.kill()
            process.join()
            if segment is not None:
                self.library.destroy(segment)
        self.library.destroy(self.board)
        return self.library.left()


def run(library_type, options, seed):
    context = multiprocessing.get_context(options.start)
    pool = Pool(library_type(context), context, options, seed)
    began = time.monotonic()
    completed = pool.run()
    took = time.monotonic() - began
    left = pool.end()
    right = completed and pool.wrong == 0 and left == 0
    verdict = f"{pool.done} frames right in {took:.1f} s" if right else \
        f"STUCK after {pool.done} of {options.frames} frames" if not completed else f"{pool.wrong} WRONG, {left} left"
    print(f"{library_type.name:16} seed {seed}: {pool.killed:2} workers killed, {verdict}; "
          f"{pool.inconsistent} locks of killed writers passed on", flush=True)
    return right


def main():
    parser = argparse.ArgumentParser(description="Kill the workers of a pool, over snakepit_shm and the standard library")
    parser.add_argument("--over", choices=("both", "snakepit_shm", "multiprocessing"), default="both")
    parser.add_argument("--frames", type=int, default=50, help="frames of 1920x1080x3 bytes (default: 50)")
    parser.add_argument("--workers", type=int, default=3, help="worker processes (default: 3)")
    parser.add_argument("--kills", type=int, default=30, help="workers to kill in each run (default: 30)")
    parser.add_argument("--seeds", default="1,2,3", help="one run for each (default: 1,2,3)")
    parser.add_argument("--start", choices=("fork", "spawn", "forkserver"), default="fork", help="how processes start")
    parser.add_argument("--stuck-after", type=float, default=10, metavar="SECONDS",
                        help="end a run in which no frame is done, and no worker runs, for this long (default: 10)")
    options = parser.parse_args()
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    ours = True
    for library_type in (Snakepit, StandardLibrary):
        if options.over not in ("both", library_type.name):
            continue
        for seed in options.seeds.split(","):
            right = run(library_type, options, int(seed))
            ours = ours and (right or library_type is StandardLibrary)
    return 0 if ours else 1


if __name__ == "__main__":
    sys.exit(main())
