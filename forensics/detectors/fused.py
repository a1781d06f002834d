"""The fused detector: several trained ones, weighed by how well their scores told people apart whom they had not seen.

The weights come from cross-fitted scores of clips, never from scores of clips that a member was trained on: there the
member that remembers best would win. A weight is never negative, for no detector may be believed the wrong way round.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from dataset.errors import DetectorError, ModelError
from forensics.curves import fit_logistic
from forensics.detectors.base import Detector, Evidence, Progress, Scores
from forensics.detectors.registry import configure, detector_class, register
from forensics.familiarity import Familiarity
from forensics.train import Run, TrainConfig
from forensics.windows import ClipWindows

#: Weight of the squared weights: with few clips the members stay nearly equal.
_DECAY = 0.02
_KNOWN = "known."


@dataclass(frozen=True)
class FusedConfig:
    """Which detectors, and how each is built and trained."""

    window: int = 128  # side of the windows of all members, pixels
    members: tuple[str, ...] = ("pair", "surroundings")  # names of detectors
    settings: dict[str, dict[str, Any]] = field(default_factory=dict)  # of members: fields of their configs
    trainings: dict[str, dict[str, Any]] = field(default_factory=dict)  # of members: fields of TrainConfig
    folds: int = 3  # groups of people that the weights are fitted on when it is trained by itself

    def member(self, name: str) -> Any:
        """The config of a member."""
        return configure(name, **{"window": self.window} | self.settings.get(name, {}))

    def training(self, name: str, training: TrainConfig) -> TrainConfig:
        """How a member is trained."""
        return replace(training, **self.trainings.get(name, {}))


@register("fused")
class FusedDetector(Detector):
    """Members, and for each the centre and spread of its scores and a weight."""

    Config = FusedConfig
    config: FusedConfig

    def __init__(self, config: FusedConfig | None = None) -> None:
        super().__init__(config)
        names = self.config.members
        if not names or len(set(names)) < len(names) or self.name in names:
            raise DetectorError(
                f"members {', '.join(names)} cannot be fused", hint="name several others, each once"
            )
        configs = {name: self.config.member(name) for name in names}
        if odd := [name for name, config in configs.items() if config.window != self.config.window]:
            raise DetectorError(
                f"{odd[0]} is shown other windows than the fused detector, set its window alike"
            )
        self.members: dict[str, Detector] = {
            name: detector_class(name)(config) for name, config in configs.items()
        }
        count = len(names)
        self.centre, self.spread = np.zeros(count), np.ones(count)
        self.weights, self.bias = np.full(count, 1 / count), 0.0
        # Each member's own logistic curve, for what it would say alone.
        self.slopes, self.intercepts = np.zeros(count), np.zeros(count)

    @property
    def needs_second_pose(self) -> bool:  # type: ignore[override]
        """Whether a member does."""
        return any(member.needs_second_pose for member in self.members.values())

    @property
    def needs_surroundings(self) -> bool:  # type: ignore[override]
        """Whether a member does."""
        return any(member.needs_surroundings for member in self.members.values())

    def check(self) -> None:
        """See `Detector.check`."""
        for member in self.members.values():
            member.check()

    def fit(
        self,
        clips: Sequence[ClipWindows],
        training: TrainConfig,
        progress: Progress | None = None,
        *,
        run: Run | None = None,
    ) -> None:
        """See `Detector.fit`: members on groups of people first, for the weights, and then on all.

        A cross-fit (`forensics.crossfit`) does not call this: its groups give the weights as well, for a quarter of the
        time.
        """
        from forensics.folds import make_folds
        from forensics.jobs import EVERYBODY, Job, do_job
        from forensics.recipe import ClipScore, Recipe

        run = run or Run()
        folds = make_folds([clip.clip for clip in clips], self.config.folds)
        jobs = [Job(f"part-{number}", number, tuple(left_out)) for number, left_out in enumerate(folds)]
        jobs.append(Job(EVERYBODY, 0, ()))
        scores: dict[str, list[ClipScore]] = {}
        total, done = len(jobs) * len(self.members), 0
        for name in self.config.members:
            recipe = Recipe(self.config.member(name), self.config.training(name, training))
            scores[name] = []
            for job in jobs:
                part = run.part(f"{name}-{job.name}")
                told = _within(progress, done, total, training.steps, f"{name} {job.name}")
                self.members[name], found = do_job(
                    clips, recipe, job, None, part.identity, told, run.world, part
                )
                scores[name] += found
                done += 1
        self.weigh(scores)

    def weigh(self, scores: Mapping[str, Sequence[Any]]) -> None:
        """Fit the weights.

        Args:
            scores: of each member the `ClipScore`s of clips that it was not trained on.

        Raises:
            DetectorError: too few of them.
        """
        paths = sorted({score.clip.path for found in scores.values() for score in found})
        clips = {score.clip.path: score.clip for found in scores.values() for score in found}
        table = np.full((len(paths), len(self.members)), np.nan)
        for column, name in enumerate(self.config.members):
            by_path = {score.clip.path: score.score for score in scores.get(name, [])}
            for row, path in enumerate(paths):
                value = by_path.get(path)
                table[row, column] = np.nan if value is None else value
        usable = np.isfinite(table).any(1)
        fake = np.array([clips[path].label == "fake" for path in paths], bool)[usable]
        subjects = [clips[path].subject for path, used in zip(paths, usable, strict=True) if used]
        if not fake.any() or fake.all():
            raise DetectorError("members cannot be weighed: scores of one label only")
        table = table[usable]
        known = np.isfinite(table)
        count = np.maximum(known.sum(0), 1)
        self.centre = np.where(known, table, 0).sum(0) / count
        deviation = np.where(known, table - self.centre, 0)
        self.spread = np.maximum(np.sqrt((deviation**2).sum(0) / count), 1e-6)
        self.weights, self.bias = _fit_weights(deviation / self.spread, fake, subjects)
        for column in range(len(self.members)):
            seen = known[:, column]
            if fake[seen].any() and not fake[seen].all():
                curve = fit_logistic(table[seen, column], fake[seen])
                self.slopes[column], self.intercepts[column] = curve

    def judge(self, evidence: Evidence) -> Scores:
        """See `Detector.judge`. Where a member cannot judge a pair it says neither this nor that."""
        found = [member.judge(evidence) for member in self.members.values()]
        pairs = self._together([scores.pairs for scores in found])
        windows = None
        if len(evidence) and any(scores.windows is not None for scores in found):
            # Members that judge whole pairs say the same of each of its windows.
            of_windows = [s.pairs[evidence.pairs] if s.windows is None else s.windows for s in found]
            windows = self._together(of_windows)
        distances = [scores.distance for scores in found if scores.distance is not None]
        return Scores(pairs, windows, max(distances, default=None), self._opinions(found))

    def _opinions(self, found: Sequence[Scores]) -> dict[str, float]:
        """What each member would say alone; of those that have a say at all."""
        curves = zip(self.members, found, self.weights, self.slopes, self.intercepts, strict=True)
        return {
            name: float(1 / (1 + np.exp(-np.clip(slope * scores.score + intercept, -30, 30))))
            for name, scores, weight, slope, intercept in curves
            if weight > 0 and scores.score is not None
        }

    def _together(self, scores: Sequence[npt.NDArray[np.float64]]) -> npt.NDArray[np.float64]:
        table = np.stack(scores, 1)
        known = np.isfinite(table)
        level = np.where(known, (table - self.centre) / self.spread, 0.0)
        return np.where(known.any(1), level @ self.weights + self.bias, np.nan)

    def heat(self, windows: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32] | None:
        """Of the members that can say, by their weights."""
        total: npt.NDArray[np.float32] | None = None
        for member, weight, spread in zip(self.members.values(), self.weights, self.spread, strict=True):
            heat = member.heat(windows) if weight > 0 else None
            if heat is not None:
                part = (heat * (weight / spread)).astype(np.float32)
                total = part if total is None else total + part
        return total

    def tensors(self) -> dict[str, Tensor]:
        """See `Detector.tensors`: the members' under their names."""
        stored = {
            f"{name}/{key}": value
            for name, member in self.members.items()
            for key, value in member.tensors().items()
        }
        for name, member in self.members.items():
            for key, array in vars(member.familiarity).items() if member.familiarity else ():
                stored[f"{name}/{_KNOWN}{key}"] = torch.from_numpy(np.atleast_1d(array).astype(np.float32))
        weights = np.stack([self.centre, self.spread, self.weights, self.slopes, self.intercepts])
        return stored | {
            "weights": torch.from_numpy(weights),
            "bias": torch.tensor([self.bias], dtype=torch.float64),
        }

    def put_tensors(self, tensors: Mapping[str, Tensor]) -> None:
        """See `Detector.put_tensors`."""
        for name, member in self.members.items():
            own = {
                key.partition("/")[2]: value for key, value in tensors.items() if key.startswith(f"{name}/")
            }
            known = {
                key.removeprefix(_KNOWN): own.pop(key).numpy() for key in list(own) if key.startswith(_KNOWN)
            }
            member.put_tensors(own)
            member.familiarity = Familiarity(**known) if known else None
        self.centre, self.spread, self.weights, self.slopes, self.intercepts = tensors["weights"].numpy()
        self.bias = float(tensors["bias"][0])
        if len(self.weights) != len(self.members):
            raise ModelError(f"{len(self.weights)} weights for {len(self.members)} members")


def _fit_weights(
    level: npt.NDArray[np.float64], fake: npt.NDArray[np.bool_], subjects: Sequence[str]
) -> tuple[npt.NDArray[np.float64], float]:
    """Logistic regression with weights of at least 0; both labels weigh the same, and within one every person."""
    from scipy.optimize import minimize

    weight = np.zeros(len(fake))
    for label in (False, True):
        people, number = np.unique(np.asarray(subjects)[fake == label], return_inverse=True)
        weight[fake == label] = 0.5 / len(people) / np.bincount(number)[number]
    sign = np.where(fake, 1.0, -1.0)

    def loss(beta: npt.NDArray[np.float64]) -> tuple[float, npt.NDArray[np.float64]]:
        margin = sign * (level @ beta[:-1] + beta[-1])
        slope = -sign * weight / (1 + np.exp(np.clip(margin, -500, 500)))
        value = float((weight * np.logaddexp(0, -margin)).sum() + _DECAY * (beta[:-1] ** 2).sum())
        gradient = np.append(level.T @ slope + 2 * _DECAY * beta[:-1], slope.sum())
        return value, gradient

    count = level.shape[1]
    begin = np.append(np.full(count, 1 / count), 0.0)
    found = minimize(loss, begin, jac=True, method="L-BFGS-B", bounds=[(0, None)] * count + [(None, None)])
    return found.x[:-1], float(found.x[-1])


def _within(progress: Progress | None, done: int, parts: int, steps: int, name: str) -> Progress | None:
    """Progress of one of equal parts, in the units of a caller who counts the steps of one training."""
    if progress is None:
        return None

    def within(value: int, total: int | None, note: str) -> None:
        share = (done + value / max(total or value, 1)) / parts
        progress(int(share * steps), steps, f"{name}, {note}")

    return within
