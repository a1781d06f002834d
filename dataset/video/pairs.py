"""Reading pairs of consecutive frames at chosen times, by seeking or by reading through."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dataset.errors import VideoError
from dataset.video.ahead import ahead
from dataset.video.cursor import Cursor, Decoded
from dataset.video.limits import decoder_threads
from dataset.video.plan import plan
from dataset.video.reader import Frame
from dataset.video.timeline import Timeline, scan

#: Pairs of pictures above this are not decoded in the background, bytes: 4K is half of it.
_LARGE = 100_000_000


@dataclass(frozen=True)
class FramePair:
    """Two frames of which the second follows the first in the video."""

    first: Frame
    second: Frame


def read_pairs(
    path: str | Path,
    times: Sequence[float],
    *,
    problems: list[str] | None = None,
    threads: int = 0,
    in_background: bool = False,
) -> Iterator[FramePair]:
    """For each time, the frame that is shown then and the one after it.

    The pair at the last frame is the last but one and the last, so each time gives one pair, in the order of
    `times`. A video of a single frame has no pairs, and none comes. Whether key frames are sought, or the file is
    read through, is chosen by what is fewer frames to decode (`dataset.video.plan`); sorted times are served without
    decoding anything twice, and so are others where the pictures can be held back. Frames between that nothing is
    predicted from are not decoded at all. Where frames are damaged, the nearest ones that decode are taken; their
    numbers tell.

    Args:
        path: the video.
        times: seconds from the first frame.
        problems: what could not be read is appended here, in plain words.
        threads: decoder threads; 0 chooses by processors and picture size. The pictures are the same for any number.
        in_background: decode the next pair in a thread while the caller works on the last; at most one more pair is
            held in memory for it, and none where pictures are so large that this counts, or where only one thread may
            decode (`at_most_threads`). `problems` is complete when the iteration has ended.

    Raises:
        NotAVideoError, VideoError: as `read_frames`; also if a time is not a number.
    """
    if not np.isfinite(np.asarray(times, float)).all():
        raise VideoError("a time to read at is not a finite number", path=path)
    if len(times) == 0:
        return
    timeline = scan(Path(path))
    pairs = _pairs(Path(path), timeline, times, problems, threads)
    large = 6 * timeline.first.width * timeline.first.height > _LARGE
    if in_background and not large and decoder_threads() > 1:
        pairs = ahead(pairs, 1)
    yield from pairs


def _pairs(
    path: Path, timeline: Timeline, times: Sequence[float], problems: list[str] | None, threads: int
) -> Iterator[FramePair]:
    with Cursor(path, [] if problems is None else problems, threads=threads, timeline=timeline) as cursor:
        last = len(timeline.times) - 1
        indices = [max(min(timeline.at(time), last - 1), 0) for time in times]
        route = plan(timeline, indices, 6 * timeline.first.width * timeline.first.height)
        if not route.seeks:
            cursor.read_through()
        cursor.want_only({frame for index in indices for frame in (index, index + 1)})
        held: deque[Decoded] = deque(maxlen=2)
        early: dict[int, FramePair | None] = {}  # read, but not yet asked for
        due = 0
        for place in route.order:
            advance(cursor, held, indices[place])
            early[place] = FramePair(_frame(held[0]), _frame(held[1])) if len(held) == 2 else None
            while due in early:
                pair = early.pop(due)
                due += 1
                if pair is not None:
                    yield pair
        if len(held) < 2 and problems is not None:
            problems.append("only one frame can be decoded, so there is no pair of frames")


def _frame(decoded: Decoded) -> Frame:
    return Frame(decoded.index, decoded.time, decoded.image)


def advance(cursor: Cursor, held: deque[Decoded], index: int) -> None:
    """Decode until `held` is frame `index` and its successor, or the nearest to them that decode."""
    if len(held) == 2 and held[0].index <= index and (index < held[1].index or cursor.ended):
        return
    _fill(cursor, held, index)
    if cursor.leaves_out and [decoded.index for decoded in held] != [index, index + 1]:
        # Damage: the nearest frames may be among those left out, so from here on all are decoded.
        cursor.want_only(None)
        held.clear()
        cursor.rewind()
        _fill(cursor, held, index)


def _fill(cursor: Cursor, held: deque[Decoded], index: int) -> None:
    start, back = index, 1
    while True:
        if cursor.goto(start):
            held.clear()
        while len(held) < 2 or held[1].index <= index:
            decoded = cursor.next()
            if decoded is None:
                break
            held.append(decoded)
        if (len(held) == 2 and held[0].index <= index) or cursor.from_start:
            return
        # The frame did not come from its key frame: it is damaged, or the key frame is not one. Try key frames
        # further and further back, and at last the start of the file.
        earlier = cursor.timeline.keys_back(start, back)
        if earlier is None:
            cursor.read_through()
        start, back = earlier or 0, back * 2
        cursor.rewind()
