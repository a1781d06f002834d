"""Quality against training time: the snapshots of one run, scored like any other column."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dataset.errors import ModelError
from synthesis.evaluate.results import SubjectResult
from synthesis.evaluate.systems import ModelRef
from synthesis.model import read_facts

LOG = "log.jsonl"
#: What is plotted, and which way is better.
MEASURES = {
    "body/ssim/window": "body SSIM ↑",
    "face/ssim/window": "face SSIM ↑",
    "body/perceptual/window": "body distance ↓",
    "face/perceptual/window": "face distance ↓",
}


@dataclass(frozen=True)
class Curve:
    """One subject's snapshots.

    Attributes:
        subject: name.
        unit: "minutes" of training, or "steps" where the run's log has no times.
        places: one for each snapshot, rising.
        values: row key → one value for each snapshot, NaN where not measured.
    """

    subject: str
    unit: str
    places: list[float]
    values: dict[str, list[float]]

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        values = {
            key: [None if np.isnan(value) else round(value, 6) for value in row]
            for key, row in self.values.items()
        }
        return {"subject": self.subject, "unit": self.unit, "places": self.places, "values": values}


def curve_of(subject: SubjectResult, models: dict[str, ModelRef]) -> Curve:
    """The curve of a subject whose columns are snapshots of one run."""
    steps = {
        column: int(read_facts(ref.folder)["steps"]) if ref.snapshot is None else ref.snapshot
        for column, ref in models.items()
    }
    seconds = seconds_by_step(next(iter(models.values())).folder)
    timed = seconds and all(step in seconds for step in steps.values())
    order = sorted(steps, key=lambda column: steps[column])
    return Curve(
        subject.name,
        "minutes" if timed else "steps",
        [round(seconds[steps[column]] / 60, 2) if timed else float(steps[column]) for column in order],
        {key: [subject.figures[column][key].value for column in order] for key in MEASURES},
    )


def seconds_by_step(folder: Path) -> dict[int, float]:
    """Seconds of training behind each step, from the run's log; empty where the log has no times.

    Steps of several stages are counted through.

    Raises:
        ModelError: a line of the log is not readable.
    """
    path = folder / LOG
    if not path.is_file():
        return {}
    found: dict[int, float] = {}
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        try:
            entry = json.loads(line)
            if "seconds" in entry:
                found[int(entry["step"])] = float(entry["seconds"])
        except (ValueError, KeyError, TypeError) as error:
            raise ModelError(f"line {number} of the log cannot be read ({error})", path=path) from error
    return found
