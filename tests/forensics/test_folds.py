from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from textures import make_clip, planted, texture, write_video

from dataset.errors import DetectorError
from dataset.files import sha256_file
from dataset.records import Clip, Corpus
from forensics.folds import check_corpus, judgeable, make_folds, trainable, without


def people(count: int) -> list[Clip]:
    return [make_clip(f"{name}.mp4", name, fake=False) for name in "abcdefghij"[:count]]


def test_every_subject_is_left_out_exactly_once() -> None:
    folds = make_folds(people(7), 3)
    assert sorted(name for fold in folds for name in fold) == list("abcdefg")
    assert {len(fold) for fold in folds} == {2, 3}


def test_as_many_folds_as_subjects_leave_out_one_at_a_time() -> None:
    assert make_folds(people(4), 100) == [["a"], ["b"], ["c"], ["d"]]


def test_subjects_of_a_cross_fake_are_left_out_together() -> None:
    cross = [
        make_clip("ae.mp4", "a", fake=True, source="e"),
        make_clip("bd.mp4", "b", fake=True, source="d"),
    ]
    folds = make_folds([*people(6), *cross], 3)
    for clip in cross:
        assert any(judgeable(clip, fold) for fold in folds)


def test_a_chain_of_cross_fakes_does_not_grow_one_fold_over_its_share() -> None:
    names = "abcdef"
    cross = [make_clip(f"{i}.mp4", names[i], fake=True, source=names[i - 1]) for i in range(6)]
    assert max(len(fold) for fold in make_folds([*people(6), *cross], 3)) == 2


def test_patterns_are_never_left_out() -> None:
    clips = [*people(3), make_clip("m.mp4", "mannequin-1", fake=False)]
    assert all("mannequin-1" not in fold for fold in make_folds(clips, 3, ["mannequin*"]))


def test_a_single_subject_cannot_be_parted() -> None:
    with pytest.raises(DetectorError, match="at least 2"):
        make_folds(people(1), 4)


@pytest.mark.parametrize("left_out", [["a"], ["b"]])
def test_a_cross_fake_belongs_to_both_its_people(left_out: list[str]) -> None:
    clip = make_clip("x.mp4", "a", fake=True, source="b")
    assert not trainable(clip, left_out)
    assert not judgeable(clip, left_out)
    assert judgeable(clip, ["a", "b"])


def corpus_of_two(folder: Path, crf: int = 20, frames: int = 6, size: int = 64) -> Corpus:
    real = texture(1, frames)
    write_video(folder / "real.mp4", real)
    write_video(folder / "fake.mp4", planted(real)[:, :size, :size], crf=crf)
    clips = [
        make_clip("real.mp4", "a", fake=False),
        make_clip("fake.mp4", "a", fake=True, pair="real.mp4"),
    ]
    return Corpus(folder, [replace(clip, sha256=sha256_file(folder / clip.path)) for clip in clips])


def test_a_sound_corpus_passes(tmp_path: Path) -> None:
    check_corpus(corpus_of_two(tmp_path))


def test_a_fake_of_another_size_than_its_pair_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DetectorError, match="differs from its pair"):
        check_corpus(corpus_of_two(tmp_path, size=48))


def test_a_container_that_tells_the_label_is_refused(tmp_path: Path) -> None:
    corpus = corpus_of_two(tmp_path)
    other = tmp_path / "fake.mkv"
    write_video(other, texture(2, 6))
    corpus.clips[1] = replace(corpus.clips[1], path="fake.mkv", pair=None, sha256=sha256_file(other))
    with pytest.raises(DetectorError, match="container tells the label"):
        check_corpus(corpus)


def test_one_file_under_two_labels_is_refused(tmp_path: Path) -> None:
    corpus = corpus_of_two(tmp_path)
    corpus.clips.append(replace(corpus.clips[0], path="copy.mp4", label="fake"))
    with pytest.raises(DetectorError, match=r"the same file as real\.mp4"):
        check_corpus(corpus)


def test_a_file_that_was_exchanged_is_refused(tmp_path: Path) -> None:
    corpus = corpus_of_two(tmp_path)
    write_video(tmp_path / "real.mp4", texture(9, 6))
    with pytest.raises(DetectorError, match="SHA-256 differs"):
        check_corpus(corpus)


def test_a_pair_of_the_same_label_is_refused(tmp_path: Path) -> None:
    corpus = corpus_of_two(tmp_path)
    corpus.clips[1] = replace(corpus.clips[1], label="real")
    with pytest.raises(DetectorError, match="not a clip of the other label"):
        check_corpus(corpus)


def test_who_is_left_out_of_a_corpus_is_gone_on_both_sides(tmp_path: Path) -> None:
    clips = [
        *people(3),
        make_clip("ab.mp4", "a", fake=True, source="b"),
        make_clip("ca.mp4", "c", fake=True, source="a"),
    ]
    left = without(Corpus(tmp_path, clips), ["b"])
    assert [clip.path for clip in left.clips] == ["a.mp4", "c.mp4", "ca.mp4"]
    with pytest.raises(DetectorError, match="no subject zoe"):
        without(Corpus(tmp_path, clips), ["zoe"])
