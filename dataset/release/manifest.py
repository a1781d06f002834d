"""``MANIFEST.json``: every file of a release with its length and hash, and how to find a release again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from dataset.errors import ReleaseError
from dataset.files import sha256_file, write_json

MANIFEST = "MANIFEST.json"
RELEASE = "release.json"
SCHEMA = 1


def write_manifest(root: Path, known: dict[str, str] | None = None) -> dict[str, Any]:
    """List every file under `root` but the manifest itself.

    Args:
        root: the release.
        known: hashes of files that have just been taken, by path, so that they are not taken again.
    """
    hashes = known or {}
    files = {
        name: {"bytes": (root / name).stat().st_size, "sha256": hashes.get(name) or sha256_file(root / name)}
        for name in files_of(root)
    }
    manifest = {"schema": SCHEMA, "files": files}
    write_json(root / MANIFEST, manifest)
    return manifest


def files_of(root: Path) -> list[str]:
    """Relative paths of all files but the manifest, sorted."""
    return sorted(
        path.relative_to(root).as_posix()
        for path in root.rglob("*")
        if not path.is_dir() and path.relative_to(root).as_posix() != MANIFEST
    )


def read_manifest(root: Path) -> dict[str, dict[str, Any]]:
    """Path → {"bytes", "sha256"}.

    Raises:
        ReleaseError: there is none, or it is damaged.
    """
    data = _read(root, MANIFEST)
    try:
        return {
            str(name): {"bytes": int(e["bytes"]), "sha256": str(e["sha256"])}
            for name, e in data["files"].items()
        }
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError) as error:
        raise ReleaseError("not a manifest of a release", path=root / MANIFEST) from error


def read_release(root: Path) -> dict[str, Any]:
    """``release.json``: version, counts, splits, what it was made from.

    Raises:
        ReleaseError: there is none, or it is damaged.
    """
    data = _read(root, RELEASE)
    if not isinstance(data, dict) or data.get("schema") != SCHEMA or "version" not in data:
        raise ReleaseError(f"not a release description of schema {SCHEMA}", path=root / RELEASE)
    return data


def _read(root: Path, name: str) -> Any:
    try:
        return json.loads((root / name).read_text("utf-8"))
    except FileNotFoundError:
        raise ReleaseError(
            f"no {name} in this folder, so it is no release",
            path=root,
            hint="make one with: dataset build COLLECTION",
        ) from None
    except (OSError, ValueError) as error:
        raise ReleaseError(f"not readable as JSON ({error})", path=root / name) from error
