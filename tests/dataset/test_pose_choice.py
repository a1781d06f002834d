from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from two_people import film_two

from dataset.errors import PoseError
from dataset.pose import PoseSequence, cached_poses
from dataset.pose.cache import cache_key
from dataset.pose.choice import choose, parse_person
from dataset.pose.keypoints import B
from dataset.pose.tracks import Sighting, Track, main_tracks

SIZE = (640, 480)


def walk(x: float, start: float, stop: float, height: float = 200, speed: float = 0) -> Track:
    """Somebody `height` pixels tall who starts at `x` and moves `speed` pixels a second."""
    moments = np.arange(start, stop + 0.01, 0.25)
    return Track(
        tuple(
            Sighting(
                float(t),
                (x + speed * (t - start) - 40, 200, x + speed * (t - start) + 40, 200 + height),
                height,
            )
            for t in moments
        )
    )


LEFT, MIDDLE, RIGHT = walk(100, 0, 4), walk(320, 0, 4, height=260), walk(560, 0, 4)


def chosen(person: str, tracks: list[Track]) -> list[Track]:
    return choose(tracks, SIZE, samples=17, person=parse_person(person))


@pytest.mark.parametrize(
    ("person", "expected"),
    [
        ("left", LEFT), ("right", RIGHT), ("RIGHT ", RIGHT), ("1", MIDDLE), ("01", MIDDLE),
        ("90,300@2", LEFT), ("560, 210 @ 0.5", RIGHT), ("main", MIDDLE),
    ],
)  # fmt: skip
def test_a_word_a_number_or_a_place_names_one_of_three(person: str, expected: Track) -> None:
    assert chosen(person, [LEFT, MIDDLE, RIGHT]) == [expected]


def test_main_is_what_it_was_without_a_choice() -> None:
    tracks = [LEFT, MIDDLE, RIGHT, walk(330, 5, 8)]
    assert chosen("main", tracks) == main_tracks(tracks, SIZE, samples=17)


def test_numbers_run_through_all_people_and_no_further() -> None:
    tracks = [LEFT, MIDDLE, RIGHT]
    found = [chosen(str(number), tracks)[0] for number in (1, 2, 3)]
    assert sorted(t.sightings[0].box for t in found) == sorted(t.sightings[0].box for t in tracks)
    with pytest.raises(
        PoseError, match=r"no person number 4 in the video – there are 1 \(0\.0–4\.0 s, .*round 320,330\)"
    ):
        chosen("4", tracks)


def test_nobody_at_a_place_is_an_error_that_says_who_there_is() -> None:
    for place in ("10,10@2", "100,300@9"):
        with pytest.raises(PoseError, match=r"nobody is found at .* there are 1"):
            chosen(place, [LEFT, MIDDLE])


@pytest.mark.parametrize("text", ["", "0", "-1", "middle", "1.5", "10,20", "10@2", "a,b@c", "10,20@"])
def test_what_says_nothing_is_refused(text: str) -> None:
    with pytest.raises(PoseError, match="does not say which person"):
        parse_person(text)


def test_somebody_asked_for_is_not_followed_by_somebody_else() -> None:
    returns, stranger = walk(120, 7, 9), walk(500, 7, 9)
    assert chosen("left", [LEFT, RIGHT, stranger]) == [LEFT]
    assert chosen("left", [LEFT, RIGHT, stranger, returns]) == [LEFT, returns]


def test_a_short_appearance_at_the_edge_does_not_become_the_left_one() -> None:
    assert chosen("left", [LEFT, RIGHT, walk(30, 1, 1.5)]) == [LEFT]


def test_somebody_seen_once_in_a_short_video_is_still_to_the_right() -> None:
    once = walk(560, 0.25, 0.25)
    assert choose([walk(100, 0, 0.5), once], SIZE, samples=3, person="right") == [once]


def test_nobody_at_all_gives_no_track() -> None:
    assert chosen("left", []) == []


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[PoseSequence], list[np.ndarray], Path]:
    """Poses of the left and the right one in a video of two, the truth, and the cache."""
    folder = tmp_path_factory.mktemp("pair")
    truths = film_two(folder / "pair.mp4", seconds=0.75)
    found = [
        cached_poses(folder / "pair.mp4", folder / "cache", model="pose", person=person)
        for person in ("left", "right")
    ]
    return found, truths, folder / "cache"


@pytest.mark.parametrize("index", [0, 1])
def test_the_one_who_is_asked_for_is_found_in_a_video_of_two(
    both: tuple[list[PoseSequence], list[np.ndarray], Path], index: int
) -> None:
    poses, truth, other = both[0][index], both[1][index], both[1][1 - index]
    points = [B[name] for name in ("RShoulder", "LShoulder", "RHip", "LHip", "RKnee", "LKnee")]
    present = poses.present()
    assert present.mean() >= 0.8
    found = poses.body[present][:, points]
    apart = np.hypot(*(found[:, :, :2] - truth[present][:, points, :2]).transpose(2, 0, 1))
    assert np.median(apart) < 12
    assert np.abs(found[:, :, 0].mean() - other[:, points, 0].mean()) > 80


def test_each_choice_has_poses_of_its_own_in_the_cache(
    both: tuple[list[PoseSequence], list[np.ndarray], Path],
) -> None:
    assert len(list(both[2].glob("*.npz"))) == 2
    assert (
        cache_key("ab", "pose")
        == cache_key("ab", "pose", person="main")
        != cache_key("ab", "pose", person="2")
    )
    assert cache_key("ab", "pose", person="2") == cache_key("ab", "pose", person=" 02")
