"""What must be new to a detector in a test, as data; and which clips to leave out so that it is.

A protocol is a demand on each single trial, and whether a trial meets it is worked out from what the detector was in
fact trained on, not from how the run was called. One trial can meet several protocols.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from dataset.errors import DetectorError
from dataset.records import Clip
from forensics.folds import Fold, family, is_train_only, make_folds

SUBJECT, SOURCE, GENERATOR = "subject", "source", "generator"


@dataclass(frozen=True)
class Protocol:
    """A demand on a trial.

    Attributes:
        name: short.
        text: for readers.
        unseen: what the detector must not have met in training: "subject" (on both sides of a fake), "source" (the
            recording whose motion it is), "generator" (its family; a real clip counts beside the fakes of its fold).
        seen: what it must have met: for figures that are shown only to be distrusted.
    """

    name: str
    text: str
    unseen: frozenset[str]
    seen: frozenset[str] = frozenset()


HELD_OUT_SUBJECT = Protocol(
    "held-out subject",
    "nobody in the video, neither who is seen nor whose motion it is, was trained on",
    frozenset({SUBJECT}),
)
HELD_OUT_SOURCE = Protocol(
    "held-out source motion",
    "the recording whose motion the video has was not trained on, neither as it is nor in a fake",
    frozenset({SOURCE}),
)
HELD_OUT_GENERATOR = Protocol(
    "held-out generator",
    "no fake of this family of generators was trained on",
    frozenset({GENERATOR}),
)
ALL_HELD_OUT = Protocol(
    "all held out",
    "people, source motion and generator family are all new to the detector",
    frozenset({SUBJECT, SOURCE, GENERATOR}),
)
IN_DISTRIBUTION = Protocol(
    "in distribution",
    "people, source motion and generator were all trained on, only the file was not: this flatters",
    frozenset(),
    frozenset({SUBJECT, SOURCE, GENERATOR}),
)
#: In the order of reports.
PROTOCOLS = {
    protocol.name: protocol
    for protocol in (HELD_OUT_SUBJECT, HELD_OUT_SOURCE, HELD_OUT_GENERATOR, ALL_HELD_OUT, IN_DISTRIBUTION)
}

#: Short names of the protocols, for the command line.
SHORT = {
    "subject": "held-out subject",
    "source": "held-out source motion",
    "generator": "held-out generator",
    "all": "all held out",
    "in-distribution": "in distribution",
}


@dataclass(frozen=True)
class Training:
    """What a detector has met.

    Attributes:
        subjects: everybody seen or giving the motion.
        sources: recordings.
        families: of generators.
        sha256: hashes of the files.
    """

    subjects: frozenset[str]
    sources: frozenset[str]
    families: frozenset[str]
    sha256: frozenset[str]

    @classmethod
    def of(cls, clips: Sequence[Clip]) -> Training:
        """What these clips hold."""
        return cls(
            frozenset(name for clip in clips for name in (clip.subject, clip.source_subject)),
            frozenset(clip.source for clip in clips),
            frozenset(family(clip.generator) for clip in clips if clip.generator),
            frozenset(clip.sha256 for clip in clips),
        )

    def unseen(self, clip: Clip) -> frozenset[str]:
        """Which of "subject", "source" and "generator" of a clip are new; for a real clip without the last."""
        new = set()
        if not {clip.subject, clip.source_subject} & self.subjects:
            new.add(SUBJECT)
        if clip.source not in self.sources:
            new.add(SOURCE)
        if clip.generator and family(clip.generator) not in self.families:
            new.add(GENERATOR)
        return frozenset(new)


def meets(protocol: Protocol, clip: Clip, training: Training, company: Sequence[Clip] = ()) -> bool:
    """Whether a trial meets a protocol.

    Args:
        protocol: the demand.
        clip: what was judged.
        training: of the detector that judged it.
        company: the other clips that this detector was tested on: what a real clip has no generator for is decided by
            the fakes beside it.
    """
    new = training.unseen(clip)
    if clip.generator:
        return protocol.unseen <= new and not protocol.seen & new
    rest = protocol.unseen - {GENERATOR}
    if not rest <= new or protocol.seen & new:
        return False
    if GENERATOR not in protocol.unseen | protocol.seen:
        return True
    return any(fake.generator and meets(protocol, fake, training) for fake in company)


def protocol_folds(
    protocol: Protocol, clips: Sequence[Clip], count: int, train_only: Sequence[str] = ()
) -> list[Fold]:
    """What to leave out in turn so that the trials meet a protocol.

    Several things at once are left out side by side, as in a Latin square: the i-th group of people with the i-th
    family of generators, not every group with every family.

    Args:
        protocol: the demand.
        clips: of the corpus.
        count: groups wanted.
        train_only: patterns of subjects and recordings that are never tested.

    Raises:
        DetectorError: the corpus has too few people, recordings or families for it.
    """
    tested = [clip for clip in clips if not is_train_only(clip, train_only)]
    if not protocol.unseen:
        return [Fold(clips=group) for group in _groups(_files(tested), count)]
    families = sorted({family(clip.generator) for clip in tested if clip.generator})
    if GENERATOR in protocol.unseen and len(families) < 2:
        raise DetectorError(
            f"{protocol.name}: the corpus has fakes of {len(families)} family of generators, at least 2 are needed",
            hint="add fakes of another family with: synthesize fakes",
        )
    if SUBJECT in protocol.unseen:
        groups = make_folds(tested, count, train_only)
        folds = [
            Fold(
                subjects=tuple(group),
                sources=_own_sources(tested, group) if SOURCE in protocol.unseen else (),
            )
            for group in groups
        ]
        if GENERATOR not in protocol.unseen:
            return folds
        return [
            Fold(fold.subjects, fold.sources, (families[number % len(families)],))
            for number, fold in enumerate(folds)
        ]
    sources = {clip.source: [clip.source] for clip in tested}
    weight = Counter(clip.source for clip in tested)
    units = sorted(sources.values(), key=lambda unit: (-weight[unit[0]], unit))
    if GENERATOR not in protocol.unseen:
        return [Fold(sources=group) for group in _groups(units, count)]
    # The real clips that are judged must be new as well: half of the recordings for every other family.
    halves = _groups(units, 2)
    return [
        Fold(sources=halves[number % len(halves)], families=(name,)) for number, name in enumerate(families)
    ]


def _own_sources(clips: Sequence[Clip], group: Sequence[str]) -> tuple[str, ...]:
    return tuple(sorted({clip.source for clip in clips if clip.source_subject in group}))


def _files(clips: Sequence[Clip]) -> list[list[str]]:
    """Clips with their degraded copies, those of one recording side by side: dealt out in turn, no group gets all.

    Among themselves they are in an order that follows from the files alone.
    """
    units: dict[tuple[str, str], list[str]] = {}
    for clip in clips:
        units.setdefault((clip.source, clip.origin.get("copy_of", clip.sha256)), []).append(clip.path)
    return [
        units[key]
        for key in sorted(units, key=lambda key: (key[0], hashlib.sha256(key[1].encode()).hexdigest()))
    ]


def _groups(units: Sequence[Sequence[str]], count: int) -> list[tuple[str, ...]]:
    if len(units) < 2:
        raise DetectorError(f"{len(units)} part(s) can be left out, at least 2 are needed")
    groups: list[list[str]] = [[] for _ in range(max(2, min(count, len(units))))]
    for number, unit in enumerate(units):
        groups[number % len(groups)] += unit
    return [tuple(sorted(group)) for group in groups]
