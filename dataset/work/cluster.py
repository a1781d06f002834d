"""The same on a Ray cluster: an actor for each worker, which keeps the process that `dataset.work.engines.Pool` has.

An actor on some node starts the same worker process as the local pool, with the same limits, and hands items on to it.
So a video that is too long, or a worker that is killed for want of memory, is told in the same words as on one
machine, and an actor outlives it. Items and results travel; videos do not, they are read where they are worked on.
"""

from __future__ import annotations

import socket
import sys
import time
from dataclasses import dataclass
from multiprocessing.connection import wait
from typing import Any

from dataset.errors import DanceproofError, WorkError
from dataset.work.engines import STILLBORN
from dataset.work.worker import Limits, Outcome, Worker, packed

#: Seconds between two looks at how large the cluster is.
CENSUS = 5.0


class Keeper:
    """In an actor: keeps one worker process, and a new one if that is gone."""

    def __init__(self, task: bytes, limits: Limits) -> None:
        self._task = task
        self._limits = limits
        self._worker: Worker | None = None

    def open(self) -> str | None:
        """Get the worker ready; why that cannot be, None if all is well."""
        for _ in range(STILLBORN):
            worker = Worker(self._task, self._limits)
            try:
                while worker.state == "opening":
                    wait([worker.connection], self._limits.look)
                    lost = worker.poll()
            except DanceproofError as error:
                return str(error)
            if worker.state == "idle":
                self._worker = worker
                return None
        return f"no worker gets ready: {lost.value if lost else 'it ended'}"

    def run(self, payload: Any) -> Outcome:
        """Do one thing."""
        if self._worker is None and (problem := self.open()) is not None:
            return Outcome("lost", problem)
        worker = self._worker
        assert worker is not None
        worker.give(payload)
        while (outcome := worker.poll()) is None:
            wait([worker.connection], self._limits.look)
        if worker.state == "gone":
            self._worker = None
        return outcome

    def close(self) -> None:
        """Let the worker close what it has opened."""
        if self._worker is not None:
            self._worker.dismiss()
            self._worker = None


@dataclass
class _Seat:
    """An actor, what it was asked last, and the number of the item if that was one."""

    actor: Any
    ref: Any
    number: int | None = None
    ready: bool = False


class Cluster:
    """Workers on the nodes of a Ray cluster; see `dataset.work.engines.Engine`.

    Nodes that join are used, and what was under way on a node that is gone is done elsewhere.
    """

    def __init__(self, task: Any, address: str, workers: int | None, limits: Limits) -> None:
        try:
            import ray
        except ImportError as error:
            raise WorkError("Ray is not installed", hint="pip install 'danceproof[ray]'") from error
        self._ray = ray
        self._task = packed(task)
        self._limits = limits
        self._workers = workers
        self._seats: list[_Seat] = []
        self._stillborn = 0
        self._counted = -CENSUS
        self._cores = 1
        self._mine = not ray.is_initialized()
        if self._mine:
            _knock(address)
            try:
                ray.init(address=address, log_to_driver=False, logging_level="error")
            except (ConnectionError, RuntimeError, ValueError) as error:
                raise _nobody(address, str(error).splitlines()[0]) from error
        # The least that a worker takes: what its limit allows, so that Ray puts no more on a node than fit.
        needs = {"memory": limits.memory} if limits.memory else {}
        self._keeper = ray.remote(Keeper).options(
            num_cpus=1, num_gpus=limits.gpus, max_restarts=0, scheduling_strategy="SPREAD", **needs
        )

    def prepare(self, waiting: int) -> None:
        """See `Engine`."""
        while len(self._seats) < min(self._most(), waiting + self.busy()):
            actor = self._keeper.remote(self._task, self._limits)
            self._seats.append(_Seat(actor, actor.open.remote()))

    def free(self) -> int:
        """See `Engine`."""
        return sum(seat.ref is None for seat in self._seats)

    def busy(self) -> int:
        """See `Engine`."""
        return sum(seat.number is not None for seat in self._seats)

    def give(self, number: int, payload: Any) -> None:
        """See `Engine`."""
        seat = next(seat for seat in self._seats if seat.ref is None)
        seat.ref, seat.number = seat.actor.run.remote(payload), number

    def wait(self) -> list[tuple[int, Outcome]]:
        """See `Engine`."""
        refs = {seat.ref: seat for seat in self._seats if seat.ref is not None}
        if not refs:
            return []
        done, _ = self._ray.wait(list(refs), num_returns=1, timeout=1.0)
        if done:
            done, _ = self._ray.wait(list(refs), num_returns=len(refs), timeout=0)
        found = []
        for ref in done:
            seat = refs[ref]
            number, opening = seat.number, not seat.ready
            answer = self._answer(seat)
            if number is not None and answer is not None:
                found.append((number, answer))
            elif opening and answer is not None:
                self._stillborn += 1
                if self._stillborn >= STILLBORN + len(self._seats):
                    raise WorkError(f"no worker gets ready: {answer.value}")
        return found

    def close(self) -> None:
        """See `Engine`."""
        ready = [seat for seat in self._seats if seat.ready and seat.number is None]
        if ready and sys.exc_info()[0] is None:
            self._ray.wait([seat.actor.close.remote() for seat in ready], num_returns=len(ready), timeout=5.0)
        for seat in self._seats:
            self._ray.kill(seat.actor)
        self._seats = []
        if self._mine:
            self._ray.shutdown()

    def _answer(self, seat: _Seat) -> Outcome | None:
        """What an actor said; None that it is ready. An actor that is gone loses its seat."""
        from ray.exceptions import RayError

        try:
            told = self._ray.get(seat.ref)
        except RayError as error:
            self._seats.remove(seat)
            self._ray.kill(seat.actor)
            return Outcome("lost", f"its worker or node is gone ({type(error).__name__})")
        seat.ref = None
        if seat.ready:
            seat.number = None
            assert isinstance(told, Outcome)
            return told
        if told is not None:
            raise WorkError(str(told))
        seat.ready, self._stillborn = True, 0
        return None

    def _most(self) -> int:
        if self._workers is not None:
            return self._workers
        if time.monotonic() - self._counted >= CENSUS:
            self._counted = time.monotonic()
            self._cores = max(1, int(self._ray.cluster_resources().get("CPU", 1)))
        return self._cores


def _knock(address: str) -> None:
    """See whether anybody listens, which Ray itself tries for minutes."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal():
        return  # "auto", or the name of a running cluster, which Ray looks up
    try:
        socket.create_connection((host.rpartition("/")[2], int(port)), timeout=10.0).close()
    except OSError as error:
        raise _nobody(address, error.strerror or str(error)) from error


def _nobody(address: str, why: str) -> WorkError:
    return WorkError(f"no Ray cluster answers at {address} ({why})", hint="start one with: ray start --head")
