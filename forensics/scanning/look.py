"""Who can be seen when in a video, and the windows that are cut from each person, kept until they are judged."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from dataset.pose.people import PeopleFinder
from dataset.video import FramePair, read_pairs
from forensics.people import Body, Sighting, Tracker, visible_box
from forensics.surroundings import Figures, Surroundings
from forensics.views import View, ViewConfig, cut

Image = npt.NDArray[np.uint8]
Box = tuple[int, int, int, int]

#: Height of the pictures that are kept, pixels; a person fills most of it.
_KEPT_HEIGHT = 360
_KEPT_WIDEST = 480
_AROUND = 0.12
#: A pose seen at the second look belongs to the person who is nearest then, if not further than this in body heights.
_REACH = 0.6
#: And in the next frame, by the same measure.
_REACH_NEXT = 0.25


@dataclass(frozen=True)
class Kept:
    """The two frames of a pair round one person, small."""

    box: Box
    first: Image
    second: Image


@dataclass(frozen=True)
class SeenPair:
    """One person in one pair of frames, large enough to be judged.

    Attributes:
        sighting: in the first frame.
        look: 1 or 2, see `forensics.scanning.result.Moment`.
        views: the windows.
        kept: for the report's pictures; None where none are wanted.
        second_body: (25, 3) the pose in the second frame; None where it was not looked for, or not found.
        around: how much changes round the person, see `forensics.surroundings`; None where it was not measured.
    """

    sighting: Sighting
    look: int
    views: list[View]
    kept: Kept | None
    second_body: Body | None = None
    around: Figures | None = None


@dataclass
class Person:
    """One person through the video."""

    number: int
    sightings: list[Sighting] = field(default_factory=list)
    pairs: list[SeenPair] = field(default_factory=list)
    scene: Surroundings = field(default_factory=Surroundings, repr=False)

    def nearest(self, time: float) -> Sighting:
        return min(self.sightings, key=lambda sighting: abs(sighting.time - time))


@dataclass
class Looker:
    """Looks at frame pairs of one video, at first spread over it, then wherever it is told to.

    Memory grows with the pairs looked at, by about a megabyte a pair and person, not with the video.

    Attributes:
        path, finder, views: what, with which pose estimator, and what is cut.
        pictures: whether small pictures are kept for the report.
        second_pose: whether people are also looked for in the second frame of each pair.
        surroundings: whether it is measured what changes round the people.
        people: who has been seen so far, in order of appearance.
        seen: times of the frame pairs that were looked at.
        problems: what could not be decoded.
    """

    path: Path
    finder: PeopleFinder
    views: ViewConfig
    pictures: bool
    second_pose: bool = False
    surroundings: bool = False
    people: list[Person] = field(default_factory=list)
    seen: set[float] = field(default_factory=set)
    problems: list[str] = field(default_factory=list)
    _second: tuple[float, list[Body]] = field(default=(-1.0, []), repr=False)

    def first(self, times: Sequence[float]) -> None:
        """The look over the whole video; people are counted as they appear."""
        tracker = Tracker()
        for pair, bodies in self._poses(times):
            height, width = pair.first.image.shape[:2]
            self._add(pair, tracker.update(pair.first.time, bodies, (width, height)), 1)

    def again(self, times: Sequence[float], number: int) -> None:
        """The second look, at one person whom the first has found."""
        person = next(one for one in self.people if one.number == number)
        for pair, bodies in self._poses(times):
            if sighting := self._recognise(pair, bodies, person):
                self._add(pair, [sighting], 2)

    def _poses(self, times: Sequence[float]) -> Iterator[tuple[FramePair, list[Body]]]:
        for pair in read_pairs(self.path, sorted(times), problems=self.problems, in_background=True):
            if pair.first.time in self.seen:
                continue
            self.seen.add(pair.first.time)
            yield pair, self.finder.find(pair.first.image)

    def _add(self, pair: FramePair, sightings: Iterable[Sighting], look: int) -> None:
        for sighting in sightings:
            person = next((one for one in self.people if one.number == sighting.person), None)
            if person is None:
                person = Person(sighting.person)
                self.people.append(person)
            person.sightings.append(sighting)
            views = cut(pair, sighting, self.views)
            if views:
                kept = _keep(pair, sighting) if self.pictures else None
                measured = None
                if self.surroundings:
                    measured = person.scene.measure(pair.first.image, pair.second.image, sighting.box)
                second = self._follow(pair, sighting)
                person.pairs.append(SeenPair(sighting, look, views, kept, second, measured))

    def _follow(self, pair: FramePair, sighting: Sighting) -> Body | None:
        """The same person's pose one frame later."""
        if not self.second_pose:
            return None
        height, width = pair.second.image.shape[:2]
        poses = self._second_poses(pair)
        near = [
            (_distance(sighting, Sighting(sighting.person, pair.second.time, body, box)), index)
            for index, body in enumerate(poses)
            if (box := visible_box(body, (width, height))) is not None
        ]
        return poses[min(near)[1]] if near and min(near)[0] <= _REACH_NEXT else None

    def _second_poses(self, pair: FramePair) -> list[Body]:
        """Looked for once a pair, however many people ask."""
        if self._second[0] != pair.second.time:
            self._second = (pair.second.time, self.finder.find(pair.second.image))
        return self._second[1]

    def _recognise(self, pair: FramePair, bodies: list[Body], person: Person) -> Sighting | None:
        height, width = pair.first.image.shape[:2]
        best: tuple[float, Sighting] | None = None
        for body in bodies:
            box = visible_box(body, (width, height))
            if box is None:
                continue
            here = Sighting(person.number, pair.first.time, body, box)
            # Whoever was nearest to this place at the nearest time is who it is.
            nearest = min(self.people, key=lambda one: _distance(here, one.nearest(here.time)))
            distance = _distance(here, person.nearest(here.time))
            if nearest is person and distance <= _REACH and (best is None or distance < best[0]):
                best = (distance, here)
        return best[1] if best else None


def _distance(a: Sighting, b: Sighting) -> float:
    """Between the middles of two boxes, in heights of the larger."""
    middles = [((box[0] + box[2]) / 2, (box[1] + box[3]) / 2) for box in (a.box, b.box)]
    away = float(np.hypot(middles[0][0] - middles[1][0], middles[0][1] - middles[1][1]))
    return away / max(a.height, b.height, 1.0)


def _keep(pair: FramePair, sighting: Sighting) -> Kept:
    height, width = pair.first.image.shape[:2]
    x0, y0, x1, y1 = sighting.box
    room = _AROUND * max(x1 - x0, y1 - y0)
    box = (
        max(int(x0 - room), 0),
        max(int(y0 - room), 0),
        min(int(np.ceil(x1 + room)), width),
        min(int(np.ceil(y1 + room)), height),
    )
    factor = min(_KEPT_HEIGHT / (box[3] - box[1]), _KEPT_WIDEST / (box[2] - box[0]), 1.0)
    size = max(round((box[2] - box[0]) * factor), 1), max(round((box[3] - box[1]) * factor), 1)
    small = [
        cv2.resize(frame.image[box[1] : box[3], box[0] : box[2]], size, interpolation=cv2.INTER_AREA)
        for frame in (pair.first, pair.second)
    ]
    return Kept(box, *small)
