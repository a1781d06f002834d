"""What can be said about a video file without decoding it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from av.stream import Stream

from dataset.files import sha256_file
from dataset.video.picture import Converter
from dataset.video.source import Opened, open_video
from dataset.video.timeline import Timeline, scan


@dataclass(frozen=True)
class StreamInfo:
    """One stream of a file.

    Args:
        index: its number in the file.
        kind: "video", "audio", "subtitle", "data" or "attachment".
        codec: the codec's short name, "unknown" if there is no decoder for it.
        details: size, rate and the like, for people to read.
    """

    index: int
    kind: str
    codec: str
    details: str


@dataclass(frozen=True)
class VideoInfo:
    """The facts about a video file.

    Args:
        path: the file.
        container: the library's name of the container, such as "mov,mp4,m4a,3gp,3g2,mj2".
        codec: short name of the video codec, such as "h264".
        pixel_format: of the stored pictures, such as "yuv420p10le".
        width, height: of the upright pictures, in pixels. Pixels that are not square are left as they are.
        rotation: degrees clockwise by which stored pictures are turned to be upright: 0, 90, 180 or 270.
        duration: seconds from the first frame to the end of the last one in the file.
        frame_count: frames that the file holds; None if they cannot be counted without decoding.
        average_fps: frames per second on average.
        constant_rate: whether the timestamps are those of a constant rate, as finely as the container
            can write them.
        sha256: hash of the file's bytes.
        size_bytes: length of the file.
        streams: all streams of the file.
        metadata: the container's tags. Matroska has their names in capitals; they are given in small letters.
    """

    path: Path
    container: str
    codec: str
    pixel_format: str
    width: int
    height: int
    rotation: int
    duration: float
    frame_count: int | None
    average_fps: float
    constant_rate: bool
    sha256: str
    size_bytes: int
    streams: tuple[StreamInfo, ...]
    metadata: dict[str, str]

    @property
    def has_audio(self) -> bool:
        """Whether there is a stream of sound."""
        return any(stream.kind == "audio" for stream in self.streams)

    @classmethod
    def from_path(cls, path: str | Path) -> VideoInfo:
        """Look into a file. Its packets are read once, and only the first frame is decoded.

        Raises:
            NotAVideoError: nothing to decode (missing, empty, a folder, audio only, not a video).
            VideoError: a video that cannot be decoded here (unknown codec, frames above 40 megapixels).
        """
        path = Path(path)
        timeline = scan(path)
        converter = Converter(timeline.first, path)
        width, height = converter.size
        with open_video(path) as opened:
            container, stream = opened
            fps = _average_fps(timeline, opened)
            return cls(
                path=path,
                container=container.format.name,
                codec=_codec(stream),
                pixel_format=timeline.first.pixel_format,
                width=width,
                height=height,
                rotation=90 * converter.orientation.turns,
                duration=timeline.duration,
                frame_count=len(timeline.times) if timeline.exact else None,
                average_fps=fps,
                constant_rate=_constant(timeline.times, float(stream.time_base or 0)),
                sha256=sha256_file(path),
                size_bytes=path.stat().st_size,
                streams=tuple(_describe(other) for other in container.streams),
                metadata=_tags(container),
            )


def _average_fps(timeline: Timeline, opened: Opened) -> float:
    span = float(timeline.times[-1])
    if span > 0:
        return (len(timeline.times) - 1) / span
    return float(opened.stream.average_rate or 0)


def _constant(times: np.ndarray, tick: float) -> bool:
    """Whether rounding to the container's clock explains every distance to an even pace."""
    even = np.linspace(0, times[-1], len(times))
    return bool(np.abs(times - even).max() <= max(tick, 0.0005) * 1.01)


def _codec(stream: Stream) -> str:
    context = stream.codec_context
    return "unknown" if context is None else context.codec.canonical_name


def _describe(stream: Stream) -> StreamInfo:
    details = ""
    if isinstance(stream, av.VideoStream) and stream.codec_context is not None:
        details = f"{stream.width}×{stream.height} {stream.pix_fmt}"
        if stream.average_rate:
            details += f", {float(stream.average_rate):.3f} fps"
        if stream.sample_aspect_ratio not in (None, 0, 1):
            details += f", pixel aspect {stream.sample_aspect_ratio}"
    elif isinstance(stream, av.AudioStream) and stream.codec_context is not None:
        details = f"{stream.codec_context.sample_rate} Hz, {stream.codec_context.layout.name}"
    return StreamInfo(stream.index, stream.type, _codec(stream), details)


def _tags(container: av.container.InputContainer) -> dict[str, str]:
    if container.format.name.startswith("matroska"):
        return {name.lower(): value for name, value in container.metadata.items()}
    return dict(container.metadata)
