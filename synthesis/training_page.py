"""``training.html``: a run on one self-contained page – scores, samples, losses, and what it was started with."""

from __future__ import annotations

import base64
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import jinja2
import numpy as np
import numpy.typing as npt

from dataset.files import atomic_path
from dataset.provenance import VERSION
from synthesis.checkpoint import writing
from synthesis.config import SynthesisConfig
from synthesis.evaluate.ssim import DEFINITION
from synthesis.model import read_image
from synthesis.stage import Stage, World
from synthesis.training_log import FACTS, preview_path

PAGE = "training.html"
WIDTH, HEIGHT = 420, 170
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 10, 22, 34
_BINS = 240  # points of a curve
_SMOOTHED_OVER = 0.04  # share of the run that the smoothed curve is a mean over
_SAMPLES = 12
_JPEG = 88

Entry = dict[str, Any]


@dataclass(frozen=True)
class Tick:
    """A mark on an axis: place in the drawing, and what stands there."""

    place: float
    text: str


@dataclass(frozen=True)
class Curve:
    """One quantity against minutes of training, in the coordinates of an SVG of `WIDTH` × `HEIGHT`.

    Attributes:
        name: of the quantity.
        last: its last value; the smoothed one where there is one.
        raw, smooth: polyline points "x,y x,y …"; `smooth` is empty for scores.
        dots: centres of marks, for scores.
        x, y: ticks; each tick of x says minutes.
        steps: the same places in steps.
        borders: where a stage begins, with its name, if there are several.
    """

    name: str
    last: str
    raw: str
    smooth: str
    dots: list[tuple[float, float]]
    x: list[Tick]
    y: list[Tick]
    steps: list[Tick]
    borders: list[Tick]


@dataclass
class Page:
    """The page of one run.

    Args:
        out: the model folder.
        identity: subject, recordings and config.
        config: of the run.
        stages: of the run, in order.
        world: the processes that train together.
    """

    out: Path
    identity: dict[str, Any]
    config: SynthesisConfig
    stages: list[Stage]
    world: World
    _template: jinja2.Template = field(init=False, repr=False)

    def __post_init__(self) -> None:
        environment = jinja2.Environment(
            loader=jinja2.PackageLoader("synthesis"),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._template = environment.get_template("training.html")

    def write(self, log: list[Entry], scores: list[Entry], *, finished: bool) -> None:
        """Write the page anew.

        Args:
            log, scores: as in `synthesis.training_log`.
            finished: whether the run is over.

        Raises:
            SynthesisError: it cannot be written.
        """
        last = log[-1] if log else {"stage": self.stages[0].name, "step": 0, "seconds": 0.0}
        text = self._template.render(
            subject=self.identity["subject"],
            recordings=self.identity["recordings"],
            finished=finished,
            facts=self._facts(last),
            scores=curves(scores, smoothed=False),
            losses=curves(log, smoothed=True),
            samples=self._samples(scores),
            shown=[(stage.name, stage.shown) for stage in self.stages],
            stages=len(self.stages),
            ssim=DEFINITION if any("ssim" in entry for entry in scores) else "",
            settings=_settings(self.config.to_dict()),
            width=WIDTH,
            height=HEIGHT,
        )
        path = self.out / PAGE
        with writing(path), atomic_path(path) as temporary:
            temporary.write_text(text, "utf-8")

    def _facts(self, last: Entry) -> list[tuple[str, str]]:
        schedule = self.config.schedule
        total = sum(stage.steps for stage in self.stages)
        limit = f"{schedule.minutes:g} minutes" if schedule.minutes is not None else f"{total:,} steps"
        others = f", now {last['stage']}" if len(self.stages) > 1 else ""
        pace = f"{last['seconds'] / last['step']:.3g} s" if last["step"] else "–"
        return [
            ("preset", self.config.preset),
            ("stages", " → ".join(stage.name for stage in self.stages) + others),
            ("steps done", f"{last['step']:,}"),
            ("trained for", f"{last['seconds'] / 60:.1f} min, interruptions left out"),
            ("a step took", f"{pace} on the mean"),
            ("limit", limit),
            (
                "computed on",
                f"{self.world.device.type}, {self.world.size} process{'es'[: 2 * (self.world.size > 1)]}",
            ),
            ("tool", f"danceproof {VERSION}"),
        ]

    def _samples(self, scores: list[Entry]) -> list[dict[str, Any]]:
        """At most `_SAMPLES` of the pictures, evenly over the run, the last one among them."""
        shown = [entry for entry in scores if preview_path(self.out, entry["step"]).is_file()]
        chosen = sorted({round(i) for i in np.linspace(0, len(shown) - 1, min(len(shown), _SAMPLES))})
        return [
            {
                "step": f"{shown[i]['step']:,}",
                "minutes": f"{shown[i]['seconds'] / 60:.1f}",
                "stage": shown[i]["stage"],
                "picture": _data_uri(read_image(preview_path(self.out, shown[i]["step"]))),
            }
            for i in chosen
        ]


def curves(entries: list[Entry], *, smoothed: bool) -> list[Curve]:
    """A curve for each quantity in the entries, in the order in which they first occur."""
    names = list(dict.fromkeys(name for entry in entries for name in entry if name not in FACTS))
    return [_curve(name, entries, smoothed) for name in names]


def _curve(name: str, entries: list[Entry], smoothed: bool) -> Curve:
    own = [entry for entry in entries if name in entry]
    minutes = np.array([entry["seconds"] / 60 for entry in own])
    values = np.array([entry[name] for entry in own], np.float64)
    end = max(entries[-1]["seconds"] / 60, 1e-6)
    if smoothed:
        minutes, values = _binned(minutes, values, end)
    mean = _running_mean(values, max(round(len(values) * _SMOOTHED_OVER), 1)) if smoothed else values
    low, high = _span(values)
    across, down = _scale(0, end, _LEFT, WIDTH - _RIGHT), _scale(low, high, HEIGHT - _BOTTOM, _TOP)

    def points(heights: npt.NDArray[np.float64]) -> str:
        return " ".join(f"{across(x):.1f},{down(y):.1f}" for x, y in zip(minutes, heights, strict=True))

    ticks = nice_ticks(0, end)
    seconds = np.array([entry["seconds"] for entry in entries])
    steps = np.array([entry["step"] for entry in entries])
    begins = {entry["stage"]: entry["seconds"] / 60 for entry in reversed(entries)}
    return Curve(
        name=name,
        last=f"{mean[-1]:.3g}",
        raw=points(values),
        smooth=points(mean) if smoothed else "",
        dots=[] if smoothed else [(across(x), down(y)) for x, y in zip(minutes, values, strict=True)],
        x=[Tick(across(tick), f"{tick:g}") for tick in ticks],
        y=[Tick(down(tick), f"{tick:g}") for tick in nice_ticks(low, high)],
        steps=[Tick(across(tick), f"{np.interp(tick * 60, seconds, steps):,.0f}") for tick in ticks if tick],
        borders=[Tick(across(at), stage) for stage, at in begins.items()] if len(begins) > 1 else [],
    )


def nice_ticks(low: float, high: float, about: int = 4) -> list[float]:
    """Round numbers from `low` to `high`, about so many.

    >>> nice_ticks(0, 60)
    [0.0, 20.0, 40.0, 60.0]
    """
    raw = max(high - low, 1e-12) / about
    unit = 10.0 ** math.floor(math.log10(raw))
    step = next(unit * factor for factor in (1, 2, 2.5, 5, 10) if unit * factor >= raw * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [round(i * step, 12) + 0.0 for i in range(first, math.floor(high / step + 1e-9) + 1)]


def _scale(low: float, high: float, start: float, stop: float) -> Any:
    return lambda value: start + (value - low) / (high - low) * (stop - start)


def _span(values: npt.NDArray[np.float64]) -> tuple[float, float]:
    """What the axis shows: all of it but rare spikes."""
    low, high = (float(v) for v in np.percentile(values, [0, 99.5] if len(values) > 50 else [0, 100]))
    if high - low < 1e-9:
        return low - 0.5, high + 0.5
    room = 0.05 * (high - low)
    return low - room, high + room


def _binned(
    minutes: npt.NDArray[np.float64], values: npt.NDArray[np.float64], end: float
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Means over equal spans of time, where there is anything in them."""
    if len(values) <= _BINS:
        return minutes, values
    where = np.minimum((minutes / end * _BINS).astype(int), _BINS - 1)
    count = np.bincount(where, minlength=_BINS)
    some = count > 0
    return (
        np.bincount(where, minutes, _BINS)[some] / count[some],
        np.bincount(where, values, _BINS)[some] / count[some],
    )


def _running_mean(values: npt.NDArray[np.float64], over: int) -> npt.NDArray[np.float64]:
    """Mean over the `over` values before and at each place, fewer at the start."""
    total = np.cumsum(np.concatenate([[0.0], values]))
    stop = np.arange(1, len(values) + 1)
    start = np.maximum(stop - over, 0)
    return np.asarray((total[stop] - total[start]) / (stop - start), np.float64)


def _settings(config: dict[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    rows: list[tuple[str, str]] = []
    for name, value in config.items():
        if isinstance(value, dict):
            rows += _settings(value, f"{prefix}{name}.")
        else:
            told = (
                ", ".join(map(str, value))
                if isinstance(value, Sequence) and not isinstance(value, str)
                else value
            )
            rows.append((f"{prefix}{name}", "none" if told in (None, "") else str(told)))
    return rows


def _data_uri(image: npt.NDArray[np.uint8]) -> str:
    coded = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, _JPEG])[1]
    return "data:image/jpeg;base64," + base64.b64encode(coded.tobytes()).decode()
