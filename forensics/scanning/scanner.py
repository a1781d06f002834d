"""Looking, judging, and looking again where something is suspicious."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dataset.errors import ModelError, VideoError
from dataset.files import sha256_file
from dataset.pose.people import PeopleFinder
from dataset.provenance import VERSION, read_manifest, read_marks
from dataset.video import VideoInfo, frame_times
from dataset.video.limits import give_back_memory
from forensics.calibrate import FAKE, Calibration
from forensics.decide import bits_per_pixel
from forensics.detectors import Detector, load_detector
from forensics.detectors.base import Scores
from forensics.scanning.evidence import as_evidence
from forensics.scanning.look import Looker, Person, SeenPair
from forensics.scanning.pictures import as_data, picture, thumbnail
from forensics.scanning.result import Moment, PairFinding, PersonFinding, ScanResult, Span
from forensics.scanning.spans import Stretch, suspicious, times_between
from forensics.scanning.verdict import (
    LEAST_PAIRS,
    Judgement,
    even_score,
    judge_person,
    judge_span,
    partly_fake,
    worst,
)
from forensics.views import ViewConfig, sampled_times

#: So many of a person's frame pairs are listed as those that weighed most.
TELLING = 3
#: Whose versions change scores.
_LIBRARIES = ("av", "mediapipe", "numpy", "opencv-contrib-python", "torch")


class Scanner:
    """A detector and a pose estimator, opened once for many videos.

    >>> with Scanner() as scanner:
    ...     for path in paths:
    ...         print(scanner.scan(path).verdict)

    Args:
        detector: the one to use; the one that ships with the package if None.
        pairs: pairs of consecutive frames to look at, spread over the whole length. Where some of them are suspicious,
            as many again are looked at there.
        pictures: whether the frame pairs that weighed most come with small pictures and heat maps.

    Raises:
        ModelError: no detector ships with this copy, or it is damaged.
    """

    def __init__(self, detector: Detector | None = None, *, pairs: int = 20, pictures: bool = False) -> None:
        self.detector = detector or load_detector()
        self.views = ViewConfig(window=self.detector.window, pairs=pairs)
        self.pictures = pictures
        self._finder = PeopleFinder(max_people=self.views.max_people)
        # What weighs is what lies farthest beyond the score at which fake and filmed are equally likely.
        self._even = even_score(self.detector.calibration)

    def __enter__(self) -> Scanner:
        self._finder.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._finder.__exit__(*error)

    def scan(self, path: str | Path) -> ScanResult:
        """Look at one video.

        Memory does not grow with its length, only with the pairs that are looked at.

        Raises:
            VideoError: nothing in the file can be decoded, or it was changed meanwhile.
        """
        begin, date = time.monotonic(), datetime.now(UTC)
        info = VideoInfo.from_path(path)
        looker = Looker(
            Path(path),
            self._finder,
            self.views,
            self.pictures,
            second_pose=self.detector.needs_second_pose,
            surroundings=self.detector.needs_surroundings,
        )
        frames = [float(moment) for moment in frame_times(path)]
        bits = bits_per_pixel(info.size_bytes, info.width, info.height, len(frames))
        looker.first(sampled_times(path, self.views))
        # The next that takes much is the detector, and it takes it elsewhere.
        give_back_memory()
        people = tuple(self._person(person, looker, frames, bits) for person in list(looker.people))
        found = worst(people, len(looker.seen))
        manifest = read_manifest(path)
        marks = read_marks(info.metadata)
        give_back_memory()
        after = sha256_file(path)
        if after != info.sha256:
            raise VideoError(
                "the file was changed while it was scanned: its SHA-256 differs before and after",
                path=path,
                hint="scan a copy that nothing writes to",
            )
        return ScanResult(
            path=str(path),
            verdict=found.verdict,
            probability=found.probability,
            log10_lr=found.log10_lr,
            interval=found.interval,
            reasons=found.reasons,
            people=people,
            statement=marks,
            c2pa=asdict(manifest) | {"lines": manifest.lines()},
            video=_facts(info) | {"sha256_after": after},
            problems=tuple(dict.fromkeys(looker.problems)),
            pairs=len(looker.seen),
            tool=self._tool(),
            date=date.isoformat(timespec="seconds"),
            seconds=round(time.monotonic() - begin, 3),
        )

    def _person(
        self, person: Person, looker: Looker, frames: list[float], bits: float | None
    ) -> PersonFinding:
        first = list(person.pairs)
        scores = self._judge(first)
        judged = judge_person(
            self.detector.calibration, scores, person, least_height=self.views.least_height, bits=bits
        )
        spans: tuple[Span, ...] = ()
        verdicts = _by_pair(first, scores)
        if judged.probability is not None:
            verdicts, spans = self._look_again(person, looker, frames, verdicts, judged)
            judged = partly_fake(judged, spans)
        timeline = [verdict.moment for verdict in verdicts]
        return PersonFinding(
            person=person.number,
            verdict=judged.verdict,
            probability=judged.probability,
            log10_lr=judged.log10_lr,
            interval=judged.interval,
            score=judged.score,
            distance=judged.facts.distance if judged.score is not None else None,
            reasons=judged.reasons,
            why=judged.why,
            height=float(np.median([sighting.height for sighting in person.sightings])),
            first_seen=min(sighting.time for sighting in person.sightings),
            last_seen=max(sighting.time for sighting in person.sightings),
            pairs_seen=len(person.sightings),
            pairs_judged=len(timeline),
            telling=self._telling(verdicts, judged) if judged.score is not None else (),
            timeline=tuple(timeline) if judged.score is not None else (),
            spans=spans,
        )

    def _judge(self, pairs: list[SeenPair]) -> Scores:
        return self.detector.judge(as_evidence(pairs)) if pairs else Scores(np.zeros(0))

    def _look_again(
        self, person: Person, looker: Looker, frames: list[float], verdicts: list[_Judged], judged: Judgement
    ) -> tuple[list[_Judged], tuple[Span, ...]]:
        """More pairs round suspicious times; then the stretches, tested on what was seen only then."""
        stretches = self._suspicious(verdicts)
        if not stretches:
            return verdicts, ()
        before = len(person.pairs)
        wanted: list[float] = []
        for stretch in stretches:
            low, high = _edges(verdicts, stretch, frames)
            count = max(self.views.pairs // len(stretches), LEAST_PAIRS)
            wanted += times_between(frames[:-1], low, high, looker.seen, count)
        looker.again(wanted, person.number)
        fresh = person.pairs[before:]
        if fresh:
            verdicts = sorted(
                [*verdicts, *_by_pair(fresh, self._judge(fresh))], key=lambda judged: judged.moment.time
            )
        spans = []
        for stretch in self._suspicious(verdicts):
            inside = [judged.moment for judged in verdicts[stretch.first : stretch.last + 1]]
            low, high = _edges(verdicts, stretch, frames)
            if span := judge_span(judged, self._calibration, inside, low, high):
                spans.append(span)
        return verdicts, tuple(spans)

    @property
    def _calibration(self) -> Calibration:
        calibration = self.detector.calibration
        if calibration is None:
            raise ModelError("the detector is not calibrated", hint="train it on more people")
        return calibration

    def _suspicious(self, verdicts: list[_Judged]) -> list[Stretch]:
        return suspicious([self._calibration.probability(judged.moment.score) for judged in verdicts])

    def _telling(self, verdicts: list[_Judged], found: Judgement) -> tuple[PairFinding, ...]:
        towards_fake = found.verdict == FAKE or (found.score or 0.0) > self._even
        sign = -1 if towards_fake else 1
        told = []
        for judged in sorted(verdicts, key=lambda one: (sign * one.moment.score, one.moment.time))[:TELLING]:
            views, logits = judged.pair.views, judged.windows
            heard = logits is not None and bool(np.isfinite(logits).any())
            loudest = views[int(np.nanargmin(sign * logits))] if logits is not None and heard else None
            shown = None
            if judged.pair.kept is not None:
                shown = picture(self.detector, judged.pair, logits, self._even)
            told.append(
                PairFinding(
                    time=judged.moment.time,
                    score=judged.moment.score,
                    part=loudest.part if loudest else "whole",
                    box=loudest.box if loudest else _whole(judged.pair),
                    picture=shown,
                )
            )
        return tuple(told)

    def _tool(self) -> dict[str, Any]:
        calibration = self.detector.calibration
        return {
            "version": VERSION,
            "libraries": _libraries(),
            "detector": self.detector.name,
            "detector_sha256": self.detector.weights_sha256,
            "calibration_sha256": self.detector.calibration_sha256,
            "calibration": None if calibration is None else asdict(calibration),
            "settings": asdict(self.views),
        }


def scan(
    path: str | Path, *, detector: Detector | None = None, pairs: int = 20, pictures: bool = False
) -> ScanResult:
    """Scan one video; see `Scanner` for many.

    >>> scan("dance.mp4").verdict
    'real'

    Args:
        path: the video.
        detector, pairs, pictures: as `Scanner` takes them.

    Raises:
        VideoError: nothing in the file can be decoded, or it was changed meanwhile.
        ModelError: no detector ships with this copy, or it is damaged.
    """
    with Scanner(detector, pairs=pairs, pictures=pictures) as scanner:
        return scanner.scan(path)


@dataclass(frozen=True)
class _Judged:
    """One pair of one person with its scores, of the pair and of each window."""

    pair: SeenPair
    moment: Moment
    windows: npt.NDArray[np.float64] | None


def _by_pair(pairs: list[SeenPair], scores: Scores) -> list[_Judged]:
    """In order of time; pairs that the detector could not judge are left out."""
    found, begin = [], 0
    for pair, score in zip(pairs, scores.pairs, strict=True):
        windows = None if scores.windows is None else scores.windows[begin : begin + len(pair.views)]
        begin += len(pair.views)
        if np.isfinite(score):
            small = None if pair.kept is None else as_data(thumbnail(pair.kept.first))
            found.append(_Judged(pair, Moment(pair.sighting.time, float(score), pair.look, small), windows))
    return sorted(found, key=lambda judged: judged.moment.time)


def _whole(pair: SeenPair) -> tuple[int, int, int, int]:
    x0, y0, x1, y1 = (round(value) for value in pair.sighting.box)
    return x0, y0, x1, y1


def _edges(verdicts: list[_Judged], stretch: Stretch, frames: list[float]) -> tuple[float, float]:
    """The nearest looked-at pairs outside of a stretch, or the video's ends."""
    low = verdicts[stretch.first - 1].moment.time if stretch.first > 0 else frames[0]
    high = verdicts[stretch.last + 1].moment.time if stretch.last + 1 < len(verdicts) else frames[-1]
    return low, high


@cache
def _libraries() -> dict[str, str]:
    return {name: version(name) for name in _LIBRARIES}


def _facts(info: VideoInfo) -> dict[str, Any]:
    return {
        "sha256": info.sha256,
        "size_bytes": info.size_bytes,
        "container": info.container,
        "codec": info.codec,
        "pixel_format": info.pixel_format,
        "width": info.width,
        "height": info.height,
        "rotation": info.rotation,
        "duration": info.duration,
        "frame_count": info.frame_count,
        "average_fps": info.average_fps,
        "constant_rate": info.constant_rate,
        "streams": [asdict(stream) for stream in info.streams],
        "metadata": dict(sorted(info.metadata.items())),
    }
