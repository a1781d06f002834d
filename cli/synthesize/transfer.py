"""``synthesize transfer``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.app import STATUS_ERROR, use_threads
from cli.synthesize.common import FILE, signing, stages
from dataset.errors import SynthesisError

if TYPE_CHECKING:
    from synthesis.transfer import Transferred


@click.command()
@click.argument("model", type=FILE)
@click.argument("sources", type=FILE, nargs=-1)
@click.option("--source", "named", type=FILE, multiple=True, help="Video of the motion; the same as SOURCES.")
@click.option(
    "--out",
    type=FILE,
    required=True,
    help="Video to write (.mp4 or .mov); for several sources the folder that gets one .mp4 for each.",
)
@click.option("--person", default="main", show_default=True,
              help="Who in the source: main, left, right, a number from 1 (most prominent), or X,Y@T, a pixel and a "
              "time in seconds.")  # fmt: skip
@click.option("--limbs", is_flag=True, help="Also give every limb the length that it has on the target.")
@click.option("--side-by-side", is_flag=True,
              help="Also write OUT_side_by_side: source, stick figure and result.")  # fmt: skip
@click.option(
    "--poses", type=FILE, help="Key points of another tool for the one source: .npz, or OpenPose's JSON."
)
@click.option(
    "--iuv", type=FILE, help="DensePose maps of the one source, for a model that was trained on such."
)
@click.option("--crf", type=click.IntRange(0, 51), default=18, show_default=True, help="H.264 rate factor.")
@click.option("--consent", type=FILE, help="Consent record to ask instead of the one the model remembers.")
@click.option("--cache", type=FILE, help="Folder for the sources' poses.  [default: MODEL/cache]")
@signing
@click.option("--threads", type=click.IntRange(min=1), help="CPU threads; all cores by default.")
def transfer(
    model: Path,
    sources: tuple[Path, ...],
    named: tuple[Path, ...],
    out: Path,
    person: str,
    limbs: bool,
    side_by_side: bool,
    poses: Path | None,
    iuv: Path | None,
    crf: int,
    consent: Path | None,
    cache: Path | None,
    certificate: Path | None,
    private_key: Path | None,
    threads: int | None,
) -> None:
    """Make the target of MODEL do what the person in each of SOURCES does.

    Every video is signed: it says in a C2PA manifest that it was synthesised, and by which model.
    """
    from dataset.pose.choice import parse_person
    from dataset.provenance import find_identity
    from synthesis.batch import transfer_all
    from synthesis.model import TargetModel
    from synthesis.transfer import Choices
    from synthesis.transfer import transfer as run

    use_threads(threads)
    every = [*sources, *named]
    if not every:
        raise SynthesisError("no source was given", hint="name a video whose motion is wanted")
    one_file = len(every) == 1 and bool(out.suffix) and not out.is_dir()
    if one_file and out.resolve() == every[0].resolve():
        raise SynthesisError("the source would be overwritten", path=out, hint="give another --out")
    if len(every) > 1 and (out.is_file() or out.suffix.lower() in (".mp4", ".mov")):
        raise SynthesisError("several sources need a folder", path=out, hint="give a folder as --out")
    if len(every) > 1 and (poses or iuv):
        raise SynthesisError("--poses and --iuv belong to one source", hint="do the sources one by one")
    choices = Choices(parse_person(person), limbs, side_by_side, crf, poses=poses, iuv=iuv)
    target = TargetModel.load(model)
    identity = find_identity(certificate, private_key)
    cache = cache or model / "cache"
    failed = 0
    with stages() as report:
        if one_file:
            made = run(
                target,
                every[0],
                out,
                cache=cache,
                choices=choices,
                consent=consent,
                identity=identity,
                pose_progress=lambda done, total: report("poses", done, total),
                progress=lambda done, total: report("frames", done, total),
            )
            _tell(made, target.subject, target.consent.research_only)
        else:
            for outcome in transfer_all(
                target,
                every,
                out,
                cache=cache,
                choices=choices,
                consent=consent,
                identity=identity,
                report=report,
            ):
                if outcome.made is not None:
                    _tell(outcome.made, target.subject, target.consent.research_only)
                else:
                    failed += 1
                    click.echo(f"error: {outcome.error}", err=True)
    if not one_file and len(every) > 1:
        click.echo(f"{len(every) - failed} of {len(every)} sources done, {failed} failed")
    if identity.development:
        click.echo("  signed with a development certificate; for your own: --certificate and --private-key")
    if failed:
        click.get_current_context().exit(STATUS_ERROR)


def _tell(made: Transferred, subject: str, research_only: bool) -> None:
    stamp = ", for research only" if research_only else ""
    click.echo(f"{made.path}: {made.frames} frames of {subject}, marked as synthetic and signed{stamp}")
    if made.beside is not None:
        click.echo(f"  {made.beside}: source, stick figure and result")
    if made.without_person:
        click.echo(f"  nobody in {made.without_person} of them, as in the source")
    for note in made.notes:
        click.echo(f"  {note}")
