"""The trainings that a protocol asks for: detectors from which something is kept, and what they say about it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dataset.errors import DetectorError
from forensics.detectors.base import Progress
from forensics.detectors.fused import FusedConfig
from forensics.evaluation.protocols import IN_DISTRIBUTION, PROTOCOLS, SHORT, Protocol, protocol_folds
from forensics.evaluation.scores import write_scores
from forensics.fuse import train_fused
from forensics.jobs import Job, run_jobs
from forensics.recipe import Recipe
from forensics.windows import ClipWindows


def train_protocols(
    names: Sequence[str],
    windows: Sequence[ClipWindows],
    recipe: Recipe,
    out: Path,
    progress: Progress | None = None,
    *,
    workers: int = 1,
) -> list[Path]:
    """Train what is needed to measure some protocols; a run that was cut off goes on where it was.

    Args:
        names: of the protocols.
        windows: of the whole corpus.
        recipe: how to train, and into how many groups what is left out is parted.
        out: keeps the detectors in ``detectors`` and their scores in ``scores``.
        progress: called with optimiser steps done and in all, of one protocol at a time.
        workers: processes that train one detector each.

    Returns:
        The score files.

    Raises:
        DetectorError: only in-distribution figures are asked for, or the corpus has too little for a protocol.
    """
    protocols = [PROTOCOLS[name] for name in names]
    if all(protocol is IN_DISTRIBUTION for protocol in protocols):
        raise DetectorError(
            "figures of what the detector was trained on are not given alone",
            hint="add another protocol: --protocol subject",
        )
    clips = [item.clip for item in windows]
    # All are worked out before the first training begins.
    folds = {
        protocol.name: protocol_folds(protocol, clips, recipe.folds, recipe.train_only)
        for protocol in protocols
    }
    train = train_fused if isinstance(recipe.network, FusedConfig) else run_jobs
    files = []
    for protocol in protocols:
        slug = _slug(protocol)
        jobs = [
            Job(f"fold-{number}", number, fold.names()) for number, fold in enumerate(folds[protocol.name])
        ]
        told = None if progress is None else _named(progress, protocol.name)
        results = train(windows, recipe, jobs, out / "detectors" / slug, told, workers=workers)
        for fold, job, (detector, scores) in zip(folds[protocol.name], jobs, results, strict=True):
            path = out / "scores" / f"{slug}-{job.number}.json"
            trained = [clip for clip in clips if fold.trains(clip)]
            write_scores(path, fold, trained, scores, detector_sha256=detector.weights_sha256)
            files.append(path)
    return files


def _slug(protocol: Protocol) -> str:
    return next(short for short, name in SHORT.items() if name == protocol.name)


def _named(progress: Progress, name: str) -> Progress:
    return lambda done, total, note: progress(done, total, f"{name}, {note}")
