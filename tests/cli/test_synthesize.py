from __future__ import annotations

import numpy as np
import pytest
from click.testing import CliRunner

from cli.synthesize import main
from dataset.mannequin import Performer, film
from dataset.records import Corpus
from dataset.video import VideoInfo


@pytest.fixture(scope="module")
def runner():
    return CliRunner()


def test_from_a_recording_to_a_corpus_with_three_commands(runner, tmp_path):
    recording, source = tmp_path / "anna.mp4", tmp_path / "ben.mp4"
    film(recording, Performer.from_seed(3), "dance", seconds=2, fps=10, size=(240, 320))
    film(source, Performer.from_seed(5), "wave", seconds=1, fps=10, size=(240, 320))
    model, fake, corpus = tmp_path / "model", tmp_path / "fake.mp4", tmp_path / "corpus"
    made = runner.invoke(main, ["train", str(recording), "--out", str(model), "--subject", "anna", "--steps", "2",
                                "--height", "64", "--precision", "float32"])  # fmt: skip
    assert made.exit_code == 0, made.output
    assert "generator of anna, 2 steps" in made.output
    made = runner.invoke(main, ["transfer", str(model), "--source", str(source), "--out", str(fake)])
    assert made.exit_code == 0, made.output
    assert VideoInfo.from_path(fake).width == 240
    made = runner.invoke(main, ["fakes", str(model), "--recordings", str(tmp_path), "--out", str(corpus)])
    assert made.exit_code == 0, made.output
    assert {clip.kind for clip in Corpus.load(corpus).clips} == {"recording", "self"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["train", "none.mp4", "--out", "model"], "none.mp4: there is no such recording"),
        (["transfer", "nomodel", "--source", "a.mp4", "--out", "b.mp4"], "no finished model"),
        (["transfer", "nomodel", "--source", "a.mp4", "--out", "a.mp4"], "source would be overwritten"),
        (["fakes", "nomodel", "--recordings", "none", "--out", "c"], "none: there is no such recording"),
        (["train", "a.mp4", "--out", "model", "--preset", "huge"], "no preset 'huge'; there are: compact"),
        (["train", "a.mp4", "--out", "model", "--height", "100"], "multiple of 32"),
    ],
)
def test_bad_input_is_one_line_and_status_2(runner, tmp_path, monkeypatch, arguments, said):
    monkeypatch.chdir(tmp_path)
    if "a.mp4" in arguments:
        (tmp_path / "a.mp4").write_bytes(np.zeros(10, np.uint8).tobytes())
    result = runner.invoke(main, arguments)
    assert result.exit_code == 2
    assert said in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
