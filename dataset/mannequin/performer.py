"""Who performs: everything that tells one mannequin from another, drawn from one seed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from dataset.mannequin.chance import dice

#: A colour as sRGB in [0, 255].
Colour = tuple[float, float, float]

HAIR_STYLES = ("short", "crop", "bob", "long", "bun", "ponytail", "curly", "bald")
PATTERNS = ("plain", "stripes", "pinstripes", "checks", "dots", "blocks")
_SKIN: tuple[Colour, ...] = (
    (246, 214, 190),
    (236, 196, 166),
    (219, 170, 134),
    (188, 132, 94),
    (142, 92, 64),
    (98, 62, 46),
)
_HAIR: tuple[Colour, ...] = (
    (24, 20, 20),
    (50, 34, 26),
    (88, 56, 34),
    (140, 88, 46),
    (204, 164, 98),
    (150, 62, 34),
    (150, 148, 146),
)
_EYES: tuple[Colour, ...] = ((74, 48, 30), (52, 34, 24), (70, 104, 132), (84, 110, 76), (96, 84, 60))


@dataclass(frozen=True)
class Body:
    """Proportions of the skeleton and the flesh on it; lengths in metres.

    The ratios behind them vary a few per cent round those of Drillis and Contini's tables.
    """

    height: float
    upper_arm: float
    forearm: float
    hand: float
    thigh: float
    shin: float
    ankle: float  # height of the ankle joint above the sole of the shoe
    foot: float
    hip: float  # half the distance between the hip joints
    shoulder: float  # half the distance between the shoulder joints
    lumbar: float  # from the middle of the hips up to where the spine bends
    spine: float  # from there to the base of the neck
    neck: float  # from there to the pivot of the head
    head: float  # half the height of the head
    girth: float  # factor on every radius
    bust: float  # 0 for none
    belly: float  # 0 for none


@dataclass(frozen=True)
class Garment:
    """Cloth of one piece of clothing."""

    pattern: str
    colour: Colour
    second: Colour
    scale: float  # metres from one repeat of the pattern to the next
    folds: float  # how strongly folds darken it
    looseness: float  # metres between skin and cloth


@dataclass(frozen=True)
class Performer:
    """One procedural person. `Performer.from_seed` makes as many different ones as there are seeds."""

    seed: int
    body: Body
    skin: Colour
    hair: Colour
    eyes: Colour
    hair_style: str
    beard: float  # 0 for a shaven face
    brows: float  # thickness, 1 is usual
    lips: float  # redness in [0, 1]
    glasses: bool
    top: Garment
    sleeves: float  # part of the arm that is covered: 0.25 a T-shirt, 0.95 long sleeves
    neckline: str  # "round" or "v"
    bottom: Garment
    legs: float  # part of the leg that is covered: 0.4 shorts, 0.95 trousers
    shoes: Colour
    sole: Colour
    tempo: float  # beats a minute when dancing, also sets the pace of the rest
    energy: float  # 1 is usual; how large the movements are
    left_handed: bool
    light: tuple[float, float, float]  # unit vector towards the lamp
    light_warmth: float  # 0 is white
    contrast: float  # share of the light that comes from the lamp, the rest is from everywhere
    camera_distance: float  # metres from where the performer stands
    camera_height: float  # metres above the floor
    noise: float  # standard deviation of the sensor noise at mid grey, in levels of 255

    @classmethod
    def from_seed(cls, seed: int) -> Self:
        """The performer of this number: the same number is always the same performer."""
        rng = dice(seed, 0x4D414E)
        azimuth = rng.uniform(0.35, 1.0) * rng.choice([-1, 1])
        elevation = rng.uniform(0.6, 1.05)
        light = (
            float(np.sin(azimuth) * np.cos(elevation)),
            float(np.sin(elevation)),
            float(np.cos(azimuth) * np.cos(elevation)),
        )
        style = str(rng.choice(HAIR_STYLES, p=[0.22, 0.14, 0.14, 0.16, 0.1, 0.1, 0.1, 0.04]))
        long_haired = style in ("bob", "long", "bun", "ponytail")
        shorts = rng.random() < 0.3
        return cls(
            seed=seed,
            body=_body(rng, bust=rng.uniform(0.6, 1.0) if long_haired else 0.0),
            skin=_between(_SKIN, rng.random()),
            hair=_tint(_HAIR[rng.integers(len(_HAIR))], rng, 10),
            eyes=_EYES[rng.integers(len(_EYES))],
            hair_style=style,
            beard=0.0 if long_haired or rng.random() < 0.6 else float(rng.uniform(0.4, 1.0)),
            brows=float(rng.uniform(0.8, 1.3)),
            lips=float(rng.uniform(0.3, 0.9)),
            glasses=bool(rng.random() < 0.15),
            top=_garment(rng, bright=True),
            sleeves=float(rng.choice([0.24, 0.3, 0.94], p=[0.3, 0.3, 0.4])),
            neckline=str(rng.choice(["round", "v"])),
            bottom=_garment(rng, bright=False),
            legs=float(rng.uniform(0.36, 0.46) if shorts else rng.uniform(0.93, 0.97)),
            shoes=_colour(rng, 0.1, 0.9, 0.5),
            sole=(225, 222, 215) if rng.random() < 0.7 else (50, 46, 44),
            tempo=float(rng.uniform(88, 128)),
            energy=float(rng.uniform(0.8, 1.15)),
            left_handed=bool(rng.random() < 0.3),
            light=light,
            light_warmth=float(rng.uniform(-0.3, 1.0)),
            contrast=float(rng.uniform(0.45, 0.7)),
            camera_distance=float(rng.uniform(3.6, 5.5)),
            camera_height=float(rng.uniform(0.95, 1.5)),
            noise=float(rng.uniform(1.0, 4.0)),
        )


def _body(rng: np.random.Generator, bust: float) -> Body:
    height = float(np.clip(rng.normal(1.72, 0.09), 1.5, 1.96))

    def part(ratio: float, spread: float = 0.03) -> float:
        return float(height * ratio * np.clip(rng.normal(1.0, spread), 1 - 2 * spread, 1 + 2 * spread))

    thigh, shin, ankle = part(0.242), part(0.238), part(0.055)
    lumbar, head = part(0.06), part(0.066, 0.02)
    # The spine takes what is left, so that head, trunk and legs add up to the height.
    neck = height * 0.062
    spine = height - (thigh + shin + ankle) - lumbar - neck - head * 1.55
    narrow = bust > 0
    return Body(
        height=height,
        upper_arm=part(0.168),
        forearm=part(0.148),
        hand=part(0.106),
        thigh=thigh,
        shin=shin,
        ankle=ankle,
        foot=part(0.15),
        hip=part(0.055 if narrow else 0.052),
        shoulder=part(0.094 if narrow else 0.104),
        lumbar=lumbar,
        spine=spine,
        neck=neck,
        head=head,
        girth=float(height / 1.75 * np.clip(rng.normal(1.0, 0.09), 0.86, 1.22)),
        bust=bust,
        belly=float(max(0.0, rng.normal(0.1, 0.35))),
    )


def _garment(rng: np.random.Generator, bright: bool) -> Garment:
    if bright:
        pattern = str(rng.choice(PATTERNS, p=[0.3, 0.22, 0.1, 0.18, 0.1, 0.1]))
        colour = _colour(rng, 0.25, 0.95, 0.8)
    else:
        pattern = str(rng.choice(["plain", "pinstripes", "checks"], p=[0.8, 0.1, 0.1]))
        colour = _colour(rng, 0.12, 0.6, 0.5)
    shift = -1 if sum(colour) > 380 else 1
    second = tuple(float(np.clip(c + shift * rng.uniform(50, 130), 12, 245)) for c in colour)
    return Garment(
        pattern=pattern,
        colour=colour,
        second=(second[0], second[1], second[2]),
        scale=float(rng.uniform(0.05, 0.11)),
        folds=float(rng.uniform(0.2, 0.5)),
        looseness=float(rng.uniform(0.006, 0.016)),
    )


def _colour(rng: np.random.Generator, dark: float, light: float, saturation: float) -> Colour:
    value, hue = rng.uniform(dark, light), rng.uniform(0, 6)
    chroma = value * rng.uniform(0.05, saturation)
    ramp = [abs((hue + offset) % 6 - 3) - 1 for offset in (0, 4, 2)]
    r, g, b = (255 * (value - chroma * (1 - min(max(level, 0.0), 1.0))) for level in ramp)
    return float(r), float(g), float(b)


def _tint(colour: Colour, rng: np.random.Generator, spread: float) -> Colour:
    r, g, b = (float(np.clip(c + rng.uniform(-spread, spread), 8, 245)) for c in colour)
    return r, g, b


def _between(colours: tuple[Colour, ...], place: float) -> Colour:
    """The colour at `place` in [0, 1] along a row of colours."""
    at = place * (len(colours) - 1)
    low = min(int(at), len(colours) - 2)
    mix = at - low
    r, g, b = (a * (1 - mix) + c * mix for a, c in zip(colours[low], colours[low + 1], strict=True))
    return r, g, b
