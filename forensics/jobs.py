"""The trainings that a cross-fit consists of: one after the other, in several processes, or by ``torchrun``.

Each job leaves a folder behind, its scores last. Where that file stands and bears the right fingerprint the job is
done and is not done again, whoever asks; a job that was cut off goes on from its checkpoint.
"""

from __future__ import annotations

import json
import multiprocessing
import queue
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any

import torch
from threadpoolctl import threadpool_limits

from dataset.errors import DanceproofError, DetectorError
from dataset.files import write_json
from dataset.work.child import end_with_parent
from forensics.detectors.base import Detector, Progress
from forensics.detectors.registry import load_detector
from forensics.folds import judgeable, trainable
from forensics.recipe import ClipScore, Recipe, fingerprint, score_clip
from forensics.train import Run, train_network
from forensics.windows import ClipWindows
from synthesis.distributed import gather
from synthesis.stage import World

SCORES_FILE = "scores.json"
#: The job that leaves nobody out.
EVERYBODY = "everybody"


@dataclass(frozen=True)
class Job:
    """One training: on all clips that show none of some people and move like none of them.

    Attributes:
        name: of its folder.
        number: of the group; added to the seed.
        left_out: the people; the clips that show only them are scored.
    """

    name: str
    number: int
    left_out: tuple[str, ...]


Result = tuple[Detector, list[ClipScore]]


def run_jobs(
    windows: Sequence[ClipWindows],
    recipe: Recipe,
    jobs: Sequence[Job],
    out: Path | None,
    progress: Progress | None = None,
    *,
    world: World | None = None,
    workers: int = 1,
) -> list[Result]:
    """Do all jobs that are not done yet; the results in their order.

    Args:
        windows: of the whole corpus.
        recipe: how.
        jobs: what.
        out: folder of the jobs' folders; needed for more than one worker.
        progress: called with optimiser steps done and in all.
        world: the processes that do each job together.
        workers: processes of this machine that do one job each.

    Raises:
        DetectorError: a job failed.
    """
    world = world or World()
    if workers > 1 and world.size > 1:
        raise DetectorError(
            "jobs are either shared out by torchrun or done by several workers, not both",
            hint="leave out --workers",
        )
    steps = recipe.training.steps
    total = steps * len(jobs)
    marks = {job.name: fingerprint(windows, recipe, job.left_out) for job in jobs}
    if workers > 1 and out is not None:
        undone = [job for job in jobs if read_job(out / job.name, marks[job.name], windows) is None]
        _in_processes(windows, recipe, undone, out, marks, workers, progress, steps)
    results = []
    for index, job in enumerate(jobs):
        folder = None if out is None else out / job.name
        done = None if folder is None else _agreed(folder, marks[job.name], windows, world)
        if done is None:
            note = f"{job.name}, {index + 1}/{len(jobs)}"
            told = _shifted(progress, index * steps, total, note)
            done = do_job(windows, recipe, job, folder, marks[job.name], told, world)
        results.append(done)
    return results


def keep_job(
    folder: Path, job: Job, mark: str, detector: Detector, scores: Sequence[ClipScore], world: World
) -> None:
    """Write down what a job gave, its scores last; the leading process does."""
    if world.leads:
        detector.facts = {"left_out": list(job.left_out), "fingerprint": mark}
        detector.save(folder)
        told = [_told(score) for score in scores]
        write_json(folder / SCORES_FILE, {"fingerprint": mark, "scores": told})


def do_job(
    windows: Sequence[ClipWindows],
    recipe: Recipe,
    job: Job,
    folder: Path | None,
    mark: str,
    progress: Progress | None = None,
    world: World | None = None,
    run: Run | None = None,
) -> Result:
    """Train, score, and write both down.

    Args:
        windows, recipe, job: what.
        folder: for the detector and its scores; None to write nothing.
        mark: what it follows from; never the same for two jobs of a run.
        progress: called with optimiser steps done and in all.
        world: the processes that take part.
        run: where checkpoints go, if not into the folder.
    """
    world = world or World()
    run = run or Run(world, None if folder is None else folder / "training", mark)
    detector = train_network(
        [item for item in windows if trainable(item.clip, job.left_out)],
        recipe.network,
        replace(recipe.training, seed=recipe.training.seed + job.number),
        progress,
        run=run,
    )
    tested = [item for item in windows if judgeable(item.clip, job.left_out, recipe.train_only)]
    own = [_told(score_clip(detector, item, job.number)) for item in tested[world.rank :: world.size]]
    shares = gather(f"scores/{mark}", own, world)
    # Dealt out in turn, and put together in the same way.
    told = [shares[index % world.size][index // world.size] for index in range(len(tested))]
    scores = _scores(told, windows)
    if folder is not None:
        keep_job(folder, job, mark, detector, scores, world)
    return detector, scores


def read_job(folder: Path, mark: str, windows: Sequence[ClipWindows]) -> Result | None:
    """What an earlier run of the same recipe on the same corpus has finished, or None."""
    path = folder / SCORES_FILE
    if not path.is_file():
        return None
    told = json.loads(path.read_text("utf-8"))
    if told["fingerprint"] != mark:
        return None
    return load_detector(folder), _scores(told["scores"], windows)


def _agreed(folder: Path, mark: str, windows: Sequence[ClipWindows], world: World) -> Result | None:
    """`read_job`, if all processes find the job done: machines may not share the folder."""
    found = read_job(folder, mark, windows)
    everywhere = all(gather(f"done/{mark}", found is not None, world))
    return found if everywhere else None


def _in_processes(
    windows: Sequence[ClipWindows],
    recipe: Recipe,
    jobs: Sequence[Job],
    out: Path,
    marks: dict[str, str],
    workers: int,
    progress: Progress | None,
    steps: int,
) -> None:
    context = multiprocessing.get_context("spawn")
    news: Any = context.Queue()
    threads = max(torch.get_num_threads() // workers, 1)
    waiting, running = list(jobs), dict[str, SpawnProcess]()
    done = {job.name: 0 for job in jobs}
    failure = ""
    try:
        while (waiting or running) and not failure:
            while waiting and len(running) < workers:
                job = waiting.pop(0)
                process = context.Process(
                    target=_work,
                    args=(windows, recipe, job, out / job.name, marks[job.name], threads, news),
                    daemon=True,
                )
                process.start()
                running[job.name] = process
            with suppress(queue.Empty):  # nobody has anything to tell
                name, value, note = news.get(timeout=0.2)
                if value is None:
                    failure = f"{name}: {note}"
                else:
                    done[name] = value
                    if progress is not None:
                        progress(
                            sum(done.values()), steps * len(jobs), f"{len(running)} at once, {name} {note}"
                        )
            for name, process in list(running.items()):
                if not process.is_alive():
                    del running[name]
                    if process.exitcode:
                        failure = failure or f"{name}: its process ended with status {process.exitcode}"
    finally:
        for process in running.values():
            process.terminate()
    if failure:
        raise DetectorError(failure, hint="give the same command again to go on with the others")


def _work(
    windows: Sequence[ClipWindows], recipe: Recipe, job: Job, folder: Path, mark: str, threads: int, news: Any
) -> None:
    # A run that is killed must not leave its workers training against the next one.
    end_with_parent()
    torch.set_num_threads(threads)
    # NumPy's linear algebra has threads of its own; those of several workers spin for minutes against each other.
    threadpool_limits(threads)

    def progress(done: int, _: int | None, note: str) -> None:
        news.put((job.name, done, note))

    try:
        do_job(windows, recipe, job, folder, mark, progress)
    except DanceproofError as error:
        news.put((job.name, None, str(error)))


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


def _scores(told: Sequence[dict[str, Any]], windows: Sequence[ClipWindows]) -> list[ClipScore]:
    by_path = {item.clip.path: item.clip for item in windows}
    return [
        ClipScore(by_path[s["clip"]], s["fold"], s["score"], tuple(s["pair_scores"]), s["distance"])
        for s in told
    ]
