"""Rules about figures and texts: they say what is in the data."""

from __future__ import annotations

import json
import re
from typing import Any

import yaml  # type: ignore[import-untyped]

from dataset.release.figures import count
from dataset.release.items import Item
from dataset.release.opened import Opened
from dataset.release.rules import Found, rule
from dataset.release.splits import SPLITS
from dataset.release.tables import LABELS, Clip

#: More videos of one label than this for each of the other, in a split, is no balance.
_UNEVEN = 10
_TEXTS = ("README.md", "datasheet.md", "CHANGELOG.md", "TOMBSTONES.md", "LICENSE", "CITATION.cff")


@rule("balance", "warning")
def balance(release: Opened) -> Found:
    """Every split has real and fake videos, not too unevenly."""
    counted = {split: [0, 0] for split in SPLITS}
    for row in release.videos:
        counted[SPLITS[row["split"]]][row["label"]] += 1
    for split, (real, fake) in counted.items():
        if not real and not fake:
            yield split, "is empty; add subjects"
        elif not real or not fake:
            yield split, f"has no {'fake' if real else 'real'} videos"
        elif max(real, fake) > _UNEVEN * min(real, fake):
            yield split, f"has {real} real and {fake} fake videos"


@rule("figures")
def figures(release: Opened) -> Found:
    """What release.json and the card count is what is there."""
    kinds = {name: one["kind"] for name, one in release.told.get("consents", {}).items()}
    if not release.videos:
        yield "", "there is no video in it"
        return
    found = json.loads(json.dumps(count([_clip(release, row) for row in release.videos], kinds).to_dict()))
    told = release.told.get("counts", {})
    for name, value in found.items():
        if told.get(name) != value:
            yield "release.json", f"says {name} {_short(told.get(name))}, there are {_short(value)}"
    splits = {row["subject"]: SPLITS[row["split"]] for row in release.videos}
    if release.told.get("splits") != splits:
        yield "release.json", "gives subjects other splits than the rows do"
    yield from _card_figures(release, found)


def _card_figures(release: Opened, found: dict[str, Any]) -> Found:
    card = release.text("README.md")
    rows = {
        "real": next(
            (row for label in ("filmed", "real (rendered)") if (row := _table_row(card, label))), None
        ),
        "fake": _table_row(card, "fake"),
    }
    for label, row in rows.items():
        numbers = [found["videos"][label][split] for split in SPLITS]
        if row != [*numbers, sum(numbers)]:
            yield "README.md", f"its table counts {label} videos as {row}, there are {numbers}"
    total = sum(sum(of_label.values()) for of_label in found["videos"].values())
    if not re.search(rf"^{total} short videos of ", card, re.M):
        yield "README.md", f"does not say in its first sentence that there are {total} videos"
    infos = _dicts((front_matter(card) or {}).get("dataset_info"))
    rows_of = {config: [row["split"] for row in release.rows[config]] for config in ("recordings", "pairs")}
    for info in infos:
        if (config := str(info.get("config_name"))) in rows_of:
            there = {SPLITS[number]: rows_of[config].count(number) for number in set(rows_of[config])}
            told = {str(one.get("name")): one.get("num_examples") for one in _dicts(info.get("splits"))}
            if told != there:
                yield "README.md", f"its front matter counts {config} as {told}, there are {there}"


@rule("card")
def card(release: Opened) -> Found:
    """The card's front matter is valid and names configurations whose files are there."""
    text = release.text("README.md")
    told = front_matter(text)
    if told is None:
        yield "README.md", "has no valid YAML between two lines of ---"
        return
    for name in ("license", "pretty_name", "task_categories", "configs", "dataset_info"):
        if not told.get(name):
            yield "README.md", f"its front matter lacks {name}"
    for config in _dicts(told.get("configs")):
        files = _dicts(config.get("data_files"))
        if not files:
            yield "README.md", f"names no files of its configuration {config.get('config_name')}"
        for data in files:
            if not _there(release, pattern := str(data.get("path"))):
                yield "README.md", f"names {pattern}, and there is no such file"


@rule("texts")
def texts(release: Opened) -> Found:
    """All texts are there and are about this version; Croissant has its responsible-AI fields."""
    version = release.told["version"]
    for name in _TEXTS:
        text = release.text(name)
        if not text.strip():
            yield name, "is missing or empty"
        elif name not in ("TOMBSTONES.md",) and version not in text:
            yield name, f"does not name version {version}"
    try:
        described = json.loads(release.text("croissant.json"))
    except ValueError:
        yield "croissant.json", "is missing or not JSON"
        return
    if not isinstance(described, dict):
        yield "croissant.json", "describes no data set"
        return
    for name in ("conformsTo", "license", "version", "distribution", "recordSet"):
        if not described.get(name):
            yield "croissant.json", f"lacks {name}"
    if described.get("version") != version:
        yield "croissant.json", f"is about version {described.get('version')}"
    for name in ("rai:dataCollection", "rai:personalSensitiveInformation", "rai:dataReleaseMaintenancePlan"):
        if not described.get(name):
            yield "croissant.json", f"lacks the responsible-AI field {name}"
    try:
        stones = json.loads(release.text("tombstones.json"))
    except ValueError:
        stones = None
    if stones != {"schema": 1, "tombstones": release.told["tombstones"]}:
        yield "tombstones.json", "does not list those whom release.json lists as withdrawn"
    for subject in sorted({row["subject"] for row in release.videos}):
        if not release.text(f"previews/{subject}.html"):
            yield subject, "has no preview page"


def _there(release: Opened, pattern: str) -> bool:
    """Whether files of the release are named so."""
    try:
        return any(release.root.glob(pattern))
    except (ValueError, NotImplementedError):  # empty, absolute, or no pattern at all
        return False


def _dicts(value: Any) -> list[dict[str, Any]]:
    """The mappings in a list, or the one that stands in its place; anything else in a card is left aside."""
    return [one for one in (value if isinstance(value, list) else [value]) if isinstance(one, dict)]


def front_matter(card: str) -> dict[str, Any] | None:
    """What stands between the card's first two lines of ---, None if that is no YAML."""
    found = re.match(r"---\n(.*?)\n---\n", card, re.S)
    if not found:
        return None
    try:
        told = yaml.safe_load(found[1])
    except yaml.YAMLError:
        return None
    return told if isinstance(told, dict) else None


def _table_row(card: str, label: str) -> list[int] | None:
    found = re.search(rf"^\| {re.escape(label)} \|((?: \d+ \|)+)$", card, re.M)
    return [int(number) for number in re.findall(r"\d+", found[1])] if found else None


def _clip(release: Opened, row: dict[str, Any]) -> Clip:
    """A row as what it was made from, as far as counting needs it."""
    name = release.file_of(row)
    size = (release.root / name).stat().st_size if (release.root / name).is_file() else 0
    item = Item(
        row["id"], LABELS[row["label"]], row["kind"], row["subject"], row["source_subject"], row["source"],
        row["pair"], row["generator"], row["motion"], release.root / name, "", None, (), (), None,
    )  # fmt: skip
    return Clip(
        item, SPLITS[row["split"]], name, row["sha256"], size, (row["width"], row["height"]), tuple(row["times"]),
        row["licence"], "",
    )  # fmt: skip


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) < 80 else text[:77] + "…"
