"""Reading a video once for all checks: every frame is decoded, a few dozen of them are looked at closely."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from dataset.collection import fingerprint
from dataset.collection.checks.look import Look, look
from dataset.collection.records import Recording, Subject
from dataset.pose.estimate import CODE_VERSION
from dataset.provenance import is_rendering, read_manifest, read_marks
from dataset.video import VideoInfo
from dataset.video.cursor import Cursor

if TYPE_CHECKING:
    from dataset.pose import PeopleFinder

Progress = Callable[[int, int | None], None]

#: Frames that are looked at closely, evenly spread. Shares are told to the nearest four per cent, which is enough to
#: tell a bystander from somebody who walks through, and takes a few seconds.
LOOKS = 24


@dataclass
class Survey:
    """What was measured in a video, for the checks to judge.

    Attributes:
        info: the facts of the file.
        subject: who is said to be seen.
        others: the recordings that are in the collection already.
        mark: what the file says about being made, in its tags or its C2PA manifest; None if nothing.
        synthetic: whether it says so of a likeness, not of a rendering of nobody.
        looks: what was seen in the sampled frames, in order.
        fingerprint: of the content, None if it was not taken.
        problems: what could not be decoded, in plain words.
        estimator: what looked for people, empty if nothing did.
    """

    info: VideoInfo
    subject: Subject
    others: list[Recording]
    mark: str | None
    synthetic: bool
    looks: list[Look] = field(default_factory=list)
    fingerprint: dict[str, Any] | None = None
    problems: list[str] = field(default_factory=list)
    estimator: str = ""

    @property
    def person_share(self) -> float | None:
        """Share of the sampled frames in which somebody was found, None without any."""
        return sum(bool(seen.people) for seen in self.looks) / len(self.looks) if self.looks else None


def survey(
    video: Path,
    subject: Subject,
    others: list[Recording],
    *,
    read: bool = True,
    looks: bool = True,
    unless: Callable[[Survey], bool] = lambda seen: False,
    progress: Progress | None = None,
) -> Survey:
    """Measure what the checks need.

    Args:
        video: the file.
        subject: who is said to be seen.
        others: the recordings to compare it with.
        read: decode every frame, for damage and the fingerprint.
        looks: look at frames closely, which takes some 0.1 s each.
        unless: told the facts of the file, says whether that is enough to refuse it: then it is not read.
        progress: called with frames read and how many there will be.

    Raises:
        VideoError: the file cannot be read.
    """
    info = VideoInfo.from_path(video)
    manifest = read_manifest(video)
    statement = read_marks(info.metadata)
    if statement is None and manifest.says_synthetic:
        statement = f"C2PA manifest: {manifest.source_type}, by {manifest.generator or 'no program'}"
    synthetic = statement is not None and not is_rendering(info.metadata)
    found = Survey(info, subject, others, statement, synthetic or manifest.says_synthetic)
    if (read or looks) and not unless(found):
        with ExitStack() as stack:
            finder = None
            if looks:
                from dataset.pose import PeopleFinder

                finder = stack.enter_context(PeopleFinder(max_people=3))
                found.estimator = f"mediapipe {version('mediapipe')} people, danceproof {CODE_VERSION}"
            _read(video, found, finder, progress)
    return found


def _read(video: Path, found: Survey, finder: PeopleFinder | None, progress: Progress | None) -> None:
    every = fingerprint.interval(found.info.duration)
    samples: list[npt.NDArray[np.float64]] = []
    held: npt.NDArray[np.uint8] | None = None
    with Cursor(video, found.problems) as cursor:
        times = cursor.timeline.times
        wanted = _places(len(times)) if finder is not None else set()
        while (decoded := cursor.next()) is not None:
            if len(samples) * every <= decoded.time + 1e-6:
                cells = fingerprint.sample(decoded.image)
                # At low rates a frame is shown over several samples.
                while len(samples) * every <= decoded.time + 1e-6:
                    samples.append(cells)
            if held is not None and finder is not None:
                found.looks.append(look(held, decoded.image, finder))
            held = decoded.image if decoded.index in wanted else None
            if progress is not None:
                progress(decoded.index + 1, len(times))
    if samples:
        found.fingerprint = fingerprint.pack(np.stack(samples), every)


def _places(frames: int) -> set[int]:
    """Numbers of the frames to look at, each with its successor; evenly spread, the ends included."""
    last = max(frames - 2, 0)
    return {round(place) for place in np.linspace(0, last, min(LOOKS, last + 1))}
