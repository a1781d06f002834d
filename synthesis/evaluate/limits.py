"""What limits a subject: how much there was to learn from, and how much of what is asked for was never shown.

A held-out posture is *outside* when it is farther from all postures trained on than those usually are from each other
(`synthesis.postures`, as in the preflight). The perceptual distance of the body at window size is given for both kinds
of frames: if those within are painted well and those outside are not, more training does not help; a recording of more
movements does.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from dataset.errors import PoseError
from synthesis.evaluate.held_out import HeldOut
from synthesis.evaluate.intervals import plain
from synthesis.evaluate.scores import WINDOW, ClipScores, Values
from synthesis.ground import common_anchor, measure
from synthesis.postures import distances

MEASURE = f"body/perceptual/{WINDOW}"


@dataclass(frozen=True)
class Limits:
    """Of one subject.

    Attributes:
        frames: that show the person and may have been trained on.
        seconds: that they last.
        within, outside: held-out frames with a posture like one trained on, and with another.
        distances: column → mean of `MEASURE` over the frames within and over those outside; NaN over none.
        problem: why postures could not be compared.
    """

    frames: int
    seconds: float
    within: int = 0
    outside: int = 0
    distances: dict[str, tuple[float, float]] | None = None
    problem: str = ""

    @property
    def told(self) -> str:
        """In words."""
        text = f"Trained on: {self.frames} frames with the person, {self.seconds:.1f} s."
        if self.distances is None:
            return f"{text} Postures cannot be compared: {self.problem}."
        share = self.outside / max(self.within + self.outside, 1)
        return f"{text} Of the held-out postures {share:.0%} are outside those."

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        facts = asdict(self)
        if self.distances is not None:
            facts["distances"] = {
                column: [plain(value) for value in pair] for column, pair in self.distances.items()
            }
        return facts


def limits(clips: list[ClipScores]) -> Limits:
    """What limits the subject of these clips."""
    counts = [int(scores.clip.poses[: scores.clip.start].present().sum()) for scores in clips]
    frames = sum(counts)
    seconds = sum(count / scores.clip.fps for count, scores in zip(counts, clips, strict=True))
    try:
        outside = [_outside(scores.clip) for scores in clips]
    except PoseError as error:
        return Limits(frames, seconds, problem=error.problem)
    told = np.concatenate(outside)
    found = {}
    for column in clips[0].values:
        if all(MEASURE in scores.values.get(column, {}) for scores in clips):
            values = np.concatenate([scores.values[column][MEASURE] for scores in clips])
            found[column] = (_mean(values[told == 0]), _mean(values[told == 1]))
    return Limits(frames, seconds, int((told == 0).sum()), int((told == 1).sum()), found)


def _outside(clip: HeldOut) -> Values:
    """For each held-out frame 1 if its posture is outside those trained on, 0 if not, NaN where too little is seen."""
    known, held = clip.poses[: clip.start], clip.held
    anchor = common_anchor(held, known)
    # The same person before the same camera: the ground of what was trained on is that of both.
    ground = measure(known, anchor)
    compared = distances(held, ground, known, ground)
    told = np.full(len(held), np.nan)
    sure = ~np.isnan(compared.distance)
    told[compared.rows[sure]] = compared.distance[sure] > compared.limit
    return told


def _mean(values: Values) -> float:
    values = values[~np.isnan(values)]
    return float(values.mean()) if len(values) else float("nan")
