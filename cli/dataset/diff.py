"""``dataset diff``."""

from __future__ import annotations

import json
from dataclasses import asdict

import click


@click.command()
@click.argument("before", metavar="A")
@click.argument("after", metavar="B")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead.")
@click.option("--exit-code", is_flag=True, help="End with status 1 if they differ.")
@click.pass_context
def diff(context: click.Context, before: str, after: str, as_json: bool, exit_code: bool) -> None:
    """Tell what is different between the releases A and B: folders, or ORG/NAME@VERSION on the hub."""
    from dataset.hub.diff import diff as compare
    from dataset.hub.diff import load

    found = compare(load(before), load(after))
    if as_json:
        click.echo(json.dumps(asdict(found) | {"same": found.same}, indent=2, ensure_ascii=False))
    else:
        click.echo("\n".join(found.lines()))
    if exit_code and not found.same:
        context.exit(1)
