# SPDX-License-Identifier: MIT
"""Share memory between processes without copying, through the Snakepit SHM manager of this host.

    import numpy, snakepit_shm

    with snakepit_shm.Client() as client:
        with client.allocate(8 * 1024) as region:
            numpy.frombuffer(region.view, numpy.float64)[:] = 1.0
            print(region.id)          # another process: client.map(id)

Uses libsnakepit_shm.so through ctypes. The library is searched in $SNAKEPIT_SHM_LIBRARY (a file), in
the build tree or the installed tree that contains this module, then in the system's library
directories. Needs the standard library only.

Threads may share a Client, and any of them may close it: running calls then end with code
'client_closed'. A forked child inherits regions that are mapped, with references of its own, so that their arrays
stay usable there (except in encrypted regions). Everything else of the parent's Client fails there
with code 'forked': the child makes its own Client.
"""
import contextlib
import ctypes
import ctypes.util
import datetime
import json
import math
import operator
import os
import pathlib
import threading
import time
import typing
import weakref

__all__ = ["BufferInUse", "CleanupResult", "Client", "Error", "Event", "FIRST_OWNER", "Lock", "Region", "RegionInfo"]

FIRST_OWNER = 1 << 22  # the lowest number of a lock's owner that is not a thread

_ID_SIZE = 64


class Error(Exception):
    """A failed call. `code` is precise ('size_exceeds_limit'), `type` is its class
    ('allocation_failed'), `status` is the number in the C interface; str() is a sentence with the
    cause and a remedy."""

    def __init__(self, status, message):
        super().__init__(message or _status_name(status))
        self.status = status
        self.code = _status_name(status)
        self.type = _lib.snakepit_shm_status_type(status).decode()


class BufferInUse(Error, BufferError):
    """close() while a memoryview or an array still uses the region's memory."""


_NOT_FOUND = 4
_IN_USE = 21  # region_in_use
_TIMEOUT = 10
_NOT_HELD = 12
_INVALID = 14
_INVALID_ID = 16
_FORKED = 25
_CLOSED = 36
_NO_EVENT = 51
_FOREVER = 2**32 - 1
_SLICE = 0.1  # seconds that a thread waits before it checks for signals
_INCONSISTENT = 1 << 63


class _Options(ctypes.Structure):
    _fields_ = [
        ("struct_size", ctypes.c_size_t),
        ("timeout_ms", ctypes.c_int64),
        ("security_level", ctypes.c_int),
        ("access_mode", ctypes.c_int),
        ("cleanup_policy", ctypes.c_int),
        ("placement", ctypes.c_int),
        ("owner", ctypes.c_int),
        ("group", ctypes.c_int),
        ("other", ctypes.c_int),
        ("metadata", ctypes.c_char_p),
        ("owned_by_user", ctypes.c_bool),
        ("durable", ctypes.c_bool),
        ("exact_permissions", ctypes.c_bool),
        ("name", ctypes.c_char_p),
        ("owner_end", ctypes.c_int),
        ("audit_access", ctypes.c_bool),
    ]


class _Mapping(ctypes.Structure):
    _fields_ = [("data", ctypes.c_void_p), ("size", ctypes.c_uint64), ("reserved", ctypes.c_uint64 * 4)]


class _Info(ctypes.Structure):
    _fields_ = [
        ("struct_size", ctypes.c_size_t),
        ("id", ctypes.c_char * _ID_SIZE),
        ("size", ctypes.c_uint64),
        ("actual_size", ctypes.c_uint64),
        ("created_at", ctypes.c_int64),
        ("last_accessed", ctypes.c_int64),
        ("access_count", ctypes.c_uint64),
        ("reference_count", ctypes.c_uint64),
        ("owner_pid", ctypes.c_int64),
        ("owner_uid", ctypes.c_uint32),
        ("security_level", ctypes.c_int),
        ("cleanup_policy", ctypes.c_int),
        ("access_mode", ctypes.c_int),
        ("timeout_ms", ctypes.c_int64),
        ("state", ctypes.c_char * 16),
        ("name", ctypes.c_char * 256),
        ("metadata", ctypes.c_char * 1008),
        ("session", ctypes.c_char * 32),
        ("worker", ctypes.c_char * 32),
        ("owner_process", ctypes.c_char * 16),
        ("owner", ctypes.c_int),
        ("group", ctypes.c_int),
        ("other", ctypes.c_int),
        ("placement", ctypes.c_int),
        ("owner_end", ctypes.c_int),
        ("sealed", ctypes.c_bool),
        ("durable", ctypes.c_bool),
        ("audit_access", ctypes.c_bool),
        ("inconsistent", ctypes.c_bool),
        ("has_policy", ctypes.c_bool),
        ("policy_in_effect", ctypes.c_bool),
        ("quarantined_until", ctypes.c_int64),
        ("holder_count", ctypes.c_uint64),
        ("holder_pids", ctypes.c_int64 * 64),
    ]


class _CleanupOptions(ctypes.Structure):
    _fields_ = [
        ("struct_size", ctypes.c_size_t),
        ("dry_run", ctypes.c_bool),
        ("orphans", ctypes.c_bool),
        ("expired", ctypes.c_bool),
        ("all_eligible", ctypes.c_bool),
        ("no_quarantine", ctypes.c_bool),
        ("session", ctypes.c_char_p),
        ("worker", ctypes.c_char_p),
    ]


class _CleanupResult(ctypes.Structure):
    _fields_ = [("removed", ctypes.c_uint64), ("bytes_freed", ctypes.c_uint64)]


class _Event(ctypes.Structure):
    _fields_ = [
        ("struct_size", ctypes.c_size_t),
        ("kind", ctypes.c_int),
        ("status", ctypes.c_int),
        ("ticket", ctypes.c_uint64),
        ("token", ctypes.c_uint64),
        ("now", ctypes.c_uint64),
        ("id", ctypes.c_char * _ID_SIZE),
    ]


_ListCallback = ctypes.CFUNCTYPE(ctypes.c_bool, ctypes.POINTER(_Info), ctypes.c_void_p)

_SECURITY = ("standard", "high", "maximum")
_POLICIES = ("automatic", "manual", "reference_counted")
_OWNER_ENDS = ("default", "keep", "grace", "withdraw")
_PLACEMENTS = ("automatic", "pooled", "dedicated")
_PERMISSIONS = ("none", "read_only", "read_write")
_ACCESS = ("read_only", "read_write")
_SHORT = {"rw": "read_write", "ro": "read_only"}


def _number(names, value, what):
    try:
        return names.index(_SHORT.get(value, value))
    except ValueError:
        raise Error(_INVALID, f"{what} is {value!r}: choose one of {', '.join(names)}") from None


class RegionInfo(typing.NamedTuple):
    """A region as the manager describes it. Sizes are bytes, times are aware datetimes in UTC. `metadata` is
    a dict, `name` and `quarantined_until` are None for none. `holder_pids` are the process ids of the
    first 64 of `holder_count` processes that hold a reference."""

    id: str
    size: int
    actual_size: int
    created_at: datetime.datetime
    last_accessed: datetime.datetime
    access_count: int
    reference_count: int
    owner_pid: int
    owner_uid: int
    security_level: str
    cleanup_policy: str
    access_mode: str
    timeout_ms: int
    state: str
    name: typing.Optional[str]
    metadata: dict
    session: str
    worker: str
    owner_process: str
    owner: str
    group: str
    other: str
    placement: str
    owner_end: str
    sealed: bool
    durable: bool
    audit_access: bool
    inconsistent: bool
    has_policy: bool
    policy_in_effect: bool
    quarantined_until: typing.Optional[datetime.datetime]
    holder_count: int
    holder_pids: typing.Tuple[int, ...]


class CleanupResult(typing.NamedTuple):
    removed: int
    bytes_freed: int


class Event(typing.NamedTuple):
    """The end of a request of Client.lock_begin() or of a wait of Client.wait_begin()."""

    kind: str         # 'lock' or 'signal'
    ticket: int       # as it was returned; used up
    region_id: str
    code: str         # 'ok', or why it ended
    lock: "Lock"      # of a granted lock; else None
    counter: int      # of a signal


def _time(micros):
    return datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc) + datetime.timedelta(microseconds=micros)


# Numbers of the C interface that have names here.
_NAMES = {
    "security_level": _SECURITY, "cleanup_policy": _POLICIES, "access_mode": _ACCESS, "owner": _PERMISSIONS,
    "group": _PERMISSIONS, "other": _PERMISSIONS, "placement": _PLACEMENTS, "owner_end": _OWNER_ENDS,
}


def _region_info(raw):
    values = {field: getattr(raw, field) for field in RegionInfo._fields}
    for field, value in values.items():
        if isinstance(value, bytes):
            values[field] = value.decode(errors="replace")
        elif field in _NAMES:
            values[field] = _NAMES[field][value]
    for field in ("created_at", "last_accessed", "quarantined_until"):
        values[field] = _time(values[field])
    values["name"] = values["name"] or None
    values["metadata"] = json.loads(values["metadata"] or "{}")
    values["quarantined_until"] = values["quarantined_until"] if raw.quarantined_until else None
    values["holder_pids"] = tuple(pid for pid in raw.holder_pids if pid)
    return RegionInfo(**values)


# --- the library ----------------------------------------------------------------------------------

_NAME = "libsnakepit_shm.so"
_Client = ctypes.c_void_p
_PROTOTYPES = {
    "connect_within": [ctypes.c_char_p, ctypes.c_uint32, ctypes.POINTER(_Client)],
    "allocate": [_Client, ctypes.c_uint64, ctypes.POINTER(_Options), ctypes.c_char_p],
    "open": [_Client, ctypes.c_char_p, ctypes.c_uint64, ctypes.POINTER(_Options), ctypes.c_int,
             ctypes.POINTER(_Mapping), ctypes.POINTER(ctypes.c_bool)],
    "mapping_id": [_Client, ctypes.POINTER(_Mapping), ctypes.c_char_p],
    "map": [_Client, ctypes.c_char_p, ctypes.c_int, ctypes.POINTER(_Mapping)],
    "unmap": [_Client, ctypes.POINTER(_Mapping)],
    "deallocate": [_Client, ctypes.c_char_p],
    "resolve": [_Client, ctypes.c_char_p, ctypes.c_char_p],
    "info": [_Client, ctypes.c_char_p, ctypes.POINTER(_Info)],
    "list": [_Client, ctypes.c_char_p, _ListCallback, ctypes.c_void_p],
    "cleanup": [_Client, ctypes.POINTER(_CleanupOptions), ctypes.POINTER(_CleanupResult)],
    "lock_as": [_Client, ctypes.c_char_p, ctypes.c_int, ctypes.c_uint32, ctypes.c_uint32,
                ctypes.POINTER(ctypes.c_uint64)],
    "lock_begin": [_Client, ctypes.c_char_p, ctypes.c_int, ctypes.c_uint32, ctypes.POINTER(ctypes.c_uint64)],
    "map_cached": [_Client, ctypes.c_char_p, ctypes.c_int, ctypes.POINTER(_Mapping)],
    "notify": [_Client, ctypes.c_char_p],
    "wait": [_Client, ctypes.c_char_p, ctypes.c_uint64, ctypes.c_uint32, ctypes.POINTER(ctypes.c_uint64)],
    "wait_begin": [_Client, ctypes.c_char_p, ctypes.c_uint64, ctypes.POINTER(ctypes.c_uint64)],
    "event_fd": [_Client],
    "next_event": [_Client, ctypes.POINTER(_Event)],
    "lock_wait": [_Client, ctypes.c_uint64, ctypes.c_uint32, ctypes.POINTER(ctypes.c_uint64)],
    "cancel": [_Client, ctypes.c_uint64],
    "unlock": [_Client, ctypes.c_char_p, ctypes.c_uint64],
    "announce": [_Client, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p],
    "flush": [_Client, ctypes.POINTER(_Mapping)],
    "refresh": [_Client, ctypes.POINTER(_Mapping)],
    "seal": [_Client, ctypes.c_char_p],
    "rotate_key": [_Client, ctypes.c_char_p],
    "read": [_Client, ctypes.c_char_p, ctypes.c_uint64, ctypes.c_void_p, ctypes.c_uint64],
    "write": [_Client, ctypes.c_char_p, ctypes.c_uint64, ctypes.c_char_p, ctypes.c_uint64],
}


def _library_path():
    if chosen := os.environ.get("SNAKEPIT_SHM_LIBRARY"):
        return chosen
    here = pathlib.Path(__file__).resolve()
    above = here.parents[min(2, len(here.parents) - 1)]  # the source tree, or <prefix>/lib
    for directory in (here.parent, above / "build" / "lib", above, *above.glob("*-linux-gnu")):
        if (directory / _NAME).exists():
            return str(directory / _NAME)
    return ctypes.util.find_library("snakepit_shm") or _NAME


def _load():
    try:
        library = ctypes.CDLL(_library_path())
    except OSError as problem:
        raise ImportError(f"{problem}: build it (packaging/dev build) or set SNAKEPIT_SHM_LIBRARY") from problem
    for name, arguments in _PROTOTYPES.items():
        function = getattr(library, "snakepit_shm_" + name)
        function.argtypes, function.restype = arguments, ctypes.c_int
    for name in ("status_name", "status_type"):
        function = getattr(library, "snakepit_shm_" + name)
        function.argtypes, function.restype = [ctypes.c_int], ctypes.c_char_p
    for name in ("close", "disconnect"):
        function = getattr(library, "snakepit_shm_" + name)
        function.argtypes, function.restype = [_Client], None
    library.snakepit_shm_round_trips.argtypes = [_Client]
    library.snakepit_shm_round_trips.restype = ctypes.c_uint64
    library.snakepit_shm_last_error.restype = ctypes.c_char_p
    library.snakepit_shm_version.restype = ctypes.c_char_p
    return library


_lib = _load()
__version__ = _lib.snakepit_shm_version().decode()


def _status_name(status):
    return _lib.snakepit_shm_status_name(status).decode()


def _failure(status):
    return Error(status, _lib.snakepit_shm_last_error().decode())


def _call(name, *arguments):
    status = getattr(_lib, "snakepit_shm_" + name)(*arguments)
    if status != 0:
        raise _failure(status)


def _bytes(text, what="the name", status=_INVALID):
    """As C takes it: UTF-8 without a zero byte; None stays None."""
    if text is None:
        return None
    if isinstance(text, str):
        try:
            encoded = text.encode()
        except UnicodeEncodeError:
            encoded = b"\0"
        if b"\0" not in encoded:
            return encoded
    raise Error(status, f"{what} is {text!r}: expected text without zero bytes and lone surrogates")


def _id(text):
    if text is None:
        raise Error(_INVALID_ID, "the region id is None: expected the id of a region, as in Region.id")
    return _bytes(text, "the region id", _INVALID_ID)


def _milliseconds(seconds, what):
    if seconds is None:
        return _FOREVER
    if not seconds >= 0:  # a NaN, too
        raise Error(_INVALID, f"{what} is {seconds!r}: expected seconds, or None to wait without a limit")
    return min(math.ceil(min(seconds, _FOREVER) * 1000), _FOREVER - 1)


def _size(size):
    try:
        size = operator.index(size)
    except TypeError:
        pass
    if not isinstance(size, int) or not 0 <= size < 2**64:
        raise Error(15, f"the size is {size!r}: expected a whole number of bytes, at least 1")
    return size


def _options(*, name=None, metadata=None, timeout_ms=-1, security_level=None, access_mode="read_write",
             cleanup_policy="automatic", owner_end="default", placement="automatic", owner="read_write",
             group="none", other="none", owned_by_user=False, durable=False, exact_permissions=False,
             audit_access=False):
    """The options in C, and whether the region is to be mapped writable."""
    level = -1 if security_level is None else _number(_SECURITY, security_level, "security_level")
    access = _number(_ACCESS, access_mode, "access_mode")
    return _Options(
        struct_size=ctypes.sizeof(_Options), timeout_ms=timeout_ms, security_level=level, access_mode=access,
        cleanup_policy=_number(_POLICIES, cleanup_policy, "cleanup_policy"),
        placement=_number(_PLACEMENTS, placement, "placement"), owner=_number(_PERMISSIONS, owner, "owner"),
        group=_number(_PERMISSIONS, group, "group"), other=_number(_PERMISSIONS, other, "other"),
        metadata=None if metadata is None else json.dumps(metadata).encode(), owned_by_user=owned_by_user,
        durable=durable, exact_permissions=exact_permissions, name=_bytes(name),
        owner_end=_number(_OWNER_ENDS, owner_end, "owner_end"), audit_access=audit_access), access == 1


def _owner(number):
    if not 0 <= number < 1 << 32:  # smaller ones are refused by the library
        raise Error(_INVALID, f"the owner is {number!r}: expected 0, or a number of {FIRST_OWNER} to {(1 << 32) - 1}")
    return number


# --- what programs use ------------------------------------------------------------------------------


class Client:
    """A connection to the manager of `instance` (None: $SNAKEPIT_SHM_INSTANCE, else 'default').
    It reconnects automatically to a manager that was restarted. This call, and each later one without
    a timeout of its own, waits for the manager for at most `wait_for_manager` seconds."""

    def __init__(self, instance=None, wait_for_manager=10.0):
        self._handle = None
        self._closing = False
        # Guards what follows and the views of the regions. Reentrant, because the garbage collector
        # may end a Region at any point. Never held during a request to the manager.
        self._changed = threading.Condition(threading.RLock())
        self._mapping = 0                 # threads that are about to add to _leases
        self._leases = weakref.WeakSet()  # references not released yet
        handle = _Client()
        _call("connect_within", _bytes(instance, "the instance"),
              _milliseconds(wait_for_manager, "wait_for_manager"), ctypes.byref(handle))
        self._handle = handle

    def __reduce__(self):
        raise TypeError("a Client cannot be pickled: create one in each process")

    def allocate(self, size, **options):
        """Allocates a region of `size` bytes, all zero, and maps it writable (or as `access_mode` says).
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
        raw, writable = _options(**options)
        size = _size(size)
        region_id = ctypes.create_string_buffer(_ID_SIZE)
        _call("allocate", self._handle, size, ctypes.byref(raw), region_id)
        made = region_id.value.decode()
        try:
            return self.map(made, writable)
        except BaseException:  # no other process knows its id, so none could free it
            with contextlib.suppress(Error):
                self.deallocate(made)
            raise

    def open(self, name, size, *, writable=True, **options):
        """Maps the region of this name, or allocates it if there is none, in one step; options as for
        allocate(). `Region.created` says which. 'name_in_use': it has another size or other options."""
        raw, _ = _options(name=name, **options)
        return Region(self, name, writable, (_size(size), raw))

    def map(self, region_id, writable=False):
        """Maps an existing region, by its id or its name ("NAME", or "USER/NAME" for another user's), and
        acquires a reference; read-only unless `writable`."""
        known = self.resolve(region_id)
        while True:
            try:
                return Region(self, known, writable)
            except Error as error:
                if error.status != _NOT_FOUND or known == region_id:
                    raise
                known, before = self.resolve(region_id), known
                if known == before:
                    raise

    def resolve(self, name):
        """The id of the region that has this name now. An id is returned as it is."""
        encoded = _id(name)
        if encoded.startswith(b"shm_"):
            return name
        found = ctypes.create_string_buffer(_ID_SIZE)
        _call("resolve", self._handle, encoded, found)
        return found.value.decode()

    def map_cached(self, region_id, writable=False):
        """As map() if that needs no request to the manager. Never blocks: code 'not_cached' otherwise."""
        return Region(self, region_id, writable, None, "map_cached")

    def info(self, region_id):
        """The RegionInfo of a region."""
        raw = _Info(struct_size=ctypes.sizeof(_Info))
        _call("info", self._handle, _id(region_id), ctypes.byref(raw))
        return _region_info(raw)

    def list(self, filter=None):
        """RegionInfos, newest last; `filter` as in `snakepit-shm list` ('size>1MiB state:orphan')."""
        found = []

        def one(raw, _):
            found.append(_region_info(raw.contents))
            return True

        _call("list", self._handle, _bytes(filter), _ListCallback(one), None)
        return found

    def deallocate(self, region_id):
        """Withdraws the region: no process can find or map it; its memory is freed with the last reference."""
        _call("deallocate", self._handle, _id(region_id))

    def read(self, region_id, offset, size):
        """Copies `size` bytes from `offset` (bytes). Decrypts only the touched chunks of an encrypted region."""
        buffer = ctypes.create_string_buffer(operator.index(size))
        _call("read", self._handle, _id(region_id), offset, buffer, size)
        return buffer.raw

    def write(self, region_id, offset, data):
        """Copies `data` into the region at `offset` (bytes), all of it or nothing."""
        data = bytes(data)
        _call("write", self._handle, _id(region_id), offset, data, len(data))

    def seal(self, region_id):
        """Makes the region immutable: at once, or as soon as its last reference is released. From now on it
        can be mapped read-only alone."""
        _call("seal", self._handle, _id(region_id))

    def rotate_key(self, region_id):
        """Encrypts the region again with a new key, while programs use it."""
        _call("rotate_key", self._handle, _id(region_id))

    def cleanup(self, *, dry_run=False, orphans=False, expired=False, all_eligible=False,
                no_quarantine=False, session=None, worker=None):
        """Removes regions that no process holds: those that are due, or those that the flags select."""
        options = _CleanupOptions(ctypes.sizeof(_CleanupOptions), dry_run, orphans, expired, all_eligible,
                                  no_quarantine, _bytes(session), _bytes(worker))
        result = _CleanupResult()
        _call("cleanup", self._handle, ctypes.byref(options), ctypes.byref(result))
        return CleanupResult(result.removed, result.bytes_freed)

    def lock(self, region_id, write=True, timeout=None, owner=0):
        """Locks the region, exclusively or (write=False) shared with other readers. Waits at most
        `timeout` seconds (None: no limit, 0: not at all). The lock belongs to `owner`: 0 is the calling
        thread, other numbers are at least FIRST_OWNER. Errors: 'timeout', 'deadlock', 'no_manager'."""
        return Lock(self, region_id, write, timeout, _owner(owner))

    def notify(self, region_id):
        """Adds 1 to the region's counter and wakes all who wait for it. Every process that may map the
        region may do that, also read-only. No system call while no process waits."""
        _call("notify", self._handle, _id(region_id))

    def wait(self, region_id, since, timeout=None):
        """Waits until the region's counter is not `since`, at most `timeout` seconds (None: no limit).
        Returns the counter; it is `since` when the time was up. Holds no reference: code
        'region_not_found' when the region ends meanwhile."""
        now, region_id = ctypes.c_uint64(), _id(region_id)
        _milliseconds(timeout, "the timeout")
        end = None if timeout is None else time.monotonic() + timeout
        while True:  # in slices, because Python runs signal handlers only between calls
            left = _SLICE if end is None else min(_SLICE, max(0, end - time.monotonic()))
            status = _lib.snakepit_shm_wait(self._handle, region_id, since, math.ceil(left * 1000), ctypes.byref(now))
            if status == 0 or (status == _TIMEOUT and end is not None and time.monotonic() >= end):
                return now.value
            if status != _TIMEOUT:
                raise _failure(status)

    def counter(self, region_id):
        """The region's counter, to be passed to wait()."""
        return self.wait(region_id, 2**64 - 1, 0)

    def lock_begin(self, region_id, owner, write=True):
        """Requests a lock without waiting: an event tells when it was granted. `owner` is a number of at
        least 1 << 22 that identifies who gets it. Returns a ticket."""
        ticket = ctypes.c_uint64()
        _call("lock_begin", self._handle, _id(region_id), int(write), owner, ctypes.byref(ticket))
        return ticket.value

    def wait_begin(self, region_id, since):
        """Waits as wait(), but returns a ticket at once: an event tells the end."""
        ticket = ctypes.c_uint64()
        _call("wait_begin", self._handle, _id(region_id), since, ctypes.byref(ticket))
        return ticket.value

    def cancel(self, ticket):
        """Ends a request of lock_begin() or a wait of wait_begin(): no event will tell of it."""
        _call("cancel", self._handle, ticket)

    def fileno(self):
        """A descriptor for select, selectors and asyncio's add_reader(); readable while there may be events.
        It stays the same and belongs to the client."""
        descriptor = _lib.snakepit_shm_event_fd(self._handle)
        if descriptor < 0:
            raise Error(_INVALID, _lib.snakepit_shm_last_error().decode())
        return descriptor

    def next_event(self):
        """The next Event; None if nothing was decided."""
        raw = _Event(struct_size=ctypes.sizeof(_Event))
        status = _lib.snakepit_shm_next_event(self._handle, ctypes.byref(raw))
        if status == _NO_EVENT:
            return None
        if status != 0:
            raise _failure(status)
        region_id = raw.id.decode()
        lock = Lock._granted(self, region_id, raw.token) if raw.token else None
        return Event("lock" if raw.kind == 1 else "signal", raw.ticket, region_id, _status_name(raw.status), lock,
                     raw.now)

    def events(self):
        """All Events that there are now."""
        while (event := self.next_event()) is not None:
            yield event

    def announce(self, worker=None, pool=None, session=None):
        """Names this process in lists, events and the monitor."""
        _call("announce", self._handle, _bytes(worker), _bytes(pool), _bytes(session))

    @property
    def round_trips(self):
        """Requests sent to the manager so far; shows which calls needed none."""
        return _lib.snakepit_shm_round_trips(self._handle)

    @property
    def closed(self):
        return self._closing

    def close(self):
        """Ends the calls of other threads, releases every reference and disconnects. Raises BufferInUse,
        and does nothing, while an array or memoryview uses one of this client's regions. If changes of
        an encrypted region cannot be written, that error is raised after everything is closed. May be
        called more than once."""
        with self._changed:
            for lease in self._leases:
                if lease.looked_at():
                    raise lease.in_use()
            self._closing = True  # from here on no new view is made
        self._end()

    def _end(self):
        """Closes what no view uses; the end of the last view does the rest."""
        problem = self._give_back()
        _lib.snakepit_shm_close(self._handle)
        with self._changed:
            while self._mapping:
                self._changed.wait()
        problem = problem or self._give_back()
        self._disconnect_if_unused()
        if problem:
            raise problem

    def _give_back(self):
        problem = None
        with self._changed:
            leases = list(self._leases)
        for lease in leases:
            try:
                if not lease.looked_at():
                    lease.give_back()
            except Error as error:
                problem = problem or error
        return problem

    def _disconnect_if_unused(self):
        with self._changed:
            unused = self._closing and not self._mapping and not self._leases
        if unused:
            _lib.snakepit_shm_disconnect(self._handle)

    def __del__(self, disconnect=_lib.snakepit_shm_disconnect):
        disconnect(self._handle)  # does nothing if the Client was closed

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        """As close(), but arrays and memoryviews keep their region mapped until they end, and the
        block's own exception is never replaced."""
        with self._changed:
            self._closing = True
        try:
            self._end()
        except Error:
            if kind is None:
                raise


class _Lease:
    """One reference. The ctypes array behind every view of the memory keeps it, and it keeps the client:
    so memory stays mapped exactly as long as something uses it."""

    def __init__(self, client, region_id, writable, opening, call):
        self.client = client
        self.region_id = region_id
        self.writable = writable
        self.created = False
        self.mapping = None
        self._array = None  # a weak reference, to what every view keeps
        mapping = _Mapping()
        encoded = _id(region_id)
        with client._changed:
            client._mapping += 1
        try:
            if opening:
                self._open(encoded, mapping, *opening)
            else:
                _call(call, client._handle, encoded, int(writable), ctypes.byref(mapping))
            self.size = mapping.size  # also once another thread has closed the client
            with client._changed:
                self.mapping = mapping
                client._leases.add(self)
        finally:
            with client._changed:
                client._mapping -= 1
                client._changed.notify_all()

    def _open(self, name, mapping, size, options):
        created, handle = ctypes.c_bool(), self.client._handle
        _call("open", handle, name, size, ctypes.byref(options), int(self.writable), ctypes.byref(mapping),
              ctypes.byref(created))
        self.created = created.value
        found = ctypes.create_string_buffer(_ID_SIZE)
        try:
            _call("mapping_id", handle, ctypes.byref(mapping), found)
        except BaseException:
            _lib.snakepit_shm_unmap(handle, ctypes.byref(mapping))
            raise
        self.region_id = found.value.decode()

    def looked_at(self):
        return self._array is not None and self._array() is not None

    def view(self):
        """A new one each time; the caller may release it. Call with the client's _changed held."""
        array = self._array() if self._array is not None else None
        if array is None:
            array = (ctypes.c_ubyte * self.mapping.size).from_address(self.mapping.data)
            array.lease = self
            self._array = weakref.ref(array)
        view = memoryview(array).cast("B")
        return view if self.writable else view.toreadonly()

    def give_back(self):
        with self.client._changed:
            mapping, self.mapping = self.mapping, None
        if mapping is None:
            return
        status = _lib.snakepit_shm_unmap(self.client._handle, ctypes.byref(mapping))
        error = _failure(status) if status not in (0, _FORKED, _CLOSED) else None
        with self.client._changed:
            self.client._leases.discard(self)
        if self.client._closing:
            self.client._disconnect_if_unused()
        if error:
            raise error

    def in_use(self):
        return BufferInUse(_IN_USE, f"region {self.region_id} is still used by an array or memoryview: "
                                    "delete those first")

    def __del__(self):
        try:
            self.give_back()
        except Exception:
            pass  # no caller can handle it; the reference ends with the client at the latest


class Lock:
    """One level of a lock, held from its creation until release(), the end of its `with` block or its
    deletion, on any thread. `inconsistent`: the last writer died while it held the lock, so the region
    may be half written; releasing a write lock clears that.

    Locks are advisory: they bind the programs that use them and protect no memory."""

    def __init__(self, client, region_id, write=True, timeout=None, owner=0):
        self.id = region_id
        # The library writes it when the lock is granted: so whatever a signal handler raises
        # afterwards, the lock is known and released.
        self._token = ctypes.c_uint64()
        self._client = client
        milliseconds = _milliseconds(timeout, "the timeout")
        if milliseconds <= _SLICE * 1000:
            _call("lock_as", client._handle, _id(region_id), int(write), milliseconds, owner,
                  ctypes.byref(self._token))
        else:
            self._wait(write, timeout, owner)
        self.inconsistent = bool(self._token.value & _INCONSISTENT)

    @classmethod
    def _granted(cls, client, region_id, token):
        lock = cls.__new__(cls)
        lock.id, lock._client, lock._token = region_id, client, ctypes.c_uint64(token)
        lock.inconsistent = bool(token & _INCONSISTENT)
        return lock

    def _wait(self, write, timeout, owner):
        """In slices, because Python runs signal handlers only between calls; the ticket keeps the place in
        the queue."""
        handle, ticket = self._client._handle, ctypes.c_uint64()
        end = None if timeout is None else time.monotonic() + timeout
        try:
            _call("lock_begin", handle, _id(self.id), int(write), owner, ctypes.byref(ticket))
            while True:
                left = _SLICE if end is None else min(_SLICE, max(0, end - time.monotonic()))
                status = _lib.snakepit_shm_lock_wait(handle, ticket, math.ceil(left * 1000), ctypes.byref(self._token))
                if status == 0:
                    return
                if status != _TIMEOUT:
                    raise _failure(status)
                if end is not None and time.monotonic() >= end:
                    _call("cancel", handle, ticket)  # no_manager, if none answers
                    raise Error(_TIMEOUT, f"the lock on {self.id} was not granted within {timeout} s: "
                                          f"'snakepit-shm locks {self.id}' shows its holders")
        except BaseException:
            if ticket.value and not self._token.value:
                _lib.snakepit_shm_cancel(handle, ticket)  # if it is still to be
            raise

    def __reduce__(self):
        raise TypeError("a Lock cannot be pickled: pass the region's id and lock it there")

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
        if client is None or not self._token.value:
            return
        status = _lib.snakepit_shm_unlock(client._handle, _id(self.id), self._token)
        # A forked child has no locks, and a client that was disconnected has none any more.
        if status not in (0, _FORKED, _CLOSED):
            raise _failure(status)

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


class Region:
    """One reference to a region, mapped into this process.

    `view` is a memoryview of the memory itself, a new one each time: numpy.frombuffer(region.view) copies
    nothing. It is read-only if the region was mapped read-only. The memory stays mapped, and the
    reference held, while a view or an array of it exists: until then close() raises BufferInUse, and
    deleting the Region unmaps nothing."""

    def __init__(self, client, region_id, writable, _opening=None, call="map"):
        self._lease = _Lease(client, region_id, writable, _opening, call)
        self.id = self._lease.region_id
        self.created = self._lease.created  # by Client.open
        self.size = self._lease.size
        self.writable = writable
        self._client = client

    def __reduce__(self):
        raise TypeError("a Region cannot be pickled: pass region.id and map it there with Client.map(id)")

    @property
    def view(self):
        with self._client._changed:
            if self._client._closing:
                raise Error(_CLOSED, "this client was closed: connect again to go on")
            return self._open_lease().view()

    @property
    def __array_interface__(self):
        """For numpy.asarray(region): the bytes themselves, not a copy."""
        return {"version": 3, "shape": (self.size,), "typestr": "|u1", "data": self.view}

    @property
    def closed(self):
        return self._lease is None or self._lease.mapping is None

    def _open_lease(self):
        if self.closed:
            raise Error(_NOT_HELD, f"region {self.id} was closed: map it again")
        return self._lease

    def close(self):
        """Releases the reference. Raises BufferInUse while a view is in use. May be called more than once."""
        with self._client._changed:
            lease = self._lease
            if lease is None:
                return
            if lease.looked_at():
                raise lease.in_use()
            self._lease = None  # from here on no new view is made
        lease.give_back()

    def flush(self):
        """Writes the changes of an encrypted region, whose view is a private copy. close() does it too."""
        self._client_call("flush")

    def refresh(self):
        """Updates the view of an encrypted region with what others have written; changes made here stay."""
        self._client_call("refresh")

    def _client_call(self, name):
        _call(name, self._client._handle, ctypes.byref(self._open_lease().mapping))

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
        return self._client.lock(self.id, write, timeout, owner)

    def notify(self):
        """As Client.notify: wakes all who wait for this region."""
        self._client.notify(self.id)

    def wait(self, since, timeout=None):
        """As Client.wait: the counter, once it is not `since`."""
        return self._client.wait(self.id, since, timeout)

    @property
    def counter(self):
        """The counter that notify() adds to."""
        return self._client.counter(self.id)

    def info(self):
        """The RegionInfo of this region."""
        return self._client.info(self.id)

    def __len__(self):
        return self.size

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        """As close(), but arrays and memoryviews keep the region mapped until they end, and the block's
        own exception is never replaced."""
        with self._client._changed:
            lease, self._lease = self._lease, None
        try:
            if lease is not None and not lease.looked_at():
                lease.give_back()
        except Error:
            if kind is None:
                raise
