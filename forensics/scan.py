"""Is this video real? Everybody in it is looked at and judged separately; what cannot be judged is said so."""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from dataset.pose.people import PeopleFinder
from dataset.provenance import VERSION, read_manifest, read_marks
from dataset.video import VideoInfo
from forensics.calibrate import FAKE, INCONCLUSIVE, REAL
from forensics.detector import Detector, load_detector
from forensics.people import Sighting
from forensics.views import ViewConfig, cut, watch

SCHEMA = 1
#: A person judged in fewer frame pairs than this is not judged.
LEAST_PAIRS = 3
#: So many of a person's frame pairs are listed as those that weighed most.
_TELLING = 3
_ORDER = (FAKE, INCONCLUSIVE, REAL)


@dataclass(frozen=True)
class PairFinding:
    """One pair of consecutive frames of one person.

    Attributes:
        time: of its first frame, seconds.
        score: mean logit over its windows; above zero speaks for a fake.
        part: the window that spoke loudest for the pair's side.
        box: of that window, x0, y0, x1, y1 in pixels of the video.
    """

    time: float
    score: float
    part: str
    box: tuple[int, int, int, int]


@dataclass(frozen=True)
class PersonFinding:
    """What the scan says about one person.

    Attributes:
        person: number, in order of appearance.
        verdict: "fake", "real" or "inconclusive".
        probability: of a fake at even prior odds; None where nothing could be judged.
        score: mean logit over the frame pairs; None where nothing could be judged.
        distance: from the training data, 1 being usual; None where nothing could be judged.
        reasons: in words.
        height: median visible height, pixels.
        first_seen, last_seen: seconds, among the sampled frames.
        pairs_seen, pairs_judged: frame pairs.
        telling: the pairs that weighed most, the weightiest first.
    """

    person: int
    verdict: str
    probability: float | None
    score: float | None
    distance: float | None
    reasons: tuple[str, ...]
    height: float
    first_seen: float
    last_seen: float
    pairs_seen: int
    pairs_judged: int
    telling: tuple[PairFinding, ...]


@dataclass(frozen=True)
class ScanResult:
    """What the scan says about one video.

    Attributes:
        path: as it was given.
        verdict: of the worst person; "inconclusive" where nobody could be judged.
        probability: of that person; None where nothing could be judged.
        reasons: in words.
        people: one finding a person.
        statement: what the file's own metadata says about being made, or None. It changes no verdict.
        c2pa: state of the file's C2PA manifest, see `dataset.provenance.ManifestState`: whether it is unaltered since
            it was signed, and by whom, are two findings. It changes no verdict either.
        video: container facts and SHA-256.
        problems: what could not be decoded.
        pairs: frame pairs looked at.
        tool: version of this software, hashes of the detector's weights and calibration.
        seconds: the scan took; the only figure that differs between two scans of one file.
    """

    path: str
    verdict: str
    probability: float | None
    reasons: tuple[str, ...]
    people: tuple[PersonFinding, ...]
    statement: str | None
    c2pa: dict[str, Any]
    video: dict[str, Any]
    problems: tuple[str, ...]
    pairs: int
    tool: dict[str, Any]
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return {"schema": SCHEMA, **asdict(self)}


@dataclass
class _Seen:
    sightings: list[Sighting] = field(default_factory=list)
    pairs: list[PairFinding] = field(default_factory=list)
    distances: list[float] = field(default_factory=list)


class Scanner:
    """A detector and a pose estimator, opened once for many videos.

    >>> with Scanner() as scanner:
    ...     for path in paths:
    ...         print(scanner.scan(path).verdict)

    Args:
        detector: the one to use; the one that ships with the package if None.
        pairs: pairs of consecutive frames to look at, spread over the whole length.

    Raises:
        ModelError: no detector ships with this copy, or it is damaged.
    """

    def __init__(self, detector: Detector | None = None, *, pairs: int = 20) -> None:
        self.detector = detector or load_detector()
        self.views = ViewConfig(window=self.detector.config.window, pairs=pairs)
        self._finder = PeopleFinder(max_people=self.views.max_people)
        calibration = self.detector.calibration
        # The score at which fake and filmed are equally likely: what weighs is what lies farthest beyond it.
        self._even = (
            -calibration.intercept / calibration.slope if calibration and calibration.slope > 0 else 0.0
        )

    def __enter__(self) -> Scanner:
        self._finder.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._finder.__exit__(*error)

    def scan(self, path: str | Path) -> ScanResult:
        """Look at one video.

        Memory does not grow with its length: one pair of frames is held at a time.

        Raises:
            VideoError: nothing in the file can be decoded.
        """
        begin = time.monotonic()
        info = VideoInfo.from_path(path)
        problems: list[str] = []
        everybody: dict[int, _Seen] = defaultdict(_Seen)
        pairs = 0
        for pair, sightings in watch(path, self._finder, self.views, problems):
            pairs += 1
            for sighting in sightings:
                seen = everybody[sighting.person]
                seen.sightings.append(sighting)
                views = cut(pair, sighting, self.views)
                if not views:
                    continue
                logits, embeddings = self.detector.judge(np.stack([view.pixels for view in views]))
                score = float(logits.mean())
                loudest = views[int(np.argmax(logits if score > self._even else -logits))]
                seen.pairs.append(PairFinding(sighting.time, score, loudest.part, loudest.box))
                if self.detector.familiarity is not None:
                    seen.distances += self.detector.familiarity.distances(embeddings).tolist()
        people = tuple(self._judge(person, seen) for person, seen in sorted(everybody.items()))
        verdict, probability, reasons = _worst(people, pairs)
        manifest = read_manifest(path)
        return ScanResult(
            path=str(path),
            verdict=verdict,
            probability=probability,
            reasons=reasons,
            people=people,
            statement=read_marks(info.metadata),
            c2pa=asdict(manifest) | {"lines": manifest.lines()},
            video=_facts(info),
            problems=tuple(problems),
            pairs=pairs,
            tool={
                "version": VERSION,
                "detector_sha256": self.detector.weights_sha256,
                "calibration_sha256": self.detector.calibration_sha256,
            },
            seconds=round(time.monotonic() - begin, 3),
        )

    def _judge(self, person: int, seen: _Seen) -> PersonFinding:
        height = float(np.median([sighting.height for sighting in seen.sightings]))
        calibration = self.detector.calibration
        verdict, probability, score, distance = INCONCLUSIVE, None, None, None
        reason = ""
        if not seen.pairs:
            reason = (
                f"too small: {height:.0f} pixels high, at least {self.views.least_height} are needed to judge"
            )
        elif len(seen.pairs) < LEAST_PAIRS:
            reason = f"seen large enough in {len(seen.pairs)} frame pair(s) only, at least {LEAST_PAIRS} are needed"
        elif calibration is None:
            reason = "the detector is not calibrated: train it on more people"
        else:
            score = float(np.mean([pair.score for pair in seen.pairs]))
            distance = float(np.median(seen.distances)) if seen.distances else None
            if distance is not None and distance >= calibration.unfamiliar_from:
                reason = (
                    f"unlike anything in training: distance {distance:.2f}, "
                    f"at most {calibration.unfamiliar_from:.2f} is judged"
                )
            else:
                probability, verdict = calibration.probability(score), calibration.verdict(score)
                reason = _reason(verdict, probability, calibration.fake_from, calibration.real_to)
        telling = sorted(
            seen.pairs,
            key=lambda pair: (-pair.score if (score or 0) > self._even else pair.score, pair.time),
        )
        return PersonFinding(
            person=person,
            verdict=verdict,
            probability=probability,
            score=score,
            distance=distance,
            reasons=(reason,),
            height=height,
            first_seen=seen.sightings[0].time,
            last_seen=seen.sightings[-1].time,
            pairs_seen=len(seen.sightings),
            pairs_judged=len(seen.pairs),
            telling=tuple(telling[:_TELLING]) if score is not None else (),
        )


def scan(path: str | Path, *, detector: Detector | None = None, pairs: int = 20) -> ScanResult:
    """Scan one video; see `Scanner` for many.

    >>> scan("dance.mp4").verdict
    'real'
    """
    with Scanner(detector, pairs=pairs) as scanner:
        return scanner.scan(path)


def _reason(verdict: str, probability: float, fake_from: float, real_to: float) -> str:
    if verdict == FAKE:
        return (
            f"looks like motion transfer: probability {probability:.3f}, from {fake_from:.3f} on called fake"
        )
    if verdict == REAL:
        return (
            f"no sign of the motion transfer it was trained on: probability {probability:.3f}, up to {real_to:.3f} "
            "called real; other kinds of synthesis are not looked for"
        )
    return (
        f"between the thresholds: probability {probability:.3f}, called real up to {real_to:.3f} "
        f"and fake from {fake_from:.3f}"
    )


def _worst(people: tuple[PersonFinding, ...], pairs: int) -> tuple[str, float | None, tuple[str, ...]]:
    """Fake if anybody is; real only if everybody large and long enough to be judged is.

    People too small or too briefly seen do not keep a video from a verdict, they are only counted.
    """
    if not people:
        told = "no person found" if pairs else "fewer than two frames could be decoded"
        return INCONCLUSIVE, None, (told,)
    judged = [person for person in people if person.score is not None]
    if not judged:
        return INCONCLUSIVE, None, tuple(f"person {p.person}: {r}" for p in people for r in p.reasons)
    worst = min(judged, key=lambda person: (_ORDER.index(person.verdict), -(person.probability or 0.0)))
    reasons = [f"person {worst.person}: {reason}" for reason in worst.reasons]
    if others := len(people) - len(judged):
        reasons.append(f"{others} of {len(people)} people could not be judged")
    return worst.verdict, worst.probability, tuple(reasons)


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
        "average_fps": info.average_fps,
        "constant_rate": info.constant_rate,
        "streams": [asdict(stream) for stream in info.streams],
        "metadata": dict(sorted(info.metadata.items())),
    }
