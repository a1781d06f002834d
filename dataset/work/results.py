"""Results in a folder: one file an item, there whole or not at all, and found again by their names alone."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Protocol

from dataset.errors import WorkError
from dataset.files import atomic_path

#: What a failed item's file ends in; the name tells it without a look inside.
FAILED = ".failed.json"
DONE = ".json"
#: What the results depend on besides the items.
IDENTITY = ".identity.json"
_LOCK = ".lock"


class Results(Protocol):
    """Where results are kept."""

    def alone(self) -> contextlib.AbstractContextManager[None]:
        """Keep other runs out for as long as the block lasts."""

    def names(self) -> Iterator[str]:
        """Names of the files that are there."""

    def read(self, name: str) -> str:
        """Content of a file."""

    def write(self, name: str, text: str) -> None:
        """Write a file, whole or not at all."""

    def remove(self, name: str) -> None:
        """Remove a file, if it is there."""


def results_at(out: str | Path) -> Results:
    """The results in a folder, or at an fsspec URL."""
    if isinstance(out, str) and "://" in out and not out.startswith("file://"):
        from dataset.work.remote import RemoteResults

        return RemoteResults(out)
    return LocalResults(Path(str(out).removeprefix("file://")))


class LocalResults:
    """A folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @contextmanager
    def alone(self) -> Iterator[None]:
        """See `Results`.

        Raises:
            WorkError: another run writes into the folder.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except FileExistsError as error:
            raise WorkError("is no folder", path=self.folder, hint="choose another --out") from error
        with open(self.folder / _LOCK, "w") as lock:
            _take(lock, self.folder)
            yield

    def names(self) -> Iterator[str]:
        """See `Results`; what a run left behind that was killed while it wrote is removed on the way."""
        if not self.folder.is_dir():
            return
        with os.scandir(self.folder) as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    if ".part" in entry.name:
                        Path(entry.path).unlink(missing_ok=True)
                    continue
                yield entry.name

    def read(self, name: str) -> str:
        """See `Results`."""
        return (self.folder / name).read_text("utf-8")

    def write(self, name: str, text: str) -> None:
        """See `Results`."""
        with atomic_path(self.folder / name) as temporary:
            temporary.write_text(text, "utf-8")

    def remove(self, name: str) -> None:
        """See `Results`."""
        (self.folder / name).unlink(missing_ok=True)


def _take(lock: IO[str], folder: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise WorkError(
            "another run writes into it", path=folder, hint="wait for it, or choose another --out"
        ) from error


def check_identity(results: Results, identity: dict[str, Any] | None, out: str | Path) -> None:
    """See to it that all results of a folder come from the same task.

    Raises:
        WorkError: it holds results of something else.
    """
    if identity is None:
        return
    text = json.dumps(identity, sort_keys=True, ensure_ascii=False)
    try:
        known = results.read(IDENTITY)
    except FileNotFoundError:
        results.write(IDENTITY, text)
        return
    if known != text:
        before = json.loads(known)
        changed = sorted(
            name for name in before.keys() | identity.keys() if before.get(name) != identity.get(name)
        )
        told = ", ".join(f"{name} {before.get(name)!r}, now {identity.get(name)!r}" for name in changed)
        raise WorkError(
            f"it holds results of other settings ({told})", path=out, hint="choose another folder"
        )


def encoded(uri: str, **content: Any) -> str:
    """The text of a result file.

    Raises:
        ValueError, TypeError: the content is not JSON.
    """
    return json.dumps({"uri": uri, **content}, ensure_ascii=False, allow_nan=False) + "\n"


__all__ = ["DONE", "FAILED", "LocalResults", "Results", "check_identity", "encoded", "results_at"]
