"""Reading frames one after the other, with bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import av.error
import numpy as np

from dataset.errors import NotAVideoError
from dataset.video.picture import Converter
from dataset.video.source import check_file, open_video


@dataclass(frozen=True)
class Frame:
    """One frame: its number in display order, its time in seconds from the first frame, and its picture.

    `image` is uint8 of shape (H, W, 3), RGB, upright.
    """

    index: int
    time: float
    image: np.ndarray


class FrameReader:
    """The frames of a video in display order, decoded as they are asked for.

    Iterate over it; one frame is in memory at a time, besides the decoder's own few. After the iteration,
    `problems` tells in plain words what could not be read.
    """

    def __init__(self, path: Path, start: float, stop: float | None) -> None:
        self.path = check_file(path)
        self.problems: list[str] = []
        self._start = start
        self._stop = stop
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
        """Close the file. Reading on afterwards begins anew."""
        frames, self._frames = self._frames, None
        if frames is not None:
            frames.close()  # type: ignore[attr-defined]

    def _read(self) -> Iterator[Frame]:
        with open_video(self.path) as (container, stream):
            converter: Converter | None = None
            base = 0
            index = 0
            for packet in container.demux(stream):
                try:
                    frames = packet.decode()
                except av.error.InvalidDataError as error:
                    self.problems.append(f"a packet could not be decoded ({error.strerror})")
                    continue
                for frame in frames:
                    stamp = frame.pts if frame.pts is not None else frame.dts
                    if converter is None:
                        converter = Converter(frame)
                        base = stamp or 0
                    time = float(((stamp or 0) - base) * stream.time_base)
                    if self._stop is not None and time >= self._stop:
                        return
                    if time >= self._start:
                        yield Frame(index, time, converter.convert(frame))
                    index += 1
            if converter is None:
                raise NotAVideoError("no frame in it can be decoded", path=self.path)


def read_frames(path: str | Path, *, start: float = 0.0, stop: float | None = None) -> FrameReader:
    """Read the frames with start ≤ time < stop (seconds), in display order."""
    return FrameReader(Path(path), start, stop)
