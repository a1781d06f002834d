from __future__ import annotations

import cv2
import numpy as np
import pytest
from synthesis_figures import standing

from dataset.pose.keypoints import B
from synthesis.windows import Windows, choose_shape, extents, follow, paste, sample


def moving(count: int = 60):
    feet = np.stack([np.linspace(150, 450, count), np.linspace(400, 440, count)], 1)
    return standing(feet, np.linspace(200, 300, count))


def test_the_whole_person_is_in_the_window_in_every_frame():
    poses = moving()
    windows = follow(poses, (128, 256), margin=0.1)
    for row in range(len(poses)):
        points = windows.label_poses(poses, row, row).body[0, :, :2]
        assert points.min() > 0
        assert (points.max(axis=0) < (128, 256)).all()


def test_windows_move_and_grow_smoothly_through_a_gap():
    poses = moving()
    poses.body[20:30] = 0
    windows = follow(poses, (128, 256), margin=0.1)
    assert np.abs(np.diff(windows.height)).max() < 0.03 * windows.height.mean()
    assert np.abs(np.diff(windows.center, axis=0)).max() < 12


def test_a_window_is_moved_inside_the_frame_where_it_fits():
    poses = standing(np.tile([60.0, 470.0], (10, 1)), np.full(10, 200.0))
    windows = follow(poses, (128, 256), margin=0.1)
    half = windows.height / 2
    assert (windows.center[:, 1] + half <= 480 + 1e-6).all()
    assert (windows.center[:, 0] - half / 2 >= -1e-6).all()
    larger = follow(standing(np.tile([320.0, 470.0], (10, 1)), np.full(10, 440.0)), (128, 256), margin=0.3)
    assert larger.center[:, 1] == pytest.approx(np.full(10, 240.0))


def test_a_point_of_the_frame_is_found_at_its_place_in_the_window():
    image = np.zeros((480, 640, 3), np.uint8)
    cv2.circle(image, (300, 200), 6, (255, 255, 255), -1)
    windows = Windows(np.array([[280.0, 220.0]]), np.array([256.0]), (128, 256))
    seen = sample(image, windows.matrix(0), windows.shape)[..., 0]
    y, x = np.argwhere(seen > 128).mean(axis=0)
    assert (x, y) == pytest.approx((300 - 280 + 64, 200 - 220 + 128), abs=0.6)


def test_labels_and_pictures_agree_at_any_scale():
    poses = standing(np.array([[320.0, 400.0]]), np.array([300.0]))
    frame = np.zeros((480, 640, 3), np.uint8)
    x, y = poses.body[0, B["Nose"], :2]
    cv2.circle(frame, (round(float(x)), round(float(y))), 8, (255, 255, 255), -1)
    small = cv2.resize(frame, (320, 240), interpolation=cv2.INTER_AREA)
    windows = Windows(np.array([[300.0, 260.0]]), np.array([400.0]), (96, 192))
    label = windows.label_poses(poses, 0).body[0, B["Nose"], :2]
    seen = sample(small, windows.matrix(0, 0.5), windows.shape)[..., 0]
    found = np.argwhere(seen > 128).mean(axis=0)[::-1]
    assert found == pytest.approx(label, abs=0.8)


def test_pasting_what_was_sampled_changes_next_to_nothing():
    rng = np.random.default_rng(0)
    frame = cv2.GaussianBlur(rng.integers(0, 255, (240, 320, 3), np.uint8), (0, 0), 5)
    windows = Windows(np.array([[150.0, 120.0]]), np.array([160.0]), (128, 160))
    window = sample(frame, windows.matrix(0), windows.shape)
    alpha = np.zeros((160, 128), np.float32)
    alpha[40:120, 30:100] = 1
    pasted = paste(frame, window.astype(np.float32), alpha, windows.matrix(0))
    assert np.abs(pasted.astype(int) - frame).max() <= 2


def test_a_window_outside_the_frame_leaves_the_plate_as_it_is():
    frame = np.full((100, 100, 3), 50, np.uint8)
    windows = Windows(np.array([[500.0, 500.0]]), np.array([64.0]), (64, 64))
    person = np.full((64, 64, 3), 200, np.float32)
    assert (paste(frame, person, np.ones((64, 64), np.float32), windows.matrix(0)) == frame).all()


def test_the_shape_follows_the_poses_and_fits_the_network():
    poses = moving()
    width, height = choose_shape(extents(poses), 256)
    assert height == 256
    assert width % 32 == 0
    assert 128 <= width <= 256
