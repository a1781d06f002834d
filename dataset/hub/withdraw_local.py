"""The part of a withdrawal that happens in the collection: files, records, old releases, and what is said of them."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from dataset.collection.collection import Collection
from dataset.collection.lineage import pose_files
from dataset.collection.records import Revocation
from dataset.files import atomic_path, write_json
from dataset.hub.journal import FOLDER, Journal
from dataset.hub.manifest import MANIFEST, RELEASE, read_json_object

_TEXTS = frozenset({".json", ".jsonl", ".md", ".html", ".csv", ".cff", ".txt", ".yaml", ".yml", ""})
_HISTORY = "history.json"


def revoke(collection: Collection, journal: Journal) -> None:
    """From this day on nothing is allowed any more."""
    subject = collection.subject(journal.subject)
    if subject.status == "withdrawn" or subject.consent.revoked is not None:
        return
    taken_back = Revocation(journal.date, (), journal.reason)
    consent = replace(
        subject.consent, revoked=journal.date, revocations=(*subject.consent.revocations, taken_back)
    )
    collection.set_consent(journal.subject, consent, reason=journal.reason)


def remove_files(collection: Collection, journal: Journal) -> None:
    """Delete what derives from the subject; detectors are marked, models elsewhere are only struck off.

    What that is stands in the journal: after the first removal the records may no longer tell.
    """
    for detector in collection.detectors():
        if detector.id not in journal.detectors:
            continue
        marked = replace(
            detector,
            subjects=tuple(name for name in detector.subjects if name != journal.subject),
            clip_sha256s=tuple(sha for sha in detector.clip_sha256s if sha not in journal.videos),
            retrain=f"it was trained on somebody who was withdrawn on {journal.date}",
        )
        with collection.locked():
            collection.write(marked)
    collection.remove(*pose_files(collection, set(journal.videos)))
    collection.remove(*(fake for fake in collection.fakes() if fake.id in journal.fakes))
    collection.remove(*(model for model in collection.models() if model.id in journal.models))
    collection.remove(*(one for one in collection.recordings() if one.id in journal.recordings))
    if not journal.keep_private:
        collection.remove_private(journal.subject)


def remove_releases(collection: Collection, journal: Journal) -> None:
    """Delete old releases that have something of the subject, and everything that builds keep at hand."""
    releases = collection.root / "releases"
    for folder in sorted(path for path in releases.iterdir() if path.is_dir()):
        if folder.name.startswith(".") or _names(folder, journal):
            # Renamed first: what is half deleted must not pass for a release.
            gone = folder if folder.name.startswith(".") else folder.rename(releases / f".gone-{folder.name}")
            shutil.rmtree(gone)
    _rewrite_history(releases / _HISTORY, journal)


def rewrite_log(collection: Collection, journal: Journal) -> None:
    """Take the lines that name the subject or their files out of the log."""
    path = collection.root / "events.jsonl"
    named = words([journal.subject, *journal.ids])
    with collection.locked():
        lines = path.read_text("utf-8").splitlines(keepends=True)
        kept = [line for line in lines if not named.search(line)]
        with atomic_path(path) as temporary:
            temporary.write_text("".join(kept), "utf-8")


def mark_withdrawn(collection: Collection, journal: Journal) -> None:
    """The record of the subject stays, to show that consent was given and taken back; it has no files any more."""
    subject = collection.subject(journal.subject)
    if subject.status == "withdrawn" and not subject.notes:
        return
    with collection.locked():
        collection.write(replace(subject, status="withdrawn", notes=""))


def forget_mentions(collection: Collection, journal: Journal) -> None:
    """Take the names out of what the records of others say, such as that a recording moves like one of theirs."""
    named = words([journal.subject, *journal.ids])

    def without(text: str) -> str:
        return named.sub("(withdrawn)", text)

    with collection.locked():
        for recording in collection.recordings():
            changed = replace(
                recording,
                checks={name: replace(one, text=without(one.text)) for name, one in recording.checks.items()},
                forced=None if recording.forced is None else without(recording.forced),
            )
            if changed != recording:
                collection.write(changed)
        for subject in collection.subjects():
            if subject.notes != (notes := without(subject.notes)):
                collection.write(replace(subject, notes=notes))


def left_behind(collection: Collection, journal: Journal) -> list[str]:
    """Files of the collection that still name the subject or anything of theirs; there should be none.

    The subject's own record, the journal, and the folders of detectors that wait to be trained anew are not counted.
    """
    named = words([journal.subject, *journal.ids])
    excepted = (
        collection.root / "subjects" / journal.subject / "subject.json",
        collection.root / FOLDER,
        *((collection.root / "private",) if journal.keep_private else ()),
        *(Path(folder) for folder in journal.retrain),
    )
    found = []
    for path in sorted(collection.root.rglob("*")):
        if path.is_dir() or any(path == one or one in path.parents for one in excepted):
            continue
        name = path.relative_to(collection.root).as_posix()
        if named.search(name) or (path.suffix in _TEXTS and named.search(path.read_text("utf-8", "replace"))):
            found.append(name)
    return found


def words(names: Iterable[str]) -> re.Pattern[str]:
    """Finds any of some ids where it stands by itself: "m1", but not in "m10"."""
    return re.compile(
        r"(?<![A-Za-z0-9_-])(?:" + "|".join(re.escape(name) for name in names) + r")(?![A-Za-z0-9_-])"
    )


def _names(release: Path, journal: Journal) -> bool:
    """Whether a release has anything of the subject; true for a folder that is none."""
    texts = [release / RELEASE, release / MANIFEST]
    if not all(path.is_file() for path in texts):
        return True
    named = words([journal.subject, *journal.ids])
    return any(named.search(path.read_text("utf-8")) for path in texts)


def _rewrite_history(path: Path, journal: Journal) -> None:
    """Let the history of releases say that so many videos went, and not whose.

    The newest entry keeps their number under the name of the tombstone, so that the next build counts them as taken
    out and begins a new first number of the version.
    """
    if not path.is_file():
        return
    facts: dict[str, Any] = read_json_object(path.read_bytes(), path)
    entries = facts["releases"]
    named = words([journal.subject, *journal.ids])
    for index, entry in enumerate(entries):
        gone = [name for name in entry["items"] if named.search(name)]
        entry["items"] = {name: sha for name, sha in entry["items"].items() if name not in gone}
        entry["split"].pop(journal.subject, None)
        entry["tombstones"].pop(journal.subject, None)
        entry["changes"] = [line for line in entry["changes"] if not named.search(line)]
        if index + 1 == len(entries):
            entry["items"] |= {f"{journal.id}-{number}": "" for number in range(1, len(gone) + 1)}
            entry["tombstones"][journal.id] = journal.date
    write_json(path, facts)
