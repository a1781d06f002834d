"""Structural similarity (Wang, Bovik, Sheikh, Simoncelli, *Image quality assessment*, IEEE TIP 2004).

Gaussian window 11×11 with σ = 1.5, K1 = 0.01, K2 = 0.03, data range 255, plain (not sample) covariance. Each of the
channels R, G and B is compared by itself, over all places where the window lies wholly within the picture, and the
mean over places and channels is the figure. That is scikit-image's ``structural_similarity`` with
``gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255, channel_axis=2``.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.uint8]

#: Side of the window; smaller pictures have no SSIM.
WINDOW = 11
SIGMA = 1.5
#: The definition in one line, for every output that states a figure.
DEFINITION = "SSIM: Gaussian window 11×11, σ 1.5, K1 0.01, K2 0.03, data range 255, mean over R, G and B"

_C1 = (0.01 * 255) ** 2
_C2 = (0.03 * 255) ** 2


def ssim(real: Image, made: Image) -> float:
    """How alike two pictures of the same size are, at most 1; NaN where a side is shorter than 11 pixels.

    Args:
        real, made: (H, W, 3) uint8.
    """
    if min(real.shape[:2]) < WINDOW:
        return float("nan")
    x, y = real.astype(np.float64), made.astype(np.float64)
    mean_x, mean_y = _blur(x), _blur(y)
    var_x = _blur(x * x) - mean_x**2
    var_y = _blur(y * y) - mean_y**2
    both = _blur(x * y) - mean_x * mean_y
    above = (2 * mean_x * mean_y + _C1) * (2 * both + _C2)
    below = (mean_x**2 + mean_y**2 + _C1) * (var_x + var_y + _C2)
    return float((above / below).mean())


def _blur(image: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Weighted mean over the window, where it fits."""
    half = WINDOW // 2
    blurred = cv2.GaussianBlur(image, (WINDOW, WINDOW), SIGMA)
    return np.asarray(blurred[half:-half, half:-half], np.float64)
