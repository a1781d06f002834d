"""A worker process as seen by whoever started it: give it an item, look whether it is done, end it if it must be."""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from multiprocessing import Pipe
from pathlib import Path
from typing import Any, Literal

from dataset.errors import DanceproofError, WorkError
from dataset.work.child import DONE, RAISED, READY

_CHILD = Path(__file__).with_name("child.py")
_ROOT = str(Path(__file__).parents[2])
_PAGE = os.sysconf("SC_PAGESIZE")
#: Threads of NumPy's linear algebra spin while they wait; several workers' do so for minutes against each other.
_ALONE = {"OPENBLAS_NUM_THREADS": "1"}


def _search_path() -> list[str]:
    """Where a worker looks for modules: where this process does, but first where it has found this project.

    An editable install finds it by a hook that comes last, after any folder ``synthesis`` or ``dataset`` on the path.
    """
    return sys.path if _ROOT in sys.path else [_ROOT, *sys.path]


#: Seconds between two looks at limits, while nothing happens.
_LOOK = 0.2


@dataclass(frozen=True)
class Limits:
    """What one worker may take.

    Attributes:
        time: seconds an item, without the opening of the task.
        memory: resident bytes of the worker.
        gpus: that Ray reserves for it, and shows it alone.
    """

    time: float | None = None
    memory: int | None = None
    gpus: float = 0.0

    @property
    def look(self) -> float:
        """Seconds between two looks at a worker while nothing happens.

        A time limit shorter than the usual would otherwise be noticed only after an item that is done by then.
        """
        return _LOOK if self.time is None else min(_LOOK, self.time)


@dataclass(frozen=True)
class Outcome:
    """What became of an item.

    Attributes:
        kind: "done"; "raised" an exception; "late", it took longer than it may; "lost" with its worker, so that it
            may be tried again.
        value: the result, the exception, or the reason as a clause.
    """

    kind: Literal["done", "raised", "late", "lost"]
    value: Any


def packed(task: Any) -> bytes:
    """The task as it travels to workers.

    Raises:
        WorkError: it cannot travel.
    """
    try:
        content = pickle.dumps(task)
    except Exception as error:
        raise WorkError(f"this task cannot be sent to another process: {error}") from error
    if b"__main__" in content:
        raise WorkError(
            "the task is defined in the script that is run, which workers do not run",
            hint="put it into a module and import it",
        )
    return content


class Worker:
    """One process that has opened the task.

    Args:
        task: from `packed`.
        limits: when to end it.

    Attributes:
        state: "opening", "idle", "busy" or "gone".
        connection: becomes readable when there is something to `poll`.
    """

    def __init__(self, task: bytes, limits: Limits) -> None:
        self._limits = limits
        self.connection, theirs = Pipe()
        with theirs:
            self._process = subprocess.Popen(
                # A session of its own: Ctrl-C reaches whoever started it, who ends it with all that it started.
                [sys.executable, "-P", str(_CHILD), str(theirs.fileno())],
                stdin=subprocess.DEVNULL, pass_fds=[theirs.fileno()], start_new_session=True,
                env=_ALONE | os.environ,
            )  # fmt: skip
        self.state: Literal["opening", "idle", "busy", "gone"] = "opening"
        self._begin = 0.0
        with contextlib.suppress(OSError):  # it has ended already, which `poll` tells
            self.connection.send(_search_path())
            self.connection.send_bytes(task)

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    def give(self, payload: Any) -> None:
        """Let it do something; only if it is idle."""
        self.state, self._begin = "busy", time.monotonic()
        with contextlib.suppress(OSError):  # it has ended meanwhile, which `poll` tells
            self.connection.send(payload)

    def poll(self) -> Outcome | None:
        """What came of what it was given, or None so far; of a worker that was opening or idle, "lost" if it ended.

        Raises:
            WorkError: the task cannot be opened.
            DanceproofError: as the task raised it when it was opened.
        """
        if self.state == "gone":
            return None
        ended = self._process.poll() is not None
        try:
            if self.connection.poll():
                return self._hear()
        except (EOFError, OSError, pickle.UnpicklingError):
            ended = True
        if ended:
            return self._end(Outcome("lost", self._epitaph()))
        limit = self._limits.time
        if limit is not None and self.state == "busy" and time.monotonic() - self._begin > limit:
            return self._end(Outcome("late", f"not done after {limit:g} s"))
        if self._limits.memory is not None and self.memory() > self._limits.memory:
            told = f"its worker took more than {self._limits.memory / 1e6:.0f} MB of memory"
            return self._end(Outcome("lost", told))
        return None

    def memory(self) -> int:
        """Resident bytes; 0 of a process that has ended."""
        try:
            return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * _PAGE
        except (OSError, IndexError):
            return 0

    def close(self) -> None:
        """End it, whatever it is doing."""
        self.state = "gone"
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.kill()
        self._process.wait()
        self.connection.close()

    def dismiss(self, patience: float = 5.0) -> None:
        """Let it close what it has opened and end by itself; end it if that takes too long."""
        self.connection.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(patience if self.state == "idle" else 0)
        self.close()

    def _hear(self) -> Outcome | None:
        kind, value = self.connection.recv()
        if kind == READY:
            self.state = "idle"
            return None
        if kind not in (DONE, RAISED):
            self.close()
            if isinstance(value, DanceproofError):
                raise value
            raise WorkError(f"a worker could not begin ({type(value).__name__}: {value})") from value
        self.state = "idle"
        return Outcome(kind, value)

    def _end(self, outcome: Outcome) -> Outcome:
        self.close()
        return outcome

    def _epitaph(self) -> str:
        try:
            code = self._process.wait(1.0)
        except subprocess.TimeoutExpired:
            return "its worker hung up"
        if code < 0:
            name = signal.Signals(-code).name
            return f"its worker was killed ({name}{', perhaps for want of memory' if -code == 9 else ''})"
        return f"its worker ended with status {code}"
