"""``dataset info`` on signed files."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from cli.dataset import main
from dataset.provenance import Statement, find_identity, signed_video
from dataset.video import VideoWriter


@pytest.fixture
def signed(tmp_path: Path) -> Path:
    with VideoWriter(tmp_path / "plain.mp4", (64, 48), fps=25) as writer:
        writer.write(np.zeros((48, 64, 3), np.uint8))
    statement = Statement("synthesize transfer", "cross", "ab" * 32, "cd" * 32, "mannequin")
    with signed_video(tmp_path / "signed.mp4", find_identity(), statement) as unsigned:
        shutil.copy(tmp_path / "plain.mp4", unsigned)
    return tmp_path / "signed.mp4"


def c2pa_lines(path: Path) -> list[str]:
    result = CliRunner().invoke(main, ["info", str(path)])
    assert result.exit_code == 0
    return [line[11:] for line in result.stdout.splitlines() if line.startswith("c2pa ")]


def test_a_signed_file_tells_integrity_signer_and_what_it_says(signed: Path) -> None:
    whole, signer, says = c2pa_lines(signed)
    assert whole.startswith("valid")
    assert "DEVELOPMENT" in signer
    assert "proves nothing" in signer
    assert says == "says: trainedAlgorithmicMedia, by danceproof 0.1.0"
    record = json.loads(CliRunner().invoke(main, ["info", str(signed), "--json"]).stdout)
    assert record["c2pa"]["statement"]["model_sha256"] == "ab" * 32


def test_an_altered_file_and_one_without_a_manifest_are_told_apart(signed: Path, tmp_path: Path) -> None:
    data = bytearray(signed.read_bytes())
    data[-2] ^= 1
    signed.write_bytes(data)
    assert c2pa_lines(signed)[0].startswith("ALTERED since it was signed (assertion.bmffHash.mismatch")
    assert c2pa_lines(tmp_path / "plain.mp4") == ["no C2PA manifest"]
