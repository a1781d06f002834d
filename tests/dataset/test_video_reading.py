from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from video_files import difference, make_video, number, picture

from dataset.errors import VideoError
from dataset.video import VideoInfo, frame_times, read_frames

PLAIN = {"options": {"bf": "3", "g": "10"}}
FAST_VPX = {"deadline": "realtime", "cpu-used": "8", "b": "400k"}

# name → how it is made, and how far its pictures may be from the drawn ones in grey levels
KINDS: dict[str, tuple[dict, float]] = {
    "b_frames.mp4": (PLAIN, 3),
    "b_frames.mkv": (PLAIN, 3),
    "b_frames.mov": (PLAIN, 3),
    "b_frames.ts": (PLAIN, 3),
    "b_frames.avi": (PLAIN, 3),  # carries no times of display
    "mpeg4.avi": ({"codec": "mpeg4", "options": {"bf": "2", "q": "2"}}, 5),
    "mjpeg.avi": ({"codec": "mjpeg", "pixels": "yuvj420p", "options": {"q": "2"}}, 5),
    "uncompressed.avi": ({"codec": "rawvideo", "pixels": "bgr24"}, 0),
    "hevc.mp4": ({"codec": "libx265", "options": {"x265-params": "log-level=none:keyint=10"}}, 3),
    "ten_bit.mp4": ({"pixels": "yuv420p10le"}, 3),
    "sixteen_bit.mkv": ({"codec": "ffv1", "pixels": "yuv444p16le"}, 1),
    "vp8.webm": ({"codec": "libvpx", "options": FAST_VPX}, 4),
    "vp9.webm": ({"codec": "libvpx-vp9", "options": FAST_VPX}, 4),
    "alpha.mov": ({"codec": "qtrle", "pixels": "argb"}, 0),
    "alpha_prores.mov": ({"codec": "prores_ks", "pixels": "yuva444p10le"}, 2),
    "animation.gif": ({"codec": "gif", "pixels": "rgb8", "fps": 10}, 15),
    "open_gop.mkv": ({"options": {"x264-params": "open-gop=1:keyint=10:bframes=3"}}, 3),
    "elementary.h264": (PLAIN, 3),  # carries no times at all
}


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_of_file_gives_each_frame_once_at_its_time(name: str, tmp_path: Path) -> None:
    how, tolerance = KINDS[name]
    path = make_video(tmp_path / name, 25, **how)
    reader = read_frames(path)
    frames = list(reader)
    assert [number(frame.image) for frame in frames] == list(range(25))
    assert [frame.index for frame in frames] == list(range(25))
    fps = how.get("fps", 25)
    np.testing.assert_allclose([frame.time for frame in frames], np.arange(25) / fps, atol=1e-6)
    np.testing.assert_array_equal(frame_times(path), [frame.time for frame in frames])
    assert max(difference(frame.image, frame.index) for frame in frames) <= tolerance
    assert reader.problems == []


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_variable_rate_keeps_its_times(suffix: str, tmp_path: Path) -> None:
    times = [0.0, 0.04, 0.1, 0.11, 0.5, 0.9, 2.0, 2.033]
    path = make_video(tmp_path / f"variable{suffix}", times, time_base=Fraction(1, 1000))
    frames = list(read_frames(path))
    np.testing.assert_allclose([frame.time for frame in frames], times, atol=1e-9)
    assert [number(frame.image) for frame in frames] == list(range(8))
    assert not VideoInfo.from_path(path).constant_rate


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts"])
def test_time_counts_from_the_first_frame_wherever_the_container_begins(suffix: str, tmp_path: Path) -> None:
    path = make_video(tmp_path / f"late{suffix}", 10, start=1.5)
    np.testing.assert_allclose([frame.time for frame in read_frames(path)], np.arange(10) / 25, atol=1e-6)


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_phone_video_is_turned_upright(degrees: int, mirrored: bool, tmp_path: Path) -> None:
    path = make_video(tmp_path / "phone.mp4", 2, rotation=degrees, mirrored=mirrored)
    expected = np.rot90(picture(0), degrees // 90)  # a display matrix counts anticlockwise, and so does rot90
    if mirrored:
        expected = expected[:, ::-1]
    image = next(iter(read_frames(path))).image
    assert image.shape == expected.shape
    assert np.abs(image.astype(int) - expected).mean() < 3
    info = VideoInfo.from_path(path)
    assert (info.height, info.width) == expected.shape[:2]
    assert info.rotation == -degrees % 360


@pytest.mark.parametrize("pixels", ["yuv420p", "yuv444p"])
@pytest.mark.parametrize("size", [(97, 65), (98, 65), (97, 64)])
def test_odd_sizes_keep_their_last_row_and_column(pixels: str, size: tuple[int, int], tmp_path: Path) -> None:
    path = make_video(tmp_path / "odd.mkv", 3, codec="ffv1", pixels=pixels, size=size)
    for frame in read_frames(path):
        assert frame.image.shape == (size[1], size[0], 3)
        # The corners are coloured, so a last row or column that is lost or grey stands out.
        edge = picture(frame.index, size)[-1, -1].astype(int)
        assert np.abs(frame.image[-1, -1] - edge).max() <= 3


def test_transparent_parts_are_laid_on_black(tmp_path: Path) -> None:
    path = tmp_path / "glass.mov"
    image = np.zeros((48, 64, 4), np.uint8)
    image[..., :3] = (200, 100, 50)
    image[:, :16, 3] = 255
    image[:, 16:32, 3] = 128
    with av.open(str(path), "w") as container:
        stream = container.add_stream("qtrle", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "argb"
        container.mux(stream.encode(av.VideoFrame.from_ndarray(image, "rgba").reformat(format="argb")))
        container.mux(stream.encode(None))
    (frame,) = read_frames(path)
    assert frame.image[20, 8].tolist() == [200, 100, 50]
    np.testing.assert_allclose(frame.image[20, 24], [100, 50, 25], atol=1)
    assert frame.image[20, 40].tolist() == [0, 0, 0]


def test_frames_of_a_gif_that_look_alike_are_all_kept(tmp_path: Path) -> None:
    path = tmp_path / "still.gif"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("gif", rate=10)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "rgb8"
        for pts in range(5):
            frame = av.VideoFrame.from_ndarray(picture(7), "rgb24").reformat(format="rgb8")
            frame.pts, frame.time_base = pts, Fraction(1, 10)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    frames = list(read_frames(path))
    np.testing.assert_allclose([frame.time for frame in frames], [0, 0.1, 0.2, 0.3, 0.4], atol=1e-6)
    assert {number(frame.image) for frame in frames} == {7}


@pytest.mark.parametrize(
    ("matrix", "full"),
    [(1, False), (1, True), (5, False), (5, True), (9, False)],
    ids=["bt709", "bt709-full", "bt601", "bt601-full", "bt2020"],
)
def test_the_colour_matrix_and_range_of_the_stream_are_used(matrix: int, full: bool, tmp_path: Path) -> None:
    path = tmp_path / "colour.mkv"
    for colour in ((255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (0, 0, 0), (200, 100, 50)):
        _write_plane(path, _to_yuv(colour, matrix, full), matrix, full)
        (frame,) = read_frames(path)
        np.testing.assert_allclose(frame.image[8, 8], colour, atol=2)


@pytest.mark.parametrize(("size", "matrix"), [((64, 48), 5), ((1280, 720), 1), ((720, 1280), 1)])
def test_a_stream_that_states_no_matrix_is_taken_by_its_size(
    size: tuple[int, int], matrix: int, tmp_path: Path
) -> None:
    path = tmp_path / "unstated.mkv"
    _write_plane(path, _to_yuv((40, 180, 90), matrix, full=False), 2, False, size)
    (frame,) = read_frames(path)
    np.testing.assert_allclose(frame.image[8, 8], (40, 180, 90), atol=2)


def test_a_colour_system_that_cannot_be_converted_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "strange.mkv"
    _write_plane(path, (63, 102, 240), 14, False)  # ICtCp
    with pytest.raises(VideoError, match=r"colour matrix 14\) cannot be turned into RGB"):
        list(read_frames(path))


def test_a_part_is_read_from_start_to_before_stop(tmp_path: Path) -> None:
    path = make_video(tmp_path / "clip.mp4", 100, options={"g": "10", "bf": "2"})
    frames = list(read_frames(path, start=2.0, stop=2.4))
    assert [frame.index for frame in frames] == list(range(50, 60))
    assert [number(frame.image) for frame in frames] == list(range(50, 60))


def test_a_reader_can_be_left_early_and_read_again(tmp_path: Path) -> None:
    path = make_video(tmp_path / "clip.mp4", 10)
    with read_frames(path) as reader:
        for frame in reader:
            if frame.index == 3:
                break
        assert [frame.index for frame in reader] == list(range(10))


def test_the_number_of_decoder_threads_does_not_change_a_pixel(tmp_path: Path) -> None:
    path = make_video(tmp_path / "clip.mp4", 30, options=PLAIN["options"])
    one = [frame.image for frame in read_frames(path, threads=1)]
    four = [frame.image for frame in read_frames(path, threads=4)]
    np.testing.assert_array_equal(one, four)


def test_pictures_that_change_their_size_are_brought_to_the_first_size(tmp_path: Path) -> None:
    parts = [
        make_video(tmp_path / f"{size[0]}.h264", 3, size=size).read_bytes() for size in ((96, 64), (192, 128))
    ]
    both = tmp_path / "both.h264"
    both.write_bytes(b"".join(parts))
    reader = read_frames(both)
    assert [number(frame.image) for frame in reader] == [0, 1, 2, 0, 1, 2]
    assert {frame.image.shape for frame in reader} == {(64, 96, 3)}
    assert any("size changes" in problem for problem in reader.problems)


def _to_yuv(colour: tuple[int, int, int], matrix: int, full: bool) -> tuple[int, int, int]:
    """Y'CbCr of a colour by the definition of the matrix (ITU-R BT.601, BT.709, BT.2020)."""
    kr, kb = {1: (0.2126, 0.0722), 5: (0.299, 0.114), 9: (0.2627, 0.0593)}[matrix]
    r, g, b = (part / 255 for part in colour)
    y = kr * r + (1 - kr - kb) * g + kb * b
    cb, cr = (b - y) / (2 * (1 - kb)), (r - y) / (2 * (1 - kr))
    if full:
        values = (255 * y, 255 * cb + 128, 255 * cr + 128)
    else:
        values = (219 * y + 16, 224 * cb + 128, 224 * cr + 128)
    return tuple(int(min(max(round(value), 0), 255)) for value in values)  # type: ignore[return-value]


def _write_plane(
    path: Path, yuv: tuple[int, int, int], matrix: int, full: bool, size: tuple[int, int] = (64, 48)
) -> None:
    """A lossless video of one frame, all of one stored colour."""
    width, height = size
    planes = np.concatenate(
        [np.full(width * height // (1 if n == 0 else 4), value, np.uint8) for n, value in enumerate(yuv)]
    ).reshape(height * 3 // 2, width)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.colorspace, stream.codec_context.color_range = matrix, 2 if full else 1
        frame = av.VideoFrame.from_ndarray(planes, "yuv420p")
        frame.colorspace, frame.color_range = matrix, 2 if full else 1
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
