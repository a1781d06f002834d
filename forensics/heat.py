"""Where in a picture the evidence for a fake sits.

A detector may know by itself (`Detector.heat`, by its gradients). For any other, parts of each window are covered and
the drop of the score is noted: Zeiler and Fergus, *Visualizing and Understanding Convolutional Networks*, ECCV 2014.
A window counts as much as it spoke for a fake, so a region that was filmed stays cold however its own inside compares.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.uint8]
Heat = npt.NDArray[np.float32]
Box = tuple[int, int, int, int]

#: Standard deviation of the smoothing inside a window, in its sides.
_SMOOTH = 1 / 16
GRADIENT, OCCLUSION = "gradient", "occlusion"


def occlusion(
    logits: Callable[[npt.NDArray[np.uint8]], npt.NDArray[np.float64]],
    windows: npt.NDArray[np.uint8],
    *,
    cells: int = 5,
) -> Heat:
    """How much a window's score falls when a part of it is covered.

    Args:
        logits: (N, 2, S, S, 3) windows → (N,) scores.
        windows: (N, 2, S, S, 3) uint8.
        cells: the covered squares are two cells wide, of so many in a row; windows times (cells − 1)² are judged.

    Returns:
        (N, S, S) logits, averaged over the squares that covered a pixel; above zero where it spoke for a fake.
    """
    count, _, side, _, _ = windows.shape
    heat = np.zeros((count, side, side), np.float32)
    covered = np.zeros((side, side), np.float32)
    if not count:
        return heat
    base = logits(windows)
    flat = np.stack([[_flat(frame) for frame in window] for window in windows])
    edges = np.linspace(0, side, cells + 1).round().astype(int)
    for row in range(cells - 1):
        for column in range(cells - 1):
            mask = np.zeros((side, side), np.float32)
            mask[edges[row] : edges[row + 2], edges[column] : edges[column + 2]] = 1
            # A hard edge would be an artefact of its own.
            soft = cv2.GaussianBlur(mask, (0, 0), side / 48)[..., None]
            hidden = np.clip(windows * (1 - soft) + flat * soft, 0, 255).round().astype(np.uint8)
            heat += (base - logits(hidden))[:, None, None].astype(np.float32) * mask
            covered += mask
    return np.asarray(heat / covered, np.float32)


def _flat(frame: Image) -> npt.NDArray[np.float32]:
    """(S, S, 3) without detail, so that nothing is left in it to speak for or against."""
    side = frame.shape[0]
    small = cv2.resize(frame, (4, 4), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, (side, side), interpolation=cv2.INTER_CUBIC), np.float32)


def onto_frame(
    heats: Heat,
    logits: npt.NDArray[np.float64],
    boxes: Sequence[Box],
    frame: Box,
    size: tuple[int, int],
    even: float,
) -> Heat:
    """Put the heat of windows on a part of the frame.

    Inside a window the heat is only relative, from its coldest to its hottest place; what makes windows comparable is
    how far each one's score lies above even odds.

    Args:
        heats: (N, S, S) of each window.
        logits: (N,) score of each window.
        boxes: where each window was cut, x0, y0, x1, y1 in pixels of the video.
        frame: the part of the video's frame that is shown.
        size: width and height to give it.
        even: the score at which fake and real are equally likely.

    Returns:
        (height, width), at least 0; 0 where no window spoke for a fake.
    """
    width, height = size
    x_scale, y_scale = width / (frame[2] - frame[0]), height / (frame[3] - frame[1])
    total = np.zeros((height, width), np.float32)
    weight = np.zeros((height, width), np.float32)
    for heat, logit, box in zip(heats, logits, boxes, strict=True):
        left, right = ((x - frame[0]) * x_scale for x in (box[0], box[2]))
        top, bottom = ((y - frame[1]) * y_scale for y in (box[1], box[3]))
        matrix = np.array(
            [[(right - left) / heat.shape[1], 0, left], [0, (bottom - top) / heat.shape[0], top]], np.float32
        )
        relative = _relative(heat) * max(float(logit) - even, 0.0)
        total += cv2.warpAffine(relative, matrix, size, flags=cv2.INTER_LINEAR)
        # Small windows look closely: where they overlap with large ones, they know better.
        near = 1.0 / max((box[2] - box[0]) * (box[3] - box[1]), 1)
        ones = np.full(heat.shape, near, np.float32)
        weight += cv2.warpAffine(ones, matrix, size, flags=cv2.INTER_LINEAR) / near
    return np.asarray(total / np.maximum(weight, 1e-6), np.float32)


def _relative(heat: Heat) -> Heat:
    """From 0 at the coldest place to 1 at the hottest; a window that is equally warm everywhere is warm everywhere.

    Smoothed: gradients peak in single pixels, and nobody could see anything but those.
    """
    smooth = cv2.GaussianBlur(heat, (0, 0), max(heat.shape[0] * _SMOOTH, 0.5))
    low, high = float(smooth.min()), float(smooth.max())
    if high - low < 1e-9:
        return np.ones_like(heat)
    return np.asarray((smooth - low) / (high - low), np.float32)


def overlay(image: Image, heat: Heat) -> Image:
    """The picture in grey, and the heat on it in colour, the hottest place of this picture yellow.

    Args:
        image: (H, W, 3) RGB.
        heat: (H, W), at least 0.
    """
    strength = np.clip(heat / max(float(heat.max()), 1e-9), 0, 1)
    colour = cv2.applyColorMap((strength * 255).astype(np.uint8), cv2.COLORMAP_INFERNO)[..., ::-1]
    grey = np.repeat(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2)
    share = (0.75 * strength**0.8)[..., None]
    return np.asarray(np.clip(grey * (1 - share) + colour * share, 0, 255), np.uint8)
