#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A camera that dies: a ring of pictures from one producer to two consumers, in processes of their own.

One consumer looks at the pictures in place, the other one reads them with asyncio. In the middle the
producer is killed with SIGKILL and another one takes over: numbers go on, and each consumer is told once.

    snakepit-shm serve &
    packaging/examples/camera_ring.py

Needs numpy. Exits with 1 if a consumer missed a picture or saw one that was not whole.
"""
import asyncio
import multiprocessing
import os
import pathlib
import signal
import sys

import numpy

sys.path.append(str(pathlib.Path(__file__).resolve().parents[2] / "build" / "python"))
from snakepit_shm import Error, Ring  # noqa: E402

SHAPE = (480, 640)
PICTURES = 200  # of each producer
RING = {"slot_size": SHAPE[0] * SHAPE[1], "slots": 8, "policy": "back_pressure"}


def camera(name, pictures):
    """The producer, as soon as there is no other one. Waits to be killed, or closes the ring."""
    with Ring.produce(name=name, timeout=None, **RING) as ring:
        first = ring.info().position
        for number in range(first, first + PICTURES):
            with ring.acquire() as slot:
                slot.array(shape=SHAPE)[:] = number % 256
        if pictures == "endless":
            signal.pause()


def check(picture, number):
    if not (picture == number % 256).all():
        sys.exit(f"picture {number} is not whole")


def viewer(name, ready):
    """Looks at each picture in its slot."""
    seen, told = 0, 0
    with Ring.consume(name=name, **RING) as ring:
        ready.release()
        while True:
            try:
                frame = ring.peek()
            except Error as end:
                if end.code == "ring_closed":
                    break
                told += 1
                continue
            with frame:
                check(frame.array(shape=SHAPE), frame.number)
                seen += frame.number == seen
    print(f"viewer: {seen} pictures, {told} dead producer")
    sys.exit((seen, told) != (2 * PICTURES, 1))


def recorder(name, ready):
    """Reads copies, with asyncio."""

    async def run():
        seen, told, last = 0, 0, False
        with Ring.consume(name=name, **RING) as ring:
            ready.release()
            while not last:
                try:
                    async for frame in ring:
                        check(numpy.frombuffer(frame.data, "uint8"), frame.number)
                        seen += frame.number == seen
                    last = True
                except Error as end:
                    if end.code != "producer_gone":
                        raise
                    told += 1
        print(f"recorder: {seen} pictures, {told} dead producer")
        return (seen, told) != (2 * PICTURES, 1)

    sys.exit(asyncio.run(run()))


def main():
    context = multiprocessing.get_context("spawn")
    name = f"camera {os.getpid()}"
    ready = context.Semaphore(0)
    consumers = [context.Process(target=work, args=(name, ready)) for work in (viewer, recorder)]
    for consumer in consumers:
        consumer.start()
        ready.acquire()
    first = context.Process(target=camera, args=(name, "endless"))
    first.start()
    ring = Ring.open(name)  # looks on, and gives each slot back
    while (frame := ring.read()).number < PICTURES - 1:
        pass
    ring.close()
    print(f"killing the producer after picture {frame.number}")
    first.kill()
    first.join()
    second = context.Process(target=camera, args=(name, "one series"))
    second.start()
    for process in (second, *consumers):
        process.join()
    sys.exit(any(process.exitcode != 0 for process in (second, *consumers)))


if __name__ == "__main__":
    main()
