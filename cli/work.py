"""Options that commands share which work on many things: how many at a time, where, and within which limits."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from dataset.errors import DanceproofError

if TYPE_CHECKING:
    from dataset.work import Summary

Command = TypeVar("Command", bound=Callable[..., Any])

_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}


class Bytes(click.ParamType):
    """A number of bytes, such as ``500M`` or ``2.5G``."""

    name = "bytes"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        text = str(value).strip().upper().removesuffix("B")
        number, unit = (text[:-1], text[-1]) if text[-1:].isalpha() else (text, "")
        try:
            size = round(float(number) * _UNITS[unit])
        except (ValueError, KeyError, OverflowError):
            size = 0
        if size <= 0:
            self.fail(f"{value!r} is no number of bytes; write it as 500M or 2G", param, ctx)
        return size


def where_options(command: Command) -> Command:
    """``--workers`` and ``--ray``."""
    for option in (
        click.option(
            "--ray",
            metavar="ADDRESS",
            help="Work on a Ray cluster: auto, or HOST:PORT. Its nodes have to see the same files.",
        ),
        click.option(
            "--workers",
            type=click.IntRange(1),
            help="Processes at a time; one a core if not given, on all nodes.",
        ),
    ):
        command = option(command)
    return command


def limit_options(command: Command) -> Command:
    """``--time-limit`` and ``--memory-limit``."""
    for option in (
        click.option(
            "--memory-limit", type=Bytes(), help="Memory of a worker, such as 2G; it is replaced beyond that."
        ),
        click.option(
            "--time-limit",
            type=click.FloatRange(min=0, min_open=True),
            help="Seconds that one video may take.",
        ),
    ):
        command = option(command)
    return command


def stands_for_many(text: str = "") -> bool:
    """Whether an input may be several: a folder, a tar shard, or no file but a list, a glob or a URL."""
    path = Path(text)
    if path.is_file():
        return path.suffix in (".tar", ".parquet")
    return bool(text) and (
        path.is_dir() or text.startswith("@") or "://" in text or any(sign in text for sign in "*?[")
    )


def tell(summary: Summary, out: str | Path, *, shown: int = 10) -> None:
    """Print the counts of a run, and what failed.

    Raises:
        DanceproofError: something failed; all else is done.
    """
    from cli.app import spell_seconds

    click.echo(
        f"{out}: {summary.done} done in {spell_seconds(summary.seconds)}, {summary.skipped} done before, "
        f"{len(summary.failed)} failed"
    )
    for failure in summary.failed[:shown]:
        click.echo(f"failed: {failure.uri}: {failure.error}", err=True)
    if len(summary.failed) > shown:
        click.echo(f"failed: and {len(summary.failed) - shown} more, see {out}/*.failed.json", err=True)
    if summary.failed:
        raise DanceproofError(
            f"{len(summary.failed)} of {summary.total} could not be done",
            path=out,
            hint="try them again with --retry",
        )
