from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from dataset.collection import Collection, Consent, Subject
from dataset.collection.agreement import give, keep_name, missing, private_name, revoke
from dataset.collection.form import PURPOSES, as_html, consent_form, filming_guide
from dataset.collection.records import SCOPES
from dataset.errors import CollectionError
from dataset.files import sha256_file

ASKED = Consent(("train", "synthesise"), "DE", "2026-05-01", "2031-04-30", "data@example.org", None)


@pytest.fixture
def collection(tmp_path: Path) -> Collection:
    """Ann, who has not signed yet, and a mannequin."""
    made = Collection.create(tmp_path / "c", name="demo", title="A demo", contact="data@example.org")
    made.add_subject(Subject("ann"))
    made.add_subject(Subject("m1", Consent.mannequin()))
    return made


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    path = tmp_path / "scan.pdf"
    path.write_bytes(b"%PDF-1.7 a signature")
    return path


def everything_public(root: Path) -> str:
    """All text of the collection but what lies in ``private/``."""
    return "".join(
        path.read_text("utf-8")
        for path in root.rglob("*")
        if path.is_file() and path.relative_to(root).parts[0] != "private"
    )


def test_a_signed_form_is_recorded_by_its_hash_and_kept_apart(collection: Collection, scan: Path) -> None:
    keep_name(collection, "ann", "Ann-Sofie Example")
    consent = give(collection, "ann", ASKED, scan).consent
    assert consent == replace(ASKED, form_sha256=sha256_file(scan))
    assert consent.covers("synthesise", date(2026, 6, 1))
    assert missing(consent) == []
    private = collection.root / "private"
    assert sorted(path.name for path in private.iterdir()) == [".gitignore", "ann.form.pdf", "ann.json"]
    assert json.loads((private / "ann.json").read_text())["name"] == "Ann-Sofie Example"
    assert {path.stat().st_mode & 0o077 for path in (*private.glob("ann*"), private)} == {0}
    assert "Ann-Sofie" not in everything_public(collection.root)
    assert (private / ".gitignore").read_text().splitlines()[-2:] == ["*", "!.gitignore"]


def test_without_a_signed_form_nothing_is_recorded(collection: Collection) -> None:
    before = everything_public(collection.root)
    with pytest.raises(CollectionError, match=r"no consent was recorded: the signed form .* missing"):
        give(collection, "ann", ASKED, None)
    with pytest.raises(CollectionError, match=r"\(--scope\), whose law .* the day"):
        give(collection, "ann", Consent.none(), None)
    assert everything_public(collection.root) == before


@pytest.mark.parametrize(
    ("change", "name", "told"),
    [
        ({}, "form.md", "without a signature"),
        ({}, "missing.pdf", "missing or empty"),
        ({"date": "2999-01-01", "expires": None}, "scan.pdf", "has not come yet"),
        ({"expires": "2026-04-30"}, "scan.pdf", "run out"),
    ],
)
def test_a_form_that_cannot_be_a_signed_one_is_refused(
    collection: Collection, scan: Path, change: dict[str, str], name: str, told: str
) -> None:
    scan.with_name("form.md").write_text("the form")
    with pytest.raises(CollectionError, match=told):
        give(collection, "ann", replace(ASKED, **change), scan.with_name(name))  # type: ignore[arg-type]
    assert collection.subject("ann").consent == Consent.none()


def test_consent_is_taken_back_in_part_or_whole_and_given_anew(collection: Collection, scan: Path) -> None:
    give(collection, "ann", ASKED, scan)
    revoke(collection, "ann", scope=("synthesise",), reason="second thoughts", on=date(2026, 6, 1))
    partly = collection.subject("ann").consent
    assert partly.problem("synthesise", date(2026, 6, 2)) == "was revoked for synthesise on 2026-06-01"
    assert partly.covers("train", date(2026, 6, 2))
    revoke(collection, "ann", on=date(2026, 7, 1))
    assert collection.subject("ann").consent.problem("train", date(2026, 7, 1)) == "was revoked on 2026-07-01"
    again = give(collection, "ann", replace(ASKED, date="2026-08-01"), scan).consent
    assert again.covers("synthesise", date(2026, 8, 1))
    assert [taken.reason for taken in again.revocations] == ["second thoughts", ""]
    events = [event["event"] for event in collection.events() if event.get("subject") == "ann"]
    assert events == ["subject added", "consent given", "consent revoked", "consent revoked", "consent given"]


def test_a_mannequin_signs_nothing_and_can_be_withdrawn_all_the_same(
    collection: Collection, scan: Path
) -> None:
    with pytest.raises(CollectionError, match="mannequin"):
        give(collection, "m1", ASKED, scan)
    assert missing(collection.subject("m1").consent) == []
    revoke(collection, "m1", on=date(2026, 6, 1))
    assert not collection.subject("m1").consent.covers("train", date(2026, 6, 1))


def test_another_signed_form_replaces_the_first(collection: Collection, scan: Path) -> None:
    give(collection, "ann", ASKED, scan)
    picture = scan.with_suffix(".jpg")
    picture.write_bytes(b"a photograph of the form")
    assert give(collection, "ann", ASKED, picture).consent.form_sha256 == sha256_file(picture)
    assert [path.name for path in (collection.root / "private").glob("ann.form*")] == ["ann.form.jpg"]


def test_a_private_record_goes_with_its_form(collection: Collection, scan: Path) -> None:
    give(collection, "ann", ASKED, scan, name="Ann Example")
    assert private_name(collection, "ann") == "Ann Example"
    collection.remove_private("ann")
    assert [path.name for path in (collection.root / "private").iterdir()] == [".gitignore"]
    assert private_name(collection, "ann") == ""


def test_the_form_says_what_somebody_has_to_know_before_signing(collection: Collection) -> None:
    text = consent_form(
        collection, "ann", name="Ann", scope=("train", "synthesise"), jurisdiction="DE", expires="2031-04-30"
    )
    for part in (
        "not legal advice", "A demo", "Ann", "data@example.org", "deepfakes", "cannot be called back", "withdraw",
        "under 18", "Payment", "until **2031-04-30**", "Signature", "complain", "biometric",
    ):  # fmt: skip
        assert part in text, part
    assert "☐ yes  ☐ no  **train**" in text
    assert "*not asked for:* **publish**" in text
    assert not set("☒☑✓") & set(text)  # a box that is ticked beforehand is no consent
    assert "Publication is not asked for" in text
    assert set(PURPOSES) == set(SCOPES)
    assert "{{" not in text


def test_what_is_not_known_is_left_to_be_filled_in(collection: Collection) -> None:
    text = consent_form(collection, "ann")
    assert "Name: **____" in text
    assert "until you withdraw it" in text


def test_a_name_is_neither_markdown_nor_html(collection: Collection) -> None:
    page = as_html(consent_form(collection, "ann", name="<script>alert(1)</script> **A** _b_ | c"), "form")
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt; **A** _b_ | c" in page


def test_the_page_is_whole_and_asks_nothing_of_the_network(collection: Collection) -> None:
    page = as_html(consent_form(collection, "ann"), "Consent of ann")
    assert re.findall(r"(?:src|href)=|@import|url\(", page) == []
    for tag in ("ul", "ol", "table", "strong", "blockquote", "h2"):
        assert page.count(f"<{tag}") == page.count(f"</{tag}>") > 0
    assert "**" not in re.sub(r"<code>.*?</code>", "", page)


def test_the_guide_names_the_limits_that_are_checked() -> None:
    text = filming_guide()
    assert "{{" not in text
    for part in (
        "120 frames a second",
        "at least 256 pixels tall",
        "8 to 17 minutes",
        "0.5 % of the diagonal",
    ):
        assert part in text
