"""Which of several people in a video is meant, told in a word that fits on a command line.

    main         the most prominent one (the default)
    left, right  who is farthest to that side, seen over the whole video
    2            number 2, counted from the most prominent
    410,220@3.5  who covers the pixel x 410, y 220 at 3.5 seconds

Plain arithmetic on tracks, as in `dataset.pose.tracks`.
"""

from __future__ import annotations

import math
import re

from dataset.errors import PoseError
from dataset.pose.tracks import Track, main_tracks, solid_tracks, weight

MAIN = "main"
_HELP = "say main, left, right, a number such as 2, or a place and a time such as 410,220@3.5"
_PLACE = re.compile(r"(\d+(?:\.\d+)?),(\d+(?:\.\d+)?)@(\d+(?:\.\d+)?)")
#: Seconds between the asked moment and the nearest sighting at which a place still means somebody.
_NEAR = 1.0
#: A track before or after the chosen one goes on with the same person if it begins within so many body sizes of where
#: the other ended.
_SAME_PLACE = 0.5
#: Whoever is seen for less than this part of the longest appearance is not the one to the left or right.
_RIVAL = 0.25
#: A single sighting stands for so many seconds.
_MOMENT = 0.25


def parse_person(text: str) -> str:
    """The choice in its plainest form, for a cache key.

    Raises:
        PoseError: it is none of the forms above.
    """
    plain = "".join(text.lower().split())
    if plain in (MAIN, "left", "right"):
        return plain
    if plain.isdecimal() and int(plain) > 0:
        return str(int(plain))
    if found := _PLACE.fullmatch(plain):
        x, y, time = (float(part) for part in found.groups())
        return f"{x:g},{y:g}@{time:g}"
    raise PoseError(f"{text!r} does not say which person", hint=_HELP)


def choose(tracks: list[Track], size: tuple[int, int], *, samples: int, person: str) -> list[Track]:
    """The tracks of the person who is meant, never two at a time, in order of time.

    For "main", see `main_tracks`. Otherwise one track is chosen, and tracks before and after it are added where they
    go on at the same place: somebody who is asked for by name is not followed by somebody else.

    Args:
        tracks: what `link` returned.
        size: width and height of the picture.
        samples: how many moments were looked at.
        person: as from `parse_person`.

    Raises:
        PoseError: there is no such person; the line says who there is.
    """
    if person == MAIN:
        return main_tracks(tracks, size, samples=samples)
    people = sorted(solid_tracks(tracks, samples), key=lambda track: weight(track, size), reverse=True)
    if not people:
        return []
    return _continued(_chosen(people, person), people)


def _chosen(people: list[Track], person: str) -> Track:
    if person in ("left", "right"):
        # A short appearance at the edge is no rival of those who are there for most of the time.
        longest = max(_seconds(track) for track in people)
        rivals = [track for track in people if _seconds(track) >= _RIVAL * longest]
        return min(rivals, key=lambda track: _across(track) * (1 if person == "left" else -1))
    if person.isdecimal():
        if int(person) > len(people):
            raise PoseError(f"there is no person number {person} in the video", hint=_who(people))
        return people[int(person) - 1]
    x, y, time = (float(part) for part in re.split("[,@]", person))
    covering = []
    for track in people:
        if track.start - _NEAR <= time <= track.stop + _NEAR:
            x0, y0, x1, y1 = track.box_at(time)
            if x0 <= x <= x1 and y0 <= y <= y1:
                covering.append((math.hypot((x0 + x1) / 2 - x, (y0 + y1) / 2 - y), track.start, track))
    if not covering:
        raise PoseError(f"nobody is found at {x:g},{y:g} at {time:g} s", hint=_who(people))
    return min(covering, key=lambda entry: entry[:2])[2]


def _continued(chosen: Track, people: list[Track]) -> list[Track]:
    """The chosen track with those before and after it that go on where it ends."""
    kept = [chosen]
    while True:
        first, last = kept[0], kept[-1]
        before = [t for t in people if t.stop < first.start and _meet(t, t.stop, first, first.start)]
        after = [t for t in people if t.start > last.stop and _meet(last, last.stop, t, t.start)]
        if not before and not after:
            return kept
        if before:
            kept.insert(0, max(before, key=lambda track: track.stop))
        if after:
            kept.append(min(after, key=lambda track: track.start))


def _meet(first: Track, end: float, second: Track, begin: float) -> bool:
    a, b = first.box_at(end), second.box_at(begin)
    extent = max(a[2] - a[0], a[3] - a[1], b[2] - b[0], b[3] - b[1])
    gap = math.hypot((a[0] + a[2] - b[0] - b[2]) / 2, (a[1] + a[3] - b[1] - b[3]) / 2)
    return gap <= _SAME_PLACE * extent


def _seconds(track: Track) -> float:
    return track.stop - track.start + _MOMENT


def _across(track: Track) -> float:
    """x of the middle of the box, on the average over the sightings."""
    return sum((s.box[0] + s.box[2]) / 2 for s in track.sightings) / len(track.sightings)


def _who(people: list[Track]) -> str:
    told = []
    for number, track in enumerate(people, 1):
        x0, y0, x1, y1 = track.sightings[0].box
        told.append(
            f"{number} ({track.start:.1f}–{track.stop:.1f} s, first round {(x0 + x1) / 2:.0f},{(y0 + y1) / 2:.0f})"
        )
    return f"there are {', '.join(told[:8])}"
