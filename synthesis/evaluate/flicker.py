"""Flicker as a warp error (after Lai et al., *Learning blind video temporal consistency*, ECCV 2018).

The optical flow of the *real* video (DIS, Kroeger et al., ECCV 2016) says where each pixel of frame t was in frame
t − 1. Frame t − 1 is warped by it and compared with frame t: mean absolute difference in levels of 255, over the body
region, where the flow is consistent forwards and backwards (Sundaram et al., ECCV 2010). The same flow warps the made
video. The figure is made error ÷ real error: 1 is as steady as the real video, which has noise and motion that the flow
misses as well; less than 1 is smoother than the real video, as blurred frames are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.uint8]
Plane = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Motion:
    """How frame t − 1 becomes frame t.

    Attributes:
        places: (H, W, 2) float32, where in frame t − 1 each pixel of frame t was.
        valid: (H, W), where that is known.
    """

    places: Plane
    valid: npt.NDArray[np.bool_]

    def error(self, before: Image, now: Image) -> float:
        """Mean absolute difference of frame t from frame t − 1 warped, in levels of 255; NaN where nothing is valid.

        Args:
            before, now: (H, W, 3) uint8, of the size of the frames that the motion was found in.
        """
        if not self.valid.any():
            return float("nan")
        warped = cv2.remap(before, self.places, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        difference = np.abs(warped.astype(np.float32) - now.astype(np.float32)).mean(axis=2)
        return float(difference[self.valid].mean())


class MotionFinder:
    """Dense inverse search, from frame t back to frame t − 1."""

    def __init__(self) -> None:
        self._flow: Any = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)

    def find(self, before: Image, now: Image) -> Motion | None:
        """The motion between two real frames of one size, or None where they are too small for it.

        Args:
            before, now: (H, W, 3) uint8.
        """
        if min(now.shape[:2]) < 16:
            return None
        old, new = (cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in (before, now))
        back = self._flow.calc(new, old, None)
        forth = self._flow.calc(old, new, None)
        height, width = new.shape
        grid = np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=-1).astype(np.float32)
        places = grid + back
        there = cv2.remap(forth, places, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
        gap = ((back + there) ** 2).sum(axis=2)
        size = (back**2).sum(axis=2) + (there**2).sum(axis=2)
        inside = (places >= 0).all(axis=2) & (places[..., 0] <= width - 1) & (places[..., 1] <= height - 1)
        return Motion(places, (gap <= 0.01 * size + 0.5) & inside)
