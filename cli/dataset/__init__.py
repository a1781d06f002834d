"""``dataset``: look into recordings, collect them with consent, publish them, and take them back."""

from __future__ import annotations

import click

from cli.app import DanceproofGroup
from cli.dataset.add_detector import add_detector
from cli.dataset.add_fakes import add_fakes
from cli.dataset.add_model import add_model
from cli.dataset.add_recording import add_recording
from cli.dataset.add_subject import add_subject
from cli.dataset.build import build
from cli.dataset.consent import consent
from cli.dataset.diff import diff
from cli.dataset.extract import extract
from cli.dataset.fetch import fetch
from cli.dataset.guide import guide
from cli.dataset.info import info
from cli.dataset.init import init
from cli.dataset.mannequin import mannequin
from cli.dataset.migrate import migrate
from cli.dataset.poses import poses
from cli.dataset.publish import publish
from cli.dataset.sample import sample
from cli.dataset.show import show
from cli.dataset.validate import validate
from cli.dataset.withdraw import withdraw
from dataset.provenance import VERSION


@click.group(cls=DanceproofGroup)
@click.version_option(VERSION, prog_name="dataset")
def main() -> None:
    """Look into recordings, collect them with consent, estimate poses, film a mannequin."""


_COLLECTION = (
    init, guide, add_subject, consent, add_recording, add_fakes, add_model, add_detector, extract, show, migrate,
)  # fmt: skip
for command in (
    info,
    poses,
    mannequin,
    *_COLLECTION,
    build,
    validate,
    sample,
    publish,
    fetch,
    diff,
    withdraw,
):
    main.add_command(command)
