from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dataset.provenance import VERSION, read_marks, rendering_tags, synthetic_tags
from dataset.video import VideoInfo, VideoWriter

MODEL = "5f" * 32


def test_a_synthesised_file_names_what_it_is_and_what_made_it() -> None:
    statement = read_marks(synthetic_tags("synthesize transfer", MODEL, subject="ada"))
    assert statement is not None
    for part in ("Synthetic video", "not a recording", VERSION, "synthesize transfer", MODEL, "ada"):
        assert part in statement


def test_a_rendering_says_that_it_shows_nobody() -> None:
    statement = read_marks(rendering_tags("dataset mannequin"))
    assert statement is not None
    assert "not a person" in statement
    assert "Synthetic" not in statement


def test_tag_names_and_words_are_read_in_any_case() -> None:
    tags = {name.upper(): value.upper() for name, value in synthetic_tags("synthesize", MODEL).items()}
    assert read_marks(tags) is not None


def test_one_surviving_tag_is_enough() -> None:
    tags = synthetic_tags("synthesize", MODEL)
    for name in tags:
        assert read_marks({name: tags[name]}) == tags[name]


@pytest.mark.parametrize(
    "metadata",
    [{}, {"comment": "my holiday"}, {"title": "Synthetic video: no"}, {"comment": "a synthetic video: no"}],
)
def test_other_tags_are_no_mark(metadata: dict[str, str]) -> None:
    assert read_marks(metadata) is None


def test_a_name_with_line_breaks_cannot_split_the_statement() -> None:
    statement = read_marks(synthetic_tags("synthesize", MODEL, subject="ada\nlovelace"))
    assert statement is not None
    assert "subject ada lovelace" in statement


@pytest.mark.parametrize("name", ["marked.mp4", "marked.mkv", "marked.mov"])
def test_the_mark_survives_in_a_real_file(tmp_path: Path, name: str) -> None:
    tags = synthetic_tags("synthesize transfer", MODEL, subject="ada")
    path = tmp_path / name
    with VideoWriter(path, (64, 48), fps=25, metadata=tags) as writer:
        for shade in (40, 80, 120):
            writer.write(np.full((48, 64, 3), shade, np.uint8))
    assert read_marks(VideoInfo.from_path(path).metadata) == tags["comment"]
