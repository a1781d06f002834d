"""Looking at one released video as closely as it takes: every frame, and everything the container says."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np

from dataset.errors import VideoError
from dataset.files import sha256_file
from dataset.provenance import read_marks
from dataset.release.fingerprint import Sketcher
from dataset.video import VideoInfo, read_frames

#: Tags that say on purpose whether a video was made, and so do not count as leaks.
MARK_TAGS = frozenset(("comment", "description"))


@dataclass(frozen=True)
class Seen:
    """What was found in a file.

    Attributes:
        sha256: of the file.
        problem: why it could not be decoded to its end, empty if it could.
        times: seconds of the frames that were decoded.
        size: width and height, 0 × 0 where nothing could be decoded.
        mark: what it says of being made, None if nothing.
        fingerprint: of its content, empty where nothing could be decoded.
        facts: what can be told without a look at the pictures, as numbers by name.
        table: digest of its table of frames: when each is shown, how many bytes it takes, and which are key frames.
    """

    sha256: str
    problem: str
    times: tuple[float, ...]
    size: tuple[int, int]
    mark: str | None
    fingerprint: str
    facts: dict[str, float]
    table: str


def look(path: Path) -> Seen:
    """Decode a whole video and read its container; memory stays constant."""
    sha256 = sha256_file(path)
    try:
        info = VideoInfo.from_path(path)
        sketcher = Sketcher()
        times: list[float] = []
        with read_frames(path, threads=1) as reader:
            for frame in reader:
                times.append(frame.time)
                sketcher.add(frame.image, frame.time)
        facts, table = container_facts(path, info)
        return Seen(
            sha256, "; ".join(reader.problems), tuple(times), (info.width, info.height), read_marks(info.metadata),
            sketcher.finish().to_hex() if times else "", facts, table,
        )  # fmt: skip
    except VideoError as error:
        return Seen(sha256, error.problem, (), (0, 0), None, "", {}, "")


def container_facts(path: Path, info: VideoInfo) -> tuple[dict[str, float], str]:
    """Numbers about the file, and a digest of its table of frames."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        packets = [
            (packet.size, int(packet.is_keyframe), packet.pts, packet.dts)
            for packet in container.demux(stream)
            if packet.size
        ]
        context = stream.codec_context
        described = (
            f"{context.name} {context.profile} {stream.time_base} {stream.average_rate} {context.pix_fmt}"
        )
        header = bytes(context.extradata or b"")
        lengths = np.array([size for size, *_ in packets], float)
        keys = np.flatnonzero([key for _, key, *_ in packets])
    per_pixel = lengths / (info.width * info.height)
    tags = {name: text for name, text in info.metadata.items() if name not in MARK_TAGS}
    facts = {
        "bytes per pixel": info.size_bytes / (info.width * info.height * len(packets)),
        "bits per second": 8 * info.size_bytes / max(info.duration, 1e-6),
        "width": float(info.width),
        "height": float(info.height),
        "frames": float(len(packets)),
        "frames per second": info.average_fps,
        "duration": info.duration,
        "constant rate": float(info.constant_rate),
        "largest frame": float(per_pixel.max()),
        "smallest frame": float(per_pixel.min()),
        "middle frame": float(np.median(per_pixel)),
        "spread of frames": float(per_pixel.std()),
        "key frames": float(len(keys)),
        "between key frames": float(np.diff(keys).max()) if len(keys) > 1 else float(len(packets)),
        "streams": float(len(info.streams)),
        "tags": float(len(tags)),
        "length of tags": float(sum(len(text) for text in tags.values())),
        "length of mark": float(sum(len(info.metadata.get(name, "").encode()) for name in MARK_TAGS)),
        # Words become numbers that are equal where the words are.
        "codec": _number(f"{info.container} {described}"),
        "encoder": _number(" ".join(f"{name}={text}" for name, text in sorted(tags.items()))),
        "header": _number(header.hex()),
    }
    return facts, hashlib.sha256(repr([*packets, described, header]).encode()).hexdigest()


def _number(text: str) -> float:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") / 2**32
