# SPDX-License-Identifier: MIT
"""Maps a region, sums it without copying, and stays until its input ends."""
import sys

import numpy
import snakepit_shm

client = snakepit_shm.Client()
client.announce("consumer", "test", "real-input")
region = client.map(sys.argv[1])
array = numpy.frombuffer(region.view, numpy.float64)
with open("/proc/self/maps") as maps:
    address = array.__array_interface__["data"][0]
    shared = any(
        int(start, 16) <= address < int(end, 16) and "s" in flags
        for start, end, flags in (line.replace("-", " ", 1).split()[:3] for line in maps))
print(repr(float(array.sum())), shared, array.flags.writeable, flush=True)

for word in map(str.strip, sys.stdin):
    if word == "first":
        print(repr(float(array[0])), flush=True)
