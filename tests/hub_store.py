"""What a hub keeps: repositories with commits, branches, tags, LFS objects and settings, in a folder.

    ROOT/tokens.json                     token → {"user", "orgs", "rights": "write" | "read" | "none"}
    ROOT/repos/datasets/ORG/NAME/
        repo.json                        visibility, gating, refs, access requests, storage limit
        commits/<oid>.json               parent, title, date, tree: path → {"oid", "size", "lfs"}
        blobs/<git id>                   small texts, kept in git
        lfs/<sha256>                     everything else

A folder, and not memory, so that a test can look at it after the process that wrote to it was killed. `Store` holds
no protocol: `hub_server` speaks it. Every method is called under `Store.lock`.
"""

from __future__ import annotations

import base64
import fnmatch
import hashlib
import json
import os
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

#: What a fresh dataset repository on the hub keeps outside of git (shortened to the kinds that matter here).
DEFAULT_ATTRIBUTES = "".join(
    f"*.{suffix} filter=lfs diff=lfs merge=lfs -text\n"
    for suffix in ("7z", "arrow", "bin", "gz", "npz", "npy", "parquet", "safetensors", "tar", "zip")
) + "".join(
    f"*.{suffix} filter=lfs diff=lfs merge=lfs -text\n"
    for suffix in ("wav", "flac", "png", "jpg", "jpeg", "webp", "gif", "mp4", "webm")
)
REGULAR_LIMIT = 10 << 20  # texts above this many bytes must be LFS objects

Tree = dict[str, dict[str, Any]]


class HubError(Exception):
    """A refusal with an HTTP status and the error code that clients read from a header."""

    def __init__(self, status: int, message: str, code: str | None = None) -> None:
        super().__init__(message)
        self.status, self.message, self.code = status, message, code


@dataclass
class Repository:
    """One repository: the folder and what `repo.json` holds."""

    folder: Path
    id: str
    private: bool = True
    gated: Any = False
    created: str = ""
    branches: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    requests: list[dict[str, str]] = field(default_factory=list)
    limit: int | None = None
    #: Commits that no branch and no tag leads to any more, but that are still served to who knows their name.
    lingering: list[str] = field(default_factory=list)

    def save(self) -> None:
        facts = {name: value for name, value in vars(self).items() if name != "folder"}
        write_atomically(self.folder / "repo.json", json.dumps(facts, indent=1).encode())

    # commits ---------------------------------------------------------------------------------------------------

    def commit(self, oid: str) -> dict[str, Any]:
        """One commit by its full name."""
        return json.loads((self.folder / "commits" / f"{oid}.json").read_bytes())

    def history(self, oid: str) -> list[str]:
        """The commit and all before it, newest first."""
        names = []
        current: str | None = oid
        while current is not None:
            names.append(current)
            current = self.commit(current)["parent"]
        return names

    def reachable(self) -> set[str]:
        """Every commit that a branch or tag leads to."""
        found: set[str] = set()
        for head in {*self.branches.values(), *self.tags.values()}:
            found.update(self.history(head))
        return found

    def resolve(self, revision: str) -> str:
        """The commit that a branch, tag or commit name stands for."""
        name = revision.removeprefix("refs/heads/").removeprefix("refs/tags/")
        for refs in (self.branches, self.tags):
            if name in refs:
                return refs[name]
        if name in self.branches.values() or name in self.tags.values():
            return name
        served = self.reachable() | {old for start in self.lingering for old in self.history(start)}
        for oid in sorted(served):
            if len(name) >= 7 and oid.startswith(name):
                return oid
        raise HubError(404, f"Invalid rev id: {revision}", "RevisionNotFound")

    def tree(self, revision: str) -> Tree:
        """All files of a revision."""
        return self.commit(self.resolve(revision))["tree"]

    def write_commit(self, tree: Tree, parent: str | None, title: str, message: str = "") -> str:
        """Store a commit, and return its name."""
        facts = {
            "parent": parent,
            "title": title,
            "message": message,
            "date": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z"),
            "tree": dict(sorted(tree.items())),
        }
        data = json.dumps(facts).encode()
        oid = hashlib.sha1(data + str(time.time_ns()).encode()).hexdigest()
        write_atomically(self.folder / "commits" / f"{oid}.json", data)
        return oid

    def add_blob(self, content: bytes) -> dict[str, Any]:
        """Keep a text in git; returns its entry in a tree."""
        oid = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
        if not (path := self.folder / "blobs" / oid).exists():
            write_atomically(path, content)
        return {"oid": oid, "size": len(content), "lfs": None}

    def pointer(self, sha256: str, size: int) -> dict[str, Any]:
        """The entry in a tree of an LFS object that was uploaded before."""
        if not (self.folder / "lfs" / sha256).exists():
            raise HubError(400, f"LFS object {sha256} was not uploaded")
        text = f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {size}\n".encode()
        return {
            "oid": hashlib.sha1(b"blob %d\0" % len(text) + text).hexdigest(),
            "size": size,
            "lfs": {"oid": sha256, "size": size, "pointerSize": len(text)},
        }

    def apply(self, branch: str, lines: list[dict[str, Any]]) -> str:
        """Commit what the lines of a commit request ask for; returns the new head.

        Raises:
            HubError: 412 if somebody else has committed since, 400 if an object is missing.
        """
        if branch not in self.branches:
            raise HubError(404, f"Invalid rev id: {branch}", "RevisionNotFound")
        header = lines[0]["value"]
        head = self.branches[branch]
        if header.get("parentCommit") not in (None, head):
            raise HubError(412, "A commit has happened since. Please refresh and try again.")
        tree = dict(self.commit(head)["tree"])
        for line in lines[1:]:
            key, value = line["key"], line["value"]
            path = value["path"].rstrip("/")
            if key == "file":
                tree[path] = self.add_blob(base64.b64decode(value["content"]))
            elif key == "lfsFile":
                tree[path] = self.pointer(value["oid"], (self.folder / "lfs" / value["oid"]).stat().st_size)
            elif key == "deletedFile":
                if tree.pop(path, None) is None:
                    raise HubError(404, "A file with this name doesn't exist", "EntryNotFound")
            elif key == "deletedFolder":
                tree = {name: entry for name, entry in tree.items() if not name.startswith(path + "/")}
            else:
                raise HubError(400, f"unknown operation {key}")
        oid = self.write_commit(tree, head, header["summary"], header.get("description", ""))
        self.branches[branch] = oid
        self.save()
        return oid

    def squash(self, branch: str, message: str) -> None:
        """One commit instead of a branch's history. As on the hub, the old commits stay reachable by name."""
        if branch not in self.branches:
            raise HubError(404, f"Invalid rev id: {branch}", "RevisionNotFound")
        head = self.branches[branch]
        self.lingering.append(head)
        self.branches[branch] = self.write_commit(self.commit(head)["tree"], None, message)
        self.save()

    def delete_objects(self, hashes: set[str], *, rewrite: bool) -> None:
        """Remove LFS objects for good; with `rewrite`, also every mention of them in every commit."""
        for sha256 in hashes:
            (self.folder / "lfs" / sha256).unlink(missing_ok=True)
        if not rewrite:
            return
        renamed: dict[str | None, str | None] = {None: None}
        for head in sorted({*self.branches.values(), *self.tags.values()}):
            for oid in reversed(self.history(head)):
                if oid in renamed:
                    continue
                old = self.commit(oid)
                kept = {
                    path: entry
                    for path, entry in old["tree"].items()
                    if not (entry["lfs"] and entry["lfs"]["oid"] in hashes)
                }
                same = len(kept) == len(old["tree"]) and renamed[old["parent"]] == old["parent"]
                renamed[oid] = (
                    oid
                    if same
                    else self.write_commit(kept, renamed[old["parent"]], old["title"], old["message"])
                )
        for refs in (self.branches, self.tags):
            refs.update({name: str(renamed[oid]) for name, oid in refs.items()})
        self.lingering = []
        self.save()
        keep = self.reachable()
        for path in (self.folder / "commits").iterdir():
            if path.stem not in keep:
                path.unlink()
        blobs = {
            entry["oid"] for oid in keep for entry in self.commit(oid)["tree"].values() if not entry["lfs"]
        }
        for path in (self.folder / "blobs").iterdir():
            if path.name not in blobs:
                path.unlink()

    # what is large -----------------------------------------------------------------------------------------------

    def is_large(self, path: str, size: int, sample: bytes) -> bool:
        """Whether a file is kept as an LFS object: by .gitattributes, by size, or because it is no text."""
        attributes = self.commit(self.branches["main"])["tree"].get(".gitattributes")
        if attributes is not None:
            text = (self.folder / "blobs" / attributes["oid"]).read_text("utf-8")
            for line in text.splitlines():
                pattern, *marks = line.split() or [""]
                name = path if "/" in pattern else path.rsplit("/", 1)[-1]
                if "filter=lfs" in marks and fnmatch.fnmatchcase(name, pattern):
                    return True
        return size > REGULAR_LIMIT or b"\0" in sample

    def objects(self) -> list[dict[str, Any]]:
        """All LFS objects, also those that no commit mentions."""
        names: dict[str, str] = {}
        for oid in self.reachable():
            for path, entry in self.commit(oid)["tree"].items():
                if entry["lfs"]:
                    names[entry["lfs"]["oid"]] = path
        rows = []
        for path in sorted((self.folder / "lfs").iterdir()):
            if "." in path.name:
                continue  # an upload that has not ended
            pushed = datetime.fromtimestamp(path.stat().st_mtime, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
            rows.append(
                {
                    "fileOid": path.name,
                    "oid": path.name,
                    "filename": names.get(path.name, path.name),
                    "pushedAt": pushed,
                    "ref": "main" if path.name in names else None,
                    "size": path.stat().st_size,
                }
            )
        return rows

    def stored_bytes(self) -> int:
        """How much room the LFS objects take."""
        return sum(path.stat().st_size for path in (self.folder / "lfs").iterdir())


class Store:
    """All repositories and tokens below one folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.lock = threading.RLock()
        (root / "repos").mkdir(parents=True, exist_ok=True)
        if not (root / "tokens.json").exists():
            write_atomically(root / "tokens.json", b"{}")

    def add_token(self, token: str, user: str, *, orgs: tuple[str, ...] = (), rights: str = "write") -> str:
        """Let a token in; `rights` is "write", "read" or "none"."""
        with self.lock:
            tokens = self.tokens()
            tokens[token] = {"user": user, "orgs": list(orgs), "rights": rights}
            write_atomically(self.root / "tokens.json", json.dumps(tokens, indent=1).encode())
        return token

    def tokens(self) -> dict[str, dict[str, Any]]:
        """Token → who it belongs to and what it may do."""
        return json.loads((self.root / "tokens.json").read_bytes())

    def folder(self, kind: str, repo_id: str) -> Path:
        """Where a repository lies, whether it exists or not."""
        return self.root / "repos" / kind / repo_id

    def get(self, kind: str, repo_id: str) -> Repository | None:
        """A repository, or None."""
        folder = self.folder(kind, repo_id)
        if not (folder / "repo.json").exists():
            return None
        return Repository(folder=folder, **json.loads((folder / "repo.json").read_bytes()))

    def create(self, kind: str, repo_id: str, *, private: bool) -> Repository:
        """A repository with the first commit that the hub makes."""
        folder = self.folder(kind, repo_id)
        for name in ("commits", "blobs", "lfs"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        created = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
        repo = Repository(folder=folder, id=repo_id, private=private, created=created)
        entry = repo.add_blob(DEFAULT_ATTRIBUTES.encode())
        repo.branches["main"] = repo.write_commit({".gitattributes": entry}, None, "initial commit")
        repo.save()
        return repo


def write_atomically(path: Path, data: bytes) -> None:
    """Write beside and rename: who reads the folder meanwhile sees the old file or the new one."""
    temporary = path.with_name(f"{path.name}.{threading.get_ident()}.part")
    temporary.write_bytes(data)
    os.replace(temporary, path)
