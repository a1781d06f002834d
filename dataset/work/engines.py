"""Where items are worked on: in this process, in processes of this machine, or (`dataset.work.cluster`) on Ray."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, ExitStack
from multiprocessing.connection import wait
from typing import Any, Protocol

from dataset.errors import WorkError
from dataset.work.worker import Limits, Outcome, Worker, packed

#: Workers that end while they open the task before it is taken for the task's fault.
STILLBORN = 3


class Engine(Protocol):
    """Does what it is given, at most one thing a worker, and says what became of it."""

    def prepare(self, waiting: int) -> None:
        """See to it that there are workers, but not more than there are things to do."""

    def free(self) -> int:
        """How many things it can be given now."""

    def busy(self) -> int:
        """How many things are under way."""

    def give(self, number: int, payload: Any) -> None:
        """Begin something; only while `free`."""

    def wait(self) -> list[tuple[int, Outcome]]:
        """What has come out since, after a short while at the latest."""

    def close(self) -> None:
        """End all workers."""


class Here:
    """No other process: for a single worker without limits."""

    def __init__(self, task: Any) -> None:
        self._stack = ExitStack()
        opened: AbstractContextManager[Any] = task.open()
        self._work = self._stack.enter_context(opened)
        self._given: tuple[int, Any] | None = None

    def prepare(self, waiting: int) -> None:
        """See `Engine`."""

    def free(self) -> int:
        """See `Engine`."""
        return int(self._given is None)

    def busy(self) -> int:
        """See `Engine`."""
        return int(self._given is not None)

    def give(self, number: int, payload: Any) -> None:
        """See `Engine`."""
        self._given = (number, payload)

    def wait(self) -> list[tuple[int, Outcome]]:
        """See `Engine`."""
        if self._given is None:
            return []
        number, payload = self._given
        self._given = None
        try:
            return [(number, Outcome("done", self._work(payload)))]
        except Exception as error:
            return [(number, Outcome("raised", error))]

    def close(self) -> None:
        """See `Engine`."""
        self._stack.close()


class Pool:
    """Processes of this machine."""

    def __init__(self, task: Any, workers: int | None, limits: Limits) -> None:
        self._task = packed(task)
        self._limits = limits
        self._most = workers or len(os.sched_getaffinity(0))
        self._workers: list[Worker] = []
        self._numbers: dict[Worker, int] = {}
        self._stillborn = 0

    def prepare(self, waiting: int) -> None:
        """See `Engine`."""
        while len(self._workers) < min(self._most, waiting + self.busy()):
            self._workers.append(Worker(self._task, self._limits))

    def free(self) -> int:
        """See `Engine`."""
        return sum(worker.state == "idle" for worker in self._workers)

    def busy(self) -> int:
        """See `Engine`."""
        return len(self._numbers)

    def give(self, number: int, payload: Any) -> None:
        """See `Engine`."""
        worker = next(worker for worker in self._workers if worker.state == "idle")
        self._numbers[worker] = number
        worker.give(payload)

    def wait(self) -> list[tuple[int, Outcome]]:
        """See `Engine`."""
        busy = [worker.connection for worker in self._workers if worker.state != "idle"]
        wait(busy, self._limits.look)
        found = []
        for worker in self._workers:
            state = worker.state
            outcome = worker.poll()
            if state == "opening" and worker.state == "idle":
                self._stillborn = 0
            elif outcome is not None and state == "opening":
                self._stillborn += 1
                if self._stillborn >= STILLBORN:
                    raise WorkError(f"no worker gets ready: {outcome.value}")
            elif outcome is not None and state == "busy":
                found.append((self._numbers.pop(worker), outcome))
        self._workers = [worker for worker in self._workers if worker.state != "gone"]
        return found

    def close(self) -> None:
        """See `Engine`."""
        for worker in self._workers:
            worker.connection.close()
        for worker in self._workers:
            worker.dismiss()
        self._workers = []
