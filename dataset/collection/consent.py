"""Finding the consent that covers a recording."""

from __future__ import annotations

from pathlib import Path

from dataset.collection import layout
from dataset.collection.collection import Collection
from dataset.collection.records import Consent, Subject
from dataset.collection.schemas import read_json
from dataset.files import sha256_file


def load_consent(path: str | Path) -> tuple[str, Consent]:
    """Read a consent from a subject's record, ``subject.json`` or what ``dataset consent --json`` prints.

    Returns:
        The subject's id and their consent; whether it covers a purpose is another question, see `Consent.problem`.

    Raises:
        RecordError: the file is missing or no such record.
    """
    subject = Subject.from_dict(read_json(Path(path)), path=path)
    return subject.id, subject.consent


def consent_of(recording: str | Path) -> tuple[Subject, Path] | None:
    """Who is seen in a recording that lies in a collection.

    The collection is looked for from the recording's folder upwards, and the recording in it by its bytes: a file that
    was changed, or merely put there, has no consent.

    Returns:
        The subject and the path of their record; None if there is no collection above, or the file is not one of its
        recordings.

    Raises:
        RecordError: the collection's records cannot be read.
        OSError: the recording cannot be read.
    """
    path = Path(recording).resolve()
    root = next((folder for folder in path.parents if (folder / layout.COLLECTION_FILE).is_file()), None)
    if root is None:
        return None
    collection = Collection.open(root)
    digest = sha256_file(path)
    found = next((known for known in collection.recordings() if known.sha256 == digest), None)
    if found is None:
        return None
    subject = collection.subject(found.subject)
    return subject, collection.record_path(subject)
