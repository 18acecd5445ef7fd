# SPDX-License-Identifier: MIT
"""Every method with good and bad arguments; what the C interface must never get."""
import ctypes
import os
import threading

import numpy
import pytest
import snakepit_shm
from hypothesis import given, settings, strategies

from conftest import PATIENCE


class Seven:
    def __index__(self):
        return 7


def test_sizes_are_whole_numbers_of_any_type(client, fails):
    for size, expected in ((7, 7), (Seven(), 7), (numpy.uint8(7), 7), (numpy.int64(7), 7), (True, 1), (numpy.array(7), 7)):
        assert len(client.allocate(size)) == expected
        assert client.open(f"size {size!r}", size).size == expected
    for size in (7.0, "7", b"7", None, -1, 2**64, numpy.float32(7), [7], numpy.array([7, 7])):
        with fails("invalid_size"):
            client.allocate(size)
        with fails("invalid_size"):
            client.open("size", size)
    with fails("invalid_size"):
        client.allocate(0)
    with fails("size_exceeds_limit"):
        client.allocate(2**64 - 1)


def test_offsets_are_whole_numbers_too(client, fails):
    region = client.allocate(16)
    client.write(region.id, Seven(), numpy.arange(3, dtype="u1"))
    assert client.read(region.id, numpy.int8(7), Seven()) == bytes([0, 1, 2, 0, 0, 0, 0])
    for offset, size in ((-1, 4), (0, -1), (2**64, 1), (0, 2**63), (16, 1), (10, 7), (2**63, 1)):
        with fails("invalid_argument"):
            client.read(region.id, offset, size)
    for offset in (-1, 2**64, 16, 2**63):
        with fails("invalid_argument"):
            client.write(region.id, offset, b"x")
    for wrong in (1.0, "1", None):
        with pytest.raises(TypeError):
            client.read(region.id, wrong, 1)
        with pytest.raises(TypeError):
            client.read(region.id, 0, wrong)
        with pytest.raises(TypeError):
            client.write(region.id, wrong, b"x")
    for data in ("text", 5, None):
        with pytest.raises(TypeError):
            client.write(region.id, 0, data)
    assert client.read(region.id, 16, 0) == b"" and client.write(region.id, 16, b"") is None


def test_map_takes_its_arguments_by_name(client):
    region = client.allocate(16)
    for call in (client.map, client.map_cached):
        assert call(region.id).view.readonly and call(region_id=region.id, writable=True).writable
        assert call(region.id, 1).writable and not call(region.id, writable=[]).writable
        for arguments, words in (((), {}), ((region.id, True, 1), {}), ((region.id,), {"nonsense": 1})):
            with pytest.raises(TypeError):
                call(*arguments, **words)


def test_numbers_of_tickets_and_counters_are_checked(client, fails):
    region = client.allocate(16)
    for wrong in (-1, 2**64):
        with fails("invalid_argument"):
            client.wait(region.id, wrong, 0)
        with fails("invalid_argument"):
            client.wait_begin(region.id, wrong)
        with fails("invalid_argument"):
            client.cancel(wrong)
    with fails("not_held"):
        client.cancel(12345)
    for wrong in ("1", None, 1.5):
        for call in (lambda: client.wait(region.id, wrong, 0), lambda: client.cancel(wrong),
                     lambda: client.wait_begin(region.id, wrong)):
            with pytest.raises(TypeError):
                call()


def test_options_are_checked(client, fails):
    for words in ({"cleanup_policy": "never"}, {"owner": 1}, {"security_level": ""}, {"owner_end": None}, {"placement": []},
                  {"metadata": {"a": "x" * 2000}}, {"metadata": [1]}, {"name": "a\0b"}, {"name": 5}, {"timeout_ms": -2}):
        with fails("invalid_argument"):
            client.allocate(8, **words)
    for words in ({"nonsense": 1}, {"timeout_ms": "1"}, {"timeout_ms": 1.5}, {"metadata": {"a": object()}}):
        with pytest.raises(TypeError):
            client.allocate(8, **words)
    for words in ({"timeout_ms": 2**63}, {"timeout_ms": -2**70}):
        with pytest.raises((OverflowError, snakepit_shm.Error)):
            client.allocate(8, **words)
    assert client.allocate(8, owner="rw", group="ro", metadata={}).info().metadata == {}


def test_read_only_stays_read_only(client):
    region = client.allocate(dtype="u1", shape=64)
    seen = client.map(region.id)
    arrays = [seen.array(), numpy.asarray(seen), numpy.frombuffer(seen, "u1"), numpy.frombuffer(seen.view, "u1")]
    for array in arrays:
        assert not array.flags.writeable
        with pytest.raises(ValueError):
            array[0] = 1
        with pytest.raises(ValueError):
            array.flags.writeable = True
    with pytest.raises(TypeError):
        seen.view[0] = 1
    with open(os.devnull, "rb") as file, pytest.raises((TypeError, BufferError)):
        file.readinto(seen)
    with pytest.raises(TypeError):
        (ctypes.c_char * 64).from_buffer(seen)
    assert region.view[0] == 0


def test_shapes_and_types(client, fails):
    region = client.allocate(dtype="f8", shape=(numpy.int64(2), Seven()))
    assert region.array().shape == (2, 7) and region.info().metadata == {"dtype": "<f8", "shape": [2, 7]}
    assert client.allocate(dtype="u1", shape=Seven()).size == 7
    assert client.allocate(100, dtype="u1", shape=7).size == 100
    assert region.array("u1").shape == (112,) and region.array("f4", 3).shape == (3,)
    for words in ({"dtype": "f8"}, {"dtype": "f8", "shape": ()}):
        assert client.allocate(**words).array().shape == ()
    with fails("invalid_size"):
        client.allocate(dtype="f8", shape=(0, 3))
    for shape in ((1.5,), "ab", (None,)):
        with pytest.raises(TypeError):
            client.allocate(dtype="f8", shape=shape)
    with pytest.raises(TypeError):
        region.array("f8", (100, 100))
    with pytest.raises(TypeError):
        client.allocate(dtype="no such type", shape=3)


def test_a_closed_client_answers_every_call(manager, fails):
    client = snakepit_shm.Client()
    region = client.allocate(8)
    lock = region.lock()
    ticket = client.wait_begin(region.id, 0)
    client.close()
    for call in (client.list, client.fileno, client.next_event, client.cleanup, client.announce,
                 lambda: client.allocate(8), lambda: client.open("x", 8), lambda: client.map(region.id),
                 lambda: client.map_cached(region.id), lambda: client.info(region.id), lambda: client.resolve("x"),
                 lambda: client.read(region.id, 0, 1), lambda: client.write(region.id, 0, b"x"),
                 lambda: client.lock(region.id), lambda: client.lock(region.id, timeout=0),
                 lambda: client.lock_begin(region.id, 1 << 22), lambda: client.wait(region.id, 0, 1),
                 lambda: client.wait_begin(region.id, 0), lambda: client.notify(region.id), lambda: client.seal(region.id),
                 lambda: client.rotate_key(region.id), lambda: client.deallocate(region.id), lambda: client.counter(region.id),
                 lambda: list(client.events()), lambda: region.view, lambda: region.counter, region.info, region.notify,
                 region.lock, region.array, lambda: client.cancel(ticket)):
        with fails("client_closed"):
            call()
    for call in (lock.abandon, lock.release, region.close, client.close, region._detach):
        assert call() is None and call() is None
    assert client.closed and region.closed and client.round_trips == 0


def test_a_client_that_never_connected(manager):
    import contextlib
    client = snakepit_shm.Client.__new__(snakepit_shm.Client)
    assert client.closed
    with pytest.raises(snakepit_shm.Error):
        client.list()
    client.close()
    with contextlib.suppress(snakepit_shm.Error):
        snakepit_shm.Client("no-such-instance", wait_for_manager=0)
    with pytest.raises(TypeError):
        snakepit_shm.Region()
    client = snakepit_shm.Client()
    client.__init__()  # connects again; what was allocated before keeps its connection
    assert client.list() is not None
    client.close()


def test_threads_use_one_client(client):
    region = client.allocate(dtype="i8", shape=1)
    problems = []

    def work():
        try:
            for _ in range(100):
                with client.lock(region.id, timeout=PATIENCE), client.map(region.id, writable=True) as mine:
                    mine.array()[0] += 1
                with client.allocate(64) as other:
                    assert other.info().size == 64
                    other.deallocate()
        except BaseException as problem:
            problems.append(problem)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not problems, problems
    assert region.array()[0] == 600


def test_a_lock_tells_one_error_alone(client, other, fails):
    region = client.allocate(8)
    with other.lock(region.id):
        for timeout in (0, .05, .2):
            with pytest.raises(snakepit_shm.Error) as told:
                client.lock(region.id, timeout=timeout, owner=snakepit_shm.FIRST_OWNER)
            assert told.value.code == "timeout" and told.value.__context__ is None
        for timeout in (0, None):
            with fails("invalid_region_id"):
                client.lock("shm_x", timeout=timeout)


TEXTS = strategies.one_of(strategies.text(max_size=30), strategies.sampled_from(["shm_", "shm_x", "a/b", "~", "-", "\0", "\ud800"]),
                          strategies.none(), strategies.integers(), strategies.binary(max_size=4))


@settings(max_examples=100, deadline=None)
@given(value=TEXTS, word=TEXTS, number=strategies.one_of(strategies.integers(), strategies.floats(), strategies.none()))
def test_no_argument_is_worse_than_an_error(manager, value, word, number):
    from snakepit_shm import _client
    client = _client.process_client()
    for call in (lambda: client.map(value, number), lambda: client.info(value), lambda: client.list(value),
                 lambda: client.read(value, number, 1), lambda: client.write(value, number, b""),
                 lambda: client.allocate(number, name=value, owner=word), lambda: client.open(value, number),
                 lambda: client.lock(value, timeout=0, owner=number), lambda: client.announce(value, word, value),
                 lambda: client.cleanup(dry_run=True, session=value, worker=word), lambda: client.cancel(number),
                 lambda: client.wait(value, number, 0), lambda: client.resolve(value), lambda: client.notify(value),
                 lambda: client.seal(value), lambda: client.lock_begin(value, number)):
        try:
            call()
        except (snakepit_shm.Error, TypeError, OverflowError) as problem:
            assert str(problem)
