"""Batches straight from a release as it is read, and where in the stream a training stands.

A few videos are held; every so many steps the oldest gives way to the next of the stream. To go on after an
interruption it is enough to know where the stream stood before the oldest: the held ones are read again from there.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from dataset.errors import DetectorError
from forensics.degrade import Degradation
from forensics.stream import row_windows
from forensics.views import ViewConfig
from forensics.windows import ClipWindows, centre

Window = npt.NDArray[np.uint8]


class _Held(NamedTuple):
    before: Any
    real: ClipWindows
    fake: ClipWindows


class StreamBatches:
    """Balanced batches from the pairs of a release: real and fake of the same place side by side, degraded alike.

    Args:
        open_rows: gives the rows of the configuration "pairs" from their beginning, as a streaming
            `datasets.IterableDataset`; called again whenever they have come to their end. Several processes each open
            a share of their own.
        views: windows and pairs of frames from each video.
        seed: of everything drawn.
        hold: rows held at once.
        turn: steps until the next row is read.
    """

    def __init__(
        self, open_rows: Callable[[], Any], views: ViewConfig, seed: int, *, hold: int = 16, turn: int = 2
    ) -> None:
        self._open, self._views, self._seed = open_rows, views, seed
        self._hold, self._turn = hold, turn
        self._held: deque[_Held] = deque()
        self._read = 0
        self._rows: Any = None
        self._stream: Iterator[Any] = iter(())
        self._position: Any = None

    def draw(
        self, step: int, count: int, rank: int = 0, size: int = 1
    ) -> tuple[Window, npt.NDArray[np.float32]]:
        """See `forensics.train.Batches`; steps must come in order.

        Raises:
            DetectorError: no row shows a person large enough.
        """
        while self._read < self._hold + step // self._turn:
            self._advance()
        windows = []
        for place in range(rank, count // 2, size):
            random = np.random.default_rng([self._seed, step, place])
            held = self._held[int(random.integers(len(self._held)))]
            index = int(random.integers(len(held.real)))
            degradation = Degradation.draw(random)
            windows += [
                degradation.apply(clip.pixels[index], self._views.window) for clip in (held.real, held.fake)
            ]
        return np.stack(windows), np.tile(np.array([0, 1], np.float32), len(windows) // 2)

    def state(self) -> dict[str, Any]:
        """Where the stream stands, as JSON values."""
        return {"before": self._held[0].before if self._held else None, "read": self._read}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from `state`: read what was held again."""
        self._held.clear()
        self._position = state["before"]
        self._rows = None
        held = min(state["read"], self._hold)
        self._read = state["read"] - held
        for _ in range(held):
            self._advance()

    def known(self) -> Window:
        """(N, 2, side, side, 3): the windows that are held, undegraded."""
        return np.concatenate(
            [centre(np.asarray(clip.pixels), self._views.window) for held in self._held for clip in held[1:]]
        )

    def _advance(self) -> None:
        """Read the next row that shows somebody."""
        ends = 0
        while True:
            if self._rows is None:
                self._rows = self._open()
                if self._position is not None:
                    self._rows.load_state_dict(self._position)
                self._stream = iter(self._rows)
            before = self._position
            row = next(self._stream, None)
            if row is None:
                ends += 1
                if ends > 1:
                    raise DetectorError("no video of the release shows a person large enough to train on")
                self._rows, self._position = None, None
                continue
            # Through JSON and back: what a checkpoint will hold.
            self._position = json.loads(json.dumps(self._rows.state_dict()))
            real, fake = (row_windows(row, label, self._views) for label in ("real", "fake"))
            if len(real) and real.parts == fake.parts:
                self._held.append(_Held(before, real, fake))
                self._read += 1
                if len(self._held) > self._hold:
                    self._held.popleft()
                return
