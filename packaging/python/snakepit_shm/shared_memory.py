# SPDX-License-Identifier: MIT
"""multiprocessing.shared_memory over named regions: the same names, signatures and errors.

    from snakepit_shm.shared_memory import SharedMemory, ShareableList

Differences: the memory of a process that ends, however it ends, is released; no resource_tracker
runs; `snakepit-shm list` and the monitor show who holds what. A segment that was created with
`track=True` (the default) is withdrawn when the process that created it ends, also without unlink();
with `track=False` it stays until unlink(). Needs a manager: ConnectionRefusedError without one.
"""
import errno
import multiprocessing.managers as _managers
import multiprocessing.shared_memory as _standard
import secrets
import sys
import types

from ._client import process_client
from ._values import Error

__all__ = ["SharedMemory", "ShareableList", "SharedMemoryManager"]

_ERRORS = {"region_not_found": errno.ENOENT, "name_in_use": errno.EEXIST, "permission_denied": errno.EACCES,
           "no_manager": errno.ECONNREFUSED, "no_space": errno.ENOSPC, "invalid_region_id": errno.EINVAL,
           "invalid_argument": errno.EINVAL}
# As in the standard library, whose tests look at these.
_USE_POSIX = True
_SHM_NAME_PREFIX = "/psm_"
# Names of regions may not begin so; names of shared memory may.
_RESERVED = ("shm_", "-", "~", "py:")


def _call(name, function, /, *arguments, **words):
    """Errors as the standard library raises them."""
    try:
        return function(*arguments, **words)
    except Error as problem:
        number = _ERRORS.get(problem.code, errno.ENOMEM if problem.type.endswith("exceeded")
                             or problem.type == "allocation_failed" else errno.EIO)
        raise OSError(number, str(problem), name) from problem


class SharedMemory:
    """A block of shared memory; see multiprocessing.shared_memory.SharedMemory.

    `name`: of an existing block, or of the new one with `create`; None makes a name up. `size`: bytes of
    a new block. `track=False`: the block outlives the process that created it, until unlink()."""

    _buf = _region = None

    def __init__(self, name=None, create=False, size=0, *, track=True):
        if not size >= 0:
            raise ValueError("'size' must be a positive integer")
        if create and size == 0:
            raise ValueError("'size' must be a positive number different from zero")
        if name is None and not create:
            raise ValueError("'name' can only be None if create=True")
        if name is not None and "\0" in name:
            raise ValueError("embedded null character")
        self._track = track
        if create:
            self._create(name, size)
        else:
            self._name = _with_slash(name)
            if self._name == "/":
                raise ValueError("the name is empty")
            self._region = _call(name, _call(name, process_client).map, _region_name(self._name), True)
        self._size = self._region.size
        self._buf = self._region.view

    def _create(self, name, size):
        while True:
            self._name = _make_filename() if name is None else _with_slash(name)
            try:
                self._region = _call(
                    self._name, _call(name, process_client).allocate, size, name=_region_name(self._name),
                    **({"owner_end": "withdraw"} if self._track
                       else {"owned_by_user": True, "cleanup_policy": "manual"}), timeout_ms=0)
                return
            except FileExistsError:
                if name is not None:
                    raise

    def __del__(self):
        try:
            self.close()
        except (OSError, Error, BufferError):
            pass

    def __reduce__(self):
        return type(self), (self.name, False, self.size)

    def __repr__(self):
        return f"{type(self).__name__}({self.name!r}, size={self.size})"

    @property
    def buf(self):
        """A memoryview of the block; None after close()."""
        return self._buf

    @property
    def name(self):
        """The name, for other processes."""
        return self._name.removeprefix("/")

    @property
    def size(self):
        """Bytes."""
        return self._size

    def close(self):
        """Ends the access of this instance; BufferError while something uses `buf`."""
        if self._buf is not None:
            self._buf.release()
            self._buf = None
        if self._region is not None:
            try:
                self._region.close()
            except BufferError:  # an array of the memory, which the memoryview did not know of
                self._buf = self._region.view
                raise
            self._region = None

    def unlink(self):
        """Withdraws the block: no process can open it any more, and its memory is freed with the last one
        that uses it."""
        client = process_client()
        _call(self._name, lambda: client.deallocate(client.resolve(_region_name(self._name))))


def _make_filename():
    return _SHM_NAME_PREFIX + secrets.token_hex(4)


def _with_slash(name):
    return name if name.startswith("/") else "/" + name


def _region_name(name):
    name = name.removeprefix("/")
    return "py:" + name if name.startswith(_RESERVED) else name


# --- what is built on SharedMemory -----------------------------------------------------------------


def _rebound(cls, **names):
    """The class with its functions looking up `names` here instead of in their own module."""
    namespace = {**vars(sys.modules[cls.__module__]), **names}
    functions = {}
    for name, one in vars(cls).items():
        if isinstance(one, types.FunctionType):
            functions[name] = types.FunctionType(one.__code__, namespace, name, one.__defaults__, one.__closure__)
            functions[name].__kwdefaults__ = one.__kwdefaults__
    made = type(cls)(cls.__name__, (cls,), {**functions, "__doc__": cls.__doc__, "__module__": __name__})
    namespace[cls.__name__] = made
    return made


ShareableList = _rebound(_standard.ShareableList, SharedMemory=SharedMemory)
_here = sys.modules[__name__]
_SharedMemoryTracker = _rebound(_managers._SharedMemoryTracker, shared_memory=_here)
SharedMemoryServer = _rebound(_managers.SharedMemoryServer, shared_memory=_here,
                              _SharedMemoryTracker=_SharedMemoryTracker)
SharedMemoryManager = _rebound(_managers.SharedMemoryManager, shared_memory=_here)
SharedMemoryManager._Server = SharedMemoryServer
