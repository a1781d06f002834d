"""Rules about people: who is in which split, what they allowed, and what must not be there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path

from dataset.collection.collection import Collection
from dataset.collection.records import Consent
from dataset.collection.schemas import read_json
from dataset.release.alike import alike
from dataset.release.fingerprint import Fingerprint
from dataset.release.leakage import trials
from dataset.release.licences import allows_commerce
from dataset.release.opened import Opened
from dataset.release.rules import Found, rule
from dataset.release.splits import SPLITS

#: Private words shorter than this would be found in anything.
_SHORTEST = 4


@rule("subject leakage")
def subject_leakage(release: Opened) -> Found:
    """Nobody is seen in two splits, nor behind a generator or a motion in another."""
    where: dict[str, dict[str, str]] = {}
    for row in release.videos:
        for name in release.people(row):
            where.setdefault(name, {}).setdefault(SPLITS[row["split"]], row["id"])
    for name, splits in sorted(where.items()):
        if len(splits) > 1:
            told = ", ".join(f"{split} ({example})" for split, example in sorted(splits.items()))
            yield name, f"is in {told}"


@rule("source leakage")
def source_leakage(release: Opened) -> Found:
    """No recording lends its motion to videos of two splits."""
    where: dict[str, dict[str, str]] = {}
    for row in release.videos:
        motion = json.loads(row["lineage"]).get("motion", {}).get("sha256") or row["source"]
        sources = {row["source"], motion} if row["label"] else {row["source"]}
        for source in sources:
            where.setdefault(source, {}).setdefault(SPLITS[row["split"]], row["id"])
    for source, splits in sorted(where.items()):
        if len(splits) > 1:
            told = ", ".join(f"{split} ({example})" for split, example in sorted(splits.items()))
            yield source, f"its motion is in {told}"


@rule("near duplicates")
def near_duplicates(release: Opened) -> Found:
    """No two videos of different splits show the same."""
    videos, looks = [], []
    for row in release.videos:
        seen = release.seen.get(release.file_of(row))
        if seen is not None and seen.fingerprint:
            videos.append((row["id"], SPLITS[row["split"]]))
            looks.append(Fingerprint.from_hex(seen.fingerprint))
    for first, second, value in alike(looks, [split for _, split in videos]):
        (one, split), (other, its_split) = videos[first], videos[second]
        yield one, f"in {split} shows the same as {other} in {its_split} (likeness {value:.2f})"


@rule("pairs alike")
def pairs_alike(release: Opened) -> Found:
    """The container of a fake is that of the recording it mirrors, entry for entry, but for the mark."""
    by_id = {row["id"]: row for row in release.videos}
    for row in release.videos:
        real = by_id.get(row["pair"]) if row["pair"] is not None else None
        if real is None:
            continue
        mine, its = release.seen.get(release.file_of(row)), release.seen.get(release.file_of(real))
        if mine is None or its is None or mine.problem or its.problem:
            continue
        different = [name for name, value in mine.facts.items() if its.facts.get(name) != value]
        if different or mine.table != its.table:
            told = ", ".join(different) or "its table of frames"
            yield row["id"], f"differs from {real['id']} in {told}"


@rule("codec leakage")
def codec_leakage(release: Opened) -> Found:
    """What containers tell apart from the mark does not tell real from fake better than chance."""
    rows = [
        (row, seen)
        for row in release.videos
        if (seen := release.seen.get(release.file_of(row))) is not None and seen.facts
    ]
    for trial in trials(
        [seen.facts for _, seen in rows],
        [row["label"] for row, _ in rows],
        [row["source"] for row, _ in rows],
        [row["subject"] for row, _ in rows],
    ):
        if trial.tells:
            yield (
                "",
                f"{trial.by} tells real from fake (AUC {trial.auc:.2f}, chance is 0.5 ± {trial.bound:.2f})",
            )


@rule("consent")
def consent(release: Opened) -> Found:
    """Everybody behind every video allows it to be published today, and fakes of them to be made."""
    consents = _consents(release)
    needed: dict[tuple[str, str], str] = {}
    for row in release.videos:
        for name in release.people(row):
            needed.setdefault((name, "publish"), row["id"])
            if allows_commerce(row["licence"]):
                needed.setdefault((name, "commercial"), row["id"])
        if row["label"] == 1:
            needed.setdefault((row["subject"], "synthesise"), row["id"])
    for (name, purpose), example in sorted(needed.items()):
        if name not in consents:
            yield name, f"there is no consent record (needed to {purpose} {example})"
        elif problem := consents[name].problem(purpose, release.on):
            yield name, f"consent {problem} (needed to {purpose} {example})"


def _consents(release: Opened) -> dict[str, Consent]:
    """As the release says, or as the collection says now, where it is at hand."""
    told = {
        name: Consent(
            **{key: one[key] for key in ("jurisdiction", "date", "expires", "form_sha256", "kind")},
            scope=tuple(one["scope"]),
            contact="",
        )
        for name, one in release.told.get("consents", {}).items()
    }
    if release.collection is not None:
        for subject in release.collection.subjects():
            if subject.id in told:
                told[subject.id] = subject.consent
    return told


@rule("withdrawn")
def withdrawn(release: Opened) -> Found:
    """Nobody who was withdrawn is in it."""
    gone = set(release.told.get("tombstones", {}))
    if release.collection is not None:
        gone |= {subject.id for subject in release.collection.subjects() if subject.status == "withdrawn"}
    for row in release.videos:
        for name in release.people(row):
            if name in gone:
                yield row["id"], f"derives from {name}, who was withdrawn"


@rule("research only")
def research_only(release: Opened) -> Found:
    """Nothing is in it that was made for research only."""
    barred = set()
    if release.collection is not None:
        barred = {fake.sha256 for fake in release.collection.fakes() if fake.research_only}
    for row in release.videos:
        told = json.loads(row["lineage"])
        if told.get("fake", {}).get("research_only") or told.get("fake", {}).get("sha256") in barred:
            yield row["id"], "was made for research only"


@rule("marks")
def marks(release: Opened) -> Found:
    """Every fake says in its file that it was made, and nothing that was filmed says so."""
    for row in release.videos:
        seen = release.seen.get(release.file_of(row))
        if seen is None or seen.problem:
            continue
        synthetic = seen.mark is not None and seen.mark.lower().startswith("synthetic")
        if row["label"] == 1 and not synthetic:
            yield row["id"], "is a fake, and its file does not say so"
        if row["label"] == 0 and synthetic:
            yield row["id"], "is real, and its file says it was synthesised"


@rule("private names")
def private_names(release: Opened) -> Found:
    """Nothing that is in the collection's folder ``private`` stands in any released file."""
    if release.collection is None:
        return
    words = private_words(release.collection)
    if not words:
        return
    for name in sorted(release.manifest):
        path = release.root / name
        if path.is_file():
            for word in sorted(_words_in(path, words)):
                # The word itself is private, in a log as well.
                yield name, f"holds a private word of {words[word]}"
    columns = ("id", "subject", "source_subject", "motion", "generator", "lineage", "source")
    for row in release.videos:
        for word, owner in words.items():
            if any(word.lower() in str(row[column]).lower() for column in columns):
                yield row["id"], f"its row holds a private word of {owner}"


def private_words(collection: Collection) -> dict[str, str]:
    """Every text in ``private``, and each name's parts → whose it is."""
    words: dict[str, str] = {}
    for path in sorted((collection.root / "private").glob("*.json")):
        for value in _texts(read_json(path)):
            for word in {value, *value.split()} if not value.startswith("danceproof") else ():
                if len(word) >= _SHORTEST and not _public(word, collection):
                    words[word] = path.stem
    return words


def _public(word: str, collection: Collection) -> bool:
    """Whether a word is told elsewhere on purpose: ids, hashes, days, the contact of the collection."""
    told = {collection.contact, collection.title, collection.name, *collection.title.split()}
    told |= {subject.id for subject in collection.subjects()}
    told |= {subject.consent.form_sha256 or "" for subject in collection.subjects()}
    try:
        date.fromisoformat(word)
    except ValueError:
        return word in told
    return True


def _texts(value: object, key: str = "") -> Iterator[str]:
    if isinstance(value, dict):
        for name, entry in value.items():
            yield from _texts(entry, str(name))
    elif isinstance(value, list):
        for entry in value:
            yield from _texts(entry, key)
    elif isinstance(value, str) and not key.startswith("schema") and not key.endswith("sha256"):
        yield value


def _words_in(path: Path, words: dict[str, str]) -> set[str]:
    """Which words stand in a file, whatever it is, looked at piece by piece."""
    found: set[str] = set()
    wanted = {word: word.lower().encode() for word in words}
    overlap = max(len(piece) for piece in wanted.values())
    before = b""
    with open(path, "rb") as file:
        while chunk := file.read(1 << 22):
            piece = before + chunk.lower()
            found |= {word for word, sought in wanted.items() if sought in piece}
            before = piece[-overlap:]
    return found
