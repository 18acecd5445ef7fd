# SPDX-License-Identifier: MIT
"""Checks of what the Python package adds to the C interface; the function to run is the first argument."""
import asyncio
import gc
import multiprocessing
import pickle
import signal
import subprocess
import sys
import time

import numpy
from snakepit_shm import Client, Error
from snakepit_shm.shared_memory import ShareableList, SharedMemory, SharedMemoryManager

gc.disable()
PATIENCE = 60  # seconds


def fails(action, code, kind=Error):
    try:
        action()
    except kind as problem:
        assert code is None or problem.code == code, (problem.code, code)
        return problem
    raise AssertionError(f"nothing was raised where {code} was due")


def until(condition):
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "waited for in vain"
        time.sleep(0.005)


def references(client, region_id):
    return client.info(region_id).reference_count


# --- arrays ---------------------------------------------------------------------------------------


def the_other_side_gets_the_array_as_it_was_made():
    fields = [("time", "<f8"), ("price", "<i4", (2,))]
    with Client() as client, Client() as other:
        plain = client.allocate(dtype="float32", shape=(3, 5), metadata={"kind": "frame"})
        plain.array()[:] = numpy.arange(15).reshape(3, 5)
        seen = other.map(plain.id).array()
        assert seen.dtype == numpy.float32 and seen.shape == (3, 5) and not seen.flags.writeable
        assert seen[2, 4] == 14 and other.info(plain.id).metadata["kind"] == "frame"
        records = client.allocate(dtype=fields, shape=7)
        records.array()["price"][3] = (5, 6)
        found = other.map(records.id, writable=True).array()
        assert found.dtype == numpy.dtype(fields) and found[3]["price"].tolist() == [5, 6]
        bare = client.allocate(64)
        fails(bare.array, "invalid_argument")
        assert bare.array("int16").shape == (32,) and bare.array("int16", (4, 8)).shape == (4, 8)
        assert numpy.asarray(bare).nbytes == 64 and numpy.asarray(bare).base is not None
        fails(lambda: client.allocate(dtype=object, shape=3), "invalid_argument")


def memory_stays_while_anything_looks_at_it():
    with Client() as other:
        client = Client()
        region = client.allocate(4096, owned_by_user=True, cleanup_policy="manual")
        region_id = region.id
        holders = [numpy.frombuffer(region, numpy.uint8), memoryview(region)[8:16], region.array("u1"), region.view]
        for number in range(len(holders)):
            fails(region.close, "region_in_use", BufferError)
            fails(client.close, "region_in_use", BufferError)
            holders[number] = None
        part = numpy.frombuffer(region.view, numpy.uint8)[10:20]
        del region
        client.__exit__(None, None, None)
        part[:] = 3
        assert references(other, region_id) >= 1
        del part
        until(lambda: references(other, region_id) == 0)
        other.deallocate(region_id)


def a_region_in_a_cycle_is_collected():
    with Client() as other:
        client = Client()
        region = client.allocate(4096, owned_by_user=True, cleanup_policy="manual")
        region_id = region.id
        region.itself, region.array_of_it = region, region.array("u1")
        client.regions = [region]
        del region, client
        gc.collect()
        until(lambda: references(other, region_id) == 0)
        other.deallocate(region_id)


def tensors_are_refused_where_they_would_end_the_process():
    try:
        import torch
    except ImportError:
        print("SKIP torch is not installed")
        return
    with Client() as client:
        region = client.allocate(dtype="float32", shape=(4, 4))
        tensor = region.tensor()
        tensor[0, 0] = 5
        assert region.array()[0, 0] == 5
        fails(region.close, "region_in_use", BufferError)
        with client.map(region.id) as other:
            fails(other.tensor, "invalid_argument")
            assert other.tensor(clone=True)[0, 0] == 5
        assert isinstance(tensor, torch.Tensor)


# --- pickle ---------------------------------------------------------------------------------------


def double(region):
    region.array()[:] *= 2
    return region


def a_region_travels_by_reference():
    with Client() as client:
        region = client.allocate(dtype="int64", shape=1000)
        region.array()[:] = 21
        again = pickle.loads(pickle.dumps(region))
        assert again.id == region.id and again.writable and again.array()[0] == 21
        for method in ("fork", "spawn", "forkserver"):
            region.array()[:] = 21
            with multiprocessing.get_context(method).Pool(1) as pool:
                back = pool.map(double, [region])[0]
            assert back.id == region.id and back.array()[999] == 42
            back.close()
        again.close()


# --- asyncio --------------------------------------------------------------------------------------


def tasks_exclude_each_other():
    inside, most, count = 0, 0, 0

    async def work(region):
        nonlocal inside, most, count
        for _ in range(5):
            with await region.lock_async():
                inside += 1
                most = max(most, inside)
                await asyncio.sleep(0.001)
                inside -= 1
                count += 1

    async def main(region):
        await asyncio.gather(*(work(region) for _ in range(12)))

    with Client() as client:
        region = client.allocate(4096)
        asyncio.run(main(region))
        assert (most, count) == (1, 60), (most, count)


def a_cancelled_wait_leaves_the_queue():
    async def main(region):
        held = region.lock()
        problem = await asyncio.gather(region.lock_async(timeout=0.05), return_exceptions=True)
        assert problem[0].code == "timeout", problem
        waiting = asyncio.create_task(region.lock_async())
        await asyncio.sleep(0.05)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        held.release()
        with await region.lock_async(timeout=PATIENCE):
            pass

    with Client() as client:
        asyncio.run(main(client.allocate(4096)))


def data_ready_in_an_event_loop():
    async def main(region):
        seen = []

        async def reader():
            async for counter in region.changes(0):
                seen.append(counter)
                if counter >= 3:
                    return

        task = asyncio.create_task(reader())
        for _ in range(3):
            await asyncio.sleep(0.02)
            region.notify()
        await asyncio.wait_for(task, PATIENCE)
        assert seen[-1] == 3 and seen == sorted(set(seen))

    with Client() as client:
        asyncio.run(main(client.allocate(4096)))


# --- multiprocessing.shared_memory -------------------------------------------------------------------


def shared_memory_is_a_drop_in():
    block = SharedMemory(create=True, size=100)
    assert block.size == 100 and len(block.buf) == 100 and block.name.startswith("psm_")
    block.buf[:3] = b"abc"
    other = SharedMemory(block.name)
    assert bytes(other.buf[:3]) == b"abc" and pickle.loads(pickle.dumps(other)).name == block.name
    fails(lambda: SharedMemory(block.name, create=True, size=1), None, FileExistsError)
    fails(lambda: SharedMemory("no_such_block"), None, FileNotFoundError)
    for words in ({"create": True, "size": 0}, {"create": True, "size": -1}, {}):
        fails(lambda words=words: SharedMemory(**words), None, ValueError)
    block.unlink()
    fails(lambda: SharedMemory(block.name), None, FileNotFoundError)
    fails(block.unlink, None, FileNotFoundError)
    assert bytes(other.buf[:3]) == b"abc"  # until the last one closes it
    view = numpy.frombuffer(other.buf, numpy.uint8)
    fails(other.close, None, BufferError)
    del view
    other.close()
    block.close()
    block.close()
    assert block.buf is None
    for name in ("shm_like_an_id", "-dash", "~tilde", "/slash"):
        with_name = SharedMemory(name, create=True, size=8)
        assert SharedMemory(name).size == 8
        with_name.unlink()


def square(name):
    values = ShareableList(name=name)
    for index, value in enumerate(values):
        values[index] = value * value
    values.shm.close()


def shareable_lists_and_managers():
    values = ShareableList([1, 2.5, 3, None, "text", b"bytes", True])
    assert list(ShareableList(name=values.shm.name)) == [1, 2.5, 3, None, "text", b"bytes", True]
    assert isinstance(values.shm, SharedMemory)
    values.shm.unlink()
    with SharedMemoryManager() as manager:
        numbers = manager.ShareableList([1, 2, 3])
        block = manager.SharedMemory(64)
        process = multiprocessing.Process(target=square, args=(numbers.shm.name,))
        process.start()
        process.join(PATIENCE)
        assert process.exitcode == 0 and list(numbers) == [1, 4, 9]
        name = block.name
    fails(lambda: SharedMemory(name), None, FileNotFoundError)


def a_killed_creator_leaves_no_block():
    program = ("from snakepit_shm.shared_memory import SharedMemory\nimport time\n"
               "b = SharedMemory(create=True, size=10); print(b.name, flush=True); time.sleep(600)")
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as creator:
        name = creator.stdout.readline().strip()
        mine = SharedMemory(name)
        mine.buf[0] = 7
        creator.send_signal(signal.SIGKILL)
    until(lambda: not opens(name))
    assert mine.buf[0] == 7
    kept = SharedMemory(create=True, size=10, track=False)
    assert opens(kept.name)
    kept.unlink()


def opens(name):
    try:
        SharedMemory(name).close()
        return True
    except FileNotFoundError:
        return False


if __name__ == "__main__":  # not in processes that multiprocessing starts
    globals()[sys.argv[1]]()
