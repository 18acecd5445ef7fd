# SPDX-License-Identifier: MIT
"""Waiting: signals of regions, events of a client, asyncio."""
from __future__ import annotations

import asyncio
import collections
import collections.abc
import contextlib
import itertools
import math
import os
import threading
import time
import typing
import weakref

from . import _native, _values
from ._lock import SLICE, Lock, not_granted
from ._values import Error



class Event(typing.NamedTuple):
    """The end of a request of Client.lock_begin() or of a wait of Client.wait_begin()."""

    kind: str          # 'lock' or 'signal'
    ticket: int        # as it was returned; used up
    region_id: str
    code: str          # 'ok', or why it ended
    lock: Lock | None  # the Lock that was granted, or None
    counter: int       # of a signal
    status: int        # the number of `code`
    message: str       # cause and remedy, when it did not end well

_NEVER = 2**64 - 1  # no counter is that: a wait for another one ends at once


class EventMethods(_native.Client):
    """The part of Client that waits."""

    _patience = 10_000  # milliseconds that a call waits for the manager

    def wait(self, region_id: str, since: int, timeout: float | None = None) -> int:
        """Waits until the region's counter is not `since`, at most `timeout` seconds (None: no limit).
        Returns the counter; it is `since` when the time was up. Holds no reference: code
        'region_not_found' when the region ends meanwhile."""
        milliseconds = _values.milliseconds(timeout, "the timeout")
        since = _values.number(since, "the counter")
        end = None if timeout is None else time.monotonic() + timeout
        # The first use of a region asks the manager, which may need longer than a slice.
        _, counter = self._wait(region_id, _NEVER, min(self._patience, milliseconds))
        while counter == since and (end is None or time.monotonic() < end):
            # In slices, because Python runs signal handlers only between calls.
            left = SLICE if end is None else min(SLICE, max(0, end - time.monotonic()))
            _, counter = self._wait(region_id, since, math.ceil(left * 1000))
        return counter

    def counter(self, region_id: str) -> int:
        """The region's counter, to be passed to wait()."""
        return self._wait(region_id, _NEVER, self._patience)[1]

    def lock_begin(self, region_id: str, owner: int, write: bool = True) -> int:
        """Requests a lock without waiting: an event tells when it was granted. `owner` is a number of at
        least FIRST_OWNER that identifies who gets it. Returns a ticket."""
        ticket = [0]
        self._lock_begin(region_id, write, _values.owner_number(owner), ticket)
        return ticket[0]

    def wait_begin(self, region_id: str, since: int) -> int:
        """Waits as wait(), but returns a ticket at once: an event tells the end."""
        return self._wait_begin(region_id, _values.number(since, "the counter"))

    def cancel(self, ticket: int) -> None:
        """Ends a request of lock_begin() or a wait of wait_begin(): no event will tell of it."""
        self._cancel(_values.number(ticket, "the ticket"))

    def next_event(self) -> Event | None:
        """The next Event; None if nothing was decided."""
        cell: list[typing.Any] = [None]
        self._next_event(cell)
        if cell[0] is None:
            return None
        kind, status, ticket, token, counter, region_id, message = cell[0]
        return Event("lock" if kind == 1 else "signal", ticket, region_id, _native.status_name(status),
                     Lock._granted(self, region_id, token) if token else None, counter, status, message)

    def _end_waits(self) -> None:
        with _guard:
            waiting = _waitings.pop(self, None)
        if waiting is not None:
            waiting.end()

    def events(self) -> collections.abc.Iterator[Event]:
        """All Events that there are now."""
        while (event := self.next_event()) is not None:
            yield event

    async def lock_async(self, region_id: str, write: bool = True, timeout: float | None = None) -> Lock:
        """As lock(), for the current asyncio task: other tasks run meanwhile."""
        _values.milliseconds(timeout, "the timeout")
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("lock_async() needs an asyncio task: the lock belongs to it")
        if timeout == 0:
            return Lock(self, region_id, write, timeout, _owner_of(task))
        ticket = self.lock_begin(region_id, _owner_of(task), write)
        try:
            async with asyncio.timeout(timeout):
                lock = (await _waiting(self).end_of(self, ticket)).lock
        except TimeoutError:
            raise not_granted(region_id, timeout) from None
        return typing.cast(Lock, lock)

    async def wait_async(self, region_id: str, since: int) -> int:
        """As wait(), for asyncio: other tasks run meanwhile."""
        return (await _waiting(self).end_of(self, self.wait_begin(region_id, since))).counter

    async def changes(self, region_id: str, since: int | None = None) -> collections.abc.AsyncIterator[int]:
        """`async for counter in client.changes(region_id): …` runs once for each change of the region's
        counter, or once for several if they come faster."""
        counter = self.counter(region_id) if since is None else since
        while True:
            counter = await self.wait_async(region_id, counter)
            yield counter


# --- asyncio --------------------------------------------------------------------------------------

_guard = threading.Lock()
os.register_at_fork(after_in_child=lambda: globals().update(_guard=threading.Lock()))
_numbers = itertools.cycle(range(_values.FIRST_OWNER, 1 << 32))
_owners: weakref.WeakKeyDictionary[asyncio.Task[typing.Any], int] = weakref.WeakKeyDictionary()  # of their locks
_waitings: weakref.WeakKeyDictionary[EventMethods, _Waiting] = weakref.WeakKeyDictionary()


def _owner_of(task: asyncio.Task[typing.Any]) -> int:
    with _guard:
        if task not in _owners:
            _owners[task] = next(_numbers)
        return _owners[task]


def _waiting(client: EventMethods) -> _Waiting:
    with _guard:
        if client not in _waitings:
            _waitings[client] = _Waiting(client)
        return _waitings[client]


class _Waiting:
    """Futures by ticket. Loops read the client's descriptor while they have some; any of them takes events
    for all."""

    def __init__(self, client: EventMethods) -> None:
        self._client = weakref.ref(client)
        self._futures: dict[int, asyncio.Future[Event]] = {}  # by ticket
        self._early: dict[int, Event] = {}                    # that came before their future
        self._readers: collections.Counter[asyncio.AbstractEventLoop] = collections.Counter()  # futures of each
        self._descriptor = client.fileno()
        self._guard = threading.Lock()

    async def end_of(self, client: EventMethods, ticket: int) -> Event:
        """The Event of the ticket; raises Error if it did not end well. Cancelling this cancels the ticket.
        Keeps the client, so that its descriptor is not another file's while a loop reads it."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Event] = loop.create_future()
        with self._guard:
            event = self._early.pop(ticket, None)
            if event is None:
                self._futures[ticket] = future
            self._readers[loop] += 1
            first = self._readers[loop] == 1
        if first:
            loop.add_reader(self._descriptor, self._take)
        try:
            event = event or await future
        except BaseException:
            with self._guard:
                self._futures.pop(ticket, None)
                early = self._early.pop(ticket, None)
            if early is None and future.done() and not future.cancelled() and future.exception() is None:
                early = future.result()
            if early is not None and early.lock is not None:
                early.lock.release()
            elif early is None:
                with contextlib.suppress(Error):
                    client.cancel(ticket)
            raise
        finally:
            with self._guard:
                self._readers[loop] -= 1
                last = self._readers[loop] == 0  # below after end()
                if last:
                    del self._readers[loop]
            if last:
                loop.remove_reader(self._descriptor)
        if event.status != 0:
            raise Error(event.status, event.message)
        return event

    def _take(self) -> None:
        client = self._client()
        try:
            while client is not None and (event := client.next_event()) is not None:
                self._tell(event)
        except Error as problem:
            self._fail(problem)

    def end(self) -> None:
        """The client was closed, and its descriptor with it: no loop may read that number any more."""
        with self._guard:
            loops, self._readers = list(self._readers), collections.Counter()
        for loop in loops:
            if loop is asyncio._get_running_loop():
                loop.remove_reader(self._descriptor)
            elif not loop.is_closed():
                loop.call_soon_threadsafe(loop.remove_reader, self._descriptor)
        self._fail(Error(_values.CLIENT_CLOSED, "this client was closed: connect again to continue"))

    def _tell(self, event: Event) -> None:
        with self._guard:
            future = self._futures.pop(event.ticket, None)
            if future is None:
                self._early[event.ticket] = event
                return
        future.get_loop().call_soon_threadsafe(_resolve, future, event)

    def _fail(self, problem: Error) -> None:
        with self._guard:
            futures = list(self._futures.values())
            self._futures.clear()
        for future in futures:
            if not future.get_loop().is_closed():
                future.get_loop().call_soon_threadsafe(_fail, future, problem)


def _resolve(future: asyncio.Future[Event], event: Event) -> None:
    if not future.done():
        future.set_result(event)
    elif event.lock is not None:  # the task was cancelled meanwhile
        event.lock.release()


def _fail(future: asyncio.Future[Event], problem: Error) -> None:
    if not future.done():
        future.set_exception(problem)
