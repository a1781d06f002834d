"""Giving consent and taking it back."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

from dataset.collection.collection import Collection, today
from dataset.collection.records import Consent, Revocation, Subject
from dataset.collection.schemas import SCHEMA_VERSION, read_json, schema_name
from dataset.errors import CollectionError
from dataset.files import atomic_path, sha256_file, write_json

#: A text that was never on paper carries no signature.
_UNSIGNED = frozenset((".md", ".html", ".htm", ".txt"))


def missing(consent: Consent) -> list[str]:
    """What a consent of a person lacks to be one, in words; nothing for a mannequin.

    Example:
        >>> missing(Consent.none())[0]
        'what it is for (--scope)'
    """
    if consent.kind == "mannequin":
        return []
    needed = {
        "what it is for (--scope)": consent.scope,
        "whose law applies (--jurisdiction)": consent.jurisdiction,
        "the day of the signature (--date)": consent.date,
        "where to withdraw (--contact)": consent.contact,
        "the signed form (--form FILE)": consent.form_sha256,
    }
    return [what for what, value in needed.items() if not value]


def give(collection: Collection, id: str, consent: Consent, form: Path | None, *, name: str = "") -> Subject:
    """Record what a person signed. The form and the name go to ``private/``, its hash into the record.

    Args:
        collection: where the subject is.
        id: the subject.
        consent: what was signed; the hash of the form is put in here.
        form: a scan or a signed PDF.
        name: the real name.

    Raises:
        CollectionError: something is missing, the form is not a signed one, the day lies in the future or after the
            expiry, or the subject is a mannequin.
    """
    subject = collection.subject(id)
    if subject.consent.kind == "mannequin":
        raise CollectionError(f"{id} is a mannequin and signs nothing", path=collection.root)
    lacking = missing(replace(consent, form_sha256="there" if form else None))
    if lacking or form is None:
        raise CollectionError(
            f"no consent was recorded: {', '.join(lacking)} missing",
            path=collection.root,
            hint=f"print a form with: dataset consent {collection.root} --subject {id} --out form.html",
        )
    if not form.is_file() or not form.stat().st_size:
        raise CollectionError("the signed form is missing or empty", path=form)
    if form.suffix.lower() in _UNSIGNED:
        raise CollectionError(
            "a text without a signature", path=form, hint="give the scan of the signed form"
        )
    if date.fromisoformat(consent.date) > today():
        raise CollectionError(f"the signature is of {consent.date}, which has not come yet", path=form)
    if consent.expires is not None and consent.expires < consent.date:
        raise CollectionError(f"it would run out ({consent.expires}) before it was signed", path=form)
    kept = collection.private_path(id).with_name(f"{id}.form{form.suffix.lower()}")
    with collection.locked():
        # Another signature may come as another kind of file: the form before it goes.
        earlier = [path for path in kept.parent.glob(f"{id}.form*") if path != kept]
        with atomic_path(kept) as temporary:
            shutil.copyfile(form, temporary)
            os.chmod(temporary, 0o600)
        for path in earlier:
            path.unlink()
    _keep_private(collection, id, name=name, form=kept.name)
    history = subject.consent.revocations
    signed = replace(consent, form_sha256=sha256_file(kept), revoked=None, revocations=history, kind="person")
    return collection.set_consent(id, signed)


def revoke(
    collection: Collection, id: str, *, scope: tuple[str, ...] = (), reason: str = "", on: date | None = None
) -> Subject:
    """Take consent back, all of it or for some purposes; recorded at once, also for what was never signed.

    Nothing is deleted by it: ``dataset withdraw`` does that.

    Args:
        collection: where the subject is.
        id: the subject.
        scope: the purposes; none means all.
        reason: as given; it may be empty.
        on: from which day on, today if None.
    """
    consent = collection.subject(id).consent
    day = (on or today()).isoformat()
    taken_back = Revocation(day, scope, " ".join(reason.split()))
    revoked = consent.revoked if scope else min(day, consent.revoked or day)
    changed = replace(consent, revoked=revoked, revocations=(*consent.revocations, taken_back))
    return collection.set_consent(id, changed)


def keep_name(collection: Collection, id: str, name: str) -> None:
    """Write the real name behind a pseudonym to ``private/``, which is never published."""
    collection.subject(id)
    _keep_private(collection, id, name=name)


def _keep_private(collection: Collection, id: str, **values: str) -> None:
    path = collection.private_path(id)
    known: dict[str, Any] = read_json(path) if path.is_file() else {"name": "", "form": ""}
    known |= {key: value for key, value in values.items() if value}
    with collection.locked():
        write_json(
            path, {"schema": schema_name("private"), "schema_version": SCHEMA_VERSION, "id": id}
            | {key: known[key] for key in ("name", "form")},
        )  # fmt: skip
        path.chmod(0o600)


def private_name(collection: Collection, id: str) -> str:
    """The real name behind a pseudonym, empty where none was given."""
    path = collection.private_path(id)
    return str(read_json(path).get("name", "")) if path.is_file() else ""
