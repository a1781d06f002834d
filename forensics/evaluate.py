"""How good a detector is on people it has not seen: figures, their intervals, and the clips where it went wrong."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from dataset.errors import DetectorError
from dataset.records import Corpus
from forensics.calibrate import FAKE, INCONCLUSIVE, REAL, Calibration
from forensics.crossfit import ClipScore, Crossfit, score_clip
from forensics.detector import Detector
from forensics.folds import is_train_only
from forensics.metrics import with_intervals
from forensics.windows import ClipWindows

if TYPE_CHECKING:
    from rich.table import Table

SCHEMA = 1


@dataclass
class Evaluation:
    """Figures per frame pair and per video, with one row a clip behind them.

    Attributes:
        protocol: who was left out, in words.
        figures: "pair" and "video" → figure → value, low, high; accuracy at even odds.
        verdicts: label → verdict → number of videos; empty where no calibration could be made.
        rows: one a clip, the worst first.
        untested: clips that no detector without their people could judge.
        notes: what a reader must know.
    """

    protocol: str
    figures: dict[str, dict[str, dict[str, float]]]
    verdicts: dict[str, dict[str, int]]
    rows: list[dict[str, Any]]
    untested: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "schema": SCHEMA,
            "protocol": self.protocol,
            "figures": self.figures,
            "verdicts": self.verdicts,
            "clips": self.rows,
            "untested": self.untested,
            "notes": self.notes,
        }

    def tables(self) -> list[Table]:
        """For the terminal: the figures, the verdicts and the clips."""
        from rich.table import Table

        figures = Table("", "accuracy", "AUC", "EER", title=self.protocol)
        for level, values in self.figures.items():
            cells = [_interval(values[name]) for name in ("accuracy", "auc", "eer")] if values else ["–"] * 3
            figures.add_row(f"per {level}", *cells)
        verdicts = Table("videos", FAKE, INCONCLUSIVE, REAL, "not judged")
        for label, counts in self.verdicts.items():
            verdicts.add_row(
                label, *(str(counts.get(name, 0)) for name in (FAKE, INCONCLUSIVE, REAL, "not judged"))
            )
        clips = Table("clip", "label", "verdict", "probability", "score", title="worst first")
        for row in self.rows[:20]:
            probability = "–" if row["probability"] is None else f"{row['probability']:.3f}"
            score = "–" if row["score"] is None else f"{row['score']:+.2f}"
            clips.add_row(row["clip"], row["label"], row["verdict"], probability, score)
        return [figures, verdicts, clips] if self.verdicts else [figures, clips]


def evaluate_crossfit(result: Crossfit) -> Evaluation:
    """Figures of a cross-fit. Each clip is judged by a calibration in which its people had no part."""
    calibrations = [
        result.calibrate(without=left_out) if result.can_calibrate(left_out) else None
        for left_out in result.folds
    ]
    notes = []
    if None in calibrations:
        notes.append(
            "some or all verdicts are missing: without a group too few people remain to calibrate on"
        )
    if result.untested:
        notes.append(
            f"{len(result.untested)} cross-subject clips tie two groups together and were not tested"
        )
    left_out_at_once = {len(group) for group in result.folds}
    protocol = (
        "leave one subject out" if left_out_at_once == {1} else f"{len(result.folds)} groups of subjects"
    )
    evaluation = _evaluate(result.scores, calibrations, f"held-out subjects, {protocol}")
    evaluation.untested = result.untested
    evaluation.notes += notes
    return evaluation


def evaluate_detector(
    detector: Detector, corpus: Corpus, windows: Sequence[ClipWindows], *, train_only: Sequence[str] = ()
) -> tuple[Evaluation, Evaluation | None]:
    """Figures of one trained detector on a corpus.

    Clips of people whom the detector was trained on are never mixed with the others.

    Args:
        detector: trained and calibrated.
        corpus: clips to judge.
        windows: of the corpus.
        train_only: patterns of subjects that are no evidence; left out of the figures.

    Returns:
        The evaluation on unseen people, and the one on people seen in training or None if there are none.

    Raises:
        DetectorError: nobody in the corpus is new to the detector.
    """
    known = set(detector.facts.get("subjects", []))
    files = set(detector.facts.get("clip_sha256", []))
    fresh: list[ClipScore] = []
    seen: list[ClipScore] = []
    for item in windows:
        clip = item.clip
        if is_train_only(clip.subject, train_only):
            continue
        leaked = {clip.subject, clip.source_subject} & known or clip.sha256 in files
        (seen if leaked else fresh).append(score_clip(detector, item))
    if not fresh:
        raise DetectorError(
            "the detector was trained on everybody in this corpus: such figures would say nothing",
            path=corpus.root,
            hint="evaluate by leaving subjects out instead: fakedetect evaluate CORPUS without --model",
        )
    held_out = _evaluate(fresh, [detector.calibration], "one detector, people it was not trained on")
    if not seen:
        return held_out, None
    return held_out, _evaluate(seen, [detector.calibration], "SEEN IN TRAINING, no evidence")


def _evaluate(
    scores: Sequence[ClipScore], calibrations: Sequence[Calibration | None], protocol: str
) -> Evaluation:
    judged = [item for item in scores if item.score is not None]
    level = _leveller(calibrations)
    pairs = [(level(value, item), item) for item in judged for value in item.pair_scores]
    figures = {
        "pair": with_intervals(
            [value for value, _ in pairs],
            [item.fake for _, item in pairs],
            [item.clip.subject for _, item in pairs],
        ),
        "video": with_intervals(
            [level(item.score, item) for item in judged if item.score is not None],
            [item.fake for item in judged],
            [item.clip.subject for item in judged],
        ),
    }
    rows = [_row(item, calibrations[item.fold if item.fold >= 0 else 0]) for item in scores]
    rows.sort(key=lambda row: (-row.pop("wrong"), row["clip"]))
    verdicts: dict[str, dict[str, int]] = {}
    if any(calibration is not None for calibration in calibrations):
        for row in rows:
            counts = verdicts.setdefault(row["label"], {FAKE: 0, INCONCLUSIVE: 0, REAL: 0, "not judged": 0})
            counts[row["verdict"]] += 1
    return Evaluation(protocol, figures, verdicts, rows)


def _leveller(calibrations: Sequence[Calibration | None]) -> Callable[[float, ClipScore], float]:
    """Makes the scores of several detectors comparable, zero being even odds, by their calibrations if all have one."""
    usable = [calibration for calibration in calibrations if calibration is not None]
    if len(usable) < len(calibrations):
        return lambda score, item: score

    def level(score: float, item: ClipScore) -> float:
        calibration = usable[max(item.fold, 0)]
        return calibration.slope * score + calibration.intercept

    return level


def _row(item: ClipScore, calibration: Calibration | None) -> dict[str, Any]:
    verdict, probability = "not judged", None
    if item.score is not None and calibration is not None:
        probability = calibration.probability(item.score)
        verdict = calibration.verdict(item.score)
        if item.distance is not None and item.distance >= calibration.unfamiliar_from:
            verdict, probability = INCONCLUSIVE, None
    wrong = -np.inf
    if item.score is not None:
        wrong = -item.score if item.fake else item.score
    return {
        "clip": item.clip.path,
        "label": item.clip.label,
        "kind": item.clip.kind,
        "subject": item.clip.subject,
        "source_subject": item.clip.source_subject,
        "generator": item.clip.generator,
        "group": item.fold,
        "verdict": verdict,
        "probability": probability,
        "score": item.score,
        "distance": item.distance,
        "pairs": len(item.pair_scores),
        "wrong": wrong,
    }


def _interval(value: dict[str, float]) -> str:
    return f"{value['value']:.3f} [{value['low']:.3f}, {value['high']:.3f}]"
