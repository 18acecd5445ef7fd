# SPDX-License-Identifier: MIT
"""The program on the host: asks in a region named 'question', and reads the region 'answer' that the container allocates."""
import snakepit_shm

with snakepit_shm.Client() as client:
    question = client.allocate(4096, name="question")
    question.view[:5] = b"hello"
    print("ready", flush=True)
    if question.wait(0, 60) == 0:
        raise SystemExit("no answer within a minute")
    assert bytes(question.view[:6]) == b"answer"
    with client.map("answer") as answer:
        assert bytes(answer.view) == b"x" * (64 << 20)
    print("holders of the answer:", client.info("answer").owner_process, client.info("answer").worker, flush=True)
    client.notify("answer")
    question.deallocate()
