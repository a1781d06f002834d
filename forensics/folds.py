"""Who is left out with whom, and what must not be in a corpus that is to be believed."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from typing import Any, Self

from dataset.errors import DetectorError
from dataset.records import Clip, Corpus
from dataset.video import VideoInfo

_ANEW = re.compile(r"^(backdrop_|refilmed_\d+_)+")
#: Kinds of what is left out besides people, and the fields that hold them.
_KINDS = {"source": "sources", "generator": "families", "clip": "clips"}


@dataclass(frozen=True)
class Fold:
    """What is kept from a detector in training, so that it can be tested on it.

    Attributes:
        subjects: people, seen or giving the motion.
        sources: recordings whose motion is kept away, and the recordings themselves.
        families: generator families, see `family`.
        clips: single clips, by path.
    """

    subjects: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    families: tuple[str, ...] = ()
    clips: tuple[str, ...] = ()

    @classmethod
    def from_dict(cls, told: dict[str, Any]) -> Self:
        """What `to_dict` gave.

        Raises:
            TypeError: an unknown field.
        """
        return cls(**{name: tuple(values) for name, values in told.items()})

    def to_dict(self) -> dict[str, list[str]]:
        """As JSON values."""
        return {name: list(values) for name, values in asdict(self).items()}

    @classmethod
    def of(cls, names: Sequence[str]) -> Self:
        """From a plain list: people by their names, everything else by a kind in front, as in ``source:waltz``."""
        parts: dict[str, list[str]] = {field: [] for field in _KINDS.values()}
        subjects = []
        for name in names:
            kind, colon, rest = name.partition(":")
            if colon and kind in _KINDS:
                parts[_KINDS[kind]].append(rest)
            else:
                subjects.append(name)
        return cls(tuple(subjects), **{field: tuple(values) for field, values in parts.items()})

    def names(self) -> tuple[str, ...]:
        """The plain list that `of` reads."""
        others = [f"{kind}:{name}" for kind, field in _KINDS.items() for name in getattr(self, field)]
        return (*self.subjects, *others)

    def trains(self, clip: Clip) -> bool:
        """Whether a clip may be trained on: nothing in it is left out."""
        return (
            not {clip.subject, clip.source_subject} & set(self.subjects)
            and not {clip.source, filmed_as(clip.source)} & set(self.sources)
            and not (clip.generator and family(clip.generator) in self.families)
            and clip.path not in self.clips
        )

    def tests(self, clip: Clip) -> bool:
        """Whether a clip may be tested: all of it is left out, of a real one all but the generator."""
        return (
            (not self.subjects or {clip.subject, clip.source_subject} <= set(self.subjects))
            and (not self.sources or clip.source in self.sources)
            and (not self.families or not clip.generator or family(clip.generator) in self.families)
            and (not self.clips or clip.path in self.clips)
            and not self.trains(clip)
        )


def filmed_as(source: str) -> str:
    """The name of the recording that a refilmed one (`forensics.camera`), or one with a backdrop, was made from.

    Other names stay.

    >>> filmed_as("refilmed_2_waltz"), filmed_as("backdrop_refilmed_2_waltz"), filmed_as("waltz")
    ('waltz', 'waltz', 'waltz')
    """
    return _ANEW.sub("", source)


def family(generator: str) -> str:
    """The family of a generator: its name up to the first dash, so that ``compact-256-600`` is of ``compact``."""
    return generator.partition("-")[0]


def is_train_only(clip: Clip, patterns: Sequence[str]) -> bool:
    """Whether a clip is never evidence: it may be trained on, but neither calibrates nor is counted.

    Args:
        clip: any.
        patterns: of names of subjects, such as mannequins, and of recordings, such as those that were filmed anew from
            others (`forensics.camera`).
    """
    return any(fnmatchcase(name, pattern) for name in (clip.subject, clip.source) for pattern in patterns)


def make_folds(clips: Sequence[Clip], count: int, train_only: Sequence[str] = ()) -> list[list[str]]:
    """Part the subjects into at most `count` groups that are left out together.

    People tied by a cross-subject fake stay together where the group does not grow beyond its share: only then can
    that fake be tested by a detector that has seen neither of the two.

    Args:
        clips: of the corpus.
        count: groups wanted; as many as there are subjects is leave-one-subject-out.
        train_only: patterns of subjects and recordings that are no evidence; see `is_train_only`.

    Raises:
        DetectorError: fewer than two subjects can be left out.
    """
    weight = Counter(clip.subject for clip in clips if not is_train_only(clip, train_only))
    subjects = sorted(weight)
    if len(subjects) < 2:
        raise DetectorError(
            f"{len(subjects)} subject(s) can be left out, at least 2 are needed",
            hint="add clips of more people to the corpus",
        )
    count = max(2, min(count, len(subjects)))
    largest = -(-len(subjects) // count)
    group = {subject: {subject} for subject in subjects}
    links = sorted({(clip.subject, clip.source_subject) for clip in clips if clip.kind == "cross"})
    for target, source in links:
        if target not in group or source not in group or group[target] is group[source]:
            continue
        joined = group[target] | group[source]
        if len(joined) <= largest:
            for subject in joined:
                group[subject] = joined
    units = {tuple(sorted(members)) for members in group.values()}
    folds: list[list[str]] = [[] for _ in range(count)]
    load = [0] * count
    for unit in sorted(units, key=lambda unit: (-sum(weight[name] for name in unit), unit)):
        lightest = load.index(min(load))
        folds[lightest] += unit
        load[lightest] += sum(weight[name] for name in unit)
    return [sorted(fold) for fold in folds if fold]


def trainable(clip: Clip, left_out: Sequence[str]) -> bool:
    """Whether a clip may be trained on: nobody left out is seen in it, and none of its motion is theirs.

    Args:
        clip: the clip.
        left_out: people, and whatever else `Fold.of` understands.
    """
    return Fold.of(left_out).trains(clip)


def without(corpus: Corpus, left_out: Sequence[str]) -> Corpus:
    """The corpus less every clip in which somebody left out is seen or gives the motion.

    Raises:
        DetectorError: there is no such subject.
    """
    if unknown := set(left_out) - set(corpus.subjects()):
        raise DetectorError(
            f"no subject {', '.join(sorted(unknown))}; there are: {', '.join(corpus.subjects())}",
            path=corpus.root,
        )
    return Corpus(corpus.root, [clip for clip in corpus.clips if trainable(clip, left_out)])


def judgeable(clip: Clip, left_out: Sequence[str], train_only: Sequence[str] = ()) -> bool:
    """Whether a clip may be tested: everybody in it, on both sides, is left out, and it is evidence.

    Args:
        clip: the clip.
        left_out: people, and whatever else `Fold.of` understands.
        train_only: see `is_train_only`.
    """
    return Fold.of(left_out).tests(clip) and not is_train_only(clip, train_only)


def check_corpus(corpus: Corpus) -> None:
    """Refuse a corpus on which a detector would learn the file instead of the picture.

    Raises:
        DetectorError: the first of: a file twice, real and fake encoded differently, a clip without its pair.
    """
    by_path = {clip.path: clip for clip in corpus.clips}
    if len(by_path) < len(corpus.clips):
        twice = next(
            path for path, number in Counter(clip.path for clip in corpus.clips).items() if number > 1
        )
        raise DetectorError("the manifest names this clip twice", path=twice)
    seen: dict[str, str] = {}
    for clip in corpus.clips:
        if clip.sha256 in seen:
            raise DetectorError(f"the same file as {seen[clip.sha256]}", path=clip.path)
        seen[clip.sha256] = clip.path
    facts = {clip.path: _facts(corpus, clip) for clip in corpus.clips}
    values: dict[str, set[tuple[str, ...]]] = defaultdict(set)
    for clip in corpus.clips:
        values[clip.label].add(facts[clip.path][0])
    if values["real"] and values["fake"] and values["real"] != values["fake"]:
        odd = " ".join(sorted(values["real"] ^ values["fake"])[0])
        raise DetectorError(
            f"the container tells the label: only real or only fake clips are {odd}",
            path=corpus.root,
            hint="encode all clips of a corpus by one encoder at one setting",
        )
    for clip in corpus.clips:
        if clip.pair is None:
            continue
        if clip.pair not in by_path or by_path[clip.pair].label == clip.label:
            raise DetectorError(f"its pair {clip.pair} is not a clip of the other label", path=clip.path)
        if facts[clip.path] != facts[clip.pair]:
            raise DetectorError(
                f"differs from its pair {clip.pair} in codec, pixel format, size or frame rate",
                path=clip.path,
                hint="encode both by one encoder at one setting",
            )


def _facts(corpus: Corpus, clip: Clip) -> tuple[tuple[str, ...], tuple[int, int, float]]:
    info = VideoInfo.from_path(corpus.absolute(clip))
    if info.sha256 != clip.sha256:
        raise DetectorError(
            "the file is not the one that corpus.json describes: SHA-256 differs", path=corpus.absolute(clip)
        )
    encoding = (info.container, info.codec, info.pixel_format)
    return encoding, (info.width, info.height, round(info.average_fps, 1))
