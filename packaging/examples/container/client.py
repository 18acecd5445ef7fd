# SPDX-License-Identifier: MIT
"""The program in the container: answers in a region that a program of the host allocated, and allocates one for it.

It needs the manager's directory and nothing else of the host."""
import os

import snakepit_shm

room = os.statvfs("/dev/shm")
with snakepit_shm.Client() as client:
    client.announce(worker="container")
    with client.map("question", writable=True) as question, question.lock(timeout=60):
        print("the host says:", bytes(question.view[:5]).decode())
        question.view[:6] = b"answer"
    answer = client.allocate(64 << 20, name="answer")
    answer.view[:] = b"x" * answer.size
    print(f"process {os.getpid()} shares {answer.size >> 20} MiB; its /dev/shm has {room.f_blocks * room.f_frsize >> 20}",
          flush=True)
    client.notify("question")
    answer.wait(0, 60)  # until the host has read it
    answer.deallocate()
