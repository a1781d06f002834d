"""How ``fakedetect scan`` shows a result on the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_COLOURS = {"fake": "red", "real": "green", "inconclusive": "yellow"}
_BARS = "▁▂▃▄▅▆▇█"


def show(result: Mapping[str, Any]) -> None:
    """Print what a scan says, for people."""
    from rich.text import Text

    lines = [_head(result)]
    lines += [Text(f"  {reason}") for reason in result["reasons"]]
    if result["statement"]:
        lines.append(Text(f"  the file says about itself: {result['statement']}"))
    if result["c2pa"]["integrity"] != "none":
        lines += [Text(f"  c2pa: {line}") for line in result["c2pa"]["lines"]]
    for person in result["people"]:
        lines += _person(person)
    lines += [Text(f"  problem: {problem}") for problem in result["problems"]]
    tool = result["tool"]
    taken = f" in {result['seconds']:.1f} s" if "seconds" in result else ""
    lines.append(
        Text(
            f"  {result['pairs']} frame pairs{taken}, "
            f"sha256 {result['video']['sha256'][:16]}… before and after, "
            f"detector {tool['detector_sha256'][:16] or 'never saved'}…",
            style="dim",
        )
    )
    _print(lines)


def show_line(result: Mapping[str, Any]) -> None:
    """Print what a scan says in one line."""
    head = _head(result)
    head.append(f"  {result['reasons'][0]}", style="dim")
    _print([head])


def show_counts(counts: Mapping[str, int], failed: int, seconds: float) -> None:
    """Print what came of many videos."""
    from rich.text import Text

    told = Text("scanned: ")
    for verdict, colour in _COLOURS.items():
        told.append(f"{counts.get(verdict, 0)} {verdict}", style=colour)
        told.append(", ")
    told.append(f"{failed} failed", style="red" if failed else "")
    told.append(f"; {seconds:.1f} s")
    _print([told])


def _head(result: Mapping[str, Any]) -> Any:
    from rich.text import Text

    colour = _COLOURS[result["verdict"]]
    head = Text.assemble(f"{result['path']}: ", (result["verdict"].upper(), f"bold {colour}"))
    if result["probability"] is not None:
        head.append(
            f"  probability of a fake {result['probability']:.3f}, log10 LR {result['log10_lr']:+.2f}"
        )
        if result["interval"] is not None:
            head.append(" ({:+.2f} to {:+.2f})".format(*result["interval"]))
    return head


def _person(person: Mapping[str, Any]) -> list[Any]:
    from rich.text import Text

    known = "" if person["probability"] is None else f" {person['probability']:.3f}"
    lines = [
        Text(
            f"  person {person['person']}: {person['verdict']}{known}, {person['height']:.0f} pixels high, "
            f"{person['first_seen']:.1f}–{person['last_seen']:.1f} s, {person['pairs_judged']} frame pairs judged"
        )
    ]
    for span in person["spans"]:
        lines.append(
            Text(
                f"    {span['verdict']} {span['begin']:.2f}–{span['end']:.2f} s, "
                f"probability {span['probability']:.3f} on {span['tested_on']} frame pairs",
                style=_COLOURS[span["verdict"]],
            )
        )
    if person["timeline"]:
        lines.append(Text.assemble("    over time: ", _bars(person["timeline"])))
    lines += [
        Text(f"    weighed most: {pair['time']:.2f} s, {pair['part']}, score {pair['score']:+.2f}")
        for pair in person["telling"]
    ]
    return lines


def _bars(timeline: list[Mapping[str, Any]]) -> str:
    """One bar a frame pair, from the lowest score to the highest."""
    scores = [moment["score"] for moment in timeline]
    low, high = min(scores), max(scores)
    steps = (len(_BARS) - 1) / max(high - low, 1e-9)
    bars = "".join(_BARS[round((score - low) * steps)] for score in scores)
    return f"{bars} ({low:+.1f} to {high:+.1f})"


def _print(lines: list[Any]) -> None:
    import sys

    from rich.console import Console

    # A line stays a line: whoever reads them by program counts on it.
    console = Console(file=sys.stdout, highlight=False, soft_wrap=True)
    for line in lines:
        console.print(line)
