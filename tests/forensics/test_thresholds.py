from __future__ import annotations

import numpy as np
import pytest

from forensics.thresholds import CONFORMAL, STUDENT, subject_bound


def test_people_enough_are_counted() -> None:
    # 19 people, 5 %: the outermost of all; 39 people: the second outermost.
    for people, place in ((19, -1), (39, -2)):
        scores = [float(person + clip / 10) for person in range(people) for clip in range(3)]
        subjects = [f"p{person}" for person in range(people) for _ in range(3)]
        bound = subject_bound(scores, subjects, 0.05, +1)
        outermost = sorted(
            max(s for s, p in zip(scores, subjects, strict=True) if p == name) for name in set(subjects)
        )
        assert (bound.method, bound.value) == (CONFORMAL, outermost[place])
        assert bound.countable == pytest.approx(1 / (people + 1))


def test_with_too_few_people_the_bound_says_that_it_is_no_count() -> None:
    scores = list(np.random.default_rng(0).normal(0, 1, 18))
    subjects = [f"p{number}" for number in range(18)]
    above, below = (subject_bound(scores, subjects, 0.05, side) for side in (+1, -1))
    assert above.method == below.method == STUDENT
    assert above.value >= max(scores)
    assert below.value <= min(scores)
    assert above.countable == pytest.approx(1 / 19)


def test_more_videos_of_the_same_people_do_not_make_more_people() -> None:
    scores = list(np.random.default_rng(0).normal(0, 1, 200))
    assert subject_bound(scores, [f"p{index % 10}" for index in range(200)], 0.05, +1).method == STUDENT


def test_all_videos_of_a_new_person_stay_below_as_often_as_is_said() -> None:
    random = np.random.default_rng(1)
    beyond = 0
    for _ in range(2000):
        own = random.normal(0, 2, 20)
        clips = own[:, None] + random.normal(0, 1, (20, 4))
        subjects = [f"p{person}" for person in range(19) for _ in range(4)]
        bound = subject_bound(clips[:19].ravel().tolist(), subjects, 0.05, +1)
        beyond += bool(clips[19].max() > bound.value)
    assert beyond / 2000 == pytest.approx(0.05, abs=0.015)
