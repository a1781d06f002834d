"""Writing H.264 that plays everywhere: 4:2:0, BT.709, tagged as such, with exact times."""

from __future__ import annotations

import os
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from types import TracebackType

import av
import av.error
import numpy as np
from av.container import InputContainer, OutputContainer
from av.video.frame import VideoFrame
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc, VideoReformatter
from av.video.stream import VideoStream

from dataset.errors import VideoError
from dataset.files import atomic_path
from dataset.video.picture import SCALING
from dataset.video.source import check_file

_SUFFIXES = {".mp4": "mp4", ".mov": "mov", ".mkv": "matroska"}
_TIME_BASE = Fraction(1, 90_000)

# x264's output depends on the number of threads; a fixed number gives the same bytes on every machine.
_THREADS = "4"


class VideoWriter:
    """Write frames as H.264 (yuv420p, BT.709, limited range) to .mp4, .mov or .mkv.

    Use it as a context manager. The file appears under its name when the block ends well; when it ends with an
    exception, or without a frame, nothing is left on disk.

    Example:
        >>> with VideoWriter("out.mp4", (640, 480), fps=25) as video:  # doctest: +SKIP
        ...     video.write(np.zeros((480, 640, 3), np.uint8))

    Args:
        path: where to write; the suffix chooses the container.
        size: width and height of the pictures. Odd sizes are padded to even ones by repeating the last
            column or row.
        fps: constant frame rate; needed unless every frame comes with its time.
        crf: constant rate factor of x264, 0 (lossless) to 51.
        preset: speed preset of x264.
        metadata: tags of the container, kept under any name.
        audio_from: a file whose first audio stream is copied packet for packet.

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
        if self.path.suffix.lower() not in _SUFFIXES:
            raise VideoError(
                f"cannot write {self.path.suffix or 'a name without suffix'}",
                path=self.path,
                hint="use .mp4, .mov or .mkv",
            )
        if min(size) < 1:
            raise VideoError(f"pictures of {size[0]}×{size[1]} cannot be written", path=self.path)
        if fps is not None and not 0 < fps <= 1000:
            raise VideoError(f"a frame rate of {fps} cannot be written", path=self.path)
        self.size = (int(size[0]), int(size[1]))
        self.fps = None if fps is None else Fraction(fps).limit_denominator(1001)
        self._crf, self._preset, self._metadata = crf, preset, dict(metadata or {})
        self._audio_from = None if audio_from is None else check_file(audio_from)
        self._stack = ExitStack()
        self._container: OutputContainer | None = None
        self._reformatter = VideoReformatter()
        self._last: int | None = None
        self.count = 0

    def __enter__(self) -> VideoWriter:
        try:
            self._open()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                self._finish()
        except BaseException as failure:
            self._abandon(failure)
            raise
        if error is not None:
            self._abandon(error)
        else:
            self._stack.close()

    def _open(self) -> None:
        temporary = self._stack.enter_context(atomic_path(self.path))
        self._container = av.open(
            os.fspath(temporary),
            "w",
            format=_SUFFIXES[self.path.suffix.lower()],
            container_options=self._container_options(),
        )
        self._container.metadata.update(self._metadata)
        self._stream: VideoStream = self._container.add_stream("libx264", rate=self.fps or 30)
        self._stream.width = self.size[0] + self.size[0] % 2
        self._stream.height = self.size[1] + self.size[1] % 2
        self._stream.pix_fmt = "yuv420p"
        context = self._stream.codec_context
        context.time_base = self._stream.time_base = _TIME_BASE
        context.color_range = ColorRange.MPEG
        context.colorspace = 1  # AVCOL_SPC_BT709
        context.color_primaries = ColorPrimaries.BT709
        context.color_trc = ColorTrc.BT709
        context.options = {"crf": str(self._crf), "preset": self._preset, "threads": _THREADS}
        self._audio: InputContainer | None = None
        if self._audio_from is not None:
            self._audio = av.open(os.path.abspath(self._audio_from))
            self._stack.callback(self._audio.close)
            self._source = self._audio.streams.audio[0]
            self._sound = self._container.add_stream_from_template(self._source)

    def _container_options(self) -> dict[str, str]:
        if self.path.suffix.lower() == ".mkv":
            return {}
        return {"movflags": "+faststart+use_metadata_tags"}

    def write(self, image: np.ndarray, time: float | None = None) -> None:
        """Add one picture.

        Args:
            image: uint8 (H, W, 3), RGB.
            time: seconds from the start, kept to the millisecond; without it, frame number / fps.
        """
        if self._container is None:
            raise VideoError("write() outside the with block", path=self.path)
        width, height = self.size
        if image.shape != (height, width, 3) or image.dtype != np.uint8:
            raise VideoError(
                f"expected uint8 pictures of shape {(height, width, 3)}, got {image.dtype} {image.shape}",
                path=self.path,
            )
        if time is None and self.fps is None:
            raise VideoError("a frame without a time needs a frame rate", path=self.path, hint="give fps")
        seconds = self.count / self.fps if time is None and self.fps else Fraction(time or 0)
        stamp = round(seconds / _TIME_BASE)
        if self._last is not None and stamp <= self._last:
            raise VideoError(
                f"frame {self.count} at {float(seconds):.3f} s is not later than the one before",
                path=self.path,
            )
        self._last = stamp
        self._encode(self._frame(image, stamp))
        self.count += 1

    def _frame(self, image: np.ndarray, stamp: int) -> VideoFrame:
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
        frame.pts, frame.time_base = stamp, _TIME_BASE
        return frame

    def _encode(self, frame: VideoFrame | None) -> None:
        assert self._container is not None
        try:
            self._container.mux(self._stream.encode(frame))
        except (av.error.FFmpegError, OSError) as error:
            raise VideoError(f"could not be encoded ({error})", path=self.path) from error

    def _finish(self) -> None:
        assert self._container is not None
        if self.count == 0:
            raise VideoError("no frame was written, so there is no video", path=self.path)
        self._encode(None)
        if self._audio is not None:
            for packet in self._audio.demux(self._source):
                if packet.dts is not None:
                    packet.stream = self._sound
                    self._container.mux(packet)
        self._container.close()
        self._container = None

    def _abandon(self, error: BaseException) -> None:
        """Let the temporary file go: hand the error to the stack, which removes it."""
        container, self._container = self._container, None
        if container is not None:
            try:
                container.close()
            except (av.error.FFmpegError, OSError, ValueError):
                pass  # the file is being removed and another error is on its way
        self._stack.__exit__(type(error), error, error.__traceback__)
