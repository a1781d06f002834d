"""``dataset add-subject``."""

from __future__ import annotations

from pathlib import Path

import click

from cli.dataset.common import FILE


@click.command("add-subject")
@click.argument("collection", type=FILE)
@click.argument("id", metavar="ID")
@click.option("--mannequin", is_flag=True, help="A rendering of nobody, which needs no consent.")
@click.option("--notes", default="", help="Free text without personal data.")
@click.option("--name", default="", help="The real name; it is kept in private/ only.")
def add_subject(collection: Path, id: str, mannequin: bool, notes: str, name: str) -> None:
    """Take somebody into COLLECTION under the pseudonym ID."""
    from dataset.collection import Collection, Consent, Subject
    from dataset.collection.agreement import keep_name

    opened = Collection.open(collection)
    opened.add_subject(Subject(id, Consent.mannequin() if mannequin else Consent.none(), notes))
    if name:
        keep_name(opened, id, name)
    click.echo(f"{collection}: subject {id}{', a mannequin' if mannequin else ''}")
    if not mannequin:
        click.echo(f"next: dataset consent {collection} --subject {id} --out form.html")
