"""Key points: naming, storage, and the conversion from MediaPipe's."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from dataset.errors import PoseError
from dataset.pose import PoseSequence, body_box
from dataset.pose.blazepose import BLAZEPOSE, FACE_MESH, body_from_blazepose, face_from_mesh
from dataset.pose.keypoints import BODY_25, FACE_POINTS, B

SIZE = (400, 600)


def standing() -> np.ndarray:
    """BlazePose points of somebody who faces the camera: x, y, depth, confidence. Their left is at larger x."""
    points = np.zeros((33, 4))
    points[:, 3] = 0.9
    heights = {"Shoulder": 200, "Elbow": 260, "Wrist": 320, "Hip": 350, "Knee": 430, "Ankle": 520}
    for side, sign in (("L", 1), ("R", -1)):
        for part, y in heights.items():
            points[BLAZEPOSE[f"{side}{part}"], :2] = 200 + sign * 40, y
        points[BLAZEPOSE[f"{side}Heel"], :3] = 200 + sign * 40, 530, 5
        points[BLAZEPOSE[f"{side}BigToe"], :3] = 200 + sign * 40, 535, -35
    points[0, :2] = 200, 120
    return points


def sequence(count: int = 4) -> PoseSequence:
    rng = np.random.default_rng(1)
    body, hands, face = (
        rng.random((count, points, 3)).astype(np.float32) for points in (25, 21, FACE_POINTS)
    )
    return PoseSequence(
        body, hands, hands + 1, face, np.arange(count) / 25, SIZE, "ab" * 32, "truth", ("a note", "ü")
    )


def test_midpoints_take_the_lower_confidence() -> None:
    points = standing()
    points[BLAZEPOSE["LShoulder"], 3] = 0.4
    body = body_from_blazepose(points, SIZE)
    assert body[B["Neck"]] == pytest.approx([200, 200, 0.4])
    assert body[B["MidHip"]] == pytest.approx([200, 350, 0.9])


def test_sides_are_the_persons_own() -> None:
    body = body_from_blazepose(standing(), SIZE)
    for part in ("Shoulder", "Elbow", "Wrist", "Hip", "Knee", "Ankle", "Heel", "BigToe"):
        assert (body[B[f"L{part}"], 0], body[B[f"R{part}"], 0]) == (240, 160)


def test_small_toes_lie_outside_the_big_ones_and_are_believed_half() -> None:
    body = body_from_blazepose(standing(), SIZE)
    assert 240 + 5 < body[B["LSmallToe"], 0] < 240 + 25
    assert 160 - 25 < body[B["RSmallToe"], 0] < 160 - 5
    assert body[B["LSmallToe"], 2] == pytest.approx(0.45)


def test_points_far_outside_the_picture_are_not_seen() -> None:
    points = standing()
    points[BLAZEPOSE["LAnkle"], 1] = 640  # 40 below the picture
    points[BLAZEPOSE["RAnkle"], 1] = 610  # 10 below it: within the margin
    body = body_from_blazepose(points, SIZE)
    assert body[B["LAnkle"], 2] == 0
    assert body[B["RAnkle"], 2] == pytest.approx(0.9)


def test_face_has_seventy_points_that_end_with_the_pupils() -> None:
    mesh = np.stack([np.arange(478) % 300, np.arange(478) // 300], axis=1).astype(np.float32)
    face = face_from_mesh(mesh, 0.7, SIZE)
    assert face.shape == (70, 3)
    assert len(set(FACE_MESH)) == 70
    assert face[68, :2] == pytest.approx(mesh[468])
    assert face[69, :2] == pytest.approx(mesh[473])
    assert (face[:, 2] == np.float32(0.7)).all()


def test_saved_poses_come_back_exactly(tmp_path: Path) -> None:
    poses = sequence()
    poses.save(tmp_path / "poses.npz")
    again = PoseSequence.load(tmp_path / "poses.npz")
    for name, points in poses.parts().items():
        np.testing.assert_array_equal(again.parts()[name], points)
    np.testing.assert_array_equal(again.times, poses.times)
    assert (again.size, again.video_sha256, again.estimator, again.notes) == (
        poses.size,
        poses.video_sha256,
        poses.estimator,
        poses.notes,
    )


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 half a zip", b"no zip at all"])
def test_a_damaged_pose_file_is_a_pose_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "poses.npz"
    path.write_bytes(content)
    with pytest.raises(PoseError, match=r"poses\.npz"):
        PoseSequence.load(path)


def test_parts_of_unequal_length_are_refused() -> None:
    poses = sequence()
    with pytest.raises(PoseError, match="face"):
        PoseSequence(poses.body, poses.left_hand, poses.right_hand, poses.face[:2], poses.times, SIZE)


def test_a_transformed_sequence_moves_every_part_and_keeps_confidence() -> None:
    poses = sequence()
    moved = poses.transformed(2.0, (10, -5), (800, 1200))
    for name, points in poses.parts().items():
        np.testing.assert_allclose(moved.parts()[name][..., :2], points[..., :2] * 2 + (10, -5), rtol=1e-6)
        np.testing.assert_array_equal(moved.parts()[name][..., 2], points[..., 2])
    assert moved.size == (800, 1200)


def test_a_box_needs_three_seen_points() -> None:
    body = np.zeros((len(BODY_25), 3), np.float32)
    body[:3] = (10, 20, 0.9), (30, 5, 0.9), (99, 99, 0.1)
    assert body_box(body) is None
    body[3] = 20, 60, 0.5
    assert body_box(body) == (10, 5, 30, 60)


def test_importing_poses_does_not_import_mediapipe() -> None:
    code = "import dataset.pose, sys; from dataset.pose import clean; assert callable(clean)"
    code += "; assert not {'mediapipe', 'cv2', 'av'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])
