"""``dataset extract``."""

from __future__ import annotations

from pathlib import Path

import click

from cli.app import progress
from cli.dataset.common import FILE
from cli.work import limit_options, where_options
from dataset.errors import DanceproofError


@click.command()
@click.argument("collection", type=FILE)
@where_options
@limit_options
@click.option(
    "--model",
    type=click.Choice(["holistic", "pose"]),
    default="holistic",
    show_default=True,
    help="Body, face and hands, or the body alone, which is faster.",
)
@click.option("--fakes", is_flag=True, help="The fakes as well.")
def extract(
    collection: Path,
    workers: int | None,
    ray: str | None,
    time_limit: float | None,
    memory_limit: int | None,
    model: str,
    fakes: bool,
) -> None:
    """Find the key points in every recording of COLLECTION, once; what is there already is passed over."""
    from dataset.collection import Collection
    from dataset.collection.extract import extract_poses

    opened = Collection.open(collection)
    with progress("finding poses") as bar:
        done = extract_poses(
            opened, workers=workers, ray=ray, time_limit=time_limit, memory_limit=memory_limit, model=model,
            fakes=fakes, report=bar.update,
        )  # fmt: skip
    click.echo(f"{collection}: poses of {len(done.found)} videos found, of {len(done.known)} known already")
    for id, problem in done.failed.items():
        click.echo(f"failed: {id}: {problem}", err=True)
    if done.failed:
        raise DanceproofError(f"{len(done.failed)} videos could not be done", path=collection)
