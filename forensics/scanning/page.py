"""The report as a page that stands for itself: no script, no request, light and dark, to read, click and print."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import Any

import jinja2
from markupsafe import Markup

from dataset.files import atomic_path
from forensics.calibrate import Calibration
from forensics.decide import verbal
from forensics.scanning.verdict import even_score

#: Of 1,000 videos, so many are fakes before anything is known: for the table of what that makes of the ratio.
_BEFORE = (1, 10, 100, 500, 900)
_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 960, 200, 52, 846, 14, 168


def report(result: Mapping[str, Any]) -> str:
    """The page of one video.

    Args:
        result: as `ScanResult.to_dict` gives it, or as it was read back from JSON.
    """
    calibration = result["tool"]["calibration"]
    people = [_person(person, calibration, result["video"]["duration"]) for person in result["people"]]
    name = PurePosixPath(result["path"]).name
    return _template("report.html.j2").render(
        result=result,
        people=people,
        name=name,
        style=_style(),
        calibration=calibration,
        strength=None if result["log10_lr"] is None else verbal(result["log10_lr"]),
        odds=_odds(result["log10_lr"]),
        limits=_limits(result),
        quoted=shlex.quote(name),
    )


def overview(results: Sequence[tuple[str, Mapping[str, Any]]], failures: Sequence[Mapping[str, str]]) -> str:
    """The page of many videos.

    Args:
        results: address of each report, from this page, and the result.
        failures: uri and error of each file that could not be scanned.
    """
    order = {"fake": 0, "inconclusive": 1, "real": 2}
    rows = sorted(
        results, key=lambda one: (order[one[1]["verdict"]], -(one[1]["log10_lr"] or 0), one[1]["path"])
    )
    counts = {verdict: sum(one["verdict"] == verdict for _, one in results) for verdict in order}
    return _template("index.html.j2").render(
        rows=[{"page": page, "name": PurePosixPath(one["path"]).name, "result": one} for page, one in rows],
        failures=failures,
        counts=counts,
        style=_style(),
    )


def write_page(path: Path, page: str) -> None:
    """Write it, at once and whole."""
    with atomic_path(path) as temporary:
        temporary.write_text(page, "utf-8")


@cache
def _template(name: str) -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("forensics.scanning"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(name)


@cache
def _style() -> Markup:
    # Ours, not from any file that was scanned: the only text that goes in unescaped.
    return Markup((files("forensics.scanning") / "templates" / "style.css").read_text("utf-8"))


def _person(
    person: Mapping[str, Any], calibration: Mapping[str, Any] | None, duration: float | None
) -> dict[str, Any]:
    plot = _plot(person, calibration, duration) if person["timeline"] and calibration else None
    strip = []
    if plot and all(moment["picture"] for moment in person["timeline"]):
        strip = [
            {**point, "picture": moment["picture"]}
            for point, moment in zip(plot["points"], person["timeline"], strict=True)
        ]
    return {**person, "plot": plot, "strip": strip}


def _plot(person: Mapping[str, Any], told: Mapping[str, Any], duration: float | None) -> dict[str, Any]:
    """Places of the time line's parts in the picture."""
    calibration = Calibration(**told)
    moments = person["timeline"]
    even = even_score(calibration)
    limits = [
        (label, score)
        for label, score in (
            ("even odds", even),
            ("fake", _crossing(calibration, "fake")),
            ("real", _crossing(calibration, "real")),
        )
        if score is not None
    ]
    scores = [moment["score"] for moment in moments] + [score for _, score in limits]
    low, high = min(scores) - 0.5, max(scores) + 0.5
    end = max(duration or 0.0, moments[-1]["time"], 1e-3)

    def x(time: float) -> float:
        return round(_LEFT + (_RIGHT - _LEFT) * min(max(time / end, 0), 1), 1)

    def y(score: float) -> float:
        return round(_BOTTOM - (_BOTTOM - _TOP) * (score - low) / (high - low), 1)

    points = [
        {
            "x": x(moment["time"]),
            "y": y(moment["score"]),
            "look": moment["look"],
            "side": "fake" if moment["score"] > even else "real",
            "time": moment["time"],
            "score": moment["score"],
            "label": f"{moment['time']:.2f} s, score {moment['score']:+.2f}",
            "target": f"person-{person['person']}-pair-{number}",
        }
        for number, moment in enumerate(moments)
    ]
    return {
        "width": _WIDTH, "height": _HEIGHT, "left": _LEFT, "right": _RIGHT, "top": _TOP, "bottom": _BOTTOM,
        "points": points,
        "path": " ".join(f"{point['x']},{point['y']}" for point in points),
        "lines": [
            {"y": y(score), "label": label if label == "even odds" else f"called {label}",
             "kind": "even" if label == "even odds" else f"limit {label}"}
            for label, score in limits
        ],
        "bands": [
            {"x": x(span["begin"]), "width": max(x(span["end"]) - x(span["begin"]), 2), "verdict": span["verdict"]}
            for span in person["spans"]
        ],
        "ticks": [{"x": x(end * part / 8), "label": f"{end * part / 8:.1f} s"} for part in range(9)],
    }  # fmt: skip


def _crossing(calibration: Calibration, verdict: str) -> float | None:
    """The score from which on (or up to which) a video gets this verdict; None where no score within reach does."""
    low, high = -30.0, 30.0
    if calibration.verdict(high if verdict == "fake" else low) != verdict:
        return None
    for _ in range(50):
        middle = (low + high) / 2
        beyond = (
            calibration.verdict(middle) == "fake"
            if verdict == "fake"
            else calibration.verdict(middle) != "real"
        )
        low, high = (low, middle) if beyond else (middle, high)
    return high if verdict == "fake" else low


def _odds(log10_lr: float | None) -> list[dict[str, str]]:
    """What the ratio makes of several shares of fakes before the scan."""
    if log10_lr is None:
        return []
    told = []
    for before in _BEFORE:
        after = 10.0**log10_lr * before / (1000 - before)
        told.append({"before": str(before), "after": f"{after / (1 + after):.3g}"})
    return told


def _limits(result: Mapping[str, Any]) -> list[str]:
    """Under which conditions the answer would be wrong; what is known of this very video first."""
    told = []
    if result["problems"]:
        told.append("Parts of the file could not be decoded; what is in them was not seen.")
    unjudged = [str(person["person"]) for person in result["people"] if person["score"] is None]
    if unjudged:
        told.append(f"Nothing is said about person {', '.join(unjudged)}: too small, or seen too briefly.")
    if not result["people"]:
        told.append("Nobody was found. People who are small, dark, or mostly hidden are not found.")
    gap = _gap(result)
    if gap is not None:
        told.append(
            f"Only {result['pairs']} frame pairs were looked at, at most {gap:.1f} s apart. A fake that is shorter "
            "than that may lie between them; --pairs looks at more."
        )
    verdict = result["verdict"]
    if verdict != "fake":
        told.append(
            "It was made by other means than the motion transfer that the detector was trained on: a swapped face, a "
            "model that paints whole videos, a voice. “Real” means that no sign of motion transfer was found."
        )
    if verdict != "real":
        told.append(
            "A real recording was smoothed, sharpened, enlarged or filtered by a camera, an editor or a platform so "
            "that it lacks the fine detail of a camera's picture."
        )
    told += [
        "The video was compressed, scaled or filmed from a screen more strongly than what the error rates were "
        "measured on.",
        "The person, the clothes, the light or the camera differ from everything in training in a way that the "
        "distance from the training data does not show.",
        "Somebody knew this detector and made the fake, or a real recording, so as to mislead it.",
        "Two people were taken for one, or changed places between two frames that were looked at.",
    ]
    return told


def _gap(result: Mapping[str, Any]) -> float | None:
    times = sorted({moment["time"] for person in result["people"] for moment in person["timeline"]})
    gaps = [later - earlier for earlier, later in pairwise(times)]
    return max(gaps) if gaps else None
