"""``dataset guide``."""

from __future__ import annotations

import click


@click.command()
def guide() -> None:
    """Print how to film a subject: light, distance, moves, and what add-recording will measure."""
    from dataset.collection.form import filming_guide

    click.echo(filming_guide(), nl=False)
