"""``synthesize fakes``."""

from __future__ import annotations

from pathlib import Path

import click

from cli.app import use_threads
from cli.synthesize.common import FILE, signing, stages, videos_among


@click.command()
@click.argument("models", type=FILE, nargs=-1, required=True)
@click.option(
    "--recordings",
    type=FILE,
    multiple=True,
    required=True,
    help="Training recordings, files or folders; repeatable.",
)
@click.option("--out", type=FILE, required=True, help="Folder of the corpus; clips in it are kept.")
@click.option("--real", type=FILE, multiple=True,
              help="Recordings of people without a model, added as real clips; repeatable.")  # fmt: skip
@click.option("--cross", type=click.IntRange(min=0), default=1, show_default=True,
              help="With the motion of how many others each target is driven.")  # fmt: skip
@click.option("--weak/--no-weak", default=True, show_default=True, help="Also use the models' snapshots.")
@click.option(
    "--crf", type=click.IntRange(0, 51), default=18, show_default=True, help="H.264 quality of all clips."
)
@signing
@click.option("--threads", type=click.IntRange(min=1), help="CPU threads; all cores by default.")
def fakes(
    models: tuple[Path, ...],
    recordings: tuple[Path, ...],
    out: Path,
    real: tuple[Path, ...],
    cross: int,
    weak: bool,
    crf: int,
    certificate: Path | None,
    private_key: Path | None,
    threads: int | None,
) -> None:
    """Make a labelled corpus of recordings and fakes of the targets of MODELS, for training detectors.

    Several models of one subject (longer or shorter trained, wider or narrower, of another preset) make fakes of
    several strengths. Every fake is signed and its lineage recorded down to the consent.
    """
    from dataset.provenance import find_identity
    from synthesis.fakes import make_corpus

    use_threads(threads)
    identity = find_identity(certificate, private_key)
    with stages() as report:
        corpus = make_corpus(
            list(models),
            videos_among(recordings),
            out,
            further=videos_among(real) if real else [],
            cross=cross,
            weak=weak,
            crf=crf,
            identity=identity,
            report=report,
            note=lambda text: click.echo(f"note: {text}", err=True),
        )
    filmed = sum(clip.label == "real" for clip in corpus.clips)
    click.echo(
        f"{out}: {filmed} real and {len(corpus.clips) - filmed} fake clips of {len(corpus.subjects())} subjects"
    )
    if stamped := sum("research_only" in clip.origin for clip in corpus.clips):
        click.echo(f"  {stamped} of them for research only: they cannot be published")
