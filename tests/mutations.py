"""Small videos in many containers and codecs, and what can happen to such files."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

from video_files import make_video

SIZE = (128, 160)
FRAMES = 24
#: Names and how they are made: every container that a phone, a browser or an editor writes, and the common codecs.
KINDS: dict[str, dict] = {
    "h264.mp4": {"options": {"g": "8", "bf": "2"}, "container_options": {"movflags": "+faststart"}},
    "fragments.mp4": {"options": {"g": "8"}, "container_options": {"movflags": "frag_keyframe+empty_moov"}},
    "hevc.mp4": {"codec": "libx265", "options": {"x265-params": "log-level=none:keyint=8"}},
    "mjpeg.mov": {"codec": "mjpeg", "pixels": "yuvj420p"},
    "h264.mkv": {"options": {"g": "8", "bf": "2"}, "sound": 0.5},
    "vp9.webm": {"codec": "libvpx-vp9", "options": {"deadline": "realtime", "cpu-used": "8", "g": "8"}},
    "vp8.webm": {"codec": "libvpx", "options": {"deadline": "realtime", "cpu-used": "8", "g": "8"}},
    "mpeg4.avi": {"codec": "mpeg4", "options": {"g": "8"}},
    "animation.gif": {"codec": "gif", "pixels": "rgb8"},
    "h264.ts": {"options": {"g": "8", "bf": "2"}, "sound": 0.5},
    "sorenson.flv": {"codec": "flv", "options": {"g": "8"}},
    "vp8.ogv": {"codec": "libvpx", "options": {"deadline": "realtime", "cpu-used": "8", "g": "8"}},
    "mpeg2.mpg": {"codec": "mpeg2video", "options": {"g": "8"}, "time_base": Fraction(1, 25)},
    "wmv2.wmv": {"codec": "wmv2", "options": {"g": "8"}, "format": "asf"},
    "av1.mp4": {"codec": "libsvtav1", "options": {"preset": "12", "svtav1-params": "keyint=8"}},
}
_ABSURD = (0, 1, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0x10000000)
_BOXES = (
    b"moov", b"trak", b"mdia", b"minf", b"stbl", b"mvhd", b"tkhd", b"mdhd", b"hdlr", b"stsd", b"stts", b"ctts",
    b"stss", b"stsc", b"stsz", b"stco", b"edts", b"elst", b"avcC", b"hvcC", b"av1C", b"moof", b"traf", b"tfhd", b"trun",
    b"tfdt", b"mvex", b"trex", b"udta", b"ftyp", b"mdat",
)  # fmt: skip


def originals(folder: Path) -> dict[str, bytes]:
    """The bytes of one file of each kind."""
    return {
        name: make_video(folder / name, FRAMES, size=SIZE, **how).read_bytes() for name, how in KINDS.items()
    }


def mutants(data: bytes, count: int, seed: int) -> Iterator[tuple[str, bytes]]:
    """What happened, and the file as it is then; the kinds of damage come in turn."""
    kinds = list(_DAMAGES.items())
    for number in range(count):
        name, damage = kinds[number % len(kinds)]
        yield name, damage(bytearray(data), random.Random(f"{seed} {number} {len(data)}"))


def _flipped(data: bytearray, chance: random.Random) -> bytes:
    for _ in range(chance.choice((1, 3, 20, 200))):
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    return bytes(data)


def _flipped_header(data: bytearray, chance: random.Random) -> bytes:
    end = min(len(data), 900)
    for _ in range(chance.choice((1, 4, 16))):
        data[chance.randrange(end)] ^= 1 << chance.randrange(8)
    return bytes(data)


def _truncated(data: bytearray, chance: random.Random) -> bytes:
    return bytes(data[: chance.randrange(1, len(data))])


def _beheaded(data: bytearray, chance: random.Random) -> bytes:
    return bytes(data[chance.randrange(1, max(len(data) // 2, 2)) :])


def _shuffled(data: bytearray, chance: random.Random) -> bytes:
    """Boxes of MP4 in another order; elsewhere blocks of the file."""
    boxes = _top_boxes(data)
    if len(boxes) > 2 and chance.random() < 0.5:
        chance.shuffle(boxes)
        return b"".join(boxes)
    if names := [name for name in _BOXES if data.count(name)]:
        one, other = chance.choice(names), chance.choice(names)
        here, there = data.index(one), data.index(other)
        data[here : here + 4], data[there : there + 4] = other, one
        return bytes(data)
    size = max(len(data) // chance.choice((4, 16, 64)), 1)
    blocks = [bytes(data[begin : begin + size]) for begin in range(0, len(data), size)]
    head, tail = blocks[0], blocks[1:]
    chance.shuffle(tail)
    return head + b"".join(tail)


def _absurd(data: bytearray, chance: random.Random) -> bytes:
    """Numbers in the header, of either byte order, that no video has; the fields of known boxes above all."""
    places = [data.index(name) + 4 + 4 * chance.randrange(6) for name in _BOXES if name in data]
    for _ in range(chance.choice((1, 2, 6))):
        if places and chance.random() < 0.7:
            place, width = chance.choice(places), 4
        else:
            place, width = chance.randrange(min(len(data), 700)), chance.choice((1, 2, 4))
        value = chance.choice(_ABSURD) & (1 << 8 * width) - 1
        data[place : place + width] = value.to_bytes(width, chance.choice(("big", "little")))
    return bytes(data)


def _repeated(data: bytearray, chance: random.Random) -> bytes:
    begin = chance.randrange(len(data))
    piece = data[begin : begin + chance.randrange(1, 4000)]
    return bytes(data[:begin] + piece * chance.choice((2, 50)) + data[begin:])


def _blanked(data: bytearray, chance: random.Random) -> bytes:
    begin = chance.randrange(len(data))
    length = min(chance.randrange(1, max(len(data) // 2, 2)), len(data) - begin)
    data[begin : begin + length] = bytes(length) if chance.random() < 0.5 else chance.randbytes(length)
    return bytes(data)


def _top_boxes(data: bytearray) -> list[bytes]:
    boxes, place = [], 0
    while place + 8 <= len(data):
        (size,) = struct.unpack_from(">I", data, place)
        if size < 8 or data[place + 4 : place + 8] not in (*_BOXES, b"free", b"mfra"):
            return []
        boxes.append(bytes(data[place : place + size]))
        place += size
    return boxes


_DAMAGES: dict[str, Callable[[bytearray, random.Random], bytes]] = {
    "absurd numbers": _absurd,
    "flipped bits": _flipped,
    "truncated": _truncated,
    "shuffled": _shuffled,
    "flipped bits in the header": _flipped_header,
    "absurd numbers again": _absurd,
    "blanked": _blanked,
    "repeated": _repeated,
    "beheaded": _beheaded,
    "shuffled again": _shuffled,
}
