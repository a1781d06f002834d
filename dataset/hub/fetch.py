"""Fetching a release from a hub, every file checked against the manifest.

Everything goes to ``OUT.partial`` first. A file is taken over once its hash is right; a download that was cut off
goes on where it stopped. When all are there, the folder gets its name in one step: `OUT` is a whole release or does
not exist.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from dataset.errors import HubError
from dataset.files import sha256_file
from dataset.hub.client import HubRepository, RemoteFile
from dataset.hub.manifest import MANIFEST, Entry, git_blob_id, parse_manifest, read_release, spell_bytes
from dataset.hub.publish import tag_of

_PART = ".part"
_ATTEMPTS = 2  # downloads of a file whose bytes come out wrong
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Fetched:
    """What was fetched.

    Attributes:
        folder: the release.
        repo_id, version, commit: which one.
        files: how many files it has, all verified.
        downloaded_bytes: what came over the line this time.
    """

    folder: Path
    repo_id: str
    version: str
    commit: str
    files: int
    downloaded_bytes: int


@dataclass(frozen=True)
class Tell:
    """Progress within one file, as progress of the whole."""

    progress: Callable[[int, int], None] | None
    before: int
    everything: int

    def __call__(self, have: int) -> None:
        """Say that so many bytes of the file are here."""
        if self.progress is not None:
            self.progress(self.before + have, self.everything)


def fetch(
    repo_id: str,
    out: str | Path,
    *,
    version: str | None = None,
    endpoint: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Fetched:
    """Download a release and verify every file.

    Args:
        repo_id: ``ORG/NAME``.
        out: the folder to make.
        version: "1.0.0", a branch or a commit; None for the newest.
        endpoint: address of the hub; None for huggingface_hub's own.
        progress: called with (bytes so far, bytes in all).

    Raises:
        HubError: it is not there or not a release of this tool, `out` holds something else, a file is not what the
            manifest says, or the disk is full. What was downloaded is kept for the next attempt.
    """
    target = Path(out)
    hub = HubRepository(repo_id, endpoint=endpoint)
    commit = resolve(hub, version)
    remote = hub.files(commit)
    entries = remote_manifest(hub, commit, remote)
    if target.is_symlink() or target.exists():
        return _already(target, hub, entries, commit)
    partial = target.with_name(target.name + ".partial")
    try:
        partial.mkdir(parents=True, exist_ok=True)
        _remove_strangers(partial, entries)
        done = downloaded = 0
        everything = sum(entry.bytes for entry in entries.values())
        _check_room(partial, everything)
        for entry in entries.values():
            downloaded += _fetch_file(
                hub, entry, commit, partial / entry.path, Tell(progress, done, everything)
            )
            done += entry.bytes
            if progress is not None:
                progress(done, everything)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise HubError(
                "the disk is full",
                path=partial,
                hint="make room and type the same again; what is there is kept",
            ) from error
        raise
    release = read_release(partial)
    os.replace(partial, target)
    return Fetched(target, repo_id, release.version, commit, len(entries), downloaded)


def resolve(hub: HubRepository, version: str | None) -> str:
    """The commit of a version, branch, tag or commit name; of the newest for None.

    Raises:
        HubError: there is no such data set or version.
    """
    if version is not None:
        tags = hub.tags()
        if (tag := tag_of(version)) in tags:
            return tags[tag]
        if version in tags:
            return tags[version]
        known = ", ".join(sorted(tags)) or "none"
        if version not in hub.branches() and len(version) < 7:
            raise HubError(f"{hub.repo_id} has no version {version}", hint=f"there are: {known}")
    state = hub.state(version or "main")
    if state is None:
        raise HubError(
            f"there is no data set {hub.repo_id}, or the token may not see it",
            hint="check the name: hf auth whoami",
        )
    return state.head


def remote_manifest(
    hub: HubRepository, commit: str, remote: dict[str, RemoteFile] | None = None
) -> dict[str, Entry]:
    """Every file of a release on the hub by path, the manifest included.

    Args:
        hub: the repository.
        commit: of it.
        remote: its files, where they are known.

    Raises:
        HubError: it is no release of this tool, or a file of the manifest is not there.
    """
    files = hub.files(commit) if remote is None else remote
    where = f"{hub.repo_id}@{commit[:12]}/{MANIFEST}"
    if MANIFEST not in files:
        raise HubError(f"{hub.repo_id} has no {MANIFEST}, so it was not published by this tool")
    data = hub.text(MANIFEST, commit)
    sha256 = hashlib.sha256(data).hexdigest()
    stated = files[MANIFEST]
    if (stated.sha256 or stated.blob_id) != (sha256 if stated.sha256 else git_blob_id(data)):
        raise HubError("comes with other bytes than the hub states", path=where, hint="try again")
    entries = {entry.path: entry for entry in parse_manifest(data, where)}
    for entry in entries.values():
        there = files.get(entry.path)
        if there is None or there.size != entry.bytes or there.sha256 not in (None, entry.sha256):
            raise HubError(f"{entry.path} on the hub is not what {MANIFEST} says", path=where)
    return entries | {MANIFEST: Entry(MANIFEST, len(data), sha256)}


def _already(target: Path, hub: HubRepository, entries: dict[str, Entry], commit: str) -> Fetched:
    """The folder is there: fine, if it is this release to the last byte."""
    hint = "name another folder, or move this one away"
    if target.is_symlink() or not (target / MANIFEST).is_file():
        raise HubError("there is something else here", path=target, hint=hint)
    release = read_release(target)
    if release.files != entries:
        raise HubError(f"there is another release here, version {release.version}", path=target, hint=hint)
    for entry in entries.values():
        if sha256_file(target / entry.path) != entry.sha256:
            raise HubError("differs from its hash in the manifest", path=target / entry.path, hint=hint)
    return Fetched(target, hub.repo_id, release.version, commit, len(entries), 0)


def _remove_strangers(partial: Path, entries: dict[str, Entry]) -> None:
    """Drop what an attempt at another version left behind."""
    for path in sorted(partial.rglob("*"), reverse=True):
        name = path.relative_to(partial).as_posix()
        if path.is_dir() and not path.is_symlink():
            if not any(path.iterdir()):
                path.rmdir()
        elif name not in entries and name.removesuffix(_PART) not in entries:
            path.unlink()


def _check_room(partial: Path, everything: int) -> None:
    here = sum(path.stat().st_size for path in partial.rglob("*") if path.is_file() and not path.is_symlink())
    free = shutil.disk_usage(partial).free
    if everything - here > free:
        raise HubError(
            f"the disk is full: {spell_bytes(everything - here)} are to come, {spell_bytes(free)} are free",
            path=partial,
            hint="make room, or name a folder on another disk",
        )


def _fetch_file(hub: HubRepository, entry: Entry, commit: str, path: Path, tell: Tell) -> int:
    """Have one file with the right hash at `path`; returns how many bytes were downloaded."""
    if path.is_file() and path.stat().st_size == entry.bytes and sha256_file(path) == entry.sha256:
        return 0
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + _PART)
    downloaded = 0
    for attempt in range(_ATTEMPTS):
        digest = hashlib.sha256()
        with open(part, "ab+") as out:
            have = os.fstat(out.fileno()).st_size
            if have > entry.bytes:
                out.truncate(0)
                have = 0
            out.seek(0)
            for _ in range(0, have, _CHUNK):
                digest.update(out.read(_CHUNK))
            out.seek(0, os.SEEK_END)
            for chunk in hub.read(entry.path, commit, start=have) if have < entry.bytes else ():
                out.write(chunk)
                digest.update(chunk)
                have += len(chunk)
                downloaded += len(chunk)
                tell(min(have, entry.bytes))
                if have > entry.bytes:
                    break
            out.flush()
            os.fsync(out.fileno())
        if have == entry.bytes and digest.hexdigest() == entry.sha256:
            os.replace(part, path)
            return downloaded
        part.unlink()
        if attempt + 1 == _ATTEMPTS:
            raise HubError(
                f"{entry.path} of {hub.repo_id} comes with other bytes than {MANIFEST} says",
                hint="it is damaged on the hub or on the way; tell its owners if it stays so",
            )
    raise AssertionError("unreachable")
