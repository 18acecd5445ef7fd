# SPDX-License-Identifier: MIT
"""Rings of frames: one producer, many consumers, a fixed number of slots."""
from __future__ import annotations

import asyncio
import math
import time
import typing

from . import _native, _values
from ._client import Client, Region, process_client
from ._events import _waiting
from ._lock import SLICE
from ._values import Error, Shape

if typing.TYPE_CHECKING:
    import numpy
    import numpy.typing

_CHECK = 0.25  # seconds after which a task asks whether the other side lives

RING_POLICIES = ("overwrite", "back_pressure")
ROLES = ("consumer", "producer")
_Found = typing.TypeVar("_Found")


class Frame(typing.NamedTuple):
    """A frame that was read: a copy of its bytes."""

    data: bytes
    number: int    # frames are counted from 0, over all producers
    lost: int      # frames just before it that this consumer lost
    producer: int  # which one wrote it: the ring's producers are counted from 1


class RingInfo(typing.NamedTuple):
    """A ring, as Ring.info() describes it. Sizes are bytes."""

    id: str
    slot_size: int
    slots: int
    max_consumers: int
    policy: str
    role: str
    published: int  # frames so far, over all producers
    position: int   # the number of the frame that this part writes or reads next
    behind: int     # frames that the slowest consumer has still to read
    consumers: int  # that have joined and were not dropped
    producers: int  # that there were so far
    closed: bool    # the last producer has closed the ring


class RingOptions(_values.OpenOptions, total=False):
    """Options of Ring.produce() and Ring.consume(), which describe them."""

    slot_size: typing.SupportsIndex
    slots: int
    max_consumers: int
    policy: typing.Literal["overwrite", "back_pressure"]


class _InPlace:
    """Part of a ring's memory, until it is published or released. An array of it keeps the memory mapped, but
    not the slot: do not use it afterwards."""

    def __init__(self, ring: Ring, offset: int, size: int, writable: bool) -> None:
        self._ring: Ring | None = ring
        view = ring._region.view[offset:offset + size]
        self.data = view if writable else view.toreadonly()

    def _end(self) -> Ring | None:
        """The ring, once; None afterwards. The memory is not in use any more, unless an array of it exists."""
        ring, self._ring = self._ring, None
        try:
            self.data.release()
        except BufferError:
            pass
        return ring

    def array(self, dtype: numpy.typing.DTypeLike = "uint8",
              shape: Shape | None = None) -> numpy.typing.NDArray[typing.Any]:
        """The memory as a numpy array; of one dimension without `shape`."""
        import numpy
        dtype = numpy.dtype(dtype)
        shape = (len(self.data) // dtype.itemsize,) if shape is None else shape
        return numpy.ndarray(shape, dtype, buffer=self.data)


class Slot(_InPlace):
    """The producer's next frame, to be written in place: `data` is a memoryview of the whole slot. The end
    of its `with` block publishes `size` bytes of it (all, unless it was set), or nothing after an exception."""

    def __init__(self, ring: Ring, offset: int, size: int) -> None:
        super().__init__(ring, offset, size, True)
        self.size = size

    def publish(self, size: int | None = None) -> None:
        """Publishes the frame. At most once; a slot that is not published is acquired again."""
        size = self.size if size is None else size
        ring = self._end()
        if ring is None:
            raise Error(_values.NOT_HELD, "the slot was published before: acquire the next one")
        ring._publish(size)

    def __enter__(self) -> Slot:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self._end()
        elif self._ring is not None:
            self.publish()


class FrameInPlace(_InPlace):
    """A frame in its slot: `data` is a read-only memoryview. The end of its `with` block, or release(), gives
    the slot back. In a ring that overwrites, ask `valid` after using the bytes."""

    def __init__(self, ring: Ring, offset: int, size: int, number: int, lost: int, producer: int) -> None:
        super().__init__(ring, offset, size, False)
        self.number, self.lost, self.producer = number, lost, producer

    @property
    def valid(self) -> bool:
        """Whether the frame was not overwritten until now."""
        return self._ring is not None and self._ring._valid()

    def release(self) -> None:
        """Gives the slot back and goes on to the next frame. May be called more than once."""
        ring = self._end()
        if ring is not None and not ring.closed:
            ring._release()

    def __enter__(self) -> FrameInPlace:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


class Ring(_native.Ring):
    """One part in a ring of frames: its producer, or one of its consumers. Ring.produce() and Ring.consume()
    create the ring or join it, Ring.open() takes part in one that exists.

    policy 'overwrite': the producer never waits, and a consumer that is too slow loses frames, which is
    counted. 'back_pressure': the producer waits for the slowest consumer that lives. A consumer reads what is
    published after it has joined. When the producer dies or closes the ring, a consumer reads what is left and
    is then told once, by an Error with the code 'producer_gone' or 'ring_closed'; another program may take
    over as the producer, and the next read waits for it.

    A Ring is used by one thread at a time."""

    id: str         # of the region
    slot_size: int  # bytes
    _client: Client
    _region: Region

    @classmethod
    def produce(cls, client: Client | None = None, name: str | None = None, *, timeout: float | None = 0,
                **options: typing.Unpack[RingOptions]) -> Ring:
        """As the producer. Waits at most `timeout` seconds (None: no limit) until there is no other one; code
        'timeout'. Options: `slot_size` (4096): bytes of the largest frame; `slots` (16); `max_consumers` (16);
        `policy` ('overwrite'); others are those of Client.allocate(), for the region."""
        return cls._made(client, name, _ring_options(**options), 1, timeout)

    @classmethod
    def consume(cls, client: Client | None = None, name: str | None = None, *, timeout: float | None = 0,
                **options: typing.Unpack[RingOptions]) -> Ring:
        """As a consumer; options as for produce(). Code 'reference_limit' if no place was free within
        `timeout` seconds."""
        return cls._made(client, name, _ring_options(**options), 0, timeout)

    @classmethod
    def open(cls, name: str, role: str = "consumer", client: Client | None = None, *,
             timeout: float | None = 0) -> Ring:
        """A ring that exists, by its id or name; `role` is 'consumer' or 'producer'."""
        return cls._made(client, name, None, _values._number(ROLES, role, "role"), timeout)

    @classmethod
    def _made(cls, client: Client | None, name: str | None, options: tuple[typing.Any, ...] | None, role: int,
              timeout: float | None) -> Ring:
        self = cls()
        self._client = client if client is not None else process_client()
        _values.milliseconds(timeout, "the timeout")
        end = None if timeout is None else time.monotonic() + timeout
        while True:  # in slices, because Python runs signal handlers only between calls
            left = _left(end)
            try:
                if self._open(self._client, name, options, role, math.ceil(min(left, SLICE) * 1000)):
                    break
            except Error as problem:
                if problem.status != _values.REFERENCE_LIMIT or left <= 0:
                    raise
            if left <= 0:
                raise Error(_values.TIMEOUT, f"another producer has the ring {name!r}: wait longer, or stop it")
        info = self.info()
        self.id, self.slot_size = info.id, info.slot_size
        self._region = self._client.map(info.id, writable=True)
        self._use_memory(self._region)
        return self

    def info(self) -> RingInfo:
        """The RingInfo. Asks no manager."""
        raw: typing.Any = RingInfo._make(self._info())
        info: RingInfo = raw._replace(policy=RING_POLICIES[raw.policy], role=ROLES[raw.role])
        return info

    def _until(self, timeout: float | None, call: typing.Callable[[int], _Found | None]) -> _Found | None:
        """What `call(milliseconds)` returns, called in slices; None when the time was up."""
        _values.milliseconds(timeout, "the timeout")
        found = call(0)
        if found is not None or timeout == 0:
            return found
        end = None if timeout is None else time.monotonic() + timeout
        while (left := _left(end)) > 0 and found is None:
            found = call(max(1, math.ceil(min(left, SLICE) * 1000)))
        return found

    # --- the producer

    def write(self, data: typing.Any, timeout: float | None = None) -> None:
        """Publishes a copy of `data` (a buffer). With back-pressure waits at most `timeout` seconds for a free
        slot; code 'timeout'."""
        if self._until(timeout, lambda milliseconds: self._push(data, milliseconds)) is None:
            raise Error(_values.TIMEOUT, _NO_ROOM)

    def acquire(self, timeout: float | None = None) -> Slot:
        """The next Slot, to be written in place: `with ring.acquire() as slot: slot.array('f4')[:] = 1`."""
        offset = self._until(timeout, self._acquire)
        if offset is None:
            raise Error(_values.TIMEOUT, _NO_ROOM)
        return Slot(self, offset, self.slot_size)

    async def write_async(self, data: typing.Any, timeout: float | None = None) -> None:
        """As write(), for asyncio: other tasks run meanwhile."""
        if await self._until_async(timeout, lambda: self._push(data, 0)) is None:
            raise Error(_values.TIMEOUT, _NO_ROOM)

    # --- a consumer

    def read(self, timeout: float | None = None) -> Frame | None:
        """The next Frame, a copy; None if there was none within `timeout` seconds (None: no limit, 0: no
        waiting)."""
        found = self._until(timeout, self._pop)
        return None if found is None else Frame._make(found)

    def peek(self, timeout: float | None = None) -> FrameInPlace | None:
        """The next frame in its slot, as a FrameInPlace: `with ring.peek() as frame: …`; None as for read()."""
        found = self._until(timeout, self._peek)
        return None if found is None else FrameInPlace(self, *found)

    async def read_async(self, timeout: float | None = None) -> Frame | None:
        """As read(), for asyncio: other tasks run meanwhile."""
        found = await self._until_async(timeout, lambda: self._pop(0))
        return None if found is None else Frame._make(found)

    def __iter__(self) -> typing.Iterator[Frame]:
        """Frames until the producer closes the ring. If it dies, 'producer_gone' is raised; iterate again to
        wait for the next one."""
        while True:
            try:
                frame = self.read()
            except Error as end:
                if end.status == _values.RING_CLOSED:
                    return
                raise
            if frame is not None:
                yield frame

    async def __aiter__(self) -> typing.AsyncIterator[Frame]:
        """As __iter__(): `async for frame in ring: …`."""
        while True:
            try:
                frame = await self.read_async()
            except Error as end:
                if end.status == _values.RING_CLOSED:
                    return
                raise
            if frame is not None:
                yield frame

    async def _until_async(self, timeout: float | None, call: typing.Callable[[], _Found | None]) -> _Found | None:
        _values.milliseconds(timeout, "the timeout")
        end = None if timeout is None else time.monotonic() + timeout
        while (found := call()) is None and (left := _left(end)) > 0:
            waits = asyncio.ensure_future(_waiting(self._client).end_of(self._client, self._wait_begin()))
            try:
                while not (await asyncio.wait({waits}, timeout=min(left, _CHECK)))[0]:
                    self.check()
                    if (left := _left(end)) <= 0:
                        return None
                waits.result()
            finally:
                waits.cancel()
        return found

    def close(self) -> None:
        """Leaves the ring; a producer closes it for its consumers. Raises BufferInUse while an array or a view
        uses a slot. May be called more than once."""
        if not self.closed:
            self._region.close()
            self._leave()

    def __enter__(self) -> Ring:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """As close(), but arrays and views keep the memory mapped until they end."""
        self._region.__exit__(kind)
        self._leave()

    def __reduce__(self) -> typing.NoReturn:
        raise TypeError("a Ring cannot be pickled: open it in each process by its id or name")


_NO_ROOM = "no consumer released a slot in time: write again, or use more slots"


def _left(end: float | None) -> float:
    return math.inf if end is None else max(0, end - time.monotonic())


def _ring_options(slot_size: typing.SupportsIndex = 4096, slots: int = 16, max_consumers: int = 16,
                  policy: str = "overwrite", **region: typing.Any) -> tuple[typing.Any, ...]:
    return (_values.bytes_of(slot_size), slots, max_consumers,
            _values._number(RING_POLICIES, policy, "policy"), _values.options(**region))
