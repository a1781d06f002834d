"""Which pixels show a person whose pose is known, by the segmentation head of MediaPipe's pose landmarker."""

from __future__ import annotations

import weakref
from pathlib import Path
from types import TracebackType
from typing import Self

import cv2
import numpy as np
import numpy.typing as npt

from dataset.pose.blazepose import body_from_blazepose
from dataset.pose.closeup import CROP, Closeup
from dataset.pose.keypoints import Array
from dataset.pose.landmarkers import Quiet, as_mediapipe, bundle_path, open_landmarker, pixels
from dataset.pose.people import distance

Image = npt.NDArray[np.uint8]

_MARGIN = 1.3
#: What is found counts for the person if the poses agree within this part of the person's size (median of the points).
_AGREE = 0.1


class SilhouetteFinder:
    """Finds the outline of people in single pictures. Use it as a context manager, or call `close`.

    The same picture and pose always give the same answer.

    Args:
        model: "full", or the path of a MediaPipe pose landmarker bundle.

    Raises:
        ModelError: the bundle is missing or damaged.
    """

    def __init__(self, model: str | Path = "full") -> None:
        self._landmarker = open_landmarker(
            "pose", bundle_path(model), running_mode="IMAGE", num_poses=2, output_segmentation_masks=True
        )
        # MediaPipe complains when it is taken down by the end of the interpreter.
        self._finalizer = weakref.finalize(self, self._landmarker.close)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Free the native landmarker."""
        self._finalizer()

    def find(self, image: Image, body: Array) -> Image | None:
        """How certainly each pixel shows the person.

        Args:
            image: (H, W, 3) uint8 RGB.
            body: (25, 3) body points of the person in its pixels.

        Returns:
            (H, W) uint8, 255 where it is certain; None where the landmarker does not find this person.
        """
        near = Closeup.about(body, _MARGIN)
        if near is None:
            return None
        square = near.cut(image)
        result = Quiet.detect(lambda: self._landmarker.detect(as_mediapipe(square)))
        gaps = [
            distance(body, near.back(body_from_blazepose(pixels(person, (CROP, CROP)), (CROP, CROP))))
            for person in result.pose_landmarks
        ]
        if not gaps or min(gaps) > _AGREE:
            return None
        certain = result.segmentation_masks[int(np.argmin(gaps))].numpy_view().reshape(CROP, CROP)
        found = cv2.warpAffine(
            np.asarray(certain, np.float32),
            cv2.invertAffineTransform(near.matrix),
            (image.shape[1], image.shape[0]),
            flags=cv2.INTER_LINEAR,
            # Whose outline reaches the edge of the close-up, goes on beyond it: legs that no key point tells of.
            borderMode=cv2.BORDER_REPLICATE,
        )
        return np.rint(np.clip(found, 0, 1) * 255).astype(np.uint8)
