"""What a rule is, and the list of all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from dataset.release.opened import Opened

SEVERITIES = ("error", "warning")


@dataclass(frozen=True)
class Finding:
    """A rule that is broken.

    Attributes:
        rule: its name.
        severity: "error" (must not be published) or "warning".
        item: the file, video or subject that it is about; empty for the whole release.
        text: what is wrong, in a line.
    """

    rule: str
    severity: str
    item: str
    text: str

    def __str__(self) -> str:
        about = f"{self.item}: " if self.item else ""
        return f"{self.severity}: {self.rule}: {about}{self.text}"


Found = Iterator[tuple[str, str]]
Check = Callable[[Opened], Found]


@dataclass(frozen=True)
class Rule:
    """One rule.

    Attributes:
        name: short, for findings.
        severity: of its findings.
        check: yields item and text of each finding.
        sturdy: it can be checked whatever form the release has, see `dataset.release.shape`.
    """

    name: str
    severity: str
    check: Check
    sturdy: bool = False

    def findings(self, release: Opened) -> Iterator[Finding]:
        """What is wrong by this rule."""
        for item, text in self.check(release):
            yield Finding(self.name, self.severity, item, text)


#: All rules, in the order in which they are checked.
RULES: dict[str, Rule] = {}


def rule(name: str, severity: str = "error", *, sturdy: bool = False) -> Callable[[Check], Check]:
    """Register a function as a rule; its docstring says what a release keeps to.

    >>> @rule("videos decode")
    ... def _(release): ...
    """

    def register(check: Check) -> Check:
        assert severity in SEVERITIES
        assert name not in RULES
        RULES[name] = Rule(name, severity, check, sturdy)
        return check

    return register
