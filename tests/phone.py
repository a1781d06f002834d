"""Films as a phone would: turned on its side, at a variable rate, with sound."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from video_files import picture, tone

#: Width and height when upright.
SIZE = (96, 128)
_BASE = Fraction(1, 90_000)


def film_by_phone(path: Path, count: int = 13, *, sound: float = 1.0) -> list[float]:
    """A .mp4 whose n-th picture says n; stored lying, with a display matrix.

    Args:
        count: pictures.
        sound: seconds of an AAC tone, from the first picture on.

    Returns:
        Times of the pictures in seconds: uneven, in milliseconds.
    """
    dice = np.random.default_rng(count)
    times = np.round(np.cumsum(np.concatenate([[0.0], dice.uniform(0.021, 0.14, count - 1)])), 3).tolist()
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=30, options={"crf": "10"})
        stream.width, stream.height, stream.pix_fmt = SIZE[1], SIZE[0], "yuv420p"
        stream.codec_context.time_base = stream.time_base = _BASE
        stream.set_display_rotation(-90)
        audio = container.add_stream("aac", rate=16_000, layout="mono") if sound else None
        for index, time in enumerate(times):
            lying = np.ascontiguousarray(np.rot90(picture(index, SIZE)))
            frame = av.VideoFrame.from_ndarray(lying, "rgb24")
            frame.pts, frame.time_base = round(time / _BASE), _BASE
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        if audio is not None:
            for packet in tone(audio, sound):
                container.mux(packet)
    return times


def sound_packets(path: Path) -> Sequence[bytes]:
    """The bytes of each packet of sound."""
    with av.open(str(path)) as container:
        return [bytes(packet) for packet in container.demux(audio=0) if packet.size]


def loud_from(path: Path) -> float:
    """Seconds from the first picture at which the sound becomes loud."""
    with av.open(str(path)) as container:
        video = container.streams.video[0]
        begin = float((video.start_time or 0) * (video.time_base or 0))
        for frame in container.decode(audio=0):
            wave = frame.to_ndarray().astype(np.float64)
            wave = wave / 32768 if wave.max(initial=0) > 2 else wave
            loud = np.flatnonzero(np.abs(wave).reshape(-1) > 0.1)
            if len(loud) and frame.pts is not None:
                return float(frame.pts * frame.time_base) + int(loud[0]) / frame.sample_rate - begin
    raise AssertionError("the sound is never loud")
