"""What the tests of publishing share: a hub with three tokens, and releases of a few small files."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hub_server import HubServer

from dataset.collection import Collection
from dataset.errors import ReleaseError

OWNER, READER, STRANGER = "hf_ownertoken0", "hf_readertoken", "hf_strangertok"
REPO = "studio/dancers"
CARD = "---\nlicense: cc0-1.0\n---\n# Dancers\n"

Files = dict[str, str | bytes]


@contextmanager
def serving(root: Path, patch: pytest.MonkeyPatch, **more: Any) -> Iterator[HubServer]:
    """A hub; this process holds the owner's token, waits little between attempts and leaves Xet aside."""
    import huggingface_hub.constants

    with HubServer(root, **more) as hub:
        hub.store.add_token(OWNER, "owner", orgs=("studio",))
        hub.store.add_token(READER, "reader", orgs=("studio",), rights="read")
        hub.store.add_token(STRANGER, "stranger")
        patch.setattr(huggingface_hub.constants, "HF_HUB_DISABLE_XET", True)
        patch.setenv("HF_TOKEN", OWNER)
        patch.setattr("dataset.hub.client._WAIT", 0.01)
        yield hub


def environment(hub: HubServer, home: Path, token: str = OWNER) -> dict[str, str]:
    """What a process of its own needs to speak to the hub and to nobody else."""
    return os.environ | {
        "HF_ENDPOINT": hub.url,
        "HF_TOKEN": token,
        "HF_HOME": str(home),
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "OMP_NUM_THREADS": "1",
    }


def run(hub: HubServer, home: Path, *arguments: str, token: str = OWNER) -> subprocess.CompletedProcess[str]:
    """A ``dataset`` command in a process of its own."""
    command = [sys.executable, "-c", "from cli.dataset import main; main()", *arguments]
    env = environment(hub, home, token)
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=900, check=False)


def some_files(mark: str = "one") -> Files:
    """Two videos' worth of bytes, a table, a page and a card; `mark` changes one video, the page and the card."""
    return {
        "README.md": CARD + f"\nState {mark}.\n",
        "data/recordings/train-00000-of-00001.parquet": b"PAR1" + b"table" * 900,
        "videos/anna.mp4": b"\0video of anna" * 4000,
        "videos/bert.mp4": f"\0video of bert {mark}".encode() * 3000,
        "preview/bert.html": f"<p>bert {mark}</p>",
    }


def write_release(
    folder: Path,
    files: Files | None = None,
    *,
    version: str = "1.0.0",
    name: str = "dancers",
    people: bool = False,
) -> Path:
    """A release as far as publishing looks at it."""
    consent = {"kind": "person" if people else "mannequin", "scope": ["publish"], "jurisdiction": "DE"}
    consent |= {"date": "2026-05-01", "expires": None, "form_sha256": "0" * 64}
    facts = {"schema": 1, "version": version, "name": name, "consents": {"anna": consent}}
    content: Files = {**(some_files() if files is None else files), "release.json": json.dumps(facts)}
    rows = {}
    for path, value in content.items():
        data = value if isinstance(value, bytes) else value.encode()
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
        rows[path] = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    (folder / "MANIFEST.json").write_text(json.dumps({"schema": 1, "files": rows}))
    return folder


def tree_hashes(hub: HubServer, revision: str = "main", repo_id: str = REPO) -> dict[str, str]:
    """Path → SHA-256 of what the hub's folder has at a revision, read past the protocol."""
    repo = hub.store.get("datasets", repo_id)
    assert repo is not None
    hashes = {}
    for path, entry in repo.tree(revision).items():
        file = repo.folder / ("lfs/" + entry["lfs"]["oid"] if entry["lfs"] else "blobs/" + entry["oid"])
        hashes[path] = hashlib.sha256(file.read_bytes()).hexdigest()
    return hashes


def folder_hashes(folder: Path) -> dict[str, str]:
    """Path → SHA-256 of the files of a folder."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def holds(hub: HubServer, folder: Path, revision: str = "main") -> bool:
    """Whether a revision on the hub has exactly the files of a release."""
    there = {path: sha for path, sha in tree_hashes(hub, revision).items() if path != ".gitattributes"}
    return there == folder_hashes(folder)


def plain_build(collection: Collection) -> Path:
    """A release of a collection as far as publishing and withdrawing look at it, without encoding anything."""
    releases = collection.root / "releases"
    path = releases / "history.json"
    history = json.loads(path.read_text())["releases"] if path.exists() else []
    active = {subject.id for subject in collection.subjects() if subject.status == "active"}
    things = [thing for thing in (*collection.recordings(), *collection.fakes()) if thing.subject in active]
    if not things:
        raise ReleaseError("nothing in it may be published")
    items = {thing.id: thing.sha256 for thing in things}
    if history and history[-1]["items"] == items:
        return releases / history[-1]["version"]
    version = f"{len(history) + 1}.0.0"
    files: Files = {f"videos/{t.subject}/{t.id}.mp4": collection.path_of(t).read_bytes() for t in things}
    names = ", ".join(sorted(active))
    files |= {"README.md": f"{CARD}Of {names}.\n", "data/train.parquet": b"PAR1" + names.encode() * 300}
    files |= {f"preview/{name}.html": f"<p>{name}</p>" for name in active}
    write_release(releases / version, files, version=version, name=collection.name)
    entry = {"version": version, "dated": "2026-05-01", "state": "", "items": items, "changes": []}
    history.append(entry | {"split": dict.fromkeys(sorted(active), "train"), "tombstones": {}})
    path.write_text(json.dumps({"schema": 1, "releases": history}))
    return releases / version
