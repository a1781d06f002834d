"""The journal of a withdrawal: what was found before anything was removed, and what is done already.

It lies in ``withdrawals/`` of the collection while the work lasts. It is written before the first file goes, so a
withdrawal that was cut off can be completed although the records that would tell its extent are gone. It names the
subject, and is therefore deleted at the end.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from dataset.collection.collection import Collection, today
from dataset.collection.lineage import descends_from
from dataset.files import write_json
from dataset.hub.manifest import read_json_object
from dataset.hub.tombstones import new_id

FOLDER = "withdrawals"


@dataclass
class Traces:
    """What a repository had before: asked for again at the end.

    Attributes:
        commits: every commit that a branch or tag led to.
        objects: hash of every large object → a path and a commit at which it stood; no commit, if none has it.
        access: who was let in to a gated repository, and should be told.
    """

    commits: list[str] = field(default_factory=list)
    objects: dict[str, list[str]] = field(default_factory=dict)
    access: list[str] = field(default_factory=list)


@dataclass
class Journal:
    """One withdrawal.

    Attributes:
        id: of the tombstone.
        subject: who; this file alone says so.
        date: the day.
        reason: as given.
        keep_private: whether the real name and signed form stay in ``private/``.
        recordings, fakes, models: ids of what goes.
        detectors: ids of what has to be trained anew.
        videos: hashes of all videos that go, by which poses are found.
        removed: kind → how many.
        outside: folders of models outside the collection, to be deleted by hand.
        retrain: folders of detectors.
        repos: ORG/NAME → what it had; None until it was looked at.
        done: steps that are behind us.
    """

    id: str
    subject: str
    date: str
    reason: str
    keep_private: bool
    recordings: list[str]
    fakes: list[str]
    models: list[str]
    detectors: list[str]
    videos: list[str]
    removed: dict[str, int]
    outside: list[str]
    retrain: list[str]
    repos: dict[str, Traces | None]
    done: list[str] = field(default_factory=list)

    @property
    def ids(self) -> list[str]:
        """Of everything that goes."""
        return [*self.recordings, *self.fakes, *self.models]

    def save(self, root: Path) -> None:
        """Write it, atomically."""
        write_json(root / FOLDER / f"{self.id}.json", asdict(self))

    def finish(self, root: Path, step: str) -> None:
        """Mark a step as done."""
        self.done.append(step)
        self.save(root)

    def delete(self, root: Path) -> None:
        """The end: nothing of it stays."""
        (root / FOLDER / f"{self.id}.json").unlink(missing_ok=True)
        if (root / FOLDER).is_dir() and not any((root / FOLDER).iterdir()):
            (root / FOLDER).rmdir()


def unfinished(root: Path) -> list[Journal]:
    """Withdrawals that were cut off.

    Raises:
        HubError: a journal is damaged.
    """
    return [_read(path) for path in sorted((root / FOLDER).glob("w-*.json"))]


def begin(
    collection: Collection, subject: str, *, reason: str, keep_private: bool, repos: list[str]
) -> Journal:
    """What a withdrawal will be; nothing is written yet.

    Raises:
        CollectionError: there is nobody of that id.
    """
    lineage = descends_from(collection, subject)
    inside = [model for model in lineage.models if not Path(model.path).is_absolute()]
    return Journal(
        id=new_id(subject),
        subject=subject,
        date=today().isoformat(),
        reason=reason,
        keep_private=keep_private,
        recordings=[recording.id for recording in lineage.recordings],
        fakes=[fake.id for fake in lineage.fakes],
        models=[model.id for model in lineage.models],
        detectors=[detector.id for detector in lineage.detectors],
        videos=sorted(lineage.video_sha256s()),
        removed={
            "recordings": len(lineage.recordings),
            "fakes": len(lineage.fakes),
            "poses": len(lineage.poses),
            "models": len(inside),
        },
        outside=[model.path for model in lineage.models if model not in inside],
        retrain=[str(collection.path_of(detector)) for detector in lineage.detectors],
        repos=dict.fromkeys(repos),
    )


def published_to(collection: Collection) -> list[str]:
    """Repositories that the collection's log says it was published to, or that somebody began to publish to."""
    told = ("publishing", "published")
    return sorted({str(event["repo"]) for event in collection.events() if event.get("event") in told})


def _read(path: Path) -> Journal:
    facts: dict[str, Any] = read_json_object(path.read_bytes(), path)
    repos = {name: None if traces is None else Traces(**traces) for name, traces in facts["repos"].items()}
    return Journal(**(facts | {"repos": repos}))
