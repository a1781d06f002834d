"""The windows of a corpus, cut once, kept on disk and read through memory maps."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from dataset.files import atomic_path, write_json
from dataset.pose.people import PeopleFinder
from dataset.records import Clip, Corpus
from dataset.video import frame_times, read_pairs
from forensics.detectors.base import Evidence
from forensics.people import Sighting
from forensics.views import View, ViewConfig, cut, watch

#: Room round a training window for random shifts and zoom, pixels on every side.
MARGIN = 16
#: Raise when views or poses are found differently, so that old caches are not read.
_VERSION = 1


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
    """

    clip: Clip
    pixels: npt.NDArray[np.uint8]
    pairs: npt.NDArray[np.int64]
    parts: tuple[str, ...]
    times: npt.NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    bodies: npt.NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 2, 25, 3), np.float32))
    boxes: npt.NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 4), np.float32))

    def __len__(self) -> int:
        return len(self.pairs)

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
        )


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
    order = sorted(corpus.clips, key=lambda clip: (clip.pair is not None, clip.path))
    done: dict[str, ClipWindows] = {}
    with PeopleFinder(max_people=config.max_people) as finder:
        for index, clip in enumerate(order):
            mirrored = by_path[clip.pair] if clip.pair is not None else None
            if mirrored is not None and mirrored.pair is not None:
                mirrored = None
            key = _key(clip, mirrored, config)
            if not (root / f"{key}.json").is_file():
                places = (
                    None
                    if mirrored is None
                    else _read_sightings(root / f"{_key(mirrored, None, config)}.npz")
                )
                sightings, views = _cut_clip(corpus.absolute(clip), finder, config, places)
                _store(root, key, sightings, views, config)
            done[clip.path] = _read(root, key, clip)
            if progress is not None:
                progress(index + 1, len(order))
    return [done[clip.path] for clip in corpus.clips]


def _cut_clip(
    path: Path, finder: PeopleFinder, config: ViewConfig, places: list[Sighting] | None
) -> tuple[list[Sighting], list[list[View]]]:
    """The main person's sightings and their views, one list of views a pair."""
    if places is None:
        by_person: dict[int, list[tuple[Sighting, list[View]]]] = {}
        for pair, sightings in watch(path, finder, config):
            for sighting in sightings:
                of_person = by_person.setdefault(sighting.person, [])
                of_person.append((sighting, cut(pair, sighting, config, MARGIN)))
        if not by_person:
            return [], []
        main = max(by_person.values(), key=lambda seen: sum(sighting.height for sighting, _ in seen))
        return [sighting for sighting, _ in main], [views for _, views in main]
    times = frame_times(path)[:-1]
    nearest = [float(times[np.abs(times - place.time).argmin()]) for place in places] if len(times) else []
    found: list[Sighting] = []
    views: list[list[View]] = []
    for pair in read_pairs(path, nearest):
        place = min(places, key=lambda place: abs(place.time - pair.first.time))
        found.append(place)
        views.append(cut(pair, place, config, MARGIN))
    return found, views


def _key(clip: Clip, mirrored: Clip | None, config: ViewConfig) -> str:
    told = [_VERSION, MARGIN, asdict(config), clip.sha256, mirrored.sha256 if mirrored is not None else ""]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:32]


def _store(
    root: Path, key: str, sightings: Sequence[Sighting], views: list[list[View]], config: ViewConfig
) -> None:
    side = config.window + 2 * MARGIN
    flat = [view for group in views for view in group]
    pixels = np.stack([view.pixels for view in flat]) if flat else np.zeros((0, 2, side, side, 3), np.uint8)
    with atomic_path(root / f"{key}.npy") as temporary, temporary.open("wb") as out:
        np.save(out, pixels)
    with atomic_path(root / f"{key}.npz") as temporary, temporary.open("wb") as out:
        np.savez(
            out,
            times=np.array([sighting.time for sighting in sightings], np.float64),
            bodies=np.array([sighting.body for sighting in sightings], np.float32).reshape(-1, 25, 3),
            boxes=np.array([sighting.box for sighting in sightings], np.float64).reshape(-1, 4),
        )
    # Written last: where it stands, the other two are whole.
    write_json(
        root / f"{key}.json",
        {
            "pairs": [index for index, group in enumerate(views) for _ in group],
            "parts": [view.part for view in flat],
        },
    )


def _read(root: Path, key: str, clip: Clip) -> ClipWindows:
    told = json.loads((root / f"{key}.json").read_text("utf-8"))
    pixels = np.load(root / f"{key}.npy", mmap_mode="r" if told["pairs"] else None, allow_pickle=False)
    return ClipWindows(clip, pixels, np.array(told["pairs"], np.int64), tuple(told["parts"]))


def _read_sightings(path: Path) -> list[Sighting]:
    with np.load(path, allow_pickle=False) as data:
        return [
            Sighting(1, float(time), body, (float(box[0]), float(box[1]), float(box[2]), float(box[3])))
            for time, body, box in zip(data["times"], data["bodies"], data["boxes"], strict=True)
        ]
