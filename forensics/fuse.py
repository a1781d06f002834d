"""Cross-fitting a fused detector: every member is trained once a group, and the other groups' scores weigh them.

A group's fused detector has members that were trained without the group, and weights from the scores of the other
groups. So nobody in the group has a part in it but through the members that scored those others: one number for each
member follows from them, as with the calibration of a group.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from forensics.detectors.base import Progress
from forensics.detectors.fused import FusedConfig, FusedDetector
from forensics.folds import judgeable, trainable
from forensics.jobs import Job, Result, keep_job, run_jobs
from forensics.recipe import ClipScore, Recipe, fingerprint, score_clip
from forensics.windows import ClipWindows
from synthesis.stage import World


def train_fused(
    windows: Sequence[ClipWindows],
    recipe: Recipe,
    jobs: Sequence[Job],
    out: Path | None,
    progress: Progress | None = None,
    *,
    world: World | None = None,
    workers: int = 1,
) -> list[Result]:
    """Like `forensics.jobs.run_jobs`, for a recipe of a fused detector; members are kept in ``members``.

    Raises:
        DetectorError: a training failed, or too few people remain to weigh the members on.
    """
    world = world or World()
    config = recipe.network
    assert isinstance(config, FusedConfig)
    of_member: dict[str, list[Result]] = {}
    for number, name in enumerate(config.members):
        told = _shifted(progress, number, len(config.members), name)
        own = replace(recipe, network=config.member(name), training=config.training(name, recipe.training))
        folder = None if out is None else out / "members" / name
        of_member[name] = run_jobs(windows, own, jobs, folder, told, world=world, workers=workers)
    results: list[Result] = []
    for index, job in enumerate(jobs):
        detector = FusedDetector(config)
        scores: dict[str, list[ClipScore]] = {}
        for name, found in of_member.items():
            detector.members[name] = found[index][0]
            # Of everybody else, each scored by a member that had not seen them.
            scores[name] = [s for _, of_job in found for s in of_job if trainable(s.clip, job.left_out)]
        detector.weigh(scores)
        tested = [item for item in windows if judgeable(item.clip, job.left_out, recipe.train_only)]
        own_scores = [score_clip(detector, item, job.number) for item in tested]
        if out is not None:
            mark = fingerprint(windows, recipe, job.left_out)
            keep_job(out / job.name, job, mark, detector, own_scores, world)
        results.append((detector, own_scores))
    return results


def _shifted(progress: Progress | None, number: int, members: int, name: str) -> Progress | None:
    """The members' trainings one after the other, each counted as one share of a thousand a member."""
    if progress is None:
        return None

    def shifted(done: int, total: int | None, note: str) -> None:
        progress(number * 1000 + 1000 * done // max(total or 1, 1), members * 1000, f"{name}: {note}")

    return shifted
