from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from phone import loud_from, sound_packets
from video_files import make_video

from dataset.video import VideoInfo, VideoWriter
from synthesis.sound import sound_of


def film_with(path: Path, codec: str, *, start: float = 0.0) -> Path:
    """Pictures for a second, and sound that is silent for half a second and then loud; both begin at `start`."""
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=10)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        video.time_base = video.codec_context.time_base = Fraction(1, 1000)
        rate = 16_000
        audio = container.add_stream(codec, rate=rate, layout="mono")
        for index in range(10):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 20 * index, np.uint8), "rgb24")
            frame.pts, frame.time_base = round(1000 * (index / 10 + start)), Fraction(1, 1000)
            container.mux(video.encode(frame.reformat(format="yuv420p")))
        container.mux(video.encode(None))
        wave = np.sin(np.arange(rate) * 2 * np.pi * 440 / rate) * (np.arange(rate) >= rate // 2)
        for begin in range(0, rate, 1000):
            piece = (wave[begin : begin + 1000] * 20_000).astype(np.int16)[None]
            frame = av.AudioFrame.from_ndarray(piece, "s16", "mono")
            frame.sample_rate, frame.time_base = rate, Fraction(1, rate)
            frame.pts = begin + round(start * rate)
            container.mux(audio.encode(frame))
        container.mux(audio.encode(None))
    return path


def rewrite(source: Path, out: Path) -> tuple[str, ...]:
    with (
        sound_of(source, out.suffix) as (sound, notes),
        VideoWriter(out, (64, 48), fps=10, audio_from=sound) as video,
    ):
        for _ in range(10):
            video.write(np.zeros((48, 64, 3), np.uint8))
    return notes


@pytest.mark.parametrize("start", [0.0, 1.5])
def test_sound_that_fits_is_copied_packet_for_packet(tmp_path: Path, start: float) -> None:
    source = film_with(tmp_path / "source.mp4", "aac", start=start)
    assert rewrite(source, tmp_path / "out.mp4") == ()
    assert sound_packets(tmp_path / "out.mp4") == sound_packets(source)
    assert loud_from(tmp_path / "out.mp4") == pytest.approx(0.5, abs=0.03)


@pytest.mark.parametrize(
    ("name", "codec", "start"),
    [("camera.mov", "pcm_s16le", 0.0), ("old.mov", "pcm_mulaw", 0.0), ("late.mkv", "pcm_s16le", 1.5)],
)
def test_other_sound_is_encoded_again_and_stays_in_time(
    tmp_path: Path, name: str, codec: str, start: float
) -> None:
    source = film_with(tmp_path / name, codec, start=start)
    (note,) = rewrite(source, tmp_path / "out.mp4")
    assert "encoded again as AAC" in note
    info = VideoInfo.from_path(tmp_path / "out.mp4")
    assert [stream.codec for stream in info.streams] == ["h264", "aac"]
    assert loud_from(tmp_path / "out.mp4") == pytest.approx(0.5, abs=0.03)


def test_without_sound_there_is_none(tmp_path: Path) -> None:
    with sound_of(make_video(tmp_path / "silent.mp4", 3), ".mp4") as (sound, notes):
        assert (sound, notes) == (None, ())
