from __future__ import annotations

import os
from pathlib import Path

import av
import numpy as np
import pytest
from video_files import difference, make_sound, make_video, number, picture

from dataset.errors import NotAVideoError, VideoError
from dataset.files import sha256_file
from dataset.video import VideoInfo, VideoWriter, read_frames

SUFFIXES = [".mp4", ".mov", ".mkv"]


def _write(path: Path, count: int = 10, **options: object) -> Path:
    with VideoWriter(path, (96, 64), **{"fps": 25, **options}) as video:  # type: ignore[arg-type]
        for index in range(count):
            video.write(picture(index))
    return path


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_what_is_written_is_read_back(suffix: str, tmp_path: Path) -> None:
    path = _write(tmp_path / f"a{suffix}", 30)
    frames = list(read_frames(path))
    assert [number(frame.image) for frame in frames] == list(range(30))
    np.testing.assert_allclose([frame.time for frame in frames], np.arange(30) / 25, atol=1e-6)
    assert max(difference(frame.image, frame.index) for frame in frames) < 2
    info = VideoInfo.from_path(path)
    assert (info.codec, info.pixel_format, info.width, info.height) == ("h264", "yuv420p", 96, 64)
    assert (info.frame_count, info.constant_rate, info.average_fps) == (30, True, pytest.approx(25))
    assert info.duration == pytest.approx(1.2, abs=1e-3)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_times_are_kept_to_the_millisecond(suffix: str, tmp_path: Path) -> None:
    times = [0.0, 0.041, 0.1, 0.101, 0.5, 1.999, 2.0, 4.0]
    with VideoWriter(tmp_path / f"a{suffix}", (96, 64)) as video:
        for index, time in enumerate(times):
            video.write(picture(index), time)
    frames = list(read_frames(tmp_path / f"a{suffix}"))
    assert [number(frame.image) for frame in frames] == list(range(8))
    np.testing.assert_allclose([frame.time for frame in frames], times, atol=2e-5)
    assert VideoInfo.from_path(tmp_path / f"a{suffix}").duration == pytest.approx(6.0, abs=0.01)


@pytest.mark.parametrize("fps", [24000 / 1001, 23.976, 30000 / 1001, 60, 12.5, 15])
def test_a_frame_rate_does_not_drift(fps: float, tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "a.mp4", (16, 16), fps=fps, preset="ultrafast") as video:
        for _ in range(200):
            video.write(np.zeros((16, 16, 3), np.uint8))
    info = VideoInfo.from_path(tmp_path / "a.mp4")
    assert info.average_fps == pytest.approx(fps, rel=2e-6)
    assert info.constant_rate


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_colours_come_back_and_are_tagged_bt709_limited(suffix: str, tmp_path: Path) -> None:
    colours = [
        (255, 0, 0),
        (0, 255, 0),
        (0, 0, 255),
        (255, 255, 255),
        (0, 0, 0),
        (200, 100, 50),
        (128, 128, 128),
    ]
    path = tmp_path / f"a{suffix}"
    with VideoWriter(path, (64, 48), fps=25, crf=1) as video:
        for colour in colours:
            video.write(np.full((48, 64, 3), colour, np.uint8))
    for frame, colour in zip(read_frames(path), colours, strict=True):
        np.testing.assert_allclose(frame.image[20, 20], colour, atol=2)
    with av.open(str(path)) as container:
        context = container.streams.video[0].codec_context
        tags = (context.colorspace, context.color_range, context.color_primaries, context.color_trc)
        assert tags == (1, 1, 1, 1)
        # The stored numbers are those of the definition: BT.709 red is 63, 102, 240 in limited range.
        stored = next(container.decode(video=0))
        planes = [np.frombuffer(plane, np.uint8)[0] for plane in stored.planes]
        np.testing.assert_allclose(planes, (63, 102, 240), atol=1)


@pytest.mark.parametrize("size", [(97, 65), (96, 65), (97, 64), (1, 1), (2, 3)])
def test_odd_sizes_are_padded_by_the_last_row_and_column(size: tuple[int, int], tmp_path: Path) -> None:
    width, height = size
    image = np.zeros((height, width, 3), np.uint8)
    image[:, -1] = image[-1] = 255
    with VideoWriter(tmp_path / "a.mp4", size, fps=25, crf=1) as video:
        video.write(image)
    (frame,) = read_frames(tmp_path / "a.mp4")
    assert frame.image.shape == (height + height % 2, width + width % 2, 3)
    assert frame.image[-1].min() > 200
    assert frame.image[:, -1].min() > 200


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize(
    "tags",
    [
        {"comment": "Synthetic: nobody did this.", "description": "as above"},
        {"comment": "Synthetic – né à Zürich", "danceproof_model": "sha256:abc", "description": "as above"},
    ],
    ids=["standard", "custom"],
)
def test_tags_survive(suffix: str, tags: dict[str, str], tmp_path: Path) -> None:
    path = _write(tmp_path / f"a{suffix}", 2, metadata=tags)
    assert tags.items() <= VideoInfo.from_path(path).metadata.items()


def test_standard_tags_are_where_players_look_for_them(tmp_path: Path) -> None:
    path = _write(tmp_path / "a.mp4", 2, metadata={"comment": "Synthetic: nobody did this."})
    assert b"\xa9cmt" in path.read_bytes()


def test_an_mp4_can_be_played_while_it_is_loaded(tmp_path: Path) -> None:
    data = _write(tmp_path / "a.mp4").read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")


def test_the_same_frames_give_the_same_bytes(tmp_path: Path) -> None:
    assert sha256_file(_write(tmp_path / "a.mp4", 30)) == sha256_file(_write(tmp_path / "b.mp4", 30))


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("start", [0.0, 0.5])
def test_sound_is_copied_packet_for_packet_in_time(suffix: str, start: float, tmp_path: Path) -> None:
    source = make_video(tmp_path / "source.mkv", 50, sound=2.0, start=start)
    path = _write(tmp_path / f"a{suffix}", 50, audio_from=source)
    expected = [(time, data) for time, data in _sound(source) if time > -0.25]
    assert len(expected) > 20
    written = _sound(path)
    assert [data for _, data in written] == [data for _, data in expected]
    np.testing.assert_allclose([time for time, _ in written], [time for time, _ in expected], atol=0.0021)
    assert VideoInfo.from_path(path).has_audio
    assert [number(frame.image) for frame in read_frames(path)] == list(range(50))


def test_sound_without_pictures_can_be_copied_too(tmp_path: Path) -> None:
    source = make_sound(tmp_path / "song.m4a", 1.0)
    path = _write(tmp_path / "a.mp4", 25, audio_from=source)
    assert [data for _, data in _sound(path)] == [data for _, data in _sound(source)]


def test_pictures_and_sound_lie_side_by_side(tmp_path: Path) -> None:
    path = _write(tmp_path / "a.mkv", 100, audio_from=make_sound(tmp_path / "song.m4a", 4.0))
    with av.open(str(path)) as container:
        kinds = [packet.stream.type for packet in container.demux() if packet.size]
    middle = kinds[len(kinds) // 4 : -len(kinds) // 4]
    assert {"audio", "video"} <= set(middle)


def test_a_source_without_sound_is_an_error(tmp_path: Path) -> None:
    silent = make_video(tmp_path / "silent.mp4", 3)
    with pytest.raises(NotAVideoError, match="has no sound to copy"):
        _write(tmp_path / "a.mp4", audio_from=silent)
    assert sorted(tmp_path.iterdir()) == [silent]


def test_sound_that_the_container_cannot_hold_is_an_error(tmp_path: Path) -> None:
    source = tmp_path / "source.mov"
    with av.open(str(source), "w") as container:
        stream = container.add_stream("pcm_mulaw", rate=16_000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 16_000), np.int16), "s16", "mono")
        frame.sample_rate = 16_000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with pytest.raises(VideoError, match=r"\.mp4 cannot hold the sound of source\.mov \(pcm_mulaw\)"):
        _write(tmp_path / "a.mp4", audio_from=source)
    assert VideoInfo.from_path(_write(tmp_path / "a.mov", audio_from=source)).has_audio


def test_a_video_without_frames_leaves_nothing(tmp_path: Path) -> None:
    with (
        pytest.raises(VideoError, match="no frame was written"),
        VideoWriter(tmp_path / "a.mp4", (64, 48), fps=25),
    ):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("count", [0, 1, 60])
def test_an_exception_leaves_the_old_file_and_nothing_else(count: int, tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_text("old")
    with pytest.raises(KeyboardInterrupt), VideoWriter(path, (96, 64), fps=25) as video:  # noqa: PT012
        for index in range(count):
            video.write(picture(index))
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_text() == "old"


def test_the_old_file_stays_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_text("old")
    with VideoWriter(path, (96, 64), fps=25) as video:
        video.write(picture(0))
        assert path.read_text() == "old"
    assert len(list(read_frames(path))) == 1


@pytest.mark.parametrize(
    ("image", "time", "words"),
    [
        (np.zeros((64, 97, 3), np.uint8), None, "expected uint8 pictures of shape"),
        (np.zeros((64, 96, 3), np.float32), None, "expected uint8 pictures"),
        (np.zeros((64, 96), np.uint8), None, "expected uint8 pictures"),
        (picture(1), 0.0, "not later than the one before"),
        (picture(1), -1.0, "cannot be shown at"),
        (picture(1), float("nan"), "cannot be shown at"),
    ],
)
def test_a_frame_that_cannot_be_written_is_an_error(
    image: np.ndarray, time: float | None, words: str, tmp_path: Path
) -> None:
    with pytest.raises(VideoError, match=words), VideoWriter(tmp_path / "a.mp4", (96, 64), fps=25) as video:  # noqa: PT012
        video.write(picture(0))
        video.write(image, time)
    assert list(tmp_path.iterdir()) == []


def test_a_frame_needs_a_time_or_a_rate(tmp_path: Path) -> None:
    with (
        pytest.raises(VideoError, match="needs a frame rate – give fps"),
        VideoWriter(tmp_path / "a.mp4", (96, 64)) as v,
    ):
        v.write(picture(0))


def test_frames_belong_inside_the_with_block(tmp_path: Path) -> None:
    with pytest.raises(VideoError, match="inside the with block"):
        VideoWriter(tmp_path / "a.mp4", (96, 64), fps=25).write(picture(0))


def test_settings_that_x264_refuses_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(VideoError, match="refuses crf 18, preset nonsense"):
        _write(tmp_path / "a.mp4", preset="nonsense")
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").mkdir()
    with pytest.raises(VideoError, match="written"):
        _write(tmp_path / "a.mp4")
    (tmp_path / "file").touch()
    with pytest.raises(VideoError, match="cannot be written"):
        _write(tmp_path / "file" / "a.mp4")
    assert sorted(os.listdir(tmp_path)) == ["a.mp4", "file"]


def test_a_full_disk_is_an_error() -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    # The temporary file goes beside the target, so the failing device is put behind a file of ours.
    with pytest.raises(VideoError, match="written"):
        _write(Path("/dev/full/a.mp4"))


def test_a_writer_refuses_what_it_cannot_do(tmp_path: Path) -> None:
    for path, size, options, words in (
        ("a.avi", (64, 48), {"fps": 25}, "cannot write .avi"),
        ("a", (64, 48), {"fps": 25}, "without a suffix"),
        ("a.mp4", (0, 48), {"fps": 25}, "0×48"),
        ("a.mp4", (64, 48), {"fps": 0}, "frame rate"),
        ("a.mp4", (64, 48), {"fps": float("nan")}, "frame rate"),
        ("a.mp4", (64, 48), {"fps": 25, "crf": 52}, "crf 52"),
    ):
        with pytest.raises(VideoError, match=words):
            VideoWriter(tmp_path / path, size, **options)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


def _sound(path: Path) -> list[tuple[float, bytes]]:
    """Time, from the first picture on, and bytes of each packet of sound."""
    with av.open(str(path)) as container:
        begin = 0.0
        if container.streams.video:
            video = container.streams.video[0]
            begin = float((video.start_time or 0) * video.time_base)
        return [
            (float((packet.pts or 0) * packet.time_base) - begin, bytes(packet))
            for packet in container.demux(audio=0)
            if packet.size
        ]
