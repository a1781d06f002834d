from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from synthesis_figures import standing, without

from dataset.pose.keypoints import B, PoseSequence
from synthesis.evaluate.held_out import HeldOut
from synthesis.evaluate.limits import MEASURE, limits
from synthesis.evaluate.scores import ClipScores

KNOWN, HELD = 60, 20


def swings() -> PoseSequence:
    """Somebody whose arms swing while they are filmed, and who lifts them, as never before, in the last ten frames."""
    poses = standing(np.tile([320.0, 460.0], (KNOWN + HELD, 1)), np.full(KNOWN + HELD, 200.0))
    for row in range(KNOWN + HELD):
        lift = 150.0 if row >= KNOWN + HELD - 10 else 10.0 * np.sin(row)
        for side in "RL":
            poses.body[row, B[f"{side}Wrist"], 1] -= lift
            poses.body[row, B[f"{side}Elbow"], 1] -= lift / 2
    return poses


def scored(poses: PoseSequence, **columns: np.ndarray) -> ClipScores:
    clip = HeldOut(Path("a.mp4"), "0" * 64, poses, KNOWN, np.zeros((8, 8, 3), np.uint8))
    return ClipScores(clip, {name: {MEASURE: values} for name, values in columns.items()})


def test_frames_are_told_apart_by_whether_their_posture_was_trained_on():
    values = np.where(np.arange(HELD) < 10, 2.0, 5.0)
    values[0] = np.nan
    found = limits([scored(swings(), model=values)])
    assert (found.frames, found.within, found.outside) == (KNOWN, 10, 10)
    assert found.distances == {"model": (2.0, 5.0)}
    assert "50% are outside" in found.told
    assert found.to_dict()["distances"] == {"model": [2.0, 5.0]}


def test_several_recordings_are_counted_together():
    clip = scored(swings(), model=np.ones(HELD))
    found = limits([clip, clip])
    assert (found.frames, found.within, found.outside) == (2 * KNOWN, 20, 20)
    assert found.seconds == pytest.approx(2 * limits([clip]).seconds)


def test_where_no_posture_can_be_compared_that_is_said():
    nothing = without(swings(), "Nose", "Neck", "RShoulder", "LShoulder", "RHip", "LHip", "RAnkle", "LAnkle")
    found = limits([scored(nothing, model=np.ones(HELD))])
    assert found.distances is None
    assert "cannot be compared" in found.told
    assert found.problem
