# SPDX-License-Identifier: MIT
"""Client and Region: the Python part. What has to be fast or safe is in the extension."""
from __future__ import annotations

import builtins
import collections.abc
import contextlib
import os
import sys
import threading
import typing

from . import _native, _values
from ._arrays import ArrayMethods, array_metadata
from ._events import EventMethods
from ._lock import Lock
from ._values import Error, Shape

if typing.TYPE_CHECKING:
    import numpy.typing


class Client(EventMethods):
    """A connection to the manager of `instance` (None: $SNAKEPIT_SHM_INSTANCE, else 'default').
    It reconnects automatically to a manager that was restarted. This call, and each later one without
    a timeout of its own, waits for the manager for at most `wait_for_manager` seconds."""

    def __init__(self, instance: str | None = None, wait_for_manager: float | None = 10.0) -> None:
        self.instance = _values.text(instance, "the instance")
        self._patience = _values.milliseconds(wait_for_manager, "wait_for_manager")
        self._connect(instance, self._patience)

    def __reduce__(self) -> typing.NoReturn:
        raise TypeError("a Client cannot be pickled: create one in each process")

    def allocate(self, size: typing.SupportsIndex | None = None, *, dtype: numpy.typing.DTypeLike = None,
                 shape: Shape | None = None, **options: typing.Unpack[_values.Options]) -> Region:
        """Allocates a region of `size` bytes, all zero, and maps it writable (or as `access_mode` says).

        With `dtype` and `shape` the size is known, and every process gets the array by
        `client.map(region_id).array()`: they are kept in the metadata.

        Options: `name`: every method that takes an id takes it too; 'name_in_use' if another region of this
        user has it. `metadata`: a dict of at most 1,000 bytes as JSON. `timeout_ms` (-1): unused for that
        many milliseconds, it is freed; -1 is the manager's default, 0 never. `cleanup_policy`
        ('automatic'): 'automatic', 'reference_counted' or 'manual'. `owner_end` ('default'): what the end of
        this process means: 'keep', 'grace' or 'withdraw'. `owned_by_user`: the region outlives this
        process; `durable`: also a reboot. `access_mode` ('read_write'). `placement` ('automatic'): 'pooled' or
        'dedicated'. `security_level`: 'standard', 'high', 'maximum'; None is the configured default.
        `owner`, `group`, `other` ('read_write', 'none', 'none'): permissions; as they are with
        `exact_permissions`, else these defaults stand for the configured ones. `audit_access`: each
        access is recorded, or refused."""
        if dtype is not None:
            needed, described = array_metadata(dtype, shape)
            size = needed if size is None else size
            options["metadata"] = {**(options.get("metadata") or {}), **described}
        made: list[str | None] = [None]
        raw = _values.options(**options)
        try:
            self._allocate(_values.bytes_of(size), raw, made)
            return self.map(str(made[0]), raw[2] == 1)
        except BaseException:  # no other process knows its id, so none could free it
            if made[0]:
                with contextlib.suppress(Error):
                    self.deallocate(made[0])
            raise

    def open(self, name: str, size: typing.SupportsIndex, *, writable: bool = True,
             **options: typing.Unpack[_values.OpenOptions]) -> Region:
        """Maps the region of this name, or allocates it if there is none, in one step; options as for
        allocate(). `Region.created` says which. 'name_in_use': it has another size or other options."""
        return self._open(_values.text(name), _values.bytes_of(size), _values.options(**options), writable)

    def info(self, region_id: str) -> _values.RegionInfo:
        """The RegionInfo of a region."""
        return _values.region_info(self._info(region_id))

    def list(self, filter: str | None = None) -> builtins.list[_values.RegionInfo]:
        """RegionInfos, newest last; `filter` as in `snakepit-shm list` ('size>1MiB state:orphan')."""
        return [_values.region_info(values) for values in self._list(filter)]

    def read(self, region_id: str, offset: typing.SupportsIndex, size: typing.SupportsIndex) -> bytes:
        """A copy of part of a region (bytes)."""
        return self._read(region_id, _values.number(offset, "the offset"), _values.number(size, "the size", sys.maxsize))

    def write(self, region_id: str, offset: typing.SupportsIndex, data: typing.Any) -> None:
        """Copies `data` into the region at `offset` (bytes), all of it or nothing."""
        self._write(region_id, _values.number(offset, "the offset"), data)

    def cleanup(self, *, dry_run: bool = False, orphans: bool = False, expired: bool = False, all_eligible: bool = False,
                no_quarantine: bool = False, session: str | None = None,
                worker: str | None = None) -> _values.CleanupResult:
        """Removes regions that no process holds: those that are due, or those that the flags select."""
        return _values.CleanupResult._make(
            self._cleanup(dry_run, orphans, expired, all_eligible, no_quarantine, _values.text(session),
                          _values.text(worker)))

    def lock(self, region_id: str, write: bool = True, timeout: float | None = None, owner: int = 0) -> Lock:
        """Locks the region, exclusively or (write=False) shared with other readers. Waits at most
        `timeout` seconds (None: no limit, 0: not at all). The lock belongs to `owner`: 0 is the calling
        thread, other numbers are at least FIRST_OWNER. Errors: 'timeout', 'deadlock', 'no_manager'."""
        return Lock(self, region_id, write, timeout, owner)

    def announce(self, worker: str | None = None, pool: str | None = None, session: str | None = None) -> None:
        """Names this process in lists, events and the monitor."""
        self._announce(_values.text(worker), _values.text(pool), _values.text(session))

    def close(self) -> None:
        """Ends the calls of other threads, releases every reference and disconnects. Raises BufferInUse,
        and does nothing, while an array or memoryview uses one of this client's regions. If changes of
        an encrypted region cannot be written, that error is raised after everything is closed. May be
        called more than once."""
        self._shut(True)

    def _shut(self, only_if_unused: bool) -> None:
        try:
            self._close(only_if_unused)
        finally:
            if self.closed:
                self._end_waits()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """As close(), but arrays and memoryviews keep their region mapped until they end, and the
        block's own exception is never replaced."""
        try:
            self._shut(False)
        except Error:
            if kind is None:
                raise


class Region(ArrayMethods, _native.Region):
    """One reference to a region, mapped into this process.

    `view` is a memoryview of the memory itself, a new one each time: numpy.frombuffer(region.view) and
    numpy.asarray(region) copy nothing. They are read-only if the region was mapped read-only. The memory
    stays mapped, and the reference held, while a view, an array or a tensor of it exists: until then
    close() raises BufferInUse, and deleting the Region unmaps nothing.

    A region is pickled by reference: the process that unpickles it maps the same memory. The sender must
    hold the region until then."""

    def __reduce__(self) -> tuple[typing.Any, ...]:
        return _mapped_here, (self._client.instance, self.id, self.writable)

    def seal(self) -> None:
        """close(), and makes the region immutable as soon as no process holds it."""
        self.close()
        self._client.seal(self.id)

    def deallocate(self) -> None:
        """close(), and withdraws the region: no process can find it any more."""
        self.close()
        self._client.deallocate(self.id)

    def lock(self, write: bool = True, timeout: float | None = None, owner: int = 0) -> Lock:
        """As Client.lock: `with region.lock(): …`."""
        return Lock(self._client, self.id, write, timeout, owner)

    async def lock_async(self, write: bool = True, timeout: float | None = None) -> Lock:
        """As lock(), for the current asyncio task: other tasks run meanwhile."""
        return await self._client.lock_async(self.id, write, timeout)

    def info(self) -> _values.RegionInfo:
        """The RegionInfo of this region."""
        return self._client.info(self.id)

    def notify(self) -> None:
        """As Client.notify: wakes all who wait for this region."""
        self._client.notify(self.id)

    def wait(self, since: int, timeout: float | None = None) -> int:
        """As Client.wait: the counter, once it is not `since`."""
        return self._client.wait(self.id, since, timeout)

    def changes(self, since: int | None = None) -> collections.abc.AsyncIterator[int]:
        """As Client.changes: `async for counter in region.changes(): …`."""
        return self._client.changes(self.id, since)

    @property
    def counter(self) -> int:
        """The counter that notify() adds to."""
        return self._client.counter(self.id)

    def __enter__(self) -> Region:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """As close(), but arrays and memoryviews keep the region mapped until they end, and the block's
        own exception is never replaced."""
        try:
            self._detach()
        except Error:
            if kind is None:
                raise


# --- unpickled regions ----------------------------------------------------------------------------

_lock = threading.Lock()
_clients: dict[str | None, tuple[Client, int]] = {}  # of this process, by instance, for regions that were unpickled here


def process_client(instance: str | None = None) -> Client:
    """A Client of this process that is connected at first use and lives until its end."""
    with _lock:
        found = _clients.get(instance)
        if found is None or found[0].closed or found[1] != os.getpid():
            found = _clients[instance] = Client(instance), os.getpid()
        return found[0]


os.register_at_fork(after_in_child=lambda: globals().update(_lock=threading.Lock()))


def _mapped_here(instance: str | None, region_id: str, writable: bool) -> Region:
    return process_client(instance).map(region_id, writable)


_native.use_classes(Error, _values.BufferInUse, Region)
