"""Who can be seen in the sampled frames, and which sightings belong to the same person."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from dataset.pose.keypoints import SEEN, B
from dataset.pose.people import PeopleFinder, distance

Body = npt.NDArray[np.float32]

_HEAD = [B[name] for name in ("Nose", "REye", "LEye", "REar", "LEar")]
_SHOULDERS = [B["RShoulder"], B["LShoulder"]]
_HIPS = [B["RHip"], B["LHip"]]
#: A pose with fewer seen points than this is not taken for a person.
_LEAST_POINTS = 7
#: Least mean confidence of head and shoulders.
_SURE = 0.5
#: How far, in body heights, a person may have gone between two sightings: at once, and per second, and at most.
_REACH, _REACH_PER_SECOND, _REACH_MOST = 0.5, 0.5, 2.0
#: By which factor a person's size may have changed meanwhile.
_GROWTH = 1.8
#: Room round a person that is followed, and how far the points may have moved, as parts of the person's size.
_AROUND, _NEAR = 0.25, 0.25


@dataclass(frozen=True)
class Sighting:
    """One person in one sampled frame.

    Attributes:
        person: number of the track, counted from 1 in order of appearance.
        time: seconds.
        body: (25, 3) BODY_25 points, pixels and confidence.
        box: x0, y0, x1, y1 of what is seen of the body inside the picture, pixels.
    """

    person: int
    time: float
    body: Body
    box: tuple[float, float, float, float]

    @property
    def height(self) -> float:
        """Visible height in pixels."""
        return self.box[3] - self.box[1]


def visible(body: Body, size: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """(K,) which points are seen and lie inside the picture of `size` (width, height)."""
    x, y, confidence = body.T
    inside: npt.NDArray[np.bool_] = (confidence >= SEEN) & (x >= 0) & (y >= 0) & (x < size[0]) & (y < size[1])
    return inside


def visible_box(body: Body, size: tuple[int, int]) -> tuple[float, float, float, float] | None:
    """The box of a person inside the picture, from the crown of the head down, or None where this is no person.

    A pose estimator also answers where there is only a hand, or a chair. A person shows a head and a shoulder, both
    found with confidence, several other points, and stands in some proportion.
    """
    seen = visible(body, size)
    head = [index for index in _HEAD if seen[index]]
    shoulders = [index for index in _SHOULDERS if seen[index]]
    if seen.sum() < _LEAST_POINTS or len(head) < 2 or not shoulders:
        return None
    if body[head + shoulders, 2].mean() < _SURE:
        return None
    points = body[seen, :2]
    (x0, y0), (x1, y1) = points.min(0), points.max(0)
    skull, chest = body[head, :2].mean(0), body[shoulders, :2].mean(0)
    neck = float(np.linalg.norm(skull - chest))
    span = float(max(x1 - x0, y1 - y0))
    if not 0.03 * span < neck < 0.6 * span:
        return None
    # The crown lies about two thirds of that distance above the eyes, away from the chest.
    crown = skull + (skull - chest) * 0.7
    x0, y0 = min(x0, crown[0]), min(y0, crown[1])
    x1, y1 = max(x1, crown[0]), max(y1, crown[1])
    width, height = size
    return (
        float(np.clip(x0, 0, width)),
        float(np.clip(y0, 0, height)),
        float(np.clip(x1, 0, width)),
        float(np.clip(y1, 0, height)),
    )


def follow(finder: PeopleFinder, image: npt.NDArray[np.uint8], body: Body) -> Body:
    """The same person in a picture taken a moment later or earlier.

    Only the person's surroundings are searched, so that neither a crowd nor a large picture costs anything.

    Args:
        finder: an open pose estimator for stills.
        image: (H, W, 3) uint8 RGB.
        body: (25, 3) where the person was, pixels and confidence.

    Returns:
        (25, 3) pixels and confidence; zeros where nobody near enough is found.
    """
    lost = np.zeros_like(body)
    seen = body[:, 2] >= SEEN
    if not seen.any():
        return lost
    low, high = body[seen, :2].min(0), body[seen, :2].max(0)
    reach = max(float((high - low).max()) * _AROUND, 16.0)
    height, width = image.shape[:2]
    x0, y0 = np.clip(np.floor(low - reach), 0, [width - 1, height - 1]).astype(int)
    x1, y1 = np.clip(np.ceil(high + reach), 1, [width, height]).astype(int)
    if x1 - x0 < 8 or y1 - y0 < 8:
        return lost
    found = finder.find(np.ascontiguousarray(image[y0:y1, x0:x1]))
    moved = [other + np.array([x0, y0, 0], np.float32) for other in found]
    nearest = min(moved, key=lambda other: distance(body, other), default=None)
    if nearest is None or distance(body, nearest) > _NEAR:
        return lost
    return nearest.astype(np.float32)


@dataclass
class _Track:
    person: int
    time: float
    centre: npt.NDArray[np.float64]
    size: float


@dataclass
class Tracker:
    """Puts the sightings of sparse frames together to persons, by place and size.

    It is coarse by design: frames may lie seconds apart. Two people who swap places between two sampled frames are
    confused; each is then judged by a mixture of both.
    """

    _tracks: list[_Track] = field(default_factory=list)

    def update(self, time: float, bodies: list[Body], size: tuple[int, int]) -> list[Sighting]:
        """The people of one frame.

        Args:
            time: seconds, not before that of the last call.
            bodies: (25, 3) poses, the most prominent first; what is no person is left out.
            size: width and height of the frame.
        """
        found = [(body, box) for body in bodies if (box := visible_box(body, size)) is not None]
        found = _without_doubles(found)
        candidates = []
        for index, (_, box) in enumerate(found):
            for track in self._tracks:
                cost = _cost(track, time, box)
                if cost is not None:
                    candidates.append((cost, index, track.person))
        owner: dict[int, int] = {}
        for _, index, person in sorted(candidates):
            if index not in owner and person not in owner.values():
                owner[index] = person
        sightings = []
        for index, (body, box) in enumerate(found):
            person = owner.get(index) or len(self._tracks) + 1
            centre, extent = _place(box)
            if index in owner:
                track = self._tracks[person - 1]
                track.time, track.centre, track.size = time, centre, extent
            else:
                self._tracks.append(_Track(person, time, centre, extent))
            sightings.append(Sighting(person, time, body, box))
        return sightings


def _place(box: tuple[float, float, float, float]) -> tuple[npt.NDArray[np.float64], float]:
    x0, y0, x1, y1 = box
    return np.array([(x0 + x1) / 2, (y0 + y1) / 2]), max(x1 - x0, y1 - y0, 1.0)


def _cost(track: _Track, time: float, box: tuple[float, float, float, float]) -> float | None:
    centre, size = _place(box)
    distance = float(np.linalg.norm(centre - track.centre)) / max(size, track.size)
    growth = abs(float(np.log(size / track.size)))
    reach = min(_REACH + _REACH_PER_SECOND * (time - track.time), _REACH_MOST)
    if distance > reach or growth > np.log(_GROWTH) * (1 + 0.2 * (time - track.time)):
        return None
    return distance + growth


def _without_doubles(
    found: list[tuple[Body, tuple[float, float, float, float]]],
) -> list[tuple[Body, tuple[float, float, float, float]]]:
    """Leave out a pose whose box is mostly that of a more prominent one: the same person found twice."""
    kept: list[tuple[Body, tuple[float, float, float, float]]] = []
    for body, box in found:
        if all(_overlap(box, other) < 0.7 for _, other in kept):
            kept.append((body, box))
    return kept


def _overlap(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> float:
    """Intersection over union of two boxes."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    area = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared
    return shared / area if area > 0 else 0.0
