# SPDX-License-Identifier: MIT
"""What a program of a user may write, and what a type checker must object to; read by mypy, never run."""
import asyncio
from typing import assert_type

import numpy
import snakepit_shm
from snakepit_shm import Client, Error, Event, Lock, Region, RegionInfo
from snakepit_shm.shared_memory import ShareableList, SharedMemory, SharedMemoryManager

with Client() as client:
    assert_type(client, Client)
    region = client.allocate(4096, name="n", metadata={"a": 1}, security_level="high", owner="rw")
    assert_type(region, Region)
    client.allocate(dtype="float32", shape=(3, 5), cleanup_policy="manual", timeout_ms=numpy.int64(5))
    client.allocate(dtype=numpy.float64, shape=numpy.int32(7))
    client.open("name", 4096, writable=False, durable=True)
    assert_type(client.map(region.id, writable=True), Region)
    assert_type(client.info(region.id), RegionInfo)
    assert_type(client.info(region.id).metadata["a"] is None, bool)
    assert_type([info.size for info in client.list("size>1MiB")], list[int])
    assert_type(client.read(region.id, 0, 8), bytes)
    client.write(region.id, 0, bytearray(8))
    assert_type(client.cleanup(dry_run=True).removed, int)
    with region.lock(write=False, timeout=2) as lock:
        assert_type(lock, Lock)
        assert_type(lock.inconsistent, bool)
        lock.abandon()
    assert_type(region.view, memoryview)
    assert_type(len(region), int)
    assert_type(region.counter, int)
    assert_type(client.next_event(), Event | None)
    for event in client.events():
        if event.lock is not None:
            event.lock.release()
    array = region.array("int32", (32, 32))
    array[0] = 1
    numpy.from_dlpack(region)
    assert_type(SharedMemory(create=True, size=8).buf, memoryview)
    assert_type(ShareableList([1, "a"]).shm, SharedMemory)
    with SharedMemoryManager() as manager:
        assert_type(manager.SharedMemory(8), SharedMemory)
    try:
        region.close()
    except snakepit_shm.BufferInUse as problem:
        assert_type(problem.code, str)
    except Error as problem:
        assert_type(problem.status, int)

    # A checker that misses one of these reports its comment as unused.
    client.allocate("4096")  # type: ignore[arg-type]
    client.allocate(4096, cleanup_policy="never")  # type: ignore[arg-type]
    client.allocate(4096, nonsense=1)  # type: ignore[call-arg]
    client.open("name", 4096, name="other")  # type: ignore[misc]
    client.map(7)  # type: ignore[arg-type]
    region.size = 5  # type: ignore[misc]
    region.lock(timeout="soon")  # type: ignore[arg-type]
    Client(5)  # type: ignore[arg-type]


async def task(region: Region) -> None:
    with await region.lock_async(timeout=2.0) as lock:
        assert_type(lock, Lock)
    async for counter in region.changes():
        assert_type(counter, int)


asyncio.run(task(region))
