"""Bounds on what a file may make the library do: small files can announce anything.

A frame's size is bounded by `dataset.video.source.MAX_PIXELS`, before anything is allocated for it. While it opens a
file, the library looks into its first frames on its own account, and keeps kilobytes for units of a few bytes: there
the memory itself is bounded. How many threads decode is bounded where many processes share the cores, and
what decoding leaves behind can be given back.
"""

from __future__ import annotations

import ctypes
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock

#: Opening a file may add so much to the address space of the process, bytes. Files of 8K need a quarter of it.
OPENING_ROOM = 400_000_000
_opening = Lock()
_STATM = Path("/proc/self/statm")
#: Decoder threads allowed in this process; None for one a core.
_allowed: int | None = None


def decoder_threads() -> int:
    """How many threads may decode in this process: one a core that it may run on, or what `at_most_threads` allows."""
    cores = len(os.sched_getaffinity(0))
    return cores if _allowed is None else min(cores, _allowed)


@contextmanager
def at_most_threads(count: int) -> Iterator[None]:
    """Decode with so many threads at most in this process; with one, nothing is decoded in the background either.

    For workers, of which there are as many as cores: more threads would only take the cores from each other.
    """
    global _allowed
    before, _allowed = _allowed, count
    try:
        yield
    finally:
        _allowed = before


def give_back_memory() -> None:
    """Return to the system what was freed: the C library keeps it otherwise, tens of megabytes after decoding.

    Where the C library is not GNU's, nothing happens.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


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
