"""``dataset withdraw``."""

from __future__ import annotations

import json
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path

import click

from cli.dataset.common import FILE
from cli.dataset.publish import Steps
from dataset.errors import DanceproofError


@click.command()
@click.argument("folder", metavar="COLLECTION", type=FILE)
@click.option("--subject", required=True, help="Whom to take out, by their pseudonym.")
@click.option(
    "--repo", "repos", multiple=True, metavar="ORG/NAME", help="Also here, besides where it was published."
)
@click.option("--reason", default="", help="As given; nobody has to give one.")
@click.option("--keep-form", is_flag=True, help="Leave the real name and the signed form in private/.")
@click.option(
    "--recreate",
    is_flag=True,
    help="On the hub, delete the repository and make it anew, instead of clearing it.",
)
@click.option("--dry-run", is_flag=True, help="Say what would go, and change nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead.")
def withdraw(
    folder: Path,
    subject: str,
    repos: tuple[str, ...],
    reason: str,
    keep_form: bool,
    recreate: bool,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Take somebody out of COLLECTION and of every hub repository it was published to, for good.

    Everything that derives from them goes: recordings, fakes, poses, models, old releases, and on the hub the history
    and the stored files. A new version is built and published without them, and it is proved that nothing is left. If
    this is cut off, type it again to complete it.
    """
    from dataset.collection.collection import Collection
    from dataset.hub.withdraw import beyond_reach, prepare
    from dataset.hub.withdraw import withdraw as withdraw_subject

    collection = Collection.open(folder)
    journal = prepare(collection, subject, repos=repos, reason=reason, keep_private=keep_form)
    what = [f"{count} {kind}" for kind, count in journal.removed.items() if count]
    if not as_json:
        click.echo(f"{subject}: {', '.join(what) or 'no files'}")
        click.echo(f"  on the hub: {', '.join(journal.repos) or 'not published'}")
        for line in beyond_reach(journal):
            click.echo(f"  note: {line}")
    if dry_run:
        if as_json:
            click.echo(json.dumps(asdict(journal), indent=2))
        return
    if not yes and not click.confirm("Delete all of this, here and on the hub, for good?", err=True):
        raise DanceproofError("nothing was changed", hint="type --yes to do it without being asked")
    with ExitStack() as stack:
        done = withdraw_subject(collection, journal, recreate=recreate, progress=Steps(stack))
    if as_json:
        click.echo(json.dumps(asdict(done), indent=2))
        return
    click.echo(f"withdrawn: tombstone {done.tombstone}")
    click.echo(f"  new version: {done.version or 'nothing is left to release'}")
    for repo, commit in done.repos.items():
        click.echo(f"  {repo}: {commit if commit == 'deleted' else 'its only commit is ' + commit[:12]}")
    click.echo(f"  {done.checked} old commits and files were asked for on the hub: none answers")
    for line in done.cannot_recall:
        click.echo(f"  to do: {line}")
