"""Where a mannequin's own body stands when it does what another did: the truth that normalisation is held against.

Nothing is rendered: `dataset.mannequin` gives the joints in the room, its camera projects them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from dataset.mannequin import Performer
from dataset.mannequin.camera import Camera
from dataset.mannequin.motion import Pose, pose_at
from dataset.mannequin.performer import Body
from dataset.mannequin.skeleton import body_points, build
from dataset.pose.keypoints import FACE_POINTS, B, PoseSequence

Floats = npt.NDArray[np.float64]
Motion = Callable[[Performer, float], Pose]
_LENGTHS = (
    "height", "upper_arm", "forearm", "hand", "thigh", "shin", "ankle", "foot", "hip", "shoulder", "lumbar",
    "spine", "neck", "head",
)  # fmt: skip


def sized(seed: int, height: float, **camera: float) -> Performer:
    """The performer of that seed, grown or shrunk to a height in metres; `camera` sets its height and distance."""
    performer = Performer.from_seed(seed)
    factor = height / performer.body.height
    body = replace(performer.body, **{name: getattr(performer.body, name) * factor for name in _LENGTHS})
    return replace(performer, body=body, **camera)


def walks(depth: float = 1.0, seed: int = 0) -> Motion:
    """Towards the camera and back; `depth` stretches the two metres of way."""

    def motion(performer: Performer, time: float) -> Pose:
        pose = pose_at(performer, "walk", time, seed)
        return replace(pose, root=pose.root * np.array([1.0, depth, 1.0]))

    return motion


def glides(depth: float = 2.0, name: str = "stand", period: float = 6.0) -> Motion:
    """One of the mannequin's motions on a trolley that rolls `depth` metres away from the camera and back."""

    def motion(performer: Performer, time: float) -> Pose:
        pose = pose_at(performer, name, time)
        way = depth * (0.5 - 0.5 * np.cos(2 * np.pi * time / period))
        return replace(pose, root=pose.root + np.array([0.0, -way, 0.0]))

    return motion


def jumps(height: float = 0.25, every: float = 1.4) -> Motion:
    """In place, both feet at once, half a second in the air."""

    def motion(performer: Performer, time: float) -> Pose:
        pose = pose_at(performer, "stand", time)
        air = (time % every) / 0.5
        lift = 4 * height * air * (1 - air) if air < 1 else 0.0
        feet, pelvis = pose.feet.copy(), pose.pelvis.copy()
        feet[:, 1] += lift
        pelvis[1] += lift
        return replace(pose, feet=feet, pelvis=pelvis)

    return motion


def does(name: str) -> Motion:
    """One of the mannequin's own motions, in place."""
    return lambda performer, time: pose_at(performer, name, time)


@dataclass(frozen=True)
class Stage:
    """A performer before their camera, with nothing painted."""

    performer: Performer
    camera: Camera

    @classmethod
    def of(cls, performer: Performer, size: tuple[int, int] = (480, 640)) -> Stage:
        return cls(performer, Camera.facing(performer, size))

    def film(self, motion: Motion, seconds: float = 10.0, fps: float = 12.0) -> PoseSequence:
        """True poses of the performer's own motion."""
        times = np.arange(round(seconds * fps)) / fps
        return self._sequence([motion(self.performer, time) for time in times], times)

    def ground_y(self, z: npt.ArrayLike) -> Floats:
        """y in the picture of an ankle that stands on the ground at `z` metres towards the camera."""
        z = np.atleast_1d(np.asarray(z, float))
        points = np.stack([np.zeros_like(z), np.full_like(z, self.performer.body.ankle), z], axis=1)
        return self.camera.project(points)[0][:, 1] - 0.5

    def z_at(self, y: npt.ArrayLike) -> Floats:
        """The inverse of `ground_y`."""
        z = np.linspace(-8.0, 1.5, 4000)
        return np.interp(np.asarray(y, float), self.ground_y(z), z)

    def standing_height(self, z: npt.ArrayLike) -> Floats:
        """Pixels from nose to ankles of the performer standing upright at `z`."""
        still = pose_at(self.performer, "stand", 0.0)
        rows = [replace(still, root=np.array([0.0, depth, 0.0])) for depth in np.atleast_1d(z)]
        return height(self._sequence(rows, np.arange(len(rows), dtype=float)))

    def imitate(self, source: Performer, motion: Motion, times: Floats, z: Floats) -> PoseSequence:
        """The source's movements with this performer's body, at `z` metres towards the camera in each frame."""
        legs = _legs(self.performer.body) / _legs(source.body)
        poses = []
        for time, depth in zip(times, z, strict=True):
            pose = motion(source, float(time))
            pelvis, feet = pose.pelvis.copy(), pose.feet.copy()
            pelvis[:3] *= legs
            feet[:, :3] *= legs
            poses.append(
                replace(
                    pose, root=np.array([pose.root[0] * legs, depth, pose.root[2]]), pelvis=pelvis, feet=feet
                )
            )
        return self._sequence(poses, times)

    def _sequence(self, poses: list[Pose], times: Floats) -> PoseSequence:
        count = len(poses)
        body = np.ones((count, 25, 3), np.float32)
        hands = np.ones((2, count, 21, 3), np.float32)
        for row, pose in enumerate(poses):
            skeleton = build(self.performer.body, pose)
            body[row, :, :2] = self.camera.project(body_points(self.performer.body, skeleton))[0] - 0.5
            for side in (0, 1):
                hands[side, row, :, :2] = self.camera.project(skeleton.fingers[side])[0] - 0.5
        return PoseSequence(
            body=body,
            left_hand=hands[0],
            right_hand=hands[1],
            face=np.zeros((count, FACE_POINTS, 3), np.float32),
            times=np.asarray(times, float),
            size=self.camera.size,
            estimator="truth",
        )


def depths(performer: Performer, motion: Motion, times: Floats) -> Floats:
    """How far towards the camera the performer is, in metres."""
    return np.array([motion(performer, float(time)).root[1] for time in times])


def feet_y(poses: PoseSequence) -> Floats:
    """y of the lower ankle."""
    return np.asarray(poses.body[:, [B["RAnkle"], B["LAnkle"]], 1].max(axis=1), float)


def height(poses: PoseSequence) -> Floats:
    """Pixels from nose to the middle of the ankles."""
    ankles = poses.body[:, [B["RAnkle"], B["LAnkle"]], :2].mean(axis=1)
    return np.asarray(np.hypot(*(poses.body[:, B["Nose"], :2] - ankles).T), float)


def _legs(body: Body) -> float:
    return body.thigh + body.shin
