"""ROC, DET, reliability and Tippett plots, the same bytes for the same figures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dataset.files import atomic_path
from forensics.evaluation.result import Evaluation
from forensics.metrics import reliability, roc

_COLOURS = ("#1b6ca8", "#c8553d", "#588157", "#8e5fa2", "#7a7a7a")
_LN10 = float(np.log(10))
#: Shares at the axes of the DET plot.
_TICKS = (0.001, 0.01, 0.05, 0.1, 0.2, 0.4)


def draw_plots(evaluations: Sequence[Evaluation], out: Path) -> dict[str, Path]:
    """Write all plots as PNG files.

    Args:
        evaluations: one curve each; those that share their trials with another have none of their own.
        out: folder.

    Returns:
        title → file.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    shown = [
        evaluation for evaluation in evaluations if evaluation.figures.get("video") and evaluation.trials
    ]
    plots: dict[str, tuple[str, Callable[[Any, Sequence[Evaluation]], None]]] = {
        "ROC": ("roc.png", _roc),
        "DET": ("det.png", _det),
        "reliability": ("reliability.png", _reliability),
        "Tippett": ("tippett.png", _tippett),
    }
    files = {}
    for title, (name, plot) in plots.items():
        figure = Figure(figsize=(5.2, 4.6), dpi=110, layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.add_subplot()
        plot(axes, shown)
        axes.grid(alpha=0.25)
        axes.legend(fontsize=7.5, framealpha=0.85)
        with atomic_path(out / name) as temporary:
            figure.savefig(temporary, metadata={"Software": None})
        files[title] = out / name
    return files


def _arrays(evaluation: Evaluation, level: str) -> tuple[Any, Any]:
    trials = evaluation.trials[level]
    return np.array([value for value, _ in trials]), np.array([fake for _, fake in trials], bool)


def _roc(axes: Any, evaluations: Sequence[Evaluation]) -> None:
    for colour, evaluation in zip(_COLOURS, evaluations, strict=False):
        for level, style in (("video", "-"), ("pair", ":")):
            area = evaluation.figures[level]["auc"]["value"]
            label = f"{evaluation.name}, per {level}: AUC {area:.3f}"
            axes.plot(*roc(*_arrays(evaluation, level)), style, color=colour, label=label)
    axes.plot([0, 1], [0, 1], color="#999999", linewidth=0.7)
    axes.set(xlabel="real called fake", ylabel="fakes called fake", xlim=(-0.01, 1), ylim=(0, 1.01))


def _det(axes: Any, evaluations: Sequence[Evaluation]) -> None:
    from scipy.stats import norm

    for colour, evaluation in zip(_COLOURS, evaluations, strict=False):
        for level, style in (("video", "-"), ("pair", ":")):
            values, fake = _arrays(evaluation, level)
            alarms, hits = roc(values, fake)
            # Half a trial stands for none: a share of 0 has no place on this axis.
            least = (0.5 / (~fake).sum(), 0.5 / fake.sum())
            x = norm.ppf(np.clip(alarms, least[0], 1 - least[0]))
            y = norm.ppf(np.clip(1 - hits, least[1], 1 - least[1]))
            rate = evaluation.figures[level]["eer"]["value"]
            axes.plot(x, y, style, color=colour, label=f"{evaluation.name}, per {level}: EER {rate:.3f}")
    ends = norm.ppf([0.0008, 0.5])
    axes.plot(ends, ends, color="#999999", linewidth=0.7)
    places = norm.ppf(_TICKS)
    names = [f"{tick:.1%}" if tick < 0.01 else f"{tick:.0%}" for tick in _TICKS]
    axes.set(xlabel="real called fake", ylabel="fakes called real", xlim=ends, ylim=ends)
    axes.set_xticks(places, names)
    axes.set_yticks(places, names)


def _reliability(axes: Any, evaluations: Sequence[Evaluation]) -> None:
    axes.plot([0, 1], [0, 1], color="#999999", linewidth=0.7)
    for colour, evaluation in zip(_COLOURS, evaluations, strict=False):
        for level, style in (("video", "o-"), ("pair", "s:")):
            said, so, part = reliability(*_arrays(evaluation, level))
            filled = part > 0
            error = evaluation.figures[level]["ece"]["value"]
            label = f"{evaluation.name}, per {level}: ECE {error:.3f}"
            axes.plot(said[filled], so[filled], style, color=colour, markersize=3, label=label)
    axes.set(xlabel="probability of a fake that is stated", ylabel="share of fakes, labels weighing the same")
    axes.set(xlim=(0, 1), ylim=(-0.01, 1.01))


def _tippett(axes: Any, evaluations: Sequence[Evaluation]) -> None:
    for colour, evaluation in zip(_COLOURS, evaluations, strict=False):
        values, fake = _arrays(evaluation, "video")
        for label, style, kept in (("fakes", "-", fake), ("real", "--", ~fake)):
            strength = np.sort(values[kept]) / _LN10
            above = 1 - np.arange(len(strength)) / len(strength)
            axes.step(strength, above, style, where="post", color=colour, label=f"{evaluation.name}, {label}")
    axes.axvline(0, color="#999999", linewidth=0.7)
    axes.set(xlabel="log10 likelihood ratio of a video", ylabel="share of videos with at least this ratio")
    axes.set(ylim=(0, 1.01))
