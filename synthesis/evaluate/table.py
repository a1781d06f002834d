"""The tables in the paper's layout, as Markdown."""

from __future__ import annotations

import numpy as np

from synthesis.evaluate.curves import MEASURES, Curve
from synthesis.evaluate.intervals import Figure
from synthesis.evaluate.regions import WINDOW_HEIGHT
from synthesis.evaluate.results import (
    FURTHER_ROWS,
    NATIVE_ROWS,
    WINDOW_ROWS,
    Evaluation,
    Row,
    SubjectResult,
)
from synthesis.evaluate.scores import REAL

#: Title of each block of rows.
BLOCKS = (
    ("At the video's own size", NATIVE_ROWS),
    (f"At window size ({WINDOW_HEIGHT} pixels)", WINDOW_ROWS),
    ("Pose and time", FURTHER_ROWS),
)


def cell(row: Row, figure: Figure | None, *, best: bool = False) -> str:
    """A figure with its interval, e.g. ``**0.838** [0.831, 0.845]``; a dash where there is none."""
    if figure is None or np.isnan(figure.value):
        return "–"
    text = f"**{row.spell(figure.value)}**" if best else row.spell(figure.value)
    if not np.isnan(figure.low):
        text += f" [{row.spell(figure.low)}, {row.spell(figure.high)}]"
    return text


def best_columns(row: Row, figures: dict[str, dict[str, Figure]], columns: list[str]) -> set[str]:
    """Which columns are best in a row, as printed; the real video takes no part, and nothing is best where all are."""
    known = {
        column: figures[column][row.key].value
        for column in columns
        if column != REAL and column in figures and not np.isnan(figures[column][row.key].value)
    }
    if row.better == 0 or not known:
        return set()
    top = row.spell(max(known.values(), key=lambda value: row.better * value))
    best = {column for column, value in known.items() if row.spell(value) == top}
    return best if len(best) < len(known) else set()


def markdown(evaluation: Evaluation, curves: list[Curve]) -> str:
    """Everything in figures: the mean over subjects, then each subject, then what was left out."""
    parts = ["# Evaluation", "", *(f"> **{note}**\n" for note in evaluation.notes)]
    count = len(evaluation.subjects)
    parts += [f"## Mean over {count} subject{'s' if count > 1 else ''}", ""]
    parts += _tables(evaluation, evaluation.means)
    for subject in evaluation.subjects:
        frames = sum(len(scores.clip.held) for scores in subject.clips)
        parts += [
            f"## Subject {subject.name}",
            "",
            f"{frames} frames of {len(subject.clips)} recording(s).",
            "",
        ]
        parts += _tables(evaluation, subject.figures)
        parts += _limits(evaluation, subject)
        parts += _left_out(evaluation, subject.figures)
    for curve in curves:
        parts += [f"## Quality against {curve.unit}: {curve.subject}", "", *_curve(curve), ""]
    parts += ["## Definitions", "", f"- Perceptual distance: {evaluation.distance}"]
    definitions = evaluation.facts["definitions"]
    parts += [f"- {name}: {text}" for name, text in definitions.items()]
    return "\n".join(parts) + "\n"


def _tables(evaluation: Evaluation, figures: dict[str, dict[str, Figure]]) -> list[str]:
    columns, lines = evaluation.shown, []
    for title, block in BLOCKS:
        rows = evaluation.rows(block)
        if not rows:
            continue
        shown = [column for column in columns if column != REAL or any(row.floor for row in rows)]
        lines += [
            f"{title}:",
            "",
            f"| region | metric | {' | '.join(shown)} |",
            "|---|---|" + "---|" * len(shown),
        ]
        for row in rows:
            best = best_columns(row, figures, shown)
            cells = [cell(row, figures.get(column, {}).get(row.key), best=column in best) for column in shown]
            lines.append(f"| {row.region} | {row.label(evaluation.distance)} | {' | '.join(cells)} |")
        lines.append("")
    return lines


def _limits(evaluation: Evaluation, subject: SubjectResult) -> list[str]:
    if subject.limits is None:
        return []
    lines = [subject.limits.told, ""]
    if rows := limit_rows(evaluation, subject):
        lines += [f"| postures | frames | {' | '.join(evaluation.columns)} |", "|---" * (len(rows[0])) + "|"]
        lines += [f"| {' | '.join(cells)} |" for cells in rows] + [""]
    return lines


def limit_rows(evaluation: Evaluation, subject: SubjectResult) -> list[list[str]]:
    """Rows of a table: kind of posture, frames, and the distance of each column in them."""
    found = subject.limits
    if found is None or found.distances is None:
        return []
    rows = []
    for place, (title, count) in enumerate(
        (("like one trained on", found.within), ("others", found.outside))
    ):
        means = [found.distances.get(column, (np.nan, np.nan))[place] for column in evaluation.columns]
        rows.append([title, str(count), *("–" if np.isnan(mean) else f"{mean:.3f}" for mean in means)])
    return rows


def _left_out(evaluation: Evaluation, figures: dict[str, dict[str, Figure]]) -> list[str]:
    reasons: dict[str, list[str]] = {}
    for column in evaluation.shown:
        for _, block in BLOCKS:
            for row in block:
                figure = figures.get(column, {}).get(row.key)
                if figure is not None and figure.reason:
                    reasons.setdefault(f"{row.region} {row.label('distance')}: {figure.reason}", []).append(
                        column
                    )
    return [f"- {reason} ({', '.join(columns)})" for reason, columns in reasons.items()] + (
        [""] if reasons else []
    )


def _curve(curve: Curve) -> list[str]:
    keys = [key for key in MEASURES if any(not np.isnan(value) for value in curve.values[key])]
    lines = [
        f"| {curve.unit} | {' | '.join(MEASURES[key] for key in keys)} |",
        "|---" * (len(keys) + 1) + "|",
    ]
    for number, place in enumerate(curve.places):
        cells = [
            "–" if np.isnan(curve.values[key][number]) else f"{curve.values[key][number]:.3f}" for key in keys
        ]
        lines.append(f"| {place:g} | {' | '.join(cells)} |")
    return lines
