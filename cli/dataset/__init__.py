"""``dataset``: look into recordings, estimate poses, film a mannequin."""

from __future__ import annotations

import click

from cli.app import DanceproofGroup
from cli.dataset.info import info
from cli.dataset.mannequin import mannequin
from cli.dataset.poses import poses
from dataset.provenance import VERSION


@click.group(cls=DanceproofGroup)
@click.version_option(VERSION, prog_name="dataset")
def main() -> None:
    """Look into recordings, estimate poses, film a mannequin."""


for command in (info, poses, mannequin):
    main.add_command(command)
