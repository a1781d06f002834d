"""Small collections for tests: mannequins of seconds, with fakes that nobody had to train a generator for.

    make_collection(folder)                       three mannequins, two recordings each, fakes, models, a detector
    make_collection(folder, people=True)          the same, but as people who signed a consent form
    make_corpus(collection, folder, models)       what ``synthesize fakes`` would have made of it

A collection is made once per session for each set of arguments, and copied from then on.
"""

from __future__ import annotations

import atexit
import hashlib
import shutil
import tempfile
from functools import cache
from pathlib import Path

import numpy as np

from dataset.collection import Collection, Consent, Recording, Subject
from dataset.files import sha256_file, write_json
from dataset.mannequin import MOTIONS, Performer, film, render
from dataset.provenance import synthetic_tags
from dataset.records import Clip, Corpus
from dataset.video import VideoInfo, VideoWriter, read_frames

SIZE = (96, 128)
FPS = 12.0
CREATED = "2026-05-01"
#: Signed, for everything, without an end.
SIGNED = Consent(
    scope=("train", "synthesise", "publish", "commercial"),
    jurisdiction="DE",
    date="2026-05-01",
    expires=None,
    contact="data@example.org",
    form_sha256=hashlib.sha256(b"a signed form").hexdigest(),
)


def make_collection(
    folder: Path,
    subjects: int = 3,
    recordings: int = 2,
    fakes: bool = True,
    *,
    people: bool = False,
    frames: int = 12,
    detector: bool = True,
) -> Collection:
    """A collection in `folder`, which must not exist yet or be empty.

    Args:
        folder: where.
        subjects: how many; called m1, m2 … (p1, p2 … for people).
        recordings: of each subject.
        fakes: give each subject a model in ``models/``, one self-re-enactment per recording, and a fake with the
            motion of the next subject.
        people: films without a rendering mark, of subjects with a signed consent.
        frames: of each recording, at 12 a second.
        detector: with `fakes`, register a detector in ``detectors/`` that was trained on everybody.
    """
    template = _template(subjects, recordings, fakes, people, frames, detector)
    shutil.copytree(template, folder, dirs_exist_ok=True)
    return Collection.open(folder)


@cache
def _scratch() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="mannequins-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


@cache
def _template(subjects: int, recordings: int, fakes: bool, people: bool, frames: int, detector: bool) -> Path:
    scratch = Path(tempfile.mkdtemp(dir=_scratch()))
    collection = Collection.create(
        scratch / "collection", name="mannequins", title="Mannequins", licence="CC0-1.0",
        contact="data@example.org", created=CREATED,
    )  # fmt: skip
    for number in range(1, subjects + 1):
        id = f"{'p' if people else 'm'}{number}"
        collection.add_subject(Subject(id, SIGNED if people else Consent.mannequin()))
        for take in range(recordings):
            # Standing and waving are too still to tell two short takes apart.
            motion = ("dance", "squat", "walk", "turn")[take % 4]
            path = tiny_film(number, motion, take // 4, frames, marked=not people)
            collection.add_recording(path, id, motion=motion, filmed=CREATED, checks=())
    if fakes:
        models = [add_tiny_model(collection, subject.id) for subject in collection.subjects()]
        corpus = make_corpus(collection, scratch / "corpus", models)
        collection.add_fakes(corpus.root)
        if detector:
            add_tiny_detector(collection, corpus)
    return collection.root


@cache
def tiny_film(seed: int, motion: str, take: int, frames: int, marked: bool = True) -> Path:
    """A film of a mannequin, rendered once per session; without the mark it passes for a person's."""
    assert motion in MOTIONS
    path = _scratch() / f"{seed}-{motion}-{take}-{frames}-{marked}.mp4"
    performer, seconds = Performer.from_seed(seed), frames / FPS
    if marked:
        film(path, performer, motion, seconds=seconds, fps=FPS, size=SIZE, seed=take)
        return path
    with VideoWriter(path, SIZE, fps=FPS, crf=20) as writer:
        for image, _ in render(performer, motion, seconds=seconds, fps=FPS, size=SIZE, seed=take):
            writer.write(image)
    return path


def add_tiny_model(collection: Collection, subject: str, trained_on: list[Recording] | None = None) -> Path:
    """A folder with the facts of a generator, and weights of a few bytes, inside the collection and registered."""
    trained_on = collection.recordings(subject) if trained_on is None else trained_on
    who = collection.subject(subject)
    folder = collection.root / "models" / f"{subject}-generator"
    (folder / "snapshots").mkdir(parents=True)
    weights, weak = folder / "generator.safetensors", folder / "snapshots" / "10.safetensors"
    weights.write_bytes(f"weights of {subject}".encode())
    weak.write_bytes(f"early weights of {subject}".encode())
    write_json(
        folder / "model.json",
        {
            "schema": 1,
            "tool": "danceproof 0.1.0",
            "subject": subject,
            "recordings": [{"name": Path(r.file).name, "sha256": r.sha256} for r in trained_on],
            "shape": list(SIZE),
            "steps": 20,
            "weights_sha256": sha256_file(weights),
            "consent": {
                "kind": who.consent.kind,
                "subject": subject,
                "record_sha256": sha256_file(collection.record_path(who)),
                "expires": who.consent.expires,
                "record": None,
                "public_name": True,
            },
        },
    )
    collection.add_model(folder)
    return folder


def add_tiny_detector(collection: Collection, corpus: Corpus) -> Path:
    """A folder with the facts of a detector that was trained on the corpus, registered."""
    folder = collection.root / "detectors" / "everybody"
    folder.mkdir(parents=True)
    weights = folder / "detector.safetensors"
    weights.write_bytes(b"weights of a detector")
    training = {"subjects": corpus.subjects(), "clip_sha256": sorted(clip.sha256 for clip in corpus.clips)}
    write_json(
        folder / "detector.json",
        {"schema": 1, "detector": "patch", "weights_sha256": sha256_file(weights), "training": training},
    )
    collection.add_detector(folder)
    return folder


def make_corpus(collection: Collection, folder: Path, models: list[Path]) -> Corpus:
    """Real clips, a softened self-re-enactment of each, and for each model one fake with the next subject's motion.

    The lineage is written as ``synthesize fakes`` writes it.
    """
    corpus = Corpus(folder)
    targets = [Subject(path.name.removesuffix("-generator")) for path in models]
    for index, (target, model) in enumerate(zip(targets, models, strict=True)):
        own = collection.recordings(target.id)
        for recording in own:
            real = f"{target.id}/{recording.id}_real.mp4"
            _encode(collection.path_of(recording), folder / real, None, 0)
            origin = {"recording_sha256": recording.sha256, "crf": "18"}
            _add(
                corpus,
                Clip(real, "real", target.id, target.id, recording.id, "", "recording", None, "", origin),
            )
            fake = f"{target.id}/{recording.id}_self_tiny-20.mp4"
            lineage = _lineage(collection, target.id, model, own, recording)
            _encode(collection.path_of(recording), folder / fake, lineage["model_sha256"], index + 1)
            _add(
                corpus,
                Clip(fake, "fake", target.id, target.id, recording.id, "tiny-20", "self", real, "", lineage),
            )
        other = targets[(index + 1) % len(targets)]
        if other.id == target.id:
            continue
        borrowed = collection.recordings(other.id)[0]
        fake = f"{target.id}/{other.id}_{borrowed.id}_cross_tiny-20.mp4"
        lineage = _lineage(collection, target.id, model, own, borrowed)
        _encode(collection.path_of(borrowed), folder / fake, lineage["model_sha256"], index + 101)
        _add(
            corpus,
            Clip(fake, "fake", target.id, other.id, borrowed.id, "tiny-20", "cross", None, "", lineage),
        )
    corpus.save()
    return corpus


def _lineage(
    collection: Collection, subject: str, model: Path, trained_on: list[Recording], motion: Recording
) -> dict[str, str]:
    return {
        "model_sha256": sha256_file(model / "generator.safetensors"),
        "model_recordings_sha256": ",".join(recording.sha256 for recording in trained_on),
        "motion_sha256": motion.sha256,
        "consent": collection.subject(subject).consent.kind,
        "crf": "18",
    }


def _add(corpus: Corpus, clip: Clip) -> None:
    digest = sha256_file(corpus.root / clip.path)
    corpus.clips.append(Clip(**{**clip.__dict__, "sha256": digest}))


def _encode(source: Path, target: Path, model_sha256: str | None, tint: int) -> None:
    """The same pictures again; a fake is softened and tinted, so that it is another file of another content."""
    target.parent.mkdir(parents=True, exist_ok=True)
    info = VideoInfo.from_path(source)
    tags = None if model_sha256 is None else synthetic_tags("a test", model_sha256)
    with VideoWriter(target, (info.width, info.height), crf=18, metadata=tags) as writer:
        for frame in read_frames(source):
            image = frame.image
            if model_sha256 is not None:
                soft = (image.astype(np.int32) + np.roll(image, 1, 0) + np.roll(image, 1, 1)) // 3
                image = np.clip(soft + np.array([tint % 7, -(tint % 5), tint % 3]), 0, 255).astype(np.uint8)
            writer.write(image, time=frame.time)
