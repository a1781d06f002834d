from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import pytest
from video_files import make_video

from dataset.files import sha256_file
from dataset.video import VideoInfo


def test_the_facts_of_a_file(tmp_path: Path) -> None:
    path = make_video(tmp_path / "clip.mp4", 50, pixels="yuv420p10le", sound=2.0)
    info = VideoInfo.from_path(path)
    assert info.path == path
    assert "mp4" in info.container
    assert (info.codec, info.pixel_format) == ("h264", "yuv420p10le")
    assert (info.width, info.height, info.rotation) == (96, 64, 0)
    assert (info.frame_count, info.constant_rate) == (50, True)
    assert info.duration == pytest.approx(2.0, abs=1e-3)
    assert info.average_fps == pytest.approx(25)
    assert (info.sha256, info.size_bytes) == (sha256_file(path), path.stat().st_size)
    assert [(stream.kind, stream.codec) for stream in info.streams] == [("video", "h264"), ("audio", "aac")]
    assert info.streams[0].details == "96×64 yuv420p10le, 25.000 fps"
    assert info.streams[1].details == "16000 Hz, mono"
    assert info.has_audio
    assert "encoder" in info.metadata


@pytest.mark.parametrize(
    ("codec", "pixels", "suffix", "name"),
    [
        ("libsvtav1", "yuv420p", ".mp4", "av1"),
        ("libvpx-vp9", "yuv420p", ".webm", "vp9"),
        ("gif", "rgb8", ".gif", "gif"),
    ],
)
def test_codecs_have_their_own_names_not_those_of_a_library(
    codec: str, pixels: str, suffix: str, name: str, tmp_path: Path
) -> None:
    options = {"preset": "12"} if codec == "libsvtav1" else {}
    info = VideoInfo.from_path(
        make_video(tmp_path / f"a{suffix}", 3, codec=codec, pixels=pixels, options=options)
    )
    assert info.codec == name
    assert not info.has_audio


@pytest.mark.parametrize("suffix", [".mkv", ".flv", ".mp4"])
def test_rounding_to_the_clock_of_the_container_is_no_variable_rate(suffix: str, tmp_path: Path) -> None:
    times = [n * 1001 / 30000 for n in range(100)]  # 33 or 34 ms where the clock counts milliseconds
    info = VideoInfo.from_path(make_video(tmp_path / f"a{suffix}", times, time_base=Fraction(1, 90_000)))
    assert info.constant_rate
    assert info.average_fps == pytest.approx(30000 / 1001, rel=2e-4)


def test_one_late_frame_makes_the_rate_variable(tmp_path: Path) -> None:
    times = [n / 25 for n in range(20)] + [n / 25 + 0.1 for n in range(20, 40)]
    info = VideoInfo.from_path(make_video(tmp_path / "a.mp4", times))
    assert not info.constant_rate


def test_the_last_picture_of_an_animation_counts_as_long_as_it_is_shown(tmp_path: Path) -> None:
    path = tmp_path / "slides.gif"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("gif", rate=10)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "rgb8"
        stream.codec_context.time_base = stream.time_base = Fraction(1, 100)
        for pts in (0, 50, 200):
            frame = av.VideoFrame(32, 32, "rgb8")
            frame.pts, frame.time_base = pts, Fraction(1, 100)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    info = VideoInfo.from_path(path)
    with av.open(str(path)) as container:
        shown = sum(packet.duration or 0 for packet in container.demux(video=0)) / 100
    assert info.duration == pytest.approx(shown)
    assert info.frame_count == 3
    assert not info.constant_rate


def test_frames_that_cannot_be_counted_without_decoding_are_not_counted(tmp_path: Path) -> None:
    path = make_video(tmp_path / "a.avi", 20, options={"bf": "2"})  # carries times of decoding only
    assert VideoInfo.from_path(path).frame_count is None


def test_cover_art_is_not_the_video(tmp_path: Path) -> None:
    path = tmp_path / "cover.mp4"
    with av.open(str(make_video(tmp_path / "a.mp4", 5))) as source, av.open(str(path), "w") as container:
        cover = container.add_stream("png", rate=1)
        cover.width, cover.height, cover.pix_fmt = 32, 32, "rgb24"
        cover.disposition = av.stream.Disposition.attached_pic
        copy = container.add_stream_from_template(source.streams.video[0])
        container.mux(cover.encode(av.VideoFrame(32, 32, "rgb24")))
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream = copy
                container.mux(packet)
    info = VideoInfo.from_path(path)
    assert (info.codec, info.frame_count) == ("h264", 5)


def test_pixels_that_are_not_square_are_told(tmp_path: Path) -> None:
    path = tmp_path / "wide.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        stream.codec_context.sample_aspect_ratio = Fraction(16, 15)
        container.mux(stream.encode(av.VideoFrame(96, 64, "yuv420p")))
        container.mux(stream.encode(None))
    info = VideoInfo.from_path(path)
    assert (info.width, info.height) == (96, 64)
    assert info.streams[0].details.endswith("pixel aspect 16/15")
