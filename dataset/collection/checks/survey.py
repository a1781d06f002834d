"""Reading a video once for all checks."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Collection as Several
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dataset.collection.records import Recording, Subject
from dataset.provenance import read_marks
from dataset.video import VideoInfo

Progress = Callable[[int, int | None], None]


@dataclass
class Survey:
    """What was measured in a video."""

    info: VideoInfo
    subject: Subject
    others: list[Recording]
    mark: str | None
    synthetic: bool
    estimator: str = ""
    person_share: float | None = None
    fingerprint: dict[str, Any] | None = None
    problems: list[str] = field(default_factory=list)


def survey(
    video: Path,
    subject: Subject,
    others: list[Recording],
    *,
    checks: Several[str] | None = None,
    progress: Progress | None = None,
) -> Survey:
    """Look at a video for the checks that were asked for."""
    info = VideoInfo.from_path(video)
    statement = read_marks(info.metadata)
    synthetic = bool(statement and statement.lower().startswith("synthetic"))
    return Survey(info, subject, others, statement, synthetic)
