# SPDX-License-Identifier: MIT
"""Client, Region and Lock: the Python part. What has to be fast or safe is in the extension."""
import contextlib
import math
import operator
import os
import threading
import time

from . import _native, _values
from ._arrays import ArrayMethods, array_metadata
from ._events import Event, EventMethods, event_of
from ._values import Error

_SLICE = 0.1  # seconds that a thread waits before it checks for signals


class Client(EventMethods, _native.Client):
    """A connection to the manager of `instance` (None: $SNAKEPIT_SHM_INSTANCE, else 'default').
    It reconnects automatically to a manager that was restarted. This call, and each later one without
    a timeout of its own, waits for the manager for at most `wait_for_manager` seconds."""

    def __init__(self, instance=None, wait_for_manager=10.0):
        self.instance = _values.text(instance, "the instance")
        self._connect(instance, _values.milliseconds(wait_for_manager, "wait_for_manager"))

    def __reduce__(self):
        raise TypeError("a Client cannot be pickled: create one in each process")

    def allocate(self, size=None, *, dtype=None, shape=None, **options):
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
        made, raw = [None], _values.options(**options)
        size = _values.bytes_of(size)
        try:
            self._allocate(size, raw, made)
            return self.map(made[0], raw[2] == 1)
        except BaseException:  # no other process knows its id, so none could free it
            if made[0]:
                with contextlib.suppress(Error):
                    self.deallocate(made[0])
            raise

    def open(self, name, size, *, writable=True, **options):
        """Maps the region of this name, or allocates it if there is none, in one step; options as for
        allocate(). `Region.created` says which. 'name_in_use': it has another size or other options."""
        return self._open(_values.text(name), _values.bytes_of(size), _values.options(**options), writable)

    def info(self, region_id):
        """The RegionInfo of a region."""
        return _values.region_info(self._info(region_id))

    def list(self, filter=None):
        """RegionInfos, newest last; `filter` as in `snakepit-shm list` ('size>1MiB state:orphan')."""
        return [_values.region_info(values) for values in self._list(filter)]

    def read(self, region_id, offset, size):
        """A copy of part of a region (bytes)."""
        return self._read(region_id, operator.index(offset), operator.index(size))

    def write(self, region_id, offset, data):
        """Copies `data` into the region at `offset` (bytes), all of it or nothing."""
        self._write(region_id, operator.index(offset), data)

    def cleanup(self, *, dry_run=False, orphans=False, expired=False, all_eligible=False,
                no_quarantine=False, session=None, worker=None):
        """Removes regions that no process holds: those that are due, or those that the flags select."""
        return _values.CleanupResult._make(
            self._cleanup(dry_run, orphans, expired, all_eligible, no_quarantine, _values.text(session),
                          _values.text(worker)))

    def lock(self, region_id, write=True, timeout=None, owner=0):
        """Locks the region, exclusively or (write=False) shared with other readers. Waits at most
        `timeout` seconds (None: no limit, 0: not at all). The lock belongs to `owner`: 0 is the calling
        thread, other numbers are at least FIRST_OWNER. Errors: 'timeout', 'deadlock', 'no_manager'."""
        return Lock(self, region_id, write, timeout, owner)

    def announce(self, worker=None, pool=None, session=None):
        """Names this process in lists, events and the monitor."""
        self._announce(_values.text(worker), _values.text(pool), _values.text(session))

    def close(self):
        """Ends the calls of other threads, releases every reference and disconnects. Raises BufferInUse,
        and does nothing, while an array or memoryview uses one of this client's regions. If changes of
        an encrypted region cannot be written, that error is raised after everything is closed. May be
        called more than once."""
        self._close(True)

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        """As close(), but arrays and memoryviews keep their region mapped until they end, and the
        block's own exception is never replaced."""
        try:
            self._close(False)
        except Error:
            if kind is None:
                raise

    def next_event(self):
        """The next Event; None if nothing was decided."""
        cell = [None]
        self._next_event(cell)
        return event_of(cell[0], lambda *granted: Lock._granted(self, *granted))


class Lock:
    """One level of a lock, held from its creation until release(), the end of its `with` block or its
    deletion, on any thread. `inconsistent`: the last writer died while it held the lock, so the region
    may be half written; releasing a write lock clears that.

    Locks are advisory: they bind the programs that use them and protect no memory."""

    def __init__(self, client, region_id, write=True, timeout=None, owner=0):
        self.id = region_id
        # The extension writes the token when the lock is granted: so whatever a signal handler raises
        # afterwards, the lock is known and released.
        self._token = [0]
        self._client = client
        milliseconds = _values.milliseconds(timeout, "the timeout")
        owner = _values.owner_number(owner)
        if milliseconds <= _SLICE * 1000:
            client._lock(region_id, write, milliseconds, owner, self._token)
        else:
            self._wait(write, timeout, owner)

    @classmethod
    def _granted(cls, client, region_id, token):
        lock = cls.__new__(cls)
        lock.id, lock._client, lock._token = region_id, client, [token]
        return lock

    def _wait(self, write, timeout, owner):
        """In slices, because Python runs signal handlers only between calls; the ticket keeps the place in
        the queue."""
        client, ticket = self._client, [0]
        end = None if timeout is None else time.monotonic() + timeout
        try:
            client._lock_begin(self.id, write, owner, ticket)
            while not self._token[0]:
                left = _SLICE if end is None else min(_SLICE, max(0, end - time.monotonic()))
                client._lock_wait(ticket[0], math.ceil(left * 1000), self._token)
                if not self._token[0] and end is not None and time.monotonic() >= end:
                    client._cancel(ticket[0])  # no_manager, if none answers
                    raise Error(_values.TIMEOUT, f"the lock on {self.id} was not granted within {timeout} s: "
                                                 f"'snakepit-shm locks {self.id}' shows its holders")
        except BaseException:
            if ticket[0] and not self._token[0]:
                with contextlib.suppress(Error):
                    client._cancel(ticket[0])  # if it is still to be
            raise

    def __reduce__(self):
        raise TypeError("a Lock cannot be pickled: pass the region's id and lock it there")

    @property
    def inconsistent(self):
        """Whether the last writer died in its lock."""
        return bool(self._token[0] & _values.INCONSISTENT)

    @property
    def suspect(self):
        """Former name of `inconsistent`, for one release."""
        return self.inconsistent

    @property
    def held(self):
        """False after release()."""
        return self._client is not None

    def release(self):
        """Releases the lock. If no manager responds it raises no_manager, and the next manager that the
        client reaches is notified of the release. May be called more than once."""
        client, self._client = self._client, None
        if client is not None and self._token[0]:
            client._unlock(self.id, self._token[0])

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        try:
            self.release()
        except Error:
            if kind is None:  # else the exception that ends the block goes on its way
                raise

    def __del__(self):
        try:
            self.release()
        except Exception:
            pass  # no caller can handle it; the lock ends with the client at the latest


class Region(ArrayMethods, _native.Region):
    """One reference to a region, mapped into this process.

    `view` is a memoryview of the memory itself, a new one each time: numpy.frombuffer(region.view) and
    numpy.asarray(region) copy nothing. They are read-only if the region was mapped read-only. The memory
    stays mapped, and the reference held, while a view, an array or a tensor of it exists: until then
    close() raises BufferInUse, and deleting the Region unmaps nothing.

    A region is pickled by reference: the process that unpickles it maps the same memory. The sender must
    hold the region until then."""

    def __reduce__(self):
        return _mapped_here, (self._client.instance, self.id, self.writable)

    def seal(self):
        """close(), and makes the region immutable as soon as no process holds it."""
        self.close()
        self._client.seal(self.id)

    def deallocate(self):
        """close(), and withdraws the region: no process can find it any more."""
        self.close()
        self._client.deallocate(self.id)

    def lock(self, write=True, timeout=None, owner=0):
        """As Client.lock: `with region.lock(): …`."""
        return Lock(self._client, self.id, write, timeout, owner)

    async def lock_async(self, write=True, timeout=None):
        """As lock(), for the current asyncio task: other tasks run meanwhile."""
        return await self._client.lock_async(self.id, write, timeout)

    def info(self):
        """The RegionInfo of this region."""
        return self._client.info(self.id)

    def notify(self):
        """As Client.notify: wakes all who wait for this region."""
        self._client.notify(self.id)

    def wait(self, since, timeout=None):
        """As Client.wait: the counter, once it is not `since`."""
        return self._client.wait(self.id, since, timeout)

    def changes(self, since=None):
        """As Client.changes: `async for counter in region.changes(): …`."""
        return self._client.changes(self.id, since)

    @property
    def counter(self):
        """The counter that notify() adds to."""
        return self._client.counter(self.id)

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        """As close(), but arrays and memoryviews keep the region mapped until they end, and the block's
        own exception is never replaced."""
        try:
            self._detach()
        except Error:
            if kind is None:
                raise


# --- unpickled regions ----------------------------------------------------------------------------

_lock = threading.Lock()
_clients = {}  # of this process, by instance, for regions that were unpickled here


def process_client(instance=None):
    """A Client of this process that is connected at first use and lives until its end."""
    with _lock:
        client, pid = _clients.get(instance, (None, 0))
        if client is None or client.closed or pid != os.getpid():
            client = Client(instance)
            _clients[instance] = client, os.getpid()
        return client


os.register_at_fork(after_in_child=lambda: globals().update(_lock=threading.Lock()))


def _mapped_here(instance, region_id, writable):
    return process_client(instance).map(region_id, writable)


_native.use_classes(Error, _values.BufferInUse, Region)
