"""What a clip's file says about itself: all that a detector could learn instead of the picture."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import av.error

from dataset.errors import DetectorError, VideoError
from dataset.records import Clip, Corpus
from dataset.video import VideoInfo
from dataset.video.source import demux, open_video, reason
from forensics.decide import bits_per_pixel


@dataclass(frozen=True)
class FileFacts:
    """Facts of a container and its video stream.

    Attributes:
        container, codec, pixel_format: names.
        width, height: pixels.
        fps: frames per second on average.
        duration: seconds.
        frames: packets of the video stream.
        bits: of the video stream, a pixel of a frame.
        gop: frames from one key frame to the next, on average.
    """

    container: str
    codec: str
    pixel_format: str
    width: int
    height: int
    fps: float
    duration: float
    frames: int
    bits: float
    gop: float

    @property
    def names(self) -> tuple[str, str, str]:
        """What has no order."""
        return self.container, self.codec, self.pixel_format

    @property
    def numbers(self) -> dict[str, float]:
        """What has one, by the name it has in reports."""
        return {
            "bits a pixel": self.bits,
            "frames between key frames": self.gop,
            "duration": self.duration,
            "frames a second": self.fps,
            "picture size": float(self.width * self.height),
        }

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)


def file_facts(path: str | Path, sha256: str | None = None) -> FileFacts:
    """Read a file's facts; its packets are looked at, and one frame is decoded.

    Args:
        path: the file.
        sha256: what its hash must be, if it is known.

    Raises:
        VideoError: it is no video.
        DetectorError: it has another hash.
    """
    info = VideoInfo.from_path(path)
    if sha256 is not None and info.sha256 != sha256:
        raise DetectorError("the file is not the one that its record describes: SHA-256 differs", path=path)
    frames = keys = size = 0
    with open_video(path) as opened:
        try:
            for packet in demux(opened):
                if packet.size:
                    frames += 1
                    keys += packet.is_keyframe
                    size += packet.size
        except (av.error.FFmpegError, OSError) as error:
            raise VideoError(f"the container is broken ({reason(error)})", path=path) from error
    return FileFacts(
        info.container,
        info.codec,
        info.pixel_format,
        info.width,
        info.height,
        round(info.average_fps, 3),
        round(info.duration, 3),
        frames,
        bits_per_pixel(size, info.width, info.height, frames) or 0.0,
        frames / max(keys, 1),
    )


def corpus_facts(
    corpus: Corpus, clips: Sequence[Clip], progress: Callable[[int, int | None], None] | None = None
) -> dict[str, FileFacts]:
    """Facts by path of clips of a corpus; refuses files that were exchanged."""
    facts = {}
    for number, clip in enumerate(clips):
        facts[clip.path] = file_facts(corpus.absolute(clip), clip.sha256)
        if progress is not None:
            progress(number + 1, len(clips))
    return facts
