from __future__ import annotations

import numpy as np
import pytest
from synthesis_figures import standing, without

from dataset.pose.keypoints import B
from synthesis.stickfigure import JOINT_COLORS, LIMBS, draw


@pytest.fixture
def figure():
    return standing(np.array([[320.0, 440.0]]), np.array([380.0]))


def test_joints_have_the_papers_colours_at_their_places(figure):
    label = draw(figure, 0, (640, 480), large=1080)
    for name in ("RKnee", "LKnee", "RWrist", "LElbow"):
        x, y = np.rint(figure.body[0, B[name], :2]).astype(int)
        assert np.abs(label[y, x].astype(int) - JOINT_COLORS[name]).max() < 40, name


def test_limbs_are_drawn_in_the_colour_of_their_first_joint_blended_with_white(figure):
    label = draw(figure, 0, (640, 480), large=1080)
    x, y = np.rint((figure.body[0, B["RKnee"], :2] + figure.body[0, B["RAnkle"], :2]) / 2).astype(int)
    expected = 0.6 * np.array(JOINT_COLORS["RKnee"]) + 0.4 * 255
    assert np.abs(label[y, x] - expected).max() < 30


def test_there_are_22_limbs_over_23_joints():
    assert len(LIMBS) == 22
    assert len(JOINT_COLORS) == 23
    assert {name for limb in LIMBS for name in limb} == set(JOINT_COLORS)


def test_an_unseen_joint_takes_its_limbs_with_it(figure):
    whole = draw(figure, 0, (640, 480))
    partial = draw(without(figure, "RKnee"), 0, (640, 480))
    x, y = np.rint(figure.body[0, B["RKnee"], :2]).astype(int)
    assert (partial[y, x] == 255).all()
    assert (whole[y, x] != 255).any()


def test_nobody_gives_a_white_picture(figure):
    empty = without(figure, *JOINT_COLORS, "RHeel", "LHeel")
    assert (draw(empty, 0, (64, 96)) == 255).all()


def test_the_figure_looks_alike_at_every_size(figure):
    large = draw(figure, 0, (640, 480), large=960)
    small = draw(figure, 0, (160, 120), large=960)
    shrunk = large.reshape(120, 4, 160, 4, 3).mean(axis=(1, 3))
    assert np.abs(small - shrunk).mean() < 1.0


def test_the_face_is_drawn_only_when_it_was_found(figure):
    face = figure.face.copy()
    face[0, :, :2] = figure.body[0, B["Nose"], :2] + np.random.default_rng(0).uniform(-20, 20, (70, 2))
    parts = figure.parts()
    hidden = draw(figure.with_parts(parts | {"face": face}), 0, (320, 240))
    face[0, :, 2] = 0.9
    shown = figure.with_parts(parts | {"face": face})
    dots, contours = (draw(shown, 0, (320, 240), face=kind) for kind in ("dots", "contours"))
    assert (hidden == draw(figure, 0, (320, 240))).all()
    assert (dots != hidden).any()
    assert (contours != dots).any()


def test_points_far_outside_the_picture_do_no_harm(figure):
    body = figure.body.copy()
    body[0, B["RWrist"], :2] = (1e7, -1e7)
    label = draw(figure.with_parts(figure.parts() | {"body": body}), 0, (64, 48))
    assert label.shape == (48, 64, 3)
