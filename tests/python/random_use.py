#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Uses the package at random on several threads, with children, kills of the manager and views that outlive everything.

Run by run.py; by hand, for long, with the extension of the address sanitizer's build (packaging/dev asan):

    tests/python/run.py $PWD/build/bin $PWD/build-asan/python --preload $(g++ -print-file-name=libasan.so) \\
        --program random_use.py --seconds 600

Ends with 1 after an exception that a caller could not expect; prints what it did."""
import argparse
import asyncio
import collections
import contextlib
import faulthandler
import gc
import os
import pickle
import random
import signal
import sys
import threading
import time
import traceback

import numpy
import snakepit_shm
from snakepit_shm.shared_memory import ShareableList, SharedMemory

from capsules import ArrowConsumer, DlpackConsumer
from conftest import PATIENCE, Manager

# A manager that was killed, and other threads, explain these.
EXPECTED = {"client_closed", "region_not_found", "not_held", "no_manager", "registry_lost", "read_only", "region_in_use",
            "timeout", "deadlock", "name_in_use", "not_cached", "client_limit_exceeded", "platform_error",
            "ring_closed", "producer_gone",
            "process_region_limit_exceeded", "region_limit_exceeded", "no_space", "reference_limit"}
SIZES = (1, 8, 100, 4096, 5000, 65536, 300_000)


class User:
    """One thread's clients, regions and views."""

    def __init__(self, seed, shared, counts):
        self.random = random.Random(seed)
        self.shared, self.counts = shared, counts  # clients and region ids of all threads
        self.regions, self.views, self.locks = [], [], []

    def one_of(self, things):
        return self.random.choice(things) if things else None

    def lockable(self):
        """A region that is not encrypted: who writes to one of those waits for its lock, without a limit."""
        region = self.one_of(self.regions)
        return region if region and region.info().security_level == "standard" else None

    def client(self):
        client = self.one_of(self.shared["clients"])
        if client is None or client.closed:
            client = snakepit_shm.Client(wait_for_manager=20)
            self.shared["clients"].append(client)
        return client

    def step(self):
        action = self.random.choices(*ACTIONS)[0]
        self.counts[action] += 1
        try:
            getattr(self, "do_" + action)()
        except (snakepit_shm.Error, OSError) as problem:
            code = getattr(problem, "code", type(problem).__name__)
            self.counts["error " + code] += 1
            if isinstance(problem, snakepit_shm.Error) and code not in EXPECTED:
                raise
            if not isinstance(problem, (snakepit_shm.Error, FileNotFoundError, FileExistsError, ConnectionError)):
                raise
        del self.regions[:-20], self.views[:-30], self.locks[:-3]

    def do_allocate(self):
        options = {"security_level": "high"} if self.random.random() < .1 else {}
        if self.random.random() < .3:
            options["name"] = f"n{self.random.randrange(6)}"
        region = self.client().allocate(self.one_of(SIZES), timeout_ms=5000, **options)
        region.view[0] = 1
        self.regions.append(region)
        self.shared["ids"].append(region.id)

    def do_allocate_array(self):
        region = self.client().allocate(dtype="int32", shape=(self.random.randrange(1, 50), 7), timeout_ms=5000)
        region.array()[:] = 3
        self.views.append(region.array())
        assert region.array().sum() == 3 * region.array().size
        self.regions.append(region)

    def do_map(self):
        if known := self.one_of(self.shared["ids"]):
            self.regions.append(self.client().map(known, writable=self.random.random() < .5))

    def do_open(self):
        self.regions.append(self.client().open(f"o{self.random.randrange(4)}", 4096, timeout_ms=5000))

    def do_view(self):
        if region := self.one_of(self.regions):
            make = self.one_of((
                lambda: region.view, lambda: region.view[:1], lambda: memoryview(region).cast("B"), lambda: numpy.asarray(region),
                lambda: numpy.frombuffer(region, "u1"), lambda: region.__dlpack__(max_version=(1, 0)),
                region.__arrow_c_array__, lambda: ArrowConsumer(region.__arrow_c_array__()),
                lambda: DlpackConsumer(region.__dlpack__(max_version=(1, 0), copy=self.random.random() < .3))))
            self.views.append(make())

    def do_look(self):
        view = self.one_of(self.views)
        if isinstance(view, (DlpackConsumer, ArrowConsumer)):
            view.read(1)
        elif isinstance(view, (memoryview, numpy.ndarray)):
            bytes(view[:1])

    def do_drop_view(self):
        if self.views:
            self.views.pop(self.random.randrange(len(self.views)))

    def do_drop_region(self):
        if self.regions:
            self.regions.pop(self.random.randrange(len(self.regions)))

    def do_close(self):
        if region := self.one_of(self.regions):
            region.close()

    def do_block(self):
        with self.client() as client, client.allocate(64) as region:
            self.views.append(region.view)

    def do_close_client(self):
        client = self.one_of(self.shared["clients"])
        if client:
            self.shared["clients"].remove(client)
            client.close()

    def do_deallocate(self):
        if region := self.one_of(self.regions):
            region.deallocate()

    def do_seal(self):
        if region := self.one_of(self.regions):
            region.seal()

    def do_copy(self):
        if region := self.one_of(self.regions):
            client = self.client()
            data = client.read(region.id, 0, self.random.randrange(region.size) + 1)
            if region.writable:
                client.write(region.id, 0, data)

    def do_flush(self):
        if region := self.one_of(self.regions):
            region.flush()
            region.refresh()

    def do_lock(self):
        if region := self.lockable():
            self.locks.append(region.lock(write=self.random.random() < .5, timeout=self.one_of((0, .01, .2))))

    def do_unlock(self):
        if self.locks:
            self.locks.pop().release()

    def do_signal(self):
        if region := self.one_of(self.regions):
            since = region.counter
            region.notify()
            assert region.wait(since, 5) != since

    def do_describe(self):
        client = self.client()
        client.list(self.one_of((None, "size>1KiB", "name:n")))
        client.cleanup(dry_run=True)
        client.announce(worker="random")

    def do_pickle(self):
        if region := self.one_of(self.regions):
            self.regions.append(pickle.loads(pickle.dumps(region)))

    def do_events(self):
        client = self.client()
        if region := self.lockable():
            ticket = client.lock_begin(region.id, snakepit_shm.FIRST_OWNER + self.random.randrange(5))
            try:
                for event in client.events():  # other threads' as well
                    if event.lock:
                        event.lock.release()
            finally:
                with contextlib.suppress(snakepit_shm.Error):
                    client.cancel(ticket)
                for event in client.events():
                    if event.lock:
                        event.lock.release()

    def do_asyncio(self):
        async def task(region):
            with await region.lock_async(timeout=self.one_of((0, .001, .1))):
                await asyncio.sleep(0)

        async def main(region):
            tasks = [asyncio.create_task(task(region)) for _ in range(4)]
            await asyncio.sleep(0)
            self.one_of(tasks).cancel()
            for problem in await asyncio.gather(*tasks, return_exceptions=True):
                if isinstance(problem, Exception):
                    raise problem

        if region := self.lockable():
            asyncio.run(main(region))

    def do_ring(self):
        with snakepit_shm.Ring.produce(self.client(), slot_size=128, slots=4) as producer:
            consumer = snakepit_shm.Ring.open(producer.id, client=self.client())
            for number in range(self.random.randrange(9)):
                producer.write(b"%d" % number, timeout=0)
                if self.random.random() < .7:
                    assert consumer.read(timeout=0).data.isdigit()
            with producer.acquire(timeout=0) as slot:
                self.views.append(slot.array())  # outlives its slot
            if (frame := consumer.peek(timeout=0)) is not None and self.random.random() < .5:
                frame.release()

    def do_shared_memory(self):
        block = SharedMemory(create=True, size=self.one_of(SIZES))
        other = SharedMemory(block.name)
        other.buf[0] = 5
        assert block.buf[0] == 5
        values = ShareableList([1, "two"])
        assert values[1] == "two"
        for one in (block, other, values.shm):
            if self.random.random() < .7:
                one.close()
        block.unlink()
        values.shm.unlink()

    def do_child(self):
        pid = os.fork()
        if pid == 0:
            try:
                for view in self.views:
                    if isinstance(view, numpy.ndarray) and self.random.random() < .5:
                        del view
                self.views.clear()
                self.regions.clear()
                os._exit(0)
            finally:
                os._exit(1)
        _, status = os.waitpid(pid, 0)
        assert status == 0, os.waitstatus_to_exitcode(status)

    def do_collect(self):
        gc.collect()


ACTIONS = (["allocate", "allocate_array", "map", "open", "view", "look", "drop_view", "drop_region", "close", "block",
            "close_client", "deallocate", "seal", "copy", "flush", "lock", "unlock", "signal", "describe", "pickle", "events",
            "asyncio", "ring", "shared_memory", "child", "collect"],
           [8, 4, 10, 3, 20, 20, 15, 10, 6, 2, 1, 3, .5, 6, 2, 4, 4, 2, 1, 3, 2, 1, 2, 1, .2, .3])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--threads", type=int, default=4)
    parser.add_argument("--kills", type=float, default=15, help="seconds between kills of the manager; 0: never")
    parser.add_argument("--least-kills", type=int, default=0, help="go on until the manager was killed as often")
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    manager = Manager()
    counts, problems, stop = collections.Counter(), [], threading.Event()
    shared = {"clients": [], "ids": collections.deque(maxlen=50)}

    def work(number):
        user = User(f"{options.seed}-{number}", shared, counts)
        try:
            while not stop.is_set():
                user.step()
        except BaseException:
            problems.append(traceback.format_exc())
            stop.set()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(options.threads)]
    for thread in threads:
        thread.start()
    end, killed = time.monotonic() + options.seconds, time.monotonic()
    while (time.monotonic() < end or counts["kill"] < options.least_kills) and not stop.wait(.2):
        if options.kills and time.monotonic() - killed > options.kills:
            manager.kill()
            manager.start()
            counts["kill"] += 1
            killed = time.monotonic()
    stop.set()
    end = time.monotonic() + PATIENCE
    for thread in threads:
        thread.join(max(0, end - time.monotonic()))
    if any(thread.is_alive() for thread in threads):
        print("it hangs:", file=sys.stderr)
        faulthandler.dump_traceback()
        os._exit(1)
    manager.end()
    print(", ".join(f"{name} {count}" for name, count in sorted(counts.items())))
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.exit(main())
