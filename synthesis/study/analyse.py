"""Analysing the raters' answers: the share that prefers the second system, with binomial intervals."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dataset.errors import RecordError

SCHEMA = 1
#: Two-sided 95 %.
_Z = 1.959963984540054
_LEVEL = 0.95

METHOD = (
    "Share of answers that prefer the second system. Interval: Wilson's, 95 %; the exact one (Clopper–Pearson) is in "
    "the JSON. Both take answers as independent, which answers of one rater are not quite: look at the raters too. "
    "Answers of raters who chose the spoilt clip of the practice item are left out."
)


@dataclass(frozen=True)
class Share:
    """How many of how many preferred the second system."""

    second: int
    of: int

    @property
    def value(self) -> float | None:
        """The share; None where nobody answered."""
        return self.second / self.of if self.of else None

    def wilson(self) -> tuple[float, float] | None:
        """Wilson's score interval (1927)."""
        if not self.of:
            return None
        n, p = self.of, self.second / self.of
        middle = (p + _Z**2 / (2 * n)) / (1 + _Z**2 / n)
        half = _Z / (1 + _Z**2 / n) * math.sqrt(p * (1 - p) / n + _Z**2 / (4 * n**2))
        return max(middle - half, 0.0), min(middle + half, 1.0)

    def exact(self) -> tuple[float, float] | None:
        """The exact interval (Clopper, Pearson, 1934)."""
        if not self.of:
            return None
        tail, k, n = (1 - _LEVEL) / 2, self.second, self.of
        # P(X ≥ k) rises with p and P(X ≤ k) falls: each bound is where its tail is as likely as allowed.
        low = 0.0 if k == 0 else _bisect(lambda p: _at_most(n - k, n, 1 - p) - tail)
        high = 1.0 if k == n else _bisect(lambda p: tail - _at_most(k, n, p))
        return low, high

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON, shares from 0 to 1."""
        wilson, exact = self.wilson(), self.exact()
        return {
            "prefer_second": self.second,
            "answers": self.of,
            "share": None if self.value is None else round(self.value, 6),
            "wilson": None if wilson is None else [round(bound, 6) for bound in wilson],
            "clopper_pearson": None if exact is None else [round(bound, 6) for bound in exact],
        }


@dataclass(frozen=True)
class Analysis:
    """What the answers say.

    Attributes:
        names: of the two systems; shares are of those who prefer the second.
        total: over all raters who passed the practice item.
        subjects, raters: the same, split; raters who failed are in `raters` too.
        failed: raters who chose the spoilt clip.
        sides: share of answers "right", to show a habit of the hand.
    """

    names: tuple[str, str]
    total: Share
    subjects: dict[str, Share]
    raters: dict[str, Share]
    failed: tuple[str, ...]
    sides: Share

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "schema": SCHEMA,
            "first": self.names[0],
            "second": self.names[1],
            "method": METHOD,
            "total": self.total.to_dict(),
            "subjects": {name: share.to_dict() for name, share in self.subjects.items()},
            "raters": {name: share.to_dict() for name, share in self.raters.items()},
            "failed_practice": list(self.failed),
            "chose_right_side": {"right": self.sides.second, "answers": self.sides.of},
        }

    def markdown(self) -> str:
        """The table in the paper's layout: subjects and total, in percent."""
        first, second = self.names
        shares = {**self.subjects, "total": self.total}
        lines = [
            f"| % preferring {second} over {first} | {' | '.join(shares)} |",
            "|---" * (len(shares) + 1) + "|",
        ]
        lines.append(f"| share | {' | '.join(_percent(share.value) for share in shares.values())} |")
        lines.append(f"| 95 % interval | {' | '.join(_span(share.wilson()) for share in shares.values())} |")
        lines.append(f"| answers | {' | '.join(str(share.of) for share in shares.values())} |")
        passed = len(self.raters) - len(self.failed)
        lines += ["", f"{len(self.raters)} rater(s), {passed} passed the practice item.", ""]
        lines += ["| rater | share | 95 % interval | answers | practice |", "|---|---|---|---|---|"]
        for name, share in self.raters.items():
            result = "failed, left out" if name in self.failed else "passed"
            lines.append(
                f"| {name} | {_percent(share.value)} | {_span(share.wilson())} | {share.of} | {result} |"
            )
        return "\n".join([*lines, "", METHOD]) + "\n"


def analyse(answers: Sequence[Path], keys: Sequence[Path]) -> Analysis:
    """Read answers and keys and count.

    Args:
        answers: files that raters saved; a file given twice counts once.
        keys: the key of every study that answers belong to; all of the same two systems.

    Raises:
        RecordError: a file is not what it should be, a key is missing, or a rater answered the same study twice.
    """
    known = {key["study"]: key for key in (_read_key(path) for path in keys)}
    if len({tuple(key["names"]) for key in known.values()}) != 1:
        raise RecordError("the keys are of different systems", hint="analyse one comparison at a time")
    names = tuple(next(iter(known.values()))["names"])
    subjects: dict[str, list[bool]] = {}
    for key in known.values():
        for item in key["items"].values():
            subjects.setdefault(item["subject"], [])
    raters: dict[str, list[bool]] = {}
    failed, right, seen = [], [], set()
    for path in answers:
        record = _read_answers(path)
        if record["study"] not in known:
            raise RecordError(f"no key of study {record['study']} was given", path=path, hint="add its --key")
        if (same := json.dumps(record, sort_keys=True)) in seen:
            continue
        seen.add(same)
        rater, key = record["rater"], known[record["study"]]
        if rater in raters:
            raise RecordError(
                f"the rater {rater} has answered before", path=path, hint="leave one of the files out"
            )
        passed, chosen = _count(record, key, path)
        raters[rater] = [second for _, second, _ in chosen]
        if not passed:
            failed.append(rater)
            continue
        right += [side for _, _, side in chosen]
        for subject, second, _ in chosen:
            subjects[subject].append(second)
    return Analysis(
        (names[0], names[1]),
        _share([second for values in subjects.values() for second in values]),
        {name: _share(values) for name, values in subjects.items()},
        {name: _share(values) for name, values in raters.items()},
        tuple(failed),
        _share(right),
    )


def _count(
    record: dict[str, Any], key: dict[str, Any], path: Path
) -> tuple[bool, list[tuple[str, bool, bool]]]:
    """Whether the practice item was passed; for each answer the subject, second system chosen, right side chosen."""
    passed, chosen, done = False, [], set()
    for answer in record["answers"]:
        item, side = answer["item"], answer["choice"]
        if item in done:
            raise RecordError(f"item {item} is answered twice", path=path)
        done.add(item)
        if item == key["practice"]["id"]:
            passed = side == key["practice"]["right_answer"]
        elif item in key["items"]:
            entry = key["items"][item]
            chosen.append((entry["subject"], entry[side] == key["names"][1], side == "right"))
        else:
            raise RecordError(
                f"item {item} is not in the key", path=path, hint="the page was made with another key"
            )
    return passed, chosen


def _read_key(path: Path) -> dict[str, Any]:
    key = _read(path)
    if not {"study", "names", "items", "practice"} <= set(key):
        raise RecordError("not a key file of a study", path=path, hint="it is key.json beside study.html")
    return key


def _read_answers(path: Path) -> dict[str, Any]:
    record = _read(path)
    good = {"study", "rater", "answers"} <= set(record) and isinstance(record["answers"], list)
    if not good or not all(
        isinstance(answer, dict) and answer.get("choice") in ("left", "right") and "item" in answer
        for answer in record["answers"]
    ):
        raise RecordError(
            "not an answers file of a study", path=path, hint="give the files that raters saved"
        )
    return record


def _read(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise RecordError("there is no such file", path=path) from None
    except (OSError, ValueError) as error:
        raise RecordError(f"not readable as JSON ({error})", path=path) from error
    if not isinstance(value, dict) or value.get("schema") != SCHEMA:
        raise RecordError(f"not of schema {SCHEMA} of a study", path=path)
    return value


def _share(values: list[bool]) -> Share:
    return Share(sum(values), len(values))


def _at_most(k: int, n: int, p: float) -> float:
    """P(X ≤ k) for X ~ binomial(n, p)."""
    return math.fsum(math.comb(n, i) * p**i * (1 - p) ** (n - i) for i in range(k + 1))


def _bisect(rising: Callable[[float], float]) -> float:
    """Where a rising function crosses zero on [0, 1]."""
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if rising(middle) < 0 else (low, middle)
    return (low + high) / 2


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f}"


def _span(bounds: tuple[float, float] | None) -> str:
    return "–" if bounds is None else f"{100 * bounds[0]:.1f}–{100 * bounds[1]:.1f}"
