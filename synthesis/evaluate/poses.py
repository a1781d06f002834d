"""How well the made frames show the pose that was asked for: poses are found again in them and compared.

The first arXiv version of the paper reports a pose distance (mean L2 between the input pose and the pose found again in
the output) and missed detections. Here:

* **pose distance**: of a frame, the mean over its compared points of the L2 distance in pixels. Body points, seen in
  the input pose and in the pose found again, are compared; hands and face are told apart in the JSON.
* **share of body height**: the same, divided by the height of the box round the person in that frame.
* **missed points**: of a frame, the share of the input's seen body points that are not found again.
* **missed frames**: frames in which nobody is found though the input shows somebody.

The real held-out frames go through the same measurement; their figures are the floor that the pose estimator sets.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dataset.pose.keypoints import SEEN, Array, PoseSequence
from synthesis.evaluate.regions import body_heights

Values = npt.NDArray[np.float64]


@dataclass(frozen=True)
class PoseErrors:
    """Per frame, NaN where not measurable.

    Attributes:
        distance, hands, face: (T,) pixels.
        share: (T,) body distance ÷ height of the person.
        missed_points: (T,) share of the input's seen body points.
        missed_frame: (T,) 1 where nobody was found again, else 0.
    """

    distance: Values
    hands: Values
    face: Values
    share: Values
    missed_points: Values
    missed_frame: Values


def pose_errors(asked: PoseSequence, found: PoseSequence) -> PoseErrors:
    """Compare the input poses with those found again in the output, row by row.

    Args:
        asked, found: of the same number of frames and frame size.
    """
    here = asked.present()
    again = found.present()
    distance = _distances(asked.body, found.body)
    wanted = asked.body[:, :, 2] >= SEEN
    missing = wanted & ~(found.body[:, :, 2] >= SEEN)
    counts = np.maximum(wanted.sum(axis=1), 1)
    nothing = np.full(len(asked), np.nan)
    return PoseErrors(
        distance=np.where(here & again, distance, np.nan),
        hands=_distances(
            np.concatenate([asked.left_hand, asked.right_hand], axis=1),
            np.concatenate([found.left_hand, found.right_hand], axis=1),
        ),
        face=_distances(asked.face, found.face),
        share=np.where(here & again, distance / np.maximum(body_heights(asked), 1.0), np.nan),
        missed_points=np.where(here, missing.sum(axis=1) / counts, nothing),
        missed_frame=np.where(here, (~again).astype(np.float64), nothing),
    )


def _distances(asked: Array, found: Array) -> Values:
    """(T,) mean L2 over the points seen in both; NaN where there is none."""
    both = (asked[:, :, 2] >= SEEN) & (found[:, :, 2] >= SEEN)
    apart = np.hypot(*(np.moveaxis(asked[:, :, :2] - found[:, :, :2], 2, 0)).astype(np.float64))
    counts = both.sum(axis=1)
    return np.where(counts > 0, (apart * both).sum(axis=1) / np.maximum(counts, 1), np.nan)
