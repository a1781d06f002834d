"""``dataset validate``: every rule that a release keeps.

The rules are the functions registered in `rules_files`, `rules_people` and `rules_texts`; each yields a line a finding.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from pathlib import Path

from dataset.collection.collection import Collection, today
from dataset.collection.records import Fake, Recording
from dataset.errors import ReleaseError
from dataset.files import sha256_file
from dataset.release import rules_files, rules_people, rules_texts
from dataset.release.history import check_version
from dataset.release.items import choose
from dataset.release.manifest import RELEASE
from dataset.release.opened import Opened, Report
from dataset.release.rules import RULES, Finding
from dataset.work import spread

__all__ = ["RULES", "Finding", "validate", "validate_collection"]

#: Where the rules stand; importing them registers them.
MODULES = (rules_files, rules_people, rules_texts)


def validate(
    release: str | Path,
    collection: Collection | None = None,
    *,
    on: date | None = None,
    rules: Iterable[str] | None = None,
    workers: int | None = None,
    ray: str | None = None,
    progress: Report = lambda what, done, total: None,
) -> list[Finding]:
    """Check a release.

    Args:
        release: its folder.
        collection: where it came from; consent is then looked up there, and private names are known. A release in the
            folder ``releases`` of a collection finds it by itself.
        on: the day for which consent has to hold, today if None.
        rules: names of the rules to check, all if None.
        workers: processes for decoding; None for one a core.
        ray: "auto" or the address of a Ray cluster whose nodes see the release's folder, to decode there.
        progress: called as ``progress(what, done, total)``.

    Returns:
        Findings in the order of the rules; empty if all is well. Of a release that is not of the form that rules read,
        its faults, and what the rules find that read files alone.

    Raises:
        ReleaseError: this is no release, or there is no such rule.
    """
    root = Path(release)
    names = list(RULES) if rules is None else list(rules)
    if unknown := [name for name in names if name not in RULES]:
        raise ReleaseError(f"there is no rule {unknown[0]!r}", hint=f"there are: {', '.join(RULES)}")
    if collection is None:
        collection = _home(root)
    opened = Opened(root, on or today(), collection, workers, ray, progress)
    if not opened.faults:
        return [finding for name in names for finding in RULES[name].findings(opened)]
    # Whichever rules were asked for: nothing may look as if it had passed.
    wanted = [name for name in RULES if name == "schema" or (name in names and RULES[name].sturdy)]
    findings = [finding for name in wanted for finding in RULES[name].findings(opened)]
    if idle := [name for name in names if name not in wanted]:
        text = f"rules that cannot be checked until this is mended: {len(idle)}"
        findings.append(Finding("schema", "error", "", text))
    return findings


def validate_collection(
    collection: Collection,
    *,
    on: date | None = None,
    workers: int | None = None,
    ray: str | None = None,
    progress: Report = lambda what, done, total: None,
) -> list[Finding]:
    """Check a collection's files against their records, tell what could not be released, and check the last release."""
    findings = []
    things: list[Recording | Fake] = [*collection.recordings(), *collection.fakes()]
    paths = [collection.path_of(thing) for thing in things]
    hashes: dict[int, str | None] = {}
    for number, sha256 in spread(_hash, paths, workers, ray=ray):
        hashes[number] = sha256
        progress("hashing", len(hashes), len(things))
    for number, thing in enumerate(things):
        if hashes[number] is None:
            findings.append(Finding("collection", "error", thing.id, f"its file {thing.file} is missing"))
        elif hashes[number] != thing.sha256:
            findings.append(
                Finding("collection", "error", thing.id, f"its file {thing.file} has changed since import")
            )
    for left_out in choose(collection, on or today()).left_out:
        text = f"would not be released: {left_out.reason}"
        findings.append(Finding("collection", "warning", left_out.id, text))
    if last := last_release(collection):
        findings += validate(last, collection, on=on, workers=workers, ray=ray, progress=progress)
    return findings


def _hash(path: Path) -> str | None:
    return sha256_file(path) if path.is_file() else None


def last_release(collection: Collection) -> Path | None:
    """The folder of the highest version that there is."""
    folders = [
        folder
        for folder in (collection.root / "releases").glob("*")
        if not folder.name.startswith(".") and (folder / RELEASE).is_file()
    ]
    return max(folders, key=lambda folder: check_version(folder.name), default=None)


def _home(root: Path) -> Collection | None:
    """The collection that a release lies in, if it does."""
    folder = root.resolve().parent
    if folder.name == "releases" and (folder.parent / "collection.json").is_file():
        return Collection.open(folder.parent)
    return None
