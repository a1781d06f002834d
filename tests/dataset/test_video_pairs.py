from __future__ import annotations

import random
from collections import deque
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from video_files import make_video, number

from dataset.errors import VideoError
from dataset.video import frame_times, read_frames, read_pairs
from dataset.video.cursor import Cursor, Decoded
from dataset.video.pairs import advance

COUNT = 120
HEVC = "log-level=none:keyint=30:bframes=3"
KINDS: dict[str, dict] = {
    "b_frames.mp4": {"options": {"bf": "3", "g": "30"}},
    "b_frames.mkv": {"options": {"bf": "3", "g": "30"}},
    "b_frames.ts": {"options": {"bf": "3", "g": "30"}},
    "b_frames.avi": {"options": {"bf": "3", "g": "30"}},
    "open_gop.mkv": {"options": {"x264-params": "open-gop=1:keyint=30:min-keyint=30:bframes=3"}},
    "open_gop.mp4": {"codec": "libx265", "options": {"x265-params": f"{HEVC}:open-gop=1"}},
    "intra_refresh.mkv": {"options": {"x264-params": "intra-refresh=1:keyint=30:bframes=0"}},
    "one_key.mp4": {"options": {"g": "1000", "bf": "2"}},
    "all_keys.mov": {"codec": "prores_ks", "pixels": "yuv422p10le"},
    "vp9.webm": {"codec": "libvpx-vp9", "options": {"deadline": "realtime", "cpu-used": "8", "g": "30"}},
    "animation.gif": {"codec": "gif", "pixels": "rgb8"},
    "late.mkv": {"options": {"bf": "3", "g": "30"}, "start": 2.0},
    "elementary.h264": {"options": {"bf": "3", "g": "30"}},
}


@pytest.fixture(scope="module", params=KINDS)
def clip(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_video(tmp_path_factory.mktemp("clips") / request.param, COUNT, **KINDS[request.param])


def test_pairs_are_the_frames_that_reading_through_gives(clip: Path) -> None:
    frames = list(read_frames(clip))
    wanted = [0, 1, 28, 29, 30, 31, 31, 59, 60, 75, 76, 90, 117, 118]
    _check(clip, frames, wanted)
    random.Random(5).shuffle(wanted)
    _check(clip, frames, wanted)


def _check(clip: Path, frames: list, wanted: list[int]) -> None:
    problems: list[str] = []
    pairs = list(read_pairs(clip, [frames[index].time for index in wanted], problems=problems))
    assert [pair.first.index for pair in pairs] == wanted
    for pair, index in zip(pairs, wanted, strict=True):
        assert (number(pair.first.image), number(pair.second.image)) == (index, index + 1)
        for frame, read in ((pair.first, frames[index]), (pair.second, frames[index + 1])):
            assert (frame.index, frame.time) == (read.index, read.time)
            np.testing.assert_array_equal(frame.image, read.image)
    assert problems == []


def test_a_variable_rate_gives_the_frame_that_is_shown_at_the_time(tmp_path: Path) -> None:
    times = [0.0, 0.04, 0.1, 0.11, 0.5, 0.9, 2.0, 2.033]
    path = make_video(tmp_path / "variable.mp4", times, time_base=Fraction(1, 1000), options={"bf": "2"})
    pairs = list(read_pairs(path, [0.0, 0.039, 0.04, 0.105, 0.49, 1.99, 2.01]))
    assert [number(pair.first.image) for pair in pairs] == [0, 0, 1, 2, 3, 5, 6]
    assert [pair.second.time for pair in pairs] == pytest.approx([0.04, 0.04, 0.1, 0.11, 0.5, 2.0, 2.033])


def test_times_outside_give_the_first_and_the_last_pair(tmp_path: Path) -> None:
    path = make_video(tmp_path / "clip.mp4", 10)
    pairs = list(read_pairs(path, [-1.0, frame_times(path)[-1], 99.0]))
    assert [(pair.first.index, pair.second.index) for pair in pairs] == [(0, 1), (8, 9), (8, 9)]


def test_sorted_times_are_served_without_decoding_a_group_twice(tmp_path: Path) -> None:
    path = make_video(tmp_path / "clip.mp4", COUNT, options={"g": "30", "bf": "0"})
    times = frame_times(path)
    with Cursor(path, [], threads=1) as cursor:
        held: deque[Decoded] = deque(maxlen=2)
        for time in times[:-1]:
            advance(cursor, held, cursor.timeline.at(time))
        assert cursor.decoded_packets == COUNT


def test_groups_between_the_times_are_not_decoded(tmp_path: Path) -> None:
    path = make_video(tmp_path / "clip.mp4", COUNT, options={"g": "30", "bf": "0"})
    with Cursor(path, [], threads=1) as cursor:
        held: deque[Decoded] = deque(maxlen=2)
        for index in (2, 95):
            advance(cursor, held, index)
        assert [decoded.index for decoded in held] == [95, 96]
        # Frames 0–3 and 90–96, and a few that the decoder holds back.
        assert cursor.decoded_packets <= 4 + 7 + 4


def test_a_single_frame_has_no_pairs(tmp_path: Path) -> None:
    problems: list[str] = []
    path = make_video(tmp_path / "still.mp4", 1)
    assert list(read_pairs(path, [0.0, 1.0], problems=problems)) == []
    assert problems == ["only one frame can be decoded, so there is no pair of frames"]


def test_no_times_give_no_pairs_and_a_time_must_be_a_number(tmp_path: Path) -> None:
    path = make_video(tmp_path / "clip.mp4", 3)
    assert list(read_pairs(path, [])) == []
    with pytest.raises(VideoError, match="not a finite number"):
        list(read_pairs(path, [0.0, float("nan")]))


def test_a_group_that_is_damaged_gives_the_nearest_frames_that_decode(tmp_path: Path) -> None:
    path = make_video(
        tmp_path / "clip.mkv", 60, codec="libx264", options={"g": "20", "bf": "0", "sc_threshold": "0"}
    )
    _spoil(path, 20, 40)
    problems: list[str] = []
    pairs = list(read_pairs(path, [0.2, 1.0, 2.0], problems=problems))
    assert len(pairs) == 3
    assert (number(pairs[0].first.image), number(pairs[2].first.image)) == (5, 50)
    assert pairs[1].first.index < pairs[1].second.index
    assert any("could not be decoded" in problem for problem in problems)


def _spoil(path: Path, first: int, last: int) -> None:
    """Overwrite the packets of some frames with zeros, in place."""
    with av.open(str(path)) as container:
        packets = [bytes(packet) for packet in container.demux(video=0) if packet.size]
    data = bytearray(path.read_bytes())
    place = 0
    for index, packet in enumerate(packets):
        place = data.index(packet, place)
        if first <= index < last:
            data[place : place + len(packet)] = bytes(len(packet))
        place += len(packet)
    path.write_bytes(data)
