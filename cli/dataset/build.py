"""``dataset build``."""

from __future__ import annotations

from pathlib import Path

import click

from cli.app import progress
from cli.dataset.common import FILE
from cli.work import where_options


@click.command()
@click.argument("collection", type=FILE)
@click.option("--version", help="Such as 1.2.0; the next one if not given.")
@where_options
@click.option("--blur-faces", is_flag=True, help="Make every face unrecognisable, in recordings and fakes.")
@click.option("--seed", type=int, help="Of the splits; the collection's own if not given.")
def build(
    collection: Path,
    version: str | None,
    workers: int | None,
    ray: str | None,
    blur_faces: bool,
    seed: int | None,
) -> None:
    """Build a release of everything in COLLECTION that may be published.

    The release appears in COLLECTION/releases when it is whole. Run it again after an interruption: it goes on.
    """
    from dataset.collection import Collection
    from dataset.release.build import build as build_release
    from dataset.release.manifest import read_manifest, read_release

    with progress("building") as bar:

        def report(what: str, done: int, total: int | None) -> None:
            bar.update(done, total, what)

        folder = build_release(
            Collection.open(collection), version=version, workers=workers, ray=ray, blur_faces=blur_faces,
            seed=seed, progress=report,
        )  # fmt: skip
    told = read_release(folder)
    counts, files = told["counts"], read_manifest(folder)
    size = sum(file["bytes"] for file in files.values()) / 1e6
    click.echo(f"{folder}: version {told['version']}, {len(files)} files, {size:.1f} MB")
    for split in ("train", "validation", "test"):
        real, fake = (counts["videos"][label][split] for label in ("real", "fake"))
        click.echo(f"{split:<11} {counts['subjects_of'][split]} subjects, {real} real, {fake} fake")
    for reason, number in told["left_out"].items():
        click.echo(f"left out: {number} ({reason})")
