"""Patterns and pictures that are laid on surfaces; colours here are sRGB in [0, 1] until `linear` is called."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from dataset.mannequin.performer import Colour, Garment, Performer

Image = npt.NDArray[np.float32]

#: Texels along each side of a cloth texture and how many metres they cover.
CLOTH_TEXELS = 256
CLOTH_METRES = 0.8


def linear(image: npt.ArrayLike) -> Image:
    """Light from sRGB values in [0, 1]."""
    return np.asarray(np.clip(np.asarray(image, np.float32), 0, 1) ** 2.2, np.float32)


def rgb(colour: Colour) -> Image:
    """A colour of a performer as (3,) values in [0, 1]."""
    return np.asarray(np.asarray(colour) / 255, np.float32)


def noise(
    rng: np.random.Generator, shape: tuple[int, int], cells: tuple[int, int], octaves: int = 4
) -> Image:
    """Smooth noise in about [-1, 1] that tiles: `cells` bumps down and across, halved in size for each octave."""
    total = np.zeros(shape, np.float32)
    weight = 1.0
    for octave in range(octaves):
        down, across = (min(n << octave, size) for n, size in zip(cells, shape, strict=True))
        grid = rng.standard_normal((down, across)).astype(np.float32)
        grid = np.pad(grid, 2, mode="wrap")
        scale_y, scale_x = shape[0] / down, shape[1] / across
        large = cv2.resize(grid, None, fx=scale_x, fy=scale_y, interpolation=cv2.INTER_CUBIC)
        y, x = round(2 * scale_y), round(2 * scale_x)
        piece = large[y : y + shape[0], x : x + shape[1]]
        total += weight * cv2.resize(piece, (shape[1], shape[0]))
        weight *= 0.5
    return np.asarray(total / 1.4, np.float32)


def cloth(garment: Garment, rng: np.random.Generator) -> Image:
    """(CLOTH_TEXELS, CLOTH_TEXELS, 3) the pattern with weave and folds: down is along the limb, across is round it."""
    size = CLOTH_TEXELS
    repeats = max(2, round(CLOTH_METRES / garment.scale))
    at = ((np.arange(size) + 0.5) / size * repeats).astype(np.float32)
    down, across = np.meshgrid(at, at, indexing="ij")
    soft = size / repeats / 1.5  # an edge is about a texel wide

    def band(place: npt.NDArray[Any], share: float) -> Image:
        """1 inside a band of this share of each repeat, 0 outside."""
        off = np.abs(place % 1 - 0.5)
        return np.asarray(np.clip((share / 2 - off) * soft + 0.5, 0, 1), np.float32)

    mask: npt.NDArray[Any] = np.zeros((size, size), np.float32)
    if garment.pattern == "stripes":
        mask = band(down, 0.45)
    elif garment.pattern == "pinstripes":
        mask = 0.8 * band(across * 2, 0.16)
    elif garment.pattern == "checks":
        mask = (band(down, 0.5) + band(across, 0.5)) / 2
    elif garment.pattern == "dots":
        away = np.hypot(down % 1 - 0.5, (across + 0.5 * (down // 1)) % 1 - 0.5)
        mask = np.clip((0.27 - away) * soft + 0.5, 0, 1)
    elif garment.pattern == "blocks":
        mask = band(down / 4, 0.5)
    base = rgb(garment.colour) * (1 - mask[..., None]) + rgb(garment.second) * mask[..., None]
    weave = 0.03 * noise(rng, (size, size), (64, 64), 2)
    # Folds run more round the limb than along it, and are creased: dark where smooth noise crosses zero.
    field = noise(rng, (size, size), (7, 4), 3)
    folds = np.exp(-((field / 0.3) ** 2)) - 0.35 + 0.35 * noise(rng, (size, size), (5, 3), 2)
    shade = 1 + weave - 0.42 * garment.folds * folds
    return linear(base * shade[..., None])


def hair(performer: Performer, rng: np.random.Generator) -> Image:
    """(256, 256, 3) strands along the first axis."""
    curly = performer.hair_style == "curly"
    cells = (26, 26) if curly else (3, 40)
    strands = noise(rng, (256, 256), cells, 3)
    tone = 1 + (0.42 if curly else 0.28) * strands
    return linear(np.maximum(rgb(performer.hair) * tone[..., None], 0.015))
