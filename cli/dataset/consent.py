"""``dataset consent``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.dataset.common import FILE

if TYPE_CHECKING:
    from dataset.collection import Collection, Consent


def _purposes(ctx: click.Context, param: click.Parameter, value: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(word.strip() for word in value.split(",") if word.strip()))


@click.command()
@click.argument("collection", type=FILE)
@click.option("--subject", required=True, metavar="ID", help="Whose consent.")
@click.option("--name", default="", help="The real name, for the form; it is kept in private/ only.")
@click.option("--scope", default="", callback=_purposes, help="Of train,synthesise,publish,commercial.")
@click.option("--jurisdiction", default="", help="Whose law applies, such as DE or US-CA.")
@click.option("--date", default="", help="Day of the signature, as 2026-05-01.")
@click.option("--expires", help="Last day, as 2031-04-30; without end if left out.")
@click.option("--contact", default="", help="Where to withdraw; the collection's if left out.")
@click.option("--form", type=FILE, help="The signed form (a scan or a signed PDF): this records the consent.")
@click.option("--out", type=FILE, help="Write the form to be signed here (.md or .html).")
@click.option("--revoke", is_flag=True, help="Take consent back, for --scope only if that is given.")
@click.option("--reason", default="", help="Why it is taken back, if that was told.")
@click.option("--json", "as_json", is_flag=True, help="Print the subject's record.")
def consent(
    collection: Path,
    subject: str,
    name: str,
    scope: tuple[str, ...],
    jurisdiction: str,
    date: str,
    expires: str | None,
    contact: str,
    form: Path | None,
    out: Path | None,
    revoke: bool,
    reason: str,
    as_json: bool,
) -> None:
    """Print a consent form, record a signed one, take consent back, or tell how it stands.

    \b
    dataset consent C --subject ann --scope train,synthesise --out form.html    a form to sign
    dataset consent C --subject ann --scope ... --date ... --form scan.pdf       record it
    dataset consent C --subject ann --revoke                                     take it back
    dataset consent C --subject ann                                              how it stands
    """
    from dataset.collection import Collection, Consent
    from dataset.collection.agreement import give, keep_name
    from dataset.collection.agreement import revoke as take_back

    if revoke and (form or out):
        raise click.UsageError("--revoke goes with neither --form nor --out")
    opened = Collection.open(collection)
    current = opened.subject(subject).consent
    asked = Consent(
        scope=scope,
        jurisdiction=jurisdiction or current.jurisdiction,
        date=date,
        expires=expires,
        contact=contact or current.contact or opened.contact,
        form_sha256=None,
    )
    if name:
        keep_name(opened, subject, name)
    if revoke:
        take_back(opened, subject, scope=scope, reason=reason)
    elif out is not None:
        _write_form(opened, subject, asked, out)
    if form is not None:
        give(opened, subject, asked, form)
    elif out is None and not revoke and (scope or date or expires):
        # Somebody meant to record it: say what is missing instead of doing nothing.
        give(opened, subject, asked, None)
    if as_json:
        click.echo(json.dumps(opened.subject(subject).to_dict(), indent=2, ensure_ascii=False))
    else:
        _tell(opened, subject)


def _write_form(opened: Collection, subject: str, asked: Consent, out: Path) -> None:
    from dataset.collection.agreement import private_name
    from dataset.collection.form import as_html, consent_form
    from dataset.collection.records import SCOPES
    from dataset.errors import CollectionError
    from dataset.files import atomic_path

    if out.suffix.lower() not in (".md", ".html"):
        raise CollectionError("a form is written as .md or .html", path=out)
    text = consent_form(
        opened,
        subject,
        name=private_name(opened, subject),
        scope=asked.scope or SCOPES,
        jurisdiction=asked.jurisdiction,
        signed=asked.date,
        expires=asked.expires,
        contact=asked.contact,
    )
    if out.suffix.lower() == ".html":
        text = as_html(text, f"Consent of {subject}")
    with atomic_path(out) as temporary:
        temporary.write_text(text, "utf-8")
    click.echo(f"{out}: the form for {subject}; record it once it is signed, with --form SCAN")


def _tell(opened: Collection, subject: str) -> None:
    """How a consent stands today, and what it lacks."""
    from dataset.collection.agreement import missing
    from dataset.collection.collection import today
    from dataset.collection.records import SCOPES

    given = opened.subject(subject).consent
    who = "a mannequin, nobody to ask" if given.kind == "mannequin" else "a person"
    click.echo(f"{subject}: {who}")
    for purpose in SCOPES:
        problem = given.problem(purpose, today())
        click.echo(f"  {purpose:<12}{'allowed' if problem is None else f'no: the consent {problem}'}")
    if given.expires and given.form_sha256:
        click.echo(f"  until       {given.expires}")
    if given.revoked is None and (lacking := missing(given)):
        click.echo(f"  missing     {', '.join(lacking)}")
