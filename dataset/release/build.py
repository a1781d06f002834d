"""``dataset build``: from a collection to a release folder, whole or not at all.

Everything is made in ``releases/.building-<version>`` and renamed at the end, so a release that has its name is
complete. A build that was killed leaves the earlier releases as they were, and the next call goes on with the videos
that were finished (`dataset.release.work`). The same state of a collection gives the same bytes: nothing of the clock
or the machine goes into a file.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

from dataset.collection.collection import Collection, today
from dataset.errors import ReleaseError
from dataset.files import write_json
from dataset.pose import cached_poses
from dataset.provenance import VERSION
from dataset.release.encode import CRF, ENCODING, GOP
from dataset.release.figures import Facts, count
from dataset.release.history import Past, changes, check_version, next_version, read_history, write_history
from dataset.release.items import Choice, LeftOut, choose, consent_record, digest, tear
from dataset.release.manifest import RELEASE, SCHEMA, read_release, write_manifest
from dataset.release.preview import write_previews
from dataset.release.shape import description_faults
from dataset.release.splits import SPLITS, Assignment, Link, assign
from dataset.release.tables import (
    CONFIGS,
    Clip,
    pair_row,
    plan,
    pose_rows,
    recording_row,
    shard_name,
    write_shard,
)
from dataset.release.texts import write_texts
from dataset.release.twins import near_duplicates, same_bytes
from dataset.release.work import (
    WORK,
    Levelled,
    Prepared,
    Report,
    fingerprints,
    level_all,
    out_of_step,
    prepare_all,
    prune,
)

_BUILDING = ".building-"
_LOCK = ".lock"


def build(
    collection: Collection,
    *,
    version: str | None = None,
    workers: int | None = None,
    ray: str | None = None,
    blur_faces: bool = False,
    seed: int | None = None,
    on: date | None = None,
    progress: Report = lambda what, done, total: None,
) -> Path:
    """Build a release of everything that may be published.

    Args:
        collection: what to release.
        version: such as "1.2.0"; None takes the next one, or the last one if nothing changed since.
        workers: processes; None for one a core.
        ray: "auto" or the address of a Ray cluster whose nodes see the collection's folder, to encode there.
        blur_faces: make every face unrecognisable, in recordings and fakes alike.
        seed: of the splits; None takes the collection's. Whoever was released before stays where they were.
        on: the day for which consent has to hold, today if None.
        progress: called as ``progress(what, done, total)``.

    Returns:
        The folder ``releases/<version>``.

    Raises:
        ReleaseError: nothing may be published, the version is taken, or a file is not what was imported.
        VideoError, PoseError: a file cannot be read.
    """
    releases = collection.root / "releases"
    releases.mkdir(exist_ok=True)
    with _alone(releases):
        history = _settle(releases, read_history(releases))
        choice = choose(collection, on or today())
        if not choice.items:
            raise ReleaseError(
                "nothing in it may be published",
                path=collection.root,
                hint="see: dataset validate COLLECTION",
            )
        split_seed = collection.seed if seed is None else seed
        state = _state(collection, choice, blur_faces, split_seed, history)
        if history and history[-1].state == state and version in (None, history[-1].version):
            if (releases / history[-1].version / RELEASE).is_file():
                return releases / history[-1].version
            # It was removed: what it was made from is still the same, so the same bytes come out again.
            version, history = history[-1].version, history[:-1]
        if version is not None:
            check_version(version)
            if (releases / version).exists() or any(past.version == version for past in history):
                raise ReleaseError(
                    f"there is a release {version} already", path=releases, hint="choose another"
                )
        maker = _Maker(
            collection, releases, history, choice, blur_faces, split_seed, state, workers, ray, progress
        )
        past = maker.make(version)
        write_history(releases, [*history, past])
        collection.log("built", version=past.version, videos=len(past.items))
        return releases / past.version


@dataclass
class _Maker:
    collection: Collection
    releases: Path
    history: list[Past]
    choice: Choice
    blur_faces: bool
    seed: int
    state: str
    workers: int | None
    ray: str | None
    progress: Report

    def make(self, version: str | None) -> Past:
        work = self.releases / WORK
        work.mkdir(exist_ok=True)
        prepared = prepare_all(
            self.choice.items, work, self.collection.poses_folder,
            blur_faces=self.blur_faces, workers=self.workers, ray=self.ray, report=self.progress,
        )  # fmt: skip
        assignment = self._choose(prepared)
        levelled = level_all(
            self.choice.items, prepared, work, workers=self.workers, ray=self.ray, report=self.progress
        )
        items = {item.id: item.sha256 for item in self.choice.items}
        tombstones = self._tombstones()
        past = Past(
            version or next_version(self.history, items),
            self._dated(),
            self.state,
            (self.history[-1].split if self.history else {}) | assignment.split,
            items,
            tombstones,
            changes(self.history, items, tombstones),
        )
        building = self.releases / f"{_BUILDING}{past.version}"
        if building.exists():
            shutil.rmtree(building)
        building.mkdir()
        self._fill(building, past, assignment, prepared, levelled)
        _sync_tree(building)
        os.replace(building, self.releases / past.version)
        prune(work, prepared, levelled)
        return past

    def _choose(self, prepared: dict[str, Prepared]) -> Assignment:
        """Splits, and what cannot be released because of them or of its frames."""
        owners = {item.id: item.subject for item in self.choice.recordings()}
        looks = fingerprints(self.choice.items, prepared)
        same = same_bytes(self.choice) + near_duplicates(looks, owners)
        subjects = sorted({item.subject for item in self.choice.items})
        previous = self.history[-1].split if self.history else {}
        assignment = assign(subjects, [link for link, _, _ in same], seed=self.seed, previous=previous)
        self._drop_conflicts(same, assignment)
        late = out_of_step(self.choice.items, prepared)
        by_id = {item.id: item for item in self.choice.items}
        self.choice = self.choice.without(
            [LeftOut(name, by_id[name].subject, why) for name, why in late.items()]
        )
        self.choice = self.choice.without(tear(self.choice, assignment))
        return assignment

    def _drop_conflicts(self, same: list[tuple[Link, str, str]], assignment: Assignment) -> None:
        """Of two near-duplicates in splits that are fixed, the one that is new goes, or the second."""
        known = self.history[-1].items if self.history else {}
        gone: dict[str, LeftOut] = {}
        by_id = {item.id: item for item in self.choice.items}
        for link, first, second in same:
            if assignment.split[link.first] != assignment.split[link.second]:
                name, other = (first, second) if first not in known and second in known else (second, first)
                gone[name] = LeftOut(
                    name, by_id[name].subject, f"it shows the same as {other}, which is in another split"
                )
        for item in self.choice.items:
            if item.label == "fake" and (item.source in gone or item.pair in gone):
                gone[item.id] = LeftOut(item.id, item.subject, f"its source {item.source} is not released")
        self.choice = self.choice.without(list(gone.values()))

    def _fill(
        self, root: Path, past: Past, assignment: Assignment, prepared: dict[str, Prepared],
        levelled: dict[str, Levelled],
    ) -> None:  # fmt: skip
        clips = []
        for item in self.choice.items:
            name = f"videos/{item.subject}/{item.id}.mp4"
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            made = levelled[item.id]
            try:
                os.link(made.path, root / name)
            except OSError:  # a file system without links
                shutil.copyfile(made.path, root / name)
            one = prepared[item.id]
            # The times are those of the source, which the levelled file has as well.
            clips.append(
                Clip(item, assignment.split[item.subject], name, made.sha256, made.size_bytes, one.size,
                     prepared[item.source].times, self.collection.licence, one.estimator)
            )  # fmt: skip
        kinds = {name: consent.kind for name, consent in self.choice.consents.items()}
        figures = count(clips, kinds)
        shards = self._tables(root, clips)
        facts = Facts(
            collection=self.collection, version=past.version, dated=past.dated, seed=self.seed,
            blur_faces=self.blur_faces, clips=tuple(clips), consents=self.choice.consents, figures=figures,
            shards=shards, left_out=self.choice.left_out, history=(*self.history, past),
        )  # fmt: skip
        write_json(root / RELEASE, self._description(past, facts))
        write_previews(root, facts, lambda done, total: self.progress("previews", done, total))
        write_texts(root, facts)
        write_manifest(root, {clip.file: clip.sha256 for clip in clips})

    def _tables(self, root: Path, clips: list[Clip]) -> dict[str, dict[str, list[tuple[str, int, int]]]]:
        """Write all shards; configuration → split → (name, rows, bytes) of each."""
        by_id = {clip.item.id: clip for clip in clips}
        written: dict[str, dict[str, list[tuple[str, int, int]]]] = {}
        for config in CONFIGS:
            for split in SPLITS:
                rows = [
                    clip for clip in clips if clip.split == split and (config != "pairs" or clip.item.pair)
                ]
                sizes = [_weight(config, clip, by_id) for clip in rows]
                shards = plan(sizes)
                for index, part in enumerate(shards):
                    name = shard_name(config, split, index, len(shards))
                    made = self._rows(config, [rows[row] for row in part], by_id, root)
                    number = write_shard(root / name, config, made)
                    written.setdefault(config, {}).setdefault(split, []).append(
                        (name, number, (root / name).stat().st_size)
                    )
                    self.progress(f"writing {config}", index + 1, len(shards))
        return written

    def _rows(
        self, config: str, clips: list[Clip], by_id: dict[str, Clip], root: Path
    ) -> Iterator[dict[str, Any]]:
        for clip in clips:
            if config == "pairs":
                real = by_id[str(clip.item.pair)]
                yield pair_row(real, clip, root, cached_poses(real.item.path, self.collection.poses_folder))
                continue
            poses = cached_poses(clip.item.path, self.collection.poses_folder)
            if config == "poses":
                yield from pose_rows(clip, poses)
            else:
                yield recording_row(clip, root, poses)

    def _tombstones(self) -> dict[str, str]:
        """Those who were released once and are withdrawn, with the day."""
        if not self.history:
            return {}
        last = self.history[-1]
        gone = {
            subject.id: subject.consent.revoked or ""
            for subject in self.collection.subjects()
            if subject.id in last.split and subject.status == "withdrawn"
        }
        return dict(sorted((last.tombstones | gone).items()))

    def _dated(self) -> str:
        """The day of the newest fact in the release, by which it is dated, whenever it is built."""
        days = [self.collection.created, *(consent.date for consent in self.choice.consents.values())]
        filmed = {recording.id: recording.filmed for recording in self.collection.recordings()}
        days += [day for item in self.choice.items if (day := filmed.get(item.id))]
        days += self._tombstones().values()
        return max(days)

    def _description(self, past: Past, facts: Facts) -> dict[str, Any]:
        return {
            "schema": SCHEMA,
            "name": self.collection.name,
            "title": self.collection.title,
            "version": past.version,
            "dated": past.dated,
            "licence": self.collection.licence,
            "contact": self.collection.contact,
            "language": self.collection.language,
            "tool": f"danceproof {VERSION}",
            "encoder": {"codec": "h264", "crf": CRF, "gop": GOP},
            "blurred_faces": self.blur_faces,
            "seed": self.seed,
            "state": past.state,
            "counts": facts.figures.to_dict(),
            "splits": {name: past.split[name] for name in sorted(facts.figures.subjects)},
            "consents": {name: consent_record(one) for name, one in sorted(facts.consents.items())},
            "items": {clip.item.id: _entry(clip) for clip in facts.clips},
            "configs": {
                config: {split: [name for name, _, _ in shards] for split, shards in splits.items()}
                for config, splits in facts.shards.items()
            },
            "left_out": facts.left_out_counts(),
            "tombstones": past.tombstones,
        }  # fmt: skip


def _entry(clip: Clip) -> dict[str, Any]:
    """What release.json says of a video."""
    return {
        "file": clip.file,
        "sha256": clip.sha256,
        "origin_sha256": clip.item.sha256,
        "label": clip.item.label,
        "split": clip.split,
        "subject": clip.item.subject,
        "people": list(clip.item.people),
        "source": clip.item.source,
    }


def _weight(config: str, clip: Clip, by_id: dict[str, Clip]) -> int:
    """About how many bytes the rows of a clip take."""
    if config == "poses":
        return 1700 * len(clip.times)
    both = by_id[clip.item.pair].size_bytes if config == "pairs" and clip.item.pair else 0
    return clip.size_bytes + both + 400 * len(clip.times)


def _state(collection: Collection, choice: Choice, blur_faces: bool, seed: int, history: list[Past]) -> str:
    """Digest of all that the bytes of a release depend on, apart from the releases before it."""
    facts = {
        "encoding": ENCODING,
        "tool": VERSION,
        "collection": {
            name: collection.facts[name]
            for name in ("name", "title", "licence", "contact", "language", "created")
        },
        "blur_faces": blur_faces,
        "seed": seed,
        "items": [[item.id, item.sha256, item.lineage, item.motion, item.mark] for item in choice.items],
        "left_out": sorted(entry.reason for entry in choice.left_out),
        "consents": {name: consent_record(consent) for name, consent in choice.consents.items()},
        "withdrawn": [
            subject.id
            for subject in collection.subjects()
            if subject.status == "withdrawn" and history and subject.id in history[-1].split
        ],
    }
    return digest(facts)


@contextmanager
def _alone(releases: Path) -> Iterator[None]:
    """Be the only build of this collection.

    Raises:
        ReleaseError: another one is running.
    """
    with open(releases / _LOCK, "a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ReleaseError("another build of this collection is running", path=releases) from None
        yield


def _settle(releases: Path, history: list[Past]) -> list[Past]:
    """Clear away unfinished builds, and enter a finished one that was killed before it was written down."""
    for rest in releases.glob(f"{_BUILDING}*"):
        shutil.rmtree(rest)
    known = {past.version for past in history}
    for folder in sorted(releases.iterdir()):
        if folder.name not in known and (folder / RELEASE).is_file() and not folder.name.startswith("."):
            history = [*history, _past(folder, history)]
            write_history(releases, history)
    return history


def _past(folder: Path, history: list[Past]) -> Past:
    """What the history says of a release, read from the release."""
    told = read_release(folder)
    if wrong := description_faults(told):
        raise ReleaseError(
            f"is not whole: {wrong[0]}", path=folder / RELEASE, hint="restore it, or move the folder away"
        )
    items = {name: str(item["origin_sha256"]) for name, item in told["items"].items()}
    split = (history[-1].split if history else {}) | told["splits"]
    past = Past(told["version"], told["dated"], told["state"], split, items, told["tombstones"], ())
    return replace(past, changes=changes(history, items, past.tombstones))


def _sync_tree(root: Path) -> None:
    """Let everything under a folder reach the disk before the folder gets its name."""
    for path in (*root.rglob("*"), root):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
