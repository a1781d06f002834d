"""The evaluation as one self-contained page: tables, curves, and frames side by side."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import jinja2
import numpy as np
import numpy.typing as npt

from dataset.errors import SynthesisError
from dataset.files import atomic_path
from dataset.video import read_frames
from synthesis.evaluate.curves import MEASURES, Curve
from synthesis.evaluate.intervals import Figure
from synthesis.evaluate.regions import WINDOW_HEIGHT, WINDOW_MARGIN
from synthesis.evaluate.results import Evaluation, Row, SubjectResult
from synthesis.evaluate.scores import REAL, ClipScores
from synthesis.evaluate.table import BLOCKS, best_columns, limit_rows
from synthesis.stickfigure import draw
from synthesis.windows import Windows, choose_shape, extents, follow, sample

Image = npt.NDArray[np.uint8]
Report = Callable[..., None]

EVEN, WORST = 6, 3
STICK = "stick figure"
#: Frames on the page are this much taller than the window size, where the video has the pixels.
_TALL = 320
_QUALITY = 88
#: Worst instants lie at least so many seconds apart.
_APART = 0.5


@dataclass(frozen=True)
class Cell:
    """A figure as the template shows it."""

    value: str
    interval: str
    best: bool
    reason: str


@dataclass(frozen=True)
class Strip:
    """One instant: a title, and a picture (as a data: URI) by column."""

    title: str
    pictures: dict[str, str]


def write_page(evaluation: Evaluation, curves: list[Curve], path: Path, report: Report) -> None:
    """Write the page, with the frames of every recording."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("synthesis.evaluate"), autoescape=True, undefined=jinja2.StrictUndefined
    )
    subjects = []
    for subject in evaluation.subjects:
        strips = []
        for scores in subject.clips:
            strips.append((scores.clip.path.name, _strips(scores, evaluation.columns)))
            report("page", len(strips), len(subject.clips))
        subjects.append(
            {
                "name": subject.name,
                "frames": sum(len(scores.clip.held) for scores in subject.clips),
                "tables": _tables(evaluation, subject.figures),
                "strips": strips,
                "columns": _pictured(subject, evaluation.columns),
                "limits": subject.limits.told if subject.limits else "",
                "limit_rows": limit_rows(evaluation, subject),
            }
        )
    text = environment.get_template("evaluation.html").render(
        evaluation=evaluation,
        mean=_tables(evaluation, evaluation.means),
        subjects=subjects,
        definitions=evaluation.facts["definitions"],
        curves=[_plots(curve) for curve in curves],
        worst_of=evaluation.columns[-1],
    )
    with atomic_path(path) as temporary:
        temporary.write_text(text, "utf-8")


def _pictured(subject: SubjectResult, columns: list[str]) -> list[str]:
    return [REAL, STICK, *(column for column in columns if column not in subject.absent)]


def _tables(evaluation: Evaluation, figures: dict[str, dict[str, Figure]]) -> list[dict[str, object]]:
    tables: list[dict[str, object]] = []
    for title, block in BLOCKS:
        rows = evaluation.rows(block)
        if not rows:
            continue
        shown = [column for column in evaluation.shown if column != REAL or any(row.floor for row in rows)]
        lines = []
        for row in rows:
            best = best_columns(row, figures, shown)
            cells = [_cell(row, figures.get(column, {}).get(row.key), column in best) for column in shown]
            lines.append({"region": row.region, "metric": row.label(evaluation.distance), "cells": cells})
        tables.append({"title": title, "columns": shown, "rows": lines})
    return tables


def _cell(row: Row, figure: Figure | None, best: bool) -> Cell:
    if figure is None or np.isnan(figure.value):
        return Cell("–", "", False, figure.reason if figure else "")
    interval = "" if np.isnan(figure.low) else f"{row.spell(figure.low)} – {row.spell(figure.high)}"
    return Cell(row.spell(figure.value), interval, best, figure.reason)


def instants(scores: ClipScores, column: str) -> dict[int, str]:
    """Held-out rows to look at, with a title: evenly spaced ones, and the worst of a column by body SSIM."""
    count = len(scores.clip.held)
    present = np.flatnonzero(scores.clip.held.present())
    chosen = {
        int(present[i]): ""
        for i in np.linspace(0, len(present) - 1, min(EVEN, len(present))).round().astype(int)
    }
    values = scores.values.get(column, {}).get("body/ssim/window", np.full(count, np.nan))
    worst: list[int] = []
    apart = max(round(_APART * scores.clip.fps), 1)
    for row in np.argsort(np.where(np.isnan(values), np.inf, values)):
        if len(worst) == WORST or np.isnan(values[row]):
            break
        if all(abs(int(row) - other) >= apart for other in worst):
            worst.append(int(row))
    for row in worst:
        chosen[row] = f"among the worst of {column}: body SSIM {values[row]:.3f}"
    return dict(sorted(chosen.items()))


def _strips(scores: ClipScores, columns: list[str]) -> list[Strip]:
    clip = scores.clip
    having = [column for column in columns if column in scores.values]
    chosen = instants(scores, having[-1])
    windows = follow(clip.poses, choose_shape(extents(clip.poses), WINDOW_HEIGHT), WINDOW_MARGIN)
    tall = min(_TALL, round(float(np.median(windows.height))))
    shape = (max(round(tall * windows.shape[0] / windows.shape[1]), 1), tall)
    windows = Windows(windows.center, windows.height, shape)
    pictures: dict[int, dict[str, str]] = {row: {} for row in chosen}
    for column in (REAL, *having):
        for row, frame in enumerate(read_frames(scores.videos[column])):
            if row in pictures:
                cut = sample(frame.image, windows.matrix(clip.start + row), shape)
                pictures[row][column] = _uri(cut)
    for row, images in pictures.items():
        images[STICK] = _uri(
            draw(windows.label_poses(clip.poses, clip.start + row, clip.start + row), 0, shape)
        )
    strips = []
    for row, images in pictures.items():
        seconds = clip.poses.times[clip.start + row]
        title = f"frame {clip.start + row}, {seconds:.2f} s" + (f" – {chosen[row]}" if chosen[row] else "")
        strips.append(Strip(title, images))
    return strips


def _uri(image: Image) -> str:
    ok, data = cv2.imencode(
        ".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, _QUALITY]
    )
    if not ok:
        raise SynthesisError("a picture of the page cannot be encoded")
    return "data:image/jpeg;base64," + base64.b64encode(data.tobytes()).decode("ascii")


def _plots(curve: Curve) -> dict[str, object]:
    """Points of small line charts in a box of 240×120."""
    plots = []
    for key, label in MEASURES.items():
        values = np.array(curve.values[key])
        known = ~np.isnan(values)
        if not known.any():
            continue
        x, y = np.array(curve.places)[known], values[known]
        low, high = float(y.min()), float(y.max())
        spread = high - low or 1.0
        right = float(x.max()) or 1.0
        points = [
            (
                round(10 + 220 * float(a) / right, 1),
                round(110 - 100 * (float(b) - low) / spread, 1),
                float(a),
                float(b),
            )
            for a, b in zip(x, y, strict=True)
        ]
        plots.append({"label": label, "points": points, "low": f"{low:.3f}", "high": f"{high:.3f}",
                      "right": f"{right:g}"})  # fmt: skip
    return {"subject": curve.subject, "unit": curve.unit, "plots": plots}
