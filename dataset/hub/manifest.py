"""The list of a release's files with their hashes: what goes up, and what must come back."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from dataset.errors import HubError
from dataset.hub.client import ATTRIBUTES, RemoteFile

MANIFEST = "MANIFEST.json"
RELEASE = "release.json"


@dataclass(frozen=True)
class Entry:
    """One file: where it lies in the release, how many bytes it has, and their SHA-256."""

    path: str
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Release:
    """A release in a folder on this machine.

    Attributes:
        folder: where.
        facts: ``release.json``.
        files: all files, the manifest included, by path.
    """

    folder: Path
    facts: dict[str, Any]
    files: dict[str, Entry]

    @property
    def version(self) -> str:
        """Such as "1.0.0"."""
        return str(self.facts["version"])

    @property
    def name(self) -> str:
        """Of the collection that it was built from."""
        return str(self.facts.get("name", ""))

    @property
    def total_bytes(self) -> int:
        """Of all files."""
        return sum(entry.bytes for entry in self.files.values())


def read_release(folder: str | Path) -> Release:
    """A release folder, with what its manifest says of it.

    Only names and sizes are compared with the disk here; `dataset.release.validate` compares the hashes.

    Raises:
        HubError: it is no release, or files are missing, changed in size, or not in the manifest.
    """
    root = Path(folder)
    for name in (MANIFEST, RELEASE):
        if not (root / name).is_file():
            raise HubError(
                f"no release in this folder: {name} is missing", path=root, hint="dataset build COLLECTION"
            )
    manifest = (root / MANIFEST).read_bytes()
    files = {entry.path: entry for entry in parse_manifest(manifest, root / MANIFEST)}
    files[MANIFEST] = Entry(MANIFEST, len(manifest), hashlib.sha256(manifest).hexdigest())
    found = {path.relative_to(root).as_posix() for path in root.rglob("*") if not path.is_dir()}
    if strangers := sorted(found - files.keys()):
        raise HubError(f"{strangers[0]} is not in the manifest", path=root, hint="build the release anew")
    for entry in files.values():
        path = root / entry.path
        if entry.path not in found or path.is_symlink():
            raise HubError("is in the manifest, but no plain file", path=path, hint="build the release anew")
        if path.stat().st_size != entry.bytes:
            raise HubError(
                "is of another size than in the manifest", path=path, hint="build the release anew"
            )
    return Release(root, read_json_object((root / RELEASE).read_bytes(), root / RELEASE), files)


def parse_manifest(data: bytes, where: str | Path) -> list[Entry]:
    """The files of a manifest.

    Args:
        data: its bytes, perhaps from somebody else.
        where: the file or address it came from, for the error.

    Raises:
        HubError: it is damaged, or names a file outside of the release.
    """
    try:
        rows = json.loads(data)["files"].items()
        entries = [Entry(str(path), int(row["bytes"]), str(row["sha256"])) for path, row in rows]
    except (ValueError, KeyError, TypeError, AttributeError):
        raise HubError("is damaged: no list of files", path=where) from None
    for entry in entries:
        pure = PurePosixPath(entry.path)
        unsafe = pure.is_absolute() or ".." in pure.parts or "\\" in entry.path or str(pure) != entry.path
        if unsafe or not entry.path or "\0" in entry.path or len(entry.sha256) != 64:
            raise HubError(f"names an impossible file, {entry.path!r}", path=where)
    return entries


def read_json_object(data: bytes, where: str | Path) -> dict[str, Any]:
    """A JSON object.

    Raises:
        HubError: it is none.
    """
    try:
        value = json.loads(data)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise HubError("is damaged: no JSON object", path=where)
    return value


def same_content(release: Release, entry: Entry, remote: RemoteFile) -> bool:
    """Whether the hub has exactly this file, by the hash that the hub gives."""
    if remote.size != entry.bytes:
        return False
    if remote.sha256 is not None:
        return remote.sha256 == entry.sha256
    return remote.blob_id == git_blob_id((release.folder / entry.path).read_bytes())


def differences(release: Release, remote: dict[str, RemoteFile]) -> tuple[list[Entry], list[str]]:
    """What must go up, and what must go away, to make the hub's files those of the release.

    Returns:
        (entries that are new or changed, paths that the release does not have)
    """
    up = [
        entry
        for path, entry in sorted(release.files.items())
        if path not in remote or not same_content(release, entry, remote[path])
    ]
    return up, sorted(path for path in remote if path not in release.files and path != ATTRIBUTES)


def git_blob_id(content: bytes) -> str:
    """The name that git gives to some content."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def spell_bytes(size: float) -> str:
    """A size for people: ``512 B``, ``4.2 MB``."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"


def total(entries: Iterable[Entry]) -> int:
    """Bytes of some files together."""
    return sum(entry.bytes for entry in entries)
