"""Scores for every clip from detectors that have seen nobody in it: the ground for calibration and for figures.

The subjects are parted into groups; for each group a detector is trained on all clips that show none of them and move
like none of them, and scores the clips of the group.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from dataset.files import write_json
from dataset.records import Clip, Corpus
from forensics.calibrate import Calibration
from forensics.detectors.base import Detector, Progress
from forensics.detectors.patch import PatchConfig
from forensics.detectors.registry import kind_of, load_detector
from forensics.folds import check_corpus, is_train_only, judgeable, make_folds, trainable
from forensics.train import TrainConfig, train_network
from forensics.views import ViewConfig
from forensics.windows import ClipWindows, corpus_windows

#: Subjects that are nobody; trained on, never evidence.
NOBODY = ("mannequin*",)


@dataclass(frozen=True)
class Recipe:
    """Everything that a training run follows from, besides the corpus."""

    network: Any = field(default_factory=PatchConfig)  # config of a detector, which it also chooses
    training: TrainConfig = field(default_factory=TrainConfig)
    # Fewer pairs than in a scan: training sees many clips.
    views: ViewConfig = field(default_factory=lambda: ViewConfig(pairs=8))
    folds: int = 4  # groups of subjects left out in turn; at least as many as subjects: leave-one-subject-out
    train_only: tuple[str, ...] = NOBODY  # patterns of subjects that neither calibrate nor count


@dataclass(frozen=True)
class ClipScore:
    """What a detector that knows nobody in a clip says about it.

    Attributes:
        clip: which.
        fold: group of subjects that was left out, -1 for a detector trained elsewhere.
        score: mean over the pairs, a logit; None where nothing could be judged.
        pair_scores: one a frame pair, each the mean over its windows.
        distance: median distance of the windows from the training data; None where nothing could be judged.
    """

    clip: Clip
    fold: int
    score: float | None
    pair_scores: tuple[float, ...]
    distance: float | None

    @property
    def fake(self) -> bool:
        """Whether the clip is one."""
        return self.clip.label == "fake"


@dataclass(frozen=True)
class Crossfit:
    """All scores of a cross-fit, the groups, and how many clips could not be tested at all.

    Attributes:
        scores: of the clips whose people on both sides were left out together.
        folds: the groups of subjects.
        untested: clips tied to people of two groups, by path.
    """

    scores: list[ClipScore]
    folds: list[list[str]]
    untested: list[str]

    def calibrate(self, without: Sequence[str] = ()) -> Calibration:
        """Fit a calibration on the scores, leaving out clips of the people in `without`.

        Raises:
            DetectorError: too few people or only one label remain.
        """
        used = self._usable(without)
        return Calibration.fit(
            [item.score for item in used if item.score is not None],
            [item.fake for item in used],
            [item.clip.subject for item in used],
            [item.distance for item in used if item.distance is not None],
            method=f"scores of clips by detectors that had not seen their people ({len(self.folds)} groups)",
        )

    def can_calibrate(self, without: Sequence[str] = ()) -> bool:
        """Whether two people and both labels remain without the people in `without`."""
        used = self._usable(without)
        return len({item.clip.subject for item in used}) > 1 and len({item.fake for item in used}) == 2

    def _usable(self, without: Sequence[str]) -> list[ClipScore]:
        return [
            item
            for item in self.scores
            if item.score is not None and item.distance is not None and trainable(item.clip, without)
        ]


def score_clip(detector: Detector, windows: ClipWindows, fold: int = -1) -> ClipScore:
    """Judge the windows of one clip, without their margin."""
    if not len(windows):
        return ClipScore(windows.clip, fold, None, (), None)
    scores = detector.judge(windows.evidence(detector.window))
    judged = scores.pairs[np.isfinite(scores.pairs)]
    return ClipScore(windows.clip, fold, scores.score, tuple(judged.tolist()), scores.distance)


def crossfit(
    windows: Sequence[ClipWindows],
    recipe: Recipe,
    out: str | Path | None = None,
    progress: Progress | None = None,
) -> Crossfit:
    """Train one detector a group and score the group with it.

    Args:
        windows: of the whole corpus.
        recipe: how.
        out: folder that keeps each group's detector and scores (``fold-0`` …); a run that was cut off goes on after
            the last group that is whole. A kept detector carries a calibration in which nobody it left out had a part.
        progress: called with optimiser steps done and in all.
    """
    clips = [item.clip for item in windows]
    folds = make_folds(clips, recipe.folds, recipe.train_only)
    done: list[ClipScore] = []
    detectors: list[Detector] = []
    total = recipe.training.steps * len(folds)
    for number, left_out in enumerate(folds):
        folder = None if out is None else Path(out) / f"fold-{number}"
        mark = fingerprint(windows, replace(recipe, folds=len(folds)), left_out)
        kept = None if folder is None else _read_fold(folder, mark, clips)
        if kept is None:
            detector = train_network(
                [item for item in windows if trainable(item.clip, left_out)],
                recipe.network,
                replace(recipe.training, seed=recipe.training.seed + number),
                _shifted(progress, number * recipe.training.steps, total, f"group {number + 1}/{len(folds)}"),
            )
            scores = [
                score_clip(detector, item, number) for item in windows if judgeable(item.clip, left_out)
            ]
            if folder is not None:
                detector.facts = {"left_out": left_out, "fingerprint": mark}
                detector.save(folder)
                write_json(
                    folder / "scores.json", {"fingerprint": mark, "scores": [_told(s) for s in scores]}
                )
        else:
            detector, scores = kept
        detectors.append(detector)
        done += scores
    tested = {item.clip.path for item in done}
    untested = [
        clip.path
        for clip in clips
        if clip.path not in tested and not is_train_only(clip.subject, recipe.train_only)
    ]
    result = Crossfit(done, folds, untested)
    if out is not None:
        for number, (detector, left_out) in enumerate(zip(detectors, folds, strict=True)):
            if result.can_calibrate(left_out):
                detector.calibration = result.calibrate(without=left_out)
                detector.save(Path(out) / f"fold-{number}")
    return result


def fingerprint(windows: Sequence[ClipWindows], recipe: Recipe, left_out: Sequence[str]) -> str:
    """Hash of all that a group's detector follows from."""
    kind = kind_of(recipe.network).name
    told = [[asdict(item.clip) for item in windows], kind, asdict(recipe), list(left_out)]
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def prepare(
    corpus: Corpus,
    recipe: Recipe,
    cache: str | Path | None = None,
    progress: Callable[[int, int | None], None] | None = None,
) -> list[ClipWindows]:
    """Check the corpus and cut its windows, by default into ``.windows`` inside it.

    Raises:
        DetectorError: the corpus would teach the file instead of the picture; see `forensics.folds.check_corpus`.
    """
    check_corpus(corpus)
    return corpus_windows(corpus, recipe.views, cache or corpus.root / ".windows", progress)


def _shifted(progress: Progress | None, before: int, total: int, name: str) -> Progress | None:
    if progress is None:
        return None

    def shifted(done: int, _: int | None, note: str) -> None:
        progress(before + done, total, f"{name}, {note}")

    return shifted


def _told(score: ClipScore) -> dict[str, Any]:
    told = asdict(score)
    told["clip"] = score.clip.path
    return told


def _read_fold(folder: Path, mark: str, clips: Sequence[Clip]) -> tuple[Detector, list[ClipScore]] | None:
    """A group that an earlier run of the same recipe on the same corpus finished, or None."""
    path = folder / "scores.json"
    if not path.is_file():
        return None
    told = json.loads(path.read_text("utf-8"))
    if told["fingerprint"] != mark:
        return None
    by_path = {clip.path: clip for clip in clips}
    scores = [
        ClipScore(by_path[s["clip"]], s["fold"], s["score"], tuple(s["pair_scores"]), s["distance"])
        for s in told["scores"]
    ]
    return load_detector(folder), scores
