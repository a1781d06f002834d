"""Where the face is, what is cut out round it, and how the face GAN's residual is put back (paper §4.3).

The paper cuts a fixed 128×128 square round the nose and pastes it back. Here the square follows the face's size, so
that the face fills it alike near and far, and the residual fades out towards the square's edge, so that no edge can
show. The crop is taken from the picture at the *recording's* resolution: what the generator painted small is enlarged,
and the face GAN paints the detail that the recording has there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from dataset.pose.keypoints import SEEN, B, PoseSequence
from synthesis.config import FaceConfig
from synthesis.paper.networks import GlobalGenerator
from synthesis.stickfigure import draw

if TYPE_CHECKING:
    from synthesis.model import TargetModel

Image = npt.NDArray[np.uint8]
Matrix = npt.NDArray[np.float64]
Picture = npt.NDArray[np.float32]

_FACE_SEEN = 0.2  # mean confidence of the face's points above which they are trusted, as when it is drawn
_SMOOTH_SECONDS = 0.2
_FADE = 0.3  # share of the half side over which the residual fades out


@dataclass(frozen=True)
class FaceBox:
    """An upright square round a face, in pixels of the frame."""

    x: float
    y: float
    side: float

    def scaled(self, factor: float) -> FaceBox:
        """The same square in a frame that is resized by `factor`."""
        return FaceBox((self.x + 0.5) * factor - 0.5, (self.y + 0.5) * factor - 0.5, self.side * factor)

    def matrix(self, size: int) -> Matrix:
        """(2, 3) affine map from pixels of the frame to those of a crop of `size`, pixel centres at whole numbers."""
        scale = size / self.side
        shift = 0.5 * size + 0.5 * scale - 0.5
        return np.array([[scale, 0.0, shift - scale * self.x], [0.0, scale, shift - scale * self.y]])


def face_box(poses: PoseSequence, row: int, room: float = 1.6) -> FaceBox | None:
    """The square round the face of one frame.

    The face's size is the longer side of the box round its 68 landmarks, which changes little when the head turns:
    seen from the side the height stays. Without trusted landmarks it follows from the head's body points: the larger of
    the distances between the ears, three times that between the eyes, and 0.9 times that from nose to neck.

    Args:
        poses: key points.
        row: which frame.
        room: side of the square as a multiple of the face's size; hair and chin need some.

    Returns:
        None where neither landmarks nor the nose are seen, e.g. from behind.
    """
    landmarks, body = poses.face[row, :68], poses.body[row]
    if landmarks[:, 2].mean() >= _FACE_SEEN:
        points = landmarks[landmarks[:, 2] > 0, :2]
        low, high = points.min(axis=0), points.max(axis=0)
        size = float((high - low).max())
        x, y = (low + high) / 2
    elif body[B["Nose"], 2] >= SEEN:
        size = max(
            _distance(body, "REar", "LEar"),
            3 * _distance(body, "REye", "LEye"),
            0.9 * _distance(body, "Nose", "Neck"),
        )
        x, y = body[B["Nose"], :2]
    else:
        return None
    if size <= 0:
        return None
    # Landmarks end at the brows; the forehead above them belongs to the face.
    return FaceBox(float(x), float(y) - 0.12 * size, room * size)


def face_boxes(poses: PoseSequence, room: float = 1.6) -> list[FaceBox | None]:
    """`face_box` for every frame, sizes smoothed over time so that the square does not pump."""
    boxes = [face_box(poses, row, room) for row in range(len(poses))]
    rows = [row for row, box in enumerate(boxes) if box is not None]
    if not rows:
        return boxes
    sizes = np.array([box.side for box in boxes if box is not None])
    times = poses.times[rows]
    smooth: list[FaceBox | None] = [None] * len(boxes)
    first = 0
    for place, row in enumerate(rows):
        while times[first] < times[place] - 3 * _SMOOTH_SECONDS:
            first += 1
        last = int(np.searchsorted(times, times[place] + 3 * _SMOOTH_SECONDS, "right"))
        weights = np.exp(-0.5 * ((times[first:last] - times[place]) / _SMOOTH_SECONDS) ** 2)
        box = boxes[row]
        assert box is not None
        smooth[row] = FaceBox(box.x, box.y, float((sizes[first:last] * weights).sum() / weights.sum()))
    return smooth


def _distance(body: npt.NDArray[np.float32], first: str, second: str) -> float:
    a, b = body[B[first]], body[B[second]]
    return float(np.hypot(*(a[:2] - b[:2]))) if min(a[2], b[2]) >= SEEN else 0.0


def cut(image: Image, box: FaceBox, size: int) -> Image:
    """The square's content (size, size, 3); beyond the frame its edge is repeated."""
    # Shrinking averages: sampled finer first, then reduced by area.
    finer = max(int(np.ceil(box.side / size)), 1)
    crop = cv2.warpAffine(
        image,
        box.matrix(size * finer),
        (size * finer, size * finer),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    if finer > 1:
        crop = cv2.resize(crop, (size, size), interpolation=cv2.INTER_AREA)
    return crop.astype(np.uint8, copy=False)


def cut_label(poses: PoseSequence, row: int, box: FaceBox, size: int, style: str) -> Image:
    """The stick figure within the square (size, size, 3), with the radii of a full frame of that size.

    Its lines are thin beside the face, so that they say more of its shape than those of the whole figure do.
    """
    scale = size / box.side
    corner = np.array([box.x, box.y]) - box.side / 2
    moved = poses[row : row + 1].transformed(scale, -corner * scale, (size, size))
    return draw(moved, 0, (size, size), face=style, large=4 * size)


def feather(size: int) -> Picture:
    """(size, size) float32: 1 in the middle, falling to 0 at the edge, with no slope at either end."""
    places = np.abs((np.arange(size) + 0.5) / size * 2 - 1)
    share = np.clip((1 - places) / _FADE, 0, 1)
    ramp = (share * share * (3 - 2 * share)).astype(np.float32)
    mask: Picture = ramp[:, None] * ramp[None, :]
    return mask


def blend(image: Image, residual: Picture, to_crop: Matrix) -> Image:
    """Add a residual to a picture, fading out towards the edge of its square.

    Args:
        image: (H, W, 3) uint8; not changed.
        residual: (s, s, 3) float32 in steps of 1/255 of the range.
        to_crop: (2, 3) affine map from pixels of `image` to those of `residual`, without rotation.
    """
    size = residual.shape[0]
    back = cv2.invertAffineTransform(to_crop)
    corners = np.array([[-0.5, -0.5, 1], [size - 0.5, size - 0.5, 1]]) @ back.T
    x0, y0 = np.maximum(np.floor(corners[0]).astype(int), 0)
    x1, y1 = np.minimum(np.ceil(corners[1]).astype(int) + 1, [image.shape[1], image.shape[0]])
    out = image.copy()
    if x1 <= x0 or y1 <= y0:
        return out
    local = back.copy()
    local[:, 2] -= (x0, y0)
    flags = cv2.INTER_CUBIC if back[0, 0] > 1 else cv2.INTER_LINEAR
    faded = residual * feather(size)[..., None]
    if back[0, 0] < 0.6:  # shrinks a good deal: averaged first
        faded = cv2.GaussianBlur(faded, (0, 0), 0.4 / float(back[0, 0]))
    change = cv2.warpAffine(faded, local, (int(x1 - x0), int(y1 - y0)), flags=flags, borderValue=0.0)
    region = out[y0:y1, x0:x1]
    out[y0:y1, x0:x1] = np.clip(np.rint(region + change), 0, 255).astype(np.uint8)
    return out


class FaceCorrector:
    """A trained face generator that corrects painted frames.

    Args:
        network: G_f.
        config: its sizes.
        style: how the stick figure shows the face.
    """

    def __init__(self, network: GlobalGenerator, config: FaceConfig, style: str) -> None:
        self.network, self.config, self.style = network, config, style

    def residual(self, image: Image, poses: PoseSequence, row: int, box: FaceBox) -> Picture:
        """What to add to the face in a frame at the recording's size; (s, s, 3) float32 in steps of 1/255."""
        size = self.config.size
        label = _tensor(cut_label(poses, row, box, size, self.style)) / 255
        made = _tensor(cut(image, box, size)) / 127.5 - 1
        with torch.inference_mode():
            found = paint_residual(self.network, label, made)
        result: Picture = (found[0].permute(1, 2, 0) * 127.5).cpu().numpy()
        return result


def face_corrector(model: TargetModel) -> FaceCorrector | None:
    """What corrects the faces of a model, if it was trained to."""
    if model.face_generator is None:
        return None
    return FaceCorrector(model.face_generator, model.config.face, model.config.data.face)


def paint_residual(network: GlobalGenerator, label: Tensor, made: Tensor) -> Tensor:
    """G_f: label crop in [0, 1] and painted crop in [-1, 1], both (B, 3, s, s), to the residual, float32."""
    weight = network.enter.weight
    x = torch.cat([label, made], 1).to(weight.device, weight.dtype)
    residual: Tensor = network(x.contiguous(memory_format=torch.channels_last))
    return residual


def _tensor(image: Image) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1)[None].float()
