"""Writing H.264 that plays everywhere: 4:2:0, BT.709, tagged as such, with exact times."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from fractions import Fraction
from pathlib import Path
from types import TracebackType

import av
import av.error
import numpy as np
from av.audio.stream import AudioStream
from av.codec.context import Flags
from av.container import OutputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc, VideoReformatter
from av.video.stream import VideoStream

from dataset.errors import NotAVideoError, VideoError
from dataset.files import atomic_path
from dataset.video.picture import SCALING
from dataset.video.source import open_container, reason

_FORMATS = {".mp4": "mp4", ".mov": "mov", ".mkv": "matroska"}
_TIME_BASE = Fraction(1, 90_000)  # holds every usual frame rate exactly, and every millisecond

# x264's output depends on the number of threads; a fixed number gives the same bytes on every machine. With its
# macroblock tree it gave other bytes now and then even so.
_THREADS = "4"

# The tags that MP4 keeps under its own names, where players look. For any other name the library has to be
# told to write all tags as free keys instead.
_MP4_TAGS = frozenset("title artist album comment description genre copyright date composer".split())  # noqa: SIM905

# Seconds of sound before the first frame that are kept: decoders need a few packets to warm up.
_PRIMING = 0.2

_LIBRARY_ERRORS = (av.error.FFmpegError, OSError, ValueError)


class VideoWriter:
    """Write frames as H.264 (yuv420p, BT.709, limited range) to .mp4, .mov or .mkv.

    Use it as a context manager. The file appears under its name when the block ends well; when it ends with
    an exception, or without a frame, nothing is left on disk. The same frames give the same bytes.

    Example:
        >>> with VideoWriter("out.mp4", (640, 480), fps=25) as video:  # doctest: +SKIP
        ...     video.write(np.zeros((480, 640, 3), np.uint8))

    Args:
        path: where to write; the suffix chooses the container.
        size: width and height of the pictures. Odd sizes are padded to even ones by repeating the last
            column or row.
        fps: constant frame rate; needed unless every frame comes with its time.
        crf: constant rate factor of x264, 0 (best) to 51.
        preset: speed preset of x264.
        metadata: tags of the container, kept under any name.
        audio_from: a file whose first audio stream is copied packet for packet, in time with its video. What
            sounds before its video begins is left out.

    Raises:
        VideoError: an argument that cannot be served, or a file that cannot be written.
    """

    def __init__(
        self,
        path: str | Path,
        size: tuple[int, int],
        *,
        fps: float | None = None,
        crf: int = 18,
        preset: str = "medium",
        metadata: dict[str, str] | None = None,
        audio_from: str | Path | None = None,
    ) -> None:
        self.path = Path(path)
        self._suffix = self.path.suffix.lower()
        if self._suffix not in _FORMATS:
            wrong = (
                f"cannot write {self.path.suffix}"
                if self._suffix
                else "cannot tell the format without a suffix"
            )
            raise VideoError(wrong, path=self.path, hint="use .mp4, .mov or .mkv")
        if min(size) < 1:
            raise VideoError(f"pictures of {size[0]}×{size[1]} cannot be written", path=self.path)
        if fps is not None and not 0 < fps <= 1000:
            raise VideoError(f"a frame rate of {fps} cannot be written", path=self.path)
        if not 0 <= crf <= 51:
            raise VideoError(f"crf {crf} cannot be used", path=self.path, hint="give 0 (best) to 51")
        self.size = (int(size[0]), int(size[1]))
        self.fps = None if fps is None else Fraction(fps).limit_denominator(1001)
        self.count = 0
        self._options = {"crf": str(crf), "preset": preset, "threads": _THREADS, "mbtree": "0"}
        self._metadata = dict(metadata or {})
        self._audio_from = None if audio_from is None else Path(audio_from)
        self._stack = ExitStack()
        self._container: OutputContainer | None = None
        self._reformatter = VideoReformatter()
        self._last: int | None = None
        self._sound: Iterator[tuple[float, Packet]] = iter(())
        self._waiting: tuple[float, Packet] | None = None

    def __enter__(self) -> VideoWriter:
        try:
            self._open()
        except BaseException as error:
            self._abandon(error)
            if isinstance(error, _LIBRARY_ERRORS):
                raise VideoError(f"cannot be written ({reason(error)})", path=self.path) from error
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self._abandon(error)
            return
        try:
            self._finish()
            self._stack.close()
        except BaseException as failure:
            self._abandon(failure)
            if isinstance(failure, _LIBRARY_ERRORS):
                raise VideoError(f"could not be written ({reason(failure)})", path=self.path) from failure
            raise

    def write(self, image: np.ndarray, time: float | None = None) -> None:
        """Add one picture.

        Args:
            image: uint8 (H, W, 3), RGB.
            time: seconds from the start, kept to the millisecond; without it, frame number / fps.

        Raises:
            VideoError: a picture of another size or type, a time that is not later than the one before, a
                missing frame rate, or a file that cannot be written.
        """
        if self._container is None:
            raise VideoError("a picture can only be written inside the with block", path=self.path)
        width, height = self.size
        if image.shape != (height, width, 3) or image.dtype != np.uint8:
            raise VideoError(
                f"expected uint8 pictures of shape {(height, width, 3)}, got {image.dtype} {image.shape}",
                path=self.path,
            )
        stamp = self._stamp(time)
        frame = self._convert(image)
        frame.pts, frame.time_base = stamp, _TIME_BASE
        if self.fps is not None and time is None:
            frame.duration = round(1 / self.fps / _TIME_BASE)
        elif self._last is not None:
            frame.duration = stamp - self._last  # the best guess at how long a last frame is shown
        try:
            self._copy_sound(float(stamp * _TIME_BASE))
            self._container.mux(self._stream.encode(frame))
        except _LIBRARY_ERRORS as error:
            raise VideoError(f"could not be encoded ({reason(error)})", path=self.path) from error
        self._last = stamp
        self.count += 1

    def _open(self) -> None:
        temporary = self._stack.enter_context(atomic_path(self.path))
        options: dict[str, str] = {}
        if self._suffix != ".mkv":
            standard = self._suffix == ".mp4" and set(self._metadata) <= _MP4_TAGS
            options["movflags"] = "+faststart" if standard else "+faststart+use_metadata_tags"
        self._container = av.open(
            os.path.abspath(temporary), "w", format=_FORMATS[self._suffix], container_options=options
        )
        self._container.metadata.update(self._metadata)
        stream: VideoStream = self._container.add_stream("libx264", rate=self.fps or 30)
        stream.width, stream.height = (side + side % 2 for side in self.size)
        stream.pix_fmt = "yuv420p"
        context = stream.codec_context
        context.time_base = stream.time_base = _TIME_BASE
        context.color_range = ColorRange.MPEG
        context.colorspace = Colorspace.ITU709
        context.color_primaries = ColorPrimaries.BT709
        context.color_trc = ColorTrc.BT709
        context.flags |= Flags.frame_duration
        context.options = self._options
        self._stream = stream
        if self._audio_from is not None:
            self._sound = self._open_sound(self._audio_from)
            self._waiting = next(self._sound, None)
        try:
            self._container.start_encoding()
        except _LIBRARY_ERRORS as error:
            settings = ", ".join(f"{name} {value}" for name, value in self._options.items())
            raise VideoError(f"x264 or the container refuses {settings}", path=self.path) from error

    def _open_sound(self, path: Path) -> Iterator[tuple[float, Packet]]:
        """Add a stream for the sound of another file; returns its packets with their times."""
        assert self._container is not None
        source = open_container(path)
        self._stack.callback(source.close)
        stream = next(iter(source.streams.audio), None)
        if stream is None:
            raise NotAVideoError("has no sound to copy", path=path, hint="leave the audio source out")
        codec = "unknown" if stream.codec_context is None else stream.codec_context.name
        if codec not in self._container.supported_codecs:
            raise VideoError(
                f"{self._suffix} cannot hold the sound of {path.name} ({codec}) as it is",
                path=self.path,
                hint="write another kind, such as .mkv or .mov",
            )
        copy: AudioStream = self._container.add_stream_from_template(stream)
        video = next(iter(source.streams.video), None)
        begin = Fraction(0)
        if video is not None and video.start_time is not None and video.time_base is not None:
            begin = video.start_time * video.time_base
        assert stream.time_base is not None
        return _packets(source.demux(stream), copy, round(begin / stream.time_base))

    def _copy_sound(self, until: float) -> None:
        """Copy the sound up to a time, so that pictures and sound lie side by side in the file."""
        assert self._container is not None
        while self._waiting is not None and self._waiting[0] <= until:
            self._container.mux(self._waiting[1])
            self._waiting = next(self._sound, None)

    def _stamp(self, time: float | None) -> int:
        """The timestamp of the next frame, in units of the time base."""
        if time is None:
            if self.fps is None:
                raise VideoError("a frame without a time needs a frame rate", path=self.path, hint="give fps")
            stamp = round(self.count / self.fps / _TIME_BASE)
        elif math.isfinite(time) and time >= 0:
            stamp = round(Fraction(time) / _TIME_BASE)
        else:
            raise VideoError(f"frame {self.count} cannot be shown at {time} s", path=self.path)
        if self._last is not None and stamp <= self._last:
            raise VideoError(
                f"frame {self.count} at {float(stamp * _TIME_BASE):.3f} s is not later than the one before",
                path=self.path,
            )
        return stamp

    def _convert(self, image: np.ndarray) -> VideoFrame:
        width, height = self.size
        if width % 2 or height % 2:
            image = np.pad(image, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        frame = self._reformatter.reformat(
            VideoFrame.from_ndarray(np.ascontiguousarray(image), "rgb24"),
            format="yuv420p",
            dst_colorspace=Colorspace.ITU709,
            src_color_range=ColorRange.JPEG,
            dst_color_range=ColorRange.MPEG,
            interpolation=SCALING,
            threads=1,
        )
        frame.color_primaries, frame.color_trc = ColorPrimaries.BT709, ColorTrc.BT709
        return frame

    def _finish(self) -> None:
        assert self._container is not None
        if self.count == 0:
            raise VideoError("no frame was written, so there is no video", path=self.path)
        self._container.mux(self._stream.encode(None))
        self._copy_sound(math.inf)
        container, self._container = self._container, None
        container.close()

    def _abandon(self, error: BaseException) -> None:
        """Let the temporary file go: the error is handed to the stack, which removes it."""
        container, self._container = self._container, None
        if container is not None:
            # The file is about to be removed, and the error that counts is on its way.
            with suppress(*_LIBRARY_ERRORS):
                container.close()
        self._stack.__exit__(type(error), error, error.__traceback__)


def _packets(packets: Iterator[Packet], copy: AudioStream, begin: int) -> Iterator[tuple[float, Packet]]:
    """Packets made ready for another stream, moved so that the source's video starts at 0, with their times."""
    for packet in packets:
        if packet.dts is None or packet.pts is None:
            continue  # the mark of the end
        end = float((packet.pts - begin + (packet.duration or 0)) * packet.time_base)
        if end < -_PRIMING:
            continue
        packet.pts -= begin
        packet.dts -= begin
        packet.stream = copy
        yield float(packet.dts * packet.time_base), packet
