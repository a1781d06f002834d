"""Where a verdict begins: the score that a new person's real video exceeds with no more than a stated chance.

Videos of one person are not independent, so what is counted is people. Lei, Rinaldo and Wasserman, *Distribution-Free
Predictive Inference for Regression*, 2018, give the bound by counting (conformal); Dunn, Wasserman and Ramdas,
*Distribution-Free Prediction Sets for Two-Layer Hierarchical Models*, 2022, treat data in groups. Here a person
stands for all their videos by the one that lies farthest out: the bound then holds for all videos of a new person
together, as many as the others have.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

CONFORMAL = "conformal over subjects"
STUDENT = "Student-t prediction bound over subjects"


@dataclass(frozen=True)
class Bound:
    """A threshold, and what it rests on.

    Attributes:
        value: the score.
        method: `CONFORMAL` or `STUDENT`.
        share: chance that was asked for.
        countable: least chance that so many people allow by counting alone.
    """

    value: float
    method: str
    share: float
    countable: float


def subject_bound(scores: Sequence[float], subjects: Sequence[str], share: float, side: int) -> Bound:
    """Beyond which a new person's score lies with chance `share` at most.

    By counting where there are people enough, which is at least ``1 / share − 1``; else by `student_bound`, which
    takes the spread of the scores for that of a normal distribution.

    Args:
        scores: (N,) of one label.
        subjects: (N,) whose they are.
        share: in (0, 1).
        side: +1 for a bound above, -1 for one below.
    """
    values, names = np.asarray(scores, np.float64), np.asarray(subjects)
    outermost = np.array([(side * values[names == name]).max() for name in np.unique(names)])
    people = len(outermost)
    rank = math.ceil((people + 1) * (1 - share) - 1e-9)
    countable = 1 / (people + 1)
    if rank <= people:
        return Bound(side * float(np.sort(outermost)[rank - 1]), CONFORMAL, share, countable)
    return Bound(student_bound(values, people, share, side), STUDENT, share, countable)


def student_bound(values: npt.NDArray[np.float64], people: int, share: float, side: int) -> float:
    """Beyond which a new person's value lies with chance `share` on the given side (+1 above, −1 below).

    Student's t with as many degrees of freedom as there are people less one, and never inside the values that were
    seen. The spread is that of the values on this side of the median: videos that are far on the other side, such as
    grainy recordings that look more filmed than any other, say nothing about how far this side reaches.
    """
    from scipy.stats import t

    reach = float(t.ppf(1 - share, max(people - 1, 1))) * float(np.sqrt(1 + 1 / people))
    middle = float(np.median(values))
    beyond = values[side * (values - middle) >= 0] - middle
    spread = float(np.sqrt((beyond**2).mean()))
    extreme = float((side * values).max()) * side
    bound = middle + side * reach * spread
    return max(bound, extreme) if side > 0 else min(bound, extreme)
