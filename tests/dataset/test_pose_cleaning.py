"""Faults planted into a known motion, and what cleaning makes of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dataset.errors import PoseError
from dataset.pose import PoseSequence, clean, cleaning, smooth
from dataset.pose.cleaning import FILLED_CONFIDENCE, LIMBS
from dataset.pose.keypoints import FACE_POINTS, B

_HEIGHTS = {"Shoulder": 120, "Elbow": 180, "Wrist": 240, "Hip": 260, "Knee": 350, "Ankle": 440, "Heel": 450}
_SWINGS = {"Elbow": 20, "Wrist": 45, "Knee": 35, "Ankle": 65, "Heel": 65, "BigToe": 65, "SmallToe": 65}


def walker(seconds: float = 3.0, fps: float = 30.0, apart: float = 40.0) -> PoseSequence:
    """Somebody 400 pixels tall who walks on the spot, arms and legs swinging sideways in the picture.

    Args:
        apart: pixels between the body's middle and either side; 0 is a person seen from the side.
    """
    times = np.arange(round(seconds * fps)) / fps
    body = np.zeros((len(times), 25, 3), np.float32)
    body[..., 2] = 0.9
    for name, point in B.items():
        part = name[1:]
        sign = {"L": 1, "R": -1}.get(name[0], 0)
        x = 300 + apart * sign * (part in _HEIGHTS or part.endswith("Toe"))
        swing = sign * _SWINGS.get(part, 0) * (-1 if part in ("Elbow", "Wrist") else 1)
        body[:, point, 0] = x + swing * np.sin(2 * np.pi * 0.9 * times)
        body[:, point, 1] = _HEIGHTS.get(part, 455 if part.endswith("Toe") else 60)
    hands = np.repeat(body[:, [B["LWrist"], B["RWrist"]], None], 21, axis=2)
    face = np.repeat(body[:, [B["Nose"]]], FACE_POINTS, axis=1)
    return PoseSequence(body, hands[:, 0].copy(), hands[:, 1].copy(), face, times, (600, 500))


def planted(poses: PoseSequence, body: np.ndarray) -> PoseSequence:
    return replace(poses, body=body.astype(np.float32))


def worst(first: np.ndarray, second: np.ndarray) -> float:
    return float(np.abs(first[..., :2] - second[..., :2]).max())


def test_clean_motion_is_left_alone() -> None:
    poses = walker()
    for name, points in clean(poses).parts().items():
        np.testing.assert_array_equal(points, poses.parts()[name])


@pytest.mark.parametrize("fps", [10, 25, 60])
def test_legs_that_cross_are_not_swapped(fps: float) -> None:
    poses = walker(fps=fps, apart=0)
    np.testing.assert_array_equal(clean(poses).body, poses.body)


def test_a_hole_of_a_fifth_of_a_second_is_filled_and_believed_less() -> None:
    truth = walker()
    body = truth.body.copy()
    body[30:36, B["RWrist"]] = 0
    repaired = clean(planted(truth, body)).body
    assert worst(repaired, truth.body) < 12
    np.testing.assert_allclose(repaired[30:36, B["RWrist"], 2], 0.9 * FILLED_CONFIDENCE)


def test_a_longer_hole_is_left_alone() -> None:
    truth = walker()
    body = truth.body.copy()
    body[30:39, B["RWrist"]] = 0
    np.testing.assert_array_equal(clean(planted(truth, body)).body, body)


def test_holes_are_measured_and_filled_by_time_not_by_frames() -> None:
    truth = walker()
    times = truth.times.copy()
    times[32:] += 0.3  # the second missing frame comes 0.3 s late: the hole is too long now
    body = truth.body.copy()
    body[31:33, B["RWrist"]] = 0
    assert (clean(replace(truth, times=times, body=body)).body[31:33, B["RWrist"], 2] == 0).all()
    times = truth.times.copy()
    times[31:] += 0.05  # 0.083 s before the missing frame, 0.033 s after it
    body = truth.body.copy()
    body[31, B["RWrist"]] = 0
    filled = clean(replace(truth, times=times, body=body)).body[31, B["RWrist"], 0]
    before, after = truth.body[[30, 32], B["RWrist"], 0]
    assert (filled - before) / (after - before) == pytest.approx(0.0833 / 0.1167, abs=0.02)


def test_a_hole_at_either_end_stays_a_hole() -> None:
    truth = walker()
    body = truth.body.copy()
    body[:2], body[-2:] = 0, 0
    np.testing.assert_array_equal(clean(planted(truth, body)).body, body)


@pytest.mark.parametrize("length", [1, 3])
def test_a_point_that_jumps_away_and_back_is_put_back(length: int) -> None:
    truth = walker()
    body = truth.body.copy()
    body[40 : 40 + length, B["LKnee"], :2] += (150, -90)
    assert worst(clean(planted(truth, body)).body, truth.body) < 5


def test_a_point_that_jumps_and_stays_is_believed() -> None:
    truth = walker()
    body = truth.body.copy()
    body[40:, B["Nose"], :2] += (150, 90)
    np.testing.assert_array_equal(clean(planted(truth, body)).body, body)


@pytest.mark.parametrize("limb", range(len(LIMBS)))
@pytest.mark.parametrize("length", [1, 8])
def test_a_swapped_limb_is_swapped_back(limb: int, length: int) -> None:
    truth = walker()
    joints, with_hands = LIMBS[limb]
    body = truth.body.copy()
    left, right = ([B[f"{side}{joint}"] for joint in joints] for side in "LR")
    # Planted where the sides are well apart: what lies on one another cannot be told apart.
    apart = np.abs(truth.body[:, left, 0] - truth.body[:, right, 0]).mean(axis=1)
    start = 20 + int(np.minimum(apart[20:60], apart[19 + length : 59 + length]).argmax())
    rows = np.arange(start, start + length)[:, None]
    body[rows, left], body[rows, right] = truth.body[rows, right], truth.body[rows, left]
    hands = [truth.left_hand.copy(), truth.right_hand.copy()]
    if with_hands:
        hands[0][rows[:, 0]], hands[1][rows[:, 0]] = truth.right_hand[rows[:, 0]], truth.left_hand[rows[:, 0]]
    repaired = clean(replace(truth, body=body, left_hand=hands[0], right_hand=hands[1]))
    assert worst(repaired.body, truth.body) < 5
    assert worst(repaired.left_hand, truth.left_hand) < 5


def test_somebody_who_turns_round_is_believed() -> None:
    truth = walker(seconds=4)
    body = truth.body.copy()
    turning = np.cos(np.pi * np.clip(truth.times - 1, 0, 1)).astype(np.float32)
    body[..., 0] = 300 + (body[..., 0] - 300) * turning[:, None]
    np.testing.assert_array_equal(clean(planted(truth, body)).body, body)


def test_nobody_stays_nobody_and_no_frame_is_lost() -> None:
    poses = walker()
    empty = poses.with_parts({name: np.zeros_like(points) for name, points in poses.parts().items()})
    for cleaned in (clean(empty), smooth(empty), clean(empty[:1])):
        assert not cleaned.present().any()
    assert len(clean(empty)) == len(smooth(empty)) == len(poses)


def test_smoothing_removes_jitter_and_does_not_delay() -> None:
    truth = walker()
    noise = np.random.default_rng(0).normal(0, 3, (*truth.body.shape[:2], 2))
    body = truth.body.copy()
    body[..., :2] += noise
    smoothed = smooth(planted(truth, body)).body
    error = np.abs(smoothed[..., :2] - truth.body[..., :2]).mean()
    assert error < 0.65 * np.abs(noise).mean()
    np.testing.assert_allclose(smooth(truth).body[:, B["Nose"]], truth.body[:, B["Nose"]])


def test_a_joint_survives_smoothing_if_its_median_confidence_is_above_zero() -> None:
    truth = walker()
    body = truth.body.copy()
    body[40:43, B["Nose"]] = 0  # three of seven
    body[60:67, B["Neck"]] = 0  # four or more of seven around its middle
    smoothed = smooth(planted(truth, body)).body
    assert smoothed[41, B["Nose"]] == pytest.approx(truth.body[41, B["Nose"]])
    assert (smoothed[63, B["Neck"]] == 0).all()


@pytest.mark.parametrize("window", [0, 4, -3])
def test_a_window_without_a_middle_is_refused(window: int) -> None:
    with pytest.raises(PoseError, match="odd"):
        smooth(walker(), window)


def test_smoothing_in_blocks_is_smoothing_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    dice = np.random.default_rng(0)
    points = dice.uniform(0, 100, (23, 5, 3)).astype(np.float32)
    points[..., 2] = dice.uniform(-0.3, 1, (23, 5)).clip(0)
    whole = cleaning._median(points, 3)
    for block in (1, 4, 22):
        monkeypatch.setattr(cleaning, "_BLOCK", block)
        assert (cleaning._median(points, 3) == whole).all()
