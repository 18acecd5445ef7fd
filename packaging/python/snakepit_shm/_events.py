# SPDX-License-Identifier: MIT
"""Waiting: signals of regions, events of a client, asyncio."""
import asyncio
import contextlib
import itertools
import math
import threading
import time
import typing
import weakref

from . import _native, _values
from ._values import Error

_SLICE = 0.1  # seconds that a thread waits before it checks for signals


class Event(typing.NamedTuple):
    """The end of a request of Client.lock_begin() or of a wait of Client.wait_begin()."""

    kind: str          # 'lock' or 'signal'
    ticket: int        # as it was returned; used up
    region_id: str
    code: str          # 'ok', or why it ended
    lock: typing.Any   # the Lock that was granted, or None
    counter: int       # of a signal
    status: int        # the number of `code`
    message: str       # cause and remedy, when it did not end well


def event_of(values, granted):
    if values is None:
        return None
    kind, status, ticket, token, counter, region_id, message = values
    return Event("lock" if kind == 1 else "signal", ticket, region_id, _native.status_name(status),
                 granted(region_id, token) if token else None, counter, status, message)


class EventMethods:
    """The part of Client that waits."""

    def wait(self, region_id, since, timeout=None):
        """Waits until the region's counter is not `since`, at most `timeout` seconds (None: no limit).
        Returns the counter; it is `since` when the time was up. Holds no reference: code
        'region_not_found' when the region ends meanwhile."""
        _values.milliseconds(timeout, "the timeout")
        end = None if timeout is None else time.monotonic() + timeout
        while True:  # in slices, because Python runs signal handlers only between calls
            left = _SLICE if end is None else min(_SLICE, max(0, end - time.monotonic()))
            changed, counter = self._wait(region_id, since, math.ceil(left * 1000))
            if changed or (end is not None and time.monotonic() >= end):
                return counter

    def counter(self, region_id):
        """The region's counter, to be passed to wait()."""
        return self.wait(region_id, 2**64 - 1, 0)

    def lock_begin(self, region_id, owner, write=True):
        """Requests a lock without waiting: an event tells when it was granted. `owner` is a number of at
        least FIRST_OWNER that identifies who gets it. Returns a ticket."""
        ticket = [0]
        self._lock_begin(region_id, write, _values.owner_number(owner), ticket)
        return ticket[0]

    def wait_begin(self, region_id, since):
        """Waits as wait(), but returns a ticket at once: an event tells the end."""
        return self._wait_begin(region_id, since)

    def cancel(self, ticket):
        """Ends a request of lock_begin() or a wait of wait_begin(): no event will tell of it."""
        self._cancel(ticket)

    def events(self):
        """All Events that there are now."""
        while (event := self.next_event()) is not None:
            yield event

    async def lock_async(self, region_id, write=True, timeout=None):
        """As lock(), for the current asyncio task: other tasks run meanwhile."""
        ticket = self.lock_begin(region_id, _owner_of(asyncio.current_task()), write)
        try:
            return (await asyncio.wait_for(_waiting(self).end_of(ticket), timeout)).lock
        except asyncio.TimeoutError:
            raise Error(_values.TIMEOUT, f"the lock on {region_id} was not granted within {timeout} s: "
                                         f"'snakepit-shm locks {region_id}' shows its holders") from None

    async def wait_async(self, region_id, since):
        """As wait(), for asyncio: other tasks run meanwhile."""
        return (await _waiting(self).end_of(self.wait_begin(region_id, since))).counter

    async def changes(self, region_id, since=None):
        """`async for counter in client.changes(region_id): …` runs once for each change of the region's
        counter, or once for several if they come faster."""
        counter = self.counter(region_id) if since is None else since
        while True:
            counter = await self.wait_async(region_id, counter)
            yield counter


# --- asyncio --------------------------------------------------------------------------------------

_guard = threading.Lock()
_numbers = itertools.cycle(range(_values.FIRST_OWNER, 1 << 32))
_owners = weakref.WeakKeyDictionary()    # task -> owner of its locks
_waitings = weakref.WeakKeyDictionary()  # client -> _Waiting


def _owner_of(task):
    with _guard:
        if task not in _owners:
            _owners[task] = next(_numbers)
        return _owners[task]


def _waiting(client):
    with _guard:
        if client not in _waitings:
            _waitings[client] = _Waiting(client)
        return _waitings[client]


class _Waiting:
    """Futures by ticket. Any loop that has registered the descriptor takes events for all."""

    def __init__(self, client):
        self._client = weakref.ref(client)
        self._futures = {}  # by ticket
        self._early = {}    # events that came before their future
        self._loops = weakref.WeakSet()
        self._guard = threading.Lock()

    async def end_of(self, ticket):
        """The Event of the ticket; raises Error if it did not end well. Cancelling this cancels the ticket."""
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        with self._guard:
            event = self._early.pop(ticket, None)
            if event is None:
                self._futures[ticket] = future
            first = loop not in self._loops
            self._loops.add(loop)
        if first:
            loop.add_reader(self._client().fileno(), self._take, weakref.ref(loop))
        try:
            event = event or await future
        except BaseException:
            with self._guard:
                self._futures.pop(ticket, None)
                early = self._early.pop(ticket, None)
            if early is None and future.done() and not future.cancelled():
                early = future.result()
            if early is not None and early.lock is not None:
                early.lock.release()
            elif early is None and (client := self._client()) is not None:
                with contextlib.suppress(Error):
                    client.cancel(ticket)
            raise
        if event.status != 0:
            raise Error(event.status, event.message)
        return event

    def _take(self, loop):
        client = self._client()
        try:
            for event in client.events() if client is not None else ():
                self._tell(event)
        except Error as problem:
            self._end(problem)
            client = None
        if client is None or client.closed:
            self._end(Error(_values.CLIENT_CLOSED, "this client was closed: connect again to continue"))

    def _tell(self, event):
        with self._guard:
            future = self._futures.pop(event.ticket, None)
            if future is None:
                self._early[event.ticket] = event
                return
        future.get_loop().call_soon_threadsafe(_resolve, future, event, self)

    def _end(self, problem):
        with self._guard:
            futures = list(self._futures.values())
            self._futures.clear()
        for future in futures:
            future.get_loop().call_soon_threadsafe(
                lambda one=future: one.done() or one.set_exception(problem))


def _resolve(future, event, waiting):
    if not future.done():
        future.set_result(event)
    elif event.lock is not None:  # the task was cancelled meanwhile
        event.lock.release()
