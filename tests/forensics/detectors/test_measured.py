"""Detectors that measure: what they find in made-up films and poses, and how they are kept."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from textures import make_clip, texture

from dataset.errors import DetectorError, ModelError
from dataset.pose.keypoints import B
from forensics.detectors import Evidence, create, load_detector
from forensics.detectors.posemotion import PoseMotionDetector
from forensics.detectors.tabular import fit_tabular
from forensics.detectors.temporal import TemporalDetector
from forensics.metrics import auc
from forensics.train import TrainConfig
from forensics.windows import ClipWindows

SIDE, MARGIN, PAIRS = 64, 16, 6


def standing(centre: float = SIDE / 2) -> npt.NDArray[np.float32]:
    """A person who stands upright, as high as a window."""
    body = np.zeros((25, 3), np.float32)
    places = {
        "Nose": (0, 8), "Neck": (0, 16), "RShoulder": (-6, 16), "LShoulder": (6, 16), "RElbow": (-8, 25),
        "LElbow": (8, 25), "RWrist": (-8, 33), "LWrist": (8, 33), "MidHip": (0, 34), "RHip": (-4, 34),
        "LHip": (4, 34), "RKnee": (-4, 46), "LKnee": (4, 46), "RAnkle": (-4, 58), "LAnkle": (4, 58),
        "REar": (-3, 8), "LEar": (3, 8),
    }  # fmt: skip
    for name, (x, y) in places.items():
        body[B[name]] = (centre + x, y, 0.9)
    return body


def film(subject: int, flickers: bool) -> ClipWindows:
    """A texture that stands still but for noise; a fake's person is painted anew in every frame."""
    random = np.random.default_rng(subject)
    side = SIDE + 2 * MARGIN
    scene = texture(subject, 1, side)[0]
    body = standing()
    mask = np.zeros((side, side, 1), np.float32)
    cv2.rectangle(mask, (MARGIN + 20, MARGIN + 6), (MARGIN + 44, MARGIN + 60), 1.0, -1)
    frames = []
    for _ in range(2 * PAIRS):
        painted = random.normal(0, 9, (side, side, 3)) * mask if flickers else 0
        frames.append(np.clip(scene + random.normal(0, 2, scene.shape) + painted, 0, 255).astype(np.uint8))
    pixels = np.stack(frames).reshape(PAIRS, 2, side, side, 3)
    name = f"{'fake' if flickers else 'real'}-{subject}.mp4"
    clip = make_clip(name, f"p{subject}", flickers, pair=f"real-{subject}.mp4" if flickers else None)
    boxes = np.tile(np.array([-MARGIN, -MARGIN, SIDE + MARGIN, SIDE + MARGIN], np.float32), (PAIRS, 1))
    bodies = np.tile(body, (PAIRS, 2, 1, 1))
    return ClipWindows(
        clip, pixels, np.arange(PAIRS), ("whole",) * PAIRS, np.arange(PAIRS) / 5, bodies, boxes
    )


def moves(subject: int, jitters: bool) -> ClipWindows:
    """Somebody who walks from left to right, smoothly, or with joints that tremble."""
    random = np.random.default_rng(subject)
    bodies = np.zeros((PAIRS, 2, 25, 3), np.float32)
    for pair in range(PAIRS):
        for frame in range(2):
            bodies[pair, frame] = standing(40 + 5 * pair + frame) * (3, 3, 1)
            bodies[pair, frame, :, :2] += random.normal(0, 1.5 if jitters else 0.2, (25, 2))
    clip = make_clip(f"{'fake' if jitters else 'real'}-{subject}.mp4", f"p{subject}", jitters)
    side = SIDE + 2 * MARGIN
    pixels = np.zeros((PAIRS, 2, side, side, 3), np.uint8)
    return ClipWindows(clip, pixels, np.arange(PAIRS), ("whole",) * PAIRS, np.arange(PAIRS) / 5, bodies)


@pytest.fixture(scope="module")
def films() -> list[ClipWindows]:
    return [film(subject, fake) for subject in range(6) for fake in (False, True)]


def pair_auc(detector: TemporalDetector | PoseMotionDetector, clips: list[ClipWindows]) -> float:
    scores = [detector.judge(clip.evidence(SIDE)).pairs for clip in clips]
    labels = np.repeat([clip.clip.label == "fake" for clip in clips], PAIRS)
    return auc(np.concatenate(scores), labels)


def test_a_person_painted_anew_in_every_frame_is_found_by_its_noise_against_the_background(
    films: list[ClipWindows],
) -> None:
    detector = create("temporal", window=SIDE, variants=2)
    detector.fit(films[:8], TrainConfig())
    assert pair_auc(detector, films[8:]) > 0.95


def test_noise_over_the_whole_picture_is_no_sign_of_a_fake(films: list[ClipWindows]) -> None:
    detector = TemporalDetector(replace(TemporalDetector.Config(), window=SIDE))
    real = films[0].evidence(SIDE)
    random = np.random.default_rng(5)
    noisy = np.clip(real.pixels + random.normal(0, 9, real.pixels.shape), 0, 255).astype(np.uint8)
    plain, grainy, painted = (
        detector.measure(shown) for shown in (real, replace(real, pixels=noisy), films[1].evidence(SIDE))
    )
    difference = slice(14, 18)  # of residual and detail, on the person less on the background
    assert np.abs(plain[:, difference]).mean() < 0.5
    assert np.abs(grainy[:, difference]).mean() < 0.5
    assert np.abs(painted[:, difference]).mean() > 0.8


def test_trembling_joints_are_found_on_people_never_seen() -> None:
    clips = [moves(subject, fake) for subject in range(8) for fake in (False, True)]
    detector = create("posemotion", window=SIDE)
    detector.fit(clips[:10], TrainConfig())
    assert pair_auc(detector, clips[10:]) > 0.95


def test_a_pair_without_a_pose_in_both_frames_is_left_open() -> None:
    clips = [moves(subject, fake) for subject in range(3) for fake in (False, True)]
    detector = create("posemotion", window=SIDE)
    detector.fit(clips, TrainConfig())
    shown = clips[0].evidence(SIDE)
    shown.bodies[2, 1, :, 2] = 0
    pairs = detector.judge(shown).pairs
    assert np.isnan(pairs).tolist() == [pair == 2 for pair in range(PAIRS)]
    empty = Evidence.of_windows(shown.pixels)
    assert detector.judge(empty).score is None


@pytest.mark.parametrize("name", ["temporal", "posemotion"])
def test_a_loaded_one_scores_as_the_saved_one(name: str, films: list[ClipWindows], tmp_path: Path) -> None:
    detector = create(name, window=SIDE, variants=1)
    with pytest.raises(ModelError, match="not trained"):
        detector.judge(films[0].evidence(SIDE))
    detector.fit(
        [moves(s, f) for s in range(2) for f in (False, True)] if name == "posemotion" else films[:4],
        TrainConfig(),
    )
    detector.save(tmp_path)
    shown = films[0].evidence(SIDE)
    saved, loaded = (one.judge(shown) for one in (detector, load_detector(tmp_path)))
    assert np.array_equal(saved.pairs, loaded.pairs, equal_nan=True)
    assert saved.distance == loaded.distance


def test_what_was_measured_is_kept_beside_the_windows(
    films: list[ClipWindows], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = [replace(clip, store=tmp_path / clip.clip.path) for clip in films[:4]]
    first, second = (create("temporal", window=SIDE, variants=2) for _ in range(2))
    first.fit(kept, TrainConfig())
    assert len(list(tmp_path.iterdir())) == 8
    monkeypatch.setattr(TemporalDetector, "measure", None)
    second.fit(kept, TrainConfig())
    for name, value in first.tensors().items():
        assert value.equal(second.tensors()[name]), name


def test_a_fake_is_degraded_like_the_recording_that_it_mirrors(films: list[ClipWindows]) -> None:
    detector = TemporalDetector(replace(TemporalDetector.Config(), window=SIDE))
    real = films[0]
    copy = replace(real, clip=films[1].clip)
    assert np.array_equal(detector.degraded(real, 1).pixels, detector.degraded(copy, 1).pixels)
    assert not np.array_equal(detector.degraded(real, 1).pixels, detector.degraded(real, 2).pixels)
    assert not np.array_equal(detector.degraded(real, 1).pixels, real.evidence(SIDE).pixels)


def test_figures_that_are_missing_count_as_the_mean_and_as_missing() -> None:
    random = np.random.default_rng(0)
    fake = np.arange(200) % 2 == 1
    figures = random.normal(0, 1, (200, 2)).astype(np.float32)
    figures[:, 0] += 3 * fake
    figures[::3, 0] = np.nan
    classifier = fit_tabular(figures, fake, [f"p{row % 10}" for row in range(200)])
    scores = classifier.judge(figures)
    known = np.isfinite(figures[:, 0])
    assert np.isfinite(scores).all()
    assert auc(scores[known], fake[known]) > 0.95
    assert np.abs(scores[~known]).mean() < np.abs(scores[known]).mean()


def test_one_label_alone_is_refused(films: list[ClipWindows]) -> None:
    with pytest.raises(DetectorError, match="0 fake and"):
        create("temporal", window=SIDE, variants=1).fit(films[:1], TrainConfig())
