# SPDX-License-Identifier: MIT
"""DLPack and Arrow: what consumers get, and what it holds."""
import ctypes
import gc
import threading

import numpy
import pytest

from capsules import ArrowConsumer, DlpackConsumer, capsule_name
from conftest import until


@pytest.fixture
def region(client):
    made = client.allocate(4096)
    made.view[:4] = b"data"
    return made


def references(client, region_id):
    return client.info(region_id).reference_count


def test_numpy_reads_and_the_memory_is_the_same(region):
    array = numpy.from_dlpack(region)
    assert array.dtype == numpy.uint8 and array.shape == (4096,)
    assert bytes(array[:4]) == b"data"
    region.view[0] = 7
    assert array[0] == 7
    with pytest.raises(BufferError):
        region.close()
    del array
    region.close()


def test_the_device_is_the_cpu(region):
    assert region.__dlpack_device__() == (1, 0)


def test_a_capsule_of_either_version_holds_the_region(region):
    for words, name in (({}, "dltensor"), ({"max_version": (0, 8)}, "dltensor"),
                        ({"max_version": (1, 0)}, "dltensor_versioned"), ({"max_version": (1, 3)}, "dltensor_versioned")):
        capsule = region.__dlpack__(**words)
        assert capsule_name(capsule) == name
        with pytest.raises(BufferError):
            region.close()
        del capsule  # unconsumed: it gives the region back itself
    region.close()


def test_a_consumer_sees_the_tensor_as_it_is(region, client):
    for version in (None, (1, 0)):
        consumer = DlpackConsumer(region.__dlpack__(max_version=version))
        assert (consumer.device, consumer.shape, consumer.strides, consumer.type) == ((1, 0), [4096], [1], (1, 8, 1))
        assert consumer.flags == 0 and consumer.version in (None, (1, 0))
        assert consumer.read(4) == b"data"
        consumer.write(b"DATA")
        assert bytes(region.view[:4]) == b"DATA"
        region.view[:4] = b"data"
        with pytest.raises(BufferError):
            region.close()
        consumer.end()
    region.close()


def test_read_only_is_told_or_refused(region, client):
    seen = client.map(region.id)
    with pytest.raises(BufferError, match="read-only"):
        seen.__dlpack__()
    with pytest.raises(BufferError, match="read-only"):
        seen.__dlpack__(max_version=(0, 9))
    consumer = DlpackConsumer(seen.__dlpack__(max_version=(1, 0)))
    assert consumer.flags == 1 and consumer.read(4) == b"data"
    consumer.end()
    seen.close()


def test_a_copy_is_its_consumers_own(region, client):
    seen = client.map(region.id)
    for version in (None, (1, 0)):
        consumer = DlpackConsumer(seen.__dlpack__(copy=True, max_version=version))
        seen.close()
        consumer.write(b"mine")
        assert consumer.flags == (2 if version else 0) and bytes(region.view[:4]) == b"data"
        consumer.end()
        seen = client.map(region.id)


def test_what_cannot_be_done_is_refused(region):
    for words in ({"stream": 1}, {"dl_device": (2, 0)}, {"dl_device": (1, 1)}):
        with pytest.raises(BufferError):
            region.__dlpack__(**words)
    for words in ({"max_version": 1}, {"max_version": "1.0"}, {"dl_device": (1,)}, {"nonsense": 1}):
        with pytest.raises(TypeError):
            region.__dlpack__(**words)
    assert region.__dlpack__(dl_device=(1, 0), copy=False, stream=None)
    with pytest.raises(TypeError):
        region.__dlpack__(None)


def test_closed_regions_export_nothing(region, client, fails):
    region.close()
    for export in (region.__dlpack__, region.__arrow_c_array__):
        with fails("not_held"):
            export()
    left = client.allocate(8)
    client.close()
    for export in (left.__dlpack__, left.__arrow_c_array__):
        with fails("client_closed"):
            export()


def test_an_arrow_consumer_sees_bytes(region, client):
    for source in (region, client.map(region.id)):
        consumer = ArrowConsumer(source.__arrow_c_array__())
        assert (consumer.format, consumer.length, consumer.null_count, consumer.flags) == (b"C", 4096, 0, 0)
        assert consumer.read(4) == b"data"
        with pytest.raises(BufferError):
            source.close()
        consumer.end()
        source.close()
        region = client.map(region.id)


def test_unconsumed_arrow_capsules_give_the_region_back(region):
    schema, array = region.__arrow_c_array__(requested_schema=None)
    del schema
    with pytest.raises(BufferError):
        region.close()
    del array
    region.close()


def test_every_kind_of_view_holds_the_region_by_itself(client, other):
    makers = [lambda r: r.view, numpy.asarray, lambda r: numpy.frombuffer(r, "u1"), numpy.from_dlpack,
              lambda r: DlpackConsumer(r.__dlpack__()), lambda r: DlpackConsumer(r.__dlpack__(max_version=(1, 0))),
              lambda r: ArrowConsumer(r.__arrow_c_array__()), lambda r: r.__dlpack__(), lambda r: r.__arrow_c_array__()]
    for make in makers:
        region = client.allocate(4096, owned_by_user=True, cleanup_policy="manual")
        region_id, held = region.id, references(other, region.id)
        view = make(region)
        del region
        gc.collect()
        assert references(other, region_id) == held
        if hasattr(view, "end"):
            view.end()
        del view
        gc.collect()
        assert references(other, region_id) == held - 1
        other.deallocate(region_id)


def test_consumers_end_on_threads_that_python_does_not_know(client, other):
    """ctypes releases the GIL around the call; the consumer's thread is one of the C library's."""
    libc = ctypes.CDLL(None, use_errno=True)
    for export in (lambda r: DlpackConsumer(r.__dlpack__()), lambda r: ArrowConsumer(r.__arrow_c_array__())):
        region = client.allocate(4096, owned_by_user=True, cleanup_policy="manual")
        region_id, held = region.id, references(other, region.id)
        consumer = export(region)
        del region
        thread = ctypes.c_ulong()
        function, argument = consumer.hand_over()
        assert libc.pthread_create(ctypes.byref(thread), None, function, argument) == 0
        assert libc.pthread_join(thread, None) == 0
        until(lambda region_id=region_id, left=held - 1: references(other, region_id) == left)
        other.deallocate(region_id)


def test_an_encrypted_region_is_written_back_by_its_last_consumer(client, other):
    """While another thread holds the lock and needs the GIL to release it: nobody may wait for both."""
    region = client.allocate(4096, security_level="high", owned_by_user=True, cleanup_policy="manual")
    region_id = region.id
    consumer = DlpackConsumer(region.__dlpack__())
    del region
    consumer.write(b"kept")
    lock = other.lock(region_id)
    consumer.end()  # does not wait for the lock
    lock.release()
    until(lambda: other.read(region_id, 0, 4) == b"kept")
    other.deallocate(region_id)


def test_many_threads_export_and_end(client):
    region = client.allocate(4096)

    def work():
        for turn in range(200):
            for consumer in (DlpackConsumer(region.__dlpack__(max_version=(1, 0))), ArrowConsumer(region.__arrow_c_array__())):
                assert len(consumer.read(8)) == 8
                if turn % 3:
                    consumer.end()
            assert numpy.from_dlpack(region)[5] == 0

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    gc.collect()
    region.close()


def test_torch_shares_the_memory_and_holds_it(client):
    torch = pytest.importorskip("torch")
    region = client.allocate(dtype="float32", shape=(4, 4))
    seen = client.map(region.id)
    for make in (region.tensor, lambda: torch.from_dlpack(region).view(torch.float32).view(4, 4),
                 lambda: torch.frombuffer(region, dtype=torch.float32).view(4, 4)):
        tensor = make()
        tensor[1, 2] += 5
        assert region.array()[1, 2] == tensor[1, 2] and tuple(tensor.shape) == (4, 4)
        part = tensor[1:]
        del tensor
        with pytest.raises(BufferError):
            region.close()
        part[0, 2] += 1
        del part
    assert region.array()[1, 2] == 18
    with pytest.raises(BufferError):
        torch.from_dlpack(seen)
    with pytest.raises(Exception, match="read-only"):
        seen.tensor()
    copy = seen.tensor(clone=True)
    copy[0, 0] = 9
    assert region.array()[0, 0] == 0
    seen.close()
    region.close()
