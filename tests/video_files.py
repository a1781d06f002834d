"""Makes the odd video files that the tests read: each picture carries its own number, in coarse blocks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

# Colours of the four corners of the number, so that a turned or mirrored picture is noticed, and so is a wrong
# colour matrix.
_CORNERS = ((230, 30, 30), (30, 200, 30), (40, 40, 220), (220, 200, 40))
_BITS = 10


def picture(number: int, size: tuple[int, int] = (96, 64)) -> np.ndarray:
    """A picture that says `number` (below 1024) in ten black or white blocks, between four coloured corners."""
    width, height = size
    image = np.full((height, width, 3), 128, np.uint8)
    h, w = height // 4, width // 4
    for (row, column), colour in zip(((0, 0), (0, 3), (3, 0), (3, 3)), _CORNERS, strict=True):
        image[_cell(row, h, height), _cell(column, w, width)] = colour
    for bit in range(_BITS):
        row, column = _place(bit)
        image[_cell(row, h, height), _cell(column, w, width)] = 255 if number >> bit & 1 else 0
    return image


def number(image: np.ndarray) -> int:
    """The number that a picture says, however lossy the coding was."""
    height, width = image.shape[:2]
    h, w = height // 4, width // 4
    value = 0
    for bit in range(_BITS):
        row, column = _place(bit)
        block = image[_cell(row, h, height), _cell(column, w, width)]
        inner = block[h // 4 : h - h // 4, w // 4 : w - w // 4]
        assert not 90 < inner.mean() < 165, f"bit {bit} is neither black nor white: {inner.mean():.0f}"
        value |= int(inner.mean() > 127) << bit
    return value


def difference(image: np.ndarray, number: int) -> float:
    """Mean absolute difference of a picture to the one drawn for `number`, in grey levels."""
    drawn = picture(number, (image.shape[1], image.shape[0]))
    return float(np.abs(image.astype(int) - drawn.astype(int)).mean())


def make_video(
    path: Path,
    times: Iterable[float] | int = 10,
    *,
    codec: str = "libx264",
    pixels: str = "yuv420p",
    size: tuple[int, int] = (96, 64),
    fps: int = 25,
    options: dict[str, str] | None = None,
    container_options: dict[str, str] | None = None,
    time_base: Fraction | None = None,
    rotation: float | None = None,
    mirrored: bool = False,
    colour: tuple[int, int, int, int] | None = None,
    sound: float = 0.0,
    start: float = 0.0,
    format: str | None = None,
) -> Path:
    """Write a video whose n-th frame says n.

    Args:
        times: seconds of each frame, or their number at `fps`.
        rotation: degrees counter-clockwise that a player is told to turn the stored pictures; with `mirrored`, the
            display matrix mirrors them too. The stored pictures are the drawn ones.
        colour: matrix, range, primaries and transfer (AVColor* numbers) to convert to and to state.
        sound: seconds of AAC audio.
        start: time of the first frame in the container.
    """
    stamps = [n / fps for n in range(times)] if isinstance(times, int) else list(times)
    base = time_base or Fraction(
        1,
        12800
        if codec not in ("gif", "mpeg4", "msmpeg4", "rawvideo", "mjpeg") and path.suffix != ".avi"
        else fps,
    )
    with av.open(str(path), "w", format=format, container_options=container_options or {}) as container:
        stream = container.add_stream(codec, rate=fps)
        stream.width, stream.height = size
        stream.pix_fmt = pixels
        stream.codec_context.time_base = stream.time_base = base
        stream.codec_context.options = options or {}
        if rotation is not None:
            stream.set_display_rotation(rotation, hflip=mirrored)
        if colour is not None:
            context = stream.codec_context
            context.colorspace, context.color_range, context.color_primaries, context.color_trc = colour
        audio = container.add_stream("aac", rate=16_000, layout="mono") if sound else None
        for index, stamp in enumerate(stamps):
            frame = av.VideoFrame.from_ndarray(picture(index, size), "rgb24")
            target = {"dst_colorspace": colour[0], "dst_color_range": colour[1]} if colour else {}
            frame = frame.reformat(format=pixels, **target)
            frame.pts, frame.time_base = round((stamp + start) / base), base
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        if audio is not None:
            for packet in tone(audio, sound):
                container.mux(packet)
    return path


def tone(stream: av.AudioStream, seconds: float) -> Sequence[av.Packet]:
    """The packets of a sine tone, encoded by `stream`."""
    rate = stream.codec_context.sample_rate
    packets: list[av.Packet] = []
    for begin in range(0, int(seconds * rate), 1024):
        wave = np.sin(np.arange(begin, begin + 1024) * 2 * np.pi * 440 / rate).astype(np.float32)[None] * 0.3
        frame = av.AudioFrame.from_ndarray(wave, "fltp", "mono")
        frame.sample_rate, frame.pts, frame.time_base = rate, begin, Fraction(1, rate)
        packets += stream.encode(frame)
    return packets + list(stream.encode(None))


def make_sound(path: Path, seconds: float = 1.0) -> Path:
    """A file that holds sound and no pictures."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=16_000, layout="mono")
        for packet in tone(stream, seconds):
            container.mux(packet)
    return path


def truncate(path: Path, fraction: float) -> Path:
    """Cut the end of a file off, in place, leaving `fraction` of its bytes."""
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * fraction)])
    return path


def _place(bit: int) -> tuple[int, int]:
    """Row and column, in a grid of four by four, of a bit: everywhere but in the corners."""
    free = [(row, column) for row in range(4) for column in range(4) if (row, column) not in _FIXED]
    return free[bit]


_FIXED = {(0, 0), (0, 3), (3, 0), (3, 3)}


def _cell(position: int, step: int, end: int) -> slice:
    return slice(position * step, end if position == 3 else (position + 1) * step)
