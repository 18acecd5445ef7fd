# SPDX-License-Identifier: MIT
"""Allocates a region, fills it through a numpy array, and does what it is told, a word a line."""
import sys

import numpy
import snakepit_shm

size = int(sys.argv[1])
client = snakepit_shm.Client()
client.announce("producer", "test", "real-input")
region = client.allocate(size, metadata={"dtype": "float64"})
array = numpy.frombuffer(region.view, numpy.float64)
array[:] = numpy.random.default_rng(7).random(array.size)
print(region.id, repr(float(array.sum())), flush=True)

for word in map(str.strip, sys.stdin):
    if word == "sum":
        print(repr(float(array.sum())), flush=True)
    elif word == "map-again":  # without a round trip: works with no manager at all
        before = client.round_trips
        with client.map(region.id, writable=True) as again:
            same = bytes(again.view[:64]) == bytes(region.view[:64])
        print(same, client.round_trips - before, flush=True)
    elif word == "count":
        print(region.info().reference_count, flush=True)
    elif word == "write":
        array[0] = 42.0
        print("written", flush=True)
    elif word == "end":
        del array
        region.deallocate()
        client.close()
        print("ended", flush=True)
        break
