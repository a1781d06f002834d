"""The figures of one protocol, and how a terminal shows them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from forensics.calibrate import FAKE, INCONCLUSIVE, REAL

if TYPE_CHECKING:
    from rich.table import Table

SCHEMA = 2
NOT_JUDGED = "not judged"
#: Figures by their name in reports, and how many of their digits are shown.
TITLES = {
    "accuracy": "accuracy",
    "auc": "AUC",
    "auc_within": "AUC within detectors",
    "eer": "EER",
    "tpr_at_1": "TPR at 1 % FPR",
    "log_loss": "log-loss",
    "ece": "ECE",
    "cllr": "C_llr",
    "min_cllr": "least C_llr",
}
Figures = dict[str, dict[str, dict[str, float]]]


@dataclass
class Evaluation:
    """Figures per frame pair and per video, with one row a clip behind them.

    Attributes:
        protocol: who was left out, in words.
        figures: "pair" and "video" → figure → value, low, high; accuracy at even odds. Empty where one of the labels
            is missing.
        verdicts: label → verdict → number of videos; empty where no calibration could be made.
        rows: one a clip, the worst first.
        untested: clips that no detector without their people could judge.
        notes: what a reader must know.
        name: of the protocol.
        counts: judged trials: "real", "fake" and "subjects".
        degradations: degradation → as `figures`, with "loss": AUC lost against clean clips.
        groups: what is grouped by → value → as `figures`.
        layout: held-out subject → source of the motion → {"right", "videos", "pair_accuracy"}.
        calibrations: what was calibrated on.
        trials: (value, fake) of every judged video, and of every pair, for curves.
    """

    protocol: str
    figures: Figures
    verdicts: dict[str, dict[str, int]]
    rows: list[dict[str, Any]]
    untested: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    name: str = ""
    counts: dict[str, int] = field(default_factory=dict)
    degradations: dict[str, dict[str, Any]] = field(default_factory=dict)
    groups: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    layout: dict[str, dict[str, dict[str, float]]] = field(default_factory=dict)
    calibrations: list[dict[str, Any]] = field(default_factory=list)
    trials: dict[str, list[tuple[float, bool]]] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """As JSON values; the curves' trials follow from the rows and are left out."""
        return {
            "schema": SCHEMA,
            "name": self.name,
            "protocol": self.protocol,
            "counts": self.counts,
            "figures": self.figures,
            "verdicts": self.verdicts,
            "degradations": self.degradations,
            "groups": self.groups,
            "layout": self.layout,
            "calibrations": self.calibrations,
            "clips": self.rows,
            "untested": self.untested,
            "notes": self.notes,
        }

    def tables(self) -> list[Table]:
        """For the terminal: the figures, the verdicts and the worst clips."""
        from rich.table import Table

        figures = Table("", "per pair", "per video", title=self.protocol)
        for name, title in TITLES.items():
            cells = [
                spell(self.figures[level][name]) if name in self.figures.get(level, {}) else "–"
                for level in ("pair", "video")
            ]
            figures.add_row(title, *cells)
        tables = [figures]
        if self.degradations:
            degradations = Table("degradation", "videos", "accuracy", "AUC", "AUC lost", title="per video")
            for name, row in self.degradations.items():
                values = row["video"]
                degradations.add_row(
                    name,
                    str(row["videos"]),
                    *(spell(values[key]) if values else "–" for key in ("accuracy", "auc")),
                    "–" if row["loss"] is None else f"{row['loss']:+.3f}",
                )
            tables.append(degradations)
        if self.verdicts:
            verdicts = Table("videos", FAKE, INCONCLUSIVE, REAL, NOT_JUDGED)
            for label, counts in self.verdicts.items():
                verdicts.add_row(
                    label, *(str(counts.get(key, 0)) for key in (FAKE, INCONCLUSIVE, REAL, NOT_JUDGED))
                )
            tables.append(verdicts)
        clips = Table("clip", "label", "verdict", "probability", "score", title="worst first")
        for row in self.rows[:20]:
            probability = "–" if row["probability"] is None else f"{row['probability']:.3f}"
            score = "–" if row["score"] is None else f"{row['score']:+.2f}"
            clips.add_row(row["clip"], row["label"], row["verdict"], probability, score)
        return [*tables, clips]


def spell(value: dict[str, float]) -> str:
    """A figure with its interval."""
    return f"{value['value']:.3f} [{value['low']:.3f}, {value['high']:.3f}]"
