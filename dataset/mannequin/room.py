"""Where they perform: a room with a wall, a floor, and things in it, seen by the camera once and for all."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from dataset.mannequin import textures
from dataset.mannequin.camera import Camera
from dataset.mannequin.chance import dice
from dataset.mannequin.performer import Performer
from dataset.mannequin.shading import lamp
from dataset.mannequin.textures import Image

#: Texels a metre of wall and floor, and how far they reach before they repeat, metres.
_WALL_DENSITY, _WALL_WIDTH, _WALL_HEIGHT = 160, 6.4, 4.8
_FLOOR_DENSITY, _FLOOR_SIZE = 160, 4.8


def wall_distance(performer: Performer) -> float:
    """How far behind the performer's place the wall is, metres; the walk needs about three."""
    return float(dice(performer.seed, 29).uniform(2.9, 3.6))


def room(performer: Performer, camera: Camera) -> Image:
    """(H, W, 3) linear light of the empty room."""
    rng = dice(performer.seed, 23)
    wall, floor = _wall(rng), _floor(rng)
    width, height = camera.size
    fine = 2
    xs = (np.arange(width * fine) + 0.5) / fine - camera.centre[0]
    ys = (np.arange(height * fine) + 0.5) / fine - camera.centre[1]
    across, down = np.meshgrid(xs / camera.focal, ys / camera.focal)
    rays = camera.axes[2] + across[..., None] * camera.axes[0] - down[..., None] * camera.axes[1]
    px, py, pz = camera.position
    back = -wall_distance(performer)
    to_wall = (back - pz) / rays[..., 2]
    to_floor = np.where(rays[..., 1] < -1e-6, -py / np.minimum(rays[..., 1], -1e-6), np.inf)
    on_floor = to_floor < to_wall
    t = np.where(on_floor, to_floor, to_wall)
    x, y, z = px + t * rays[..., 0], py + t * rays[..., 1], pz + t * rays[..., 2]
    wall_seen = _sample(wall, (x + _WALL_WIDTH / 2) * _WALL_DENSITY, (_WALL_HEIGHT - y) * _WALL_DENSITY)
    floor_seen = _sample(floor, (x + 9.6) * _FLOOR_DENSITY, (z + 9.6) * _FLOOR_DENSITY)
    light, sky = lamp(performer)
    lx, ly, lz = performer.light
    # A pool of light round the performer, and dimness where wall and floor meet.
    pool = np.exp(-((x - 0.8 * lx) ** 2 + (z - 0.3) ** 2) / 9)
    corner = 1 - 0.45 * np.exp(-np.where(on_floor, z - back, y) / 0.35)
    on_wall = 0.55 * max(lz, 0.2) * np.exp(-((x - 1.2 * lx) ** 2 + (y - 1.9) ** 2) / 7)
    direct = np.where(on_floor, ly * (0.45 + 0.45 * pool), on_wall + 0.25)
    brightness = direct[..., None] * light + (0.85 * corner)[..., None] * sky
    seen = np.where(on_floor[..., None], floor_seen, wall_seen) * brightness
    picture = cv2.resize(seen.astype(np.float32), (width, height), interpolation=cv2.INTER_AREA)
    # The camera is focused on the performer; what is behind is a little soft.
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), 0.4 + height / 900), np.float32)


def _sample(texture: Image, x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]) -> Image:
    return np.asarray(
        cv2.remap(
            texture, x.astype(np.float32), y.astype(np.float32), cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP
        ),
        np.float32,
    )


def _pale(rng: np.random.Generator, low: float, high: float, colourful: float) -> npt.NDArray[np.float64]:
    value = rng.uniform(low, high)
    return np.clip(value + rng.uniform(-colourful, colourful, 3), 0.04, 0.95)


def _wall(rng: np.random.Generator) -> Image:
    width, height = round(_WALL_WIDTH * _WALL_DENSITY), round(_WALL_HEIGHT * _WALL_DENSITY)
    base = _pale(rng, 0.4, 0.85, 0.09)
    canvas = np.ones((height, width, 3), np.float32) * base.astype(np.float32)
    kind = rng.choice(["paint", "bricks", "panels", "paper"])
    if kind == "bricks":
        high, wide = 14, 40
        for row in range(height // high + 1):
            for column in range(-1, width // wide + 1):
                x0, y0 = column * wide + (wide // 2) * (row % 2), row * high
                tone = base * rng.uniform(0.82, 1.08) + rng.uniform(-0.02, 0.02, 3)
                cv2.rectangle(canvas, (x0 + 1, y0 + 1), (x0 + wide - 2, y0 + high - 2), _bgr(tone), -1)
    elif kind == "panels":
        step = int(rng.integers(36, 110))
        for x0 in range(0, width, step):
            cv2.rectangle(canvas, (x0, 0), (x0 + step, height), _bgr(base * rng.uniform(0.93, 1.05)), -1)
            cv2.line(canvas, (x0, 0), (x0, height), _bgr(base * 0.6), 2)
    elif kind == "paper":
        second = np.clip(base + rng.uniform(-0.16, 0.16, 3), 0.05, 0.95)
        step = int(rng.integers(24, 60))
        for y0 in range(0, height, step):
            for x0 in range((y0 // step % 2) * step // 2, width, step):
                cv2.ellipse(
                    canvas, (x0, y0), (step // 5, step // 3), 30, 0, 360, _bgr(second), -1, cv2.LINE_AA
                )
    for _ in range(int(rng.integers(2, 6))):
        _hang(canvas, rng)
    if rng.random() < 0.45:
        _door(canvas, rng)
    if rng.random() < 0.6:
        _shelf(canvas, rng)
    skirting = round(rng.uniform(0.07, 0.14) * _WALL_DENSITY)
    tone = _pale(rng, 0.3, 0.9, 0.03)
    cv2.rectangle(canvas, (0, height - skirting), (width, height), _bgr(tone), -1)
    cv2.line(canvas, (0, height - skirting), (width, height - skirting), _bgr(tone * 0.6), 2)
    grain = textures.noise(rng, (height, width), (8, 16), 6)
    return textures.linear(canvas * (1 + 0.05 * grain[..., None]))


def _bgr(colour: npt.ArrayLike) -> tuple[float, float, float]:
    """A colour as OpenCV's drawing wants it; channels stay in the order of the canvas."""
    r, g, b = np.clip(np.asarray(colour, float), 0, 1)
    return float(r), float(g), float(b)


def _hang(canvas: Image, rng: np.random.Generator) -> None:
    """A picture on the wall."""
    height, width = canvas.shape[:2]
    w, h = (int(rng.uniform(0.35, 0.9) * _WALL_DENSITY) for _ in range(2))
    x0, y0 = int(rng.uniform(0, width - w)), int(height - rng.uniform(1.7, 2.4) * _WALL_DENSITY - h / 2)
    canvas[max(0, y0 + 5) : y0 + h + 10, max(0, x0 + 4) : x0 + w + 8] *= 0.72
    cv2.rectangle(canvas, (x0, y0), (x0 + w, y0 + h), _bgr(_pale(rng, 0.08, 0.7, 0.08)), -1)
    inner = (x0 + 8, y0 + 8, x0 + w - 8, y0 + h - 8)
    cv2.rectangle(canvas, inner[:2], inner[2:], _bgr(_pale(rng, 0.4, 0.95, 0.15)), -1)
    piece = canvas[inner[1] : inner[3], inner[0] : inner[2]]
    for _ in range(int(rng.integers(3, 8))):
        centre = (int(rng.uniform(0, piece.shape[1])), int(rng.uniform(0, piece.shape[0])))
        radii = (int(rng.uniform(6, 50)), int(rng.uniform(4, 40)))
        part = np.ascontiguousarray(piece)
        cv2.ellipse(
            part,
            centre,
            radii,
            float(rng.uniform(0, 180)),
            0,
            360,
            _bgr(_pale(rng, 0.15, 0.85, 0.25)),
            -1,
            cv2.LINE_AA,
        )
        piece[:] = part


def _door(canvas: Image, rng: np.random.Generator) -> None:
    height, width = canvas.shape[:2]
    w, h = int(0.9 * _WALL_DENSITY), int(2.05 * _WALL_DENSITY)
    x0 = int(rng.uniform(0, width - w))
    tone = _pale(rng, 0.3, 0.85, 0.06)
    cv2.rectangle(canvas, (x0 - 10, height - h - 10), (x0 + w + 10, height), _bgr(tone * 0.8), -1)
    cv2.rectangle(canvas, (x0, height - h), (x0 + w, height), _bgr(tone), -1)
    for part in range(2):
        top = height - h + 22 + part * (h // 2)
        cv2.rectangle(canvas, (x0 + 18, top), (x0 + w - 18, top + h // 2 - 44), _bgr(tone * 0.85), 3)
    cv2.circle(canvas, (x0 + w - 14, height - h // 2), 6, _bgr(np.array([0.75, 0.7, 0.5])), -1, cv2.LINE_AA)


def _shelf(canvas: Image, rng: np.random.Generator) -> None:
    height, width = canvas.shape[:2]
    w = int(rng.uniform(0.8, 1.8) * _WALL_DENSITY)
    x0, y0 = int(rng.uniform(0, width - w)), int(height - rng.uniform(1.1, 1.9) * _WALL_DENSITY)
    at = x0 + 8
    while at < x0 + w - 16:
        thick, tall = int(rng.uniform(4, 12)), int(rng.uniform(28, 48))
        cv2.rectangle(canvas, (at, y0 - tall), (at + thick, y0), _bgr(_pale(rng, 0.15, 0.8, 0.3)), -1)
        at += thick + int(rng.choice([1, 1, 1, 2, 18]))
    canvas[y0 : y0 + 16, x0 : x0 + w] *= 0.75
    cv2.rectangle(canvas, (x0, y0), (x0 + w, y0 + 6), _bgr(_pale(rng, 0.2, 0.6, 0.06)), -1)


def _floor(rng: np.random.Generator) -> Image:
    size = round(_FLOOR_SIZE * _FLOOR_DENSITY)
    base = _pale(rng, 0.3, 0.65, 0.04) * np.array([1.1, 1.0, 0.86])
    canvas = np.ones((size, size, 3), np.float32) * base.astype(np.float32)
    kind = rng.choice(["planks", "tiles", "carpet"])
    grain = textures.noise(rng, (size, size), (4, 48) if kind == "planks" else (24, 24), 5)
    if kind == "planks":
        step = size // 32
        for index, x0 in enumerate(range(0, size, step)):
            start = int(rng.integers(0, size))
            for piece in range(3):
                y0 = (start + piece * size // 3) % size
                tone = _bgr(base * rng.uniform(0.82, 1.12))
                cv2.rectangle(canvas, (x0, y0), (x0 + step, min(size, y0 + size // 3)), tone, -1)
                if y0 + size // 3 > size:
                    cv2.rectangle(canvas, (x0, 0), (x0 + step, y0 + size // 3 - size), tone, -1)
                cv2.line(canvas, (x0, y0), (x0 + step, y0), _bgr(base * 0.55), 1)
            cv2.line(canvas, (x0, 0), (x0, size), _bgr(base * (0.5 + 0.1 * (index % 2))), 1)
        canvas *= 1 + 0.13 * grain[..., None]
    elif kind == "tiles":
        step = size // int(rng.choice([8, 12, 16]))
        for x0 in range(0, size, step):
            for y0 in range(0, size, step):
                chess = 0.78 if (x0 // step + y0 // step) % 2 else 1.0
                tone = base * rng.uniform(0.95, 1.05) * chess
                cv2.rectangle(canvas, (x0 + 1, y0 + 1), (x0 + step - 2, y0 + step - 2), _bgr(tone), -1)
        canvas *= 1 + 0.06 * grain[..., None]
    else:
        second = np.clip(base * rng.uniform(0.6, 1.4) + rng.uniform(-0.05, 0.05, 3), 0.05, 0.9)
        pattern = np.clip(textures.noise(rng, (size, size), (32, 32), 2) * 2, 0, 1)[..., None]
        canvas += 0.5 * pattern * (second - base).astype(np.float32)
        canvas *= (
            1 + 0.15 * textures.noise(rng, (size, size), (192, 192), 2)[..., None] + 0.05 * grain[..., None]
        )
    return textures.linear(canvas)
