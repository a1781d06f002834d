"""Bounds on what a file may make the library do: small files can announce anything.

A frame's size is bounded by `dataset.video.source.MAX_PIXELS`, before anything is allocated for it. While it opens a
file, the library looks into its first frames on its own account, and keeps kilobytes for units of a few bytes: there
the memory itself is bounded.
"""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock

#: Opening a file may add so much to the address space of the process, bytes. Files of 8K need a quarter of it.
OPENING_ROOM = 400_000_000
_opening = Lock()
_STATM = Path("/proc/self/statm")


@contextmanager
def bounded_memory(room: int = OPENING_ROOM) -> Iterator[None]:
    """Let the process grow by `room` bytes at most within the block; what asks for more is told that there is none.

    The limit is that of the whole process, so blocks of several threads wait for each other. Where the system does not
    tell how large the process is, there is no limit.
    """
    with _opening:
        before = resource.getrlimit(resource.RLIMIT_AS)
        try:
            now = int(_STATM.read_text("ascii").split()[0]) * resource.getpagesize()
        except OSError:
            yield
            return
        soft = min((limit for limit in (now + room, *before) if limit >= 0), default=-1)
        resource.setrlimit(resource.RLIMIT_AS, (soft, before[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_AS, before)
