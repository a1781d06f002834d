from __future__ import annotations

import pytest
from evaluation_ground import many_clips
from textures import make_clip

from dataset.errors import DetectorError
from forensics.evaluation.protocols import (
    ALL_HELD_OUT,
    HELD_OUT_GENERATOR,
    HELD_OUT_SOURCE,
    HELD_OUT_SUBJECT,
    IN_DISTRIBUTION,
    PROTOCOLS,
    Training,
    meets,
    protocol_folds,
)
from forensics.folds import Fold, family, judgeable, trainable

CLIPS = many_clips()


@pytest.mark.parametrize("name", PROTOCOLS)
def test_every_trial_of_a_protocols_folds_meets_it(name: str) -> None:
    protocol, tested = PROTOCOLS[name], set()
    for fold in protocol_folds(protocol, CLIPS, 4):
        training = Training.of([clip for clip in CLIPS if fold.trains(clip)])
        trials = [clip for clip in CLIPS if fold.tests(clip)]
        assert {clip.label for clip in trials} == {"real", "fake"}
        for clip in trials:
            assert meets(protocol, clip, training, trials), (clip, fold)
            assert clip.sha256 not in training.sha256
        tested |= {clip.path for clip in trials}
    assert len(tested) >= len(CLIPS) / 3


def test_other_protocols_are_not_met_by_chance() -> None:
    """Every fold of a protocol fails those that ask for more."""
    for protocol, more in (
        (HELD_OUT_SOURCE, HELD_OUT_SUBJECT),
        (HELD_OUT_SUBJECT, HELD_OUT_GENERATOR),
        (HELD_OUT_GENERATOR, HELD_OUT_SUBJECT),
        (HELD_OUT_SUBJECT, ALL_HELD_OUT),
        (HELD_OUT_SUBJECT, IN_DISTRIBUTION),
    ):
        fold = protocol_folds(protocol, CLIPS, 4)[0]
        training = Training.of([clip for clip in CLIPS if fold.trains(clip)])
        trials = [clip for clip in CLIPS if fold.tests(clip)]
        assert not any(meets(more, clip, training, trials) for clip in trials), (protocol.name, more.name)


def test_leaving_a_person_out_leaves_out_the_fakes_that_move_like_them() -> None:
    cross = make_clip("x.mp4", "p1", fake=True, source="p0")
    fold = Fold(subjects=("p0",))
    assert not fold.trains(cross)
    assert not fold.tests(cross)
    training = Training.of([cross])
    assert not meets(HELD_OUT_SUBJECT, CLIPS[0], training)


def test_copies_of_a_clip_are_kept_together_in_distribution() -> None:
    for fold in protocol_folds(IN_DISTRIBUTION, CLIPS, 4):
        assert all((clip.path in fold.clips) == (f"small-{clip.path}" in fold.clips) for clip in CLIPS[::2])


def test_one_family_cannot_be_left_out() -> None:
    with pytest.raises(DetectorError, match="1 family"):
        protocol_folds(HELD_OUT_GENERATOR, many_clips(families=("compact",)), 4)


def test_what_is_left_out_can_be_told_as_plain_names() -> None:
    fold = Fold(("p0", "p1"), ("p0-take0",), ("warp",), ("a.mp4",))
    assert fold.names() == ("p0", "p1", "source:p0-take0", "generator:warp", "clip:a.mp4")
    assert Fold.of(fold.names()) == fold
    assert Fold.from_dict(fold.to_dict()) == fold
    for clip in CLIPS:
        assert trainable(clip, ["generator:warp"]) == (family(clip.generator) != "warp")
        assert judgeable(clip, ["source:p0-take1"]) == (clip.source == "p0-take1")
