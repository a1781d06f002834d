"""What is told of two releases."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hub_cases import REPO, serving, some_files, write_release

from dataset.errors import HubError
from dataset.hub import publish
from dataset.hub.diff import diff, load
from dataset.hub.manifest import read_release
from dataset.hub.tombstones import new_id

CONSENT = {"kind": "person", "scope": ["train", "publish"], "date": "2026-05-01", "expires": None}
BEFORE: dict[str, Any] = {
    "version": "1.0.0",
    "licence": "CC0-1.0",
    "counts": {"videos": {"real": {"train": 4}}, "frames": 40, "subjects": ["anna", "bert"]},
    "splits": {"anna": "train", "bert": "test"},
    "consents": {"anna": CONSENT, "bert": CONSENT},
    "items": {"a1": {"sha256": "1", "subject": "anna"}, "b1": {"sha256": "2", "subject": "bert"}},
    "tombstones": {},
}


def changed(**more: Any) -> dict[str, Any]:
    return copy.deepcopy(BEFORE) | more


def test_a_release_does_not_differ_from_itself() -> None:
    assert diff(BEFORE, changed(version="1.0.1")).same


def test_videos_are_added_removed_and_changed() -> None:
    items = {"a1": {"sha256": "9", "subject": "anna"}, "a2": {"sha256": "3", "subject": "anna"}}
    found = diff(BEFORE, changed(items=items))
    assert (found.added, found.removed, found.changed) == (("a2",), ("b1",), {"a1": ("sha256",)})
    assert not found.same


def test_whoever_was_withdrawn_is_named_to_those_who_have_the_copy() -> None:
    stone = new_id("bert")
    after = changed(consents={"anna": CONSENT, "carl": CONSENT}, tombstones={stone: "2026-06-01"})
    found = diff(BEFORE, after)
    assert (found.subjects_added, found.subjects_removed) == (("carl",), ("bert",))
    assert found.withdrawn == {"bert": stone}
    assert any("bert, withdrawn: delete your copies" in line for line in found.lines())


def test_a_change_of_consent_is_told() -> None:
    narrower = CONSENT | {"scope": ["publish"], "expires": "2027-01-01"}
    found = diff(BEFORE, changed(consents={"anna": narrower, "bert": CONSENT}))
    assert found.consents == {
        "anna": {"scope": (["train", "publish"], ["publish"]), "expires": (None, "2027-01-01")}
    }
    assert "  consent of anna: expires none → 2027-01-01" in found.lines()


def test_figures_splits_and_terms_are_compared() -> None:
    counts = {"videos": {"real": {"train": 5}}, "frames": 40, "subjects": []}
    after = changed(counts=counts, licence="CC-BY-4.0", splits={"anna": "test", "bert": "test"})
    found = diff(BEFORE, after)
    assert found.counts == {"videos.real.train": (4, 5)}
    assert found.facts == {"licence": ("CC0-1.0", "CC-BY-4.0")}
    assert found.moved == {"anna": ("train", "test")}


def test_two_versions_on_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(tmp_path / "hub", monkeypatch) as hub:
        for version in ("1.0.0", "1.1.0"):
            folder = write_release(tmp_path / version, some_files(version), version=version)
            publish(read_release(folder), REPO, endpoint=hub.url, verify="quick")
        hub.log.clear()
        first = load(f"{REPO}@1.0.0", endpoint=hub.url)
        assert first == load(tmp_path / "1.0.0")
        assert load(REPO, endpoint=hub.url)["version"] == "1.1.0"
        assert len(hub.requests("GET", "/cdn/")) == 2  # the description of each, and no video


@pytest.mark.parametrize("source", ["nowhere", "/nowhere/at/all", "a/b/c"])
def test_what_is_no_release_is_told(source: str) -> None:
    with pytest.raises(HubError, match="no such release"):
        load(source)


def test_a_folder_without_a_release_is_told(tmp_path: Path) -> None:
    (tmp_path / "other.json").write_text(json.dumps({}))
    with pytest.raises(HubError, match=r"release\.json is missing"):
        load(tmp_path)
