"""``dataset publish``."""

from __future__ import annotations

import json
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path

import click

from cli.app import Reporter, progress
from cli.dataset.common import FILE


class Steps:
    """One progress bar after the other, as the work says what it does."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._what = ""
        self._bar: Reporter | None = None

    def __call__(self, what: str, done: int, total: int) -> None:
        """Show how far `what` is."""
        if what != self._what or self._bar is None:
            self._stack.close()
            self._what, self._bar = what, self._stack.enter_context(progress(what, total))
        self._bar.update(done, total)


@click.command()
@click.argument("source", metavar="COLLECTION|RELEASE", type=FILE)
@click.argument("repo_id", metavar="ORG/NAME")
@click.option("--version", help="Which release of the collection; the newest if not given.")
@click.option(
    "--public",
    is_flag=True,
    help="Let everybody see it; the files of people still only on request. Else private.",
)
@click.option("--dry-run", is_flag=True, help="Say what would go up, and change nothing.")
@click.option(
    "--verify",
    type=click.Choice(["quick", "full"]),
    default="full",
    show_default=True,
    help="Afterwards, compare the hashes that the hub states, or download every byte and hash it.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead.")
def publish(
    source: Path, repo_id: str, version: str | None, public: bool, dry_run: bool, verify: str, as_json: bool
) -> None:
    """Publish a release on the hub as ORG/NAME, whole or not at all.

    It is validated first. Only what changed goes up. If this is cut off, the hub has the old version or the new one;
    type it again to complete it. The token is the one of `hf auth login`.
    """
    from dataset.hub.client import HubRepository
    from dataset.hub.manifest import spell_bytes
    from dataset.hub.publish import check_release, find_release, plan
    from dataset.hub.publish import publish as publish_release

    folder, collection = find_release(source, version)
    release = check_release(folder)
    if dry_run:
        what = plan(HubRepository(repo_id), release, public=public)
        if as_json:
            facts = {"up": [asdict(entry) for entry in what.up], "away": list(what.away), "tag": what.tag}
            click.echo(json.dumps(facts, indent=2))
        else:
            click.echo("\n".join(what.lines(repo_id)))
        return
    if collection is not None:  # before anything is there, so that a withdrawal will look there in any case
        collection.log("publishing", repo=repo_id, version=release.version)
    with ExitStack() as stack:
        done = publish_release(release, repo_id, public=public, verify=verify, progress=Steps(stack))
    if collection is not None:
        collection.log("published", repo=repo_id, version=done.version, commit=done.commit)
    if as_json:
        click.echo(json.dumps(asdict(done), indent=2))
        return
    seen = "private" if done.private else ("public, access on request" if done.gated else "public")
    click.echo(f"{repo_id} {done.tag}: {seen}, commit {done.commit[:12]}")
    click.echo(
        f"  {done.uploaded} files up ({spell_bytes(done.uploaded_bytes)}), {done.removed} away; "
        f"{done.verified} files read back ({verify}), all as in the release"
    )
