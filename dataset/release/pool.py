"""Spreading work over processes that end with the one who started them."""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def spread(work: Callable[[T], R], jobs: Sequence[T], workers: int | None) -> Iterator[tuple[int, R]]:
    """Do `work` on every job and give number and result as each is done.

    At most a few jobs a worker are under way, so memory does not grow with their number.

    Args:
        work: a module-level function; it and the jobs travel to other processes.
        jobs: what to do.
        workers: processes; None for one a core, 1 for none but this one.
    """
    count = min(workers or os.cpu_count() or 1, len(jobs))
    if count <= 1:
        for number, job in enumerate(jobs):
            yield number, work(job)
        return
    # A fork would copy the threads' locks of decoders and estimators in whatever state they are.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(count, context, initializer=_end_with, initargs=(os.getpid(),)) as pool:
        running: dict[Future[R], int] = {}
        waiting = iter(enumerate(jobs))
        try:
            for number, job in waiting:
                running[pool.submit(work, job)] = number
                if len(running) >= 2 * count:
                    yield from _finished(running)
            while running:
                yield from _finished(running)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _finished(running: dict[Future[R], int]) -> Iterator[tuple[int, R]]:
    done, _ = wait(running, return_when=FIRST_COMPLETED)
    for future in done:
        yield running.pop(future), future.result()


def _end_with(parent: int) -> None:
    """In a worker: end soon after the parent, even if that was killed and could not say goodbye."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
