"""From a video to what a detector sees: windows round the parts of each person, in pairs of consecutive frames.

Nothing is squeezed: "close" windows are cut at the video's own resolution (shrunk only where somebody fills more than
`ViewConfig.close_height` pixels, so that a window always shows a good part of a person), "normal" ones after
scaling the frame so that the visible part of the person has a fixed height. A rescaled video keeps its normal views.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from dataset.pose.keypoints import B
from dataset.pose.people import PeopleFinder
from dataset.video import FramePair, frame_times, read_pairs
from forensics.motion import packet_motion
from forensics.people import Body, Sighting, Tracker, visible

Image = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class ViewConfig:
    """What is cut from a video. The same for real and fake, for training and for scanning."""

    window: int = 128  # side of a window, pixels
    pairs: int = 20  # pairs of consecutive frames, spread over the whole length
    motion: float = 0.5  # share of them that is drawn to where something moves; 0 spreads all evenly
    least_height: int = 96  # people whose visible part is lower than this are too small to judge, pixels
    close_height: int = 512  # close windows are cut at native resolution up to this visible height, pixels
    normal_height: int = 256  # visible height in the normal views, pixels
    max_people: int = 4  # looked for in each frame


@dataclass(frozen=True)
class View:
    """One window, cut from the same place of two consecutive frames.

    Attributes:
        time: of the first frame, seconds.
        person: number of the track.
        part: "head", "torso", "left_hand" …, or "upper", "lower", "whole" for the normal views.
        kind: "close" or "normal".
        box: x0, y0, x1, y1 in pixels of the video.
        scale: pixels of the window per pixel of the video.
        pixels: (2, S, S, 3) uint8 RGB.
    """

    time: float
    person: int
    part: str
    kind: str
    box: tuple[int, int, int, int]
    scale: float
    pixels: Image


@dataclass(frozen=True)
class _Place:
    part: str
    kind: str
    centre: tuple[float, float]
    scale: float


#: Close windows: the seen points of each group give the centre.
_PARTS = {
    "head": ("Nose", "REye", "LEye", "REar", "LEar"),
    "torso": ("RShoulder", "LShoulder", "RHip", "LHip"),
    "hips": ("RHip", "LHip", "MidHip"),
    "left_hand": ("LWrist",),
    "right_hand": ("RWrist",),
    "left_foot": ("LAnkle", "LBigToe", "LHeel"),
    "right_foot": ("RAnkle", "RBigToe", "RHeel"),
}


def choose_times(
    times: npt.NDArray[np.float64],
    count: int,
    motion: npt.NDArray[np.float64] | None = None,
    share: float = 0.5,
) -> list[float]:
    """Times of at most `count` first frames, the middles of stretches of the video with equal weight.

    Without `motion` the stretches are equally long. With it they are shorter where more moves: there a generator has
    more to get wrong. The rest of the weight lies evenly, so that no part of a video is left out.

    Args:
        times: (T,) time of each frame, seconds.
        count: pairs wanted; a video of T frames has T − 1.
        motion: (T,) how much moves round each frame, from `forensics.motion.packet_motion`.
        share: of the weight that goes by motion.
    """
    pairs = len(times) - 1
    if pairs < 1:
        return []
    count = min(count, pairs)
    places = (np.arange(count) + 0.5) / count
    if motion is None or share <= 0 or not motion[:pairs].any():
        indices = (places * pairs).astype(int)
    else:
        weights = (1 - share) / pairs + share * motion[:pairs] / motion[:pairs].sum()
        indices = np.searchsorted(np.cumsum(weights), places * weights.sum(), side="right")
        # No frame twice, however much weight lies on it, and room for those that follow.
        for place in range(count):
            least = indices[place - 1] + 1 if place else 0
            indices[place] = min(max(indices[place], least), pairs - count + place)
    return [float(times[index]) for index in indices]


def sampled_times(path: str | Path, config: ViewConfig) -> list[float]:
    """Times of the first frames of the pairs that are looked at in a video.

    Raises:
        VideoError: the file cannot be read.
    """
    times = frame_times(path)
    motion = packet_motion(path, times) if config.motion > 0 else None
    return choose_times(times, config.pairs, motion, config.motion)


def watch(
    path: str | Path, finder: PeopleFinder, config: ViewConfig, problems: list[str] | None = None
) -> Iterator[tuple[FramePair, list[Sighting]]]:
    """Go through the sampled pairs of a video and find the people in the first frame of each.

    Holds one pair at a time, whatever the length of the video.

    Args:
        path: the video.
        finder: an open pose estimator for stills.
        config: how many pairs.
        problems: gets a line for what could not be decoded.
    """
    tracker = Tracker()
    for pair in read_pairs(path, sampled_times(path, config), problems=problems):
        height, width = pair.first.image.shape[:2]
        yield pair, tracker.update(pair.first.time, finder.find(pair.first.image), (width, height))


def cut(
    pair: FramePair, sighting: Sighting, config: ViewConfig, margin: int = 0, person: int | None = None
) -> list[View]:
    """All windows of one person in one pair; none if the person is too small.

    Args:
        pair: two consecutive frames.
        sighting: where the person is in the first; training passes that of the real clip for its fake.
        config: window sizes.
        margin: added on every side, in window pixels, for random shifts in training.
        person: number written into the views, that of the sighting if None.
    """
    if sighting.height < config.least_height:
        return []
    height, width = pair.first.image.shape[:2]
    side = config.window + 2 * margin
    views = []
    for place in _places(sighting, (width, height), config):
        box = _box(place, side, (width, height))
        pixels = np.stack([_window(frame.image, box, side) for frame in (pair.first, pair.second)])
        number = sighting.person if person is None else person
        views.append(View(sighting.time, number, place.part, place.kind, box, place.scale, pixels))
    return views


def _places(sighting: Sighting, size: tuple[int, int], config: ViewConfig) -> list[_Place]:
    body, seen = sighting.body, visible(sighting.body, size)
    close = min(1.0, config.close_height / sighting.height)
    places = []
    for part, names in _PARTS.items():
        points = [B[name] for name in names if seen[B[name]]]
        if points:
            x, y = body[points, :2].mean(0)
            if part.endswith("_hand"):
                x, y = _beyond_wrist(body, part, float(x), float(y))
            if 0 <= x < size[0] and 0 <= y < size[1]:
                places.append(_Place(part, "close", (float(x), float(y)), close))
    x0, y0, x1, y1 = sighting.box
    normal = config.normal_height / sighting.height
    middle, half = (x0 + x1) / 2, config.window / 2 / normal
    places.append(_Place("upper", "normal", (_upper_middle(body, seen, middle), y0 + half), normal))
    places.append(_Place("lower", "normal", (middle, y1 - half), normal))
    # The whole of the visible part in one window, with a little air round it.
    whole = min(config.window / (1.1 * max(y1 - y0, x1 - x0)), normal)
    places.append(_Place("whole", "normal", (middle, (y0 + y1) / 2), whole))
    return places


def _beyond_wrist(body: Body, part: str, x: float, y: float) -> tuple[float, float]:
    """The middle of a hand: a third of the forearm beyond the wrist, where the elbow is known."""
    elbow = body[B["LElbow" if part.startswith("left") else "RElbow"]]
    if elbow[2] < 0.3:
        return x, y
    return x + (x - float(elbow[0])) / 3, y + (y - float(elbow[1])) / 3


def _upper_middle(body: Body, seen: npt.NDArray[np.bool_], otherwise: float) -> float:
    points = [index for index in (B["RShoulder"], B["LShoulder"], B["Nose"]) if seen[index]]
    return float(body[points, 0].mean()) if points else otherwise


def _box(place: _Place, side: int, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """The window's place in the picture: moved inside where it fits, over the edge evenly where it does not."""
    extent = max(round(side / place.scale), 2)
    corner = []
    for centre, length in zip(place.centre, size, strict=True):
        begin = round(centre - extent / 2)
        spare = length - extent
        corner.append(min(max(begin, 0), spare) if spare >= 0 else spare // 2)
    return corner[0], corner[1], corner[0] + extent, corner[1] + extent


def _window(image: Image, box: tuple[int, int, int, int], side: int) -> Image:
    """Cut `box` from (H, W, 3) and bring it to (side, side, 3); what lies outside is filled by reflection."""
    height, width = image.shape[:2]
    x0, y0, x1, y1 = box
    inside = image[max(y0, 0) : min(y1, height), max(x0, 0) : min(x1, width)]
    margins = (max(-y0, 0), max(y1 - height, 0), max(-x0, 0), max(x1 - width, 0))
    if any(margins):
        inside = cv2.copyMakeBorder(inside, *margins, cv2.BORDER_REFLECT)
    if inside.shape[0] != side:
        shrinking = inside.shape[0] > side
        inside = cv2.resize(
            inside, (side, side), interpolation=cv2.INTER_AREA if shrinking else cv2.INTER_LINEAR
        )
    return np.ascontiguousarray(inside, np.uint8)
