"""What lies before the person in single pictures of a recording: a ball, a cup, somebody's hand.

Bent with the body it would become a part of it. Every picture is laid over one standing pose; there a place of the body
looks about the same in all of them, and what is far from the median of the others lies before it. Far means several
times their median deviation (Hampel, *The influence curve and its role in robust estimation*, 1974).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
import numpy.typing as npt

from dataset.pose.keypoints import B
from synthesis.appearance.skinning import REGIONS, Parts, Skin, look_up

Image = npt.NDArray[np.uint8]

#: A pose whose parts lie side by side, in shares of its height from the middle of the hips; y points down.
_STANDING = {
    "Nose": (0, -0.40), "REye": (-0.02, -0.42), "LEye": (0.02, -0.42), "REar": (-0.045, -0.41), "LEar": (0.045, -0.41),
    "Neck": (0, -0.30), "RShoulder": (-0.10, -0.30), "LShoulder": (0.10, -0.30), "RElbow": (-0.22, -0.18),
    "LElbow": (0.22, -0.18), "RWrist": (-0.32, -0.06), "LWrist": (0.32, -0.06), "MidHip": (0, 0), "RHip": (-0.06, 0),
    "LHip": (0.06, 0), "RKnee": (-0.13, 0.24), "LKnee": (0.13, 0.24), "RAnkle": (-0.19, 0.48), "LAnkle": (0.19, 0.48),
    "RBigToe": (-0.23, 0.52), "LBigToe": (0.23, 0.52), "RSmallToe": (-0.24, 0.51), "LSmallToe": (0.24, 0.51),
    "RHeel": (-0.18, 0.50), "LHeel": (0.18, 0.50),
}  # fmt: skip
_SHAPE, _MIDDLE, _HEIGHT = (192, 256), (96, 118), 220
_FEWEST = 5  # pictures that a place of the body is compared with, at least
_DEVIATIONS = 2.0  # median deviations that are nothing unusual
_USUAL = 60.0  # grey levels beyond them up to which it is nothing
_STRANGE = 110.0  # grey levels beyond them from which on it surely is something else
_BLUR = 2.0  # pixels; folds and lines are no objects
#: What was found is grown by this, as the soft edge of an object is like what lies behind it.
_ROUND = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (9, 9))


@dataclass(frozen=True)
class View:
    """One picture of a person.

    Attributes:
        parts: the pose in pixels of the window.
        picture: (H, W, 3) uint8, the window's picture.
        silhouette: (H, W) uint8, how certainly each pixel shows the person.
        part: (H, W) uint8, which part of the body each pixel belongs to most, see `Skin.closest`.
    """

    parts: Parts
    picture: Image
    silhouette: Image
    part: Image


def occluders(views: Sequence[View], others: Sequence[npt.NDArray[np.intp]]) -> list[Image]:
    """Where something lies before the person.

    Args:
        views: of one person, in windows of one shape.
        others: for each view the indices of those that it is compared with: of similar poses, at other moments.

    Returns:
        For each view (H, W) uint8, 255 where it surely is something else; nothing where there is too little to
        compare with.
    """
    if not views:
        return []
    standing, part, body = _standing(views[0].parts)
    laid, shown = (
        np.stack(column) for column in zip(*(_lay(standing, view, part, body) for view in views), strict=True)
    )
    return [
        _back(view, standing, _unusual(laid[index], laid[them], shown[them]))
        for index, (view, them) in enumerate(zip(views, others, strict=True))
    ]


def trunk_covered(parts: Parts, part: Image) -> npt.NDArray[np.bool_]:
    """Before which places of the trunk an arm lies.

    Args:
        parts: a pose in pixels of its window.
        part: (H, W) uint8, which of `REGIONS` each pixel of the window belongs to most.

    Returns:
        (P,) over the places of a trunk, the same for all poses.
    """
    standing, places, body = _standing(parts)
    trunk = body & (places == REGIONS.index("torso"))
    flow, _ = standing.coarse_flow_to(parts)
    found = look_up(part, flow, cv2.INTER_NEAREST)[trunk]
    covered: npt.NDArray[np.bool_] = np.isin(
        found, [REGIONS.index(f"{side}_arm") for side in ("right", "left")]
    )
    return covered


def _lay(
    standing: Skin, view: View, part: Image, body: npt.NDArray[np.bool_]
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    """A view as the standing pose would show it (h, w, 3), and where it does (h, w)."""
    flow, seen = standing.coarse_flow_to(view.parts)
    soft = cv2.GaussianBlur(view.picture, (0, 0), _BLUR)
    laid = look_up(soft.astype(np.uint8, copy=False), flow)
    person = cv2.remap(view.silhouette, flow[0], flow[1], cv2.INTER_LINEAR)
    found = look_up(view.part, flow, cv2.INTER_NEAREST)
    return laid.astype(np.float32), body & (seen > 0.7) & (person > 127) & (found == part)


def _unusual(
    own: npt.NDArray[np.float32], others: npt.NDArray[np.float32], shown: npt.NDArray[np.bool_]
) -> npt.NDArray[np.float32]:
    """(h, w) in [0, 1], how far (h, w, 3) is from the median of (N, h, w, 3), of those shown (N, h, w)."""
    count = shown.sum(0)
    if not len(others) or count.max() < _FEWEST:
        return np.zeros(own.shape[:2], np.float32)
    usual = _median(others, shown)
    spread = _median(np.abs(others - usual), shown)
    beyond = (np.abs(own - usual) - _DEVIATIONS * spread).max(2)
    unusual = np.clip((beyond - _USUAL) / (_STRANGE - _USUAL), 0, 1)
    return np.where(count >= _FEWEST, unusual, 0).astype(np.float32)


def _median(values: npt.NDArray[np.float32], shown: npt.NDArray[np.bool_]) -> npt.NDArray[np.float32]:
    """Median of (N, h, w, 3) over those shown (N, h, w); 0 where none is."""
    ordered = np.sort(np.where(shown[..., None], values, np.float32(1e6)), axis=0)
    middle = np.maximum(shown.sum(0) - 1, 0) // 2
    found: npt.NDArray[np.float32] = np.take_along_axis(ordered, middle[None, :, :, None], 0)[0]
    return found * (shown.sum(0) > 0)[..., None]


def _back(view: View, standing: Skin, unusual: npt.NDArray[np.float32]) -> Image:
    """What was found on the standing pose, on the body of the view itself."""
    if not unusual.any():
        return np.zeros(view.silhouette.shape, np.uint8)
    height, width = view.silhouette.shape
    skin = Skin(view.parts, (width, height))
    flow, _ = skin.flow_to(standing.parts)
    x, y = (standing.coarse_place(flow[axis], axis) for axis in (0, 1))
    found = cv2.remap(unusual, x, y, cv2.INTER_LINEAR) * (skin.share.sum(0) > 0.3)
    grown = cv2.dilate(np.rint(found * 255).astype(np.uint8), _ROUND)
    return grown.astype(np.uint8, copy=False)


def _standing(like: Parts) -> tuple[Skin, Image, npt.NDArray[np.bool_]]:
    """The standing pose with as many points as `like`, the part of each place, and where the body is."""
    return _standing_of(tuple((name, len(points)) for name, points in like.items()))


@cache
def _standing_of(counts: tuple[tuple[str, int], ...]) -> tuple[Skin, Image, npt.NDArray[np.bool_]]:
    parts = {name: np.zeros((count, 3), np.float32) for name, count in counts}
    for name, place in _STANDING.items():
        parts["body"][B[name]] = (*(m + _HEIGHT * p for m, p in zip(_MIDDLE, place, strict=True)), 1)
    skin = Skin(parts, _SHAPE)
    return skin, skin.coarse(skin.closest()[0]), skin.coarse(skin.share.sum(0)) > 0.5
