from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dataset.errors import ModelError, VideoError
from dataset.provenance import Statement, find_identity, signed_video
from dataset.video import read_frames
from forensics import scan
from forensics.detectors.patch import PatchDetector
from forensics.familiarity import Familiarity
from forensics.scan import PersonFinding
from forensics.scanning.verdict import worst

Biased = Callable[[float], PatchDetector]


@pytest.mark.parametrize(("score", "verdict"), [(4.0, "fake"), (-4.0, "real"), (0.5, "inconclusive")])
def test_the_verdict_follows_score_and_calibration(
    mannequin_video: Path, biased: Biased, score: float, verdict: str
) -> None:
    result = scan(mannequin_video, detector=biased(score), pairs=4)
    assert result.verdict == verdict
    assert result.probability == pytest.approx(1 / (1 + np.exp(-score)))
    (person,) = result.people
    assert person.pairs_judged == 4
    assert [pair.score for pair in person.telling] == pytest.approx([score] * 3)


def test_two_scans_give_the_same_bytes_apart_from_the_duration(mannequin_video: Path, biased: Biased) -> None:
    told = []
    for _ in range(2):
        result = scan(mannequin_video, detector=biased(1.0), pairs=3).to_dict()
        assert result.pop("seconds") > 0
        assert result.pop("date")
        told.append(json.dumps(result, allow_nan=False))
    assert told[0] == told[1]


def test_nobody_in_the_picture_is_inconclusive_without_a_number(empty_video: Path, biased: Biased) -> None:
    result = scan(empty_video, detector=biased(9.0), pairs=3)
    assert (result.verdict, result.probability, result.people) == ("inconclusive", None, ())
    assert result.reasons == ("no person found",)


def test_views_unlike_the_training_data_are_inconclusive_without_a_number(
    mannequin_video: Path, biased: Biased
) -> None:
    detector = biased(9.0)
    random = np.random.default_rng(0).standard_normal((50, detector.network.classify.in_features))
    detector.familiarity = Familiarity.fit((random * 1e-3 + 50).astype(np.float32))
    assert detector.calibration is not None
    detector.calibration = replace(detector.calibration, unfamiliar_from=2.0)
    result = scan(mannequin_video, detector=detector, pairs=3)
    assert (result.verdict, result.probability) == ("inconclusive", None)
    assert "unlike anything in training" in result.reasons[0]


def test_too_few_frame_pairs_are_inconclusive_without_a_number(mannequin_video: Path, biased: Biased) -> None:
    result = scan(mannequin_video, detector=biased(9.0), pairs=2)
    assert (result.verdict, result.probability) == ("inconclusive", None)
    assert "at least 3" in result.reasons[0]


def test_a_person_too_small_is_inconclusive_without_a_number(
    mannequin_video: Path, biased: Biased, tmp_path: Path
) -> None:
    from forensics.degrade import reencode

    info = next(iter(read_frames(mannequin_video))).image.shape
    reencode(mannequin_video, tmp_path / "small.mp4", crf=18, scale=100 / info[0])
    result = scan(tmp_path / "small.mp4", detector=biased(9.0), pairs=4)
    assert (result.verdict, result.probability) == ("inconclusive", None)
    assert "too small" in result.reasons[0]


def test_an_uncalibrated_detector_gives_no_number(mannequin_video: Path, biased: Biased) -> None:
    detector = biased(9.0)
    detector.calibration = None
    result = scan(mannequin_video, detector=detector, pairs=3)
    assert (result.verdict, result.probability) == ("inconclusive", None)
    assert "not calibrated" in result.reasons[0]


def test_the_files_own_statement_is_reported_and_changes_no_verdict(
    mannequin_video: Path, biased: Biased
) -> None:
    result = scan(mannequin_video, detector=biased(-4.0), pairs=3)
    assert result.statement is not None
    assert "Rendered" in result.statement
    assert result.verdict == "real"


def test_a_signature_is_read_and_a_changed_byte_is_told_apart_from_who_signed(
    mannequin_video: Path, biased: Biased, tmp_path: Path
) -> None:
    signed = tmp_path / "signed.mp4"
    statement = Statement("synthesize transfer", "cross", "ab" * 32, "cd" * 32, "mannequin", "")
    with signed_video(signed, find_identity(), statement) as unsigned:
        shutil.copy(mannequin_video, unsigned)
    result = scan(signed, detector=biased(-4.0), pairs=3)
    assert (result.c2pa["integrity"], result.c2pa["authenticity"]) == ("valid", "development")
    assert result.verdict == "real"  # a statement is not evidence of what can be seen
    data = bytearray(signed.read_bytes())
    data[data.index(b"mdat") + 2000] ^= 1
    (tmp_path / "altered.mp4").write_bytes(data)
    assert scan(tmp_path / "altered.mp4", detector=biased(-4.0), pairs=3).c2pa["integrity"] == "altered"
    assert scan(mannequin_video, detector=biased(-4.0), pairs=3).c2pa["integrity"] == "none"


def test_a_truncated_file_is_scanned_as_far_as_it_goes_and_says_so(
    mannequin_video: Path, biased: Biased, tmp_path: Path
) -> None:
    from dataset.video import VideoWriter

    whole = tmp_path / "whole.mkv"
    frames = [frame.image for frame in read_frames(mannequin_video)]
    with VideoWriter(whole, (frames[0].shape[1], frames[0].shape[0]), fps=12) as writer:
        for image in frames * 4:
            writer.write(image)
    cut = tmp_path / "cut.mkv"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size * 3 // 5])
    result = scan(cut, detector=biased(4.0), pairs=8)
    assert result.verdict == "fake"
    assert result.problems


def test_a_file_that_is_no_video_raises(tmp_path: Path, biased: Biased) -> None:
    path = tmp_path / "text.mp4"
    path.write_text("no video")
    with pytest.raises(VideoError):
        scan(path, detector=biased(0))


def test_a_copy_of_the_file_has_the_same_hash_in_its_report(
    mannequin_video: Path, biased: Biased, tmp_path: Path
) -> None:
    copy = tmp_path / "copy.mp4"
    shutil.copy(mannequin_video, copy)
    one, other = (scan(path, detector=biased(0), pairs=1) for path in (mannequin_video, copy))
    assert one.video["sha256"] == other.video["sha256"]


def finding(verdict: str, probability: float | None, score: float | None = 0.0) -> PersonFinding:
    return PersonFinding(
        1, verdict, probability, None, None, score, 1.0, ("because",), ("why",), 200, 0, 1, 5, 5, ()
    )


@pytest.mark.parametrize(
    ("people", "expected"),
    [
        ([finding("real", 0.1), finding("fake", 0.95)], ("fake", 0.95)),
        ([finding("real", 0.1), finding("inconclusive", 0.5)], ("inconclusive", 0.5)),
        ([finding("real", 0.1), finding("inconclusive", None)], ("inconclusive", None)),
        ([finding("real", 0.1), finding("inconclusive", None, score=None)], ("real", 0.1)),
        ([finding("real", 0.1), finding("real", 0.2)], ("real", 0.2)),
        ([finding("inconclusive", None, score=None)], ("inconclusive", None)),
    ],
)
def test_a_video_is_as_bad_as_its_worst_person(
    people: list[PersonFinding], expected: tuple[str, float | None]
) -> None:
    found = worst(people, 5)
    assert (found.verdict, found.probability) == expected


def test_without_a_default_detector_the_error_says_how_to_train_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, mannequin_video: Path
) -> None:
    monkeypatch.setattr("forensics.detectors.registry.DEFAULT_FOLDER", tmp_path)
    with pytest.raises(ModelError, match="fakedetect train"):
        scan(mannequin_video)


@pytest.mark.parametrize(
    "code",
    ["from forensics import Scanner, scan; scan", "import forensics; forensics.scan"],
)
def test_scan_can_be_called_whatever_was_imported_before(code: str) -> None:
    import subprocess
    import sys

    told = subprocess.run(
        [sys.executable, "-c", f"{code}('missing.mp4')"], capture_output=True, text=True, check=False
    )
    assert "NotAVideoError" in told.stderr
