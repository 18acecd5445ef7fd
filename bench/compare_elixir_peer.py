#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""compare_elixir_peer.py shm|pipe|socket [PATH]: the Python side of compare_elixir.exs.

Adds 1 to each byte of an array of numpy: in place in shared memory, of which it gets the id, or in bytes that it
receives and sends back, through its standard input and output or a socket.
"""
import pathlib
import socket
import struct
import sys

import numpy


def add(array):
    numpy.add(array, 1, out=array)


def over_shared_memory():
    sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "build" / "python"))
    import snakepit_shm
    client = snakepit_shm.Client()
    for line in sys.stdin:
        with client.map(line.strip(), writable=True) as region:
            array = region.array("uint8")
            add(array)
            del array
        print("done", flush=True)


def receive(source, memory):
    got = 0
    while got < len(memory):
        count = source.readinto(memory[got:])
        if not count:
            sys.exit(0)
        got += count


def over_bytes(source, sink):
    """Messages of 4 bytes of length and as many bytes, as Erlang's {packet, 4}."""
    while True:
        header = bytearray(4)
        receive(source, memoryview(header))
        data = bytearray(*struct.unpack(">I", header))
        receive(source, memoryview(data))
        add(numpy.frombuffer(data, numpy.uint8))
        sink.write(header)
        sink.write(data)
        sink.flush()


if sys.argv[1] == "shm":
    over_shared_memory()
elif sys.argv[1] == "pipe":
    over_bytes(sys.stdin.buffer.raw, sys.stdout.buffer)
else:
    line = socket.socket(socket.AF_UNIX)
    line.connect(sys.argv[2])
    over_bytes(line.makefile("rb", buffering=0), line.makefile("wb"))
