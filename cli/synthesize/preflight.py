"""``synthesize preflight``."""

from __future__ import annotations

import json
from pathlib import Path

import click

from cli.app import spell_seconds, use_threads
from cli.synthesize.common import FILE, stages

_MARKS = {"ok": "good", "care": "care", "no": "NO"}


@click.command()
@click.argument("source", type=FILE)
@click.argument("target", type=FILE)
@click.option("--out", type=FILE, help="Also write a page with pictures (.html).")
@click.option("--source-poses", type=FILE, help="Key points of SOURCE: .npz, or OpenPose files.")
@click.option("--target-poses", type=FILE, help="Key points of TARGET: .npz, or OpenPose files.")
@click.option(
    "--source-person",
    default="main",
    show_default=True,
    help="Who in SOURCE: main, left, right, a number, or X,Y@SECONDS.",
)
@click.option("--limbs", is_flag=True, help="Judge as if limb proportions are adapted in the transfer.")
@click.option("--estimate/--no-estimate", default=True, show_default=True,
              help="Try a few training steps to say what training will cost.")  # fmt: skip
@click.option("--cache", type=FILE, help="Folder for key points.  [default: a temporary one]")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead.")
@click.option("--threads", type=click.IntRange(min=1), help="CPU threads; all cores by default.")
@click.pass_context
def preflight(
    ctx: click.Context,
    source: Path,
    target: Path,
    out: Path | None,
    source_poses: Path | None,
    target_poses: Path | None,
    source_person: str,
    limbs: bool,
    estimate: bool,
    cache: Path | None,
    as_json: bool,
    threads: int | None,
) -> None:
    """Say before training whether TARGET (a recording or a trained model) can do what SOURCE does.

    Exit status 0 for yes, with care or without, and 1 for no.
    """
    import tempfile

    from dataset.errors import ModelError, SynthesisError
    from synthesis.preflight import preflight as run
    from synthesis.preflight import write_page

    use_threads(threads)
    if out is not None and out.suffix.lower() not in (".html", ".htm"):
        raise SynthesisError("the page is HTML", path=out, hint="give a name that ends in .html")
    if target.is_dir() and target_poses is not None:
        raise ModelError("a trained model has its own poses", path=target, hint="leave --target-poses out")
    with tempfile.TemporaryDirectory() as temporary, stages() as report:
        result = run(
            source,
            target,
            cache=cache or Path(temporary),
            source_poses=source_poses,
            target_poses=target_poses,
            source_person=source_person,
            limbs=limbs,
            estimate=estimate,
            report=report,
        )
        if out is not None:
            write_page(result, out)
    if as_json:
        click.echo(json.dumps(result.to_dict(), indent=2, ensure_ascii=False))
    else:
        for reason in result.reasons:
            advice = f" – {reason.advice}" if reason.advice else ""
            click.echo(f"{_MARKS[reason.level]:<5}{reason.what}: {reason.found}{advice}")
        if result.cost is not None:
            cost = result.cost
            click.echo(
                f"cost: about {spell_seconds(cost.seconds)} for {cost.steps} steps on {cost.threads} threads, "
                f"{cost.memory / 1e9:.1f} GB of memory"
            )
        told = {"yes": "yes", "care": "yes, with care", "no": "no"}[result.verdict]
        click.echo(f"{told}: {source.name} on {target.name}" + (f", see {out}" if out is not None else ""))
    ctx.exit(1 if result.verdict == "no" else 0)
