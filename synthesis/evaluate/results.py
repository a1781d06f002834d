"""What an evaluation found: one figure for each subject, column and row of the table, and the means over subjects."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from synthesis.evaluate.intervals import BLOCK_SECONDS, Figure, nothing, over_frames, over_subjects
from synthesis.evaluate.limits import Limits, limits
from synthesis.evaluate.scores import NATIVE, REAL, WINDOW, ClipScores, Values

_NO_FACE = "too little of the face is seen, or its crop is too small"
_NO_BODY = "nobody is seen, or the crop is too small"
_NOT_AGAIN = "nobody is found again, or no point is seen in both"


@dataclass(frozen=True)
class Row:
    """One row of the table.

    Attributes:
        key: name in JSON.
        region: first cell.
        better: +1 where more is better, -1 where less is, 0 where neither.
        top, bottom: the per-frame measures behind it; with `bottom` the figure is the ratio of the means.
        missing: why frames may have no value.
        digits: decimals to print.
        floor: whether the real video's own figure is meaningful.
    """

    key: str
    region: str
    metric: str
    better: int
    top: str
    bottom: str = ""
    missing: str = ""
    digits: int = 3
    percent: bool = False
    floor: bool = False

    def label(self, distance: str) -> str:
        """Second cell, with the arrow that tells which way is better."""
        arrow = {1: " ↑", -1: " ↓", 0: ""}[self.better]
        return self.metric.replace("{distance}", distance) + arrow

    def spell(self, value: float) -> str:
        """A figure as it is printed."""
        if np.isnan(value):
            return "–"
        return f"{100 * value:.1f} %" if self.percent else f"{value:.{self.digits}f}"


def _region_rows(size: str) -> list[Row]:
    return [
        Row(f"{region}/{metric}/{size}", region, label, better, f"{region}/{metric}/{size}", missing=missing)
        for region, missing in (("face", _NO_FACE), ("body", _NO_BODY))
        for metric, label, better in (("ssim", "SSIM", 1), ("perceptual", "{distance}", -1))
    ]


#: The paper's rows, at the video's own size.
NATIVE_ROWS = _region_rows(NATIVE)
#: The same rows at window size.
WINDOW_ROWS = _region_rows(WINDOW)
FURTHER_ROWS = [
    Row("pose/distance", "pose", "distance, pixels", -1, "pose/distance", missing=_NOT_AGAIN, digits=2, floor=True),
    Row("pose/share", "pose", "distance, share of body height", -1, "pose/share", missing=_NOT_AGAIN,
        percent=True, floor=True),
    Row("pose/missed_points", "pose", "missed points", -1, "pose/missed_points", missing="nobody in the input",
        percent=True, floor=True),
    Row("pose/missed_frame", "pose", "missed frames", -1, "pose/missed_frame", missing="nobody in the input",
        percent=True, floor=True),
    Row("flicker", "body", "flicker, warp error ÷ the real video's", -1, "flicker/made", "flicker/real",
        missing="the first frame has none before it, and flow needs a body in both"),
]  # fmt: skip
#: In the JSON only.
HIDDEN_ROWS = [
    Row(
        "pose/hands",
        "pose",
        "distance of the hands, pixels",
        -1,
        "pose/hands",
        missing=_NOT_AGAIN,
        floor=True,
    ),
    Row("pose/face", "pose", "distance of the face, pixels", -1, "pose/face", missing=_NOT_AGAIN, floor=True),
]
ALL_ROWS = [*NATIVE_ROWS, *WINDOW_ROWS, *FURTHER_ROWS, *HIDDEN_ROWS]


@dataclass
class SubjectResult:
    """One subject's figures: column → row key → figure, and what limits them."""

    name: str
    clips: list[ClipScores]
    figures: dict[str, dict[str, Figure]] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)
    limits: Limits | None = None


@dataclass
class Evaluation:
    """The whole of it.

    Attributes:
        columns: names in the order of the table, without the real video.
        subjects: in the order given.
        means: column → row key → mean over subjects.
        distance: full label of the perceptual distance.
        notes: what stands above every output.
        facts: definitions and settings, for the JSON and the foot of the page.
    """

    columns: list[str]
    subjects: list[SubjectResult]
    distance: str
    notes: list[str]
    facts: dict[str, Any]
    means: dict[str, dict[str, Figure]] = field(default_factory=dict)

    @property
    def shown(self) -> list[str]:
        """Columns with the real video's own figures at the end, where they were measured."""
        floor = any(subject.figures.get(REAL) for subject in self.subjects)
        return [*self.columns, *([REAL] if floor else [])]

    def rows(self, rows: Iterable[Row]) -> list[Row]:
        """Those of the rows that have a figure anywhere."""
        return [
            row
            for row in rows
            if any(figures[row.key].count for figures in self.means.values() if row.key in figures)
        ]

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""

        def plain(figures: dict[str, dict[str, Figure]]) -> dict[str, Any]:
            return {
                column: {key: figure.to_dict() for key, figure in of_column.items()}
                for column, of_column in figures.items()
            }

        return {
            "notes": self.notes,
            **self.facts,
            "perceptual": self.distance,
            "columns": self.columns,
            "mean": plain(self.means),
            "subjects": [
                {
                    "name": subject.name,
                    "recordings": [
                        {
                            "name": scores.clip.path.name,
                            "sha256": scores.clip.sha256,
                            "frames": len(scores.clip.poses),
                            "first_evaluated": scores.clip.start,
                            "trained_on": scores.clip.trained_on,
                        }
                        for scores in subject.clips
                    ],
                    "columns": plain(subject.figures),
                    **({"limits": subject.limits.to_dict()} if subject.limits else {}),
                    **({"absent": subject.absent} if subject.absent else {}),
                }
                for subject in self.subjects
            ],
        }


def summarise(subject: SubjectResult, columns: list[str], *, with_poses: bool) -> None:
    """Fill in the subject's figures from its clips' scores."""
    block = max(round(BLOCK_SECONDS * float(np.median([scores.clip.fps for scores in subject.clips]))), 1)
    for column in (*columns, REAL):
        rows = [row for row in ALL_ROWS if row.floor] if column == REAL else ALL_ROWS
        figures: dict[str, Figure] = {}
        for row in rows:
            if column in subject.absent:
                figures[row.key] = nothing(subject.absent[column])
            elif row.top.startswith("pose/") and not with_poses:
                figures[row.key] = nothing("poses were not looked for again (--no-poses)")
            else:
                top, bottom = (_joined(subject.clips, column, name) for name in (row.top, row.bottom))
                assert top is not None
                figures[row.key] = over_frames(top, block, bottom=bottom, missing=row.missing)
        if column != REAL or with_poses:
            subject.figures[column] = figures
    subject.limits = limits(subject.clips)


def averaged(subjects: list[SubjectResult], columns: list[str]) -> dict[str, dict[str, Figure]]:
    """Means over subjects by column and row."""
    means: dict[str, dict[str, Figure]] = {}
    for column in (*columns, REAL):
        having = [subject.figures[column] for subject in subjects if column in subject.figures]
        if having:
            means[column] = {key: over_subjects([figures[key] for figures in having]) for key in having[0]}
    return means


def _joined(clips: list[ClipScores], column: str, measure: str) -> Values | None:
    if not measure:
        return None
    return np.concatenate([scores.values[column][measure] for scores in clips])
