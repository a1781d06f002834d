"""``synthesize train``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from cli.app import STATUS_ERROR, use_threads
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
@click.option(
    "--minutes", type=click.FloatRange(min=0, min_open=True), help="Train for so long instead of for steps."
)
@click.option("--height", type=click.IntRange(min=64), help="Pixels of the painted window, a multiple of 32.")
@click.option(
    "--snapshot", type=click.IntRange(min=1), multiple=True, help="Also keep the generator of this step."
)
@click.option("--seed", type=int, help="Of weights, data order and noise.")
@click.option("--precision", type=click.Choice(["bf16", "float32"]), help="Arithmetic of the networks.")
@click.option("--batch", type=click.IntRange(min=1), help="Pairs of frames a step, over all processes.")
@click.option(
    "--accumulate", type=click.IntRange(min=1), help="Passes that a batch is cut into, to need less memory."
)
@click.option(
    "--holdout",
    type=click.FloatRange(0, 1, max_open=True),
    help="Share of each recording's end that is not trained on, but shown and scored on the training page.",
)
@click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "cuda"]),
    default="auto",
    show_default=True,
    help="Where to compute; auto is a GPU where there is one.",
)
@click.option("--perceptual", metavar="BACKBONE",
              help="Network of the perceptual loss: vgg19 (the paper's), vgg16 or squeezenet1_1.")  # fmt: skip
@click.option("--perceptual-weights", type=FILE, help="File of its weights, safetensors.")
@click.option("--compile/--no-compile", default=None, help="Compile the networks first.")
@click.option("--channels-last/--no-channels-last", default=None, help="Keep pictures pixel by pixel.")
@click.option("--poses", type=FILE, multiple=True,
              help="Key points of another tool, .npz or OpenPose's JSON; one for each recording.")  # fmt: skip
@click.option("--iuv", type=FILE, multiple=True,
              help="Folder of DensePose maps, instead of stick figures; one for each recording.")  # fmt: skip
@click.option("--set", "settings", multiple=True, metavar="SECTION.FIELD=VALUE",
              help="Change any other setting, such as schedule.temporal=false; see synthesize settings.")  # fmt: skip
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
    minutes: float | None,
    batch: int | None,
    accumulate: int | None,
    holdout: float | None,
    device: str,
    perceptual: str | None,
    perceptual_weights: Path | None,
    compile: bool | None,
    channels_last: bool | None,
    poses: tuple[Path, ...],
    iuv: tuple[Path, ...],
    settings: tuple[str, ...],
    threads: int | None,
) -> None:
    """Train a generator of the person in RECORDINGS (one person, a camera that stands still).

    An unfinished run in --out goes on where its last checkpoint was; how it does can be seen in OUT/training.html.
    Several processes: torchrun --nproc-per-node 2 -m cli.synthesize train …
    """
    from dataclasses import replace

    from dataset.errors import PeerError
    from synthesis.brought import Brought
    from synthesis.config import changed, preset
    from synthesis.consent import subject_named
    from synthesis.distributed import leads
    from synthesis.train import train as run

    if steps is not None and minutes is not None:
        raise click.UsageError("a run is limited by --steps or by --minutes, not by both")
    use_threads(threads)
    config = preset(preset_name)
    config = replace(
        config,
        schedule=replace(
            config.schedule,
            **_given(
                steps=steps,
                minutes=minutes,
                seed=seed,
                precision=precision,
                snapshots=tuple(sorted(set(snapshot))) or None,
                batch=batch,
                accumulate=accumulate,
                compile=compile,
                channels_last=channels_last,
            ),
        ),
        data=replace(
            config.data,
            **_given(height=height, holdout=holdout, labels="densepose" if iuv else None),
        ),
        loss=replace(
            config.loss,
            **_given(
                perceptual=perceptual,
                perceptual_weights=str(perceptual_weights.resolve()) if perceptual_weights else None,
            ),
        ),
    )
    config = changed(config, settings)
    with stages() as report:

        def step(done: int, total: int, note: str) -> None:
            report("training", done, total, note)

        try:
            model = run(
                list(recordings),
                out,
                config,
                subject=subject or subject_named(list(recordings), consent) or out.resolve().name,
                consent=consent,
                research_only=research_only,
                brought=Brought(poses, iuv),
                device=device,
                report=report,
                progress=step,
            )
        except PeerError as error:
            if error.told:  # one line is enough, and the process that failed has said it
                raise click.exceptions.Exit(STATUS_ERROR) from error
            raise
    if not leads():
        return
    click.echo(
        f"{out}: generator of {model.subject}, {model.steps} steps, window {model.shape[0]}x{model.shape[1]}"
    )
    if model.consent.research_only:
        click.echo("  for research only: whatever it makes says so and cannot be published")
    click.echo(f"next: synthesize transfer {out} --source VIDEO --out VIDEO")


def _given(**options: Any) -> dict[str, Any]:
    """The options that were given; the others stay the preset's."""
    return {name: value for name, value in options.items() if value is not None}
