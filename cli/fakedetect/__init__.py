"""``fakedetect``: is the person in this video filmed, or made to move by motion transfer?"""

from __future__ import annotations

import click

from cli.app import DanceproofGroup
from cli.fakedetect.backdrop import backdrop
from cli.fakedetect.degrade import degrade
from cli.fakedetect.evaluate import evaluate
from cli.fakedetect.refilm import refilm
from cli.fakedetect.scan import scan
from cli.fakedetect.train import train
from dataset.provenance import VERSION


@click.group(cls=DanceproofGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(VERSION, prog_name="fakedetect")
def main() -> None:
    """Tell whether a video of a moving person was filmed or synthesised by motion transfer."""


for _command in (scan, train, evaluate, degrade, refilm, backdrop):
    main.add_command(_command)
