"""The report: results as JSON, as Markdown, and as one self-contained page."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2

from dataset.files import atomic_path, write_json
from dataset.provenance import VERSION
from forensics.calibrate import FAKE, INCONCLUSIVE, REAL
from forensics.evaluation.config import CONFIG_FILE
from forensics.evaluation.plots import draw_plots
from forensics.evaluation.result import NOT_JUDGED, TITLES, Evaluation
from forensics.evaluation.run import Outcome, Report
from forensics.evaluation.worst import Case, worst_cases

RESULTS_FILE, MARKDOWN_FILE, PAGE_FILE = "results.json", "report.md", "report.html"
#: What the figures mean, for readers.
MEANINGS = {
    "accuracy": "share of videos (frame pairs) on the right side of even odds; higher is better",
    "AUC": "chance that a fake gets a higher score than a real one; 0.5 is guessing, 1 is perfect",
    "EER": "error rate at the threshold where both kinds of error are equally frequent; lower is better",
    "TPR at 1 % FPR": "share of fakes found by a threshold that calls at most 1 % of the real ones fake",
    "log-loss": "mean cost in nats of the stated probabilities, labels weighing the same; 0 is perfect, 0.693 says "
    "nothing",
    "ECE": "mean distance between stated probability and share of fakes, in ten bins, labels weighing the same",
    "C_llr": "cost of the likelihood ratios in bits; 0 is perfect, 1 says nothing; above 1 misleads",
    "least C_llr": "what C_llr would be after the best increasing curve over these very scores: what calibration costs "
    "is the difference",
}
_LEVELS = ("pair", "video")


def write_report(outcome: Outcome, out: Path, report: Report | None = None) -> Path:
    """Write everything into a folder: the same bytes whenever config and data are the same.

    Args:
        outcome: of `forensics.evaluation.run.evaluate_scores`.
        out: folder; made if need be.
        report: called as the work goes on.

    Returns:
        The page.
    """
    tell = report or (lambda what, done, total: None)
    out.mkdir(parents=True, exist_ok=True)
    plots = draw_plots(outcome.evaluations, out)
    first = outcome.evaluations[0]
    cases = worst_cases(
        first.rows,
        outcome.corpus,
        outcome.config.worst,
        lambda done, total: tell("frames of the worst", done, total),
    )
    outcome.config.save(out / CONFIG_FILE)
    write_json(out / RESULTS_FILE, outcome.to_dict())
    view = _view(outcome, cases)
    for name, template, pictures in (
        (MARKDOWN_FILE, "report.md.j2", {title: path.name for title, path in plots.items()}),
        (PAGE_FILE, "report.html", {title: _uri(path) for title, path in plots.items()}),
    ):
        environment = jinja2.Environment(
            loader=jinja2.PackageLoader("forensics.evaluation"),
            autoescape=name == PAGE_FILE,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        text = environment.get_template(template).render(**view, plots=pictures)
        with atomic_path(out / name) as temporary:
            temporary.write_text(text.rstrip() + "\n", "utf-8")
    return out / PAGE_FILE


def _view(outcome: Outcome, cases: Sequence[Case]) -> dict[str, Any]:
    return {
        "version": VERSION,
        "corpus_sha256": outcome.config.corpus_sha256,
        "scores_sha256": [sha256 for _, sha256 in outcome.config.scores],
        "config": outcome.config,
        "titles": list(TITLES.values()),
        "meanings": MEANINGS,
        "headline": [_headline(evaluation) for evaluation in outcome.evaluations],
        "missing": outcome.missing,
        "findings": outcome.findings,
        "grain": outcome.grain,
        "cases": cases,
        "first": outcome.evaluations[0].name,
        "protocols": [_protocol(evaluation) for evaluation in outcome.evaluations],
        "verdict_names": (FAKE, INCONCLUSIVE, REAL, NOT_JUDGED),
    }


def _headline(evaluation: Evaluation) -> dict[str, Any]:
    """One protocol's row in the table on top: the figures per video and per pair."""
    return {
        "name": evaluation.name,
        "text": evaluation.protocol,
        "counts": evaluation.counts,
        "levels": {level: _cells(evaluation.figures.get(level, {})) for level in _LEVELS},
    }


def _cells(figures: Mapping[str, Mapping[str, float]]) -> list[dict[str, str]]:
    return [
        {
            "value": f"{figures[name]['value']:.3f}",
            "interval": f"{figures[name]['low']:.3f} – {figures[name]['high']:.3f}",
        }
        if name in figures
        else {"value": "–", "interval": ""}
        for name in TITLES
    ]


def _protocol(evaluation: Evaluation) -> dict[str, Any]:
    return {
        "name": evaluation.name,
        "text": evaluation.protocol,
        "notes": evaluation.notes,
        # One whose trials are another's has the same tables; they are not printed twice.
        "own": bool(evaluation.trials),
        "verdicts": evaluation.verdicts,
        "tables": [
            *(
                [{"title": "by degradation", "lost": True, "rows": _rows(evaluation.degradations)}]
                if evaluation.degradations
                else []
            ),
            *(
                {"title": f"by {name}", "lost": False, "rows": _rows(rows)}
                for name, rows in evaluation.groups.items()
            ),
        ],
        "layout": _layout(evaluation),
        "calibrations": evaluation.calibrations,
        "untested": evaluation.untested,
    }


def _rows(rows: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    shown = []
    for name, row in rows.items():
        lost = row.get("loss")
        shown.append(
            {
                "name": name,
                "real": row["real"],
                "fake": row["fake"],
                "lost": "–" if lost is None else f"{lost:+.3f}",
                "levels": {level: _cells(row[level]) for level in _LEVELS},
            }
        )
    return shown


def _layout(evaluation: Evaluation) -> dict[str, Any]:
    """Rows of held-out subjects, columns of source motions, accuracy per video in the cells, means at the ends."""
    sources = sorted({source for row in evaluation.layout.values() for source in row})
    rows = []
    for subject, row in evaluation.layout.items():
        cells = [_share(row.get(source)) for source in sources]
        rows.append({"subject": subject, "cells": cells, "all": _share(_sum(row.values()))})
    columns = [
        _share(_sum(row[source] for row in evaluation.layout.values() if source in row)) for source in sources
    ]
    every = _share(_sum(cell for row in evaluation.layout.values() for cell in row.values()))
    return {"sources": sources, "rows": rows, "columns": columns, "all": every}


def _sum(cells: Any) -> dict[str, float]:
    cells = list(cells)
    return {key: sum(cell[key] for cell in cells) for key in ("right", "videos")}


def _share(cell: Mapping[str, float] | None) -> dict[str, Any] | None:
    if cell is None or not cell["videos"]:
        return None
    share = cell["right"] / cell["videos"]
    return {
        "share": f"{share:.2f}",
        "videos": int(cell["videos"]),
        "right": int(cell["right"]),
        "flawed": share < 1,
    }


def _uri(path: Path) -> str:
    return "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode("ascii")


__all__ = ["MARKDOWN_FILE", "PAGE_FILE", "RESULTS_FILE", "write_report"]
