# SPDX-License-Identifier: MIT
"""Locks and signals of regions in event loops."""
import asyncio
import gc
import threading

import pytest
import snakepit_shm

from conftest import PATIENCE, until


@pytest.fixture
def region(client):
    return client.allocate(4096)


def free(region):
    """Nobody holds the region's lock or waits for it."""
    region._client.lock(region.id, timeout=PATIENCE).release()
    return True


def test_tasks_exclude_each_other_and_keep_their_order(region):
    inside, order = [], []

    async def task(number):
        with await region.lock_async():
            inside.append(number)
            await asyncio.sleep(0.001)
            assert inside == [number]
            inside.remove(number)
            order.append(number)

    async def main():
        await asyncio.gather(*(task(number) for number in range(30)))

    asyncio.run(main())
    assert sorted(order) == list(range(30))
    free(region)


def test_readers_share_and_writers_wait(region):
    async def reader(both):
        with await region.lock_async(write=False):
            await both.wait()

    async def main():
        both = asyncio.Barrier(2)
        await asyncio.wait_for(asyncio.gather(reader(both), reader(both)), PATIENCE)

    asyncio.run(main())
    free(region)


def test_a_task_may_lock_again(region):
    async def main():
        with await region.lock_async(), await region.lock_async(timeout=0):
            with pytest.raises(snakepit_shm.Error) as told:
                await asyncio.create_task(region.lock_async(timeout=0))
            assert told.value.code == "timeout"

    asyncio.run(main())
    free(region)


@pytest.mark.parametrize("timeout", (0, 1e-9, 0.001, 0.05))
def test_a_timeout_leaves_the_queue(region, other, timeout, fails):
    held = other.lock(region.id)

    async def main():
        for _ in range(5):
            with fails("timeout"):
                await region.lock_async(timeout=timeout)

    asyncio.run(main())
    held.release()
    free(region)


def test_timeouts_are_checked(region, fails):
    async def main():
        for wrong in (-1, float("nan")):
            with fails("invalid_argument"):
                await region.lock_async(timeout=wrong)
        with await region.lock_async(timeout=0):  # it is free
            pass

    asyncio.run(main())


@pytest.mark.parametrize("pauses", range(4))
def test_a_cancelled_task_leaves_the_queue(region, other, pauses):
    held = other.lock(region.id)

    async def main():
        for timeout in (None, 30):
            task = asyncio.create_task(region.lock_async(timeout=timeout))
            for _ in range(pauses):
                await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(main())
    held.release()
    free(region)


def test_cancelled_while_it_is_granted(region, other):
    """Whichever comes first, the lock is free in the end."""
    async def main():
        for turn in range(60):
            held = other.lock(region.id)
            task = asyncio.create_task(region.lock_async())
            await asyncio.sleep(0)
            timer = threading.Timer(turn * 0.0001, held.release)
            timer.start()
            await asyncio.sleep(turn * 0.0001)
            task.cancel()
            try:
                (await task).release()
            except asyncio.CancelledError:
                pass
            timer.join()  # on a busy machine it may not have begun

    asyncio.run(main())
    gc.collect()
    free(region)


def test_signals_arrive_and_waits_may_be_cancelled(region, client):
    async def main():
        seen = []

        async def watch():
            async for counter in region.changes(0):
                seen.append(counter)
                if counter >= 20:
                    return

        task = asyncio.create_task(watch())
        idle = asyncio.create_task(client.wait_async(region.id, 2**60))  # the counter is not that: at once
        assert await asyncio.wait_for(idle, PATIENCE) == 0
        for number in range(1, 21):
            region.notify()
            while not seen or seen[-1] < number:
                await asyncio.sleep(0)
        await asyncio.wait_for(task, PATIENCE)
        assert seen == list(range(1, 21))
        waiting = asyncio.create_task(client.wait_async(region.id, 20))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    asyncio.run(main())


def test_one_client_serves_several_loops(region):
    """One after the other, and at once on threads."""
    problems = []

    async def task():
        for _ in range(10):
            with await region.lock_async(timeout=PATIENCE):
                await asyncio.sleep(0)

    def loop():
        try:
            asyncio.run(task())
        except BaseException as problem:
            problems.append(problem)

    loop()
    loop()
    threads = [threading.Thread(target=loop) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
        assert not thread.is_alive()
    assert not problems, problems
    free(region)


def test_closing_the_client_ends_the_waits(other, fails):
    client = snakepit_shm.Client()
    region_id = other.allocate(64).id
    held = other.lock(region_id)

    async def main():
        tasks = [asyncio.create_task(client.lock_async(region_id)), asyncio.create_task(client.wait_async(region_id, 0))]
        await asyncio.sleep(0.05)
        client.close()
        for task in tasks:
            with fails("client_closed"):
                await asyncio.wait_for(task, PATIENCE)

    asyncio.run(main())
    held.release()


def test_closing_ends_the_waits_also_when_changes_are_lost(fresh_manager):
    client = snakepit_shm.Client(wait_for_manager=5)
    region = client.allocate(64, security_level="high")
    region.view[0] = 1

    async def main():
        task = asyncio.create_task(client.wait_async(region.id, 0))
        await asyncio.sleep(0)
        fresh_manager.kill()
        try:
            client.close()
        except snakepit_shm.Error as problem:
            assert problem.code == "no_manager"
        with pytest.raises(snakepit_shm.Error) as told:
            await asyncio.wait_for(task, PATIENCE)
        assert told.value.code in ("client_closed", "no_manager")

    asyncio.run(main())
    assert client.closed
    fresh_manager.start()


def test_clients_come_and_go_in_one_loop(other):
    """Their descriptors have the same number, one after the other."""
    region_id = other.allocate(64).id

    async def main():
        for turn in range(20):
            client = snakepit_shm.Client()
            held = other.lock(region_id)
            task = asyncio.create_task(client.lock_async(region_id))
            await asyncio.sleep(0)
            held.release()
            (await asyncio.wait_for(task, PATIENCE)).release()
            if turn % 2:
                client.close()
            del client, task

    asyncio.run(main())


def test_a_region_that_ends_ends_its_waits(client, other, fails):
    region = other.allocate(64)

    async def main():
        task = asyncio.create_task(client.wait_async(region.id, 0))
        await asyncio.sleep(0)
        region.deallocate()
        with fails("region_not_found"):
            await asyncio.wait_for(task, PATIENCE)

    asyncio.run(main())


def test_outside_of_a_task_it_says_so(region):
    waiting = region.lock_async()
    with pytest.raises(RuntimeError):
        waiting.send(None)
    until(lambda: free(region))
