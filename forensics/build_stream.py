"""From a release, read as a stream, to a detector ready for use: its splits say who trains and who calibrates."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from dataset.errors import DetectorError
from dataset.provenance import VERSION
from dataset.release import load
from forensics.calibrate import Calibration
from forensics.detectors.base import Detector, Progress
from forensics.detectors.network import NetworkDetector
from forensics.detectors.registry import create
from forensics.recipe import Recipe, score_clip
from forensics.stream import stream_clips
from forensics.stream_batches import StreamBatches
from forensics.train import Run
from synthesis.stage import World

#: The split whose people calibrate.
CALIBRATES = "validation"
#: Pairs of it that are looked at; more are read, but tell little more.
_CALIBRATING = 400


def build_from_release(
    release: str | Path,
    out: str | Path,
    recipe: Recipe,
    progress: Progress | None = None,
    *,
    world: World | None = None,
) -> Detector:
    """Train on the split "train" as it is read, and calibrate on the split "validation".

    Nobody is in two splits of a release, so the calibration is on people the detector had not seen. A training that was
    cut off goes on at the same place of the stream.

    Args:
        release: folder of a release, or the name of one on the hub.
        out: folder for the detector.
        recipe: how; its folds are not used.
        progress: called with optimiser steps done and in all.
        world: the processes that train together; each reads its own share of the rows.

    Raises:
        DetectorError: the detector is of a kind that needs whole clips, or too few people calibrate.
        ReleaseError: the release cannot be read.
    """
    from datasets.distributed import split_dataset_by_node

    world = world or World()
    detector = create(recipe.detector, **vars(recipe.network))
    if not isinstance(detector, NetworkDetector):
        raise DetectorError(
            f"a {recipe.detector} detector cannot be trained from a stream",
            hint="train patch or timm, or on a corpus",
        )

    def rows() -> Any:
        whole = load(release, "pairs", split="train", streaming=True)
        return split_dataset_by_node(whole, world.rank, world.size) if world.size > 1 else whole

    views = replace(recipe.views, window=detector.window)
    batches = StreamBatches(rows, views, recipe.training.seed)
    run = Run(world, Path(out) / "training", f"{release} {recipe.to_dict()}")
    detector.learn(batches, batches.known, recipe.training, progress, run)
    detector.facts = {
        "tool": f"danceproof {VERSION}",
        "recipe": recipe.to_dict(),
        "release": str(release),
    }
    if world.leads:
        detector.save(out)  # trained, whatever comes of the calibration
    clips = stream_clips(load(release, "pairs", split=CALIBRATES, streaming=True), views, limit=_CALIBRATING)
    scores = [score_clip(detector, clip) for clip in clips]
    used = [score for score in scores if score.score is not None]
    detector.calibration = Calibration.fit(
        [score.score for score in used if score.score is not None],
        [score.fake for score in used],
        [score.clip.subject for score in used],
        [score.distance for score in used if score.distance is not None],
        method=f"scores of the clips of the release's split {CALIBRATES}, whose people were not trained on",
        hashes=[score.clip.sha256 for score in used],
        least_pairs=min((len(score.pair_scores) for score in used), default=0),
    )
    detector.facts["calibration_clips"] = len(used)
    if world.leads:
        detector.save(out)
    return detector
