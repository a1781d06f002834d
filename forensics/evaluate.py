"""How good a detector is on people it has not seen: the figures of a cross-fit, and of one trained detector."""

from __future__ import annotations

from collections.abc import Sequence

from dataset.errors import DetectorError
from dataset.records import Corpus
from forensics.crossfit import ClipScore, Crossfit, score_clip
from forensics.detectors.base import Detector
from forensics.evaluation.compute import evaluation_of
from forensics.evaluation.result import Evaluation
from forensics.evaluation.trials import judge, judge_by
from forensics.folds import Fold, is_train_only
from forensics.windows import ClipWindows

__all__ = ["Evaluation", "evaluate_crossfit", "evaluate_detector"]


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
    held_out = evaluation_of(
        judge_by(detector.calibration, fresh),
        "one detector, people it was not trained on",
        name="held-out subject",
    )
    if not seen:
        return held_out, None
    flattering = judge_by(detector.calibration, seen)
    return held_out, evaluation_of(flattering, "SEEN IN TRAINING, no evidence", name="in distribution")
