"""``synthesize study``: make a perceptual study, and analyse its answers."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import click

from cli.app import VIDEO_SUFFIXES, DanceproofGroup, use_threads
from cli.synthesize.common import FILE, stages, videos_among
from dataset.errors import SynthesisError
from dataset.files import atomic_path, write_json


class _StudyGroup(DanceproofGroup):
    """``study A=… B=…`` stands for ``study make A=… B=…``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and args[0] not in self.commands and args[0] not in ("--help",):
            args = ["make", *args]
        return super().parse_args(ctx, args)


@click.group(cls=_StudyGroup)
def study() -> None:
    """Let people say which of two systems' clips looks more real.

    \b
    synthesize study A=MODEL B=MODEL --recording FILE    makes the page ("make" may be left out)
    synthesize study analyse ANSWERS… --key KEY          tells what the answers say
    """


@study.command()
@click.argument("systems", nargs=2, metavar="A=MODEL-OR-VIDEO[,…] B=MODEL-OR-VIDEO[,…]")
@click.option("--recording", type=FILE, multiple=True, help="The models' recordings; repeatable.")
@click.option("--reference", is_flag=True, help="Show the filmed clip between the two (with models).")
@click.option("--out", type=FILE, default=Path("study"), show_default=True, help="Folder to write to.")
@click.option("--pairs", type=click.IntRange(2, 200), default=20, show_default=True)
@click.option(
    "--seconds", type=click.FloatRange(0.2, 30), default=3.0, show_default=True, help="Of each clip."
)
@click.option(
    "--height", type=click.IntRange(64), default=480, show_default=True, help="Of the clips, at most."
)
@click.option(
    "--seed", type=int, default=0, show_default=True, help="Of order and sides; another makes another page."
)
@click.option("--beside", is_flag=True, help="Put the clips in a folder beside the page, not into it.")
@click.option("--on-training-frames", is_flag=True, help="Also take models that held nothing out.")
@click.option("--threads", type=click.IntRange(min=1), help="CPU threads; all cores by default.")
def make(
    systems: tuple[str, str],
    recording: tuple[Path, ...],
    reference: bool,
    out: Path,
    pairs: int,
    seconds: float,
    height: int,
    seed: int,
    beside: bool,
    on_training_frames: bool,
    threads: int | None,
) -> None:
    """Make a page with pairs of clips of the same poses, and the key to it.

    Each system has one model, or one video, for each subject, separated by commas, in the same order on both sides.
    MODEL@STEP is a snapshot that the model keeps.
    """
    (first, ours), (second, theirs) = (_system(text) for text in systems)
    if first == second:
        raise SynthesisError(f"both systems are called {first}")
    kinds = {Path(path).suffix.lower() in VIDEO_SUFFIXES for path in (*ours, *theirs)}
    if len(kinds) > 1:
        raise SynthesisError(
            "models and videos cannot be mixed", hint="give folders, or videos, for both systems"
        )
    from synthesis.evaluate.systems import ModelRef
    from synthesis.study import Material, make_study, material_of_models

    use_threads(threads)
    with stages() as report, tempfile.TemporaryDirectory(prefix="study_") as temporary:
        if kinds == {True}:
            if reference or recording or on_training_frames:
                raise SynthesisError("--reference, --recording and --on-training-frames go with models")
            if len(ours) != len(theirs):
                raise SynthesisError(f"{len(ours)} videos stand against {len(theirs)}")
            material = [
                Material.of_videos(a.stem, a, b)
                for a, b in zip(map(Path, ours), map(Path, theirs), strict=True)
            ]
        else:
            if not recording:
                raise SynthesisError(
                    "no recording was given", hint="name the models' recordings with --recording"
                )
            material = material_of_models(
                [ModelRef.parse(text) for text in ours],
                [ModelRef.parse(text) for text in theirs],
                videos_among(recording),
                Path(temporary),
                reference=reference,
                on_training_frames=on_training_frames,
                report=report,
            )
        page = make_study(
            (first, second), material, out,
            pairs=pairs, seconds=seconds, seed=seed, height=height, beside=beside, report=report,
        )  # fmt: skip
    click.echo(
        f"{page}: {pairs} pairs of {len(material)} subject(s), and one for practice: send this to raters"
    )
    click.echo(f"{out / 'key.json'}: keep it until the answers are in")
    click.echo(f"next: synthesize study analyse ANSWERS… --key {out / 'key.json'}")


@study.command("analyse")
@click.argument("answers", type=FILE, nargs=-1, required=True)
@click.option("--key", type=FILE, multiple=True, required=True, help="key.json of the study; repeatable.")
@click.option("--out", type=FILE, help="Folder for study.json and study.md.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of the table.")
def analyse_answers(
    answers: tuple[Path, ...], key: tuple[Path, ...], out: Path | None, as_json: bool
) -> None:
    """Tell how often the second system was preferred, in all, per subject and per rater."""
    from synthesis.study.analyse import analyse

    found = analyse(answers, key)
    if out is not None:
        write_json(out / "study.json", found.to_dict())
        with atomic_path(out / "study.md") as temporary:
            temporary.write_text(found.markdown(), "utf-8")
    click.echo(
        json.dumps(found.to_dict(), indent=2, ensure_ascii=False) if as_json else found.markdown().strip()
    )


def _system(text: str) -> tuple[str, list[str]]:
    name, _, paths = text.partition("=")
    if not name or not paths:
        raise SynthesisError(f"not a system: {text!r}", hint="write NAME=MODEL or NAME=VIDEO")
    return name, paths.split(",")
