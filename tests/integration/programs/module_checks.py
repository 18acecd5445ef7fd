# SPDX-License-Identifier: MIT
"""Checks of the Python module; the function to run is the first argument. Fails by exception."""
import asyncio
import gc
import os
import selectors
import sys
import threading

import numpy
import snakepit_shm
from snakepit_shm import Client, Error

gc.disable()  # what ends here ends at once, not when the collector comes by


def fails(action, code, kind=Error):
    try:
        action()
    except kind as problem:
        assert problem.code == code, (problem.code, code)
        return problem
    raise AssertionError(f"nothing was raised where {code} was due")


def references(client, region_id):
    return client.info(region_id).reference_count


def writes_are_seen_by_a_second_mapping():
    with Client() as writer, Client() as reader, writer.allocate(8 * 1000) as region:
        numpy.frombuffer(region.view, numpy.float64)[:] = numpy.arange(1000)
        with reader.map(region.id) as seen:
            assert len(seen) == 8 * 1000
            assert numpy.frombuffer(seen.view, numpy.float64).sum() == 499500
        region.deallocate()


def read_only_views_refuse_writes():
    with Client() as client, client.allocate(4096) as region:
        with client.map(region.id) as other:
            assert other.view.readonly and not other.writable
            array = numpy.frombuffer(other.view, numpy.uint8)
            assert not array.flags.writeable
            try:
                array.flags.writeable = True
            except ValueError:
                pass
            else:
                raise AssertionError("a read-only array was made writable")
            del array
        region.deallocate()


def closing_waits_for_arrays_and_views():
    client = Client()
    region = client.allocate(4096)
    array = numpy.frombuffer(region.view, numpy.uint8)
    fails(region.close, "region_in_use", BufferError)
    fails(client.close, "region_in_use", BufferError)
    part = region.view[8:16]
    del array
    fails(region.close, "region_in_use", BufferError)
    part[0] = 7  # still mapped
    assert region.view[8] == 7
    del part
    region.close()
    region.close()
    assert region.closed
    fails(lambda: region.view, "not_held")
    client.close()


def dropping_a_region_keeps_its_arrays_alive():
    client = Client()
    region = client.allocate(4096)
    region_id, held = region.id, references(client, region.id)
    array = numpy.frombuffer(region.view, numpy.uint8)
    del region
    array[:] = 3
    assert array.sum() == 3 * 4096
    assert references(client, region_id) == held
    fails(client.close, "region_in_use", BufferError)
    del array
    assert references(client, region_id) == held - 1
    client.deallocate(region_id)
    client.close()


def errors_carry_code_and_type():
    with Client() as client:
        assert fails(lambda: client.allocate(0), "invalid_size").type == "invalid_argument"
        assert fails(lambda: client.allocate(1 << 50), "size_exceeds_limit").type == "allocation_failed"
        assert fails(lambda: client.map("shm_nonsense"), "invalid_region_id").type == "invalid_argument"
        unknown = fails(lambda: client.map("shm_1700000000000000_0123456789abcdef"), "region_not_found")
        assert unknown.type == "region_not_found" and unknown.status == 4 and str(unknown)
        fails(lambda: client.allocate(1, cleanup_policy="never"), "invalid_argument")
        fails(lambda: client.list("size>big"), "invalid_argument")
    fails(lambda: Client("no-such-instance"), "no_manager")


def a_forked_child_connects_for_itself():
    client = Client()
    region = client.allocate(4096)
    region.view[0] = 9
    child = os.fork()
    if child == 0:
        fails(lambda: client.info(region.id), "forked")
        with Client() as own, own.map(region.id) as mapped:
            right = mapped.view[0] == 9
        os._exit(0 if right else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert region.view[0] == 9
    region.deallocate()
    client.close()


def lists_and_cleans_up():
    with Client() as client:
        client.announce(worker="checker", session="module-checks")
        kept = client.allocate(3 << 20, cleanup_policy="manual", metadata={"k": [1, 2]}, owned_by_user=True)
        found = client.list("size=3MiB")
        assert [info.id for info in found] == [kept.id]
        assert found[0].cleanup_policy == "manual" and found[0].state == "live"
        assert found[0].created_at.tzinfo is not None
        rehearsed = client.cleanup(dry_run=True, all_eligible=True)
        assert isinstance(rehearsed, snakepit_shm.CleanupResult)
        assert client.info(kept.id).size == 3 << 20  # held: nothing took it
        kept.deallocate()
        fails(lambda: client.info(kept.id), "region_not_found")


def a_second_map_needs_no_round_trip():
    with Client() as client, client.allocate(4096) as region:
        with client.map(region.id):
            pass
        before = client.round_trips
        for _ in range(1000):
            with client.map(region.id):
                pass
        assert client.round_trips == before
        region.deallocate()


def locks_exclude_writers_and_share_readers():
    with Client() as one, Client() as other, one.allocate(4096) as region:
        with region.lock() as lock:
            assert lock.held and not lock.inconsistent and not lock.suspect
            assert fails(lambda: other.lock(region.id, timeout=0), "timeout").type == "timeout"
            # This thread would wait for itself.
            assert fails(lambda: other.lock(region.id, write=False, timeout=0.05), "deadlock")
            assert fails(lambda: other.lock(region.id, False, 0.05, snakepit_shm.FIRST_OWNER), "timeout")
            with region.lock(write=False):  # deeper in the same thread
                pass
        assert not lock.held
        dead = region.lock()
        dead.abandon()
        dead.release()
        assert not dead.held
        with other.lock(region.id) as lock:
            assert lock.inconsistent
        with region.lock(write=False), other.lock(region.id, write=False, timeout=0):
            fails(lambda: other.lock(region.id, timeout=0), "timeout")
        fails(lambda: one.lock(region.id, timeout=-1), "invalid_argument")
        region.deallocate()


def owners_are_not_threads():
    ann, bob = snakepit_shm.FIRST_OWNER, (1 << 32) - 1
    with Client() as client, client.allocate(4096) as region:
        with region.lock(owner=ann), region.lock(owner=ann, timeout=0):
            assert fails(lambda: region.lock(owner=bob, timeout=0), "timeout")
            assert fails(lambda: region.lock(timeout=0), "timeout")
        with region.lock(owner=bob):
            pass
        for wrong in (1, snakepit_shm.FIRST_OWNER - 1, -1, 1 << 32):
            for timeout in (0, None):
                fails(lambda: region.lock(owner=wrong, timeout=timeout), "invalid_argument")


def waiting_for_a_lock_lets_other_threads_run():
    with Client() as client, client.allocate(4096) as region:
        first = region.lock()
        got = threading.Event()

        def wait():
            with region.lock(timeout=30):
                got.set()

        waiter = threading.Thread(target=wait)
        waiter.start()
        assert not got.wait(0.05)
        first.release()  # through the client the other thread waits with
        assert got.wait(30)
        waiter.join()
        region.deallocate()


def encrypted_regions_are_copies_until_they_are_flushed():
    with Client() as one, Client() as other, one.allocate(200_000, security_level="high") as region:
        assert region.info().security_level == "high"
        region.view[100_000:100_005] = b"hello"
        with other.map(region.id) as theirs:
            assert bytes(theirs.view[100_000:100_005]) == bytes(5)
            region.flush()
            theirs.refresh()
            assert bytes(theirs.view[100_000:100_005]) == b"hello"
        one.rotate_key(region.id)
        other.write(region.id, 100_000, b"J")
        assert one.read(region.id, 99_999, 7) == b"\0Jello\0"
        region.view[0] = 1
        region.close()  # flushes
        assert other.read(region.id, 0, 1) == b"\1"
        fails(region.flush, "not_held")
        fails(lambda: other.read(region.id, 199_999, 2), "invalid_argument")
        one.deallocate(region.id)


def names_are_taken_for_ids():
    with Client() as one, Client() as other, one.allocate(4096, name="python data") as region:
        assert region.info().name == "python data" and region.id.startswith("shm_")
        assert fails(lambda: other.allocate(1, name="python data"), "name_in_use").type == "allocation_failed"
        region.view[:5] = b"hello"
        with other.map("python data") as seen:
            assert seen.id == region.id and bytes(seen.view[:5]) == b"hello"
        assert other.resolve("python data") == region.id == other.resolve(region.id)
        assert other.resolve(f"{os.geteuid()}/python data") == region.id
        assert other.read("python data", 1, 3) == b"ell"
        assert [info.id for info in other.list("name:python")] == [region.id]
        with other.lock("python data", timeout=10):
            one.deallocate(region.id)
            with one.allocate(8192, name="python data") as second:
                assert other.map("python data").size == 8192
                second.deallocate()
        fails(lambda: other.map("python data"), "region_not_found")
        fails(lambda: other.allocate(1, name="a/b"), "invalid_argument")
        fails(lambda: other.allocate(1, name=""), "invalid_argument")


def open_is_one_step():
    with Client() as one, Client() as other:
        with one.open("opened", 4096, owner_end="keep", metadata={"a": 1}) as first:
            assert first.created and first.writable and first.id.startswith("shm_")
            first.view[0] = 7
            with other.open("opened", 4096, writable=False) as second:
                assert not second.created and second.id == first.id
                assert second.view.readonly and second.view[0] == 7
                assert second.info().reference_count == 2  # the two mappings alone
            refused = fails(lambda: other.open("opened", 8192), "name_in_use")
            assert "4096" in str(refused) and "8192" in str(refused), str(refused)
            refused = fails(lambda: other.open("opened", 4096, cleanup_policy="manual"), "name_in_use")
            assert "automatic" in str(refused) and "manual" in str(refused), str(refused)
            fails(lambda: other.open("opened", 0), "name_in_use")
            first.deallocate()
        fails(lambda: other.open("unopened", 0), "invalid_size")


def what_is_asked_for_is_read_back():
    with Client() as client:
        client.announce(worker="reader", session="morning")
        options = {
            "metadata": {"rows": 3}, "timeout_ms": 123_000, "security_level": "standard", "access_mode": "read_only",
            "cleanup_policy": "manual", "owner_end": "withdraw", "placement": "dedicated", "owner": "read_write",
            "group": "read_only", "other": "none", "exact_permissions": True, "audit_access": True, "name": "facts",
        }
        with client.allocate(5000, **options) as region:
            info = region.info()
            for option, value in options.items():
                if option != "exact_permissions":
                    assert getattr(info, option) == value, (option, getattr(info, option), value)
            assert (info.worker, info.session) == ("reader", "morning")
            assert info.owner_pid == os.getpid() and info.owner_process.startswith("python")
            assert info.holder_count == 1 and info.holder_pids == (os.getpid(),)
            assert not info.sealed and not info.durable and not info.inconsistent
            assert info.policy_in_effect and info.quarantined_until is None
            assert client.list("name=facts") == [info]
            client.deallocate(region.id)
        with client.allocate(4096, durable=True) as region:
            assert region.info().durable and region.info().name is None and region.info().metadata == {}
            region.seal()
            assert client.info(region.id).sealed
            fails(lambda: client.map(region.id, writable=True), "read_only")
            client.deallocate(region.id)
    assert snakepit_shm.__version__.count(".") == 2


def signals_wake_threads_and_selectors():
    with Client() as one, Client() as other, one.allocate(4096) as region:
        assert region.counter == 0 and region.wait(0, 0) == 0 and region.wait(0, 0.15) == 0
        timer = threading.Timer(0.25, lambda: other.notify(region.id))
        timer.start()
        assert region.wait(0, 30) == 1
        timer.join()
        ticket = one.wait_begin(region.id, 1)
        locked = other.lock(region.id)
        asked = one.lock_begin(region.id, 1 << 22)
        with selectors.DefaultSelector() as selector:
            selector.register(one, selectors.EVENT_READ)

            def next_event():
                while True:
                    assert selector.select(30)
                    for event in one.events():
                        return event

            other.notify(region.id)
            event = next_event()
            assert (event.kind, event.ticket, event.counter, event.code) == ("signal", ticket, 2, "ok")
            assert event.region_id == region.id and event.lock is None
            locked.release()
            event = next_event()
            assert (event.kind, event.ticket) == ("lock", asked) and event.lock.held
            fails(lambda: other.lock(region.id, timeout=0), "timeout")
            event.lock.release()
            other.lock(region.id, timeout=30).release()
        assert one.next_event() is None
        ticket = one.wait_begin(region.id, 2)
        one.cancel(ticket)
        fails(lambda: one.cancel(ticket), "not_held")
        with Client() as third:
            fails(lambda: third.map_cached(region.id), "not_cached")
            third.map(region.id).close()
            third.map_cached(region.id).close()
        gone = region.id
        region.deallocate()
        fails(lambda: other.wait(gone, 2, 5), "region_not_found")


def an_asyncio_program_waits_for_signals():
    async def run(client, region):
        loop, arrived = asyncio.get_running_loop(), asyncio.Queue()
        loop.add_reader(client.fileno(), lambda: [arrived.put_nowait(event) for event in client.events()])
        for i in range(20):
            client.wait_begin(region.id, i)
            loop.call_later(0.01, region.notify)
            assert (await asyncio.wait_for(arrived.get(), 30)).counter == i + 1
        loop.remove_reader(client.fileno())

    with Client() as client, client.allocate(4096) as region:
        asyncio.run(run(client, region))


globals()[sys.argv[1]]()
