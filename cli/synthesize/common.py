"""What the commands of ``synthesize`` share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click

from cli.app import VIDEO_SUFFIXES, progress
from dataset.errors import SynthesisError

FILE = click.Path(path_type=Path)

Stage = Callable[..., None]
Command = TypeVar("Command", bound=Callable[..., Any])


def signing(command: Command) -> Command:
    """The options that say who signs what a command makes; there is none to leave the signature out."""
    for option in (
        click.option("--private-key", type=FILE,
                     help="Key of the first of these certificates (PEM).  [env: DANCEPROOF_PRIVATE_KEY]"),
        click.option("--certificate", type=FILE,
                     help="Certificate chain (PEM, the signer's first) to sign with; by default one for development "
                     "that says nothing about who you are.  [env: DANCEPROOF_CERTIFICATE]"),
    ):  # fmt: skip
        command = option(command)
    return command


@contextmanager
def stages() -> Iterator[Stage]:
    """Progress for work in several parts: ``report(what, done, total, note)`` opens a new bar when `what` changes."""
    with ExitStack() as stack:
        current: list[object] = []

        def report(what: str, done: int, total: int | None = None, note: str = "") -> None:
            if not current or current[0] != what:
                stack.close()
                current[:] = [what, stack.enter_context(progress(what, total))]
            current[1].update(done, total, note)  # type: ignore[attr-defined]

        yield report


def videos_among(paths: tuple[Path, ...]) -> list[Path]:
    """The video files that are named or lie in folders that are named.

    Raises:
        SynthesisError: there is none.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            found += sorted(p for p in path.iterdir() if p.suffix.lower() in VIDEO_SUFFIXES)
        elif path.is_file():
            found.append(path)
        else:
            raise SynthesisError("there is no such recording", path=path)
    if not found:
        raise SynthesisError("no video among the recordings", path=paths[0])
    return found
