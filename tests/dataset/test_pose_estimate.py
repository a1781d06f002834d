"""Poses estimated by MediaPipe, on a mannequin whose joints are known."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from dataset.errors import ModelError, NotAVideoError, PoseError
from dataset.mannequin import Performer, render
from dataset.pose import PeopleFinder, PoseSequence, body_box, cached_poses, estimate_poses
from dataset.pose import cache as cache_module
from dataset.pose.estimate import CODE_VERSION, holistic_parts
from dataset.pose.keypoints import B
from dataset.video import VideoWriter

SIZE = (288, 384)
FPS = 12
ALL = FPS + FPS // 2
MAJOR = [
    B[f"{side}{part}"] for side in "LR" for part in ("Shoulder", "Elbow", "Wrist", "Hip", "Knee", "Ankle")
]


Filmed = tuple[Path, np.ndarray]


@pytest.fixture(scope="module")
def filmed(tmp_path_factory: pytest.TempPathFactory) -> Filmed:
    """A mannequin that waves for a second, then an empty picture for half a second; and its true joints (T, 25, 3)."""
    path = tmp_path_factory.mktemp("filmed") / "wave.mp4"
    truth = []
    with VideoWriter(path, SIZE, fps=FPS) as writer:
        for picture, joints in render(Performer.from_seed(3), "wave", seconds=1.0, fps=FPS, size=SIZE):
            writer.write(picture)
            truth.append(joints)
        for _ in range(FPS // 2):
            writer.write(np.full((SIZE[1], SIZE[0], 3), 120, np.uint8))
    return path, np.stack(truth)


@pytest.fixture(scope="module")
def poses(filmed: Filmed) -> PoseSequence:
    return estimate_poses(filmed[0])


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    """One mannequin, facing the camera."""
    return next(iter(render(Performer.from_seed(5), "stand", seconds=0.1, size=SIZE)))[0]


def test_no_frame_is_dropped_and_a_frame_without_a_person_has_confidence_0(poses: PoseSequence) -> None:
    assert len(poses) == ALL
    np.testing.assert_allclose(poses.times, np.arange(ALL) / FPS, atol=1e-3)
    assert poses.present()[:FPS].all()
    for points in poses.parts().values():
        assert (points[FPS:, :, 2] == 0).all()
    assert any("no person found in" in note for note in poses.notes)


def test_joints_are_where_the_mannequin_has_them(filmed: Filmed, poses: PoseSequence) -> None:
    truth = filmed[1][:, MAJOR]
    error = np.linalg.norm(poses.body[:FPS, MAJOR, :2] - truth[..., :2], axis=-1)
    box = body_box(filmed[1][0])
    assert box is not None
    assert error.mean() < 0.04 * (box[3] - box[1])


def test_left_is_the_persons_left_in_body_hands_and_face(poses: PoseSequence) -> None:
    body = poses.body[:FPS].mean(axis=0)
    for part in ("Shoulder", "Hip", "Ankle", "Eye"):
        assert body[B[f"L{part}"], 0] > body[B[f"R{part}"], 0]
    face = poses.face[:FPS][poses.face[:FPS, 68, 2] > 0]
    assert len(face) > 10
    assert (face[:, 69, 0] > face[:, 68, 0]).all()
    for hand, wrist in (("left_hand", "LWrist"), ("right_hand", "RWrist")):
        found = poses.parts()[hand][:FPS, 0]
        near = np.linalg.norm(found[:, :2] - poses.body[:FPS, B[wrist], :2], axis=-1)
        assert (near[found[:, 2] > 0] < 30).all()


def test_the_same_bytes_give_the_same_poses(filmed: Filmed, poses: PoseSequence) -> None:
    again = estimate_poses(filmed[0])
    for name, points in poses.parts().items():
        np.testing.assert_array_equal(again.parts()[name], points)


def test_the_body_model_agrees_with_holistic_and_progress_counts_both_readings(
    filmed: Filmed, poses: PoseSequence
) -> None:
    calls: list[tuple[int, int | None]] = []
    body = estimate_poses(filmed[0], model="pose", progress=lambda done, total: calls.append((done, total)))
    assert np.median(np.abs(body.body[:FPS, MAJOR, :2] - poses.body[:FPS, MAJOR, :2])) < 3
    assert not body.face.any()
    assert " pose, " in body.estimator
    assert f"danceproof {CODE_VERSION}" in body.estimator
    assert calls == [(done, 2 * ALL) for done in range(1, 2 * ALL + 1)]


def test_cached_poses_are_estimated_once_and_survive_a_damaged_file(
    filmed: Filmed, poses: PoseSequence, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []

    def counted(video: Path, *, model: str, **_: object) -> PoseSequence:
        calls.append(model)
        return poses

    monkeypatch.setattr(cache_module, "estimate_poses", counted)
    moved = tmp_path / "renamed.mp4"
    moved.write_bytes(filmed[0].read_bytes())
    for video in (filmed[0], filmed[0], moved):
        np.testing.assert_array_equal(cached_poses(video, tmp_path / "cache").body, poses.body)
    assert calls == ["holistic"]
    cached_poses(filmed[0], tmp_path / "cache", model="pose")
    monkeypatch.setattr(cache_module, "CODE_VERSION", CODE_VERSION + 1)
    cached_poses(filmed[0], tmp_path / "cache")
    assert calls == ["holistic", "pose", "holistic"]
    for path in (tmp_path / "cache").iterdir():
        path.write_bytes(b"cut off")
    np.testing.assert_array_equal(cached_poses(filmed[0], tmp_path / "cache").body, poses.body)
    assert len(calls) == 4


def test_bad_input_is_told_apart(filmed: Filmed, tmp_path: Path) -> None:
    with pytest.raises(NotAVideoError):
        cached_poses(tmp_path / "missing.mp4", tmp_path)
    with pytest.raises(PoseError, match="no pose model called"):
        estimate_poses(filmed[0], model="openpose")
    with pytest.raises(ModelError, match="rebuild"):
        estimate_poses(filmed[0], bundle=tmp_path / "lost.task")


def test_two_people_are_found_large_one_first_and_without_doubles(picture: np.ndarray) -> None:
    person = picture[70:350, 60:228]
    small = person[np.arange(0, 280, 1.25).astype(int)][:, np.arange(0, 168, 1.25).astype(int)]
    both = np.full((300, 340, 3), 128, np.uint8)
    both[10:290, :168] = person
    both[50 : 50 + small.shape[0], 190 : 190 + small.shape[1]] = small
    with PeopleFinder() as finder:
        (alone,) = finder.find(np.pad(person, ((10, 10), (0, 172), (0, 0))))
        people = finder.find(both)
        assert finder.find(np.full((200, 300, 3), 90, np.uint8)) == []
        again = finder.find(both)
    assert len(people) == 2
    assert np.median(np.abs(people[0][MAJOR, :2] - alone[MAJOR, :2])) < 4
    box = body_box(people[1])
    assert box is not None
    assert box[0] > 190
    for first, second in zip(people, again, strict=True):
        np.testing.assert_array_equal(first, second)


def test_somebody_far_away_is_found_in_parts_of_the_picture(picture: np.ndarray) -> None:
    wide = np.full((800, 1600, 3), 128, np.uint8)
    wide[300 : 300 + SIZE[1], 1000 : 1000 + SIZE[0]] = picture
    with PeopleFinder() as finder, PeopleFinder(small_people=True) as patient:
        assert finder.find(wide) == []
        (found,) = patient.find(wide)
    box = body_box(found)
    assert box is not None
    assert box[0] > 1000
    assert box[2] < 1000 + SIZE[0]


@pytest.mark.parametrize(("left_wrist", "kept"), [(0.2, 1), (0.9, 2)])
def test_of_two_hands_in_one_place_the_hidden_one_is_dropped(left_wrist: float, kept: int) -> None:
    def point(x: float, visibility: float = 1.0) -> SimpleNamespace:
        return SimpleNamespace(x=x, y=0.5, z=0.0, visibility=visibility, presence=1.0)

    result = SimpleNamespace(
        pose_landmarks=[point(0.4, left_wrist if index == 15 else 0.95) for index in range(33)],
        right_hand_landmarks=[point(0.4 + 0.01 * index) for index in range(21)],
        left_hand_landmarks=[point(0.405 + 0.01 * index) for index in range(21)],
        face_landmarks=[],
    )
    parts = holistic_parts(result, (100, 100))
    assert parts["right_hand"][:, 2].all()
    assert parts["left_hand"].any() == (kept == 2)


def test_estimating_leaves_stderr_clean_and_lets_other_text_through(
    filmed: Filmed,
) -> None:
    code = (
        "import os, sys\nfrom pathlib import Path\nfrom dataset.pose import estimate_poses\n"
        "from dataset.pose.landmarkers import native_noise_removed\n"
        f"estimate_poses(Path({str(filmed[0])!r}), model='pose')\n"
        "with native_noise_removed():\n    os.write(2, b'INFO: Created TensorFlow Lite x\\nreal trouble\\n')\n"
        "try:\n    with native_noise_removed():\n        os.write(2, b'W0000 00:0.1  7 a.cc:1] why\\n'); 1 / 0\n"
        "except ZeroDivisionError:\n    pass\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    assert done.stderr == "real trouble\nW0000 00:0.1  7 a.cc:1] why\n"
