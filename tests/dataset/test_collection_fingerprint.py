from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from dataset.collection.fingerprint import Likeness, compare, interval, pack, sample, unpack
from dataset.mannequin import Performer, film
from dataset.video import VideoInfo, VideoWriter, read_frames

Picture = np.ndarray


def fingerprint(video: Path) -> dict[str, object]:
    every = interval(VideoInfo.from_path(video).duration)
    rows: list[Picture] = []
    for frame in read_frames(video):
        while len(rows) * every <= frame.time + 1e-6:
            rows.append(sample(frame.image))
    return pack(np.stack(rows), every)


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One mannequin in one room: a dance, the same dance another time, squats; and somebody else dancing."""
    folder = tmp_path_factory.mktemp("films")
    takes = {
        "dance": (1, "dance", 0),
        "again": (1, "dance", 1),
        "squat": (1, "squat", 0),
        "other": (2, "dance", 0),
    }
    for name, (performer, motion, seed) in takes.items():
        who, path = Performer.from_seed(performer), folder / f"{name}.mp4"
        film(path, who, motion, seconds=2.5, fps=12, size=(96, 128), seed=seed)
    return {name: folder / f"{name}.mp4" for name in takes}


def again(
    video: Path,
    out: Path,
    change: Callable[[Picture], Picture] = lambda image: image,
    *,
    crf: int = 18,
    skip: int = 0,
) -> Path:
    """The same film, encoded anew after `change`, its first frames left out."""
    frames = [change(frame.image) for frame in read_frames(video)][skip:]
    with VideoWriter(out, (frames[0].shape[1], frames[0].shape[0]), fps=12, crf=crf) as writer:
        for frame in frames:
            writer.write(np.ascontiguousarray(frame))
    return out


def likeness(first: Path, second: Path) -> Likeness:
    return compare(fingerprint(first), fingerprint(second))


@pytest.mark.parametrize(
    ("name", "change", "crf"),
    [
        ("recoded", lambda image: image, 32),
        ("smaller", lambda image: cv2.resize(image, (64, 84), interpolation=cv2.INTER_AREA), 23),
        ("brighter", lambda image: np.clip(image * 1.15, 0, 255).astype(np.uint8), 23),
    ],
)
def test_a_copy_is_recognised(
    films: dict[str, Path], tmp_path: Path, name: str, change: Callable[[Picture], Picture], crf: int
) -> None:
    found = likeness(films["dance"], again(films["dance"], tmp_path / f"{name}.mp4", change, crf=crf))
    assert found.score > 0.95
    assert (found.shift, found.mirrored) == (0.0, False)


def test_a_mirrored_copy_is_recognised(films: dict[str, Path], tmp_path: Path) -> None:
    found = likeness(
        films["dance"], again(films["dance"], tmp_path / "mirrored.mp4", lambda image: image[:, ::-1])
    )
    assert found.score > 0.95
    assert found.mirrored


def test_a_cut_is_recognised_with_the_place_it_was_cut_from(films: dict[str, Path], tmp_path: Path) -> None:
    found = likeness(films["dance"], again(films["dance"], tmp_path / "cut.mp4", skip=9))
    assert found.score > 0.95
    assert found.shift == pytest.approx(9 / 12, abs=0.07)


@pytest.mark.parametrize("name", ["again", "squat", "other"])
def test_another_take_before_the_same_wall_is_no_copy(films: dict[str, Path], name: str) -> None:
    assert likeness(films["dance"], films[name]).score < 0.8


def test_still_pictures_are_not_taken_for_copies() -> None:
    rng = np.random.default_rng(0)
    first, second = (pack(100 + 0.05 * rng.standard_normal((40, 16)), 0.25) for _ in range(2))
    assert compare(first, second).score == 0
    assert compare(first, first).score == 0


def test_fine_and_coarse_fingerprints_are_compared_on_the_coarser_grid() -> None:
    rng = np.random.default_rng(1)
    rough = 100 + 20 * rng.standard_normal((80, 16)).cumsum(0) / 5
    times = np.arange(0, 19.7, 0.0625)
    fine = np.stack([np.interp(times, np.arange(80) * 0.25, rough[:, cell]) for cell in range(16)], axis=1)
    found = compare(pack(rough, 0.25), pack(np.clip(fine, 0, 255), 0.0625))
    assert found.score > 0.95
    assert found.shift == 0


def test_samples_come_back_to_a_fraction_of_a_level() -> None:
    samples = np.random.default_rng(2).uniform(0, 255, (5, 16))
    assert np.abs(unpack(pack(samples, 0.25)) - samples).max() < 0.003


def test_the_same_movement_elsewhere_is_no_copy() -> None:
    rng = np.random.default_rng(3)
    moves = 8 * rng.standard_normal((40, 16))
    here, there = (pack(np.clip(place + moves, 0, 255), 0.25) for place in 40 + 160 * rng.random((2, 16)))
    assert compare(here, here).score > 0.99
    assert compare(here, there).score < 0.6
