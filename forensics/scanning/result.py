"""What a scan says about a video and about each person in it, as plain data."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from forensics.decide import PROPOSITIONS

#: Of the JSON that `ScanResult.to_dict` gives; its schema is published as ``forensics/schema/scan-result.schema.json``.
SCHEMA = 2


@dataclass(frozen=True)
class Moment:
    """One frame pair of the time line.

    Attributes:
        time: of its first frame, seconds.
        score: logit; above zero speaks for a fake.
        look: 1 if it was looked at in the even spread over the whole video, 2 if because its surroundings were
            suspicious. Only the first count for the verdict on the whole; the second test the suspicion.
        picture: the first frame round the person, small, as JPEG in a ``data:`` address; None where no pictures were
            asked for.
    """

    time: float
    score: float
    look: int
    picture: str | None = None


@dataclass(frozen=True)
class Picture:
    """What was seen in one frame pair of a person, small, and where the evidence for a fake sits.

    Attributes:
        box: the part of the video's frame that is shown, x0, y0, x1, y1 in pixels.
        first, second: the two frames, as JPEG in a ``data:`` address.
        heat: the first frame under its heat map; None where no window spoke for a fake, or this detector has none.
        method: how the heat was found: "gradient" or "occlusion"; empty where there is none.
    """

    box: tuple[int, int, int, int]
    first: str
    second: str
    heat: str | None
    method: str


@dataclass(frozen=True)
class PairFinding:
    """One pair of consecutive frames of one person.

    Attributes:
        time: of its first frame, seconds.
        score: logit of the pair; above zero speaks for a fake.
        part: the window that spoke loudest for the pair's side.
        box: of that window, x0, y0, x1, y1 in pixels of the video.
        picture: None where no pictures were asked for.
    """

    time: float
    score: float
    part: str
    box: tuple[int, int, int, int]
    picture: Picture | None = None


@dataclass(frozen=True)
class Span:
    """A stretch of the video that differs from the rest.

    Attributes:
        begin, end: seconds; first and last looked-at pair inside.
        begins_after, ends_before: the nearest looked-at pairs outside; the edge lies between. The video's start or end
            where there is none.
        pairs: frame pairs inside.
        score: mean logit of the pairs that the stretch was tested on.
        probability, log10_lr, interval: as of a person, for that score.
        tested_on: how many pairs that were; they were not among those that raised the suspicion, unless the video
            has no others.
        verdict: "fake", "inconclusive" or "real", by the same thresholds as whole videos.
    """

    begin: float
    end: float
    begins_after: float
    ends_before: float
    pairs: int
    score: float
    probability: float
    log10_lr: float
    interval: tuple[float, float] | None
    tested_on: int
    verdict: str


@dataclass(frozen=True)
class PersonFinding:
    """What the scan says about one person.

    Attributes:
        person: number, in order of appearance.
        verdict: "fake", "real" or "inconclusive".
        probability: of a fake at even prior odds; None where nothing could be judged. Where a stretch alone is fake,
            that of the stretch.
        log10_lr: base-10 logarithm of the likelihood ratio of `forensics.decide.PROPOSITIONS`; None with it.
        interval: 95 % interval of `log10_lr`, had other people been calibrated on; None with it, and for calibrations
            of earlier versions.
        score: mean logit over the frame pairs of the first look; None where nothing could be judged.
        distance: from the training data, 1 being usual; None where nothing could be judged.
        reasons: in words, the weightiest first.
        why: kinds of these reasons, see `forensics.decide.Why`; "in a part" where a stretch decided.
        height: median visible height, pixels.
        first_seen, last_seen: seconds, among the sampled frames.
        pairs_seen, pairs_judged: frame pairs.
        telling: the pairs that weighed most, the weightiest first.
        timeline: every judged pair, in order of time.
        spans: stretches that are fake, or suspicious, while the rest is not.
    """

    person: int
    verdict: str
    probability: float | None
    log10_lr: float | None
    interval: tuple[float, float] | None
    score: float | None
    distance: float | None
    reasons: tuple[str, ...]
    why: tuple[str, ...]
    height: float
    first_seen: float
    last_seen: float
    pairs_seen: int
    pairs_judged: int
    telling: tuple[PairFinding, ...]
    timeline: tuple[Moment, ...] = ()
    spans: tuple[Span, ...] = ()


@dataclass(frozen=True)
class ScanResult:
    """What the scan says about one video.

    Attributes:
        path: as it was given; `fakedetect scan` gives it whole.
        verdict: of the worst person; "inconclusive" where nobody could be judged.
        probability: of that person; None where nothing could be judged.
        log10_lr: of that person; None with the probability.
        interval: of that person's `log10_lr`; None with it.
        reasons: in words.
        people: one finding a person.
        statement: what the file's own metadata says about being made, or None. It changes no verdict.
        c2pa: state of the file's C2PA manifest, see `dataset.provenance.ManifestState`: whether it is unaltered since
            it was signed, and by whom, are two findings. It changes no verdict either.
        video: container and stream facts, and SHA-256 before and after the scan.
        problems: what could not be decoded.
        pairs: frame pairs looked at.
        tool: version of this software and of what it decodes and computes with; the detector, with the hashes of its
            weights and its calibration; what the calibration was fitted on; the settings of the scan.
        date: when the scan began, ISO 8601, UTC.
        seconds: the scan took. It and the date are all that differs between two scans of one file.
    """

    path: str
    verdict: str
    probability: float | None
    log10_lr: float | None
    interval: tuple[float, float] | None
    reasons: tuple[str, ...]
    people: tuple[PersonFinding, ...]
    statement: str | None
    c2pa: dict[str, Any]
    video: dict[str, Any]
    problems: tuple[str, ...]
    pairs: int
    tool: dict[str, Any]
    date: str
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """As JSON values, by the published schema; lists, never tuples, so that it equals what is read back."""
        return {"schema": SCHEMA, "propositions": list(PROPOSITIONS), **_plain(asdict(self))}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value
