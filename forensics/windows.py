"""The windows of a corpus, cut once, kept on disk and read through memory maps."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dataset.files import atomic_path, write_json
from dataset.pose.people import PeopleFinder
from dataset.records import BACKDROP_OF, Clip, Corpus
from dataset.video import frame_times, read_pairs
from forensics.detectors.base import Evidence
from forensics.people import Sighting, follow
from forensics.surroundings import FIGURES, Figures, Surroundings
from forensics.views import View, ViewConfig, cut, watch

#: Room round a training window for random shifts and zoom, pixels on every side.
MARGIN = 16
#: Raise when views or poses are found differently, so that old caches are not read.
_VERSION = 3


@dataclass(frozen=True)
class ClipWindows:
    """All windows of the main person of one clip.

    Attributes:
        clip: which one.
        pixels: (N, 2, S, S, 3) uint8, a memory map; S is the window with its margin.
        pairs: (N,) which frame pair each window is from, counted from 0.
        parts: (N,) what each shows.
        times: (P,) seconds of the first frame of each pair; empty where that is not known.
        bodies: (P, 2, 25, 3) BODY_25 in both frames, pixels of the video and confidence; empty where not known.
        boxes: (N, 4) x0, y0, x1, y1 in pixels of the video, with the margin; empty where not known.
        around: (P, F) how much changes round the person in each pair; empty where not known.
        store: the files that they are read from, less the suffix; None where they are held in memory. What is
            computed from the windows alone may be kept beside them.
    """

    clip: Clip
    pixels: npt.NDArray[np.uint8]
    pairs: npt.NDArray[np.int64]
    parts: tuple[str, ...]
    times: npt.NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    bodies: npt.NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 2, 25, 3), np.float32))
    boxes: npt.NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 4), np.float32))
    around: npt.NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, FIGURES), np.float32))
    store: Path | None = None

    def __len__(self) -> int:
        return len(self.pairs)

    def __getstate__(self) -> dict[str, Any]:
        """For handing over to another process: what is on disk is opened there again, not copied."""
        state = dict(self.__dict__)
        if isinstance(self.pixels, np.memmap):
            state["pixels"] = None
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        if state["pixels"] is None:
            state["pixels"] = np.load(f"{state['store']}.npy", mmap_mode="r", allow_pickle=False)
        self.__dict__.update(state)

    def evidence(self, side: int) -> Evidence:
        """As a detector is shown it: windows of (side, side) without their margin."""
        count = len(self.times) or int(self.pairs.max(initial=-1)) + 1
        known = len(self.times) > 0
        boxes = np.full((len(self), 4), np.nan, np.float32)
        if len(self.boxes) and self.pixels.shape[2]:
            margin = (1 - side / self.pixels.shape[2]) / 2
            boxes = self.boxes + margin * (self.boxes[:, 2:] - self.boxes[:, :2])[:, [0, 1, 0, 1]] * [
                1,
                1,
                -1,
                -1,
            ]
        return Evidence(
            centre(np.asarray(self.pixels), side),
            self.pairs,
            self.parts,
            self.times if known else np.full(count, np.nan),
            self.bodies if known else np.zeros((count, 2, 25, 3), np.float32),
            boxes.astype(np.float32),
            self.around if known and len(self.around) == count else None,
        )


def wanted_rows(parts: Sequence[str], wanted: Sequence[str]) -> list[int]:
    """Which of the windows show a wanted part; all if none is named."""
    return [row for row, part in enumerate(parts) if not wanted or part in wanted]


def centre(pixels: npt.NDArray[np.uint8], side: int) -> npt.NDArray[np.uint8]:
    """(N, 2, S, S, 3) windows with margin → (N, 2, side, side, 3) without."""
    begin = (pixels.shape[2] - side) // 2
    return np.ascontiguousarray(pixels[:, :, begin : begin + side, begin : begin + side])


def corpus_windows(
    corpus: Corpus,
    config: ViewConfig,
    cache: str | Path,
    progress: Callable[[int, int | None], None] | None = None,
) -> list[ClipWindows]:
    """Cut the windows of every clip, or read them from `cache`.

    A clip that mirrors another frame for frame is cut at the places found in that other clip, so that the two differ in
    nothing but what the generator did.

    Args:
        corpus: clips to cut.
        config: windows and how many pairs of a clip.
        cache: folder for the cut windows; about 10 MB a clip at eight pairs.
        progress: called with clips done and in all.
    """
    root = Path(cache)
    by_path = {clip.path: clip for clip in corpus.clips}
    # Real clips first: their fakes need the places.
    order = sorted(corpus.clips, key=lambda clip: (_mirrored(clip) is not None, clip.path))
    done: dict[str, ClipWindows] = {}
    with PeopleFinder(max_people=config.max_people) as finder:
        for index, clip in enumerate(order):
            name = _mirrored(clip)
            mirrored = by_path[name] if name is not None else None
            if mirrored is not None and _mirrored(mirrored) is not None:
                mirrored = None
            key = _key(clip, mirrored, config)
            if not (root / f"{key}.json").is_file():
                places = (
                    None
                    if mirrored is None
                    else _read_sightings(root / f"{_key(mirrored, None, config)}.npz")
                )
                _store(root, key, _cut_clip(corpus.absolute(clip), finder, config, places), config)
            done[clip.path] = _read(root, key, clip)
            if progress is not None:
                progress(index + 1, len(order))
    return [done[clip.path] for clip in corpus.clips]


@dataclass(frozen=True)
class _Cut:
    """What is cut of the main person of a clip, one entry a pair."""

    sightings: list[Sighting]
    bodies: list[npt.NDArray[np.float32]]
    views: list[list[View]]
    around: list[Figures]
    scene: Surroundings

    @classmethod
    def empty(cls) -> _Cut:
        return cls([], [], [], [], Surroundings())


def _cut_clip(path: Path, finder: PeopleFinder, config: ViewConfig, places: list[Sighting] | None) -> _Cut:
    """The main person's sightings, poses in both frames, and views."""
    found = _Cut.empty()
    if places is None:
        by_person: dict[int, _Cut] = {}
        for pair, sightings in watch(path, finder, config):
            for sighting in sightings:
                views = cut(pair, sighting, config, MARGIN)
                second = (
                    follow(finder, pair.second.image, sighting.body)
                    if views
                    else np.zeros((25, 3), np.float32)
                )
                of_person = by_person.setdefault(sighting.person, _Cut.empty())
                of_person.sightings.append(sighting)
                of_person.bodies.append(np.stack([sighting.body, second]))
                of_person.views.append(views)
                of_person.around.append(
                    of_person.scene.measure(pair.first.image, pair.second.image, sighting.box)
                )
        # Whoever is largest for longest.
        return max(by_person.values(), key=lambda seen: sum(s.height for s in seen.sightings), default=found)
    times = frame_times(path)[:-1]
    nearest = [float(times[np.abs(times - place.time).argmin()]) for place in places] if len(times) else []
    for pair in read_pairs(path, nearest):
        place = min(places, key=lambda place: abs(place.time - pair.first.time))
        views = cut(pair, place, config, MARGIN)
        # Windows are cut at the places of the mirrored clip, but the pose is what this clip shows.
        images = (pair.first.image, pair.second.image) if views else ()
        seen = [follow(finder, image, place.body) for image in images]
        found.sightings.append(place)
        found.bodies.append(np.stack(seen) if seen else np.zeros((2, 25, 3), np.float32))
        found.views.append(views)
        found.around.append(found.scene.measure(pair.first.image, pair.second.image, place.box))
    return found


def _mirrored(clip: Clip) -> str | None:
    """Path of the clip that this one shows frame for frame."""
    return clip.pair or clip.origin.get(BACKDROP_OF)


def _key(clip: Clip, mirrored: Clip | None, config: ViewConfig) -> str:
    told = [_VERSION, MARGIN, asdict(config), clip.sha256, mirrored.sha256 if mirrored is not None else ""]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:32]


def _store(root: Path, key: str, found: _Cut, config: ViewConfig) -> None:
    side = config.window + 2 * MARGIN
    flat = [view for group in found.views for view in group]
    pixels = np.stack([view.pixels for view in flat]) if flat else np.zeros((0, 2, side, side, 3), np.uint8)
    with atomic_path(root / f"{key}.npy") as temporary, temporary.open("wb") as out:
        np.save(out, pixels)
    with atomic_path(root / f"{key}.npz") as temporary, temporary.open("wb") as out:
        np.savez(
            out,
            times=np.array([sighting.time for sighting in found.sightings], np.float64),
            places=np.array([sighting.body for sighting in found.sightings], np.float32).reshape(-1, 25, 3),
            people=np.array([sighting.box for sighting in found.sightings], np.float64).reshape(-1, 4),
            bodies=np.array(found.bodies, np.float32).reshape(-1, 2, 25, 3),
            boxes=np.array([view.box for view in flat], np.float32).reshape(-1, 4),
            around=np.array(found.around, np.float32).reshape(-1, FIGURES),
        )
    # Written last: where it stands, the other two are whole.
    write_json(
        root / f"{key}.json",
        {
            "pairs": [index for index, group in enumerate(found.views) for _ in group],
            "parts": [view.part for view in flat],
        },
    )


def _read(root: Path, key: str, clip: Clip) -> ClipWindows:
    told = json.loads((root / f"{key}.json").read_text("utf-8"))
    pixels = np.load(root / f"{key}.npy", mmap_mode="r" if told["pairs"] else None, allow_pickle=False)
    pairs = np.array(told["pairs"], np.int64)
    with np.load(root / f"{key}.npz", allow_pickle=False) as data:
        return ClipWindows(
            clip,
            pixels,
            pairs,
            tuple(told["parts"]),
            data["times"],
            data["bodies"],
            data["boxes"],
            data["around"],
            root / key,
        )


def _read_sightings(path: Path) -> list[Sighting]:
    with np.load(path, allow_pickle=False) as data:
        return [
            Sighting(1, float(time), body, (float(box[0]), float(box[1]), float(box[2]), float(box[3])))
            for time, body, box in zip(data["times"], data["places"], data["people"], strict=True)
        ]
