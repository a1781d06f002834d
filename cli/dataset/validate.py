"""``dataset validate``."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from cli.app import progress
from cli.dataset.common import FILE
from cli.work import where_options


@click.command()
@click.argument("where", type=FILE, metavar="RELEASE|COLLECTION")
@click.option("--json", "as_json", is_flag=True, help="Print the findings as one JSON object.")
@click.option("--rule", "rules", multiple=True, help="Check only this rule of a release; may be repeated.")
@where_options
@click.pass_context
def validate(
    ctx: click.Context,
    where: Path,
    as_json: bool,
    rules: tuple[str, ...],
    workers: int | None,
    ray: str | None,
) -> None:
    """Check a release, or a collection and its last release, against every rule.

    One line a finding. The exit status is 1 if there is an error, 0 if there are at most warnings.
    """
    from dataset.collection import Collection
    from dataset.release.validate import RULES, validate_collection
    from dataset.release.validate import validate as check

    with progress("checking") as bar:

        def report(what: str, done: int, total: int | None) -> None:
            bar.update(done, total, what)

        if (where / "collection.json").is_file():
            findings = validate_collection(Collection.open(where), workers=workers, ray=ray, progress=report)
        else:
            findings = check(where, rules=rules or None, workers=workers, ray=ray, progress=report)
    errors = sum(finding.severity == "error" for finding in findings)
    warnings = len(findings) - errors
    if as_json:
        told = {"errors": errors, "warnings": warnings, "findings": [asdict(finding) for finding in findings]}
        click.echo(json.dumps(told, indent=2, ensure_ascii=False))
    else:
        for finding in findings:
            click.echo(str(finding))
        click.echo(f"{where}: {len(rules) or len(RULES)} rules, {errors} errors, {warnings} warnings")
    ctx.exit(1 if errors else 0)
