# SPDX-License-Identifier: MIT
"""Regions travel by reference, arrays out of band."""
import copy
import multiprocessing
import pickle

import numpy
import pytest

from conftest import PATIENCE

METHODS = ("fork", "spawn", "forkserver")


def consume(inbox, outbox):
    """Adds 1 to every element of each region that arrives."""
    while (region := inbox.get()) is not None:
        region.array()[:] += 1
        outbox.put((region.id, region.writable, len(region)))
        region.close()


@pytest.mark.parametrize("method", METHODS)
def test_regions_go_through_queues(method, client):
    context = multiprocessing.get_context(method)
    inbox, outbox = context.Queue(), context.Queue()
    process = context.Process(target=consume, args=(inbox, outbox))
    process.start()
    try:
        for number in range(20):
            with client.allocate(dtype="int64", shape=100) as region:
                region.array()[:] = number
                inbox.put(region)
                assert outbox.get(timeout=PATIENCE) == (region.id, True, 800)
                assert region.array().tolist() == [number + 1] * 100
                region.deallocate()
        inbox.put(None)
        process.join(PATIENCE)
        assert process.exitcode == 0
    finally:
        process.kill()


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_every_protocol_sends_the_reference_alone(protocol, client):
    with client.allocate(1 << 20) as region:
        text = pickle.dumps(region, protocol)
        assert len(text) < 300
        again = pickle.loads(text)
        again.view[5] = 7
        assert again.id == region.id and region.view[5] == 7
        again.close()
    with client.map(region.id) as seen, pickle.loads(pickle.dumps(seen, protocol)) as again:
        assert not again.writable and again.view.readonly
    with copy.copy(region) as again:
        assert again.id == region.id


def test_arrays_go_out_of_band_without_a_copy(client):
    region = client.allocate(dtype="float32", shape=(16, 16))
    buffers = []
    text = pickle.dumps(region.array(), protocol=5, buffer_callback=buffers.append)
    again = pickle.loads(text, buffers=buffers)
    region.array()[3, 3] = 5
    assert again[3, 3] == 5 and numpy.shares_memory(again, region.array())
    with pytest.raises(BufferError):
        region.close()
    del again
    for buffer in buffers:
        buffer.release()
    buffers.clear()
    region.close()


def test_what_has_gone_is_not_found(client, fails):
    region = client.allocate(64)
    text = pickle.dumps(region)
    region.deallocate()
    with fails("region_not_found"):
        pickle.loads(text)


def test_errors_travel_whole(client):
    import snakepit_shm
    try:
        client.map("shm_x")
    except snakepit_shm.Error as problem:
        again = pickle.loads(pickle.dumps(problem))
        assert (type(again), again.code, again.type, again.status, str(again)) == (
            type(problem), problem.code, problem.type, problem.status, str(problem))
    region = client.allocate(64)
    view = region.view
    try:
        region.close()
    except BufferError as problem:
        assert isinstance(pickle.loads(pickle.dumps(problem)), snakepit_shm.BufferInUse)
    view.release()


def test_what_cannot_travel_says_so(client):
    region = client.allocate(64)
    with region.lock() as lock:
        for thing, word in ((client, "each process"), (lock, "lock it there")):
            for attempt in (pickle.dumps, copy.copy, copy.deepcopy):
                with pytest.raises(TypeError, match=word):
                    attempt(thing)
