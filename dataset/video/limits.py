"""Bounds on what a file may make the library do: small files can announce anything.

A frame's size is bounded by `dataset.video.source.MAX_PIXELS`. Here are the memory in which a file is opened, since the
library looks into its first frames on its own account, and the units of one packet: H.264 and HEVC cut a frame into
units, the library keeps eight kilobytes for each of them, and a unit may be a single byte long.
"""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock

from av.packet import Packet

#: Opening a file may add so much to the address space of the process, bytes. Files of 8K need a quarter of it.
OPENING_ROOM = 400_000_000
#: Units that a frame may be cut into. HEVC's highest level has 600 slices.
MOST_UNITS = 10_000
_IN_UNITS = frozenset(("h264", "hevc", "vvc"))
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


def is_shredded(packet: Packet, codec: str) -> bool:
    """Whether a packet is cut into more units than any encoder makes, so that decoding it would take all memory.

    Args:
        packet: of the stream.
        codec: its canonical name.
    """
    # A unit takes four bytes at least, with its length or start mark.
    if codec not in _IN_UNITS or packet.size < 4 * MOST_UNITS:
        return False
    data = bytes(packet)
    if data.count(b"\0\0\1") > MOST_UNITS:
        return True
    place = units = 0
    while place + 4 <= len(data) and units <= MOST_UNITS:
        place += 4 + int.from_bytes(data[place : place + 4], "big")
        units += 1
    return units > MOST_UNITS
