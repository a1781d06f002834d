from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from mannequin_ground import Stage, does, feet_y, glides, sized
from synthesis_figures import without

from dataset.pose.keypoints import B
from synthesis.limbs import limb_lengths
from synthesis.normalize import normalize

SOURCE = Stage.of(sized(5, 1.7, camera_height=1.2, camera_distance=4.5))
_TALLER = sized(7, 1.8, camera_height=1.2, camera_distance=4.5)
_FACTORS = {"upper_arm": 1.25, "forearm": 1.2, "thigh": 0.85, "shin": 0.9, "shoulder": 1.15, "hand": 1.1}
TARGET = Stage.of(
    replace(
        _TALLER,
        body=replace(_TALLER.body, **{k: getattr(_TALLER.body, k) * f for k, f in _FACTORS.items()}),
    )
)


def distance(poses, truth, *names):
    points = [B[name] for name in names]
    return float(np.hypot(*(poses.body - truth.body)[:, points, :2].T).mean())


@pytest.fixture(scope="module")
def case():
    poses, target = SOURCE.film(does("dance"), 12), TARGET.film(does("dance"), 15)
    truth = TARGET.imitate(SOURCE.performer, does("dance"), poses.times, np.zeros(len(poses)))
    return poses, target, truth


def test_joints_come_to_lie_where_the_targets_own_limbs_would_put_them(case):
    poses, target, truth = case
    plain, adapted = normalize(poses, target), normalize(poses, target, limbs=True)
    for joints in (
        ("RWrist", "LWrist"),
        ("RElbow", "LElbow"),
        ("RShoulder", "LShoulder"),
        ("RKnee", "LKnee"),
    ):
        before, after = distance(plain, truth, *joints), distance(adapted, truth, *joints)
        assert after < 0.5 * before
        assert after < 0.01 * TARGET.camera.size[1]
    hands = [np.hypot(*(p.left_hand - truth.left_hand)[..., :2].T).mean() for p in (plain, adapted)]
    assert hands[1] < 0.2 * hands[0]


def test_feet_stay_on_the_ground_where_normalisation_put_them(case):
    poses, target, _ = case
    plain, adapted = normalize(poses, target), normalize(poses, target, limbs=True)
    assert feet_y(adapted) == pytest.approx(feet_y(plain), abs=0.01)
    walking = SOURCE.film(glides(2.0), 8)
    assert feet_y(normalize(walking, target, limbs=True)) == pytest.approx(
        feet_y(normalize(walking, target)), abs=0.01
    )


def test_the_same_body_is_left_as_it_is():
    poses = SOURCE.film(does("dance"), 12)
    plain, adapted = normalize(poses, poses), normalize(poses, poses, limbs=True)
    assert np.abs(plain.body - adapted.body).max() < 1e-3
    assert "none differs" in adapted.notes[-1]


def test_notes_name_what_was_changed_and_what_could_not_be_seen(case):
    poses, target, _ = case
    note = normalize(poses, target, limbs=True).notes[-1]
    assert "upper arm ×1." in note
    blind = without(poses, "RWrist", "LWrist")
    note = normalize(blind, target, limbs=True).notes[-1]
    assert "left alone: forearm" in note


def test_unseen_points_do_not_drag_along_what_hangs_on_them(case):
    poses, target, _ = case
    blind = without(poses, "RElbow")
    moved = normalize(blind, target, limbs=True)
    whole = normalize(poses, target, limbs=True)
    assert np.isfinite(moved.body).all()
    # The shoulder and the other arm do as before; the wrist moves with the shoulder.
    assert distance(moved, whole, "RShoulder", "LWrist") < 3


def test_foreshortened_frames_do_not_shorten_a_bone():
    facing = limb_lengths(SOURCE.film(does("stand"), 6))
    turning = limb_lengths(SOURCE.film(does("turn"), 14))
    assert turning["shoulders"] == pytest.approx(facing["shoulders"], rel=0.08)


def test_a_leg_that_is_raised_towards_the_camera_does_not_shorten_the_other():
    standing = SOURCE.film(does("stand"), 6)
    body = standing.body.copy()
    body[:, B["RKnee"]] = 0.7 * body[:, B["RHip"]] + 0.3 * body[:, B["RKnee"]]
    raised = standing.with_parts(standing.parts() | {"body": body})
    assert limb_lengths(raised)["thigh"] == pytest.approx(limb_lengths(standing)["thigh"], rel=0.03)
