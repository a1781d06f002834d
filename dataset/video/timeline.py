"""When each frame of a video is shown, and where its key frames are: learnt by demuxing, without decoding.

Two kinds of files are told apart. In most, every packet carries the time at which its frame is shown; such a
timeline is `exact`, a decoded frame is found in it by its timestamp, and key frames can be sought. AVI with
B-frames, what was made from it, raw streams and files with repeated timestamps carry only the times of
decoding; there the n-th frame that the decoder returns gets the n-th time, and the file is read from its start.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import av.error
import numpy as np
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from dataset.errors import NotAVideoError
from dataset.video.picture import Stored
from dataset.video.source import Opened, check_file, demux, open_video, reason, refused_size, too_large

# Codecs whose pictures after a key frame depend on nothing before it. GIF and its like paint over the picture
# before, whatever their packets are flagged as.
_SEEKABLE = frozenset(
    (
        *(
            "h264",
            "hevc",
            "vvc",
            "vp8",
            "vp9",
            "av1",
            "mpeg1video",
            "mpeg2video",
            "mpeg4",
            "msmpeg4v2",
            "msmpeg4",
        ),
        *("h263", "flv1", "wmv1", "wmv2", "wmv3", "vc1", "theora", "mjpeg", "prores", "dnxhd", "dvvideo"),
        *("jpeg2000", "ffv1", "huffyuv", "ffvhuff", "utvideo", "rawvideo"),
    )
)

# Frames decoded to find out whether timestamps that might be those of decoding are.
_PROBE = 40


class Key(NamedTuple):
    """A key frame: its place among the packets, and its timestamps."""

    order: int
    pts: int
    dts: int | None


class _Stamps(NamedTuple):
    pts: int | None
    dts: int | None
    key: bool
    duration: int
    size: int


@dataclass(frozen=True)
class Timeline:
    """The frames of a video in display order.

    Args:
        times: (T,) seconds of each frame from the first one.
        step: seconds that the last frame is shown, the best estimate there is.
        stamps: timestamp of each frame, in units of the stream.
        exact: whether decoded frames carry these timestamps.
        rank: timestamp → number of the frame in display order; empty unless exact.
        order: timestamp → number of the packet in decoding order; empty unless exact.
        keys: the key frames that can be sought; empty if the file has to be read from its start.
        cut: timestamp of a last packet that the end of the file cuts off, which is not decoded.
        first: how the first frame is stored.
        sizes: (T,) bytes of each frame's packet; below zero for key frames.
        problems: what is wrong with the file, in plain words.
    """

    times: np.ndarray
    step: float
    stamps: list[int] = field(repr=False)
    exact: bool
    rank: dict[int, int] = field(repr=False)
    order: dict[int, int] = field(repr=False)
    keys: list[Key] = field(repr=False)
    cut: int | None
    first: Stored
    sizes: np.ndarray = field(repr=False)
    problems: tuple[str, ...]

    @property
    def duration(self) -> float:
        """Seconds from the first frame to the end of the last."""
        return float(self.times[-1]) + self.step

    def at(self, time: float) -> int:
        """Number of the frame that is shown at a time; the first or last one outside the video."""
        # A microsecond of grace, for times that went through other arithmetic.
        return max(int(np.searchsorted(self.times, time + 1e-6, side="right")) - 1, 0)

    def key_before(self, index: int) -> Key | None:
        """The last key frame at or before a frame, in display order; None if nothing can be sought."""
        if not self.keys:
            return None
        place = bisect_right(self.keys, self.stamps[index], key=lambda key: key.pts)
        return self.keys[place - 1] if place else None

    def keys_back(self, index: int, count: int) -> int | None:
        """Number of the frame that is the `count`th key frame before that of a frame; None before the first."""
        if not self.keys:
            return None
        place = bisect_right(self.keys, self.stamps[index], key=lambda key: key.pts) - 1 - count
        return self.rank[self.keys[place].pts] if place >= 0 else None


def frame_times(path: str | Path) -> np.ndarray:
    """Seconds of every frame of a video, in display order, as float64 of shape (T,); the first is 0.

    The file is demuxed, not decoded; a frame that is damaged inside its packet is still listed.
    """
    return scan(path).times


def frame_sizes(path: str | Path) -> np.ndarray:
    """Bytes that each frame of a video takes, as int64 of shape (T,), beside `frame_times`; below zero for key frames.

    Where a file does not tell which packet is shown when, they come in the order of the packets.
    """
    return scan(path).sizes


def scan(path: str | Path) -> Timeline:
    """Read the timeline of a file: one pass over its packets, decoding only up to the first frame.

    The last ones read are remembered for as long as their files stay as they are.

    Raises:
        NotAVideoError, VideoError: as `open_video`; also if no frame can be decoded.
    """
    path = check_file(path)
    status = path.stat()
    return _scan(path, (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns))


@lru_cache(maxsize=2)
def _scan(path: Path, _state: tuple[int, ...]) -> Timeline:
    with open_video(path, threads=1) as opened:
        packets: list[_Stamps] = []
        first: VideoFrame | None = None
        decoded: list[int] = []
        failure = ""
        seen = 0
        cut_off = False
        cut: _Stamps | None = None
        broken = ""
        try:
            for packet in demux(opened):
                if first is None or (len(decoded) < _PROBE and _doubtful(packets, opened.stream)):
                    try:
                        for frame in packet.decode():
                            first = first or frame
                            decoded.append(frame.pts or 0)
                    except (av.error.FFmpegError, ValueError) as error:
                        failure = failure or reason(error)
                seen += bool(packet.size)
                if packet.size and not packet.is_discard and _shown(packet, opened.stream):
                    packets.append(
                        _Stamps(packet.pts, packet.dts, packet.is_keyframe, packet.duration or 0, packet.size)
                    )
                    cut_off = packet.is_corrupt
        except (av.error.FFmpegError, OSError) as error:
            failure = broken = reason(error)
        if cut_off and len(packets) > 1:
            cut = packets.pop()
        if first is None or not packets:
            if size := refused_size(path):
                raise too_large(Path(path), *size)
            raise NotAVideoError(
                f"no frame in it can be decoded{f' ({failure})' if failure else ''}",
                path=path,
                hint="it is damaged or protected: try to play it, or copy it again",
            )
        timeline = _timeline(opened, packets, first, decoded)
        problems = _problems(opened, timeline, seen, cut is not None, broken)
        return replace(timeline, cut=cut and cut.pts, problems=problems)


def one_layer(extradata: bytes | None) -> bool:
    """Whether an HEVC stream says that it has one layer of time, in the record that MP4 and Matroska keep of it.

    Args:
        extradata: HEVCDecoderConfigurationRecord (ISO/IEC 14496-15, 8.3.3.1), or None.
    """
    return extradata is not None and len(extradata) > 22 and extradata[0] == 1 and extradata[21] >> 3 & 7 == 1


def _doubtful(packets: list[_Stamps], stream: VideoStream) -> bool:
    """Whether frames are reordered by the codec but, as far as seen, not by their timestamps.

    Either the codec does not use its right to reorder, or the timestamps are those of decoding. Only decoding
    a few frames tells.
    """
    if not stream.codec_context.has_b_frames:
        return False
    stamps = [packet.pts for packet in packets[-_PROBE:] if packet.pts is not None]
    return all(before < after for before, after in pairwise(stamps))


def _timeline(opened: Opened, packets: list[_Stamps], first: VideoFrame, decoded: list[int]) -> Timeline:
    container, stream = opened
    base = stream.time_base
    assert base is not None
    shown = [packet.pts for packet in packets if packet.pts is not None]
    exact = (
        len(set(shown)) == len(packets)
        and first.pts in set(shown)
        and not (container.format.name == "avi" and stream.codec_context.has_b_frames)
        and all(before < after for before, after in pairwise(decoded))
    )
    rate = float(stream.average_rate or stream.guessed_rate or 25)
    rank: dict[int, int] = {}
    order: dict[int, int] = {}
    keys: list[Key] = []
    if exact:
        begin = first.pts or 0
        # Packets before the first frame that decodes (a recording that starts between key frames) show nothing.
        stamps = sorted(pts for pts in shown if pts >= begin)
        rank = {pts: number for number, pts in enumerate(stamps)}
        order = {packet.pts: number for number, packet in enumerate(packets) if packet.pts is not None}
        if stream.codec_context.codec.canonical_name in _SEEKABLE:
            keys = _keys(packets, begin)
    else:
        decoding = [packet.dts for packet in packets if packet.dts is not None]
        stamps = sorted(decoding if len(decoding) == len(packets) else shown)
    if len(stamps) == len(packets) or exact:
        ticks = np.array(stamps, np.int64)
        times = (ticks - ticks[0]).astype(np.float64) * base.numerator / base.denominator
    else:  # a raw stream without timestamps
        times = np.arange(len(packets)) / rate
    # MP4 keeps durations between times of decoding, which say nothing about the last frame if frames are reordered.
    reordered = stream.codec_context.has_b_frames and container.format.name.startswith("mov")
    latest = max(packets, key=lambda packet: packet.dts or 0 if packet.pts is None else packet.pts)
    step = 0.0 if reordered else float(latest.duration * base)
    if not step:
        step = float(times[-1] - times[-2]) if len(times) > 1 else 1 / rate
    shown_first = sorted(packets, key=lambda packet: packet.pts or 0) if exact else packets
    sizes = np.array([-packet.size if packet.key else packet.size for packet in shown_first], np.int64)
    sizes = sizes[len(sizes) - len(times) :]  # without those before the first frame that decodes
    return Timeline(times, step, stamps, exact, rank, order, keys, None, Stored.of(first), sizes, ())


def _keys(packets: list[_Stamps], begin: int) -> list[Key]:
    """The key frames that can be sought, in order; where the order of display turns back, the later is left out."""
    keys: list[Key] = []
    for number, (pts, dts, key, *_) in enumerate(packets):
        if key and pts is not None and pts >= begin and (not keys or pts > keys[-1].pts):
            keys.append(Key(number, pts, dts))
    return keys


def _shown(packet: Packet, stream: VideoStream) -> bool:
    """Whether a packet is a picture to be shown: VP8 keeps hidden reference pictures in packets of their own."""
    return stream.codec_context.codec.canonical_name != "vp8" or bool(bytes(packet)[0] & 0x10)


def _problems(opened: Opened, timeline: Timeline, seen: int, cut: bool, broken: str) -> tuple[str, ...]:
    """What is wrong with a file of which `seen` packets could be read, the last cut in two, before it was broken."""
    end = timeline.duration
    promised = _promised(opened, seen)
    # Headers round: half a second or a few frames are not worth an alarm, unless a frame is cut in two.
    if promised is not None and promised - end > (timeline.step if cut else max(0.5, 4 * timeline.step)):
        return (f"truncated: stopped at {end:.2f} s of {promised:.2f} s",)
    if cut:
        return (f"truncated: the file ends inside a frame at {end:.2f} s",)
    if broken:
        return (f"damaged: nothing can be read beyond {end:.2f} s ({broken})",)
    if opened.container.format.name == "gif" and not _gif_is_whole(Path(opened.container.name)):
        return (f"truncated: the file ends without its end mark, at {end:.2f} s",)
    return ()


def _gif_is_whole(path: Path) -> bool:
    """Whether a GIF ends with its end mark, whatever padding follows."""
    with open(path, "rb") as file:
        file.seek(max(path.stat().st_size - 64, 0))
        return file.read().rstrip(b"\0\r\n").endswith(b";")


def _promised(opened: Opened, seen: int) -> float | None:
    """Seconds of video that the header promises; None if it promises no more than was seen, or does not say."""
    container, stream = opened
    kind = container.format.name
    if seen >= stream.frames > 0:
        return None
    if kind == "avi":
        return float(stream.frames / stream.average_rate) if stream.frames and stream.average_rate else None
    if tag := re.fullmatch(r"(\d+):(\d+):(\d+(?:\.\d+)?)", stream.metadata.get("DURATION", "")):
        hours, minutes, seconds = (float(part) for part in tag.groups())
        begin = float((stream.start_time or 0) * (stream.time_base or 0))
        return hours * 3600 + minutes * 60 + seconds - begin
    if stream.frames and stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    sound = any(other.type == "audio" for other in container.streams)
    if kind.startswith(("matroska", "flv")) and container.duration and not sound:
        return (container.duration - (container.start_time or 0)) / 1_000_000
    return None
