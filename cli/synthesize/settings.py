"""``synthesize settings``."""

from __future__ import annotations

import click


@click.command()
@click.option("--preset", "name", default="compact", show_default=True, help="Whose values to show.")
def settings(name: str) -> None:
    """List every setting of a training run, with the preset's value, for `synthesize train --set`."""
    from synthesis.config import described, preset

    for key, value, meaning in described(preset(name)):
        click.echo(f"{key}={value}".ljust(34) + f"  {meaning}".rstrip())
