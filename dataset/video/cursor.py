"""Moving through a video and decoding it: forward frame by frame, or to a frame by way of a key frame."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import av.error
import numpy as np
from av.packet import Packet
from av.video.frame import VideoFrame

from dataset.video.picture import Converter
from dataset.video.plan import SEEK_COST, leap
from dataset.video.source import Opened, demux, open_video
from dataset.video.timeline import Key, Timeline, one_layer, scan

# Codecs in which a picture says by itself that no other is predicted from it, so that it can be left out. HEVC says
# it for one layer of time only.
_TELL_REFERENCES = frozenset(("h264", "hevc", "mpeg4", "mpeg2video", "mpeg1video"))


@dataclass
class Decoded:
    """A decoded frame with its number in display order; its picture is converted when first asked for."""

    index: int
    time: float
    frame: VideoFrame | None  # given back to the decoder once the picture is there
    converter: Converter
    _image: np.ndarray | None = None

    @property
    def image(self) -> np.ndarray:
        """uint8 (H, W, 3), RGB, upright."""
        if self._image is None:
            assert self.frame is not None
            self._image, self.frame = self.converter.convert(self.frame), None
        return self._image


class Cursor:
    """A place in a video. Use it as a context manager, to have the file closed.

    Args:
        path: the video.
        problems: what goes wrong while decoding is appended here.
        threads: decoder threads; 0 chooses by the processors and by the size of the pictures.
        timeline: that of the file, if it was read before.
    """

    def __init__(
        self, path: Path, problems: list[str], *, threads: int = 0, timeline: Timeline | None = None
    ) -> None:
        self.timeline: Timeline = timeline or scan(path)
        self.decoded_packets = 0  # how many packets went to the decoder, over all seeks
        self.decoded_frames = 0  # how many frames came out of it; fewer where some are left out
        self._path = path
        self._problems = problems
        self._threads = threads
        self._converter = Converter(self.timeline.first, path)
        self._stack = ExitStack()
        self._opened: Opened | None = None
        self.ended = False  # whether the decoder has given its last frame
        self._fed = -1  # number, in decoding order, of the last packet fed to the decoder
        self._last = -1  # number of the last frame returned
        self._floor: int | None = None  # after seeking, frames that are shown before this are not whole
        self._frames: Iterator[Decoded] = iter(())
        self._damage: dict[int, float] = {}  # where packets do not decode whole, with the time from which
        self._noted: set[str] = set()
        self._seeks = True
        self._wanted: frozenset[int] | None = None  # timestamps of the frames that are not left out
        problems.extend(self.timeline.problems)

    def __enter__(self) -> Cursor:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file and say what was damaged."""
        self._stack.close()
        self._opened = None
        if count := len(self._damage):
            plural = "s" if count > 1 else ""
            time = min(self._damage.values())
            self._problems.append(
                f"damaged: {count} packet{plural} from {time:.2f} s on could not be decoded whole"
            )
            self._damage.clear()

    def next(self) -> Decoded | None:
        """The next frame in display order, or None at the end."""
        if self._opened is None:
            self._restart()
        frame = next(self._frames, None)
        if frame is None:
            self.ended = True
        else:
            self._last = frame.index
        return frame

    @property
    def from_start(self) -> bool:
        """Whether the frames come from the start of the file: no other way could yield more of them."""
        return self._opened is not None and self._floor is None

    def rewind(self) -> None:
        """Have the next `goto` begin at a key frame or at the start, wherever this cursor is."""
        self.ended = True

    def read_through(self) -> None:
        """Seek no more: go forward by decoding, and back by beginning anew."""
        self._seeks = False

    def want_only(self, indices: Collection[int] | None) -> None:
        """Leave out frames that are not among `indices` and that no other frame is predicted from.

        They are not decoded, which changes nothing in the frames that are. None wants every frame. Where a file does
        not tell such frames by their timestamps or its codec does not mark them, all are decoded.
        """
        self._wanted = None
        if indices is not None and self.timeline.exact:
            self._wanted = frozenset(
                self.timeline.stamps[index] for index in indices if index < len(self.timeline.stamps)
            )

    @property
    def leaves_out(self) -> bool:
        """Whether frames may be left out."""
        return self._wanted is not None

    def goto(self, index: int) -> bool:
        """Go to where decoding yields the frame `index`, by the cheapest way.

        Returns:
            True if the place changed: then frames before `index` may come first, and the frames that came
            before this call do not join on. False if reading on from the last frame, which may be `index`
            itself, is the cheapest way.
        """
        ahead = self._opened is not None and not self.ended and self._last <= index
        if ahead and not (self._seeks and leap(self.timeline, index, self._fed)):
            return False
        key = self.timeline.key_before(index) if self._seeks else None
        if key is None or key.order <= SEEK_COST:
            self._restart()
        elif not self._seek(key):
            self.read_through()  # what failed once is not tried for every frame
            self._restart()
        return True

    def _restart(self) -> None:
        """Begin at the start of the file, with a fresh decoder."""
        self._stack.close()
        self._opened = self._stack.enter_context(open_video(self._path, threads=self._threads))
        self._begin(demux(self._opened), None)

    def _begin(self, packets: Iterator[Packet], key: Key | None) -> None:
        self.ended = False
        self._fed = -1 if key is None else key.order
        self._last = -1 if key is None else self.timeline.rank[key.pts] - 1
        self._floor = None if key is None else key.pts
        self._frames = self._decode(packets)

    def _seek(self, key: Key) -> bool:
        """Go to a key frame; False if the container does not lead there."""
        if self._opened is None:
            self._restart()
        assert self._opened is not None
        container, stream = self._opened
        # Some containers keep an index of display times, others one of decoding times.
        for target in dict.fromkeys((key.pts, key.pts if key.dts is None else key.dts)):
            try:
                container.seek(target, stream=stream)
                packets = demux(self._opened)
                landing = next(packets, None)
            except (av.error.FFmpegError, OSError):
                continue
            if landing is not None and landing.is_keyframe and landing.pts == key.pts:
                self._begin(_chain(landing, packets), key)
                return True
        return False

    def _decode(self, packets: Iterator[Packet]) -> Iterator[Decoded]:
        timeline = self.timeline
        assert self._opened is not None
        context = self._opened.stream.codec_context
        codec = context.codec.canonical_name
        skips = codec in _TELL_REFERENCES and (codec != "hevc" or one_layer(context.extradata))
        while True:
            try:
                packet = next(packets, None)
            except (av.error.FFmpegError, OSError):
                packet = None  # the scan came no further either, and `problems` says so
            if packet is None:
                return
            if packet.is_corrupt and packet.pts is not None and packet.pts == timeline.cut:
                continue
            if packet.pts is not None:
                self._fed = timeline.order.get(packet.pts, self._fed)
            self.decoded_packets += bool(packet.size)
            if skips:
                wanted = self._wanted is None or packet.pts is None or packet.pts in self._wanted
                context.skip_frame = "DEFAULT" if wanted else "NONREF"
            try:
                frames = packet.decode()
            except av.error.EOFError:
                return
            except (av.error.FFmpegError, ValueError):
                self._damaged()
                continue
            for frame in frames:
                self.decoded_frames += 1
                if placed := self._place(frame):
                    yield placed

    def _place(self, frame: VideoFrame) -> Decoded | None:
        timeline = self.timeline
        if not timeline.exact:
            index = self._last + 1
        elif frame.pts is None or frame.pts not in timeline.rank:
            return None  # shown before the first frame, or made up by the decoder
        elif self._floor is not None and frame.pts < self._floor:
            return None  # refers to frames from before the key frame
        else:
            index = timeline.rank[frame.pts]
        beyond = max(index - len(timeline.times) + 1, 0)
        time = float(timeline.times[index - beyond]) + beyond * timeline.step
        if frame.is_corrupt:
            self._damaged()
        if index <= self._last:
            self._note("order", f"timestamps run backwards at {time:.2f} s")
        if not self._converter.fits(frame):
            change = f"picture size changes to {frame.width}×{frame.height} at {time:.2f} s"
            self._note("size", f"{change}; scaled to the size of the first frame")
        return Decoded(index, time, frame, self._converter)

    def _note(self, kind: str, problem: str) -> None:
        """Tell a problem, once for each kind."""
        if kind not in self._noted:
            self._noted.add(kind)
            self._problems.append(problem)

    def _damaged(self) -> None:
        # A packet may be decoded several times, but is counted once where packets can be told apart.
        packet = self._fed if self.timeline.exact else self.decoded_packets
        # Threads tell of an error some packets late; the frame that is due tells where it is.
        time = float(self.timeline.times[min(self._last + 1, len(self.timeline.times) - 1)])
        self._damage.setdefault(packet, time)


def _chain(first: Packet, rest: Iterator[Packet]) -> Iterator[Packet]:
    yield first
    yield from rest
