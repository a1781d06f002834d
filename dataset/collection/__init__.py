"""A collection: who was filmed, what they allowed, and what was made of it.

    Collection.create(folder, name=...)     start one
    Collection.open(folder)                 go on with one
    Subject, Consent, Recording, Fake       its records
    consent_of(recording)                   who is seen in a recording of a collection, with their consent
    load_consent(file)                      a consent from a subject's record
    descends_from(collection, subject)      all that was made of somebody
    RecordingRefused                        see `dataset.errors`

The folder is meant to be read by people: JSON records that follow the schemas in ``dataset/collection/schema``, with
the videos beside them.
"""

from __future__ import annotations

from dataset.collection.collection import Collection
from dataset.collection.consent import consent_of, load_consent
from dataset.collection.lineage import Lineage, descends_from
from dataset.collection.records import (
    CheckResult,
    Consent,
    DetectorRecord,
    Fake,
    ModelRecord,
    Recording,
    Revocation,
    Subject,
)

__all__ = [
    "CheckResult",
    "Collection",
    "Consent",
    "DetectorRecord",
    "Fake",
    "Lineage",
    "ModelRecord",
    "Recording",
    "Revocation",
    "Subject",
    "consent_of",
    "descends_from",
    "load_consent",
]
