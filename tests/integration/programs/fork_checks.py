# SPDX-License-Identifier: MIT
"""Checks of forked children in the Python module; the function to run is the first argument."""
import ctypes
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time

import numpy
from snakepit_shm import Client, Error

PATIENCE = 60  # seconds


def until(condition):
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "waited for in vain"
        time.sleep(0.005)


def array_of(region, value=0):
    array = numpy.frombuffer(region.view, numpy.int64)
    array[:] = value
    return array


def in_child(work):
    """The exit status of a forked child that runs `work`; minus the signal that ended it."""
    pid = os.fork()
    if pid == 0:
        try:
            work()
        except BaseException as problem:
            print(repr(problem), file=sys.stderr, flush=True)
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def a_child_uses_the_arrays_of_its_parent():
    with Client() as client:
        region = client.allocate(1 << 20)
        array = array_of(region, 7)

        def work():
            assert array.sum() == 7 * array.size
            array[0] = 8

        assert in_child(work) == 0
        assert array[0] == 8
        del array


def add_index(index):
    shared[index] += index
    return int(shared[index])


def a_pool_of_processes_works_in_place():
    global shared
    with Client() as client:
        region = client.allocate(64 * 8)
        shared = array_of(region, 100)
        with multiprocessing.get_context("fork").Pool(3) as pool:
            assert pool.map(add_index, range(64)) == [100 + i for i in range(64)]
        assert shared.tolist() == [100 + i for i in range(64)]
        del shared


def references(client, region_id):
    return client.info(region_id).reference_count


def a_child_holds_references_of_its_own():
    with Client() as client, Client() as other:
        region = client.allocate(4096)
        array = array_of(region, 3)
        before = references(other, region.id)
        ready, go = multiprocessing.get_context("fork").Event(), multiprocessing.get_context("fork").Event()

        def work():
            ready.set()
            assert go.wait(PATIENCE)
            assert array[0] == 3 and array[-1] == 3

        child = multiprocessing.get_context("fork").Process(target=work)
        child.start()
        assert ready.wait(PATIENCE)
        assert references(other, region.id) > before - 1
        region_id = region.id
        del array
        region.deallocate()  # withdrawn; the child's memory stays
        for _ in range(50):  # would get the freed memory if it were free
            client.allocate(4096).view[:8] = b"\xff" * 8
        go.set()
        child.join(PATIENCE)
        assert child.exitcode == 0
        until(lambda: gone(other, region_id))


def gone(client, region_id):
    try:
        client.info(region_id)
    except Error as problem:
        return problem.code == "region_not_found"
    return False


def its_references_end_with_it():
    with Client() as client, Client() as other:
        region = client.allocate(4096)
        array = array_of(region, 1)
        before = references(other, region.id)
        pid = os.fork()
        if pid == 0:
            signal.pause()
        until(lambda: references(other, region.id) > before)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        until(lambda: references(other, region.id) == before)
        assert array[0] == 1
        del array


def it_outlives_its_parent():
    """The parent is killed; its child goes on with the region."""
    program = (
        "import os, sys, time, numpy, snakepit_shm as s\n"
        "c = s.Client(); r = c.allocate(4096); a = numpy.frombuffer(r.view, numpy.int64); a[:] = 5\n"
        "parent = os.getpid()\n"
        "if os.fork():\n    print(r.id, flush=True); time.sleep(600)\n"
        "while os.getppid() == parent: time.sleep(.01)\n"
        "time.sleep(.5)\n"
        "print(int(a.sum()), os.getpid(), flush=True); sys.stdin.read()\n")
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          text=True) as parent, Client() as client:
        region_id = parent.stdout.readline().strip()
        parent.kill()
        total, pid = parent.stdout.readline().split()
        assert int(total) == 5 * 512
        assert references(client, region_id) > 0
        parent.stdin.close()
        until(lambda: not os.path.exists(f"/proc/{pid}"))


def a_grandchild_inherits_too():
    with Client() as client:
        region = client.allocate(4096)
        array = array_of(region, 9)

        def work():
            def deeper():
                assert array[5] == 9
                array[6] = 1
            assert in_child(deeper) == 0
            assert array[6] == 1

        assert in_child(work) == 0
        assert array[6] == 1
        del array


def other_threads_unmap_during_the_fork():
    with Client() as client, Client() as other:
        kept = client.allocate(1 << 16)
        array = array_of(kept, 4)
        stop = threading.Event()

        def churn():
            while not stop.is_set():
                with client.allocate(4096, cleanup_policy="manual") as region:
                    region.view[0] = 1
                    region.deallocate()

        threads = [threading.Thread(target=churn) for _ in range(3)]
        for thread in threads:
            thread.start()

        def work():
            assert array.sum() == 4 * array.size

        try:
            for _ in range(40):
                assert in_child(work) == 0
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        until(lambda: references(other, kept.id) == 2)
        del array


def without_a_manager_the_memory_is_out_of_reach():
    """The service was stopped: what cannot be held is not left readable; the child is told so."""
    client = Client()
    region = client.allocate(4096)
    array = array_of(region, 2)
    print("ready", flush=True)
    sys.stdin.readline()  # the manager is stopped now

    began = time.monotonic()
    status = in_child(lambda: array[0] + 1)
    assert status == -signal.SIGSEGV, status
    assert time.monotonic() - began < 10
    assert array[0] == 2


def a_child_that_was_not_told_inherits_nothing():
    """Forked behind the library's back, without handlers."""
    libc = ctypes.CDLL(None, use_errno=True)
    with Client() as client:
        region = client.allocate(4096)
        array = array_of(region, 2)
        pid = libc.syscall(57)  # fork on x86-64
        if pid == 0:
            array[0]
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGSEGV
        del array


def unmapping_in_the_child_leaves_the_parent_alone():
    with Client() as client, Client() as other:
        region = client.allocate(4096)
        before = references(other, region.id)

        def work():
            region.close()
            with Client() as own:
                assert references(own, region.id) == before
                client.close()

        assert in_child(work) == 0
        until(lambda: references(other, region.id) == before)
        region.view[0] = 1


globals()[sys.argv[1]]()
