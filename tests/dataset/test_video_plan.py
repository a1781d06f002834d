"""Seeking or reading through, and what is left out: counted in decoded frames."""

from __future__ import annotations

import random
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from video_files import make_video, number

from dataset.video import frame_sizes, frame_times, pairs, read_frames, read_pairs
from dataset.video.cursor import Cursor
from dataset.video.plan import plan
from dataset.video.timeline import scan

X265 = "log-level=none:keyint=60:bframes=3:b-pyramid=1"
REORDERED: dict[str, dict] = {
    "h264.mp4": {"options": {"bf": "3", "b-pyramid": "normal", "b_strategy": "0", "g": "60"}},
    "h264.mkv": {"options": {"bf": "3", "b-pyramid": "normal", "b_strategy": "0", "g": "60"}},
    "h264.ts": {"options": {"bf": "3", "b_strategy": "0", "g": "60"}},
    "hevc.mp4": {"codec": "libx265", "options": {"x265-params": f"{X265}:b-adapt=0"}},
    "mpeg2.mkv": {
        "codec": "mpeg2video",
        "time_base": Fraction(1, 25),
        "options": {"bf": "2", "b_strategy": "0", "g": "60"},
    },
    "mpeg4.mkv": {"codec": "mpeg4", "options": {"bf": "2", "b_strategy": "0", "g": "60"}},
}


@pytest.fixture
def cursors(monkeypatch: pytest.MonkeyPatch) -> list[Cursor]:
    """The cursors that `read_pairs` has used."""
    used: list[Cursor] = []

    class Watched(Cursor):
        def __init__(self, *args: object, **settings: object) -> None:
            super().__init__(*args, **settings)  # type: ignore[arg-type]
            used.append(self)

    monkeypatch.setattr(pairs, "Cursor", Watched)
    return used


def _numbers(path: Path, wanted: list[int], threads: int = 1) -> list[int]:
    times = frame_times(path)
    found = list(read_pairs(path, [times[index] for index in wanted], threads=threads))
    assert [pair.first.index for pair in found] == wanted
    assert [number(pair.second.image) for pair in found] == [index + 1 for index in wanted]
    return [number(pair.first.image) for pair in found]


def test_a_single_key_frame_is_decoded_once_however_the_times_are_ordered(
    tmp_path: Path, cursors: list[Cursor]
) -> None:
    path = make_video(tmp_path / "one.mp4", 240, options={"g": "1000", "bf": "0", "sc_threshold": "0"})
    wanted = [int(index) for index in np.linspace(3, 236, 16)]
    random.Random(1).shuffle(wanted)
    assert _numbers(path, wanted) == wanted
    assert cursors[0].decoded_frames <= 240


def test_pictures_too_large_to_hold_back_are_read_in_the_order_asked_for(
    tmp_path: Path, cursors: list[Cursor], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dataset.video.plan.HELD_BYTES", 0)
    path = make_video(tmp_path / "one.mp4", 60, options={"g": "1000", "bf": "0", "sc_threshold": "0"})
    assert _numbers(path, [50, 10, 40]) == [50, 10, 40]
    assert cursors[0].decoded_frames > 60


def test_dense_key_frames_are_sought(tmp_path: Path, cursors: list[Cursor]) -> None:
    path = make_video(tmp_path / "dense.mp4", 300, options={"g": "10", "bf": "0", "sc_threshold": "0"})
    wanted = [35, 135, 235]
    assert _numbers(path, wanted) == wanted
    # From the key frame five frames before, with a few packets that the decoder holds back.
    assert cursors[0].decoded_frames <= 3 * (7 + 2)


def test_the_plan_counts_what_is_then_decoded(tmp_path: Path, cursors: list[Cursor]) -> None:
    for gap in (10, 45, 1000):
        path = make_video(
            tmp_path / f"{gap}.mkv", 200, options={"g": str(gap), "bf": "0", "sc_threshold": "0"}
        )
        wanted = [5, 60, 61, 130, 190]
        route = plan(scan(path), wanted, 0)
        assert route.seeks == (gap < 1000)
        _numbers(path, wanted)
        assert cursors[-1].decoded_packets <= route.packets + 2 * len(wanted)
        assert cursors[-1].decoded_packets >= route.packets - 12 * len(wanted)


@pytest.mark.parametrize("name", REORDERED)
@pytest.mark.parametrize("threads", [1, 3])
def test_frames_that_nothing_refers_to_are_not_decoded_and_the_others_are_the_same(
    name: str, threads: int, tmp_path: Path, cursors: list[Cursor]
) -> None:
    path = make_video(tmp_path / name, 120, **REORDERED[name])
    everything = list(read_frames(path))
    wanted = [7, 8, 30, 50, 75, 93, 118]
    problems: list[str] = []
    times = [everything[index].time for index in wanted]
    for pair, index in zip(read_pairs(path, times, threads=threads, problems=problems), wanted, strict=True):
        assert (pair.first.index, pair.second.index) == (index, index + 1)
        np.testing.assert_array_equal(pair.first.image, everything[index].image)
        np.testing.assert_array_equal(pair.second.image, everything[index + 1].image)
    assert problems == []
    assert cursors[0].decoded_frames <= 0.75 * cursors[0].decoded_packets


def test_layers_of_time_in_hevc_are_all_decoded(tmp_path: Path, cursors: list[Cursor]) -> None:
    path = make_video(
        tmp_path / "layers.mp4",
        120,
        codec="libx265",
        options={"x265-params": f"{X265}:b-adapt=0:temporal-layers=3"},
    )
    assert _numbers(path, [30, 75, 110]) == [30, 75, 110]
    assert cursors[0].decoded_frames >= cursors[0].decoded_packets - 4


def test_where_seeking_fails_it_is_not_tried_again(
    tmp_path: Path, cursors: list[Cursor], monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[int] = []

    def refuse(self: Cursor, key: object) -> bool:
        tried.append(1)
        return False

    monkeypatch.setattr(Cursor, "_seek", refuse)
    path = make_video(tmp_path / "dense.mkv", 200, options={"g": "10", "bf": "0", "sc_threshold": "0"})
    assert _numbers(path, [15, 65, 115, 165]) == [15, 65, 115, 165]
    assert len(tried) == 1
    assert cursors[0].decoded_packets <= 200


def test_a_long_damaged_end_costs_a_few_looks_not_one_for_each_key_frame(
    tmp_path: Path, cursors: list[Cursor]
) -> None:
    path = make_video(tmp_path / "clip.mov", 400, codec="prores_ks", pixels="yuv422p10le", size=(32, 32))
    _spoil(path, range(100, 400))
    problems: list[str] = []
    found = list(read_pairs(path, [2.0, 15.0, 15.5], problems=problems))
    assert [pair.first.index for pair in found] == [50, 98, 98]
    assert cursors[0].decoded_packets < 4 * 400
    assert any(problem.startswith("damaged: ") for problem in problems)


def test_damage_gives_the_nearest_frames_even_where_frames_are_left_out(tmp_path: Path) -> None:
    path = make_video(
        tmp_path / "clip.mkv", 60, options={"g": "20", "bf": "3", "b_strategy": "0", "sc_threshold": "0"}
    )
    whole = [frame.index for frame in read_frames(path)]
    assert whole == list(range(60))
    _spoil(path, range(25, 40))
    left = [frame.index for frame in read_frames(path)]
    (pair,) = read_pairs(path, [1.4])
    before = [index for index in left if index <= 35]
    assert pair.first.index == before[-1]
    assert pair.second.index == left[left.index(before[-1]) + 1]


def _spoil(path: Path, packets: range) -> None:
    """Overwrite packets, by their place in the file, with zeros."""
    with av.open(str(path)) as container:
        contents = [bytes(packet) for packet in container.demux(video=0) if packet.size]
    data = bytearray(path.read_bytes())
    place = 0
    for index, content in enumerate(contents):
        place = data.index(content, place)
        if index in packets:
            data[place : place + len(content)] = bytes(len(content))
        place += len(content)
    path.write_bytes(data)


def test_sizes_lie_beside_the_times_and_tell_key_frames(tmp_path: Path) -> None:
    path = make_video(tmp_path / "clip.mkv", 60, options={"g": "20", "bf": "2", "sc_threshold": "0"})
    sizes = frame_sizes(path)
    assert len(sizes) == len(frame_times(path)) == 60
    assert np.flatnonzero(sizes < 0).tolist() == [0, 20, 40]
    with av.open(str(path)) as container:
        assert np.abs(sizes).sum() == sum(packet.size for packet in container.demux(video=0))
