"""Videos of which only some seconds are fake."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scripted import film_partly, scripted

from forensics import Scanner
from forensics.calibrate import Calibration
from forensics.scan import ScanResult
from forensics.scanning.spans import Stretch, suspicious, times_between


def found(scores: list[float]) -> list[tuple[int, int]]:
    return [(one.first, one.last) for one in suspicious(scores)]


@pytest.mark.parametrize(
    ("probabilities", "expected"),
    [
        ([0.1] * 4 + [0.9] * 4, [(4, 7)]),
        ([0.9] * 4 + [0.1] * 4, [(0, 3)]),
        ([0.1] * 3 + [0.9] * 3 + [0.1] * 3 + [0.8] * 2, [(3, 5), (9, 10)]),
        (
            [0.1] * 3 + [0.9, 0.9, 0.4, 0.9, 0.9] + [0.1] * 3,
            [(3, 7)],
        ),  # one doubtful pair does not cut it in two
        ([0.1, 0.9, 0.1, 0.1, 0.9, 0.1], []),  # outliers
        ([0.9] * 10, []),  # all of it: no part
        ([0.1] * 10, []),
        ([], []),
    ],
)
def test_stretches_that_stand_out(probabilities: list[float], expected: list[tuple[int, int]]) -> None:
    assert found(probabilities) == expected


def test_the_stretches_are_those_of_greatest_sum_as_a_search_over_all_of_them_finds() -> None:
    random = np.random.default_rng(0)
    for _ in range(200):
        values = random.uniform(0, 1, 12)
        gains = np.concatenate([[0], np.cumsum(2 * values - 1)])
        all_sums = [(gains[b] - gains[a], a, b - 1) for a in range(12) for b in range(a + 1, 13)]
        total, first, last = max(all_sums)
        if total > 0 and last - first + 1 >= 2 and last - first < 7:
            assert (first, last) in [(one.first, one.last) for one in _without_limit(values)]


def _without_limit(values: np.ndarray) -> list[Stretch]:
    from forensics.scanning.spans import _maximal

    return _maximal([2 * value - 1 for value in values])


def test_times_of_the_second_look_are_new_and_between_the_edges() -> None:
    frames = [number / 10 for number in range(100)]
    seen = {1.0, 2.0}
    times = times_between(frames, 1.0, 2.0, seen, 4)
    assert len(times) == 4
    assert all(1.0 < time < 2.0 for time in times)
    assert times_between(frames, 1.0, 1.2, seen, 4) == [1.1, 1.2]


@pytest.fixture(scope="module")
def half_fake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return film_partly(tmp_path_factory.mktemp("half") / "half.mp4", [(2.0, 3.5)], seconds=6)


def scanned(path: Path, calibration: Calibration, pairs: int = 16, **config: float) -> ScanResult:
    with Scanner(scripted(calibration, **config), pairs=pairs) as scanner:
        return scanner.scan(path)


def test_a_video_of_which_some_seconds_are_fake_is_called_fake_and_the_seconds_are_told(
    half_fake: Path, calibration: Calibration
) -> None:
    result = scanned(half_fake, calibration)
    (person,) = result.people
    assert person.score is not None
    assert person.score < 0  # the mean over the whole would have passed as not fake
    assert result.verdict == "fake"
    (span,) = person.spans
    assert span.begins_after <= 2.0 <= span.begin <= 2.4
    assert 3.1 <= span.end <= 3.5 <= span.ends_before + 1 / 12
    assert "in a part of the video only" in result.reasons[0]


def test_suspicious_times_are_looked_at_again_and_only_those(
    half_fake: Path, calibration: Calibration
) -> None:
    (person,) = scanned(half_fake, calibration).people
    first, again = ([m.time for m in person.timeline if m.look == look] for look in (1, 2))
    assert len(first) == 16
    assert len(again) >= 6
    assert min(again) > 1.2
    assert max(again) < 4.3
    (span,) = person.spans
    assert span.tested_on <= len(again)


def test_a_suspicion_that_the_second_look_does_not_confirm_is_dropped(
    half_fake: Path, calibration: Calibration, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two high pairs by chance: the pairs between and around them score as the rest does."""
    from scripted import Scripted

    judge = Scripted.judge
    looks: list[int] = []

    def chance(self: Scripted, evidence: object) -> object:
        scores = judge(self, evidence)  # type: ignore[arg-type]
        looks.append(len(scores.pairs))
        values = np.full(len(scores.pairs), -3.0)
        if len(looks) == 1:
            values[6:8] = 3.0
        return type(scores)(values, None, 1.0)

    monkeypatch.setattr(Scripted, "judge", chance)
    result = scanned(half_fake, calibration)
    assert len(looks) == 2
    assert result.verdict == "real"
    assert all(span.verdict != "fake" for person in result.people for span in person.spans)


def test_a_stretch_that_is_doubtful_keeps_a_video_from_being_called_real(
    half_fake: Path, calibration: Calibration
) -> None:
    result = scanned(half_fake, calibration, real=-4.0, fake=0.8, noise=0.3)
    assert result.verdict == "inconclusive"
    assert "suspicious" in result.reasons[0]


def test_a_wholly_fake_and_a_wholly_real_video_have_no_span(tmp_path: Path, calibration: Calibration) -> None:
    fake = scanned(film_partly(tmp_path / "fake.mp4", [(0, 99)], seconds=2), calibration, pairs=8)
    real = scanned(film_partly(tmp_path / "real.mp4", [], seconds=2), calibration, pairs=8)
    assert [result.verdict for result in (fake, real)] == ["fake", "real"]
    assert [result.people[0].spans for result in (fake, real)] == [(), ()]
    assert all(moment.look == 1 for moment in real.people[0].timeline)
