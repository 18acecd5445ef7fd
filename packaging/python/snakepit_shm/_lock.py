# SPDX-License-Identifier: MIT
"""Locks of regions."""
from __future__ import annotations

import contextlib
import math
import time
import typing

from . import _native, _values
from ._values import Error

SLICE = 0.1  # seconds that a thread waits before it checks for signals


def not_granted(region_id: str, timeout: float | None) -> Error:
    """The Error of a lock that was not granted in time."""
    return Error(_values.TIMEOUT, f"the lock on {region_id} was not granted within {timeout} s: "
                                  f"'snakepit-shm locks {region_id}' shows its holders")


class Lock:
    """One level of a lock, held from its creation until release(), the end of its `with` block or its
    deletion, on any thread. `inconsistent`: the last writer died while it held the lock, so the region
    may be half written; releasing a write lock clears that.

    Locks are advisory: they bind the programs that use them and protect no memory."""

    def __init__(self, client: _native.Client, region_id: str, write: bool = True, timeout: float | None = None,
                 owner: int = 0) -> None:
        self.id = region_id
        # The extension writes the token when the lock is granted: so whatever a signal handler raises
        # afterwards, the lock is known and released.
        self._token = [0]
        self._client: _native.Client | None = client
        milliseconds = _values.milliseconds(timeout, "the timeout")
        owner = _values.owner_number(owner)
        if milliseconds <= SLICE * 1000:
            client._lock(region_id, write, milliseconds, owner, self._token)
            return
        try:
            client._lock(region_id, write, 0, owner, self._token)  # most locks are free
        except Error:
            pass  # what follows tells
        if not self._token[0]:
            self._wait(client, write, timeout, owner)

    @classmethod
    def _granted(cls, client: _native.Client, region_id: str, token: int) -> Lock:
        lock = cls.__new__(cls)
        lock.id, lock._client, lock._token = region_id, client, [token]
        return lock

    def _wait(self, client: _native.Client, write: bool, timeout: float | None, owner: int) -> None:
        """In slices, because Python runs signal handlers only between calls; the ticket keeps the place in
        the queue."""
        ticket = [0]
        end = None if timeout is None else time.monotonic() + timeout
        try:
            client._lock_begin(self.id, write, owner, ticket)
            while not self._token[0]:
                left = SLICE if end is None else min(SLICE, max(0, end - time.monotonic()))
                client._lock_wait(ticket[0], math.ceil(left * 1000), self._token)
                if not self._token[0] and end is not None and time.monotonic() >= end:
                    client._cancel(ticket[0])  # no_manager, if none answers
                    raise not_granted(self.id, timeout)
        except BaseException:
            if ticket[0] and not self._token[0]:
                with contextlib.suppress(Error):
                    client._cancel(ticket[0])  # if it is still to be
            raise

    def __reduce__(self) -> typing.NoReturn:
        raise TypeError("a Lock cannot be pickled: pass the region's id and lock it there")

    @property
    def inconsistent(self) -> bool:
        """Whether the last writer died in its lock."""
        return bool(self._token[0] & _values.INCONSISTENT)

    @property
    def suspect(self) -> bool:
        """Former name of `inconsistent`, for one release."""
        return self.inconsistent

    @property
    def held(self) -> bool:
        """False after release()."""
        return self._client is not None

    def release(self) -> None:
        """Releases the lock. If no manager responds it raises no_manager, and the next manager that the
        client reaches is notified of the release. May be called more than once."""
        client, self._client = self._client, None
        if client is not None and self._token[0]:
            client._unlock(self.id, self._token[0])

    def abandon(self) -> None:
        """Releases all levels of the lock, for an owner that has ended, such as a task that was cancelled in
        the middle of a change: if it wrote, the next lock of the region, in any program, is inconsistent."""
        client, self._client = self._client, None
        if client is not None and self._token[0]:
            client._abandon(self.id, self._token[0])

    def __enter__(self) -> Lock:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            self.release()
        except Error:
            if kind is None:  # else the exception that ends the block goes on its way
                raise

    def __del__(self) -> None:
        try:
            self.release()
        except Exception:
            pass  # no caller can handle it; the lock ends with the client at the latest
