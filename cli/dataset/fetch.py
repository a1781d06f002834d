"""``dataset fetch``."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from cli.app import progress
from cli.dataset.common import FILE


@click.command()
@click.argument("repo_id", metavar="ORG/NAME")
@click.argument("out", type=FILE)
@click.option("--version", help="Which version, such as 1.0.0, or a commit; the newest if not given.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead.")
def fetch(repo_id: str, out: Path, version: str | None, as_json: bool) -> None:
    """Fetch a release into OUT, with the hash of every file checked.

    If it is cut off, type it again: what was downloaded is kept beside OUT until all is there.
    """
    from dataset.hub.fetch import fetch as fetch_release
    from dataset.hub.manifest import spell_bytes

    with progress(f"fetching {repo_id}") as bar:
        done = fetch_release(repo_id, out, version=version, progress=bar.update)
    if as_json:
        click.echo(json.dumps(asdict(done) | {"folder": str(done.folder)}, indent=2))
        return
    click.echo(f"{out}: {repo_id} {done.version}, commit {done.commit[:12]}")
    click.echo(
        f"  {done.files} files, all as in the manifest; {spell_bytes(done.downloaded_bytes)} downloaded"
    )
