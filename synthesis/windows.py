"""The window round the person that the generator paints, for each frame, and sampling in and out of it."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from dataset.pose.keypoints import SEEN, PoseSequence

Image = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Windows:
    """One upright rectangle per frame, in pixels of the full frame.

    Attributes:
        center: (T, 2) float64, x and y.
        height: (T,) float64; the width is ``height × shape[0] / shape[1]``.
        shape: width and height in pixels of the picture that the window is sampled to.
    """

    center: npt.NDArray[np.float64]
    height: npt.NDArray[np.float64]
    shape: tuple[int, int]

    def matrix(self, row: int, frame_scale: float = 1.0) -> npt.NDArray[np.float64]:
        """(2, 3) affine map from pixels of the frame, itself scaled by `frame_scale`, to pixels of the window.

        Pixel centres are at whole numbers, as in OpenCV.
        """
        width, height = self.shape
        scale = height / self.height[row]
        x, y = self.center[row]
        inner = scale / frame_scale
        # Continuous coordinates are pixel + 0.5 on both sides.
        shift_x = width / 2 - scale * x + 0.5 * inner - 0.5
        shift_y = height / 2 - scale * y + 0.5 * inner - 0.5
        return np.array([[inner, 0.0, shift_x], [0.0, inner, shift_y]])

    def jittered(self, row: int, rng: np.random.Generator, amount: float) -> Windows:
        """The window of one frame alone, shifted and scaled at random by up to `amount` of its height."""
        dx, dy, ds = rng.uniform(-amount, amount, 3)
        height = self.height[row]
        return Windows(
            (self.center[row] + np.array([dx, dy]) * height)[None], np.array([height * (1 + ds)]), self.shape
        )

    def one(self, row: int) -> Windows:
        """The window of one frame alone."""
        return Windows(self.center[row : row + 1], self.height[row : row + 1], self.shape)

    def label_poses(self, poses: PoseSequence, row: int, window: int = 0) -> PoseSequence:
        """Frame `row` of `poses` in the pixels of window number `window`, ready to be drawn."""
        scale = self.shape[1] / self.height[window]
        corner = self.center[window] - np.array([self.shape[0], self.shape[1]]) / scale / 2
        return poses[row : row + 1].transformed(scale, -corner * scale, self.shape)


def extents(poses: PoseSequence) -> npt.NDArray[np.float64]:
    """Box round everything seen of the person, hair and soles included.

    Returns:
        (T, 4) x0, y0, x1, y1 in pixels; NaN where nobody was found.
    """
    boxes = np.full((len(poses), 4), np.nan)
    for row in np.flatnonzero(poses.present()):
        points = np.concatenate([p[row][p[row][:, 2] >= SEEN, :2] for p in poses.parts().values()])
        x0, y0 = points.min(axis=0)
        x1, y1 = points.max(axis=0)
        # No key point marks the crown: it lies about as far above the eyes as the chin below them.
        head = poses.body[row][[0, 15, 16, 17, 18]]
        head = head[head[:, 2] >= SEEN, :2]
        neck = poses.body[row][1]
        if len(head) and neck[2] >= SEEN:
            crown = head[:, 1].mean() - 0.9 * abs(neck[1] - head[:, 1].mean())
            y0 = min(y0, crown)
        boxes[row] = x0, y0, x1, y1
    return boxes


def choose_shape(boxes: npt.NDArray[np.float64], height: int) -> tuple[int, int]:
    """Width and height of the window: as wide as the recording's poses need, from half to once its height."""
    wide = boxes[:, 2] - boxes[:, 0]
    tall = boxes[:, 3] - boxes[:, 1]
    needed = np.nanpercentile(wide, 95) / max(np.nanpercentile(tall, 95), 1.0)
    width = int(np.ceil(np.clip(needed, 0.5, 1.0) * height / 32)) * 32
    return width, height


def follow(poses: PoseSequence, shape: tuple[int, int], margin: float) -> Windows:
    """Windows that hold the person in every frame and move and grow smoothly.

    The size is the largest that is needed within one second to either side, so that a raised arm does not zoom. A
    window that would look beyond the frame's edge is moved inside.

    Args:
        poses: key points in pixels of the frame, with somebody in at least one row.
        shape: width and height of the sampled picture.
        margin: space round the person as a share of the size.
    """
    times = poses.times
    filled = _fill(extents(poses), times)
    wide, tall = filled[:, 2] - filled[:, 0], filled[:, 3] - filled[:, 1]
    needed = np.maximum(tall, wide * shape[1] / shape[0]) * (1 + 2 * margin)
    center = np.stack([(filled[:, 0] + filled[:, 2]) / 2, (filled[:, 1] + filled[:, 3]) / 2], 1)
    step = float(np.median(np.diff(times))) if len(times) > 1 else 0.04
    reach = max(round(1.0 / step), 1)
    height = _smooth(_running_max(needed, reach), reach / 2)
    height = np.maximum(height, 16.0)
    half = np.stack([height * shape[0] / shape[1], height], 1) / 2
    frame = np.array(poses.size, np.float64)
    center = np.clip(
        _smooth(center, max(0.15 / step, 0.5)),
        np.minimum(half, frame / 2),
        np.maximum(frame - half, frame / 2),
    )
    return Windows(center, height, shape)


def sample(image: Image, matrix: npt.NDArray[np.float64], shape: tuple[int, int]) -> Image:
    """The window's picture; beyond the frame its edge is repeated."""
    return cv2.warpAffine(
        image, matrix, shape, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    ).astype(image.dtype, copy=False)


def paste(
    frame: Image,
    person: npt.NDArray[np.float32],
    alpha: npt.NDArray[np.float32],
    matrix: npt.NDArray[np.float64],
) -> Image:
    """Blend a painted person into a full frame.

    Args:
        frame: (H, W, 3) uint8, the plate; not changed.
        person: (h, w, 3) float32 in [0, 255].
        alpha: (h, w) float32 in [0, 1].
        matrix: frame → window, as from `Windows.matrix`.
    """
    height, width = frame.shape[:2]
    inverse = cv2.invertAffineTransform(matrix)
    corners = np.array([[0, 0, 1], [person.shape[1], person.shape[0], 1]]) @ inverse.T
    x0, y0 = np.maximum(np.floor(corners[0] - 1).astype(int), 0)
    x1, y1 = np.minimum(np.ceil(corners[1] + 1).astype(int), [width, height])
    out = frame.copy()
    if x1 <= x0 or y1 <= y0:
        return out
    local = inverse.copy()
    local[:, 2] -= (x0, y0)
    size = (int(x1 - x0), int(y1 - y0))
    flags = cv2.INTER_CUBIC if inverse[0, 0] > 1 else cv2.INTER_LINEAR
    color = cv2.warpAffine(person, local, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
    mask = np.clip(cv2.warpAffine(alpha, local, size, flags=cv2.INTER_LINEAR, borderValue=0.0), 0, 1)[
        ..., None
    ]
    region = out[y0:y1, x0:x1]
    out[y0:y1, x0:x1] = np.clip(np.rint(mask * color + (1 - mask) * region), 0, 255).astype(np.uint8)
    return out


def _fill(boxes: npt.NDArray[np.float64], times: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    known = ~np.isnan(boxes[:, 0])
    return np.stack([np.interp(times, times[known], boxes[known, k]) for k in range(4)], axis=1)


def _running_max(values: npt.NDArray[np.float64], reach: int) -> npt.NDArray[np.float64]:
    padded = np.pad(values, reach, mode="edge")
    return np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1).max(axis=1)


def _smooth(values: npt.NDArray[np.float64], sigma: float) -> npt.NDArray[np.float64]:
    reach = max(int(3 * sigma), 1)
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    kernel /= kernel.sum()
    columns = values.reshape(len(values), -1)
    padded = np.pad(columns, ((reach, reach), (0, 0)), mode="edge")
    smoothed = np.stack([np.convolve(column, kernel, mode="valid") for column in padded.T], axis=1)
    return smoothed.reshape(values.shape)
