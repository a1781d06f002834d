"""``synthesize``: train a generator of one target, make it do what somebody else does, make a corpus of fakes."""

from __future__ import annotations

import click

from cli.app import DanceproofGroup
from cli.synthesize.base import base
from cli.synthesize.evaluate import evaluate
from cli.synthesize.fakes import fakes
from cli.synthesize.many import many
from cli.synthesize.preflight import preflight
from cli.synthesize.settings import settings
from cli.synthesize.study import study
from cli.synthesize.train import train
from cli.synthesize.transfer import transfer
from dataset.provenance import VERSION


@click.group(cls=DanceproofGroup)
@click.version_option(VERSION, prog_name="synthesize")
def main() -> None:
    """Make labelled fakes of people who agreed to it. Everything made is marked as synthetic."""


for command in (preflight, train, transfer, fakes, many, evaluate, study, base, settings):
    main.add_command(command)
