#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""worker.py NAME: computes in shared memory that Elixir has allocated.

Each line of standard input is the id of a region. The answer is one line: "done", or "error" and a sentence.
Ends with its standard input, so that no worker stays when the virtual machine is killed.
"""
import pathlib
import sys

import numpy

# Installed, or from the build tree beside this file.
sys.path.append(str(pathlib.Path(__file__).resolve().parents[3] / "build" / "python"))
import snakepit_shm  # noqa: E402


def compute(client, region_id):
    """2 * x + 1, in place."""
    with client.map(region_id, writable=True) as region, region.lock():
        array = region.array()  # its type and shape are in the region's metadata
        numpy.multiply(array, 2, out=array)
        numpy.add(array, 1, out=array)
        del array


def main():
    with snakepit_shm.Client() as client:
        client.announce(worker=sys.argv[1], pool="elixir_python")
        for line in sys.stdin:
            try:
                compute(client, line.strip())
                print("done", flush=True)
            except snakepit_shm.Error as error:
                print("error", str(error).replace("\n", " "), flush=True)


main()
