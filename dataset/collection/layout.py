"""Where things lie in a collection, and how they get there: whole or not at all, one writer at a time.

A video and its record are two files and cannot be renamed as one. So the record is written first under a hidden name,
then the video and the record take their places. Whoever was killed in between left the hidden record behind, and the
next writer either finishes from it (the video was complete) or removes what is left (it was not).
"""

from __future__ import annotations

import fcntl
import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dataset.collection.records import check_file
from dataset.errors import CollectionError, RecordError
from dataset.files import sha256_file

COLLECTION_FILE = "collection.json"
EVENTS_FILE = "events.jsonl"
SUBJECT_FILE = "subject.json"
FOLDERS = ("subjects", "private", "fakes", "models", "detectors", "poses", "releases")
_LOCK = ".lock"
_INCOMING = ".incoming-"
#: Locked folders, and the threads that hold them.
_HELD: set[tuple[Path, int]] = set()
_PRIVATE_IGNORE = (
    "# Real names and signed forms: nothing in here is ever committed or published.\n*\n!.gitignore\n"
)


def inside(root: Path, relative: str) -> Path:
    """The absolute place of a file of the collection.

    Args:
        root: the collection's folder.
        relative: with forward slashes.

    Raises:
        RecordError: it leads out of the collection, by itself or through a symbolic link.
    """
    path = root / check_file(relative)
    if not path.resolve().is_relative_to(root.resolve()):
        raise RecordError("a link leads out of the collection", path=path, hint="put the file itself there")
    return path


@contextmanager
def locked(root: Path) -> Iterator[None]:
    """Be the only one who changes the collection; others wait. Unfinished imports are settled first.

    Within a thread it may be nested: the outermost block holds the lock.
    """
    held = (root.resolve(), threading.get_ident())
    if held in _HELD:
        yield
        return
    with open(root / _LOCK, "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _HELD.add(held)
        try:
            for folder in (*sorted((root / "subjects").glob("*/recordings")), root / "fakes"):
                settle(folder)
            yield
        finally:
            _HELD.remove(held)


def make_folders(root: Path) -> None:
    """The folders of an empty collection."""
    for name in FOLDERS:
        (root / name).mkdir(parents=True, exist_ok=True)
    (root / "private" / ".gitignore").write_text(_PRIVATE_IGNORE, "utf-8")
    (root / "private").chmod(0o700)


def bring_in(source: Path, target: Path, sha256: str, record: str) -> None:
    """Copy a video into the collection and put its record, ``.json`` beside it, in place.

    Args:
        source: the video.
        target: its place; the bytes are not changed.
        sha256: of the video, as it was when it was looked at.
        record: the text of the record.

    Raises:
        CollectionError: the source changed since, or its place is taken.
    """
    final = target.with_suffix(".json")
    for taken in (target, final):
        if os.path.lexists(taken):
            raise CollectionError("there is something of that name already", path=taken)
    target.parent.mkdir(parents=True, exist_ok=True)
    video, note = (path.with_name(_INCOMING + path.name) for path in (target, final))
    try:
        shutil.copyfile(source, video)
        if sha256_file(video) != sha256:
            raise CollectionError("the file changed while it was read", path=source, hint="try again")
        _sync(video)
        with open(note, "w", encoding="utf-8") as out:
            out.write(record)
            out.flush()
            os.fsync(out.fileno())
        os.replace(video, target)
        os.replace(note, final)
    finally:
        # After an error; when all went well both have left these names.
        video.unlink(missing_ok=True)
        if not target.exists():
            note.unlink(missing_ok=True)
    _sync(target.parent)


def settle(folder: Path) -> None:
    """Finish imports that were cut off after their video was complete, and clear away the others."""
    for note in sorted(folder.glob(f"{_INCOMING}*.json")):
        name = note.stem.removeprefix(_INCOMING)
        placed = [path for path in folder.glob(f"{name}.*") if path.suffix != ".json"]
        if placed:
            os.replace(note, folder / f"{name}.json")
        else:
            # The record is written once the video is whole, but perhaps not in full itself.
            note.unlink()
    for rest in folder.glob(f"{_INCOMING}*"):
        rest.unlink()


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
