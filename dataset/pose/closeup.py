"""A square of a picture round one person, cut out to be looked at closely."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import cv2
import numpy as np
import numpy.typing as npt

from dataset.pose.keypoints import Array, body_box

Image = npt.NDArray[np.uint8]

#: Width and height in pixels of what is cut out.
CROP = 320


@dataclass(frozen=True)
class Closeup:
    """A square, in pixels of the picture.

    Attributes:
        left, top, side: where it lies; it may reach beyond the picture.
    """

    left: float
    top: float
    side: float

    @classmethod
    def about(cls, body: Array, margin: float) -> Self | None:
        """The square about the seen points of (25, 3), `margin` times as large as needed; None without any."""
        box = body_box(body)
        if box is None:
            return None
        side = max(box[2] - box[0], box[3] - box[1], 16.0) * margin
        return cls((box[0] + box[2] - side) / 2, (box[1] + box[3] - side) / 2, side)

    @property
    def matrix(self) -> npt.NDArray[np.float64]:
        """(2, 3) affine map from the picture to what is cut out."""
        scale = CROP / self.side
        return np.array([[scale, 0.0, -self.left * scale], [0.0, scale, -self.top * scale]])

    def cut(self, image: Image) -> Image:
        """(CROP, CROP, 3); beyond the picture its edge is repeated."""
        return cv2.warpAffine(
            image, self.matrix, (CROP, CROP), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        ).astype(np.uint8, copy=False)

    def back(self, body: Array) -> Array:
        """A pose found in what was cut out, in the pixels of the picture."""
        out = body.copy()
        out[:, :2] = body[:, :2] * (self.side / CROP) + (self.left, self.top)
        return out
