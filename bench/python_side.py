# SPDX-License-Identifier: MIT
"""The other side of bench_python.cpp: for a line 'OPERATION ID TIMES' it prints the nanoseconds of one operation."""
import sys
import time
from multiprocessing import shared_memory

try:
    import snakepit_shm
    client = snakepit_shm.Client()
except Exception as problem:
    print(str(problem) or type(problem).__name__, flush=True)
    sys.exit(1)
segment = shared_memory.SharedMemory(create=True, size=1 << 20)


def map_and_unmap(region_id, times, take=client.map):
    for _ in range(times):
        take(region_id).close()


def lock(region_id, times, take=client.lock):
    for _ in range(times):
        take(region_id).release()


def allocate(_, times):
    for _ in range(times):
        client.allocate(4096).deallocate()


def theirs(_, times, name=segment.name):
    for _ in range(times):
        shared_memory.SharedMemory(name).close()


OPERATIONS = {"map": map_and_unmap, "lock": lock, "allocate": allocate, "theirs": theirs}

print("ready", flush=True)
for line in sys.stdin:
    words = line.split()
    if words[0] == "end":
        break
    begun = time.perf_counter_ns()
    OPERATIONS[words[0]](words[1], int(words[2]))
    print((time.perf_counter_ns() - begun) / int(words[2]), flush=True)
segment.close()
segment.unlink()
print("ended", flush=True)
