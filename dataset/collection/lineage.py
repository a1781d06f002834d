"""What was made of somebody: followed from their recordings to everything that any of them went into."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dataset.collection.collection import Collection
from dataset.collection.records import DetectorRecord, Fake, ModelRecord, Recording


@dataclass(frozen=True)
class Lineage:
    """All that derives from one subject.

    Attributes:
        recordings: of the subject.
        fakes: that show the subject, have the subject's motion, or were drawn by a model that knows the subject.
        poses: files in ``poses/`` of any of these videos.
        models: trained on any of the recordings or fakes, or started from such a model.
        detectors: trained on the subject by name, or on any of these videos or an encoded copy of one.
    """

    recordings: tuple[Recording, ...]
    fakes: tuple[Fake, ...]
    poses: tuple[Path, ...]
    models: tuple[ModelRecord, ...]
    detectors: tuple[DetectorRecord, ...]

    def video_sha256s(self) -> set[str]:
        """Hashes of all videos that derive from the subject, with the encoded copies that are known."""
        return {
            *(recording.sha256 for recording in self.recordings),
            *(copy for recording in self.recordings for copy in recording.copies),
            *(fake.sha256 for fake in self.fakes),
        }

    def model_sha256s(self) -> set[str]:
        """Hashes of all weights of generators that know the subject, registered here or named by a fake."""
        return {
            *(model.weights_sha256 for model in self.models),
            *(snapshot for model in self.models for snapshot in model.snapshot_sha256s),
        }


def descends_from(collection: Collection, subject: str) -> Lineage:
    """Everything in the collection that derives from a subject, however many steps away.

    Args:
        collection: where to look.
        subject: an id; also of somebody withdrawn.

    Raises:
        CollectionError: there is nobody of that id.
        RecordError: a record cannot be read.
    """
    collection.subject(subject)
    recordings = collection.recordings(subject)
    ids = {recording.id for recording in recordings}
    videos = {sha for recording in recordings for sha in (recording.sha256, *recording.copies)}
    weights: set[str] = set()
    fakes: dict[str, Fake] = {}
    models: dict[str, ModelRecord] = {}
    while True:
        # A fake leads to models that were trained on it, a model to the fakes that it made: until nothing is added.
        before = (len(fakes), len(models), len(weights))
        for model in collection.models():
            if (
                subject in model.subjects
                or videos.intersection(model.recording_sha256s)
                or weights.intersection((*model.started_from, model.weights_sha256, *model.snapshot_sha256s))
            ):
                models[model.id] = model
                weights.update((model.weights_sha256, *model.snapshot_sha256s))
        for fake in collection.fakes():
            if (
                subject in (fake.subject, fake.source_subject)
                or ids.intersection((fake.source_recording, fake.pair))
                or fake.model_sha256 in weights
                or videos.intersection((*fake.recording_sha256s, *_motion(fake)))
            ):
                fakes[fake.id] = fake
                videos.add(fake.sha256)
                if videos.intersection(fake.recording_sha256s) or subject == fake.subject:
                    weights.add(fake.model_sha256)
        if (len(fakes), len(models), len(weights)) == before:
            break
    return Lineage(
        recordings=tuple(recordings),
        fakes=tuple(fakes[id] for id in sorted(fakes)),
        poses=tuple(pose_files(collection, videos)),
        models=tuple(models[id] for id in sorted(models)),
        detectors=tuple(
            detector
            for detector in collection.detectors()
            if subject in detector.subjects or videos.intersection(detector.clip_sha256s)
        ),
    )


def _motion(fake: Fake) -> tuple[str, ...]:
    return tuple(sha for name in ("motion_sha256", "recording_sha256") if (sha := fake.lineage.get(name)))


def pose_files(collection: Collection, video_sha256s: set[str]) -> list[Path]:
    """The cached poses of some videos, whichever program made them; a file that cannot be read counts as theirs.

    Withdrawing somebody must leave none of their poses behind, and what is lost with a damaged file is computed anew.
    """
    return [
        path
        for path in sorted(collection.poses_folder.rglob("*.npz"))
        if (sha := pose_of(path)) is None or sha in video_sha256s
    ]


def pose_of(path: Path) -> str | None:
    """Hash of the video whose key points a file holds, None if it cannot be told."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            return str(archive["video_sha256"])
    except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile):
        return None
