from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from textures import texture, write_video

from dataset.pose import PeopleFinder
from dataset.pose.keypoints import B
from dataset.video import Frame, FramePair
from forensics.motion import packet_motion
from forensics.people import Sighting
from forensics.views import ViewConfig, choose_times, cut, sampled_times, watch

CONFIG = ViewConfig()


def pair(width: int = 640, height: int = 480) -> FramePair:
    random = np.random.default_rng(0)
    first, second = (random.integers(0, 256, (height, width, 3), np.uint8) for _ in range(2))
    return FramePair(Frame(0, 1.0, first), Frame(1, 1.04, second))


def sighting(box: tuple[float, float, float, float], **points: tuple[float, float]) -> Sighting:
    body = np.zeros((25, 3), np.float32)
    for name, (x, y) in points.items():
        body[B[name]] = (x, y, 0.9)
    return Sighting(1, 1.0, body, box)


def test_times_cover_the_whole_length_and_leave_a_successor() -> None:
    times = np.arange(100) / 10
    chosen = choose_times(times, 10)
    assert len(chosen) == 10
    assert chosen[0] < 1
    assert 9 <= chosen[-1] <= 9.8
    assert len(choose_times(times[:3], 10)) == 2
    assert choose_times(times[:1], 10) == []


def test_more_pairs_lie_where_something_moves_and_none_twice() -> None:
    times = np.arange(101) / 25
    motion = np.zeros(101)
    motion[60:80] = 1.0
    chosen = np.array(choose_times(times, 10, motion)) * 25
    lively = ((chosen >= 60) & (chosen < 80)).sum()
    assert lively >= 5
    assert chosen.min() < 20
    motion[:] = 0
    motion[99] = 1.0
    crowded = choose_times(times, 60, motion)
    assert len(set(crowded)) == 60
    assert np.allclose(choose_times(times, 10, np.ones(101)), choose_times(times, 10), atol=0.041)


def test_motion_is_told_by_the_packets_of_a_video(tmp_path: Path) -> None:
    still = np.repeat(texture(1, 1, 96), 30, 0)
    path = write_video(tmp_path / "a.mp4", np.concatenate([still, texture(1, 30, 96)]), fps=10)
    motion = packet_motion(path, np.arange(60) / 10)
    assert motion.shape == (60,)
    assert np.median(motion[35:]) > 2 * np.median(motion[:25])
    assert sampled_times(path, ViewConfig(pairs=8, motion=0.9))[3] > 2.5
    assert sampled_times(path, ViewConfig(pairs=8, motion=0.0))[3] == pytest.approx(2.5, abs=0.2)


def test_a_close_window_is_cut_pixel_for_pixel_from_the_same_place_of_both_frames() -> None:
    frames = pair()
    views = cut(frames, sighting((200, 50, 400, 450), Nose=(300, 150)), CONFIG)
    (head,) = [view for view in views if view.part == "head"]
    assert head.box == (236, 86, 364, 214)
    assert head.scale == 1
    assert np.array_equal(head.pixels[0], frames.first.image[86:214, 236:364])
    assert np.array_equal(head.pixels[1], frames.second.image[86:214, 236:364])


def test_windows_at_the_edge_move_inside() -> None:
    views = cut(pair(), sighting((500, 50, 640, 450), Nose=(639, 5), LAnkle=(635, 478)), CONFIG)
    for view in views:
        if view.kind == "close":
            x0, y0, x1, y1 = view.box
            assert x0 >= 0
            assert y0 >= 0
            assert x1 <= 640
            assert y1 <= 480


def test_parts_that_are_not_seen_give_no_window() -> None:
    parts = {view.part for view in cut(pair(), sighting((200, 50, 400, 450), Nose=(300, 150)), CONFIG)}
    assert parts == {"head", "upper", "lower", "whole"}


def test_a_person_too_small_gives_no_window() -> None:
    assert cut(pair(), sighting((300, 100, 340, 190), Nose=(320, 110)), CONFIG) == []


@pytest.mark.parametrize("height", [120, 256, 440])
def test_normal_views_show_the_person_at_one_size(height: int) -> None:
    views = cut(pair(), sighting((260, 20, 360, 20 + height), Nose=(310, 40)), CONFIG)
    (upper,) = [view for view in views if view.part == "upper"]
    assert (upper.box[3] - upper.box[1]) / height == pytest.approx(0.5, abs=0.02)
    assert upper.pixels.shape == (2, 128, 128, 3)


def test_a_very_large_person_is_shrunk_for_close_windows_too() -> None:
    frames = pair(1200, 1200)
    (head,) = [
        v for v in cut(frames, sighting((300, 50, 700, 1074), Nose=(500, 200)), CONFIG) if v.part == "head"
    ]
    assert head.scale == 0.5
    assert head.box[2] - head.box[0] == 256


def test_a_picture_smaller_than_the_window_is_filled_up_evenly() -> None:
    frames = pair(100, 110)
    views = cut(frames, sighting((10, 5, 90, 105), Nose=(50, 20)), CONFIG)
    assert all(view.pixels.shape == (2, 128, 128, 3) for view in views)
    (head,) = [view for view in views if view.part == "head"]
    assert np.array_equal(head.pixels[0][9:119, 14:114], frames.first.image)


def test_a_margin_adds_room_on_every_side() -> None:
    plain = cut(pair(), sighting((200, 50, 400, 450), Nose=(300, 200)), CONFIG)
    wide = cut(pair(), sighting((200, 50, 400, 450), Nose=(300, 200)), CONFIG, margin=16)
    for one, other in zip(plain, wide, strict=True):
        assert other.pixels.shape == (2, 160, 160, 3)
        if one.kind == "close":
            assert np.array_equal(other.pixels[:, 16:-16, 16:-16], one.pixels)


def test_the_mannequin_is_followed_as_one_person(mannequin_video: Path) -> None:
    with PeopleFinder() as finder:
        seen = [sightings for _, sightings in watch(mannequin_video, finder, ViewConfig(pairs=4))]
    assert [[s.person for s in sightings] for sightings in seen] == [[1]] * 4
