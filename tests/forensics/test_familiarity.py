from __future__ import annotations

import numpy as np

from forensics.familiarity import Familiarity


def test_distances_of_the_training_data_have_mean_square_one() -> None:
    random = np.random.default_rng(0)
    data = (random.standard_normal((3000, 90)) * np.linspace(5, 0.1, 90)).astype(np.float32)
    assert np.isclose((Familiarity.fit(data).distances(data) ** 2).mean(), 1, atol=0.1)


def test_a_shift_along_a_narrow_direction_counts_more_than_along_a_wide_one() -> None:
    random = np.random.default_rng(0)
    data = (random.standard_normal((2000, 60)) * np.linspace(5, 0.1, 60)).astype(np.float32)
    known = Familiarity.fit(data)
    wide, narrow = np.zeros((1, 60), np.float32), np.zeros((1, 60), np.float32)
    wide[0, 0] = narrow[0, 59] = 5
    assert known.distances(narrow)[0] > 3 * known.distances(wide)[0]


def test_two_samples_are_enough_to_fit() -> None:
    data = np.array([[0.0, 1, 2], [1, 1, 1]], np.float32)
    assert np.isfinite(Familiarity.fit(data).distances(data)).all()
