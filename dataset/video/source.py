"""Opening a file as video: what is refused, and why, before a frame is decoded."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import av
import av.error
import av.logging
from av.container import InputContainer
from av.packet import Packet
from av.stream import Disposition
from av.video.stream import VideoStream

from dataset.errors import NotAVideoError, VideoError
from dataset.video.limits import bounded_memory, decoder_threads

# A frame above this is refused before anything is allocated for it. It is more than 8K, whose pairs of RGB frames fit
# into a quarter of a gigabyte; a header of a few bytes may announce anything.
MAX_PIXELS = 40_000_000

# What the frames that decoder threads work on at the same time may take together, bytes.
_IN_FLIGHT = 256_000_000

# The library may wait so long, in seconds, for a file to open and for each further read: a disk that hangs, or a
# container that is built to be searched through for ever.
_PATIENCE = (30.0, 30.0)

# More streams than this are not looked at.
_MAX_STREAMS = 100

# Containers that hold moving pictures in one file. Left out on purpose are play lists and scripts (they open
# other files), single pictures, and text, which the library would also "play".
CONTAINERS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,gif,apng,mpegts,mpeg,mpegvideo,flv,live_flv,asf,asf_o,ogg,nut,"
    "ivf,obu,av1,h264,hevc,vvc,m4v,mjpeg,mxf,dv,yuv4mpegpipe,wtv,rm,swf"
)

_HINT = "give a video such as .mp4, .mov, .mkv, .webm, .avi or .gif"
_AGAIN = "it was cut off or never finished: copy or record it again"
_CONVERT = "convert it to H.264 in .mp4 first"


class Opened(NamedTuple):
    """An open container and the stream that is read from it."""

    container: InputContainer
    stream: VideoStream


def check_file(path: str | Path) -> Path:
    """Return `path` if it is a regular, readable file that is not empty; otherwise raise NotAVideoError."""
    path = Path(path)
    try:
        status = path.stat()
    except FileNotFoundError:
        raise NotAVideoError("no such file", path=path, hint="check the spelling of the path") from None
    except (OSError, ValueError) as error:
        raise NotAVideoError(f"cannot be opened ({reason(error)})", path=path) from error
    if stat.S_ISDIR(status.st_mode):
        raise NotAVideoError("is a folder, not a video", path=path, hint="name the files inside it")
    if not stat.S_ISREG(status.st_mode):
        raise NotAVideoError(
            "is a device or pipe, not a file", path=path, hint="save the video to a file first"
        )
    if not os.access(path, os.R_OK):
        raise NotAVideoError("no permission to read it", path=path, hint=f"chmod u+r {path.name}")
    if status.st_size == 0:
        raise NotAVideoError("the file is empty", path=path, hint="copy or download it again")
    return path


def open_container(path: str | Path) -> InputContainer:
    """Open a file as one of the known containers; the caller closes it.

    Raises:
        NotAVideoError: the file is missing, refused by `check_file`, or in no known container.
    """
    path = check_file(path)
    try:
        with bounded_memory():
            return av.open(
                # An absolute path, so that a name with a colon in it is not taken for a protocol.
                os.path.abspath(path),
                mode="r",
                options={"max_pixels": str(MAX_PIXELS)},
                container_options={
                    "format_whitelist": CONTAINERS,
                    "protocol_whitelist": "file",
                    "max_streams": str(_MAX_STREAMS),
                },
                metadata_errors="replace",
                timeout=_PATIENCE,
            )
    except (av.error.FFmpegError, ValueError, OSError, MemoryError) as error:
        if isinstance(error, MemoryError):
            raise NotAVideoError(
                "its header asks for more memory than any video needs", path=path, hint=_HINT
            ) from error
        with open(path, "rb") as file:
            start = file.read(12)
        if start[4:8] == b"ftyp":
            raise NotAVideoError(
                "the part of the file that says where its frames are is missing, so it cannot be read",
                path=path,
                hint=_AGAIN,
            ) from error
        if isinstance(error, av.error.EOFError):
            raise NotAVideoError("the file ends before its first frame", path=path, hint=_AGAIN) from error
        raise NotAVideoError(f"cannot be read as video ({reason(error)})", path=path, hint=_HINT) from error


@contextmanager
def open_video(path: str | Path, *, threads: int = 0) -> Iterator[Opened]:
    """Open the first real video stream of a file for decoding.

    Args:
        path: the file.
        threads: decoder threads; 0 takes one a processor, fewer for pictures so large that many at a time would
            not fit into memory. The pictures are the same for any number.

    Raises:
        NotAVideoError: nothing to decode (missing, a folder, audio only, not a video at all).
        VideoError: a video, but one that cannot be decoded here (unknown codec, too large).
    """
    container = open_container(path)
    try:
        stream = _choose_stream(container, Path(path))
        context = stream.codec_context
        context.thread_type = "AUTO"
        context.thread_count = threads or _threads(context.width, context.height)
        context.options = {"max_pixels": str(MAX_PIXELS)}
        yield Opened(container, stream)
    finally:
        container.close()


def _threads(width: int, height: int) -> int:
    # Each thread holds a frame of its own, of up to three bytes a pixel.
    fitting = _IN_FLIGHT // max(3 * width * height, 1)
    return max(1, min(decoder_threads(), fitting, 16))


def demux(opened: Opened) -> Iterator[Packet]:
    """The packets of the video stream, and at last an empty one that makes the decoder give what it holds back.

    Raises:
        FFmpegError, OSError: the container is broken from here on.
    """
    packets = iter(opened.container.demux(opened.stream))
    while True:
        try:
            packet = next(packets, None)
        except IndexError:
            return  # a stream that was not announced turned up; the library stumbles over it when all is read
        if packet is None:
            return
        # A packet with a time but no content is how AVI says that a picture stays. The decoder would take it for
        # the end.
        if packet.size or (packet.pts is None and packet.dts is None):
            yield packet


def _choose_stream(container: InputContainer, path: Path) -> VideoStream:
    """The first video stream that is not cover art, checked for a decoder and a sane size."""
    streams = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
    if not streams:
        if any(stream.type == "audio" for stream in container.streams):
            raise NotAVideoError("holds sound but no pictures", path=path, hint=_HINT)
        raise NotAVideoError("holds no video stream", path=path, hint=_HINT)
    stream = streams[0]
    if stream.codec_context is None:
        raise VideoError("its codec is unknown, so it cannot be decoded", path=path, hint=_CONVERT)
    if stream.codec_context.width * stream.codec_context.height > MAX_PIXELS:
        raise too_large(path, stream.codec_context.width, stream.codec_context.height)
    return stream


def too_large(path: Path, width: int, height: int) -> VideoError:
    """The error about frames above the limit."""
    return VideoError(
        f"its frames are {width}×{height}, more than {MAX_PIXELS // 1_000_000} megapixels",
        path=path,
        hint="scale it down first",
    )


def refused_size(path: str | Path) -> tuple[int, int] | None:
    """The width and height for which the library refuses to decode a file; None if that is not the reason.

    It only says so in its log, which is listened to while the first packets are tried again.
    """
    level, skips = av.logging.get_level(), av.logging.get_skip_repeated()
    av.logging.set_level(av.logging.ERROR)
    av.logging.set_skip_repeated(False)  # or what was said about the file before would not be said again
    try:
        with (
            av.logging.Capture(local=False) as log,
            open_video(path, threads=1) as opened,
            suppress(av.error.FFmpegError, OSError),  # expected: the container may be broken as well
        ):
            for packet in islice(demux(opened), 5):
                with suppress(av.error.FFmpegError, ValueError):  # expected: nothing in the file decodes
                    packet.decode()
    finally:
        av.logging.set_level(level)
        av.logging.set_skip_repeated(skips)
    for _, _, message in log:
        if size := re.search(r"Picture size (\d+)x(\d+)", message):
            return int(size[1]), int(size[2])
    return None


def reason(error: BaseException) -> str:
    """The system's or library's own words for an error, without its numbers and the path."""
    return str(getattr(error, "strerror", None) or error)
