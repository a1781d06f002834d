"""Can real and fake be told apart without a look at the picture? A trivial classifier tries.

Each fact about the containers alone, and a logistic regression on all of them, judged on people it was not fitted to.
One row stands for all videos of one label that have the motion of one recording, so that many fakes of one recording
do not count as many.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

#: Standard errors by which an AUC has to leave 0.5 to count; about 1 in 4000 by chance, for each of some twenty tries.
ERRORS = 3.5
#: Least distance from 0.5 that counts, whatever the number of videos.
LEAST = 0.05
#: Groups of subjects that are left out in turn.
FOLDS = 5

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Trial:
    """One attempt to tell real from fake.

    Attributes:
        by: the fact that was used, or "all facts together".
        auc: area under the ROC curve; 0.5 is chance.
        bound: distance from 0.5 that chance stays below.
    """

    by: str
    auc: float
    bound: float

    @property
    def tells(self) -> bool:
        """Whether this is more than chance."""
        return abs(self.auc - 0.5) > self.bound


def trials(
    facts: Sequence[Mapping[str, float]],
    labels: Sequence[int],
    motions: Sequence[str],
    subjects: Sequence[str],
) -> list[Trial]:
    """Try each fact, and all together; nothing is tried unless there are real and fake videos.

    Args:
        facts: of each video.
        labels: 1 for fake.
        motions: the recording whose motion each has.
        subjects: who is seen; for judging on others than were fitted to.
    """
    if len(set(labels)) < 2:
        return []
    names = sorted({name for one in facts for name in one})
    cells: dict[tuple[str, int], list[int]] = {}
    for row, key in enumerate(zip(motions, labels, strict=True)):
        cells.setdefault(key, []).append(row)
    table = np.array([[one.get(name, 0.0) for name in names] for one in facts])
    rows = np.array([table[members].mean(axis=0) for members in cells.values()])
    truth = np.array([label for _, label in cells])
    people = [subjects[members[0]] for members in cells.values()]
    bound = max(LEAST, ERRORS * null_error(int(truth.sum()), int((1 - truth).sum())))
    found = [Trial(name, auc(rows[:, column], truth), bound) for column, name in enumerate(names)]
    scores = cross_validated(rows, truth, people)
    if scores is not None:
        # Only right answers count: being wrong on purpose takes knowing the label of the people left out.
        found.append(Trial("all facts together", max(auc(scores, truth), 0.5), bound))
    return found


def auc(scores: Array, labels: npt.NDArray[np.int64]) -> float:
    """Probability that a fake scores above a real one, ties counting half."""
    fake, real = scores[labels == 1][:, None], scores[labels == 0][None]
    same = np.isclose(fake, real, rtol=1e-9, atol=1e-12)
    return float(np.where(same, 0.5, fake > real).mean())


def null_error(fakes: int, reals: int) -> float:
    """Standard error of the AUC where there is nothing to tell (Mann and Whitney 1947)."""
    return math.sqrt((fakes + reals + 1) / (12 * fakes * reals))


def cross_validated(rows: Array, labels: npt.NDArray[np.int64], people: Sequence[str]) -> Array | None:
    """Scores of each row by a model that saw nobody of its fold; None where a fit would lack a label."""
    order = {name: number for number, name in enumerate(sorted(set(people)))}
    fold = np.array([order[name] % FOLDS for name in people])
    scores = np.zeros(len(rows))
    for left_out in set(fold.tolist()):
        inside = fold != left_out
        if len(set(labels[inside].tolist())) < 2:
            return None
        weights, middle, scale = fit(rows[inside], labels[inside])
        scores[~inside] = ((rows[~inside] - middle) / scale) @ weights[:-1] + weights[-1]
    return scores


def fit(rows: Array, labels: npt.NDArray[np.int64], penalty: float = 1.0) -> tuple[Array, Array, Array]:
    """Logistic regression with an L2 penalty, by Newton's method.

    Returns:
        Weights with the intercept last, and the mean and deviation by which columns were standardised.
    """
    middle = rows.mean(axis=0)
    scale = np.where(rows.std(axis=0) > 1e-9 * np.maximum(np.abs(middle), 1e-9), rows.std(axis=0), 1.0)
    design = np.hstack([(rows - middle) / scale, np.ones((len(rows), 1))])
    # Both labels weigh the same, however many there are of each.
    share = np.where(labels == 1, 0.5 / max(labels.sum(), 1), 0.5 / max((1 - labels).sum(), 1)) * len(labels)
    ridge = np.diag([penalty] * rows.shape[1] + [1e-6])
    weights = np.zeros(design.shape[1])
    for _ in range(25):
        chance = 1 / (1 + np.exp(-np.clip(design @ weights, -30, 30)))
        slope = design.T @ (share * (chance - labels)) + ridge @ weights
        bend = (design.T * (share * chance * (1 - chance))) @ design + ridge
        step = np.linalg.solve(bend, slope)
        weights = weights - step
        if np.abs(step).max() < 1e-8:
            break
    return weights, middle, scale
