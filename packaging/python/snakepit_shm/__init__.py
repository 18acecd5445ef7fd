# SPDX-License-Identifier: MIT
"""Share memory between processes without copying, through the Snakepit SHM manager of this host.

    import numpy, snakepit_shm

    with snakepit_shm.Client() as client:
        with client.allocate(dtype="float64", shape=1024) as region:
            region.array()[:] = 1.0
            print(region.id)          # another process: client.map(id).array()

Threads may share a Client, and any of them may close it: running calls then end with code
'client_closed'. A forked child inherits regions that are mapped, with references of its own, so that
their arrays stay usable there (except in encrypted regions). Everything else of the parent's Client
fails there with code 'forked': the child makes its own Client.
"""
from ._client import Client, Region, process_client
from ._events import Event
from ._lock import Lock
from ._native import version as __version__
from ._ring import Frame, FrameInPlace, Ring, RingInfo, RingOptions, Slot
from ._values import FIRST_OWNER, BufferInUse, CleanupResult, Error, OpenOptions, Options, RegionInfo

__all__ = ["BufferInUse", "CleanupResult", "Client", "Error", "Event", "FIRST_OWNER", "Frame", "FrameInPlace", "Lock",
           "OpenOptions", "Options", "Region", "RegionInfo", "Ring", "RingInfo", "RingOptions", "Slot", "process_client"]
