"""How good a detector is on people it has not seen: the figures of a cross-fit, and of one trained detector."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from dataset.errors import DetectorError
from dataset.records import Corpus
from forensics.crossfit import ClipScore, Crossfit, score_clip
from forensics.detectors.base import Detector
from forensics.evaluation.compute import evaluation_of
from forensics.evaluation.protocols import Training
from forensics.evaluation.result import Evaluation
from forensics.evaluation.scores import write_scores
from forensics.evaluation.trials import judge, judge_by
from forensics.folds import Fold, family, is_train_only
from forensics.windows import ClipWindows

__all__ = ["Evaluation", "evaluate_crossfit", "evaluate_detector", "score_detector"]


def evaluate_crossfit(result: Crossfit) -> Evaluation:
    """Figures of a cross-fit. Each clip is judged by a calibration in which its people had no part."""
    folds = [Fold(subjects=tuple(group)) for group in result.folds]
    judging = judge([(item, folds[item.fold]) for item in result.scores])
    left_out_at_once = {len(group) for group in result.folds}
    protocol = (
        "leave one subject out" if left_out_at_once == {1} else f"{len(result.folds)} groups of subjects"
    )
    evaluation = evaluation_of(judging, f"held-out subjects, {protocol}", name="held-out subject")
    evaluation.untested = result.untested
    if result.untested:
        evaluation.notes.append(
            f"{len(result.untested)} cross-subject clips tie two groups together and were not tested"
        )
    return evaluation


def score_detector(
    detector: Detector, windows: Sequence[ClipWindows], path: Path, *, train_only: Sequence[str] = ()
) -> int:
    """Write what one trained detector says about a corpus as a score file, with its calibration.

    Files that it was trained on are left out. Which recordings it has met it does not say: all that are of people whom
    it has met are taken for it.

    Args:
        detector: trained.
        windows: of the corpus.
        path: of the score file.
        train_only: patterns of subjects and recordings that are no evidence; left out.

    Returns:
        How many clips were left out because it was trained on them.
    """
    facts = detector.facts
    people, files = frozenset(facts.get("subjects", ())), frozenset(facts.get("clip_sha256", ()))
    clips = [item.clip for item in windows]
    training = Training(
        people,
        frozenset(clip.source for clip in clips if {clip.subject, clip.source_subject} & people),
        frozenset(family(name) for name in facts.get("generators", ())),
        files,
    )
    fresh = [
        item for item in windows if item.clip.sha256 not in files and not is_train_only(item.clip, train_only)
    ]
    scores = [score_clip(detector, item, 0) for item in fresh]
    calibration = None if detector.calibration is None else asdict(detector.calibration)
    write_scores(
        path, Fold(), training, scores, detector_sha256=detector.weights_sha256, calibration=calibration
    )
    return sum(clip.sha256 in files for clip in clips)


def evaluate_detector(
    detector: Detector, corpus: Corpus, windows: Sequence[ClipWindows], *, train_only: Sequence[str] = ()
) -> tuple[Evaluation, Evaluation | None]:
    """Figures of one trained detector on a corpus.

    Clips of people whom the detector was trained on are never mixed with the others.

    Args:
        detector: trained and calibrated.
        corpus: clips to judge.
        windows: of the corpus.
        train_only: patterns of subjects and recordings that are no evidence; left out of the figures.

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
        if is_train_only(clip, train_only):
            continue
        leaked = {clip.subject, clip.source_subject} & known or clip.sha256 in files
        (seen if leaked else fresh).append(score_clip(detector, item))
    if not fresh:
        raise DetectorError(
            "the detector was trained on everybody in this corpus: such figures would say nothing",
            path=corpus.root,
            hint="evaluate by leaving subjects out instead: fakedetect evaluate CORPUS without --model",
        )
    held_out = evaluation_of(
        judge_by(detector.calibration, fresh),
        "one detector, people it was not trained on",
        name="held-out subject",
    )
    if not seen:
        return held_out, None
    flattering = judge_by(detector.calibration, seen)
    return held_out, evaluation_of(flattering, "SEEN IN TRAINING, no evidence", name="in distribution")
