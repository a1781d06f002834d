from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from evaluation_ground import filmed_corpus, many_clips, subject_folds, write_score_files
from textures import make_clip

from dataset.errors import LeakageError
from dataset.records import Corpus
from forensics.evaluation.facts import FileFacts, corpus_facts
from forensics.evaluation.leakage import (
    CLEAR,
    HINT,
    PROOF,
    against_the_grain,
    check_content,
    check_hashes,
    check_names,
    check_numbers,
    check_training,
    stop_at_proof,
)
from forensics.evaluation.looks import fingerprints, same_content
from forensics.evaluation.scores import read_score_files

PLAIN = FileFacts("mov", "h264", "yuv420p", 64, 64, 25.0, 2.0, 50, 0.1, 25.0)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return filmed_corpus(tmp_path_factory.mktemp("corpus"), people=5, frames=16)


def test_a_person_who_was_to_be_left_out_but_was_trained_on_is_a_proof(tmp_path: Path) -> None:
    clips = many_clips(4)
    path = write_score_files(tmp_path, clips, subject_folds(4, 2))[0]
    (sound,) = check_training(read_score_files([path]))
    assert sound.level == CLEAR
    path.write_text(
        path.read_text().replace('"subjects": [\n      "p1",', '"subjects": [\n      "p0", "p1",')
    )
    findings = check_training(read_score_files([path]))
    assert findings[0].level == PROOF
    assert "p0 of p0-take0.mp4 was trained on, though left out" in findings[0].text
    with pytest.raises(LeakageError, match=r"leakage, same subject: .* \(and 11 more\)"):
        stop_at_proof(findings)


def test_a_file_that_was_trained_on_is_a_proof_whoever_it_shows(tmp_path: Path) -> None:
    clips = many_clips(4)
    path = write_score_files(tmp_path, clips, subject_folds(4, 2))[0]
    (file,) = read_score_files([path])
    leaked = replace(file, training=replace(file.training, sha256=frozenset({clips[0].sha256})))
    assert [finding.check for finding in check_training([leaked])] == ["same file"]


def test_one_file_under_two_names_is_a_proof() -> None:
    clips = [make_clip("a.mp4", "a", fake=False), replace(make_clip("b.mp4", "b", fake=True))]
    assert check_hashes(clips)[0].level == CLEAR
    assert check_hashes([clips[0], replace(clips[1], sha256=clips[0].sha256)])[0].level == PROOF


def test_one_recording_under_two_peoples_names_is_found_where_it_is_on_both_sides(
    corpus: Corpus, tmp_path: Path
) -> None:
    real = [clip for clip in corpus.clips if clip.label == "real"]
    looks = fingerprints(corpus, real, tmp_path)
    assert not same_content(real, looks)
    # The first recording again, as somebody else's.
    copied = [*real, replace(real[0], path="copy.mp4", subject="q", source_subject="q", sha256="f" * 64)]
    alike = same_content(copied, [*looks, looks[0]])
    assert [(one.path, other.path) for one, other, _ in alike] == [(real[0].path, "copy.mp4")]
    paths = write_score_files(tmp_path, copied, subject_folds(5, 5))
    findings = check_content(alike, read_score_files(paths), len(copied))
    assert [finding.level for finding in findings] == [PROOF]
    # Left out together they are on one side.
    together = replace(subject_folds(5, 5)[0], subjects=("p0", "q"))
    paths = write_score_files(tmp_path / "together", copied, [together])
    assert [finding.level for finding in check_content(alike, read_score_files(paths), 6)] == [CLEAR]


def test_fingerprints_are_read_from_the_cache(corpus: Corpus, tmp_path: Path) -> None:
    real = [corpus.clips[0]]
    first = fingerprints(corpus, real, tmp_path)
    moved = Corpus(tmp_path, real)  # where the files are not
    assert np.array_equal(fingerprints(moved, real, tmp_path)[0].looks, first[0].looks)


def pairs_of(people: int) -> list:
    clips = []
    for person in range(people):
        real = make_clip(f"r{person}.mp4", f"p{person}", fake=False)
        clips += [real, make_clip(f"f{person}.mp4", f"p{person}", fake=True, pair=real.path)]
    return clips


def level_of(name: str, facts: dict[str, FileFacts], clips: list) -> str:
    return next(finding.level for finding in check_numbers(clips, facts) if finding.check == name)


def test_a_codec_of_one_label_only_is_a_proof() -> None:
    clips = pairs_of(3)
    facts = {clip.path: PLAIN for clip in clips}
    assert check_names(clips, facts)[0].level == CLEAR
    facts["f0.mp4"] = replace(PLAIN, codec="vp9")
    assert check_names(clips, facts)[0].level == PROOF


def test_a_length_that_tells_each_fake_from_its_pair_is_a_proof_and_one_that_leans_is_a_hint() -> None:
    clips = pairs_of(12)
    random = np.random.default_rng(0)
    length = {f"p{person}": float(random.uniform(1, 60)) for person in range(12)}
    facts = {clip.path: replace(PLAIN, duration=length[clip.subject]) for clip in clips}
    assert level_of("duration", facts, clips) == CLEAR
    for person in range(8):
        facts[f"f{person}.mp4"] = replace(PLAIN, duration=length[f"p{person}"] - 0.04)
    assert level_of("duration", facts, clips) == HINT
    for person in range(12):
        facts[f"f{person}.mp4"] = replace(PLAIN, duration=length[f"p{person}"] - 0.04)
    assert level_of("duration", facts, clips) == PROOF


def test_fewer_bits_than_its_pair_are_a_hint_but_one_rate_for_each_label_is_a_proof() -> None:
    clips = pairs_of(12)
    random = np.random.default_rng(0)
    rate = {f"p{person}": float(random.uniform(0.05, 0.5)) for person in range(12)}
    facts = {
        clip.path: replace(PLAIN, bits=rate[clip.subject] * (0.8 if clip.label == "fake" else 1))
        for clip in clips
    }
    assert level_of("bits a pixel", facts, clips) == HINT
    clips = pairs_of(20)
    facts = {clip.path: replace(PLAIN, bits=0.1 if clip.label == "fake" else 0.2) for clip in clips}
    assert level_of("bits a pixel", facts, clips[:38]) == HINT  # 19 of either label
    assert level_of("bits a pixel", facts, clips) == PROOF


def test_a_detector_that_follows_the_bits_fails_where_they_mislead() -> None:
    clips = pairs_of(12)
    random = np.random.default_rng(0)
    bits = {clip.path: float(random.normal(1.0 if clip.label == "real" else 0.6, 0.3)) for clip in clips}
    facts = {path: replace(PLAIN, bits=value) for path, value in bits.items()}
    follows = [(clip, -bits[clip.path]) for clip in clips]
    looks = [(clip, float(clip.label == "fake")) for clip in clips]
    assert against_the_grain(follows, facts, "bits a pixel") == 0
    assert against_the_grain(looks, facts, "bits a pixel") == 1


def test_facts_are_read_from_files_and_an_exchanged_file_is_refused(corpus: Corpus) -> None:
    clip = corpus.clips[0]
    facts = corpus_facts(corpus, [clip])[clip.path]
    assert (facts.codec, facts.width, facts.height, facts.frames) == ("h264", 64, 64, 16)
    size = corpus.absolute(clip).stat().st_size
    assert 0 < facts.bits <= 8 * size / (64 * 64 * 16)
    with pytest.raises(Exception, match="SHA-256 differs"):
        corpus_facts(corpus, [replace(clip, sha256="0" * 64)])
