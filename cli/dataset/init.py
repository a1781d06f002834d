"""``dataset init``."""

from __future__ import annotations

from pathlib import Path

import click

from cli.dataset.common import FILE


@click.command()
@click.argument("folder", type=FILE)
@click.option("--name", help="Short name in lower case; the folder's name if left out.")
@click.option("--title", default="", help="Name for people.")
@click.option(
    "--licence", default="CC-BY-4.0", show_default=True, help="SPDX identifier that releases carry."
)
@click.option("--contact", default="", help="Who answers for the data and takes withdrawals.")
@click.option(
    "--seed", type=click.IntRange(0), default=0, show_default=True, help="Of the splits; never changed later."
)
def init(folder: Path, name: str | None, title: str, licence: str, contact: str, seed: int) -> None:
    """Start an empty collection of filmed subjects in FOLDER."""
    from dataset.collection import Collection

    name = name or folder.resolve().name.lower().replace(" ", "-")
    Collection.create(folder, name=name, title=title, licence=licence, contact=contact, seed=seed)
    click.echo(f"{folder}: collection {name}")
    click.echo(f"next: dataset add-subject {folder} ID, then dataset guide before you film")
