"""``synthesize train``."""

from __future__ import annotations

from pathlib import Path

import click

from cli.app import use_threads
from cli.synthesize.common import FILE, stages


@click.command()
@click.argument("recordings", type=FILE, nargs=-1, required=True)
@click.option("--out", type=FILE, required=True, help="Folder of the model; an unfinished run in it goes on.")
@click.option(
    "--subject", help="Name of the person; by default that in the consent record, or the folder's name."
)
@click.option("--consent", type=FILE, help="Consent record of the person; not needed where the recordings lie in a "
              "collection that has it, nor for mannequins.")  # fmt: skip
@click.option("--research-only", is_flag=True,
              help="Do without consent: all that is made says so and cannot be published.")  # fmt: skip
@click.option(
    "--preset", "preset_name", default="compact", show_default=True, help="Where the settings start."
)
@click.option("--steps", type=click.IntRange(min=1), help="Training steps.  [default: the preset's]")
@click.option("--height", type=click.IntRange(min=64), help="Pixels of the painted window, a multiple of 32.")
@click.option(
    "--snapshot", type=click.IntRange(min=1), multiple=True, help="Also keep the generator of this step."
)
@click.option("--seed", type=int, help="Of weights, data order and noise.")
@click.option("--precision", type=click.Choice(["bf16", "float32"]), help="Arithmetic of the networks.")
@click.option("--threads", type=click.IntRange(min=1), help="CPU threads; all cores by default.")
def train(
    recordings: tuple[Path, ...],
    out: Path,
    subject: str | None,
    consent: Path | None,
    research_only: bool,
    preset_name: str,
    steps: int | None,
    height: int | None,
    snapshot: tuple[int, ...],
    seed: int | None,
    precision: str | None,
    threads: int | None,
) -> None:
    """Train a generator of the person in RECORDINGS (one person, a camera that stands still)."""
    from dataclasses import replace

    from synthesis.config import preset
    from synthesis.consent import subject_named
    from synthesis.train import train as run

    use_threads(threads)
    config = preset(preset_name)
    schedule = config.schedule
    schedule = replace(
        schedule,
        steps=schedule.steps if steps is None else steps,
        seed=schedule.seed if seed is None else seed,
        precision=precision or schedule.precision,
        snapshots=tuple(sorted(set(snapshot))) or schedule.snapshots,
    )
    config = replace(config, schedule=schedule)
    if height is not None:
        config = replace(config, data=replace(config.data, height=height))
    with stages() as report:

        def step(done: int, total: int, note: str) -> None:
            report("training", done, total, note)

        model = run(
            list(recordings),
            out,
            config,
            subject=subject or subject_named(list(recordings), consent) or out.resolve().name,
            consent=consent,
            research_only=research_only,
            report=report,
            progress=step,
        )
    click.echo(
        f"{out}: generator of {model.subject}, {model.steps} steps, window {model.shape[0]}x{model.shape[1]}"
    )
    if model.consent.research_only:
        click.echo("  for research only: whatever it makes says so and cannot be published")
    click.echo(f"next: synthesize transfer {out} --source VIDEO --out VIDEO")
