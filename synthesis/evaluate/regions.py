"""The regions in which frames are compared: boxes from the input pose, the same for the real and the made frame.

* **body**: the box round every key point that is seen, with the crown of the head (`synthesis.windows.extents`),
  widened on each side by `BODY_MARGIN` of its longer side.
* **face**: a square about the middle of the box round the seen face points, `FACE_SIZE` times the box's longer side,
  so that forehead, chin and ears are in it.

Both are clipped to the frame and rounded outwards to whole pixels. Crops are compared at the video's own size
("native"), and at "window size": scaled down by area so that the window which `synthesis.windows.follow` lays round
the person (margin 0.12) would be `WINDOW_HEIGHT` pixels tall; a crop is never enlarged. The window size depends on the
poses alone, not on a model, so that all columns of a table are compared at one size.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from dataset.pose.keypoints import SEEN, PoseSequence
from synthesis.recording import shrink
from synthesis.windows import choose_shape, extents, follow

Image = npt.NDArray[np.uint8]
Boxes = npt.NDArray[np.float64]

BODY_MARGIN = 0.06
FACE_SIZE = 1.6
#: Fewer seen face points than this do not tell where the face is.
FACE_LEAST = 20
WINDOW_HEIGHT = 256
WINDOW_MARGIN = 0.12


def body_boxes(poses: PoseSequence, margin: float = BODY_MARGIN) -> Boxes:
    """(T, 4) x0, y0, x1, y1 in whole pixels, x1 and y1 exclusive; NaN where nobody is."""
    boxes = extents(poses)
    wide = margin * np.maximum(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1])[:, None]
    return _clip(np.concatenate([boxes[:, :2] - wide, boxes[:, 2:] + wide], axis=1), poses.size)


def face_boxes(poses: PoseSequence, size: float = FACE_SIZE) -> Boxes:
    """(T, 4) as `body_boxes`; NaN where too little of the face is seen."""
    boxes = np.full((len(poses), 4), np.nan)
    for row, face in enumerate(poses.face):
        points = face[face[:, 2] >= SEEN, :2]
        if len(points) < FACE_LEAST:
            continue
        low, high = points.min(axis=0), points.max(axis=0)
        center, half = (low + high) / 2, size * (high - low).max() / 2
        boxes[row] = *(center - half), *(center + half)
    return _clip(boxes, poses.size)


def body_heights(poses: PoseSequence) -> npt.NDArray[np.float64]:
    """(T,) height in pixels of the box round the person, the unit of pose errors; NaN where nobody is."""
    boxes = extents(poses)
    return np.asarray(boxes[:, 3] - boxes[:, 1], np.float64)


def window_scales(poses: PoseSequence, height: int = WINDOW_HEIGHT) -> npt.NDArray[np.float64]:
    """(T,) factor, at most 1, from the frame's own pixels to window size."""
    windows = follow(poses, choose_shape(extents(poses), height), WINDOW_MARGIN)
    return np.minimum(1.0, height / windows.height)


def crop(image: Image, box: npt.NDArray[np.float64], scale: float = 1.0) -> Image:
    """What lies in a box, scaled down by area; no pixels where the box is NaN."""
    if np.isnan(box).any():
        return np.zeros((0, 0, 3), np.uint8)
    x0, y0, x1, y1 = (int(value) for value in box)
    cut = image[y0:y1, x0:x1]
    if scale == 1.0 or 0 in cut.shape:
        return cut
    return shrink(cut, (max(round(cut.shape[1] * scale), 1), max(round(cut.shape[0] * scale), 1)))


def _clip(boxes: Boxes, size: tuple[int, int]) -> Boxes:
    limit = np.array([*size, *size], np.float64)
    rounded = np.concatenate([np.floor(boxes[:, :2]), np.ceil(boxes[:, 2:])], axis=1)
    clipped = np.clip(rounded, 0, limit)
    empty = (clipped[:, 2] <= clipped[:, 0]) | (clipped[:, 3] <= clipped[:, 1])
    clipped[empty] = np.nan  # wholly outside the frame
    return np.asarray(clipped, np.float64)
