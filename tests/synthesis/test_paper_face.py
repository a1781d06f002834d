from __future__ import annotations

import numpy as np
import pytest
from synthesis_figures import standing, still, without

from synthesis.densepose import StickFigures
from synthesis.paper.data import Letterbox
from synthesis.paper.face import FaceBox, blend, cut, face_box, face_boxes, feather


def test_the_square_grows_with_a_person_who_walks_to_the_camera():
    heights = np.linspace(80, 240, 100)
    poses = standing(np.tile([320.0, 460.0], (100, 1)), heights)
    sides = np.array([box.side for box in face_boxes(poses)])
    assert np.allclose(sides / sides[50], heights / heights[50], rtol=0.1)
    assert sides[-1] / sides[0] == pytest.approx(3, rel=0.1)


def test_a_turned_head_keeps_its_square():
    poses = still(320, 460, 200, 1)
    poses.face[0, :, 2] = 1
    angles = np.linspace(0, 2 * np.pi, 70)
    for turn in (1.0, 0.4):  # landmarks seen from the front, and narrower from the side
        poses.face[0, :, 0] = 320 + turn * 20 * np.cos(angles)
        poses.face[0, :, 1] = 260 + 28 * np.sin(angles)
        assert face_box(poses, 0).side == pytest.approx(1.6 * 56, rel=0.01)


def test_nobody_has_a_face_from_behind():
    assert face_box(without(still(320, 460, 200, 1), "Nose"), 0) is None


def test_a_constant_residual_shows_no_edge():
    """Along any line the change rises no faster than the fade of the mask, and ends at zero with no slope."""
    image = np.full((200, 200, 3), 100, np.uint8)
    residual = np.full((64, 64, 3), 60.0, np.float32)
    box = FaceBox(100, 100, 100)
    change = blend(image, residual, box.matrix(64)).astype(int) - 100
    assert change[100, 100, 0] == 60
    assert change[0].max() == change[49, 49].max() == 0
    steps = np.abs(np.diff(change[100, :, 0]))
    assert steps.max() <= 8  # 60 levels over 15 pixels, at most 1.5 times the mean slope and rounding
    assert steps[48:51].max() <= 2  # where the square begins
    assert np.abs(np.diff(change[100, 70:130, 0])).max() == 0  # inside


def test_nothing_outside_the_square_changes():
    image = np.random.default_rng(0).integers(0, 256, (90, 120, 3), np.uint8)
    out = blend(image, np.full((32, 32, 3), 90.0, np.float32), FaceBox(10, 12, 40).matrix(32))
    changed = np.argwhere((out != image).any(axis=2))
    assert changed.max(axis=0)[0] <= 32
    assert changed.max(axis=0)[1] <= 30


def test_the_difference_of_two_crops_put_back_makes_one_picture_the_other():
    yy, xx = np.mgrid[:160, :160]
    real = np.stack([128 + 60 * np.sin(xx / 15), 128 + 60 * np.cos(yy / 20), 128 + 0 * xx], 2).astype(
        np.uint8
    )
    made = np.full_like(real, 128)
    box = FaceBox(80.3, 79.6, 96)
    residual = cut(real, box, 64).astype(np.float32) - cut(made, box, 64)
    out = blend(made, residual, box.matrix(64))
    inside = np.s_[52:108, 52:108]
    assert np.abs(out[inside].astype(int) - real[inside]).mean() < 2


def test_the_fade_is_one_within_and_zero_at_the_edge():
    mask = feather(128)
    assert mask[64, 64] == 1
    assert mask[0].max() < 0.01
    assert np.allclose(mask, mask.T)


@pytest.mark.parametrize("frame", [(1280, 720), (480, 640)])
def test_the_letterbox_can_be_undone(frame):
    yy, xx = np.mgrid[: frame[1], : frame[0]]
    waves = [128 + 80 * np.sin(xx / 60), 128 + 80 * np.cos(yy / 60), 128 + 0.0 * xx]
    image = np.stack(waves, 2).astype(np.uint8)
    box = Letterbox(frame, (16, 9), (512, 256))
    picture = box.apply(image)
    assert picture.shape == (256, 512, 3)
    assert np.abs(box.undo(picture)[8:-8, 8:-8].astype(int) - image[8:-8, 8:-8]).mean() < 1.5


def test_the_stick_figure_lies_on_the_letterboxed_person():
    poses = still(240, 600, 400, 1)
    poses = poses.transformed(1.0, np.zeros(2), (480, 640))
    box = Letterbox((480, 640), (16, 9), (512, 256))
    label = box.label(StickFigures(poses, "dots"), 0)
    rows, columns = np.nonzero((label < 200).any(axis=2))
    matrix = box.matrix()
    feet, middle = matrix @ [240, 600, 1], matrix @ [240, 400, 1]
    assert abs(columns.mean() - middle[0]) < 6
    assert abs(rows.max() - feet[1]) < 14
