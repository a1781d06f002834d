"""The face, painted flat and laid on the head from the front."""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np
import numpy.typing as npt

from dataset.mannequin.performer import Performer
from dataset.mannequin.textures import Image, linear, rgb

#: Texels along each side of the picture, and how far from the middle of the face it reaches, in half heads.
FACE_TEXELS = 320
FACE_REACH = 1.15

#: Where things are, in half heads from the middle: to the side and up.
_EYE, _MOUTH = (0.28, 0.04), -0.525
_FRAMES = (0.08, 0.08, 0.09)


class _Canvas:
    """A picture twice as fine as the face will be, addressed in half heads: x to the performer's left, y up."""

    def __init__(self, colour: Image) -> None:
        self.size = 2 * FACE_TEXELS
        self.unit = self.size / (2 * FACE_REACH)
        self.pixels = np.ones((self.size, self.size, 3), np.float32) * colour

    def spot(self, x: float, y: float) -> tuple[int, int]:
        """Column and row of a place."""
        return round((x + FACE_REACH) * self.unit), round((FACE_REACH - y) * self.unit)

    def outline(self, points: Iterable[tuple[float, float]]) -> npt.NDArray[np.int32]:
        return np.array([self.spot(x, y) for x, y in points], np.int32)

    def wash(self, x: float, y: float, rx: float, ry: float, colour: npt.ArrayLike, strength: float) -> None:
        """A soft spot of colour."""
        column, row = self.spot(x, y)
        wide, high = rx * self.unit, ry * self.unit
        left, right = max(0, round(column - 2.6 * wide)), min(self.size, round(column + 2.6 * wide))
        top, bottom = max(0, round(row - 2.6 * high)), min(self.size, round(row + 2.6 * high))
        aside = np.exp(-(((np.arange(left, right) - column) / wide) ** 2))
        above = np.exp(-(((np.arange(top, bottom) - row) / high) ** 2))
        part = self.pixels[top:bottom, left:right]
        part += (strength * np.outer(above, aside))[..., None] * (np.asarray(colour) - part)

    def fill(self, points: Iterable[tuple[float, float]], colour: npt.ArrayLike) -> None:
        """A smooth-edged shape of one colour."""
        cv2.fillPoly(self.pixels, [self.outline(points)], _scalar(colour), cv2.LINE_AA)

    def stroke(self, points: Iterable[tuple[float, float]], colour: npt.ArrayLike, width: float) -> None:
        """A line through the points."""
        thick = round(width * self.unit)
        cv2.polylines(self.pixels, [self.outline(points)], False, _scalar(colour), thick, cv2.LINE_AA)


def _scalar(colour: npt.ArrayLike) -> tuple[float, ...]:
    return tuple(float(channel) for channel in np.asarray(colour))


def face(performer: Performer, closed: float, mouth_open: float) -> Image:
    """(FACE_TEXELS, FACE_TEXELS, 3) linear colour of the head from ahead, x to the performer's left, y down.

    Args:
        closed: how far the lids are down, 0 to 1.
        mouth_open: how far the lips are apart, 0 to 1.
    """
    skin = rgb(performer.skin)
    canvas = _Canvas(skin)
    red, dark = skin * [1.0, 0.62, 0.58], skin * 0.55
    for side in (-1, 1):  # cheeks, sockets, the sides of the nose
        canvas.wash(side * 0.42, -0.35, 0.24, 0.2, red, 0.3)
        canvas.wash(side * 0.29, 0.1, 0.24, 0.13, dark, 0.32)
        canvas.wash(side * 0.12, -0.08, 0.05, 0.22, dark, 0.28)
    canvas.wash(0, -0.4, 0.16, 0.05, dark, 0.5)
    canvas.wash(0, -0.73, 0.2, 0.05, dark, 0.3)
    if performer.beard:
        _beard(canvas, performer)
    for side in (-1, 1):
        _eye(canvas, performer, side, closed)
        _brow(canvas, performer, side)
        canvas.wash(side * 0.08, -0.36, 0.035, 0.025, skin * 0.2, 0.8)
    _mouth(canvas, performer, mouth_open)
    if performer.glasses:
        _glasses(canvas)
    return linear(cv2.resize(canvas.pixels, (FACE_TEXELS, FACE_TEXELS), interpolation=cv2.INTER_AREA))


def _beard(canvas: _Canvas, performer: Performer) -> None:
    """From ear to ear along the jaw, leaving the lips free."""
    colour = rgb(performer.hair) * 0.6 + rgb(performer.skin) * 0.1
    rows, columns = np.mgrid[0 : canvas.size, 0 : canvas.size].astype(np.float32)
    x, y = columns / canvas.unit - FACE_REACH, FACE_REACH - rows / canvas.unit
    jaw = np.clip((-0.32 - y - 0.25 * np.abs(x) + 0.9 * np.maximum(0, np.abs(x) - 0.42)) * 8, 0, 1)
    lips = np.exp(-((x / 0.24) ** 2 + ((y - _MOUTH) / 0.08) ** 2))
    jaw *= np.clip((0.75 - lips) * 4, 0, 1)
    canvas.pixels += (0.85 * performer.beard * jaw)[..., None] * (colour.astype(np.float32) - canvas.pixels)


def _eye(canvas: _Canvas, performer: Performer, side: int, closed: float) -> None:
    """An almond of white with iris, pupil and a glint, between two lids."""
    x, y = side * _EYE[0], _EYE[1]
    wide, high = 0.155, 0.082 * (1 - 0.92 * closed)
    sweep = np.linspace(0, np.pi, 15)
    upper = [(x - wide * np.cos(a), y + high * np.sin(a)) for a in sweep]
    lower = [(x + wide * np.cos(a), y - 0.75 * high * np.sin(a)) for a in sweep]
    # What is behind the lids is painted on a copy of the surroundings and shows through the almond.
    (left, bottom), (right, top) = canvas.spot(x - 0.25, y - 0.2), canvas.spot(x + 0.25, y + 0.2)
    window = (slice(top, bottom), slice(left, right))
    skin = canvas.pixels[window].copy()
    canvas.fill(upper + lower, (0.93, 0.92, 0.9))
    iris = rgb(performer.eyes)
    for radius, colour in ((0.082, iris * 0.6), (0.068, iris), (0.036, np.full(3, 0.03))):
        cv2.circle(
            canvas.pixels,
            canvas.spot(x, y + 0.015),
            round(radius * canvas.unit),
            _scalar(colour),
            -1,
            cv2.LINE_AA,
        )
    glint = canvas.spot(x + 0.03, y + 0.045)
    cv2.circle(canvas.pixels, glint, round(0.017 * canvas.unit), (0.97, 0.97, 0.97), -1, cv2.LINE_AA)
    almond = np.zeros((canvas.size, canvas.size), np.uint8)
    cv2.fillPoly(almond, [canvas.outline(upper + lower)], 255, cv2.LINE_AA)
    share = (almond[window].astype(np.float32) / 255)[..., None]
    canvas.pixels[window] = skin + share * (canvas.pixels[window] - skin)
    canvas.stroke(upper, rgb(performer.skin) * 0.19, 0.032)
    canvas.stroke(lower, rgb(performer.skin) * 0.5, 0.012)


def _brow(canvas: _Canvas, performer: Performer, side: int) -> None:
    skin = rgb(performer.skin)
    own = rgb(performer.hair) * 0.7 if performer.hair_style != "bald" else skin * 0.35
    along = np.linspace(0, 1, 9)
    x, y = side * (0.1 + 0.4 * along), 0.27 + 0.05 * np.sin(2.6 * along)
    half = 0.0275 * performer.brows
    top = zip(x, y + half, strict=True)
    low = zip(x[::-1], (y - half * (1 - along**3))[::-1], strict=True)
    canvas.fill([*top, *low], np.minimum(own, skin * 0.6))


def _mouth(canvas: _Canvas, performer: Performer, mouth_open: float) -> None:
    """Lips, the line between them, and teeth where they part."""
    skin = rgb(performer.skin)
    gap = 0.1 * mouth_open
    across = np.linspace(-1, 1, 17)
    bow = 1 - np.abs(across) ** 2.2
    dip = 0.02 * np.exp(-((across / 0.15) ** 2))
    x, y = 0.24 * across, _MOUTH + 0.03 * across**2

    def between(
        width: float, top: npt.NDArray[np.float64], low: npt.NDArray[np.float64]
    ) -> list[tuple[float, float]]:
        return [*zip(width * x, y + top, strict=True), *zip(width * x[::-1], (y + low)[::-1], strict=True)]

    lips = skin * (1 - performer.lips * np.array([0.18, 0.5, 0.45])) * 0.92
    canvas.fill(between(1.0, (0.06 + 0.3 * gap) * bow - dip, -(0.085 + gap) * bow), lips)
    inside = between(0.94, 0.3 * gap * bow - 0.6 * dip, -0.007 - gap * bow - 0.6 * dip)
    canvas.fill(inside, skin * [0.35, 0.2, 0.2])
    if mouth_open > 0.25:
        canvas.fill(between(0.8, 0.28 * gap * bow, -0.005 - 0.02 * bow), (0.9, 0.89, 0.86))


def _glasses(canvas: _Canvas) -> None:
    y = _EYE[1]
    for side in (-1, 1):
        radii = (round(0.23 * canvas.unit), round(0.17 * canvas.unit))
        centre = canvas.spot(side * (_EYE[0] + 0.01), y)
        cv2.ellipse(canvas.pixels, centre, radii, 0, 0, 360, _FRAMES, round(0.035 * canvas.unit), cv2.LINE_AA)
        canvas.stroke([(side * 0.51, y + 0.04), (side * 0.8, y + 0.06)], _FRAMES, 0.04)
    canvas.stroke([(-0.08, y + 0.04), (0.08, y + 0.04)], _FRAMES, 0.035)
