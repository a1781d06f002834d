"""Reading pairs of consecutive frames at chosen times, by seeking."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dataset.errors import VideoError
from dataset.video.cursor import Cursor, Decoded
from dataset.video.reader import Frame


@dataclass(frozen=True)
class FramePair:
    """Two frames of which the second follows the first in the video."""

    first: Frame
    second: Frame


def read_pairs(
    path: str | Path, times: Sequence[float], *, problems: list[str] | None = None, threads: int = 0
) -> Iterator[FramePair]:
    """For each time, the frame that is shown then and the one after it.

    The pair at the last frame is the last but one and the last, so each time gives one pair, in the order of
    `times`. A video of a single frame has no pairs, and none comes. Sorted times are served without decoding
    anything twice; between them the file is sought where that is cheaper than reading on. Where frames are
    damaged, the nearest ones that decode are taken; their numbers tell.

    Args:
        path: the video.
        times: seconds from the first frame.
        problems: what could not be read is appended here, in plain words.
        threads: decoder threads; 0 lets the library choose. The pictures are the same for any number.

    Raises:
        NotAVideoError, VideoError: as `read_frames`; also if a time is not a number.
    """
    if not np.isfinite(np.asarray(times, float)).all():
        raise VideoError("a time to read at is not a finite number", path=path)
    if len(times) == 0:
        return
    with Cursor(Path(path), [] if problems is None else problems, threads=threads) as cursor:
        last = len(cursor.timeline.times) - 1
        held: deque[Decoded] = deque(maxlen=2)
        for time in times:
            index = max(min(cursor.timeline.at(time), last - 1), 0)
            _advance(cursor, held, index)
            if len(held) == 2:
                yield FramePair(_frame(held[0]), _frame(held[1]))
        if len(held) < 2 and problems is not None:
            problems.append("only one frame can be decoded, so there is no pair of frames")


def _frame(decoded: Decoded) -> Frame:
    return Frame(decoded.index, decoded.time, decoded.image)


def _advance(cursor: Cursor, held: deque[Decoded], index: int) -> None:
    """Decode until `held` is frame `index` and its successor, or the nearest to them that decode."""
    if len(held) == 2 and held[0].index <= index and (index < held[1].index or cursor.ended):
        return
    start = index
    while True:
        if cursor.goto(start):
            held.clear()
        while len(held) < 2 or held[1].index <= index:
            decoded = cursor.next()
            if decoded is None:
                break
            held.append(decoded)
        if len(held) == 2 and held[0].index <= index:
            return
        # The frame did not come from its key frame: it is damaged, or the key frame is not one. Try the key
        # frame before that, and at last the start of the file.
        key = cursor.timeline.key_before(start)
        if key is None or key.order == 0 or start == 0:
            return
        start = max(cursor.timeline.rank[key.pts] - 1, 0)
