"""The figures of a release: counted once, from what is in it, and used by every text and by the checks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dataset.collection.collection import Collection
from dataset.collection.records import Consent
from dataset.release.history import Past
from dataset.release.items import LeftOut
from dataset.release.splits import SPLITS
from dataset.release.tables import LABELS, Clip

Shards = dict[str, dict[str, list[tuple[str, int, int]]]]


@dataclass(frozen=True)
class Figures:
    """What can be counted in a release.

    Attributes:
        videos: label → split → how many.
        frames, seconds, megabytes: in all.
        pairs: split → fakes that mirror a recording.
        cross: split → fakes with another person's motion.
        subjects: everybody who is seen, sorted.
        subjects_of: split → how many people.
        kinds: "person" and "mannequin" → how many.
        motions: what is done → how many recordings.
        generators: name → how many fakes.
        sizes: "width×height" → how many videos.
        fps: least and most frames a second.
        lengths: least, middle and most seconds of a video.
    """

    videos: dict[str, dict[str, int]]
    frames: int
    seconds: float
    megabytes: float
    pairs: dict[str, int]
    cross: dict[str, int]
    subjects: tuple[str, ...]
    subjects_of: dict[str, int]
    kinds: dict[str, int]
    motions: dict[str, int]
    generators: dict[str, int]
    sizes: dict[str, int]
    fps: tuple[float, float]
    lengths: tuple[float, float, float]

    @property
    def total(self) -> int:
        """Videos in all."""
        return sum(sum(of_split.values()) for of_split in self.videos.values())

    def of(self, label: str) -> int:
        """Videos of one label."""
        return sum(self.videos[label].values())

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            name: list(value) if isinstance(value, tuple) else value for name, value in self.__dict__.items()
        }


def count(clips: Sequence[Clip], kinds: dict[str, str] | None = None) -> Figures:
    """Count the clips of a release.

    Args:
        clips: all of them.
        kinds: subject → "person" or "mannequin".
    """
    lengths = sorted(clip.duration for clip in clips)
    rates = [clip.fps for clip in clips]
    subjects = tuple(sorted({clip.item.subject for clip in clips}))
    split_of = {clip.item.subject: clip.split for clip in clips}
    known = kinds or {}
    return Figures(
        videos={
            label: {split: sum(c.item.label == label and c.split == split for c in clips) for split in SPLITS}
            for label in LABELS
        },
        frames=sum(len(clip.times) for clip in clips),
        seconds=round(sum(lengths), 2),
        megabytes=round(sum(clip.size_bytes for clip in clips) / 1e6, 2),
        pairs={split: sum(bool(c.item.pair) and c.split == split for c in clips) for split in SPLITS},
        cross={split: sum(c.item.kind == "cross" and c.split == split for c in clips) for split in SPLITS},
        subjects=subjects,
        subjects_of={split: sum(split_of[name] == split for name in subjects) for split in SPLITS},
        kinds=_counted(known.get(name, "person") for name in subjects),
        motions=_counted(c.item.motion or "not told" for c in clips if c.item.label == "real"),
        generators=_counted(c.item.generator for c in clips if c.item.label == "fake"),
        sizes=_counted(f"{clip.size[0]}×{clip.size[1]}" for clip in clips),
        fps=(round(min(rates), 3), round(max(rates), 3)),
        lengths=(round(lengths[0], 2), round(lengths[len(lengths) // 2], 2), round(lengths[-1], 2)),
    )


def _counted(values: Any) -> dict[str, int]:
    return dict(sorted(Counter(values).items()))


@dataclass(frozen=True)
class Facts:
    """All that the texts of a release are rendered from.

    Attributes:
        collection: where it comes from.
        version, dated: of the release; the day is that of the newest fact in it.
        seed: of the splits.
        blur_faces: whether faces were made unrecognisable.
        clips: sorted by id.
        consents: subject → consent, of everybody behind a clip.
        figures: counted from the clips.
        shards: configuration → split → (name, rows, bytes) of each Parquet file.
        left_out: what is not in it.
        history: all releases, oldest first, this one included.
    """

    collection: Collection
    version: str
    dated: str
    seed: int
    blur_faces: bool
    clips: tuple[Clip, ...]
    consents: dict[str, Consent]
    figures: Figures
    shards: Shards
    left_out: tuple[LeftOut, ...]
    history: tuple[Past, ...]

    def left_out_counts(self) -> dict[str, int]:
        """Why things are not in the release, and how many each; nobody is named who did not allow to be."""
        reasons = {
            "consent": "no consent to publish, or to be synthesised",
            "research": "made for research only",
            "withdrawn": "withdrawn",
            "different splits": "fakes of people in different splits",
            "is not released": "fakes whose source is left out",
        }

        def kind(reason: str) -> str:
            return next(
                (told for word, told in reasons.items() if word in reason), "did not fit the rest of the data"
            )

        return _counted(kind(entry.reason) for entry in self.left_out)

    def of_people(self) -> bool:
        """Whether anybody in it is a person."""
        return any(consent.kind == "person" for consent in self.consents.values())
