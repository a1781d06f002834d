"""``synthesize many``."""

from __future__ import annotations

import os
from pathlib import Path

import click

from cli.app import VIDEO_SUFFIXES
from cli.synthesize.common import FILE, signing, stages
from cli.work import limit_options, tell, where_options
from dataset.errors import DanceproofError


@click.command()
@click.argument("subjects", type=FILE)
@click.option(
    "--out", type=FILE, required=True, help="Folder of models and corpus; what is done in it is kept."
)
@click.option("--research-only", is_flag=True,
              help="Do without consent: all that is made says so and cannot be published.")  # fmt: skip
@click.option(
    "--preset", "preset_name", default="compact", show_default=True, help="Where the settings start."
)
@click.option("--set", "settings", multiple=True, metavar="SECTION.FIELD=VALUE",
              help="Change any setting, such as schedule.steps=2000; see synthesize settings.")  # fmt: skip
@click.option("--cross", type=click.IntRange(min=0), default=1, show_default=True,
              help="With the motion of how many others each is driven.")  # fmt: skip
@click.option("--weak/--no-weak", default=True, show_default=True, help="Also use the models' snapshots.")
@click.option(
    "--crf", type=click.IntRange(0, 51), default=18, show_default=True, help="H.264 quality of all clips."
)
@click.option("--train-only", is_flag=True, help="Train the generators, and make no fakes yet.")
@signing
@where_options
@limit_options
@click.option("--gpus", type=click.FloatRange(min=0), default=0.0, show_default=True,
              help="With --ray: GPUs of each worker; 0.5 puts two on one.")  # fmt: skip
@click.option("--threads", type=click.IntRange(min=1),
              help="CPU threads of each worker; by default the cores are shared out.")  # fmt: skip
@click.option("--retry", is_flag=True, help="Try subjects again that failed before.")
def many(
    subjects: Path,
    out: Path,
    research_only: bool,
    preset_name: str,
    settings: tuple[str, ...],
    cross: int,
    weak: bool,
    crf: int,
    train_only: bool,
    certificate: Path | None,
    private_key: Path | None,
    workers: int | None,
    ray: str | None,
    time_limit: float | None,
    memory_limit: int | None,
    gpus: float,
    threads: int | None,
    retry: bool,
) -> None:
    """Train a generator of each of SUBJECTS, and make a corpus of fakes of all.

    SUBJECTS is a collection, a folder with a folder of recordings for each, or a file with one JSON object a line:
    {"subject": "anna", "recordings": ["anna.mp4"], "consent": "anna.json"}. A subject that fails stops nobody else.
    """
    from synthesis.config import changed, preset
    from synthesis.many import Making, Workforce, make_many, read_cast, train_many

    if gpus and ray is None:
        raise click.UsageError("--gpus goes with --ray: on one machine the workers share what there is")
    config = changed(preset(preset_name), settings)
    cast = read_cast(subjects, VIDEO_SUFFIXES)
    cores = len(os.sched_getaffinity(0))
    threads = threads or max(1, cores // min(workers or cores, len(cast)))
    force = Workforce(workers, ray, time_limit, memory_limit, gpus, retry)
    problems: list[DanceproofError] = []
    with stages() as report:
        trained = train_many(
            cast, out, config, force, research_only=research_only, threads=threads, report=report
        )
    try:
        tell(trained, out / "training")
    except DanceproofError as error:
        problems.append(error)
    if not train_only:
        with stages() as report:
            made, corpus = make_many(
                cast, out, Making(cross, weak, crf, certificate, private_key), force, threads=threads,
                report=report,
            )  # fmt: skip
        try:
            tell(made, out / "making")
        except DanceproofError as error:
            problems.append(error)
        fakes = sum(clip.label == "fake" for clip in corpus.clips)
        click.echo(
            f"{out}: {len(corpus.clips) - fakes} real and {fakes} fake clips of {len(corpus.subjects())} subjects"
        )
    if problems:
        raise problems[0]
