"""A function over many jobs, for callers that keep the results themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from dataset.errors import WorkError
from dataset.work.run import RETRIES, work_through

T = TypeVar("T")
R = TypeVar("R")


def spread(
    work: Callable[[T], R],
    jobs: Sequence[T],
    workers: int | None = None,
    *,
    ray: str | None = None,
    retries: int = RETRIES,
) -> Iterator[tuple[int, R]]:
    """Do `work` on every job and give number and result as each is done.

    At most one job a worker is under way, so memory does not grow with their number. A job whose worker is killed is
    done again by another.

    Args:
        work: a module-level function; it and the jobs travel to other processes.
        jobs: what to do, begun in this order.
        workers: processes; None for one a core, 1 for none but this one.
        ray: "auto" or the address of a Ray cluster.
        retries: how often a job is done again that was lost with its worker.

    Raises:
        WorkError: a job was lost with every worker that tried it.
        Exception: the first that a job raises; what is under way is given up.
    """
    alone = ray is None and (workers == 1 or len(jobs) <= 1)
    outcomes = work_through(jobs, _Calls(work), workers=0 if alone else workers, ray=ray, retries=retries)
    with closing(outcomes):
        for number, outcome in outcomes:
            if outcome.kind == "raised":
                raise outcome.value
            if outcome.kind != "done":
                raise WorkError(
                    f"one of {len(jobs)} jobs could not be done: {outcome.value}",
                    hint="run it again with fewer --workers: what is done is kept",
                )
            yield number, outcome.value


@dataclass(frozen=True)
class _Calls:
    work: Callable[[Any], Any]

    @contextmanager
    def open(self) -> Iterator[Callable[[Any], Any]]:
        yield self.work
