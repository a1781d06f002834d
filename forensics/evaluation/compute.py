"""From trials to figures: all in all, by degradation, by group, and by held-out subject and source."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

import numpy as np

from dataset.errors import DetectorError
from dataset.records import Clip
from forensics.calibrate import FAKE, INCONCLUSIVE, REAL
from forensics.evaluation.result import NOT_JUDGED, Evaluation, Figures
from forensics.evaluation.trials import Judging, Trial
from forensics.metrics import auc, with_intervals

CLEAN = "clean"
#: Fields of a clip that only fakes have: their groups are set against all real clips.
_OF_FAKES = ("generator", "kind")
#: Groups: a name → a field of the clip's record, or label → patterns of subjects.
Groups = Mapping[str, str | Mapping[str, Sequence[str]]]


@dataclass(frozen=True)
class Drawing:
    """How intervals are drawn."""

    draws: int = 1000  # bootstrap draws of subjects
    level: float = 0.95  # part of the draws that an interval holds
    seed: int = 0


@dataclass(frozen=True)
class Tables:
    """Which tables are made besides the figures of all trials."""

    groups: Groups = field(default_factory=lambda: {"generator": "generator", "motion": "kind"})
    drawing: Drawing = field(default_factory=Drawing)


def evaluation_of(
    judging: Judging, protocol: str, *, name: str = "", tables: Tables | None = None
) -> Evaluation:
    """All figures of one protocol.

    Args:
        judging: its trials.
        protocol: in words.
        name: of the protocol.
        tables: which groups, and how intervals are drawn.

    Raises:
        DetectorError: a group is by a field that clips do not have.
    """
    tables = tables or Tables()
    trials = judging.trials
    rows = [_row(trial) for trial in trials]
    rows.sort(key=lambda row: (-row.pop("wrong"), row["clip"], row["group"]))
    judged = [trial for trial in trials if trial.value is not None]
    return Evaluation(
        protocol,
        _figures(judged, tables.drawing),
        _verdicts(trials),
        rows,
        name=name,
        counts={
            "real": sum(not trial.item.fake for trial in judged),
            "fake": sum(trial.item.fake for trial in judged),
            "subjects": len({trial.item.clip.subject for trial in judged}),
        },
        degradations=_degradations(judged, tables.drawing),
        groups={key: _group(judged, by, tables.drawing) for key, by in tables.groups.items()},
        layout=_layout(judged),
        calibrations=judging.calibrations,
        trials={
            "video": [(trial.value, trial.item.fake) for trial in judged if trial.value is not None],
            "pair": [(value, trial.item.fake) for trial in judged for value in trial.pairs],
        },
        notes=_notes(judging),
    )


def degradation(clip: Clip) -> str:
    """What was done to a clip after it was filmed or made."""
    return clip.origin.get("degraded", CLEAN)


def _figures(trials: Sequence[Trial], drawing: Drawing) -> Figures:
    options = {"draws": drawing.draws, "level": drawing.level, "seed": drawing.seed}
    pairs = [(value, trial.item) for trial in trials for value in trial.pairs]
    videos = [(trial.value, trial.item) for trial in trials if trial.value is not None]
    return {
        level: with_intervals(
            [value for value, _ in values],
            [item.fake for _, item in values],
            [item.clip.subject for _, item in values],
            detectors=[item.fold for _, item in values],
            **options,  # type: ignore[arg-type]
        )
        for level, values in (("pair", pairs), ("video", videos))
    }


def _table(trials: Sequence[Trial], drawing: Drawing) -> dict[str, Any]:
    return {
        "videos": len(trials),
        "real": sum(not trial.item.fake for trial in trials),
        "fake": sum(trial.item.fake for trial in trials),
        **_figures(trials, drawing),
    }


def _degradations(trials: Sequence[Trial], drawing: Drawing) -> dict[str, dict[str, Any]]:
    names = {degradation(trial.item.clip) for trial in trials}
    if names <= {CLEAN}:
        return {}
    by_name = {
        name: [trial for trial in trials if degradation(trial.item.clip) == name]
        for name in sorted(names, key=lambda name: (name != CLEAN, name))
    }
    clean = _area(by_name.get(CLEAN, []))
    result = {}
    for name, some in by_name.items():
        area = _area(some)
        lost = None if clean is None or area is None or name == CLEAN else clean - area
        result[name] = {**_table(some, drawing), "loss": lost}
    return result


def _area(trials: Iterable[Trial]) -> float | None:
    values = [(trial.value, trial.item.fake) for trial in trials if trial.value is not None]
    fake = np.array([label for _, label in values], bool)
    return auc(np.array([value for value, _ in values]), fake) if fake.any() and not fake.all() else None


def _group(
    trials: Sequence[Trial], by: str | Mapping[str, Sequence[str]], drawing: Drawing
) -> dict[str, dict[str, Any]]:
    groups: dict[str, list[Trial]] = {}
    if isinstance(by, str):
        if by in _OF_FAKES:
            fakes = [trial for trial in trials if trial.item.fake]
            real = [trial for trial in trials if not trial.item.fake]
            for trial in fakes:
                groups.setdefault(_field(trial.item.clip, by), list(real)).append(trial)
        else:
            for trial in trials:
                groups.setdefault(_field(trial.item.clip, by), []).append(trial)
    else:
        for label, patterns in by.items():
            groups[label] = [
                trial
                for trial in trials
                if any(fnmatchcase(trial.item.clip.subject, pattern) for pattern in patterns)
            ]
    return {label: _table(groups[label], drawing) for label in sorted(groups)}


def _field(clip: Clip, name: str) -> str:
    """A field of a clip's record, or ``origin.NAME``."""
    if name.startswith("origin."):
        return clip.origin.get(name.removeprefix("origin."), "–")
    value = getattr(clip, name, None)
    if not isinstance(value, str):
        raise DetectorError(
            f"clips cannot be grouped by {name!r}",
            hint="group by subject, source, generator, kind or origin.NAME",
        )
    return value


def _layout(trials: Sequence[Trial]) -> dict[str, dict[str, dict[str, float]]]:
    cells: dict[tuple[str, str], list[Trial]] = {}
    for trial in trials:
        cells.setdefault((trial.item.clip.subject, trial.item.clip.source), []).append(trial)
    layout: dict[str, dict[str, dict[str, float]]] = {}
    for (subject, source), some in sorted(cells.items()):
        right = sum(((trial.value or 0.0) > 0) == trial.item.fake for trial in some)
        pairs = [(value > 0) == trial.item.fake for trial in some for value in trial.pairs]
        layout.setdefault(subject, {})[source] = {
            "right": right,
            "videos": len(some),
            "pair_accuracy": float(np.mean(pairs)),
        }
    return layout


def _verdicts(trials: Sequence[Trial]) -> dict[str, dict[str, int]]:
    verdicts: dict[str, dict[str, int]] = {}
    if any(trial.decision is not None for trial in trials):
        for trial in sorted(trials, key=lambda trial: trial.item.clip.label, reverse=True):
            counts = verdicts.setdefault(
                trial.item.clip.label, {FAKE: 0, INCONCLUSIVE: 0, REAL: 0, NOT_JUDGED: 0}
            )
            counts[_verdict(trial)] += 1
    return verdicts


def _verdict(trial: Trial) -> str:
    return NOT_JUDGED if trial.decision is None else trial.decision.verdict


def _row(trial: Trial) -> dict[str, Any]:
    item, decision = trial.item, trial.decision
    wrong = -np.inf
    if trial.value is not None:
        wrong = -trial.value if item.fake else trial.value
    return {
        "clip": item.clip.path,
        "sha256": item.clip.sha256,
        "label": item.clip.label,
        "kind": item.clip.kind,
        "subject": item.clip.subject,
        "source_subject": item.clip.source_subject,
        "source": item.clip.source,
        "generator": item.clip.generator,
        "degraded": degradation(item.clip),
        "group": item.fold,
        "verdict": _verdict(trial),
        "probability": None if decision is None else decision.probability,
        "log10_lr": None if decision is None else decision.log10_lr,
        "interval": None if decision is None or decision.interval is None else list(decision.interval),
        "reasons": [] if decision is None else [reason.text for reason in decision.reasons],
        "score": item.score,
        "distance": item.distance,
        "pairs": len(item.pair_scores),
        "pair_scores": list(item.pair_scores),
        "wrong": wrong,
    }


def _notes(judging: Judging) -> list[str]:
    notes = []
    if judging.uncalibrated:
        notes.append(
            f"no verdicts, and figures of bare scores: for {judging.uncalibrated} of {len(judging.trials)} trials "
            "too few people remain to calibrate on"
        )
    methods = {one["fake_by"] for one in judging.calibrations if one["fake_by"]}
    share = {one["false_alarms"] for one in judging.calibrations}
    for method in sorted(methods):
        notes.append(f'the threshold for "fake" at {max(share):.0%} false alarms is a {method}')
    return notes
