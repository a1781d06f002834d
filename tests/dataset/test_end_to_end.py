"""Twelve mannequins from an empty folder to the hub, into a detector's hands, and two of them out again."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hub_cases import REPO, environment, folder_hashes, holds, run, serving
from hub_server import HubServer
from mannequin_collection import add_tiny_model, make_corpus, tiny_film

from dataset.collection import Collection
from dataset.hub.tombstones import read_tombstones, withdrawn_among
from dataset.hub.withdraw_local import words

PEOPLE = [f"m{number}" for number in range(1, 13)]
FRAMES = 8

# In a process of its own: both libraries read the hub's address when they are imported.
LOAD = """
import json, sys
from datasets import Video, load_dataset
from dataset.release.loader import frame_pairs
told = {"rows": []}
for config in ("recordings", "pairs"):
    for split, rows in load_dataset(sys.argv[1], config, token=True).items():
        told[config + " " + split] = len(rows)
for split, rows in load_dataset(sys.argv[1], "recordings", token=True, streaming=True).items():
    names = rows.features["label"].names
    rows = rows.cast_column("video", Video(decode=False))  # the bytes, which our own loader decodes
    for row in rows:
        label = names[row["label"]]
        told["rows"].append([split, row["id"], label, row["subject"], row["source_subject"], row["sha256"]])
        sample = next(iter(frame_pairs([row])))
        told["frame " + row["id"]] = [list(sample.first.shape), sample.label]
print(json.dumps(told))
"""


def dataset(hub: HubServer, home: Path, *arguments: object) -> str:
    """The output of a ``dataset`` command that must succeed."""
    done = run(hub, home, *(str(one) for one in arguments))
    assert done.returncode == 0, done.stderr
    return done.stdout


def load(hub: HubServer, home: Path) -> dict[str, Any]:
    """What `datasets` makes of what is on the hub."""
    env = environment(hub, home) | {
        "HF_DATASETS_CACHE": str(home / f"cache-{len(list(home.glob('cache-*')))}")
    }
    done = subprocess.run(
        [sys.executable, "-c", LOAD, REPO], env=env, capture_output=True, text=True, timeout=900, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return dict(json.loads(done.stdout.splitlines()[-1]))


def sides(told: dict[str, Any]) -> dict[str, set[str]]:
    """Subject → the splits in which they are seen or their motion is."""
    found: dict[str, set[str]] = {}
    for split, _, _, subject, source, _ in told["rows"]:
        for name in (subject, source):
            found.setdefault(name, set()).add(split)
    return found


@pytest.mark.slow
def test_twelve_mannequins_and_two_withdrawals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home, root = tmp_path / "home", tmp_path / "mannequins"
    home.mkdir()
    with serving(tmp_path / "hub", monkeypatch) as hub:
        # init → add
        dataset(hub, home, "init", root, "--name", "mannequins", "--licence", "CC0-1.0")
        for number, name in enumerate(PEOPLE, 1):
            dataset(hub, home, "add-subject", root, name, "--mannequin")
            film = tiny_film(number, "dance", 0, FRAMES)
            Collection.open(root).add_recording(film, name, motion="dance", checks=())
        collection = Collection.open(root)
        corpus = make_corpus(
            collection, tmp_path / "corpus", [add_tiny_model(collection, name) for name in PEOPLE]
        )
        dataset(hub, home, "add-fakes", root, corpus.root)
        assert len(collection.fakes()) == 24
        # build → validate → publish
        dataset(hub, home, "build", root)
        first = root / "releases/1.0.0"
        dataset(hub, home, "validate", first)
        assert "new repository" in dataset(hub, home, "publish", root, REPO, "--dry-run")
        assert "all as in the release" in dataset(hub, home, "publish", root, REPO)
        assert holds(hub, first, "v1.0.0")
        # load, also streaming
        told = load(hub, home)
        assert sum(value for name, value in told.items() if name.startswith("recordings ")) == len(
            told["rows"]
        )
        assert {row[3] for row in told["rows"]} == set(PEOPLE)
        assert all(len(splits) == 1 for splits in sides(told).values())
        released = json.loads((first / "release.json").read_text())["items"]
        assert {row[1]: (row[2], row[5]) for row in told["rows"]} == {
            name: (item["label"], item["sha256"]) for name, item in released.items()
        }
        frames = {
            name.removeprefix("frame "): value for name, value in told.items() if name.startswith("frame ")
        }
        assert frames == {row[1]: [[128, 96, 3], row[2]] for row in told["rows"]}
        # fetch
        dataset(hub, home, "fetch", REPO, tmp_path / "fetched")
        assert folder_hashes(tmp_path / "fetched") == folder_hashes(first)
        # withdraw two
        gone = ["m3", "m8"]
        for name in gone:
            assert "none answers" in dataset(hub, home, "withdraw", root, "--subject", name, "--yes")
        # verify
        (last,) = (path.parent for path in root.glob("releases/*/release.json"))
        assert last.name == "3.0.0"
        dataset(hub, home, "validate", last)
        assert holds(hub, last, "main")
        assert holds(hub, last, "v3.0.0")
        repo = hub.store.get("datasets", REPO)
        assert repo is not None
        assert list(repo.tags) == ["v3.0.0"]
        named = words(gone)
        for path in (path for path in repo.folder.rglob("*") if path.is_file()):
            content = (
                path.read_bytes()
            )  # two letters stand in any video by chance, so only texts are searched
            assert b"\0" in content or not named.search(content.decode("utf-8", "replace")), path
        again = load(hub, home)
        assert {row[3] for row in again["rows"]} | {row[4] for row in again["rows"]} == set(PEOPLE) - set(
            gone
        )
        assert sides(again).items() <= sides(told).items()
        # whoever has the old copy can tell who is meant
        stones = [stone.id for stone in read_tombstones(root)]
        assert set(withdrawn_among(PEOPLE, stones)) == set(gone)
        text = dataset(hub, home, "diff", tmp_path / "fetched", REPO)
        assert "- subject m3, withdrawn: delete your copies" in text
