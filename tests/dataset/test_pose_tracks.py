"""The main person: sightings linked into tracks, and windows round them."""

from __future__ import annotations

import numpy as np
import pytest

from dataset.pose.keypoints import Array, body_box
from dataset.pose.people import distance, prominence, without_doubles
from dataset.pose.tracks import link, main_tracks, windows

SIZE = (1000, 600)


def person(x: float, y: float = 300, height: float = 200, confidence: float = 0.9) -> Array:
    """Somebody round (x, y), a third as wide as high."""
    rng = np.random.default_rng(0)
    body = np.empty((25, 3), np.float32)
    body[:, 0] = x + (rng.random(25) - 0.5) * height / 3
    body[:, 1] = y + (rng.random(25) - 0.5) * height
    body[:, 2] = confidence
    return body


def walk(start: float, stop: float, x0: float, x1: float, **shape: float) -> list[tuple[float, Array]]:
    """Somebody seen every quarter of a second."""
    times = np.arange(start, stop + 1e-6, 0.25)
    xs = np.interp(times, [start, stop], [x0, x1])
    return [(float(t), person(float(x), **shape)) for t, x in zip(times, xs, strict=True)]


def moments(*people: list[tuple[float, Array]]) -> list[tuple[float, list[Array]]]:
    times = sorted({time for path in people for time, _ in path})
    return [(time, [body for path in people for t, body in path if t == time]) for time in times]


def test_two_who_walk_past_each_other_stay_two() -> None:
    tracks = link(moments(walk(0, 5, 100, 900), walk(0, 5, 900, 100, y=420, height=300)))
    assert [len(track.sightings) for track in tracks] == [21, 21]
    for track in tracks:
        heights = [box[3] - box[1] for box in (sighting.box for sighting in track.sightings)]
        assert max(heights) - min(heights) < 1


def test_nobody_jumps_across_the_picture() -> None:
    tracks = link(moments(walk(0, 1, 100, 120), walk(1.25, 2, 800, 820)))
    assert [(track.start, track.stop) for track in tracks] == [(0, 1), (1.25, 2)]


def test_somebody_hidden_for_a_second_is_the_same() -> None:
    assert len(link(moments(walk(0, 1, 300, 320), walk(2, 3, 330, 350)))) == 1


def test_the_large_person_is_the_main_one_and_the_bystander_is_left_out() -> None:
    tracks = link(moments(walk(0, 3, 450, 550, height=400), walk(0, 3, 900, 900)))
    chosen = main_tracks(tracks, SIZE, samples=13)
    assert len(chosen) == 1
    assert chosen[0].box_at(1.5)[3] - chosen[0].box_at(1.5)[1] > 300


def test_people_one_after_the_other_are_all_kept() -> None:
    tracks = link(moments(walk(0, 3, 400, 500), walk(8, 11, 400, 500)))
    assert [track.start for track in main_tracks(tracks, SIZE, samples=23)] == [0, 8]


def test_a_person_seen_only_once_in_a_long_video_is_a_mistake() -> None:
    once = link(moments([(1.0, person(500))]))
    assert main_tracks(once, SIZE, samples=20) == []
    assert len(main_tracks(once, SIZE, samples=2)) == 1


def test_who_stays_in_place_gets_one_window_that_holds_them() -> None:
    (track,) = link(moments(walk(0, 10, 480, 520)))
    (window,) = windows(track, padding=0.5)
    assert (window.start, window.stop) == (-0.5, 10.5)
    for sighting in track.sightings:
        x0, y0, x1, y1 = sighting.box
        assert window.left < x0 - 20
        assert window.top < y0 - 20
        assert window.left + window.side > x1 + 20
        assert window.top + window.side > y1 + 20


def test_windows_follow_a_walker_without_a_gap_and_stay_tight() -> None:
    (track,) = link(moments(walk(0, 8, 100, 900)))
    found = windows(track, padding=0.5)
    assert len(found) > 1
    assert [window.start for window in found[1:]] == [window.stop for window in found[:-1]]
    for window in found:
        assert window.side < 2 * 200 * 1.5
        for sighting in track.sightings:
            if window.start <= sighting.time <= window.stop:
                assert window.left <= sighting.box[0]
                assert sighting.box[2] <= window.left + window.side


def test_boxes_are_interpolated_between_sightings() -> None:
    (track,) = link(moments(walk(0, 1, 300, 400)))
    at = [track.box_at(time)[0] for time in (0.25, 0.375, 0.5, 9.0)]
    assert at[1] == pytest.approx((at[0] + at[2]) / 2)
    assert at[3] == track.box_at(1.0)[0]


def test_of_skeletons_on_one_another_the_most_prominent_stays() -> None:
    near, double, other = person(300, confidence=0.9), person(304, confidence=0.6), person(700, height=400)
    kept = without_doubles([double, near, other])
    assert [body_box(body) for body in kept] == [body_box(other), body_box(near)]
    assert prominence(kept[0]) > prominence(kept[1])


def test_poses_without_common_points_are_far_apart() -> None:
    unseen = person(300, confidence=0.0)
    assert distance(person(300), unseen) == float("inf")
    assert distance(person(300), person(320)) == pytest.approx(20 / 200, rel=0.1)
