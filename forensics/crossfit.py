"""Scores for every clip from detectors that have seen nobody in it: the ground for calibration and for figures.

The subjects are parted into groups; for each group a detector is trained on all clips that show none of them and move
like none of them, and scores the clips of the group.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from dataset.records import Corpus
from forensics.calibrate import Calibration
from forensics.detectors.base import Detector, Progress
from forensics.detectors.fused import FusedConfig
from forensics.folds import check_corpus, is_train_only, make_folds, trainable
from forensics.fuse import train_fused
from forensics.jobs import EVERYBODY, Job, run_jobs
from forensics.recipe import NOBODY, ClipScore, Recipe, fingerprint, score_clip
from forensics.windows import ClipWindows, corpus_windows
from synthesis.distributed import in_turns
from synthesis.stage import World

__all__ = ["NOBODY", "ClipScore", "Crossfit", "Recipe", "crossfit", "fingerprint", "prepare", "score_clip"]


@dataclass(frozen=True)
class Crossfit:
    """All scores of a cross-fit, the groups, and how many clips could not be tested at all.

    Attributes:
        scores: of the clips whose people on both sides were left out together.
        folds: the groups of subjects.
        untested: clips tied to people of two groups, by path.
        everybody: a detector trained on all clips, where it was asked for; not calibrated.
    """

    scores: list[ClipScore]
    folds: list[list[str]]
    untested: list[str]
    everybody: Detector | None = None

    def calibrate(self, without: Sequence[str] = (), bits: Mapping[str, float] | None = None) -> Calibration:
        """Fit a calibration on the scores, leaving out clips of the people in `without`.

        Args:
            without: people who have no part in it.
            bits: bits a pixel of each clip by its path; what is compressed much harder will not be judged.

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
            hashes=[item.clip.sha256 for item in used],
            least_pairs=min(len(item.pair_scores) for item in used) if used else 0,
            least_bits=min((bits[item.clip.path] for item in used if item.clip.path in bits), default=0.0)
            if bits
            else 0.0,
        )

    def can_calibrate(self, without: Sequence[str] = ()) -> bool:
        """Whether two people and both labels remain without the people in `without`."""
        used = self._usable(without)
        return len({item.clip.subject for item in used}) > 1 and len({item.fake for item in used}) == 2

    def _usable(self, without: Sequence[str]) -> list[ClipScore]:
        return [item for item in self.scores if item.score is not None and trainable(item.clip, without)]


def crossfit(
    windows: Sequence[ClipWindows],
    recipe: Recipe,
    out: str | Path | None = None,
    progress: Progress | None = None,
    *,
    world: World | None = None,
    workers: int = 1,
    everybody: bool = False,
) -> Crossfit:
    """Train one detector a group and score the group with it.

    Args:
        windows: of the whole corpus.
        recipe: how.
        out: folder that keeps each group's detector and scores (``fold-0`` …); a run that was cut off goes on where
            it was. A kept detector carries a calibration in which nobody it left out had a part.
        progress: called with optimiser steps done and in all.
        world: the processes that train each detector together.
        workers: processes of this machine that train one detector each.
        everybody: train one more, on all clips.

    Raises:
        DetectorError: too few people, or a training failed.
    """
    world = world or World()
    if out is None and workers > 1:
        with TemporaryDirectory() as folder:
            return crossfit(windows, recipe, folder, progress, workers=workers, everybody=everybody)
    clips = [item.clip for item in windows]
    folds = make_folds(clips, recipe.folds, recipe.train_only)
    recipe = replace(recipe, folds=len(folds))
    jobs = [Job(f"fold-{number}", number, tuple(left_out)) for number, left_out in enumerate(folds)]
    if everybody:
        jobs.append(Job(EVERYBODY, 0, ()))
    root = None if out is None else Path(out)
    train = train_fused if isinstance(recipe.network, FusedConfig) else run_jobs
    results = train(windows, recipe, jobs, root, progress, world=world, workers=workers)
    scores = [score for _, of_job in results for score in of_job]
    tested = {item.clip.path for item in scores}
    untested = [
        clip.path for clip in clips if clip.path not in tested and not is_train_only(clip, recipe.train_only)
    ]
    detectors = [detector for detector, _ in results]
    result = Crossfit(scores, folds, untested, detectors.pop() if everybody else None)
    if root is not None and world.leads:
        for number, (detector, left_out) in enumerate(zip(detectors, folds, strict=True)):
            if result.can_calibrate(left_out):
                detector.calibration = result.calibrate(without=left_out)
                detector.save(root / f"fold-{number}")
    return result


def prepare(
    corpus: Corpus,
    recipe: Recipe,
    cache: str | Path | None = None,
    progress: Callable[[int, int | None], None] | None = None,
    world: World | None = None,
) -> list[ClipWindows]:
    """Check the corpus and cut its windows, by default into ``.windows`` inside it.

    Of several processes one on each machine cuts them, the others read.

    Raises:
        DetectorError: the corpus would teach the file instead of the picture; see `forensics.folds.check_corpus`.
    """
    check_corpus(corpus)

    def cut() -> list[ClipWindows]:
        return corpus_windows(corpus, recipe.views, cache or corpus.root / ".windows", progress)

    windows: list[ClipWindows] = in_turns(cut, world or World())
    return windows
