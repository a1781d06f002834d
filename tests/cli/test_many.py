"""What the commands say that work on many things: their options, and who is left out."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from cli.synthesize import main
from cli.work import Bytes, stands_for_many, tell
from dataset.errors import DanceproofError
from dataset.work import Failure, Summary


def test_what_cannot_be_done_is_one_line(tmp_path: Path) -> None:
    for arguments, told in (
        ([tmp_path, "--gpus", "1"], "--gpus goes with --ray"),
        ([tmp_path], "there are no subjects with recordings in it"),
        ([tmp_path, "--set", "schedule.stepz=3"], "stepz"),
    ):
        out = [str(one) for one in (*arguments, "--out", tmp_path / "out")]
        result = CliRunner().invoke(main, ["many", *out])
        assert result.exit_code == 2
        assert told in result.stderr


@pytest.mark.parametrize(
    ("text", "size"), [("500M", 500_000_000), ("2.5g", 2_500_000_000), ("7GB", 7 * 10**9)]
)
def test_memory_is_given_in_the_usual_units(text: str, size: int) -> None:
    assert Bytes().convert(text, None, None) == size


@pytest.mark.parametrize("text", ["", "much", "-1G", "0", "1X", "nan", "infG"])
def test_no_memory_is_refused(text: str) -> None:
    with pytest.raises(click.BadParameter):
        Bytes().convert(text, None, None)


def test_one_file_is_one_whatever_its_name(tmp_path: Path) -> None:
    (tmp_path / "a[1]*.mp4").touch()
    assert not stands_for_many(str(tmp_path / "a[1]*.mp4"))
    assert not stands_for_many("missing.mp4")
    assert all(stands_for_many(text) for text in (str(tmp_path), "@list", "s3://b/c.mp4", "*.mp4"))


def test_failures_are_told_but_not_all_of_them(capsys: pytest.CaptureFixture[str]) -> None:
    failed = tuple(Failure(f"k{number}", f"/v/{number}.mp4", "is no video") for number in range(13))
    with pytest.raises(DanceproofError, match="13 of 20 could not be done"):
        tell(Summary(4, 3, failed, 61.0), "out")
    told = capsys.readouterr()
    assert told.out == "out: 4 done in 1 min 01 s, 3 done before, 13 failed\n"
    assert len(told.err.splitlines()) == 11
    tell(Summary(4, 3, (), 61.0), "out")
