"""Who is the main person: sightings linked into tracks, and the part of the picture to look at.

Plain arithmetic on poses found a few times a second (`dataset.pose.people`); nothing here sees a picture.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dataset.pose.keypoints import SEEN, Array, body_box
from dataset.pose.people import prominence

#: A person not seen for longer than this has left; whoever comes next is a new track. Seconds.
LONGEST_GAP = 2.0
#: How far a person may move between sightings, in body sizes: at once, and for each second.
_STEP, _SPEED, _FARTHEST = 0.3, 1.5, 1.0
#: Around everything a person does, this much of it is added for hands, hair and what happens between sightings.
_MARGIN = 1.4
#: A window follows a person who walks: it ends when it would have to be this many times the person's size.
_WIDEST = 2.0

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Sighting:
    """A person at one moment: time in seconds, and the box round the seen points in pixels."""

    time: float
    box: Box
    prominence: float

    @classmethod
    def of(cls, time: float, body: Array) -> Sighting | None:
        """From a pose (25, 3); None where too little of it is seen."""
        box = body_box(body, SEEN)
        return None if box is None else cls(time, box, prominence(body))


@dataclass(frozen=True)
class Track:
    """One person from their first sighting to the last."""

    sightings: tuple[Sighting, ...]

    @property
    def start(self) -> float:
        """Time of the first sighting in seconds."""
        return self.sightings[0].time

    @property
    def stop(self) -> float:
        """Time of the last sighting in seconds."""
        return self.sightings[-1].time

    def box_at(self, time: float) -> Box:
        """The person's box, interpolated between sightings and held before the first and after the last."""
        times = [sighting.time for sighting in self.sightings]
        boxes = np.array([sighting.box for sighting in self.sightings])
        x0, y0, x1, y1 = (float(np.interp(time, times, boxes[:, side])) for side in range(4))
        return x0, y0, x1, y1


@dataclass(frozen=True)
class Window:
    """The square of the picture to look at from `start` to `stop` (seconds), in whole pixels; it may stick out."""

    track: Track
    start: float
    stop: float
    left: int
    top: int
    side: int


def link(moments: list[tuple[float, list[Array]]]) -> list[Track]:
    """Tracks through the people found at successive moments.

    Args:
        moments: time in seconds and the poses (25, 3) found then, in order of time.

    Returns:
        Tracks in order of their start. Each sighting belongs to exactly one; the nearest pairs are linked first.
    """
    tracks: list[list[Sighting]] = []
    for time, bodies in moments:
        fresh = [sighting for body in bodies if (sighting := Sighting.of(time, body)) is not None]
        active = [track for track in tracks if time - track[-1].time <= LONGEST_GAP]
        pairs = sorted(
            (
                (cost, t, s)
                for t, track in enumerate(active)
                for s, sighting in enumerate(fresh)
                if (cost := _cost(track[-1], sighting)) is not None
            ),
            key=lambda pair: pair[0],
        )
        taken_tracks: set[int] = set()
        taken: set[int] = set()
        for _, t, s in pairs:
            if t not in taken_tracks and s not in taken:
                active[t].append(fresh[s])
                taken_tracks.add(t)
                taken.add(s)
        tracks.extend([sighting] for s, sighting in enumerate(fresh) if s not in taken)
    return [Track(tuple(track)) for track in tracks]


def _cost(before: Sighting, after: Sighting) -> float | None:
    """Distance of the boxes' middles in body sizes; None where nobody gets that far in the time between."""
    size = max(_extent(before.box), _extent(after.box))
    gap = float(np.hypot(*np.subtract(_middle(before.box), _middle(after.box)))) / max(size, 1.0)
    reach = min(_STEP + _SPEED * (after.time - before.time), _FARTHEST)
    return gap if gap <= reach else None


def _middle(box: Box) -> tuple[float, float]:
    return (box[0] + box[2]) / 2, (box[1] + box[3]) / 2


def _extent(box: Box) -> float:
    return max(box[2] - box[0], box[3] - box[1])


def main_tracks(tracks: list[Track], size: tuple[int, int], *, samples: int) -> list[Track]:
    """The tracks of the main person, or of the main persons one after the other; never two at a time.

    The main track is the largest and longest, with a preference for the middle of the picture. Tracks that overlap
    it in time are other people and left out; tracks before or after it are kept, for a person who leaves and
    returns and one who takes over look the same.

    Args:
        tracks: what `link` returned.
        size: width and height of the picture.
        samples: how many moments were looked at; from four on a person seen only once is taken for a mistake.
    """
    chosen: list[Track] = []
    for track in sorted(solid_tracks(tracks, samples), key=lambda track: weight(track, size), reverse=True):
        if all(track.stop < other.start or track.start > other.stop for other in chosen):
            chosen.append(track)
    return sorted(chosen, key=lambda track: track.start)


def solid_tracks(tracks: list[Track], samples: int) -> list[Track]:
    """The tracks without those that are taken for mistakes, see `main_tracks`."""
    return [track for track in tracks if len(track.sightings) > 1 or samples < 4]


def weight(track: Track, size: tuple[int, int]) -> float:
    """How much a track stands out: large, long, and near the middle of the picture."""
    middle, reach = np.array(size) / 2, float(np.hypot(*size)) / 2
    return sum(
        s.prominence * (1 - 0.5 * float(np.hypot(*(np.array(_middle(s.box)) - middle))) / reach)
        for s in track.sightings
    )


def windows(track: Track, *, padding: float) -> list[Window]:
    """Squares that hold the person through the track, as few as possible.

    A window stands still, so that tracking within it is undisturbed; one who stays in place gets a single one.

    Args:
        track: the person.
        padding: seconds added before the first and after the last sighting, for what happened between samples.

    Returns:
        Windows that follow one another without a gap.
    """
    out: list[Window] = []
    start, held = track.start - padding, [track.sightings[0].box]
    for before, now in zip(track.sightings, track.sightings[1:], strict=False):
        grown = _union([*held, now.box])
        if _extent(grown) > _WIDEST * max(_extent(box) for box in [*held, now.box]):
            out.append(_window(track, start, before.time, held))
            start, held = before.time, [before.box]
        held.append(now.box)
    out.append(_window(track, start, track.stop + padding, held))
    return out


def _union(boxes: list[Box]) -> Box:
    corners = np.array(boxes)
    (x0, y0), (x1, y1) = corners[:, :2].min(axis=0), corners[:, 2:].max(axis=0)
    return float(x0), float(y0), float(x1), float(y1)


def _window(track: Track, start: float, stop: float, boxes: list[Box]) -> Window:
    box = _union(boxes)
    side = max(64, round(_extent(box) * _MARGIN))
    x, y = _middle(box)
    return Window(track, start, stop, round(x - side / 2), round(y - side / 2), side)
