from __future__ import annotations

import json

import pytest

from dataset.errors import RecordError
from dataset.records import Clip, Corpus

REAL = Clip("anna/real.mp4", "real", "anna", "anna", "walk", "", "recording", None, "0" * 64)
FAKE = Clip(
    "anna/fake.mp4", "fake", "anna", "ben", "run", "compact", "cross", None, "1" * 64, {"model_sha256": "2"}
)


def test_a_corpus_comes_back_as_it_was_written(tmp_path):
    Corpus(tmp_path, [FAKE, REAL]).save()
    corpus = Corpus.load(tmp_path)
    assert sorted(corpus.clips, key=lambda clip: clip.path) == [FAKE, REAL]
    assert corpus.subjects() == ["anna", "ben"]
    assert corpus.absolute(REAL) == tmp_path / "anna" / "real.mp4"


def test_a_folder_without_a_manifest_says_how_to_make_one(tmp_path):
    with pytest.raises(RecordError, match="synthesize fakes"):
        Corpus.load(tmp_path)


@pytest.mark.parametrize(
    "text",
    ["{", "[]", '{"schema": 99, "clips": []}', '{"schema": 1, "clips": [{"path": "a"}]}', '{"schema": 1}',
     '{"schema": 1, "clips": [{"colour": "red"}]}'],
)  # fmt: skip
def test_a_manifest_that_breaks_the_schema_is_refused(tmp_path, text):
    (tmp_path / "corpus.json").write_text(text)
    with pytest.raises(RecordError):
        Corpus.load(tmp_path)


@pytest.mark.parametrize(
    "change", [{"label": "maybe"}, {"kind": "dream"}, {"path": "../out.mp4"}, {"path": "/x.mp4"}]
)
def test_a_clip_with_an_impossible_field_is_refused(tmp_path, change):
    Corpus(tmp_path, [REAL]).save()
    manifest = tmp_path / "corpus.json"
    record = json.loads(manifest.read_text())
    record["clips"][0].update(change)
    manifest.write_text(json.dumps(record))
    with pytest.raises(RecordError):
        Corpus.load(tmp_path)
