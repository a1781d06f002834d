"""Do this for every item, once."""

from __future__ import annotations

import heapq
import json
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from dataset.errors import DanceproofError, WorkError
from dataset.work.engines import Engine, Here, Pool
from dataset.work.items import Item
from dataset.work.results import DONE, FAILED, Results, check_identity, encoded, results_at
from dataset.work.worker import Limits, Outcome

#: How often an item is tried again that was lost with its worker.
RETRIES = 2

Progress = Callable[[int, int, int], None]


class Task(Protocol):
    """What to do with an item: an object that can be pickled and is opened once in each worker.

    Example:
        >>> @dataclass(frozen=True)
        ... class Length:
        ...     @contextmanager
        ...     def open(self):
        ...         yield lambda item: {"bytes": Path(item.uri).stat().st_size}
    """

    def open(self) -> AbstractContextManager[Callable[[Any], Any]]:
        """Load what all items need; the callable takes an item and returns its result, or raises."""


@dataclass(frozen=True)
class Failure:
    """An item that could not be done.

    Attributes:
        key, uri: of the item.
        error: why, in one line.
    """

    key: str
    uri: str
    error: str


@dataclass(frozen=True)
class Summary:
    """What came of a run.

    Attributes:
        done: items done now.
        skipped: items that were done before.
        failed: items that could not be done, now or before, in the order of their keys.
        seconds: by the clock.
    """

    done: int
    skipped: int
    failed: tuple[Failure, ...]
    seconds: float

    @property
    def total(self) -> int:
        """All items."""
        return self.done + self.skipped + len(self.failed)


def run_items(
    items: Iterable[Item],
    task: Task,
    out: str | Path,
    *,
    workers: int | None = None,
    ray: str | None = None,
    time_limit: float | None = None,
    memory_limit: int | None = None,
    gpus: float = 0.0,
    retry: bool = False,
    retries: int = RETRIES,
    identity: dict[str, Any] | None = None,
    progress: Progress | None = None,
) -> Summary:
    """Do the task for every item, once, and keep each result in a file of its own.

    The result of an item is ``OUT/<key>.json`` with ``{"uri": …, "result": …}``, and that of one that could not be
    done ``OUT/<key>.failed.json`` with ``{"uri": …, "error": …}``. Items that have a file are passed over, so a run
    that was cut off goes on where it was. What weighs most is begun first. An item whose worker dies is tried again
    on a new worker, after all others; the bytes of a result do not depend on where it was made.

    Args:
        items: what to do; of items with the same key the first counts.
        task: what to do with each; its results have to be JSON.
        out: folder of the results, made if it is missing; or an fsspec URL.
        workers: processes, as many as there are cores if None; 0 for none but this one, which can keep no limit.
        ray: "auto" or the address of a Ray cluster, to work there; `workers` then counts over all nodes.
        time_limit: seconds that an item may take; its worker is ended then and the item has failed.
        memory_limit: resident bytes of a worker; it is ended then and the item tried again on a new one.
        gpus: GPUs that Ray gives to a worker; on one machine all workers see those there are.
        retry: also try those again that have failed before.
        retries: how often an item is tried again that was lost with its worker.
        identity: what the results depend on besides the items, such as the settings and the hash of a model; a folder
            that holds results of another is refused.
        progress: called with the items done (now or before), failed, and in all.

    Returns:
        The counts, and what failed.

    Raises:
        WorkError: the run cannot begin or go on; what is done is kept.
        DanceproofError: as the task raises it when it is opened.
    """
    begin = time.monotonic()
    limits = Limits(time_limit, memory_limit, gpus)
    results = results_at(out)
    with results.alone():
        check_identity(results, identity, out)
        distinct = {item.key: item for item in items}
        done, failed = _known(results, distinct.keys())
        if retry:
            failed = set()
        failures = {key: _read_failure(results, distinct[key]) for key in failed}
        waiting = [item for key, item in distinct.items() if key not in done and key not in failed]
        waiting.sort(key=lambda item: (-item.weight, item.key))
        skipped, new = len(done), 0
        report = progress or (lambda done, failed, total: None)
        report(skipped, len(failures), len(distinct))
        outcomes = work_through(
            waiting, _Written(task), workers=workers, ray=ray, limits=limits, retries=retries
        )
        with _Writers(results) as writers, closing(outcomes):
            for number, outcome in outcomes:
                item = waiting[number]
                text, error = outcome.value if outcome.kind == "done" else (None, one_line(outcome.value))
                if text is not None:
                    writers.write(item.key + DONE, text, instead_of=item.key + FAILED if retry else None)
                    new += 1
                else:
                    writers.write(item.key + FAILED, encoded(item.uri, error=error))
                    failures[item.key] = Failure(item.key, item.uri, error)
                report(skipped + new, len(failures), len(distinct))
    ordered = tuple(failures[key] for key in sorted(failures))
    return Summary(new, skipped, ordered, time.monotonic() - begin)


def work_through(
    payloads: Sequence[Any],
    task: Task,
    *,
    workers: int | None = None,
    ray: str | None = None,
    limits: Limits | None = None,
    retries: int = RETRIES,
) -> Generator[tuple[int, Outcome], None, None]:
    """Do the task for everything in a sequence, begun in its order; number and outcome of each as it is done.

    No more is under way than there are workers, and nothing is begun while the caller holds an outcome back for long:
    so neither memory nor what is lost when all ends grows with the sequence.

    Yields:
        Each number once; the outcome is "done", "raised", "late" or, after all tries, "lost".

    Raises:
        WorkError, DanceproofError: as `run_items`.
    """
    if not payloads:
        return
    limits = limits or Limits()
    with closing(_engine(task, workers, ray, limits)) as engine:
        tries = [0] * len(payloads)
        waiting = [(0, number) for number in range(len(payloads))]
        while waiting or engine.busy():
            engine.prepare(len(waiting))
            while waiting and engine.free():
                _, number = heapq.heappop(waiting)
                engine.give(number, payloads[number])
            for number, outcome in engine.wait():
                if outcome.kind == "lost":
                    tries[number] += 1
                    if tries[number] <= retries:
                        # Behind all others: what was short may be there by then, and it holds nobody up.
                        heapq.heappush(waiting, (tries[number], number))
                        continue
                    outcome = Outcome("lost", f"{outcome.value}; tried {tries[number]} times")
                yield number, outcome


def _engine(task: Task, workers: int | None, ray: str | None, limits: Limits) -> Engine:
    if workers is not None and workers < 0:
        raise WorkError(f"{workers} workers cannot do anything")
    if ray is not None:
        from dataset.work.cluster import Cluster

        return Cluster(task, ray, workers or None, limits)
    if workers == 0:
        if limits.time is not None or limits.memory is not None:
            raise WorkError("a limit needs a worker that can be ended", hint="take one worker or more")
        return Here(task)
    return Pool(task, workers, limits)


def one_line(error: Any) -> str:
    """An exception, or a reason, for people: one line without the place in the code."""
    if isinstance(error, DanceproofError | str):
        return " ".join(str(error).split())
    if isinstance(error, MemoryError):
        return "not enough memory"
    if isinstance(error, OSError) and error.strerror:
        where = "" if error.filename is None else f"{error.filename}: "
        return " ".join(f"{where}{error.strerror}".split())
    return " ".join(f"{type(error).__name__}: {error} – this is a bug, please report it".split())


@dataclass(frozen=True)
class _Written:
    """A task whose results are the text of their files, so that a result that is no JSON is its item's fault."""

    task: Task

    @contextmanager
    def open(self) -> Iterator[Callable[[Item], tuple[str | None, str]]]:
        with self.task.open() as work:

            def write(item: Item) -> tuple[str | None, str]:
                try:
                    return encoded(item.uri, result=work(item)), ""
                except Exception as error:
                    return None, one_line(error)

            yield write


class _Writers:
    """Write results while others are waited for: a disk that is asked to keep a file takes milliseconds for one, and
    hardly more for several at once."""

    THREADS, AHEAD = 16, 64

    def __init__(self, results: Results) -> None:
        self._results = results
        self._threads = ThreadPoolExecutor(self.THREADS, "results")
        self._pending: deque[Future[None]] = deque()

    def __enter__(self) -> _Writers:
        return self

    def write(self, name: str, text: str, *, instead_of: str | None = None) -> None:
        """Write a file soon, and then remove another; waits while too many are on their way.

        Raises:
            OSError: an earlier one could not be written.
        """
        while self._pending and (len(self._pending) >= self.AHEAD or self._pending[0].done()):
            self._pending.popleft().result()
        self._pending.append(self._threads.submit(self._write, name, text, instead_of))

    def _write(self, name: str, text: str, instead_of: str | None) -> None:
        self._results.write(name, text)
        if instead_of is not None:
            self._results.remove(instead_of)

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        self._threads.shutdown(wait=True)
        if kind is None:
            for future in self._pending:
                future.result()


def _known(results: Results, keys: Iterable[str]) -> tuple[set[str], set[str]]:
    """Keys, of those asked for, that are done, and that have failed and were not done later."""
    there, broken = set(), set()
    for name in results.names():
        if name.endswith(FAILED):
            broken.add(name[: -len(FAILED)])
        elif name.endswith(DONE):
            there.add(name[: -len(DONE)])
    wanted = keys if isinstance(keys, set) else set(keys)
    done = wanted & there
    return done, (wanted & broken) - done


def _read_failure(results: Results, item: Item) -> Failure:
    try:
        told = json.loads(results.read(item.key + FAILED))
        return Failure(item.key, item.uri, str(told["error"]))
    except (ValueError, KeyError) as error:
        raise WorkError("this is no result of a run", path=item.key + FAILED, hint="remove it") from error
