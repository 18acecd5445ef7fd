# SPDX-License-Identifier: MIT
"""multiprocessing.shared_memory over named regions: the same names, signatures and errors.

    from snakepit_shm.shared_memory import SharedMemory, ShareableList

Differences: the memory of a process that ends, however it ends, is released; no resource_tracker
runs; `snakepit-shm list` and the monitor show who holds what. A segment that was created with
`track=True` (the default) is withdrawn when the process that created it ends, also without unlink();
with `track=False` it stays until unlink(). Needs a manager: ConnectionRefusedError without one.
"""
from __future__ import annotations

import collections.abc
import errno
import multiprocessing.managers as _managers
import multiprocessing.shared_memory as _standard
import secrets
import sys
import types
import typing

from ._client import Region, process_client
from ._values import Error, Options

__all__ = ["SharedMemory", "ShareableList", "SharedMemoryManager"]

_ERRORS = {"region_not_found": errno.ENOENT, "name_in_use": errno.EEXIST, "permission_denied": errno.EACCES,
           "no_manager": errno.ECONNREFUSED, "no_space": errno.ENOSPC, "invalid_region_id": errno.EINVAL,
           "invalid_argument": errno.EINVAL}
# As in the standard library, whose tests look at these.
_USE_POSIX = True
_SHM_NAME_PREFIX = "/psm_"
# Names of regions may not begin so; names of shared memory may.
_RESERVED = ("shm_", "-", "~", "py:")


_T = typing.TypeVar("_T")


def _call(name: str | None, function: collections.abc.Callable[..., _T], /, *arguments: typing.Any,
          **words: typing.Any) -> _T:
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

    _buf: memoryview | None = None
    _region: Region | None = None

    def __init__(self, name: str | None = None, create: bool = False, size: int = 0, *, track: bool = True) -> None:
        if not size >= 0:
            raise ValueError("'size' must be a positive integer")
        if create and size == 0:
            raise ValueError("'size' must be a positive number different from zero")
        if name is None and not create:
            raise ValueError("'name' can only be None if create=True")
        if name is not None and "\0" in name:
            raise ValueError("embedded null character")
        self._track = track
        if name is None or create:
            region = self._create(name, size)
        else:
            self._name = _with_slash(name)
            if self._name == "/":
                raise ValueError("the name is empty")
            region = _call(name, _call(name, process_client).map, _region_name(self._name), True)
        self._region = region
        self._size = region.size
        self._buf = region.view

    def _create(self, name: str | None, size: int) -> Region:
        while True:
            self._name = _make_filename() if name is None else _with_slash(name)
            try:
                life: Options = ({"owner_end": "withdraw"} if self._track
                                 else {"owned_by_user": True, "cleanup_policy": "manual"})
                return _call(self._name, _call(name, process_client).allocate, size, name=_region_name(self._name),
                             timeout_ms=0, **life)
            except FileExistsError:
                if name is not None:
                    raise

    def __del__(self) -> None:
        try:
            self.close()
        except (OSError, Error, BufferError):
            pass

    def __reduce__(self) -> tuple[typing.Any, ...]:
        return type(self), (self.name, False, self.size)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r}, size={self.size})"

    @property
    def buf(self) -> memoryview:
        """A memoryview of the block; None after close(), as in the standard library."""
        return typing.cast(memoryview, self._buf)

    @property
    def name(self) -> str:
        """The name, for other processes."""
        return self._name.removeprefix("/")

    @property
    def size(self) -> int:
        """Bytes."""
        return self._size

    def close(self) -> None:
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

    def unlink(self) -> None:
        """Withdraws the block: no process can open it any more, and its memory is freed with the last one
        that uses it."""
        client = process_client()
        _call(self._name, lambda: client.deallocate(client.resolve(_region_name(self._name))))


def _make_filename() -> str:
    return _SHM_NAME_PREFIX + secrets.token_hex(4)


def _with_slash(name: str) -> str:
    return name if name.startswith("/") else "/" + name


def _region_name(name: str) -> str:
    name = name.removeprefix("/")
    return "py:" + name if name.startswith(_RESERVED) else name


# --- what is built on SharedMemory -----------------------------------------------------------------


def _rebound(cls: type, **names: typing.Any) -> typing.Any:
    """The class with its functions looking up `names` here instead of in their own module."""
    namespace = {**vars(sys.modules[cls.__module__]), **names}
    functions: dict[str, typing.Any] = {}
    for name, one in vars(cls).items():
        if isinstance(one, types.FunctionType):
            functions[name] = types.FunctionType(one.__code__, namespace, name, one.__defaults__, one.__closure__)
            functions[name].__kwdefaults__ = one.__kwdefaults__
    made = type(cls)(cls.__name__, (cls,), {**functions, "__doc__": cls.__doc__, "__module__": __name__})
    namespace[cls.__name__] = made
    return made


if typing.TYPE_CHECKING:
    class ShareableList(_standard.ShareableList[typing.Any]):
        """See multiprocessing.shared_memory.ShareableList."""

        shm: SharedMemory  # type: ignore[assignment]

    class SharedMemoryManager(_managers.SharedMemoryManager):
        """See multiprocessing.managers.SharedMemoryManager."""

        def SharedMemory(self, size: int) -> SharedMemory: ...  # type: ignore[override]
        def ShareableList(self, sequence: collections.abc.Iterable[typing.Any] | None) -> ShareableList: ...
else:
    ShareableList = _rebound(_standard.ShareableList, SharedMemory=SharedMemory)
    _here = sys.modules[__name__]
    _SharedMemoryTracker = _rebound(_managers._SharedMemoryTracker, shared_memory=_here)
    SharedMemoryServer = _rebound(_managers.SharedMemoryServer, shared_memory=_here,
                                  _SharedMemoryTracker=_SharedMemoryTracker)
    SharedMemoryManager = _rebound(_managers.SharedMemoryManager, shared_memory=_here)
    SharedMemoryManager._Server = SharedMemoryServer
