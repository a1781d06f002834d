"""``synthesize``: train a generator of one target, make it do what somebody else does, make a corpus of fakes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import click

from cli.app import VIDEO_SUFFIXES, DanceproofGroup, progress, use_threads
from dataset.errors import SynthesisError
from dataset.provenance import VERSION

FILE = click.Path(path_type=Path)


@click.group(cls=DanceproofGroup)
@click.version_option(VERSION, prog_name="synthesize")
def main() -> None:
    """Make labelled fakes of people who agreed to it. Everything made is marked as synthetic."""


@main.command()
@click.argument("recordings", type=FILE, nargs=-1, required=True)
@click.option("--out", type=FILE, required=True, help="Folder of the model; an unfinished run in it goes on.")
@click.option("--subject", help="Name of the person; by default the folder's name.")
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
    with _stages() as report:

        def step(done: int, total: int, note: str) -> None:
            report("training", done, total, note)

        model = run(
            list(recordings), out, config, subject=subject or out.resolve().name, report=report, progress=step
        )
    click.echo(
        f"{out}: generator of {model.subject}, {model.steps} steps, window {model.shape[0]}x{model.shape[1]}"
    )
    click.echo(f"next: synthesize transfer {out} --source VIDEO --out VIDEO")


@main.command()
@click.argument("model", type=FILE)
@click.option("--source", type=FILE, required=True, help="Video of the motion.")
@click.option("--out", type=FILE, required=True, help="Video to write (.mp4, .mov or .mkv).")
@click.option("--crf", type=click.IntRange(0, 51), default=18, show_default=True, help="H.264 rate factor.")
@click.option("--cache", type=FILE, help="Folder for the source's poses.  [default: MODEL/cache]")
@click.option("--threads", type=click.IntRange(min=1), help="CPU threads; all cores by default.")
def transfer(model: Path, source: Path, out: Path, crf: int, cache: Path | None, threads: int | None) -> None:
    """Make the target of MODEL do what the person in the source video does."""
    from synthesis.model import TargetModel
    from synthesis.transfer import transfer as run

    use_threads(threads)
    if out.resolve() == source.resolve():
        raise SynthesisError("the source would be overwritten", path=out, hint="give another --out")
    target = TargetModel.load(model)
    with _stages() as report:
        made = run(
            target,
            source,
            out,
            cache=cache or model / "cache",
            crf=crf,
            pose_progress=lambda done, total: report("poses", done, total),
            progress=lambda done, total: report("frames", done, total),
        )
    click.echo(f"{made.path}: {made.frames} frames of {target.subject}, marked as synthetic")
    if made.without_person:
        click.echo(f"  nobody in {made.without_person} of them, as in the source")
    for note in made.notes:
        click.echo(f"  {note}")


@main.command()
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
@click.option("--threads", type=click.IntRange(min=1), help="CPU threads; all cores by default.")
def fakes(
    models: tuple[Path, ...],
    recordings: tuple[Path, ...],
    out: Path,
    real: tuple[Path, ...],
    cross: int,
    weak: bool,
    crf: int,
    threads: int | None,
) -> None:
    """Make a labelled corpus of recordings and fakes of the targets of MODELS, for training detectors."""
    from synthesis.fakes import make_corpus

    use_threads(threads)
    with _stages() as report:
        corpus = make_corpus(
            list(models),
            _videos(recordings),
            out,
            further=_videos(real) if real else [],
            cross=cross,
            weak=weak,
            crf=crf,
            report=report,
        )
    filmed = sum(clip.label == "real" for clip in corpus.clips)
    click.echo(
        f"{out}: {filmed} real and {len(corpus.clips) - filmed} fake clips of {len(corpus.subjects())} subjects"
    )


def _videos(paths: tuple[Path, ...]) -> list[Path]:
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            found += sorted(p for p in path.iterdir() if p.suffix.lower() in VIDEO_SUFFIXES)
        elif path.is_file():
            found.append(path)
        else:
            raise SynthesisError("there is no such recording", path=path)
    if not found:
        raise SynthesisError("no video among the recordings", path=paths[0])
    return found


Stage = Callable[..., None]


@contextmanager
def _stages() -> Iterator[Stage]:
    """Progress for work in several parts: ``report(what, done, total, note)`` opens a new bar when `what` changes."""
    with ExitStack() as stack:
        current: list[object] = []

        def report(what: str, done: int, total: int | None = None, note: str = "") -> None:
            if not current or current[0] != what:
                stack.close()
                current[:] = [what, stack.enter_context(progress(what, total))]
            current[1].update(done, total, note)  # type: ignore[attr-defined]

        yield report


if __name__ == "__main__":
    main()
