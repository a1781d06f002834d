"""A corpus of fakes of many subjects: each subject is trained, and then faked, as one item of `dataset.work`.

    OUT/training/   one result a subject, OUT/models/NAME its generator
    OUT/making/     one result a subject, OUT/parts/NAME its recordings and fakes
    OUT/corpus.json the parts as one corpus

Both rounds may be killed at any time and are started again by the same call: subjects that are done are passed over, a
training goes on at its last checkpoint, and clips that are there are kept. The second round begins when the first has
ended, because a subject also borrows the motion of others.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from dataset.collection import Collection
from dataset.errors import SynthesisError
from dataset.provenance import find_identity
from dataset.records import CORPUS_FILE, Clip, Corpus
from dataset.work import Item, Summary, run_items
from synthesis.config import SynthesisConfig
from synthesis.consent import subject_named
from synthesis.fakes import make_corpus
from synthesis.train import train

Report = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Cast:
    """One subject of many.

    Attributes:
        subject: name of the person.
        recordings: their videos, absolute.
        consent: the record, unless the recordings lie in a collection that has it.
    """

    subject: str
    recordings: tuple[Path, ...]
    consent: Path | None = None


@dataclass(frozen=True)
class Making:
    """What is made of each subject; see `synthesis.fakes.make_corpus`.

    Attributes:
        cross: with the motion of how many others each is driven.
        weak: use the snapshots of the training as well.
        crf: H.264 constant rate factor.
        certificate, private_key: who signs; see `dataset.provenance.find_identity`.
    """

    cross: int = 1
    weak: bool = True
    crf: int = 18
    certificate: Path | None = None
    private_key: Path | None = None


@dataclass(frozen=True)
class Workforce:
    """Where and within which limits; see `dataset.work.run_items`."""

    workers: int | None = None
    ray: str | None = None
    time_limit: float | None = None
    memory_limit: int | None = None
    gpus: float = 0.0
    retry: bool = False


def read_cast(source: Path, suffixes: frozenset[str]) -> list[Cast]:
    """Who is to be trained.

    Args:
        source: a collection, whose subjects with recordings it is; a folder with a folder of recordings for each
            subject; or a file with one JSON object a line, ``{"subject": …, "recordings": […], "consent": …}``, where
            the subject may be left out if a consent record names it, and paths count from the file's folder.
        suffixes: of what counts as a video.

    Raises:
        SynthesisError: there is nobody in it, or somebody is named twice or without recordings.
    """
    if (source / "collection.json").is_file():
        opened = Collection.open(source)
        found = [
            Cast(who.id, tuple(opened.path_of(one).absolute() for one in opened.recordings(who.id)))
            for who in opened.subjects()
            if who.status != "withdrawn" and opened.recordings(who.id)
        ]
    elif source.is_dir():
        folders = sorted(
            path for path in source.absolute().iterdir() if path.is_dir() and path.name[0] != "."
        )
        videos = {
            path: tuple(sorted(one for one in path.iterdir() if one.suffix.lower() in suffixes))
            for path in folders
        }
        found = [
            Cast(subject_named(list(own), None) or path.name, own) for path, own in videos.items() if own
        ]
    else:
        found = [_line(source, number, text) for number, text in _lines(source)]
    if not found:
        raise SynthesisError("there are no subjects with recordings in it", path=source)
    names = [one.subject for one in found]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise SynthesisError(f"{twice[0]} is in it more than once", path=source)
    return found


def train_many(
    cast: Sequence[Cast],
    out: Path,
    config: SynthesisConfig,
    force: Workforce,
    *,
    research_only: bool = False,
    threads: int = 1,
    report: Report = lambda what, done, total: None,
) -> Summary:
    """Train a generator of each subject, into ``OUT/models``.

    Args:
        cast: whom.
        out: folder of all.
        config: of every training.
        force: where.
        research_only: do without consent; see `synthesis.consent`.
        threads: of PyTorch in each worker.
        report: called with "training", the subjects done or failed, and in all.

    Raises:
        WorkError: the folder holds trainings of other settings, or the run cannot go on.
    """
    out = out.absolute()
    items = [Item.of(out / "models" / one.subject, _bytes(one)) for one in cast]
    whom = {item.key: one for item, one in zip(items, cast, strict=True)}
    settings = {"what": "training", "config": asdict(config), "research_only": research_only}
    return _run(
        items, _Training(whom, out, config, research_only, threads), out / "training", force, settings,
        lambda done, failed, total: report("training", done + failed, total),
    )  # fmt: skip


def make_many(
    cast: Sequence[Cast],
    out: Path,
    making: Making,
    force: Workforce,
    *,
    threads: int = 1,
    report: Report = lambda what, done, total: None,
) -> tuple[Summary, Corpus]:
    """Make the recordings and fakes of each subject that `train_many` has trained, and put them into one corpus.

    Args:
        cast, out, force, threads: as for `train_many`.
        making: what.
        report: called with "making fakes", the subjects done or failed, and in all.

    Returns:
        What came of the round, and the corpus of all parts that are done.

    Raises:
        WorkError: the folder holds fakes of other settings, or the run cannot go on.
        SynthesisError: nobody has been trained.
    """
    out = out.absolute()
    trained = [one for one in cast if (out / "models" / one.subject / "model.json").is_file()]
    if not trained:
        raise SynthesisError("no subject has been trained", path=out)
    items = [Item.of(out / "parts" / one.subject, _bytes(one)) for one in trained]
    rings = {
        item.key: tuple(
            trained[(index + step) % len(trained)] for step in range(min(making.cross + 1, len(trained)))
        )
        for index, item in enumerate(items)
    }
    settings = {"what": "fakes", "cross": making.cross, "weak": making.weak, "crf": making.crf}
    summary = _run(
        items, _Making(rings, out, making, threads), out / "making", force, settings,
        lambda done, failed, total: report("making fakes", done + failed, total),
    )  # fmt: skip
    return summary, join_parts(out, [one.subject for one in trained])


def join_parts(out: Path, subjects: Sequence[str]) -> Corpus:
    """Write ``OUT/corpus.json``: the corpora in ``OUT/parts`` as one, their clips where they are."""
    corpus = Corpus(out)
    for subject in subjects:
        part = f"parts/{subject}"
        if (out / part / CORPUS_FILE).is_file():
            corpus.clips += [_moved(clip, part) for clip in Corpus.load(out / part).clips]
    corpus.save()
    return corpus


@dataclass(frozen=True)
class _Training:
    """Train one subject."""

    whom: dict[str, Cast]
    out: Path
    config: SynthesisConfig
    research_only: bool
    threads: int

    @contextmanager
    def open(self) -> Iterator[Callable[[Item], dict[str, Any]]]:
        _use_threads(self.threads)
        yield self._train

    def _train(self, item: Item) -> dict[str, Any]:
        one = self.whom[item.key]
        model = train(
            list(one.recordings), self.out / "models" / one.subject, self.config, subject=one.subject,
            consent=one.consent, research_only=self.research_only,
        )  # fmt: skip
        return {"subject": one.subject, "steps": model.steps, "model_sha256": model.sha256}


@dataclass(frozen=True)
class _Making:
    """Make the recordings and fakes of one subject."""

    rings: dict[str, tuple[Cast, ...]]
    out: Path
    making: Making
    threads: int

    @contextmanager
    def open(self) -> Iterator[Callable[[Item], dict[str, Any]]]:
        _use_threads(self.threads)
        identity = find_identity(self.making.certificate, self.making.private_key)

        def make(item: Item) -> dict[str, Any]:
            ring = self.rings[item.key]
            part = self.out / "parts" / ring[0].subject
            models = [self.out / "models" / one.subject for one in ring]
            for model in models:
                _share_poses(model / "cache", part / "cache")
            corpus = make_corpus(
                models, [path for one in ring for path in one.recordings], part, cross=self.making.cross,
                weak=self.making.weak, crf=self.making.crf, identity=identity, only=ring[0].subject,
            )  # fmt: skip
            fakes = sum(clip.label == "fake" for clip in corpus.clips)
            return {"subject": ring[0].subject, "real": len(corpus.clips) - fakes, "fake": fakes}

        yield make


def _run(
    items: list[Item],
    task: _Training | _Making,
    out: Path,
    force: Workforce,
    settings: dict[str, Any],
    progress: Callable[[int, int, int], None],
) -> Summary:
    identity = json.loads(json.dumps(settings, default=str))
    return run_items(
        items, task, out, workers=force.workers, ray=force.ray, time_limit=force.time_limit,
        memory_limit=force.memory_limit, gpus=force.gpus, retry=force.retry, identity=identity, progress=progress,
    )  # fmt: skip


def _share_poses(source: Path, target: Path) -> None:
    """Let the poses that a training found be found again, which is slow."""
    target.mkdir(parents=True, exist_ok=True)
    for path in source.glob("*.npz"):
        if not (target / path.name).exists():
            os.link(path, target / path.name)


def _use_threads(threads: int) -> None:
    import torch

    torch.set_num_threads(threads)


def _moved(clip: Clip, part: str) -> Clip:
    return replace(
        clip, path=f"{part}/{clip.path}", pair=None if clip.pair is None else f"{part}/{clip.pair}"
    )


def _bytes(one: Cast) -> float:
    return float(sum(path.stat().st_size for path in one.recordings if path.is_file()))


def _lines(source: Path) -> Iterator[tuple[int, str]]:
    try:
        text = source.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SynthesisError(f"the list cannot be read ({error})", path=source) from error
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip():
            yield number, line


def _line(source: Path, number: int, text: str) -> Cast:
    base = source.absolute().parent
    try:
        told = json.loads(text)
        recordings = tuple(base / path for path in told["recordings"])
        consent = base / told["consent"] if told.get("consent") else None
        subject = told.get("subject") or subject_named(list(recordings), consent)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SynthesisError(
            f'line {number} is not of the form {{"subject": …, "recordings": […]}} ({error})', path=source
        ) from error
    if not recordings or not isinstance(subject, str) or not subject or "/" in subject or subject[0] == ".":
        raise SynthesisError(f"line {number} needs a subject and recordings", path=source)
    return Cast(subject, recordings, consent)
