# SPDX-License-Identifier: MIT
"""Rings of frames, from Python: copies and views, threads, asyncio, and the deaths of other programs."""
import asyncio
import gc
import signal
import subprocess
import sys
import threading
import time

import numpy
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conftest import PATIENCE, until

SMALL = {"slot_size": 64, "slots": 4, "max_consumers": 3, "policy": "back_pressure"}
numbers = iter(range(10**6))


@pytest.fixture
def ring(client):
    """A producer, and a function that joins as a consumer."""
    import snakepit_shm
    name = f"ring {next(numbers)}"
    made = []

    def consume(timeout=0):
        made.append(snakepit_shm.Ring.open(name, client=client, timeout=timeout))
        return made[-1]

    with snakepit_shm.Ring.produce(client, name, **SMALL) as producer:
        yield producer, consume
        for one in made:
            one.__exit__(None, None, None)


@pytest.fixture
def start(manager):
    """Starts a Python program; its first line of output has been read when this returns."""
    started = []

    def run(text):
        process = subprocess.Popen([sys.executable, "-c", "import sys, time\nimport snakepit_shm as s\n" + text],
                                   stdout=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout.readline() == "ready\n"
        return process

    yield run
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


def name_of(producer):
    return producer.info().id


def test_frames_arrive_in_order_and_whole(ring):
    producer, consume = ring
    first, second = consume(), consume()
    for number in range(20):
        data = bytes([number]) * (number * 3)
        producer.write(data)
        assert [tuple(one.read(PATIENCE)) for one in (first, second)] == [(data, number, 0, 1)] * 2
    assert first.read(0) is None and first.peek(0) is None and first.read(0.01) is None
    info = producer.info()
    assert (info.published, info.consumers, info.policy, info.role, info.closed) == (20, 2, "back_pressure", "producer", False)
    assert first.info().role == "consumer" and info.slot_size == 64 and info.behind == 0


def test_the_producer_waits_for_room(ring, fails):
    producer, consume = ring
    consumer = consume()
    for number in range(4):
        producer.write(bytes([number]), 0)
    with fails("timeout"):
        producer.write(b"more", 0.05)
    with fails("timeout"):
        producer.acquire(0)
    reader = threading.Timer(0.05, consumer.read)
    reader.start()
    producer.write(b"more", PATIENCE)
    reader.join()
    assert [consumer.read(0).data for _ in range(4)] == [b"\1", b"\2", b"\3", b"more"]


def test_slots_are_written_and_read_in_place(ring, fails):
    producer, consume = ring
    consumer = consume()
    with producer.acquire() as slot:
        slot.array("float32", (2, 8))[:] = 7
        assert consumer.read(0) is None
    with consumer.peek() as frame:
        array = frame.array("float32", (2, 8))
        assert (array == 7).all() and not array.flags.writeable and frame.valid and frame.number == 0
        with pytest.raises((TypeError, ValueError)):
            frame.data[0] = 1
        del array
    assert not frame.valid
    with pytest.raises(ValueError):
        frame.data[0]
    with pytest.raises(RuntimeError):
        with producer.acquire() as slot:
            raise RuntimeError("not published")
    assert consumer.read(0) is None
    slot = producer.acquire()
    slot.data[:2] = b"ab"
    slot.publish(2)
    assert consumer.read(0).data == b"ab"
    with fails("not_held"):
        slot.publish()


def test_memory_stays_while_an_array_exists(ring, client):
    import snakepit_shm
    producer, consume = ring
    consumer = consume()
    producer.write(b"12345678")
    frame = consumer.peek()
    array = frame.array()
    frame.release()
    with pytest.raises(snakepit_shm.BufferInUse):
        consumer.close()
    with pytest.raises(snakepit_shm.BufferInUse):
        client.close()
    assert bytes(array) == b"12345678"
    del array, frame
    gc.collect()
    consumer.close()
    consumer.close()
    assert consumer.closed


def test_iteration_ends_when_the_producer_closes(ring):
    import snakepit_shm
    producer, consume = ring
    consumer = consume()
    name = name_of(producer)
    for number in range(3):
        producer.write(bytes([number]))
    producer.close()
    assert [frame.data for frame in consumer] == [b"\0", b"\1", b"\2"]
    with snakepit_shm.Ring.open(name, "producer") as again:
        again.write(b"next")
    frames = list(consumer)
    assert [(frame.data, frame.number, frame.producer) for frame in frames] == [(b"next", 3, 2)]


def test_a_slow_consumer_is_told_what_it_lost(client):
    import snakepit_shm
    with snakepit_shm.Ring.produce(client, slot_size=8, slots=4) as producer, \
            snakepit_shm.Ring.open(name_of(producer)) as consumer:
        for number in range(4):
            producer.write(number.to_bytes(8, "little"))
        with consumer.peek() as frame:
            producer.write(b"x")
            assert not frame.valid
        for number in range(5, 20):
            producer.write(number.to_bytes(8, "little"))
        frame = consumer.read()
        assert frame.lost == frame.number - 1 > 0 and frame.data == frame.number.to_bytes(8, "little")


def test_arguments_are_checked(client, ring, fails):
    import snakepit_shm
    producer, consume = ring
    consumer = consume()
    for wrong in ({"slots": 1}, {"slot_size": 0}, {"max_consumers": 65}, {"policy": "none"}):
        with fails("invalid_argument"):
            snakepit_shm.Ring.produce(client, **wrong)
    with fails("not_supported"):
        snakepit_shm.Ring.produce(client, security_level="high")
    with fails("region_not_found"):
        snakepit_shm.Ring.open("nothing of this name")
    with fails("timeout"):
        snakepit_shm.Ring.open(name_of(producer), "producer", timeout=0.05)
    with fails("invalid_argument"):
        snakepit_shm.Ring.open(name_of(producer), "onlooker")
    with fails("invalid_size"):
        producer.write(b"x" * 65)
    with fails("invalid_argument"):
        consumer.write(b"x")
    with fails("invalid_argument"):
        producer.read(0)
    with fails("invalid_argument"):
        consumer.read(float("nan"))
    with pytest.raises(TypeError):
        producer.__reduce__()
    consume(), consume()
    with fails("reference_limit"):
        snakepit_shm.Ring.open(name_of(producer))
    consumer.close()
    for use in (consumer.read, consumer.peek, consumer.check, consumer.info):
        with fails("not_held"):
            use()


def test_one_thread_at_a_time(ring, fails):
    producer, consume = ring
    consumer = consume()
    found = []
    reader = threading.Thread(target=lambda: found.append(consumer.read()))
    reader.start()
    until(lambda: _refused(consumer, fails))
    producer.write(b"now")
    reader.join()
    assert found[0].data == b"now"


def _refused(consumer, fails):
    try:
        consumer.info()
    except Exception:
        with fails("region_in_use"):
            consumer.close()
        return True
    return False


def test_handlers_run_during_a_wait(ring):
    _, consume = ring
    consumer = consume()

    class Called(Exception):
        pass

    def handler(*_):
        raise Called

    kept = signal.signal(signal.SIGALRM, handler)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        with pytest.raises(Called):
            consumer.read()
    finally:
        signal.signal(signal.SIGALRM, kept)


def test_a_closed_client_ends_its_rings(fails, manager):
    import snakepit_shm
    client = snakepit_shm.Client()
    producer = snakepit_shm.Ring.produce(client, **SMALL)
    client.close()
    with fails("client_closed"):
        producer.write(b"x")
    producer.close()


def test_a_dead_producer_is_told_and_another_takes_over(ring, start, fails):
    import snakepit_shm
    producer, consume = ring
    name = name_of(producer)
    producer.close()
    consumer = consume()
    process = start(f"r = s.Ring.open({name!r}, 'producer')\nr.write(b'last words')\nprint('ready', flush=True)\ntime.sleep(1000)")
    assert consumer.read(PATIENCE).data == b"last words"
    process.kill()
    with fails("producer_gone"):
        consumer.read(PATIENCE)
    assert consumer.read(0.3) is None
    with snakepit_shm.Ring.open(name, "producer", timeout=PATIENCE) as successor:
        successor.write(b"go on")
        assert consumer.read(PATIENCE)[:2] == (b"go on", 1)


def test_a_dead_consumer_stops_nobody(ring, start):
    producer, _ = ring
    process = start(f"r = s.Ring.open({name_of(producer)!r})\nprint('ready', flush=True)\ntime.sleep(1000)")
    for _ in range(4):
        producer.write(b"x", 0)
    process.kill()
    for _ in range(20):
        producer.write(b"x", PATIENCE)
    assert producer.info().consumers == 0


def test_tasks_read_and_write(ring):
    producer, consume = ring
    consumers = [consume(), consume()]

    async def read(consumer):
        return [frame.data async for frame in consumer]

    async def write():
        for number in range(50):
            await producer.write_async(number.to_bytes(2, "little"))
        producer.close()

    async def run():
        return await asyncio.wait_for(asyncio.gather(write(), *map(read, consumers)), PATIENCE)

    expected = [number.to_bytes(2, "little") for number in range(50)]
    assert asyncio.run(run())[1:] == [expected, expected]


def test_a_task_hears_of_a_death(ring, start, fails):
    producer, consume = ring
    name = name_of(producer)
    producer.close()
    consumer = consume()

    async def run():
        assert await consumer.read_async(timeout=0.02) is None
        task = asyncio.create_task(consumer.read_async())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        process = start(f"r = s.Ring.open({name!r}, 'producer')\nprint('ready', flush=True)\ntime.sleep(1000)")
        asyncio.get_running_loop().call_later(0.05, process.kill)
        with fails("producer_gone"):
            await consumer.read_async(PATIENCE)

    asyncio.run(run())


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.one_of(st.binary(max_size=64), st.none()), max_size=60), st.sampled_from(["overwrite", "back_pressure"]))
def test_whatever_is_written_is_read_or_counted_as_lost(client, steps, policy):
    """None reads a frame, bytes write one."""
    import snakepit_shm
    with snakepit_shm.Ring.produce(client, slot_size=64, slots=3, policy=policy) as producer, \
            snakepit_shm.Ring.open(name_of(producer)) as consumer:
        written, at = [], 0
        for step in steps:
            if step is None:
                frame = consumer.read(0)
                assert (frame is None) == (at == len(written))
                if frame is not None:
                    at += frame.lost
                    assert (frame.data, frame.number) == (written[at], at)
                    assert frame.lost == 0 or policy == "overwrite"
                    at += 1
            elif policy == "overwrite" or len(written) - at < 3:
                producer.write(step, 0)
                written.append(step)


def test_a_large_frame_of_numpy(client):
    import snakepit_shm
    picture = numpy.random.default_rng(5).integers(0, 256, (1024, 1024), dtype="uint8")
    with snakepit_shm.Ring.produce(client, slot_size=picture.nbytes, slots=2) as producer, \
            snakepit_shm.Ring.open(name_of(producer)) as consumer:
        producer.write(picture)
        assert (numpy.frombuffer(consumer.read().data, "uint8").reshape(picture.shape) == picture).all()
        began = time.monotonic()
        assert consumer.read(0) is None and time.monotonic() - began < PATIENCE
