"""Batches for training: real and fake of the same frames, side by side, degraded alike.

What stands in a batch is a function of the seed, the step's number and the place in the batch, and of nothing that
happened before. So a run that was cut off goes on with the very batches that it would have seen, and several
processes that each take every n-th couple of a batch see together what one process alone would.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from dataset.errors import DetectorError
from dataset.records import BACKDROP_OF
from forensics.degrade import Degradation
from forensics.windows import ClipWindows, wanted_rows

Window = npt.NDArray[np.uint8]
T = TypeVar("T")
#: Share of the real windows that stand beside a fake of the same frames and have its backdrop, where there are such.
_BACKDROPS = 0.3
#: How a clip was degraded that was not.
ORIGINAL = ""


@dataclass
class _Source:
    """What one subject gives: fakes with the real windows to set beside them, by how the clips were degraded."""

    fakes: dict[str, list[ClipWindows]]
    reals: dict[str, list[ClipWindows]]


class Sampler:
    """Draws balanced batches: a subject, one of its fakes, a window, and beside it the same window of the real clip.

    Half of the fakes are originals, however many degraded copies a corpus has of each: a detector that sees three
    copies for each original learns more slowly and tells unseen people apart less well. A fake without a
    frame-for-frame pair gets a real window of the same part of the same person, or of anybody where that person has
    none. Where the recording also has a copy with a backdrop (`forensics.backdrop`), that stands beside some of its
    fakes. Subjects who have only real clips are not drawn otherwise: their looks would come to speak for "real" (tried,
    and worse on people left out); they serve to calibrate.

    Args:
        clips: windows with a margin.
        side: of the windows in a batch, pixels.
        seed: of everything drawn.
        parts: only windows of these parts of the body; all if empty.

    Raises:
        DetectorError: one of the labels is missing.
    """

    def __init__(self, clips: Sequence[ClipWindows], side: int, seed: int, parts: Sequence[str] = ()) -> None:
        self._side, self._seed = side, seed
        used = [clip for clip in clips if wanted_rows(clip.parts, parts)]
        self._cut_out = {
            clip.clip.origin[BACKDROP_OF]: clip for clip in used if BACKDROP_OF in clip.clip.origin
        }
        used = [clip for clip in used if BACKDROP_OF not in clip.clip.origin]
        self._rows = {clip.clip.path: wanted_rows(clip.parts, parts) for clip in used}
        self._by_path = {clip.clip.path: clip for clip in used}
        sources: dict[str, _Source] = defaultdict(lambda: _Source({}, {}))
        for clip in used:
            source = sources[clip.clip.subject]
            of_label = source.fakes if clip.clip.label == "fake" else source.reals
            of_label.setdefault(_way(clip), []).append(clip)
        self._sources = [source for _, source in sorted(sources.items()) if source.fakes]
        self._reals = [clip for clip in used if clip.clip.label == "real"]
        if not self._sources or not self._reals:
            raise DetectorError(
                f"nothing to train on: {sum(len(s.fakes) for s in self._sources)} fake and "
                f"{len(self._reals)} real clips show a person large enough",
                hint="each needs a person at least 96 pixels high",
            )

    def draw(
        self, step: int, count: int, rank: int = 0, size: int = 1
    ) -> tuple[Window, npt.NDArray[np.float32]]:
        """One step's batch, or one process's share of it.

        Args:
            step: number of the step.
            count: windows of the whole batch; half of them are real.
            rank, size: this process takes the couples number rank, rank + size, rank + 2 · size …

        Returns:
            (count / size, 2, side, side, 3) windows and as many labels, 1 for fake; each fake follows its real one.
        """
        windows = []
        for place in range(rank, count // 2, size):
            random = np.random.default_rng([self._seed, step, place])
            fake, real = self.couple(random)
            degradation = Degradation.draw(random)
            windows += [degradation.apply(real, self._side), degradation.apply(fake, self._side)]
        return np.stack(windows), np.tile(np.array([0, 1], np.float32), len(windows) // 2)

    def state(self) -> None:
        """Nothing: a batch follows from the step's number."""

    def restore(self, state: None) -> None:
        """Nothing to do, see `state`."""

    def couple(self, random: np.random.Generator) -> tuple[Window, Window]:
        """A fake window and the real one that stands beside it, with their margin, undegraded."""
        source = _pick(random, self._sources)
        ways = sorted(source.fakes)
        way = ORIGINAL if ORIGINAL in source.fakes and random.random() < 0.5 else _pick(random, ways)
        fake = _pick(random, source.fakes[way])
        index = _pick(random, self._rows[fake.clip.path])
        mirrored = self._by_path.get(fake.clip.pair or "")
        if mirrored is not None and mirrored.parts == fake.parts:
            cut_out = self._cut_out.get(mirrored.clip.path)
            if cut_out is not None and cut_out.parts == fake.parts and random.random() < _BACKDROPS:
                mirrored = cut_out
            return fake.pixels[index], mirrored.pixels[index]
        other = _pick(random, source.reals.get(way) or self._reals)
        rows = wanted_rows(other.parts, (fake.parts[index],))
        # Any window where the clip does not show that part.
        return fake.pixels[index], other.pixels[_pick(random, rows or self._rows[other.clip.path])]


def _way(clip: ClipWindows) -> str:
    return clip.clip.origin.get("degraded", ORIGINAL)


def _pick(random: np.random.Generator, items: Sequence[T]) -> T:
    return items[int(random.integers(len(items)))]
