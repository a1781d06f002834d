"""Scores of made frames against real ones within boxes, for one call in an experiment."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import torch

from synthesis.evaluate.regions import crop
from synthesis.evaluate.ssim import ssim
from synthesis.networks.perceptual import SQUEEZENET, PerceptualLoss

Image = npt.NDArray[np.uint8]

#: A shorter side than this leaves nothing at the deepest features.
LEAST_SIDE = 17


def body_scores(
    real: Iterable[Image],
    made: Iterable[Image],
    boxes: npt.NDArray[np.float64],
    *,
    scales: npt.NDArray[np.float64] | None = None,
    perceptual: PerceptualLoss | None = None,
) -> tuple[float, float]:
    """Mean SSIM and mean perceptual distance (SqueezeNet 1.1 features, not LPIPS) within boxes.

    Args:
        real, made: (H, W, 3) uint8, frame for frame.
        boxes: (T, 4) as `synthesis.evaluate.regions.body_boxes` gives them; frames with a NaN box do not count.
        scales: (T,) factors by which crops are scaled down (`window_scales`); native size without.
        perceptual: a loss that is loaded already.

    Returns:
        SSIM and perceptual distance; NaN where no frame could be compared.
    """
    distance = perceptual or PerceptualLoss(SQUEEZENET)
    found: list[tuple[float, float]] = []
    for row, (one, other) in enumerate(zip(real, made, strict=True)):
        scale = 1.0 if scales is None else float(scales[row])
        a, b = crop(one, boxes[row], scale), crop(other, boxes[row], scale)
        if min(a.shape[:2]) >= LEAST_SIDE:
            found.append((ssim(a, b), perceptual_distance(distance, a, b)))
    if not found:
        return float("nan"), float("nan")
    means = np.mean(found, axis=0)
    return float(means[0]), float(means[1])


@torch.inference_mode()
def perceptual_distance(loss: PerceptualLoss, real: Image, made: Image) -> float:
    """Relative L1 distance of the features of two pictures of one size, in float32."""
    return float(loss(_tensor(made), _tensor(real)))


def _tensor(image: Image) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1)[None].float() / 127.5 - 1
