"""What the three commands share: how an error is told, and how progress is shown.

    0    the command did what it was asked
    2    it could not: bad input or bad usage, told in one line on stderr
    70   a fault of this program, told in one line that asks for a report
    130  interrupted from the keyboard
    141  whoever read the output has stopped reading

``DANCEPROOF_TRACEBACK=1`` in the environment puts the traceback in front of the line.
"""

from __future__ import annotations

import errno
import io
import os
import select
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, Any, NoReturn, Protocol

import click

from dataset.errors import DanceproofError

TRACEBACK = "DANCEPROOF_TRACEBACK"

#: Files that count as videos where a folder is given.
VIDEO_SUFFIXES = frozenset(
    (
        ".mp4",
        ".m4v",
        ".mov",
        ".mkv",
        ".webm",
        ".avi",
        ".gif",
        ".mpg",
        ".mpeg",
        ".ts",
        ".mts",
        ".wmv",
        ".flv",
        ".3gp",
        ".ogv",
    )
)

STATUS_ERROR = 2
STATUS_BUG = 70
STATUS_INTERRUPTED = 130
STATUS_PIPE_CLOSED = 141

#: Problems of the machine or of the user's files, not of this program, even where no path is known.
_OUTSIDE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE})


class DanceproofGroup(click.Group):
    """A click group whose commands, at any depth, turn errors into one line and an exit status.

    >>> @click.group(cls=DanceproofGroup)
    ... def main() -> None: ...
    """

    group_class = type

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; see the table at the top of this file for what becomes of an exception."""
        _tolerate_odd_file_names()
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
            return result
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except KeyboardInterrupt:
            _stop(ctx, "interrupted", STATUS_INTERRUPTED)
        except DanceproofError as error:
            _stop(ctx, f"error: {error}", STATUS_ERROR, error)
        except MemoryError as error:
            _stop(ctx, "error: not enough memory", STATUS_ERROR, error)
        except Exception as error:
            if isinstance(error, BrokenPipeError) and _reader_is_gone():
                ctx.exit(STATUS_PIPE_CLOSED)
            if isinstance(error, OSError) and (error.filename is not None or error.errno in _OUTSIDE):
                where = f"{os.fsdecode(error.filename)}: " if isinstance(error.filename, str | bytes) else ""
                _stop(ctx, f"error: {where}{error.strerror or error}", STATUS_ERROR, error)
            _stop(ctx, _bug_line(error), STATUS_BUG, error)


def _bug_line(error: Exception) -> str:
    told = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return f"error: {told} – this is a bug, please report it; set {TRACEBACK}=1 for the traceback"


def _stop(ctx: click.Context, line: str, status: int, error: BaseException | None = None) -> NoReturn:
    if error is not None and os.environ.get(TRACEBACK, "") not in ("", "0"):
        traceback.print_exception(error, file=sys.stderr)
    click.echo(" ".join(line.split()), err=True)
    ctx.exit(status)


def _tolerate_odd_file_names() -> None:
    """Let a file name that is not valid UTF-8 be printed, escaped, instead of ending the command."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def _reader_is_gone() -> bool:
    """Whether our own output is what broke, rather than a pipe to some worker process.

    If so, the stream is pointed at the null device, or the interpreter would complain once more when it ends.
    """
    gone = False
    for stream in (sys.stdout, sys.stderr):
        try:
            descriptor = stream.fileno()
        except (OSError, ValueError):
            continue  # replaced by something in memory, which has no reader to lose
        poll = select.poll()
        poll.register(descriptor, select.POLLOUT)
        if any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(0)):
            gone = True
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, descriptor)
            os.close(null)
    return gone


class Reporter(Protocol):
    """What `progress` hands out; `update` fits wherever a ``progress(done, total)`` callback is asked for."""

    def update(self, done: int, total: int | None = None, note: str = "") -> None:
        """Say how far the work is.

        Args:
            done: steps finished so far, counted from the start of the whole job.
            total: steps in all; None keeps what was said before.
            note: a few words to show behind the numbers, such as the loss.
        """


@contextmanager
def progress(description: str, total: int | None = None) -> Iterator[Reporter]:
    """Show on stderr how far a piece of work is: a bar on a terminal, a plain line now and then elsewhere.

    >>> with progress("finding poses", total=250) as bar:
    ...     for frame in range(250):
    ...         bar.update(frame + 1, note="one person")
    """
    if sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
        with _bar(description, total) as bar:
            yield bar
    else:
        lines = PlainLines(description, total)
        yield lines
        lines.finish()


@contextmanager
def _bar(description: str, total: int | None) -> Iterator[Reporter]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}", markup=False),
    )
    with Progress(*columns, console=Console(stderr=True)) as display:
        task = display.add_task(description, total=total, note="")

        class Bar:
            def update(self, done: int, total: int | None = None, note: str = "") -> None:
                display.update(task, completed=done, total=total, note=note)

        yield Bar()


class PlainLines:
    """Progress as plain lines, for logs: the first after two seconds, then one every `every` seconds.

    Work that is over before the first line is due prints nothing.

    Args:
        description: what is being done, in front of every line.
        total: steps in all, if known.
        every: seconds between two lines.
        clock: a function that returns seconds.
        out: where to write; stderr if None.
    """

    FIRST = 2.0

    def __init__(
        self,
        description: str,
        total: int | None = None,
        *,
        every: float = 10.0,
        clock: Callable[[], float] = time.monotonic,
        out: IO[str] | None = None,
    ) -> None:
        self._description = description
        self._total = total
        self._every = every
        self._clock = clock
        self._out = out
        self._begin = clock()
        self._due = self._begin + self.FIRST
        self._first: tuple[float, int] | None = None
        self._done = 0
        self._note = ""
        self._spoke = False

    def update(self, done: int, total: int | None = None, note: str = "") -> None:
        """See `Reporter.update`."""
        now = self._clock()
        self._total = self._total if total is None else total
        self._done, self._note = done, note
        if self._first is None:
            self._first = (now, done)
        if now >= self._due:
            self._due = now + self._every
            self._spoke = True
            self._print(self._count(), self._left(now), note)

    def finish(self) -> None:
        """The closing line with the time the work took."""
        if self._spoke:
            self._print(self._count(), f"done in {spell_seconds(self._clock() - self._begin)}", self._note)

    def _count(self) -> str:
        return f"{self._done}/{self._total}" if self._total is not None else str(self._done)

    def _left(self, now: float) -> str:
        # The rate counts from the first update: a resumed job does not start at zero, and set-up takes time.
        if self._first is None or self._total is None:
            return ""
        since, start = self._first
        if self._done <= start or now <= since:
            return ""
        return f"{spell_seconds((self._total - self._done) * (now - since) / (self._done - start))} left"

    def _print(self, *parts: str) -> None:
        told = ", ".join(part for part in parts if part)
        print(f"{self._description}: {told}", file=self._out or sys.stderr, flush=True)


def spell_seconds(seconds: float) -> str:
    """A duration for people: ``42 s``, ``3 min 05 s``, ``2 h 07 min``."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def use_threads(threads: int | None) -> None:
    """Let PyTorch use so many CPU threads; None leaves it to PyTorch."""
    if threads is not None:
        import torch

        torch.set_num_threads(threads)
