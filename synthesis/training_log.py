"""``log.jsonl`` and ``scores.jsonl``: one line a step, each step once, however often the run was killed.

log.jsonl       {"stage": "compact", "step": 412, "seconds": 233.1, "l1": 1.2, …}
scores.jsonl    {"stage": "compact", "step": 412, "seconds": 233.1, "ssim": 0.46, …}, every so often

`step` counts through all stages; `seconds` is time spent on training, interruptions left out. What was scored is shown
in ``previews/step_000412.png``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from dataset.files import atomic_path
from synthesis.checkpoint import writing

LOG = "log.jsonl"
SCORES = "scores.jsonl"
#: What is no loss and no score in a line.
FACTS = ("stage", "step", "seconds")


class TrainingLog:
    """One of these files, read once and then kept up to date in memory and on disk.

    Args:
        path: the file.
        done: steps that the checkpoint knows of. Lines of later steps are dropped, as those steps are taken again, and
            so is a line that was cut in half.

    Raises:
        SynthesisError: it cannot be written.
    """

    def __init__(self, path: Path, done: int) -> None:
        self.path = path
        self.entries: list[dict[str, Any]] = []
        lines = self.path.read_bytes().split(b"\n") if self.path.exists() else []
        for line in lines:
            try:
                entry = json.loads(line)
            except ValueError:
                continue
            if isinstance(entry, dict) and entry.get("step", done + 1) <= done:
                self.entries.append(entry)
        with writing(self.path), atomic_path(self.path) as temporary:
            temporary.write_text("".join(map(_line, self.entries)), "utf-8")

    def add(self, entry: dict[str, Any]) -> None:
        """Append one step.

        Raises:
            SynthesisError: it cannot be written.
        """
        with writing(self.path), self.path.open("a", encoding="utf-8") as file:
            file.write(_line(entry))
        self.entries.append(entry)


def _line(entry: dict[str, Any]) -> str:
    return json.dumps(entry, ensure_ascii=False) + "\n"


def preview_path(out: Path, step: int) -> Path:
    """Where the sample of a step lies."""
    return out / "previews" / f"step_{step:06d}.png"
