"""Making the frames of a recording and of its fakes take the same number of bytes.

Encoded at one quality, a synthesised frame is smaller than a filmed one, so file size and bit rate alone would tell
them apart. Recordings and fakes of the same frames are therefore *levelled*: each frame is filled up to the largest
that this frame takes in any of them (per pixel). Afterwards their tables of frame sizes are the same, entry for entry.
The filling is an SEI message of unregistered user data (ITU-T H.264, D.1.7), which decoders pass over; filler data
NAL units would do as well in a stream, but MP4 does not allow them (ISO/IEC 14496-15, 5.3.2).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import av
from av.packet import Packet

from dataset.errors import ReleaseError
from dataset.files import atomic_path

#: Names the message as ours; version 5 of the name space "URL" for danceproof's filling.
_UUID = bytes.fromhex("6f5d0d2c8a405f0b9a1a3b1b0de6f1c4")
#: Four bytes of length, the types of the NAL unit and of the message, one byte of size, the UUID, the end.
_LEAST = 4 + 1 + 1 + 1 + 16 + 1


def packet_sizes(path: Path) -> list[int]:
    """Bytes of each video packet, in decoding order."""
    with av.open(str(path)) as container:
        return [packet.size for packet in container.demux(container.streams.video[0]) if packet.size]


def common_sizes(sizes: Sequence[Sequence[int]], pixels: Sequence[int]) -> list[list[int]]:
    """For each video of a group, how large each of its packets has to become.

    Args:
        sizes: packet sizes of each video; all have the same number of packets.
        pixels: of a frame, for each video. A larger picture gets larger packets, in proportion.

    Returns:
        Sizes as large as the given ones or larger by enough to hold a message; equal for equal pictures.
    """
    if len({len(of_one) for of_one in sizes}) != 1:
        raise ReleaseError("videos with different numbers of frames cannot be levelled together")
    most = [
        max(size / area for size, area in zip(row, pixels, strict=True)) for row in zip(*sizes, strict=True)
    ]
    # One message more than the largest needs, so that everybody has one: its absence would tell as well.
    return [[math.ceil(share * area) + _LEAST for share in most] for area in pixels]


def fill(source: Path, out: Path, sizes: Sequence[int], timing: Path | None = None) -> None:
    """Copy a video with its packets filled up to `sizes`; pictures and tags stay as they are.

    Args:
        source: encoded by `dataset.release.encode`.
        out: where to write.
        sizes: bytes of each packet, see `common_sizes`.
        timing: take the times from this file instead, whose n-th packet is the same frame. Fakes take those of the
            recording whose motion they have, so that not even rounding tells them apart.

    Raises:
        ReleaseError: a packet is too large to be filled up to its size.
    """
    stamps = _stamps(timing or source)
    with atomic_path(out) as temporary, av.open(str(source)) as given:
        stream = given.streams.video[0]
        with av.open(str(temporary), "w", format="mp4", container_options={"movflags": "+faststart"}) as made:
            made.metadata.update(
                {name: given.metadata[name] for name in ("comment", "description") if name in given.metadata}
            )
            copy = made.add_stream_from_template(stream)
            packets = (packet for packet in given.demux(stream) if packet.size)
            for packet, size, stamp in zip(packets, sizes, stamps, strict=True):
                content = bytes(packet)
                filled = Packet(message(size - len(content)) + content)
                filled.pts, filled.dts, filled.duration = stamp
                filled.time_base, filled.is_keyframe, filled.stream = (
                    packet.time_base,
                    packet.is_keyframe,
                    copy,
                )
                made.mux(filled)


def _stamps(path: Path) -> list[tuple[int | None, int | None, int]]:
    with av.open(str(path)) as container:
        return [
            (packet.pts, packet.dts, packet.duration or 0)
            for packet in container.demux(container.streams.video[0])
            if packet.size
        ]


def message(length: int) -> bytes:
    """An SEI NAL unit of user data, `length` bytes with the four bytes of its own length in front.

    A message with a payload of 255 k + r bytes (r < 255) writes its size in k + 1 bytes, so one message makes every
    length but one in 256; there a second, smallest one stands behind it.

    Raises:
        ReleaseError: a message cannot be so short.
    """
    if length < _LEAST:
        raise ReleaseError(f"{length} bytes are too few for a message, which needs {_LEAST}")
    second = _one(16) if (length - 8) % 256 == 255 else b""
    runs, rest = divmod(length - 8 - len(second), 256)
    unit = b"\x06" + _one(255 * runs + rest) + second + b"\x80"
    return len(unit).to_bytes(4, "big") + unit


def _one(payload: int) -> bytes:
    """Type, size and payload; no two zero bytes in a row, so nothing has to be escaped."""
    runs, rest = divmod(payload, 255)
    return b"\x05" + b"\xff" * runs + bytes([rest]) + _UUID + b"\x55" * (payload - len(_UUID))
