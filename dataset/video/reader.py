"""Reading frames one after the other, with bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import numpy as np

from dataset.video.cursor import Cursor
from dataset.video.source import check_file


@dataclass(frozen=True)
class Frame:
    """One frame of a video.

    Args:
        index: its number in display order, from 0.
        time: seconds from the first frame.
        image: uint8 (H, W, 3), RGB, upright.
    """

    index: int
    time: float
    image: np.ndarray


class FrameReader:
    """The frames of a video in display order, decoded as they are asked for.

    Iterating holds one frame in memory, besides the few that the decoder keeps. During and after the
    iteration, `problems` tells in plain words what could not be read, such as
    "truncated: stopped at 3.20 s of 10.00 s". Each iteration begins anew.
    """

    def __init__(self, path: Path, start: float, stop: float | None, threads: int) -> None:
        self.path = check_file(path)
        self.problems: list[str] = []
        self._start = start
        self._stop = stop
        self._threads = threads
        self._frames: Iterator[Frame] | None = None

    def __enter__(self) -> FrameReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __iter__(self) -> Iterator[Frame]:
        self.close()
        self.problems.clear()
        self._frames = self._read()
        return self._frames

    def close(self) -> None:
        """Close the file."""
        frames, self._frames = self._frames, None
        if frames is not None:
            frames.close()  # type: ignore[attr-defined]

    def _read(self) -> Iterator[Frame]:
        with Cursor(self.path, self.problems, threads=self._threads) as cursor:
            timeline = cursor.timeline
            if self._start > 0:
                cursor.goto(timeline.at(self._start))
            while decoded := cursor.next():
                if self._stop is not None and decoded.time >= self._stop:
                    return
                if decoded.time >= self._start:
                    yield Frame(decoded.index, decoded.time, decoded.image)


def read_frames(
    path: str | Path, *, start: float = 0.0, stop: float | None = None, threads: int = 0
) -> FrameReader:
    """Read the frames with start ≤ time < stop, in display order.

    Example:
        >>> for frame in read_frames("clip.mp4", stop=2.0):  # doctest: +SKIP
        ...     print(frame.index, frame.time, frame.image.shape)

    Args:
        path: the video.
        start: seconds; earlier frames are passed over by seeking where the file allows it.
        stop: seconds; None reads to the end.
        threads: decoder threads; 0 chooses by processors and picture size. The pictures are the same for any number.

    Raises:
        NotAVideoError: nothing to decode (missing, empty, a folder, audio only, not a video).
        VideoError: a video that cannot be decoded here (unknown codec, frames above 40 megapixels).
            What can only be told from the content is raised when the iteration begins.
    """
    return FrameReader(Path(path), start, stop, threads)
