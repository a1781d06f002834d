from __future__ import annotations

import numpy as np
import pytest
from synthesis_figures import standing, still, without

from dataset.errors import PoseError
from dataset.pose.keypoints import B
from synthesis.normalize import measure, normalize

LEGS = ("RAnkle", "LAnkle", "RKnee", "LKnee", "RBigToe", "LBigToe")


def walker(close: float, far: float, tall_close: float, tall_far: float, x: float = 320.0, count: int = 101):
    """Walks from the far to the close position and back, slower where it turns; height follows linearly."""
    share = 0.5 - 0.5 * np.cos(np.linspace(0, 2 * np.pi, count))
    feet = np.stack([np.full(count, x), far + share * (close - far)], 1)
    return standing(feet, tall_far + share * (tall_close - tall_far)), share


def ankle_y(poses):
    return poses.body[:, [B["RAnkle"], B["LAnkle"]], 1].max(axis=1)


def height(poses):
    ankles = poses.body[:, [B["RAnkle"], B["LAnkle"]], :2].mean(axis=1)
    return np.hypot(*(poses.body[:, B["Nose"], :2] - ankles).T)


def test_close_and_far_positions_and_heights_are_measured():
    poses, _ = walker(close=440, far=340, tall_close=300, tall_far=200)
    ground = measure(poses)
    assert ground.close == pytest.approx(440, abs=3)
    assert ground.far == pytest.approx(340, abs=20)
    assert ground.height_close == pytest.approx(300, rel=0.02)


def test_feet_land_where_the_target_would_stand_and_heights_follow():
    source, share = walker(close=400, far=330, tall_close=160, tall_far=110)
    # The same way in heights of the body as the source walks, so the whole range is used.
    target, _ = walker(close=450, far=450 - 70 * 320 / 160, tall_close=320, tall_far=220)
    moved = normalize(source, target)
    expected_feet = (450 - 140) + share * 140
    # The outer positions are robust percentiles, hence a few per cent of the frame height at the far end.
    assert np.abs(ankle_y(moved) - expected_feet).max() < 0.05 * 480
    middle = share > 0.5
    assert np.abs(ankle_y(moved) - expected_feet)[middle].max() < 0.02 * 480
    assert np.abs(height(moved) - (220 + share * 100))[middle].max() < 0.03 * 480


def test_a_person_who_stays_in_place_is_put_on_the_targets_spot():
    source = still(100, 200, 90.0, 40)
    target = still(400, 460, 270.0, 30)
    moved = normalize(source, target)
    assert ankle_y(moved) == pytest.approx(np.full(40, 460.0), abs=0.5)
    assert height(moved) == pytest.approx(np.full(40, 270.0), rel=0.01)
    assert moved.body[:, B["MidHip"], 0] == pytest.approx(np.full(40, 400.0), abs=0.5)
    assert moved.size == target.size


def test_a_person_who_stays_in_place_gets_the_size_that_a_walking_target_has_at_its_usual_place():
    source = still(100, 200, 90.0, 40)
    share = np.concatenate([np.full(40, 0.3), np.linspace(0, 1, 31)])
    feet = np.stack([np.full(71, 320.0), 340 + share * 100], 1)
    moved = normalize(source, standing(feet, 200 + share * 100))
    usual = float(np.median(share))
    assert ankle_y(moved) == pytest.approx(np.full(40, 340 + usual * 100), abs=2)
    assert height(moved) == pytest.approx(np.full(40, 200 + usual * 100), rel=0.06)


def test_a_jump_lifts_the_feet_and_does_not_shrink_the_body():
    feet = np.tile([100.0, 200.0], (50, 1))
    feet[20:25, 1] -= 30
    source = standing(feet, np.full(50, 90.0))
    target = still(400, 460, 270.0, 30)
    moved = normalize(source, target)
    assert height(moved)[22] == pytest.approx(270, rel=0.02)
    assert 460 - ankle_y(moved)[22] == pytest.approx(90, abs=3)


def test_somebody_on_one_leg_is_not_taken_for_somebody_smaller():
    source = still(100, 200, 90.0, 40)
    source.body[:, B["RAnkle"], 1] -= 40
    target = still(400, 460, 270.0, 30)
    moved = normalize(source, target)
    neck_to_hip = [float(p.body[0, B["MidHip"], 1] - p.body[0, B["Neck"], 1]) for p in (moved, target)]
    assert neck_to_hip[0] == pytest.approx(neck_to_hip[1], rel=0.02)
    assert ankle_y(moved) == pytest.approx(np.full(40, 460.0), abs=0.5)


def test_upper_body_video_falls_back_to_hips_then_shoulders_and_says_so():
    source = without(still(100, 200, 90.0, 40), *LEGS)
    target = still(400, 460, 270.0, 30)
    moved = normalize(source, target)
    assert moved.body[:, B["RHip"], 1] == pytest.approx(np.full(40, 460 - 135), abs=1)
    assert "hips" in " ".join(moved.notes)
    moved = normalize(without(source, "RHip", "LHip", "MidHip"), target)
    assert moved.body[:, B["RShoulder"], 1] == pytest.approx(np.full(40, 460 - 0.84 * 270), abs=1)
    assert "shoulders" in " ".join(moved.notes)


def test_each_ankle_must_be_seen():
    target = still(400, 460, 270.0, 30)
    for ankle in ("RAnkle", "LAnkle"):
        source = without(still(100, 200, 90.0, 40), ankle)
        assert "hips" in " ".join(normalize(source, target).notes)


def test_frames_without_ankles_keep_their_neighbours_scale_and_none_is_dropped():
    source = still(100, 200, 90.0, 40)
    source.body[10:15, [B["RAnkle"], B["LAnkle"]]] = 0
    target = still(400, 460, 270.0, 30)
    moved = normalize(source, target)
    assert len(moved) == 40
    assert moved.body[12, B["MidHip"], 1] == pytest.approx(moved.body[5, B["MidHip"], 1], abs=0.5)


def test_somebody_without_shoulders_is_refused():
    source = without(
        still(100, 200, 90.0, 40),
        *LEGS,
        "RHip",
        "LHip",
        "RShoulder",
        "LShoulder",
    )
    with pytest.raises(PoseError, match="source"):
        normalize(source, still(400, 460, 270.0, 30))
