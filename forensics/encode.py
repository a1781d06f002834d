"""Compression as videos meet it on their way: whole files by H.264, H.265 or VP9, and single windows in memory."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import av.error
import numpy as np
import numpy.typing as npt
from av.codec.context import CodecContext
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc
from av.video.stream import VideoStream

from dataset.errors import DetectorError, VideoError
from dataset.files import atomic_path
from dataset.video import VideoWriter
from dataset.video.picture import SCALING

Image = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Codec:
    """An encoder and what it is asked for; with one thread it gives the same bytes every time."""

    encoder: str
    decoder: str
    options: dict[str, str]
    most: int  # greatest rate factor


CODECS = {
    "h264": Codec("libx264", "h264", {"preset": "medium", "threads": "1", "mbtree": "0"}, 51),
    "h265": Codec(
        "libx265", "hevc", {"preset": "fast", "x265-params": "log-level=none:pools=none:frame-threads=1"}, 51
    ),
    "vp9": Codec(
        "libvpx-vp9",
        "vp9",
        {"b": "0", "deadline": "good", "cpu-used": "5", "threads": "1", "row-mt": "0"},
        63,
    ),
}
#: The same for windows, where starting the encoder is most of the cost.
_QUICK = {
    "h264": {"preset": "veryfast", "tune": "zerolatency"},
    "vp9": {"b": "0", "deadline": "realtime", "cpu-used": "8"},
}
_TIME_BASE = Fraction(1, 90_000)


def check_rate(codec: str, crf: int) -> None:
    """Refuse a codec or a rate that there is not.

    Raises:
        DetectorError: naming what there is.
    """
    if codec not in CODECS:
        raise DetectorError(f"no codec is called {codec!r}", hint=f"there are: {', '.join(CODECS)}")
    if not 0 <= crf <= CODECS[codec].most:
        raise DetectorError(f"crf of {codec} is from 0 to {CODECS[codec].most}, not {crf}")


def write_video(
    out: str | Path, frames: Iterable[tuple[Image, float]], size: tuple[int, int], codec: str, crf: int
) -> None:
    """Write frames with their times as MP4, yuv420p, BT.709.

    Args:
        out: .mp4; it appears when it is whole.
        frames: (H, W, 3) uint8 RGB pictures and their seconds.
        size: width and height; made even by leaving out a column or row.
        codec: one of `CODECS`.
        crf: rate factor of the encoder.

    Raises:
        DetectorError: there is no such codec or rate.
        VideoError: it cannot be written.
    """
    check_rate(codec, crf)
    if codec == "h264":
        with VideoWriter(out, size, crf=crf) as writer:
            for image, time in frames:
                writer.write(image, time)
        return
    chosen, width, height = CODECS[codec], size[0] - size[0] % 2, size[1] - size[1] % 2
    try:
        with atomic_path(out) as temporary, av.open(str(temporary), "w", format="mp4") as container:
            stream = container.add_stream(chosen.encoder, rate=30)
            assert isinstance(stream, VideoStream)
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
            stream.time_base = stream.codec_context.time_base = _TIME_BASE
            context = stream.codec_context
            context.color_range, context.colorspace = ColorRange.MPEG, Colorspace.ITU709
            context.color_primaries, context.color_trc = ColorPrimaries.BT709, ColorTrc.BT709
            stream.codec_context.options = chosen.options | {"crf": str(crf)}
            if codec == "h265":
                stream.codec_context.codec_tag = "hvc1"
            for image, time in frames:
                frame = _planes(image[:height, :width])
                frame.pts, frame.time_base = round(time / _TIME_BASE), _TIME_BASE
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
    except av.error.FFmpegError as error:
        raise VideoError(f"could not be encoded as {codec} ({error})", path=out) from error


def through_codec(window: Image, codec: str, crf: int) -> Image:
    """What a codec leaves of two consecutive frames in the middle of a video.

    The second frame goes in once more in front, so that, as in most of a video, both are predicted from what came
    before. Costs two to four milliseconds at 128 × 128 pixels.

    Args:
        window: (2, S, S, 3) uint8 RGB, S even.
        codec: "h264" or "vp9".
        crf: rate factor.
    """
    size = window.shape[1]
    encoder = CodecContext.create(CODECS[codec].encoder, "w")
    decoder = CodecContext.create(CODECS[codec].decoder, "r")
    assert isinstance(encoder, VideoCodecContext)
    assert isinstance(decoder, VideoCodecContext)
    encoder.width = encoder.height = size
    encoder.pix_fmt, encoder.time_base, encoder.framerate = "yuv420p", Fraction(1, 25), Fraction(25)
    encoder.options = _QUICK[codec] | {"crf": str(crf)}
    encoder.thread_count = decoder.thread_count = 1
    packets = []
    for number, image in enumerate((window[1], window[0], window[1])):
        frame = _planes(image)
        frame.pts = number
        packets += encoder.encode(frame)
    packets += encoder.encode(None)
    frames = [frame for packet in packets for frame in decoder.decode(packet)] + decoder.decode(None)
    pictures = [
        frame.reformat(
            format="rgb24",
            src_colorspace=Colorspace.ITU709,
            dst_color_range=ColorRange.JPEG,
            interpolation=SCALING,
        ).to_ndarray()
        for frame in frames[1:]
    ]
    if len(pictures) != 2:
        raise VideoError(f"{codec} gave {len(pictures)} of two pictures back")
    return np.stack(pictures)


def _planes(image: Image) -> VideoFrame:
    frame = VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
    planes = frame.reformat(
        format="yuv420p",
        dst_colorspace=Colorspace.ITU709,
        src_color_range=ColorRange.JPEG,
        dst_color_range=ColorRange.MPEG,
        interpolation=SCALING,
    )
    planes.color_primaries, planes.color_trc = ColorPrimaries.BT709, ColorTrc.BT709
    return planes
