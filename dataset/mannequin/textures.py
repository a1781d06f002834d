"""Patterns and pictures that are laid on surfaces; colours here are sRGB in [0, 1] until `linear` is called."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from dataset.mannequin.performer import Colour, Garment, Performer

Image = npt.NDArray[np.float32]

#: Texels along each side of a cloth texture and how many metres they cover.
CLOTH_TEXELS = 256
CLOTH_METRES = 0.8
#: Texels of the face and how far from its middle it reaches, in half heads.
FACE_TEXELS = 320
FACE_REACH = 1.15


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


def face(performer: Performer, closed: float, mouth_open: float) -> Image:
    """(FACE_TEXELS, FACE_TEXELS, 3) the front of the head seen from ahead, x to the performer's left, y down.

    Args:
        closed: how far the lids are down, 0 to 1.
        mouth_open: how far the lips are apart, 0 to 1.
    """
    fine = 2
    size = FACE_TEXELS * fine
    skin = rgb(performer.skin)
    canvas = np.ones((size, size, 3), np.float32) * skin
    unit = size / (2 * FACE_REACH)

    def spot(x: float, y: float) -> tuple[int, int]:
        return round((x + FACE_REACH) * unit), round((FACE_REACH - y) * unit)

    def wash(x: float, y: float, rx: float, ry: float, colour: Image, strength: float) -> None:
        """A soft spot of colour."""
        ys, xs = np.mgrid[0:size, 0:size].astype(np.float32)
        cx, cy = spot(x, y)
        weight = strength * np.exp(-(((xs - cx) / (rx * unit)) ** 2) - ((ys - cy) / (ry * unit)) ** 2)
        canvas[:] += weight[..., None] * (colour - canvas)

    def fill(points: list[tuple[float, float]], colour: Image) -> None:
        outline = np.array([spot(x, y) for x, y in points], np.int32)
        cv2.fillPoly(canvas, [outline], [float(c) for c in colour], cv2.LINE_AA)

    red = np.asarray(skin * [1.0, 0.62, 0.58], np.float32)
    dark = np.asarray(skin * 0.55, np.float32)
    brow = rgb(performer.hair) * 0.7 if performer.hair_style != "bald" else skin * 0.35
    brow = np.minimum(brow, skin * 0.6)
    for side in (-1, 1):
        wash(side * 0.42, -0.35, 0.24, 0.2, red, 0.3)
        wash(side * 0.29, 0.1, 0.24, 0.13, dark, 0.32)
        wash(side * 0.12, -0.08, 0.05, 0.22, dark, 0.28)
    wash(0, -0.4, 0.16, 0.05, dark, 0.5)
    wash(0, -0.73, 0.2, 0.05, dark, 0.3)
    if performer.beard:
        shadow = np.asarray(rgb(performer.hair) * 0.6 + skin * 0.1, np.float32)
        ys, xs = np.mgrid[0:size, 0:size].astype(np.float32)
        x, y = xs / unit - FACE_REACH, FACE_REACH - ys / unit
        jaw = np.clip((-0.32 - y - 0.25 * np.abs(x) + 0.9 * np.maximum(0, np.abs(x) - 0.42)) * 8, 0, 1)
        jaw *= np.clip((0.75 - np.exp(-((x / 0.24) ** 2 + ((y + 0.53) / 0.08) ** 2))) * 4, 0, 1)
        canvas += (0.85 * performer.beard * jaw)[..., None] * (shadow - canvas)
    wide, high = 0.155, 0.082 * (1 - 0.92 * closed)
    sweep = np.linspace(0, np.pi, 15)
    for side in (-1, 1):
        upper = [(side * 0.28 - wide * np.cos(a), high * np.sin(a) + 0.04) for a in sweep]
        lower = [(side * 0.28 + wide * np.cos(a), -0.75 * high * np.sin(a) + 0.04) for a in sweep]
        almond = upper + lower
        fill(almond, np.array([0.93, 0.92, 0.9], np.float32))
        mask = np.zeros((size, size), np.uint8)
        cv2.fillPoly(mask, [np.array([spot(x, y) for x, y in almond], np.int32)], 255, cv2.LINE_AA)
        eye = canvas.copy()
        for radius, colour in (
            (0.082, rgb(performer.eyes) * 0.6),
            (0.068, rgb(performer.eyes)),
            (0.036, skin * 0 + 0.03),
        ):
            cv2.circle(
                eye,
                spot(side * 0.28, 0.055),
                round(radius * unit),
                [float(c) for c in colour],
                -1,
                cv2.LINE_AA,
            )
        cv2.circle(eye, spot(side * 0.28 + 0.03, 0.085), round(0.017 * unit), [0.97] * 3, -1, cv2.LINE_AA)
        canvas += (mask.astype(np.float32) / 255)[..., None] * (eye - canvas)
        lid = np.array([spot(x, y) for x, y in upper], np.int32)
        cv2.polylines(canvas, [lid], False, [float(c) for c in dark * 0.35], round(0.032 * unit), cv2.LINE_AA)
        under = np.array([spot(x, y) for x, y in lower], np.int32)
        cv2.polylines(
            canvas, [under], False, [float(c) for c in dark * 0.9], round(0.012 * unit), cv2.LINE_AA
        )
        thick = 0.055 * performer.brows
        top = [
            (side * (0.1 + 0.4 * s), 0.27 + 0.05 * np.sin(2.6 * s) + thick / 2) for s in np.linspace(0, 1, 9)
        ]
        low = [
            (side * (0.1 + 0.4 * s), 0.27 + 0.05 * np.sin(2.6 * s) - thick / 2 * (1 - s**3))
            for s in np.linspace(1, 0, 9)
        ]
        fill(top + low, np.asarray(brow, np.float32))
        wash(side * 0.08, -0.36, 0.035, 0.025, np.asarray(skin * 0.2, np.float32), 0.8)
    _mouth(performer, mouth_open, fill)
    if performer.glasses:
        for side in (-1, 1):
            cv2.ellipse(canvas, spot(side * 0.29, 0.04), (round(0.23 * unit), round(0.17 * unit)), 0, 0, 360,
                        (0.08, 0.08, 0.09), round(0.035 * unit), cv2.LINE_AA)  # fmt: skip
            cv2.line(
                canvas,
                spot(side * 0.51, 0.08),
                spot(side * 0.8, 0.1),
                (0.08, 0.08, 0.09),
                round(0.04 * unit),
                cv2.LINE_AA,
            )
        cv2.line(
            canvas, spot(-0.08, 0.08), spot(0.08, 0.08), (0.08, 0.08, 0.09), round(0.035 * unit), cv2.LINE_AA
        )
    small = cv2.resize(canvas, (FACE_TEXELS, FACE_TEXELS), interpolation=cv2.INTER_AREA)
    return linear(small)


def _mouth(
    performer: Performer, mouth_open: float, fill: Callable[[list[tuple[float, float]], Image], None]
) -> None:
    """Lips, the line between them, and teeth where they part."""
    skin = rgb(performer.skin)
    lip = skin * (1 - performer.lips * np.array([0.18, 0.5, 0.45])) * 0.92
    gap = 0.1 * mouth_open
    across = np.linspace(-1, 1, 17)
    bow = 1 - np.abs(across) ** 2.2
    dip = 0.02 * np.exp(-((across / 0.15) ** 2))
    x = 0.24 * across
    smile = 0.03 * across**2
    upper = list(zip(x, smile - 0.525 + (0.06 + gap * 0.3) * bow - dip, strict=True))
    lower = list(zip(x[::-1], smile - 0.525 - (0.085 + gap) * bow[::-1], strict=True))
    fill(upper + lower, np.asarray(lip, np.float32))
    inside_top = list(zip(x * 0.94, smile - 0.525 + gap * 0.3 * bow - dip * 0.6, strict=True))
    inside_low = list(zip(x[::-1] * 0.94, smile - 0.532 - gap * bow[::-1] - dip[::-1] * 0.6, strict=True))
    fill(inside_top + inside_low, np.asarray(skin * [0.35, 0.2, 0.2], np.float32))
    if mouth_open > 0.25:
        teeth_low = list(zip(x[::-1] * 0.8, smile - 0.53 - 0.02 * bow[::-1], strict=True))
        teeth_top = list(zip(x * 0.8, smile - 0.525 + gap * 0.28 * bow, strict=True))
        fill(teeth_top + teeth_low, np.array([0.9, 0.89, 0.86], np.float32))
