"""Score files of detectors that were never trained: scores are drawn, so that what comes out is known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from textures import make_clip, planted, texture, write_video

from dataset.files import sha256_file
from dataset.records import Clip, Corpus
from forensics.evaluation.scores import write_scores
from forensics.folds import Fold
from forensics.recipe import ClipScore


def many_clips(
    people: int = 8, recordings: int = 2, families: tuple[str, ...] = ("compact", "warp")
) -> list[Clip]:
    """Of every person some recordings, and a self-re-enactment of each by every family, clean and degraded."""
    clips = []
    for person in range(people):
        for number in range(recordings):
            name, source = f"p{person}", f"p{person}-take{number}"
            real = replace(make_clip(f"{source}.mp4", name, fake=False), source=source)
            fakes = [
                replace(
                    make_clip(f"{source}-{family}.mp4", name, fake=True, pair=real.path),
                    source=source,
                    generator=f"{family}-256",
                )
                for family in families
            ]
            for clip in (real, *fakes):
                small = replace(
                    make_clip(f"small-{clip.path}", name, fake=clip.label == "fake"),
                    source=source,
                    generator=clip.generator,
                    pair=None if clip.pair is None else f"small-{clip.pair}",
                    origin={"degraded": "crf 40", "copy_of": clip.sha256},
                )
                clips += [clip, small]
    return clips


def draw_score(clip: Clip, fold: int, random: np.random.Generator, shift: float = 2.0) -> ClipScore:
    """Six pairs about `shift` on the right side, half of it where the clip is degraded."""
    side = (1 if clip.label == "fake" else -1) * (0.5 if clip.origin.get("degraded") else 1.0)
    pairs = tuple(float(value) for value in side * shift + random.normal(0, 1) + random.normal(0, 0.5, 6))
    return ClipScore(clip, fold, float(np.mean(pairs)), pairs, float(random.normal(1, 0.05)))


def write_score_files(folder: Path, clips: list[Clip], folds: list[Fold], shift: float = 2.0) -> list[Path]:
    """One file a fold, of clips that it tests."""
    paths = []
    for number, fold in enumerate(folds):
        random = np.random.default_rng(number)
        scores = [draw_score(clip, number, random, shift) for clip in clips if fold.tests(clip)]
        paths.append(folder / f"fold-{number}" / "scores.json")
        write_scores(paths[-1], fold, [clip for clip in clips if fold.trains(clip)], scores)
    return paths


def subject_folds(people: int, count: int) -> list[Fold]:
    """Groups of the people of `many_clips`."""
    names = [f"p{person}" for person in range(people)]
    return [Fold(subjects=tuple(names[number::count])) for number in range(count)]


def filmed_corpus(folder: Path, people: int = 6, frames: int = 8) -> Corpus:
    """Moving textures and their planted fakes as files, one recording a person."""
    clips = []
    for person in range(people):
        real = texture(person, frames)
        for name, video, fake in (
            (f"p{person}.mp4", real, False),
            (f"p{person}-fake.mp4", planted(real), True),
        ):
            write_video(folder / name, video)
            clip = make_clip(name, f"p{person}", fake=fake, pair=f"p{person}.mp4" if fake else None)
            clips.append(replace(clip, source=f"take-{person}", sha256=sha256_file(folder / name)))
    corpus = Corpus(folder, clips)
    corpus.save()
    return corpus
