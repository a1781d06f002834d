"""How much changes round a person, and the detector that judges by it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from textures import make_clip

from dataset.files import sha256_file
from dataset.mannequin import Performer, film
from dataset.pose.people import PeopleFinder
from dataset.records import Corpus
from forensics.detectors import Evidence, create, load_detector
from forensics.detectors.surroundings import SurroundingsConfig
from forensics.scanning.evidence import as_evidence
from forensics.scanning.look import Looker
from forensics.surroundings import FIGURES, Box, Surroundings, unknown
from forensics.train import TrainConfig
from forensics.views import ViewConfig, sampled_times
from forensics.windows import ClipWindows, corpus_windows

BOX: Box = (120.0, 60.0, 200.0, 220.0)


def room(seed: int = 0) -> np.ndarray:
    """(240, 320, 3) something to stand in front of."""
    grain = np.random.default_rng(seed).uniform(0, 255, (240, 320, 3)).astype(np.float32)
    return cv2.GaussianBlur(grain, (0, 0), 4).astype(np.uint8)


def with_person(picture: np.ndarray, seed: int) -> np.ndarray:
    out = picture.copy()
    out[60:220, 120:200] = np.random.default_rng(seed).integers(0, 255, (160, 80, 3))
    return out


def grainy(picture: np.ndarray, seed: int, deviation: float = 2.0) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(0, deviation, picture.shape)
    return np.clip(picture + noise, 0, 255).astype(np.uint8)


def around(first: np.ndarray, second: np.ndarray, box: Box = BOX) -> np.ndarray:
    return Surroundings().measure(first, second, box)


def test_a_plate_stands_still_and_a_filmed_room_does_not() -> None:
    plate = room()
    pasted = [with_person(plate, seed) for seed in range(4)]
    scene = Surroundings()
    first = scene.measure(pasted[0], pasted[1], BOX)
    assert first[0] == 1.0
    assert np.isnan(first[1])
    assert scene.measure(pasted[2], pasted[3], BOX).tolist() == [1.0, 1.0]
    filmed = [grainy(frame, seed) for seed, frame in enumerate(pasted)]
    scene = Surroundings()
    scene.measure(filmed[0], filmed[1], BOX)
    assert scene.measure(filmed[2], filmed[3], BOX).tolist() == [0.0, 0.0]


def test_what_is_written_from_time_to_time_shows_only_from_look_to_look() -> None:
    """As a codec does that leaves still blocks as they are until it begins anew."""
    plate, scene = room(), Surroundings()
    scene.measure(with_person(plate, 0), with_person(plate, 1), BOX)
    anew = grainy(plate, 7, 0.6)
    assert scene.measure(with_person(anew, 2), with_person(anew, 3), BOX).tolist() == [1.0, 0.0]


def test_half_a_room_that_stands_still_is_half() -> None:
    first, second = with_person(room(), 1), with_person(room(), 2)
    second[:, 240:] = grainy(second[:, 240:], 5)
    still = around(first, second)[0]
    assert 0.4 < still < 0.75


def test_a_repeated_frame_tells_nothing_nor_does_a_person_who_fills_the_frame() -> None:
    frame = with_person(room(), 1)
    assert np.isnan(around(frame, frame)).all()
    assert np.isnan(around(frame, with_person(room(), 2), (0.0, 0.0, 320.0, 240.0))).all()
    assert np.isnan(around(frame[:8], frame[:8], BOX)).all()
    assert np.isnan(around(frame, with_person(room(), 2), (400.0, 0.0, 500.0, 100.0))).all()


def shown(still: bool, subject: int) -> ClipWindows:
    """A clip of which only the surroundings are known."""
    random = np.random.default_rng([subject, still])
    figures = np.stack(
        [[0.95, 0.9] if still else [0.05, 0.1]] * 6 + random.normal(0, 0.05, (6, FIGURES))
    ).astype(np.float32)
    figures[0] = unknown()
    clip = make_clip(f"{subject}-{still}.mp4", f"person-{subject}", fake=still)
    times = np.arange(6) / 25
    pixels = np.zeros((6, 2, 160, 160, 3), np.uint8)
    bodies = np.zeros((6, 2, 25, 3), np.float32)
    return ClipWindows(clip, pixels, np.arange(6), ("torso",) * 6, times, bodies, around=figures)


def test_the_detector_learns_what_stands_still_and_says_nothing_of_what_it_does_not_know(
    tmp_path: Path,
) -> None:
    clips = [shown(still, subject) for subject in range(4) for still in (False, True)]
    detector = create("surroundings")
    detector.fit(clips, TrainConfig(steps=1))
    detector.save(tmp_path)
    loaded = load_detector(tmp_path)
    assert loaded.needs_surroundings
    fake, real = (loaded.judge(shown(still, 9).evidence(128)) for still in (True, False))
    assert fake.score is not None
    assert real.score is not None
    assert fake.score > 1 > -1 > real.score
    assert real.score == SurroundingsConfig().least  # a scene that changes is no proof
    assert np.isnan(fake.pairs[0])
    assert np.isfinite(fake.pairs[1:]).all()
    nothing = replace(shown(True, 9).evidence(128), around=None)
    assert loaded.judge(nothing).score is None
    assert loaded.judge(Evidence.of_windows(np.zeros((2, 2, 128, 128, 3), np.uint8))).score is None


def test_training_and_scanning_measure_the_same(tmp_path: Path) -> None:
    video = tmp_path / "take.mp4"
    film(video, Performer.from_seed(3), "dance", seconds=2, fps=12.0, size=(240, 320), seed=3)
    clip = replace(make_clip("take.mp4", "mannequin-3", fake=False), sha256=sha256_file(video))
    config = ViewConfig(pairs=4)
    [cut] = corpus_windows(Corpus(tmp_path, [clip]), config, tmp_path / "cache")
    assert cut.around.shape == (4, FIGURES)
    assert np.isnan(cut.around[0, 1])
    assert np.isfinite(cut.around[:, 0]).all()
    assert np.isfinite(cut.around[1:]).all()
    with PeopleFinder(max_people=config.max_people) as finder:
        looker = Looker(video, finder, config, pictures=False, surroundings=True)
        looker.first(sampled_times(video, config))
    scanned = as_evidence(looker.people[0].pairs).around
    assert scanned is not None
    assert np.array_equal(scanned, cut.around, equal_nan=True)
