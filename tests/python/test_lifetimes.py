# SPDX-License-Identifier: MIT
"""Views that outlive the region, the client and the manager, in every order."""
import contextlib
import gc
import itertools
import signal
import subprocess
import threading

import numpy
import pytest
import snakepit_shm

from capsules import ArrowConsumer, DlpackConsumer
from conftest import PATIENCE, until

VIEWS = {
    "memoryview": lambda region: region.view,
    "slice": lambda region: region.view[8:4000],
    "numpy": lambda region: numpy.asarray(region),
    "numpy.frombuffer": lambda region: numpy.frombuffer(region, "u1")[3:],
    "array": lambda region: region.array("i4"),
    "from_dlpack": numpy.from_dlpack,
    "DLPack": lambda region: DlpackConsumer(region.__dlpack__(max_version=(1, 0))),
    "Arrow": lambda region: ArrowConsumer(region.__arrow_c_array__()),
}


def use(view):
    """Touches the memory: it must be mapped."""
    if isinstance(view, (DlpackConsumer, ArrowConsumer)):
        return view.read(100)
    return bytes(view[:5])


ENDS = ["region", "client", "view"]


@pytest.mark.parametrize("name", VIEWS)
@pytest.mark.parametrize("order", itertools.permutations(ENDS))
def test_references_end_in_any_order(name, order, other):
    client = snakepit_shm.Client()
    things = {"client": client, "region": client.allocate(4096, owned_by_user=True, cleanup_policy="manual")}
    region_id = things["region"].id
    things["view"] = VIEWS[name](things["region"])
    del client
    for end in order:
        if "view" in things:
            use(things["view"])
        del things[end]
        gc.collect()
    until(lambda: other.info(region_id).reference_count == 0)
    other.deallocate(region_id)


@pytest.mark.parametrize("name", VIEWS)
def test_close_is_refused_while_it_exists(name, manager):
    client = snakepit_shm.Client()
    region = client.allocate(4096)
    view = VIEWS[name](region)
    for close in (region.close, client.close, region.seal, region.deallocate):
        with pytest.raises(BufferError) as told:
            close()
        assert told.value.code == "region_in_use" and region.id in str(told.value)
        assert not region.closed and not client.closed
        use(view)
    del view
    gc.collect()
    region.close()
    client.close()


@pytest.mark.parametrize("name", VIEWS)
def test_blocks_leave_views_mapped(name, manager):
    with snakepit_shm.Client() as client, client.allocate(4096) as region:
        view = VIEWS[name](region)
    assert region.closed and client.closed
    use(view)
    del region, client
    gc.collect()
    use(view)


@pytest.mark.parametrize("name", VIEWS)
def test_views_outlive_a_killed_manager(name, fresh_manager):
    client = snakepit_shm.Client(wait_for_manager=0)
    region = client.allocate(4096)
    view = VIEWS[name](region)
    fresh_manager.kill()
    use(view)
    del region
    use(view)
    with pytest.raises(snakepit_shm.Error) as told:
        client.allocate(8)
    assert told.value.code == "no_manager"
    del client
    gc.collect()
    use(view)
    del view
    gc.collect()
    fresh_manager.start()
    with snakepit_shm.Client() as again:
        again.allocate(4096).deallocate()


def test_the_manager_is_killed_and_started_while_everything_is_used(fresh_manager):
    client = snakepit_shm.Client()
    region = client.allocate(4096)
    views = [make(region) for make in VIEWS.values()]
    for _ in range(3):
        fresh_manager.kill()
        for view in views:
            use(view)
        fresh_manager.start()
        assert client.info(region.id).size == 4096
        with region.lock(timeout=PATIENCE):
            region.view[0] = 1
    del view
    views.clear()
    gc.collect()
    region.deallocate()
    client.close()


PROGRAM = '''
import numpy, signal
from capsules import ArrowConsumer, DlpackConsumer
c = s.Client(wait_for_manager=0); r = c.allocate(4096)
keep = [r.view, numpy.asarray(r), numpy.from_dlpack(r), r.__dlpack__(), DlpackConsumer(r.__dlpack__()),
        ArrowConsumer(r.__arrow_c_array__()), r.array("i4")]
print("ready", flush=True); sys.stdin.readline()
bytes(keep[0]); keep[1].sum(); keep[5].read(9)
'''


@pytest.mark.parametrize("how", ("del r", "del c", "del c, r", "r._detach()", "c.__exit__(None, None, None)", "sys.keep = keep",
                                 "keep.append(keep)", "keep.clear()"))
@pytest.mark.parametrize("killed", (False, True))
def test_the_interpreter_ends_with_all_views_held(how, killed, fresh_manager):
    import sys
    process = subprocess.Popen([sys.executable, "-c", "import sys\nimport snakepit_shm as s\n" + PROGRAM + how],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    if killed:
        fresh_manager.kill()
    _, said = process.communicate("go\n", timeout=PATIENCE)
    assert process.returncode == 0 and not said, said
    if killed:
        fresh_manager.start()


def test_blocks_never_hide_the_users_exception(manager):
    class Mine(Exception):
        pass

    def in_region(client):
        with client.allocate(8) as region:
            kept.append(region.view)
            raise Mine

    def in_closed_client(client):
        with snakepit_shm.Client() as inner, inner.allocate(8) as region, region.lock():
            inner.close() if not kept else inner.__exit__(None, None, None)
            raise Mine

    def in_lock_without_client(client):
        inner = snakepit_shm.Client()
        region = inner.allocate(8)
        with region.lock():
            inner.close()
            raise Mine

    def in_deallocated_region(client):
        with client.allocate(8) as region:
            client.deallocate(region.id)
            raise Mine

    kept = []
    with snakepit_shm.Client() as client:
        for block in (in_region, in_closed_client, in_lock_without_client, in_deallocated_region):
            with pytest.raises(Mine) as told:
                block(client)
            assert told.value.__context__ is None


def test_blocks_keep_the_exception_without_a_manager(fresh_manager):
    with pytest.raises(KeyError) as told:
        with snakepit_shm.Client(wait_for_manager=0) as client, client.allocate(8, security_level="high") as region:
            region.view[0] = 1
            with region.lock():
                fresh_manager.kill()
                raise KeyError
    assert told.value.__context__ is None


def test_threads_share_regions_while_one_closes_everything(other):
    for _ in range(10):
        client = snakepit_shm.Client()
        region = client.allocate(4096)
        started, problems = threading.Barrier(5), []

        def work(client=client, region=region, started=started, problems=problems):
            started.wait()
            try:
                for _ in range(100_000):
                    numpy.asarray(region)[0] += 1
                    client.map(region.id).close()
                    client.info(region.id)
                    with contextlib.suppress(BufferError):
                        region.close()
            except snakepit_shm.Error as problem:
                problems.append(problem.code)

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        started.wait()
        client.__exit__(None, None, None)
        for thread in threads:
            thread.join(PATIENCE)
            assert not thread.is_alive()
        assert len(problems) == 4 and set(problems) <= {"client_closed", "not_held"}, problems


def test_a_signal_handler_may_close_what_it_interrupts(manager):
    client = snakepit_shm.Client()
    region = client.allocate(64)
    held = snakepit_shm.Client().lock(region.id, owner=snakepit_shm.FIRST_OWNER)
    before = signal.signal(signal.SIGALRM, lambda *_: client.close())
    try:
        signal.setitimer(signal.ITIMER_REAL, .3)
        with pytest.raises(snakepit_shm.Error) as told:
            client.lock(region.id, timeout=PATIENCE)
        assert told.value.code == "client_closed"
    finally:
        signal.signal(signal.SIGALRM, before)
    held.release()
