"""Key points: their names and order, and the poses of one person through a video.

Body points follow OpenPose's BODY_25, hands its 21 and the face its 70 points
(Cao et al., *OpenPose*, TPAMI 2019), whatever estimator they come from.
"""

from __future__ import annotations

import zipfile
import zlib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt

from dataset.errors import PoseError
from dataset.files import atomic_path

Array = npt.NDArray[np.float32]

BODY_25 = (
    "Nose", "Neck", "RShoulder", "RElbow", "RWrist", "LShoulder", "LElbow", "LWrist", "MidHip",
    "RHip", "RKnee", "RAnkle", "LHip", "LKnee", "LAnkle", "REye", "LEye", "REar", "LEar",
    "LBigToe", "LSmallToe", "LHeel", "RBigToe", "RSmallToe", "RHeel",
)  # fmt: skip
#: Index of a body point by its name, e.g. ``B["RWrist"]``.
B = {name: index for index, name in enumerate(BODY_25)}

HAND_POINTS = 21
#: From the wrist to the tip of each finger, thumb first.
FINGERS = tuple((0, *range(first, first + 4)) for first in (1, 5, 9, 13, 17))
FACE_POINTS = 70
#: Below this confidence a body point counts as not seen.
SEEN = 0.3


@dataclass(frozen=True)
class PoseSequence:
    """The key points of one person through a video, one row for each of its frames.

    A frame without the person has confidence 0 throughout: frames are never dropped, so row ``t`` is frame ``t``.

    Attributes:
        body: (T, 25, 3) float32; x, y in pixels (y downwards), confidence in [0, 1]. "Left" is the person's own left.
        left_hand, right_hand: (T, 21, 3), the same.
        face: (T, 70, 3), the same: 68 landmarks and the two pupils.
        times: (T,) float64, seconds from the container's timestamps.
        size: width and height of the frames in pixels.
        video_sha256: hash of the video file, empty where there is none (a rendering).
        estimator: what found the points, with its version, or "truth".
    """

    body: Array
    left_hand: Array
    right_hand: Array
    face: Array
    times: npt.NDArray[np.float64]
    size: tuple[int, int]
    video_sha256: str = ""
    estimator: str = ""
    notes: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        count = len(self.times)
        for name, points in self.parts().items():
            expected = (count, {"body": 25, "face": FACE_POINTS}.get(name, HAND_POINTS), 3)
            if points.shape != expected:
                raise PoseError(f"{name} key points have shape {points.shape}, expected {expected}")

    def __len__(self) -> int:
        return len(self.times)

    def __getitem__(self, rows: slice) -> Self:
        """A stretch of the sequence: ``poses[10:20]``."""
        return replace(
            self,
            times=self.times[rows],
            body=self.body[rows],
            left_hand=self.left_hand[rows],
            right_hand=self.right_hand[rows],
            face=self.face[rows],
        )

    def with_parts(self, parts: dict[str, Array]) -> Self:
        """The same frames with other key points, named as in `parts`."""
        return replace(
            self,
            body=parts["body"],
            left_hand=parts["left_hand"],
            right_hand=parts["right_hand"],
            face=parts["face"],
        )

    def parts(self) -> dict[str, Array]:
        """The four arrays by name, so that one loop can treat them alike."""
        return {
            "body": self.body,
            "left_hand": self.left_hand,
            "right_hand": self.right_hand,
            "face": self.face,
        }

    def present(self) -> npt.NDArray[np.bool_]:
        """(T,) whether the person was found in the frame: at least three body points seen."""
        return (self.body[:, :, 2] >= SEEN).sum(axis=1) >= 3

    def with_notes(self, notes: tuple[str, ...]) -> Self:
        """The same sequence with other notes."""
        return replace(self, notes=notes)

    def transformed(self, scale: npt.ArrayLike, shift: npt.ArrayLike, size: tuple[int, int]) -> Self:
        """Every point p becomes ``scale * p + shift``.

        Args:
            scale: scalar or (T,), factor per frame.
            shift: (2,) or (T, 2), pixels per frame.
            size: frame size of the result.
        """
        factor = np.broadcast_to(np.asarray(scale, np.float32), (len(self),))[:, None, None]
        offset = np.broadcast_to(np.asarray(shift, np.float32), (len(self), 2))[:, None, :]
        moved = {}
        for name, points in self.parts().items():
            out = points.copy()
            out[:, :, :2] = points[:, :, :2] * factor + offset
            moved[name] = out
        return replace(self.with_parts(moved), size=size)

    def save(self, path: str | Path) -> None:
        """Write the sequence as one compressed ``.npz`` of plain arrays."""
        with atomic_path(path) as temporary, temporary.open("wb") as out:
            np.savez_compressed(
                out,
                body=self.body,
                left_hand=self.left_hand,
                right_hand=self.right_hand,
                face=self.face,
                times=self.times,
                size=np.array(self.size),
                video_sha256=np.array(self.video_sha256),
                estimator=np.array(self.estimator),
                notes=np.array(self.notes, dtype=str),
            )

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read what `save` wrote.

        Raises:
            PoseError: the file is missing or not such a file.
        """
        try:
            with np.load(path, allow_pickle=False) as data:
                return cls(
                    body=data["body"],
                    left_hand=data["left_hand"],
                    right_hand=data["right_hand"],
                    face=data["face"],
                    times=data["times"],
                    size=(int(data["size"][0]), int(data["size"][1])),
                    video_sha256=str(data["video_sha256"]),
                    estimator=str(data["estimator"]),
                    notes=tuple(str(note) for note in data["notes"]),
                )
        except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
            raise PoseError(
                f"not a key point file ({error})", path=path, hint="estimate the poses again"
            ) from error


def body_box(body: Array, seen: float = SEEN) -> tuple[float, float, float, float] | None:
    """The box round the seen points of one pose.

    Args:
        body: (K, 3) points.
        seen: least confidence of a point that counts.

    Returns:
        x0, y0, x1, y1 in pixels, or None where fewer than three points are seen.
    """
    points = body[body[:, 2] >= seen, :2]
    if len(points) < 3:
        return None
    (x0, y0), (x1, y1) = points.min(axis=0), points.max(axis=0)
    return float(x0), float(y0), float(x1), float(y1)
