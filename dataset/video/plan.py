"""Seek, or read through? Counted on the index of key frames, before anything is decoded.

Seeking pays where key frames are dense and the wanted frames sparse; where a file has a single key frame, each seek
decodes everything before the wanted frame again. So the packets that the decoder would be fed are counted, and the
cheapest way is taken. Wanted frames that lie in one group of pictures are served in one go.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from dataset.video.timeline import Key, Timeline

#: A seek costs as much as decoding so many packets: the decoder's threads and its reordering fill up anew.
SEEK_COST = 12
#: Pictures that may be held back so that a file is read in its own order, bytes.
HELD_BYTES = 256_000_000
#: Pairs are read in another order than asked for only where that saves at least this factor.
_WORTH = 2


@dataclass(frozen=True)
class Plan:
    """How to read pairs of frames.

    Args:
        order: the places in the list of wanted pairs, in the order in which they are read.
        seeks: whether to seek key frames; if not, the file is read through.
        packets: that the decoder is fed, seeks counted as `SEEK_COST` packets each.
    """

    order: tuple[int, ...]
    seeks: bool
    packets: int


def plan(timeline: Timeline, pairs: Sequence[int], pair_bytes: int) -> Plan:
    """The cheapest way to pairs of consecutive frames.

    Args:
        timeline: of the file.
        pairs: number of the first frame of each pair, in the order in which they are wanted.
        pair_bytes: memory that the pictures of one pair take.
    """
    asked = tuple(range(len(pairs)))
    best = _cheaper(timeline, pairs, asked)
    forward = tuple(sorted(asked, key=lambda place: pairs[place]))
    if forward != asked and len(pairs) * pair_bytes <= HELD_BYTES:
        sorted_best = _cheaper(timeline, pairs, forward)
        if best.packets >= _WORTH * sorted_best.packets:
            return sorted_best
    return best


def leap(timeline: Timeline, index: int, fed: int) -> Key | None:
    """The key frame to seek for a frame that lies ahead; None if reading on is as cheap.

    Args:
        timeline: of the file.
        index: number of the wanted frame.
        fed: number, in decoding order, of the last packet that was decoded.
    """
    key = timeline.key_before(index)
    return key if key is not None and key.order - fed > SEEK_COST else None


def _cheaper(timeline: Timeline, pairs: Sequence[int], order: tuple[int, ...]) -> Plan:
    first_frames = [pairs[place] for place in order]
    through = _count(timeline, first_frames, seeks=False)
    seeking = _count(timeline, first_frames, seeks=True)
    return Plan(order, seeking < through, min(through, seeking))


def _count(timeline: Timeline, first_frames: Iterable[int], *, seeks: bool) -> int:
    """Packets that reading the pairs one after the other decodes."""
    total, fed, last = 0, -1, -1
    for index in first_frames:
        if index < last:  # back: by way of the key frame, or from the start of the file
            key = timeline.key_before(index) if seeks else None
            fed = -1 if key is None else key.order - 1
            total += SEEK_COST
        elif seeks and (ahead := leap(timeline, index, fed)):
            fed = ahead.order - 1
            total += SEEK_COST
        end = max(fed, _packet(timeline, index), _packet(timeline, index + 1))
        total += end - fed
        fed, last = end, index
    return total


def _packet(timeline: Timeline, index: int) -> int:
    """Number, in decoding order, of the packet that holds a frame."""
    index = min(index, len(timeline.stamps or timeline.times) - 1)
    return timeline.order[timeline.stamps[index]] if timeline.exact else index
