# SPDX-License-Identifier: MIT
"""Checks of what ends when in the Python module; the function to run is the first argument."""
import copy
import gc
import os
import pickle
import signal
import subprocess
import sys
import threading
import time

import numpy
from snakepit_shm import FIRST_OWNER, Client, Error

gc.disable()
SOON = 5  # seconds: many times what is promised, for a machine that is busy


def fails(action, code, kind=Error):
    try:
        action()
    except kind as problem:
        assert problem.code == code, (problem.code, code)
        return problem
    raise AssertionError(f"nothing was raised where {code} was due")


def until(condition):
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end, "waited for in vain"
        time.sleep(0.002)


def in_thread(action):
    """What the action raised, in a list, and its thread."""
    raised = []

    def run():
        try:
            action()
        except Error as problem:
            raised.append(problem.code)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, raised


def closing_ends(action):
    """`action(client, region_id, turned)` goes on until the client is closed."""
    with Client() as other, other.allocate(65536) as region:
        for _ in range(5):
            client = Client()
            turns = []
            thread, raised = in_thread(lambda: action(client, region.id, lambda: turns.append(1)))
            until(lambda: turns)
            began = time.monotonic()
            client.close()
            thread.join(SOON)
            assert not thread.is_alive() and time.monotonic() - began < SOON
            assert raised == ["client_closed"], raised
        region.deallocate()


def for_ever(call):
    def action(client, region_id, turned):
        while True:
            call(client, region_id)
            turned()

    closing_ends(action)


def closing_ends_a_wait_for_a_lock():
    with Client() as holder, holder.allocate(4096) as region, region.lock():
        for timeout in (None, 60):
            client = Client()
            thread, raised = in_thread(lambda: client.lock(region.id, timeout=timeout))
            time.sleep(0.1)
            client.close()
            thread.join(SOON)
            assert not thread.is_alive() and raised == ["client_closed"], raised


def closing_ends_maps():
    for_ever(lambda client, region_id: client.map(region_id).close())


def closing_ends_views():
    for_ever(lambda client, region_id: bytes(client.map(region_id, writable=True).view[:8]))


def closing_ends_allocations():
    for_ever(lambda client, _: client.allocate(4096).deallocate())


def closing_ends_lists_and_infos():
    for_ever(lambda client, region_id: (client.list(), client.info(region_id)))


def closing_ends_reads_and_writes():
    for_ever(lambda client, region_id: client.write(region_id, 0, client.read(region_id, 8, 4096)))


def closing_ends_locks_and_names():
    def call(client, region_id):
        client.announce(worker="w")
        client.lock(region_id, timeout=30).release()

    for_ever(call)


def views_may_be_released_in_any_order():
    with Client() as client:
        with client.allocate(100) as region:
            with region.view as view:
                view[0] = 1
            first, second = region.view, region.view
            assert first is not second and first[0] == 1
            first.release()
            assert second[0] == 1
            fails(region.close, "region_in_use", BufferError)
            second.release()
            region.view.release()
        assert region.closed
        fails(lambda: region.view, "not_held")


def closing_a_client_does_all_or_nothing():
    client = Client()
    regions = [client.allocate(100) for _ in range(8)]
    for looked_at in regions:
        view = looked_at.view
        fails(client.close, "region_in_use", BufferError)
        assert not any(region.closed for region in regions)
        assert all(len(region.view) == 100 for region in regions)
        del view
    client.close()
    assert all(region.closed for region in regions)
    client.close()
    fails(client.list, "client_closed")
    fails(lambda: regions[0].view, "client_closed")
    fails(lambda: client.map(regions[0].id), "client_closed")
    assert "this client was closed" in str(fails(lambda: client.allocate(1), "client_closed"))


def a_block_keeps_its_own_exception():
    def raises(block):
        try:
            block()
        except KeyError as mine:
            assert mine.__context__ is None, mine.__context__
            return
        raise AssertionError("the block's exception was lost")

    kept, ids = [], []

    def in_region(client):
        with client.allocate(8) as region:
            kept.append(numpy.frombuffer(region.view, numpy.uint8))
            ids.append(region.id)
            raise KeyError

    def in_client():
        with Client() as client:
            region = client.allocate(8)
            kept.append(numpy.frombuffer(region.view, numpy.uint8))
            raise KeyError

    def in_lock(client, region):
        with region.lock():
            client.close()
            raise KeyError

    with Client() as client:
        raises(lambda: in_region(client))
        raises(in_client)
        kept[0][:] = 1
        kept[1][:] = 1  # both still mapped
        other = Client()
        region = other.allocate(8)
        raises(lambda: in_lock(other, region))
        held = client.info(ids[0]).reference_count
        del kept[0]
        assert client.info(ids[0]).reference_count == held - 1

    def returns():
        with Client() as client, client.allocate(8) as region:
            return numpy.frombuffer(region.view, numpy.uint8)

    array = returns()
    array[:] = 5
    assert array.sum() == 40


def waiting_in_a_child(then):
    """Runs `then(pid)` when a child waits for a lock that this process holds."""
    with Client() as client, client.allocate(4096) as region, region.lock():
        pid = os.fork()
        if pid == 0:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            handled = []
            signal.signal(signal.SIGTERM, lambda *_: handled.append(1) or print("handled", flush=True))
            try:
                Client().lock(region.id)
            except KeyboardInterrupt:
                os._exit(7 if handled else 0)
            os._exit(1)
        time.sleep(1)
        then(pid)
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status)


def ended_soon(pid):
    end = time.monotonic() + SOON
    while time.monotonic() < end:
        if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            return
        time.sleep(0.01)
    os.kill(pid, signal.SIGKILL)
    raise AssertionError("it still waits")


def ctrl_c_ends_a_wait():
    def interrupt(pid):
        os.kill(pid, signal.SIGINT)
        ended_soon(pid)

    assert waiting_in_a_child(interrupt) == 0


def handlers_run_during_a_wait():
    def terminate(pid):
        os.kill(pid, signal.SIGTERM)
        time.sleep(0.5)
        os.kill(pid, signal.SIGINT)
        ended_soon(pid)

    assert waiting_in_a_child(terminate) == 7


def a_wait_keeps_its_place_and_its_timeout():
    with Client() as client, client.allocate(4096) as region:
        held = region.lock()
        order = []

        def worker(name):
            with Client() as own, own.lock(region.id, timeout=60):
                order.append(name)

        first = threading.Thread(target=worker, args=("first",))
        first.start()
        time.sleep(0.6)  # several slices
        second = threading.Thread(target=worker, args=("second",))
        second.start()
        with Client() as third:
            began = time.monotonic()
            fails(lambda: third.lock(region.id, timeout=0.4, owner=FIRST_OWNER), "timeout")
            assert 0.4 <= time.monotonic() - began < SOON
        held.release()
        first.join(60)
        second.join(60)
        assert order == ["first", "second"], order
        region.lock(timeout=0).release()  # nothing was left behind


def interrupted_waits_leave_nothing_behind():
    class Mine(Exception):
        pass

    def handler(*_):
        raise Mine

    signal.signal(signal.SIGALRM, handler)
    with Client() as client, client.allocate(4096) as region:
        with Client() as other:
            for turn in range(30):
                held = other.lock(region.id, owner=FIRST_OWNER)  # released by another thread
                releaser = threading.Timer(0.004, held.release)
                releaser.start()
                try:
                    signal.setitimer(signal.ITIMER_REAL, 0.002 + turn * 0.0002)
                    client.lock(region.id, timeout=60).release()
                    while True:
                        time.sleep(1)
                except Mine:
                    pass
                releaser.join()
        with Client() as last:
            last.lock(region.id, timeout=SOON).release()


def arguments_are_checked():
    with Client() as client:
        region = client.allocate(numpy.prod((4, 5)))
        assert region.size == 20
        for size in (1.5, "20", None, -1, numpy.float64(3)):
            fails(lambda: client.allocate(size), "invalid_size")
        for bad in (region.id + "\0x", "\ud800", "", "shm_x", "a/", None, 7, b"x", region):
            for call in (client.map, client.info, client.deallocate, client.lock,
                         lambda i: client.read(i, 0, 1), lambda i: client.write(i, 0, b"x")):
                fails(lambda: call(bad), "invalid_region_id")
        for bad in ("a\0b", "\udfff", 5):
            fails(lambda: client.announce(worker=bad), "invalid_argument")
            fails(lambda: client.list(bad), "invalid_argument")
            fails(lambda: Client(bad), "invalid_argument")
        for bad in (-1, float("nan")):
            fails(lambda: client.lock(region.id, timeout=bad), "invalid_argument")
        assert numpy.asarray(region).dtype == numpy.uint8 and numpy.asarray(region).shape == (20,)
        array = numpy.asarray(region)
        array[3] = 9
        assert region.view[3] == 9
        fails(region.close, "region_in_use", BufferError)
        del array
        for thing, word in ((client, "each process"),):
            for attempt in (pickle.dumps, copy.copy):
                try:
                    attempt(thing)
                    raise AssertionError("pickled")
                except TypeError as problem:
                    assert word in str(problem), problem


def the_interpreter_ends_in_any_order():
    programs = (
        "c = s.Client(); r = c.allocate(99); v = r.view",
        "c = s.Client(); v = c.allocate(99).view; del c",
        "c = s.Client(); r = c.allocate(99); l = r.lock(); t = threading.Thread(target=lambda: s.Client().lock(r.id),"
        " daemon=True); t.start(); time.sleep(.2)",
        "c = s.Client(); r = c.allocate(99); l = r.lock(); t = threading.Thread(target=lambda: c.lock(r.id),"
        " daemon=True); t.start(); time.sleep(.2)",
        "c = s.Client(); r = c.allocate(99); exec('def f():\\n while 1: c.map(r.id).close()');"
        " threading.Thread(target=f, daemon=True).start(); time.sleep(.2)",
        "c = s.Client(); r = c.allocate(99); r.cycle = r; c.cycle = r; v = memoryview(r.view); c.close if 1 else 0",
        "c = s.Client(); r = c.allocate(99); pid = os.fork(); v = None\nif pid: assert os.waitpid(pid, 0)[1] == 0",
    )
    for program in programs:
        done = subprocess.run([sys.executable, "-c", "import os, threading, time, snakepit_shm as s\n" + program],
                              stderr=subprocess.PIPE, timeout=60)
        assert done.returncode == 0 and not done.stderr, (program, done)


globals()[sys.argv[1]]()
