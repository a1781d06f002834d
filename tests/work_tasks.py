"""Tasks for the tests of `dataset.work`: what an item is to do stands in its URI, such as ``sleep:0.1``."""

from __future__ import annotations

import hashlib
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dataset.errors import VideoError
from dataset.work import Item


@dataclass(frozen=True)
class Acts:
    """Does what the last part of an item's URI says, and notes every beginning in a diary.

    Attributes:
        diary: folder with a file for each worker that opened the task, and a line in it for each item begun.
    """

    diary: Path | None = None

    @contextmanager
    def open(self) -> Iterator[Callable[[Item], dict[str, Any]]]:
        if self.diary is not None:
            self.diary.mkdir(exist_ok=True)
        yield self._act

    def _act(self, item: Item) -> dict[str, Any]:
        if self.diary is not None:
            with open(self.diary / f"{os.getpid()}.txt", "a") as page:
                page.write(f"{item.key}\n")
        act, _, how = item.uri.rpartition("/")[2].partition(":")
        if act == "sleep":
            time.sleep(float(how.split(",")[0]))
        elif act == "bad":
            raise VideoError("cannot be read", path="a.mp4")
        elif act == "bug":
            raise KeyError("surprise")
        elif act == "nan":
            return {"value": float("nan")}
        elif act == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        elif act == "die-once" and self.diary is not None:
            mark = self.diary / f"{item.key}.died"
            if not mark.exists():
                mark.touch()
                os.kill(os.getpid(), signal.SIGKILL)
        elif act == "exit":
            os._exit(3)
        elif act == "eat":
            held = bytearray(int(how) * 1_000_000)
            time.sleep(5)
            return {"bytes": len(held)}
        return {"digest": hashlib.sha256(item.key.encode()).hexdigest(), "words": ["ä", 1, 0.1, None]}

    def begun(self) -> list[str]:
        """Keys of the items that were begun, once for each time."""
        assert self.diary is not None
        return [line for page in sorted(self.diary.glob("*.txt")) for line in page.read_text().split()]


@dataclass(frozen=True)
class Unfit:
    """Cannot be opened."""

    how: str = "raise"

    @contextmanager
    def open(self) -> Iterator[Callable[[Item], dict[str, Any]]]:
        if self.how == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        raise VideoError("the model is missing", path="model.bin")
        yield lambda item: {}


def double(number: int) -> int:
    """A job for `spread`: 13 raises, and a negative number kills its worker."""
    if number == 13:
        raise VideoError("thirteen")
    if number < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return 2 * number


def acts(*what: str, weight: float = 0.0) -> list[Item]:
    """An item for each act; the same act several times is several items."""
    return [
        Item.of(f"act://x/{number:05d}/{act}", weight, stem=f"i{number:05d}")
        for number, act in enumerate(what)
    ]
