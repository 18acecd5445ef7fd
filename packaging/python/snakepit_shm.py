# SPDX-License-Identifier: MIT
"""Share memory between processes without copying, through the Snakepit SHM manager of this host.

    import numpy, snakepit_shm

    with snakepit_shm.Client() as client:
        with client.allocate(8 * 1024) as region:
            numpy.frombuffer(region.view, numpy.float64)[:] = 1.0
            print(region.id)          # another process: client.map(id)

Over ctypes on libsnakepit_shm.so, which is looked for in $SNAKEPIT_SHM_LIBRARY (a file), then in the
build tree or the installed tree this file stands in, then where the system keeps libraries. Standard
library only.

Threads may share a Client. After fork() the child makes a Client of its own: everything else it
inherited fails with code 'forked'.
"""
import ctypes
import ctypes.util
import datetime
import json
import math
import os
import pathlib
import typing
import weakref

__all__ = ["BufferInUse", "CleanupResult", "Client", "Error", "Lock", "Region", "RegionInfo"]

_ID_SIZE = 64


class Error(Exception):
    """What the library refused, and why: `code` is fine ('size_exceeds_limit'), `type` coarse
    ('allocation_failed'), `status` the number of the C interface; str() is a sentence with a remedy."""

    def __init__(self, status, message):
        super().__init__(message or _status_name(status))
        self.status = status
        self.code = _status_name(status)
        self.type = _TYPES.get(self.code, self.code)


class BufferInUse(Error, BufferError):
    """close() while a memoryview or an array still looks at the region."""


# Codes finer than their type; every other code is its own type.
_TYPES = {
    "invalid_size": "invalid_argument",
    "invalid_region_id": "invalid_argument",
    "size_exceeds_limit": "allocation_failed",
    "region_limit_exceeded": "allocation_failed",
    "process_region_limit_exceeded": "allocation_failed",
    "no_space": "allocation_failed",
    "region_in_use": "cleanup_failed",
    "reference_limit": "mapping_failed",
    "read_only": "permission_denied",
    "identity_mismatch": "security_violation",
    "forked": "invalid_argument",
    "protocol_error": "platform_error",
    "version_mismatch": "platform_error",
    "client_limit_exceeded": "platform_error",
    "instance_in_use": "platform_error",
    "plugin_load_failed": "platform_error",
    "configuration_invalid": "invalid_argument",
    "database_unavailable": "platform_error",
    "registry_lost": "region_not_found",
    "not_supported": "invalid_argument",
}
_IN_USE = 21  # region_in_use
_NOT_HELD = 12
_INVALID = 14
_FOREVER = 2**32 - 1
_SUSPECT = 1 << 63


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


_ListCallback = ctypes.CFUNCTYPE(ctypes.c_bool, ctypes.POINTER(_Info), ctypes.c_void_p)

_SECURITY = ("standard", "high", "maximum")
_POLICIES = ("automatic", "manual", "reference_counted")
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
    """What the manager knows of a region; times are aware datetimes in UTC."""

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


class CleanupResult(typing.NamedTuple):
    removed: int
    bytes_freed: int


def _time(micros):
    return datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc) + datetime.timedelta(microseconds=micros)


def _region_info(raw):
    return RegionInfo(
        raw.id.decode(), raw.size, raw.actual_size, _time(raw.created_at), _time(raw.last_accessed),
        raw.access_count, raw.reference_count, raw.owner_pid, raw.owner_uid, _SECURITY[raw.security_level],
        _POLICIES[raw.cleanup_policy], _ACCESS[raw.access_mode], raw.timeout_ms, raw.state.decode())


# --- the library ----------------------------------------------------------------------------------

_NAME = "libsnakepit_shm.so"
_Client = ctypes.c_void_p
_PROTOTYPES = {
    "connect": [ctypes.c_char_p, ctypes.POINTER(_Client)],
    "allocate": [_Client, ctypes.c_uint64, ctypes.POINTER(_Options), ctypes.c_char_p],
    "map": [_Client, ctypes.c_char_p, ctypes.c_int, ctypes.POINTER(_Mapping)],
    "unmap": [_Client, ctypes.POINTER(_Mapping)],
    "deallocate": [_Client, ctypes.c_char_p],
    "info": [_Client, ctypes.c_char_p, ctypes.POINTER(_Info)],
    "list": [_Client, ctypes.c_char_p, _ListCallback, ctypes.c_void_p],
    "cleanup": [_Client, ctypes.POINTER(_CleanupOptions), ctypes.POINTER(_CleanupResult)],
    "lock": [_Client, ctypes.c_char_p, ctypes.c_int, ctypes.c_uint32, ctypes.POINTER(ctypes.c_uint64)],
    "unlock": [_Client, ctypes.c_char_p, ctypes.c_uint64],
    "announce": [_Client, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p],
    "flush": [_Client, ctypes.POINTER(_Mapping)],
    "refresh": [_Client, ctypes.POINTER(_Mapping)],
    "rotate_key": [_Client, ctypes.c_char_p],
    "read": [_Client, ctypes.c_char_p, ctypes.c_uint64, ctypes.c_void_p, ctypes.c_uint64],
    "write": [_Client, ctypes.c_char_p, ctypes.c_uint64, ctypes.c_char_p, ctypes.c_uint64],
}


def _library_path():
    if chosen := os.environ.get("SNAKEPIT_SHM_LIBRARY"):
        return chosen
    here = pathlib.Path(__file__).resolve()
    above = here.parents[2]  # the source tree, or <prefix>/lib
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
    library.snakepit_shm_disconnect.argtypes = [_Client]
    library.snakepit_shm_disconnect.restype = None
    library.snakepit_shm_round_trips.argtypes = [_Client]
    library.snakepit_shm_round_trips.restype = ctypes.c_uint64
    library.snakepit_shm_last_error.restype = ctypes.c_char_p
    library.snakepit_shm_status_name.argtypes = [ctypes.c_int]
    library.snakepit_shm_status_name.restype = ctypes.c_char_p
    return library


_lib = _load()


def _status_name(status):
    return _lib.snakepit_shm_status_name(status).decode()


def _call(name, *arguments):
    status = getattr(_lib, "snakepit_shm_" + name)(*arguments)
    if status != 0:
        raise Error(status, _lib.snakepit_shm_last_error().decode())


def _bytes(text):
    return None if text is None else text.encode()


# --- what programs use ------------------------------------------------------------------------------


class Client:
    """A connection to the manager of `instance` (None: $SNAKEPIT_SHM_INSTANCE, else 'default').
    A manager that is killed and started again is reconnected to by itself."""

    def __init__(self, instance=None):
        self._handle = None
        self._pid = os.getpid()
        self._regions = weakref.WeakSet()  # open ones
        self._leases = weakref.WeakSet()   # references not given back yet
        handle = _Client()
        _call("connect", _bytes(instance), ctypes.byref(handle))
        self._handle = handle

    def allocate(self, size, *, metadata=None, timeout_ms=-1, security_level=None,
                 access_mode="read_write", cleanup_policy="automatic", placement="automatic",
                 owner="read_write", group="none", other="none", owned_by_user=False):
        """A new region of `size` bytes, all zero, mapped writable (or as `access_mode` says).
        `metadata` is a dict; `timeout_ms` -1 means the manager's default and 0 never;
        `security_level` None what the configuration says."""
        options = _Options(
            ctypes.sizeof(_Options), timeout_ms,
            -1 if security_level is None else _number(_SECURITY, security_level, "security_level"),
            _number(_ACCESS, access_mode, "access_mode"), _number(_POLICIES, cleanup_policy, "cleanup_policy"),
            _number(_PLACEMENTS, placement, "placement"), _number(_PERMISSIONS, owner, "owner"),
            _number(_PERMISSIONS, group, "group"), _number(_PERMISSIONS, other, "other"),
            None if metadata is None else json.dumps(metadata).encode(), owned_by_user)
        if not isinstance(size, int) or not 0 <= size < 2**64:
            raise Error(15, f"{size!r} is no size: give a whole number of bytes from 1 on")
        region_id = ctypes.create_string_buffer(_ID_SIZE)
        _call("allocate", self._handle, size, ctypes.byref(options), region_id)
        return self.map(region_id.value.decode(), writable=_SHORT.get(access_mode, access_mode) == "read_write")

    def map(self, region_id, writable=False):
        """A reference to an existing region, mapped; read-only unless `writable`."""
        return Region(self, region_id, writable)

    def info(self, region_id):
        raw = _Info(struct_size=ctypes.sizeof(_Info))
        _call("info", self._handle, region_id.encode(), ctypes.byref(raw))
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
        """Nobody finds or maps the region any more; its memory goes with the last reference."""
        _call("deallocate", self._handle, region_id.encode())

    def read(self, region_id, offset, size):
        """`size` bytes from `offset` on, copied; of an encrypted region only those chunks are decrypted."""
        buffer = ctypes.create_string_buffer(size)
        _call("read", self._handle, region_id.encode(), offset, buffer, size)
        return buffer.raw

    def write(self, region_id, offset, data):
        """Copies bytes into the region from `offset` on, all or none."""
        data = bytes(data)
        _call("write", self._handle, region_id.encode(), offset, data, len(data))

    def rotate_key(self, region_id):
        """Encrypts the region anew, under a key of its own; who uses it need not stop."""
        _call("rotate_key", self._handle, region_id.encode())

    def cleanup(self, *, dry_run=False, orphans=False, expired=False, all_eligible=False,
                no_quarantine=False, session=None, worker=None):
        """Removes what is due, or what the flags choose, of all regions or of a session's or a worker's."""
        options = _CleanupOptions(ctypes.sizeof(_CleanupOptions), dry_run, orphans, expired, all_eligible,
                                  no_quarantine, _bytes(session), _bytes(worker))
        result = _CleanupResult()
        _call("cleanup", self._handle, ctypes.byref(options), ctypes.byref(result))
        return CleanupResult(result.removed, result.bytes_freed)

    def lock(self, region_id, write=True, timeout=None):
        """A Lock on the region: alone, or shared with other readers unless `write`. Waits at most
        `timeout` seconds (None: for ever, 0: not at all); errors have the code 'timeout' or 'deadlock'."""
        return Lock(self, region_id, write, timeout)

    def announce(self, worker=None, pool=None, session=None):
        """Names this process for people who look at the manager."""
        _call("announce", self._handle, _bytes(worker), _bytes(pool), _bytes(session))

    @property
    def round_trips(self):
        """Requests sent to the manager so far: shows which calls needed none."""
        return _lib.snakepit_shm_round_trips(self._handle)

    def close(self):
        """Gives back every reference and disconnects. BufferInUse, and nothing done, while an array
        or memoryview still looks at one of this client's regions."""
        for region in list(self._regions):
            region.close()
        for lease in list(self._leases):
            raise lease.in_use()
        self._disconnect()

    def _disconnect(self):
        handle, self._handle = self._handle, None
        # A forked child leaves its parent's connection alone.
        if handle is not None and self._pid == os.getpid():
            _lib.snakepit_shm_disconnect(handle)

    def __del__(self):
        self._disconnect()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class _Lease:
    """One reference. Kept by the ctypes array that every view of the memory ends at, and keeps the
    client: so memory stays mapped as long as anything looks at it, and not longer."""

    def __init__(self, client, region_id, writable):
        self.client = client
        self.region_id = region_id
        self.mapping = None
        mapping = _Mapping()
        _call("map", client._handle, region_id.encode(), int(writable), ctypes.byref(mapping))
        self.mapping = mapping
        client._leases.add(self)

    def give_back(self):
        mapping, self.mapping = self.mapping, None
        # A forked child has neither the mapping nor the reference.
        if mapping is not None and self.client._handle is not None and self.client._pid == os.getpid():
            self.client._leases.discard(self)
            _call("unmap", self.client._handle, ctypes.byref(mapping))

    def in_use(self):
        return BufferInUse(_IN_USE, f"region {self.region_id} is still looked at by an array or memoryview: "
                                    "delete those first")

    def __del__(self):
        try:
            self.give_back()
        except Error:
            pass  # nobody is there to be told; the reference ends with the client at the latest


class Lock:
    """One level of a lock, held from when it is made until release(), the end of its `with` block or
    its own end, on whatever thread. `suspect`: the last writer died in its lock, so the region may be
    half written; giving a write lock back acknowledges that.

    A lock is between those who ask for it; it keeps nobody from touching the memory."""

    def __init__(self, client, region_id, write=True, timeout=None):
        self._client = None
        if timeout is not None and timeout < 0:
            raise Error(_INVALID, f"{timeout!r} is no timeout: give seconds, or None to wait for ever")
        milliseconds = _FOREVER if timeout is None else min(math.ceil(timeout * 1000), _FOREVER - 1)
        token = ctypes.c_uint64()
        _call("lock", client._handle, region_id.encode(), int(write), milliseconds, ctypes.byref(token))
        self.id = region_id
        self.suspect = bool(token.value & _SUSPECT)
        self._token = token.value
        self._client = client

    @property
    def held(self):
        return self._client is not None

    def release(self):
        """Again is allowed."""
        client, self._client = self._client, None
        # A forked child has no locks, and a client that was closed has none any more.
        if client is not None and client._handle is not None and client._pid == os.getpid():
            _call("unlock", client._handle, self.id.encode(), self._token)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.release()

    def __del__(self):
        try:
            self.release()
        except Error:
            pass  # nobody is there to be told; the lock ends with the client at the latest


class Region:
    """One reference to a region, mapped into this process.

    `view` is a memoryview of the memory itself, so numpy.frombuffer(region.view) copies nothing; it
    is read-only if the region was mapped so. The memory stays mapped, and the reference held, while
    any view or array made from it lives: close() raises BufferInUse until they are gone, and
    dropping the Region unmaps nothing under them."""

    def __init__(self, client, region_id, writable):
        lease = _Lease(client, region_id, writable)
        array = (ctypes.c_ubyte * lease.mapping.size).from_address(lease.mapping.data)
        array.lease = lease
        self.id = region_id
        self.size = lease.mapping.size
        self.writable = writable
        self._client = client
        self._array = weakref.ref(array)  # gone when no view is left
        self._view = self._look_at(array)
        client._regions.add(self)

    def _look_at(self, array):
        view = memoryview(array).cast("B")
        return view if self.writable else view.toreadonly()

    @property
    def view(self):
        if self._view is None:
            raise Error(_NOT_HELD, f"region {self.id} was closed: map it again")
        return self._view

    @property
    def closed(self):
        return self._view is None

    def close(self):
        """Gives the reference back. Again is allowed. BufferInUse while something looks at the memory."""
        if self._view is None:
            return
        lease = self._array().lease
        self._view = None  # not release(): that would succeed under numpy's feet
        if (array := self._array()) is not None:
            self._view = self._look_at(array)
            raise lease.in_use()
        self._client._regions.discard(self)
        lease.give_back()

    def flush(self):
        """Of an encrypted region, whose view is a private copy: writes back what was changed in it.
        close() does so too."""
        self._client_call("flush")

    def refresh(self):
        """Of an encrypted region: brings in what others wrote back; what was changed here stays."""
        self._client_call("refresh")

    def _client_call(self, name):
        if self._view is None:
            raise Error(_NOT_HELD, f"region {self.id} was closed: map it again")
        _call(name, self._client._handle, ctypes.byref(self._array().lease.mapping))

    def deallocate(self):
        """close(), and nobody finds the region any more."""
        self.close()
        self._client.deallocate(self.id)

    def lock(self, write=True, timeout=None):
        """`with region.lock():` see Client.lock."""
        return self._client.lock(self.id, write, timeout)

    def info(self):
        return self._client.info(self.id)

    def __len__(self):
        return self.size

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
