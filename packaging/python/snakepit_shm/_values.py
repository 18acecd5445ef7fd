# SPDX-License-Identifier: MIT
"""Errors, options and results: names for the numbers of the C interface."""
from __future__ import annotations

import collections.abc
import datetime
import json
import math
import operator
import typing

from . import _native

TIMEOUT = 10
NOT_HELD = 12
INVALID_ARGUMENT = 14
INVALID_SIZE = 15
REFERENCE_LIMIT = 22
CLIENT_CLOSED = 36
RING_CLOSED = 53

FOREVER = 2**32 - 1
FIRST_OWNER = 1 << 22  # the lowest number of a lock's owner that is not a thread
INCONSISTENT = 1 << 63

SECURITY = ("standard", "high", "maximum")
POLICIES = ("automatic", "manual", "reference_counted")
OWNER_ENDS = ("default", "keep", "grace", "withdraw")
PLACEMENTS = ("automatic", "pooled", "dedicated")
PERMISSIONS = ("none", "read_only", "read_write")
ACCESS = ("read_only", "read_write")
_SHORT = {"rw": "read_write", "ro": "read_only"}


class Error(Exception):
    """A failed call. `code` is precise ('size_exceeds_limit'), `type` is its class
    ('allocation_failed'), `status` is the number in the C interface; str() is a sentence with the
    cause and a remedy."""

    def __init__(self, status: int, message: str) -> None:
        self.status = status
        self.code = _native.status_name(status)
        self.type = _native.status_type(status)
        super().__init__(message or self.code)

    def __reduce__(self) -> tuple[typing.Any, ...]:
        return type(self), (self.status, str(self))


class BufferInUse(Error, BufferError):
    """close() while a memoryview or an array still uses the region's memory."""


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
    name: str | None
    metadata: dict[str, typing.Any]
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
    quarantined_until: datetime.datetime | None
    holder_count: int
    holder_pids: tuple[int, ...]


class CleanupResult(typing.NamedTuple):
    """Regions removed, and bytes that were freed at once."""

    removed: int
    bytes_freed: int


Shape = typing.Union[typing.SupportsIndex, collections.abc.Sequence[typing.SupportsIndex]]
Permission = typing.Literal["none", "read_only", "read_write", "ro", "rw"]
Access = typing.Literal["read_only", "read_write", "ro", "rw"]


class OpenOptions(typing.TypedDict, total=False):
    """Options of Client.open(); Client.allocate() describes them."""

    metadata: dict[str, typing.Any] | None
    timeout_ms: typing.SupportsIndex
    security_level: typing.Literal["standard", "high", "maximum"] | None
    access_mode: Access
    cleanup_policy: typing.Literal["automatic", "manual", "reference_counted"]
    owner_end: typing.Literal["default", "keep", "grace", "withdraw"]
    placement: typing.Literal["automatic", "pooled", "dedicated"]
    owner: Permission
    group: Permission
    other: Permission
    owned_by_user: bool
    durable: bool
    exact_permissions: bool
    audit_access: bool


class Options(OpenOptions, total=False):
    """Options of Client.allocate(), which describes them."""

    name: str | None


_NAMES = {
    "security_level": SECURITY, "cleanup_policy": POLICIES, "access_mode": ACCESS, "owner": PERMISSIONS,
    "group": PERMISSIONS, "other": PERMISSIONS, "placement": PLACEMENTS, "owner_end": OWNER_ENDS,
}


def _time(micros: int) -> datetime.datetime:
    return datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc) + datetime.timedelta(microseconds=micros)


def region_info(values: tuple[typing.Any, ...]) -> RegionInfo:
    """The RegionInfo of a tuple of the extension."""
    raw: typing.Any = RegionInfo._make(values)
    info: RegionInfo = raw._replace(
        created_at=_time(raw.created_at), last_accessed=_time(raw.last_accessed), name=raw.name or None,
        metadata=json.loads(raw.metadata or "{}"), holder_pids=tuple(raw.holder_pids),
        quarantined_until=_time(raw.quarantined_until) if raw.quarantined_until else None,
        **{field: names[getattr(raw, field)] for field, names in _NAMES.items()})
    return info


def _number(names: tuple[str, ...], value: str, what: str) -> int:
    value = _SHORT.get(value, value) if isinstance(value, str) else value
    if value not in names:
        raise Error(INVALID_ARGUMENT, f"{what} is {value!r}: choose one of {', '.join(names)}")
    return names.index(value)


def options(*, name: str | None = None, metadata: dict[str, typing.Any] | None = None,
            timeout_ms: typing.SupportsIndex = -1, security_level: str | None = None, access_mode: str = "read_write",
            cleanup_policy: str = "automatic", owner_end: str = "default", placement: str = "automatic",
            owner: str = "read_write", group: str = "none", other: str = "none", owned_by_user: bool = False,
            durable: bool = False, exact_permissions: bool = False,
            audit_access: bool = False) -> tuple[typing.Any, ...]:
    """The options in the order of the extension."""
    return (operator.index(timeout_ms),
            -1 if security_level is None else _number(SECURITY, security_level, "security_level"),
            _number(ACCESS, access_mode, "access_mode"), _number(POLICIES, cleanup_policy, "cleanup_policy"),
            _number(PLACEMENTS, placement, "placement"), _number(PERMISSIONS, owner, "owner"),
            _number(PERMISSIONS, group, "group"), _number(PERMISSIONS, other, "other"),
            None if metadata is None else json.dumps(metadata), owned_by_user, durable, exact_permissions,
            text(name), _number(OWNER_ENDS, owner_end, "owner_end"), audit_access)


def text(value: str | None, what: str = "the name") -> str | None:
    """As C takes it: no zero byte, no lone surrogate. None stays None."""
    if value is None:
        return None
    if isinstance(value, str) and "\0" not in value:
        try:
            value.encode()
            return value
        except UnicodeEncodeError:
            pass
    raise Error(INVALID_ARGUMENT, f"{what} is {value!r}: expected text without zero bytes and lone surrogates")


def bytes_of(value: typing.SupportsIndex | None) -> int:
    """A size in bytes."""
    try:
        size = operator.index(value)  # type: ignore[arg-type]  # of None, too
    except TypeError:
        size = -1
    if not 0 <= size < 2**64:
        raise Error(INVALID_SIZE, f"the size is {value!r}: expected a whole number of bytes, at least 1")
    return size


def number(value: typing.SupportsIndex, what: str, limit: int = 2**64) -> int:
    """A number as C takes it, below `limit`."""
    value = operator.index(value)
    if not 0 <= value < limit:
        raise Error(INVALID_ARGUMENT, f"{what} is {value}: expected a number of 0 to {limit - 1}")
    return value


def milliseconds(seconds: float | None, what: str) -> int:
    if seconds is None:
        return FOREVER
    if not seconds >= 0:  # a NaN, too
        raise Error(INVALID_ARGUMENT, f"{what} is {seconds!r}: expected seconds, or None to wait without a limit")
    return min(math.ceil(min(seconds, FOREVER) * 1000), FOREVER - 1)


def owner_number(number: int) -> int:
    if not 0 <= number < 1 << 32:  # smaller ones are refused by the library
        raise Error(INVALID_ARGUMENT,
                    f"the owner is {number!r}: expected 0, or a number of {FIRST_OWNER} to {(1 << 32) - 1}")
    return number
