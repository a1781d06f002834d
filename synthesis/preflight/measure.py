"""What a video and its key points are worth: detection, limbs, swaps, jitter, people, camera."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from dataset.collection.checks.look import Look, look, shift
from dataset.pose.cleaning import LIMBS, body_size, swapped
from dataset.pose.keypoints import SEEN, B, PoseSequence
from dataset.pose.people import PeopleFinder
from dataset.video import VideoInfo, read_frames

Image = npt.NDArray[np.uint8]
Progress = Callable[[int, int | None], None]

#: Frames that are looked at closely for people and the camera, evenly spread.
LOOKS = 24
#: Points of the body whose trembling is measured: those that carry the figure.
_STEADY = ("Nose", "Neck", "RShoulder", "LShoulder", "RHip", "LHip", "RKnee", "LKnee", "RAnkle", "LAnkle")
#: Left and right shoulder are so far apart, in body sizes, where a person is seen from the front or from behind.
_BROAD = 0.05
#: What may be missing, and the points that it takes.
PARTS: dict[str, tuple[str, ...]] = {
    "head": ("Nose",),
    "arms": ("RElbow", "LElbow", "RWrist", "LWrist"),
    "hips": ("RHip", "LHip"),
    "legs": ("RKnee", "LKnee"),
    "feet": ("RAnkle", "LAnkle"),
}


@dataclass(frozen=True)
class Quality:
    """Of the key points of one video.

    Attributes:
        frames: how many the video has.
        seconds: from the first to the last.
        size: width and height in pixels.
        detected: share of the frames with the person.
        seen: for each of `PARTS`, "hands" and "face" the share of the frames with the person that show it.
        swaps: share of the frames in which a limb of the left was taken for one of the right.
        jitter: how far steady points are from the middle of the frames round them, in body sizes; the mean over the
            points that are seen.
        tall: the person's size in pixels.
        sides: "front" and "behind" → share of the frames with the person in which they are seen from there; the rest
            are profiles.
    """

    frames: int
    seconds: float
    size: tuple[int, int]
    detected: float
    seen: dict[str, float]
    swaps: float
    jitter: float
    tall: float
    sides: dict[str, float]


@dataclass(frozen=True)
class Surroundings:
    """Of a video, from frames spread over it.

    Attributes:
        looks: how many frames were looked at.
        several: share of them with more than one person.
        most: people in the fullest of them.
        camera: how far the background moves through the video, as a share of the picture's diagonal.
    """

    looks: int
    several: float
    most: int
    camera: float


def quality(poses: PoseSequence) -> Quality:
    """Of key points as they were estimated, before `dataset.pose.clean`."""
    present = poses.present()
    size = body_size(poses)
    wrong = np.zeros(len(poses), np.bool_)
    if size and len(poses) > 2:
        for joints, _ in LIMBS:
            left, right = ([B[f"{side}{joint}"] for joint in joints] for side in "LR")
            wrong |= swapped(poses.body[:, left], poses.body[:, right], poses.times, size)
    body = poses.body[present]
    seen = {name: float((body[:, [B[p] for p in names], 2] >= SEEN).mean()) if len(body) else 0.0
            for name, names in PARTS.items()}  # fmt: skip
    hands = np.stack([poses.left_hand[present], poses.right_hand[present]])
    seen["hands"] = float((hands[..., 2].mean(axis=-1) >= SEEN).mean()) if len(body) else 0.0
    seen["face"] = float((poses.face[present][..., 2].mean(axis=-1) >= SEEN).mean()) if len(body) else 0.0
    return Quality(
        frames=len(poses),
        seconds=float(poses.times[-1] - poses.times[0]) if len(poses) else 0.0,
        size=poses.size,
        detected=float(present.mean()) if len(poses) else 0.0,
        seen=seen,
        swaps=float(wrong.mean()) if len(poses) else 0.0,
        jitter=jitter(poses, size),
        tall=size,
        sides=sides(poses, size),
    )


def sides(poses: PoseSequence, size: float) -> dict[str, float]:
    """ "front" and "behind" → share of the frames with the person in which they are seen from there.

    Args:
        poses: key points.
        size: of the body, pixels.
    """
    body = poses.body[poses.present()]
    right, left = (body[:, B[f"{side}Shoulder"]] for side in "RL")
    # Who faces the camera has their left on its right.
    across = np.where((right[:, 2] >= SEEN) & (left[:, 2] >= SEEN), left[:, 0] - right[:, 0], 0.0)
    count = max(len(body), 1)
    return {
        "front": float((across > _BROAD * size).sum()) / count,
        "behind": float((across < -_BROAD * size).sum()) / count,
    }


def jitter(poses: PoseSequence, size: float) -> float:
    """Mean distance of steady points from the mean of the frames before and after, in body sizes.

    Even motion has none, whatever its speed; what is left is trembling and sudden turns.
    """
    if len(poses) < 3 or size <= 0:
        return 0.0
    points = poses.body[:, [B[name] for name in _STEADY]]
    seen = points[..., 2] >= SEEN
    every = seen[1:-1] & seen[:-2] & seen[2:]
    if not every.any():
        return 0.0
    off = np.linalg.norm(points[1:-1, :, :2] - (points[:-2, :, :2] + points[2:, :, :2]) / 2, axis=-1)
    return float(off[every].mean()) / size


def surroundings(video: Path, progress: Progress | None = None) -> Surroundings:
    """How many people there are and whether the camera stands still.

    Raises:
        VideoError: the file cannot be read.
    """
    info = VideoInfo.from_path(video)
    total = info.frame_count
    looks: list[Look] = []
    held: Image | None = None
    wanted = (
        None if total is None else set(np.linspace(0, max(total - 2, 0), LOOKS).round().astype(int).tolist())
    )
    every = max(info.duration / LOOKS, 1e-3)
    with PeopleFinder(max_people=6) as finder, read_frames(video) as reader:
        for row, frame in enumerate(reader):
            if held is not None:
                looks.append(look(held, frame.image, finder))
            due = row in wanted if wanted is not None else frame.time >= len(looks) * every
            held = frame.image if due else None
            if progress is not None:
                progress(row + 1, total)
    counts = [len(one.people) for one in looks]
    return Surroundings(
        looks=len(looks),
        several=float(np.mean([count > 1 for count in counts])) if counts else 0.0,
        most=max(counts, default=0),
        camera=camera_motion(looks),
    )


def camera_motion(looks: list[Look]) -> float:
    """The farthest that the background is from where it was in the middle of the video, share of the diagonal.

    The second farthest is taken: a light that is switched on or a door that opens is not a camera.
    """
    if len(looks) < 2:
        return 0.0
    middle = looks[len(looks) // 2]
    away = []
    for one in looks:
        behind = np.minimum(middle.behind, one.behind)
        if one.small.shape == middle.small.shape and (behind > 0).mean() > 0.05:
            away.append(float(np.hypot(*shift(middle.small, one.small, behind))) / middle.diagonal)
    away.sort()
    return away[-2] if len(away) > 2 else max(away, default=0.0)
