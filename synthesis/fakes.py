"""A corpus of labelled clips for training detectors: recordings, their self-re-enactments, and borrowed motion.

Real and fake are written by one encoder at one setting, at the same size and the same times and without sound, so that
nothing but the picture tells them apart. (Fakes carry their marks, which are no part of the picture.)

Every clip's `origin` tells where it comes from: fake → model → recordings → subject → consent record.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path

from dataset.collection import consent_of
from dataset.errors import SynthesisError
from dataset.files import sha256_file
from dataset.pose import cached_poses, clean
from dataset.pose.keypoints import PoseSequence
from dataset.provenance import Identity, find_identity, is_rendering
from dataset.records import CORPUS_FILE, Clip, Corpus
from dataset.video import VideoInfo, VideoWriter, read_frames
from synthesis.consent import MANNEQUIN, PERSON, PURPOSES, RESEARCH_ONLY, Basis, confirm
from synthesis.model import TargetModel, read_facts, snapshots
from synthesis.plate import background
from synthesis.transfer import CRF, Choices, Image, reenact, transfer

Report = Callable[[str, int, int | None], None]

#: Grounds, from the one that allows least.
_RANK = (RESEARCH_ONLY, PERSON, MANNEQUIN)


@dataclass(frozen=True)
class Target:
    """A subject with their generators, and those of the training recordings that were found again, by hash.

    Attributes:
        subject: name of the person.
        models: for each model folder the recordings that it was trained on.
        bases: for each model folder the ground on which it was trained.
    """

    subject: str
    models: dict[Path, tuple[Path, ...]]
    bases: dict[Path, Basis]

    @property
    def recordings(self) -> tuple[Path, ...]:
        """All recordings of the models, each once."""
        return tuple(dict.fromkeys(path for paths in self.models.values() for path in paths))

    def standing(self, recording: Path) -> Basis:
        """The best ground that one of the models has for a recording."""
        return max(
            (self.bases[folder] for folder, own in self.models.items() if recording in own),
            key=lambda basis: _RANK.index(basis.kind),
        )


def find_targets(models: list[Path], recordings: list[Path]) -> list[Target]:
    """Match models to their recordings by SHA-256, and put the models of one subject together.

    Raises:
        SynthesisError: none of a model's recordings is among those given, or two models have the same weights.
    """
    by_hash = {sha256_file(path): path for path in recordings}
    found: dict[str, dict[Path, tuple[Path, ...]]] = {}
    bases: dict[str, dict[Path, Basis]] = {}
    weights: dict[str, Path] = {}
    for folder in models:
        facts = read_facts(folder)
        own = tuple(by_hash[r["sha256"]] for r in facts["recordings"] if r["sha256"] in by_hash)
        if not own:
            names = ", ".join(r["name"] for r in facts["recordings"])
            raise SynthesisError(
                f"none of its recordings was given ({names})", path=folder, hint="name them with --recordings"
            )
        if facts["weights_sha256"] in weights:
            raise SynthesisError(f"the same model as {weights[facts['weights_sha256']]}", path=folder)
        weights[facts["weights_sha256"]] = folder
        found.setdefault(facts["subject"], {})[folder] = own
        basis = Basis.from_dict(facts.get("consent"), folder, facts["subject"])
        bases.setdefault(facts["subject"], {})[folder] = basis
    targets = [Target(subject, own, bases[subject]) for subject, own in found.items()]
    owners: dict[Path, str] = {}
    for target in targets:
        for path in target.recordings:
            if owners.setdefault(path, target.subject) != target.subject:
                raise SynthesisError(
                    f"{owners[path]} and {target.subject} were both trained on it",
                    path=path,
                    hint="one person has one name: train with the same --subject",
                )
    return targets


def make_corpus(
    models: list[Path],
    recordings: list[Path],
    out: Path,
    *,
    further: list[Path] | None = None,
    cross: int = 1,
    weak: bool = True,
    crf: int = CRF,
    identity: Identity | None = None,
    only: str | None = None,
    report: Report = lambda what, done, total: None,
    note: Callable[[str], None] = lambda text: None,
) -> Corpus:
    """Write the clips and their manifest; clips that are there already are kept, so an interrupted call can go on.

    Args:
        models: folders of trained generators; several of one subject make fakes of several strengths.
        recordings: the videos they were trained on.
        out: the corpus folder.
        further: recordings of people without a model, added as real clips; the subject is named after the file.
        cross: with the motion of how many other subjects each model is driven.
        weak: use the snapshots of the training runs as further generators.
        crf: H.264 constant rate factor of all clips.
        identity: who signs the fakes; see `find_identity`.
        only: make the clips of this subject alone; the others lend their motion.
        report: called as ``report(what, done, total)``.
        note: called with what the user should know.

    Raises:
        ConsentError: the consent behind one of the models has run out or was revoked; nothing was written.
        SynthesisError: see `find_targets`.
    """
    targets = find_targets(models, recordings)
    for target in targets:
        for folder, basis in target.bases.items():
            if doubt := confirm(basis):
                note(f"{folder}: {doubt}")
    corpus = Corpus.load(out) if (out / CORPUS_FILE).exists() else Corpus(out)
    maker = _Maker(corpus, crf, identity or find_identity(), report)
    for target in targets:
        for recording in target.recordings if only in (None, target.subject) else ():
            maker.recording_and_reenactments(target, recording, weak)
    for index, target in enumerate(targets):
        others = [targets[(index + step) % len(targets)] for step in range(1, len(targets))]
        for other in others[:cross] if only in (None, target.subject) else ():
            maker.borrowed_motion(target, other)
    for path in further or []:
        maker.recording(path, path.stem, _standing(path))
    return corpus


@dataclass
class _Maker:
    corpus: Corpus
    crf: int
    identity: Identity
    report: Report

    @property
    def cache(self) -> Path:
        return self.corpus.root / "cache"

    def recording_and_reenactments(self, target: Target, recording: Path, weak: bool) -> None:
        real = self.recording(recording, target.subject, target.standing(recording))
        digest = sha256_file(recording)
        made: tuple[PoseSequence, Image] | None = None
        for folder, own in target.models.items():
            if recording not in own:
                continue
            for snapshot in _strengths(folder, weak):
                model = TargetModel.load(folder, snapshot=snapshot)
                if self._has("self", target.subject, model, digest):
                    continue
                if made is None:
                    poses = self._poses(recording)
                    made = poses, background(recording, poses)
                name = self._name(f"{target.subject}/{recording.stem}_self", model)
                reenact(
                    model, *made, self.corpus.root / name, crf=self.crf, identity=self.identity,
                    progress=lambda done, total, name=name: self.report(name, done, total),  # type: ignore[misc]
                )  # fmt: skip
                self._add(Clip(name, "fake", target.subject, target.subject, recording.stem, model.name, "self", real,
                               "", _lineage(model, digest, model.consent)))  # fmt: skip

    def recording(self, path: Path, subject: str, basis: Basis) -> str:
        """Write the real clip unless it is there, and tell its path in the corpus."""
        name = f"{subject}/{path.stem}_real.mp4"
        if not any(clip.path == name and self._there(clip) for clip in self.corpus.clips):
            self._reencode(path, name)
            origin = {"recording_sha256": sha256_file(path)} | _ground(basis)
            self._add(Clip(name, "real", subject, subject, path.stem, "", "recording", None, "", origin))
        return name

    def borrowed_motion(self, target: Target, other: Target) -> None:
        recording = max(other.recordings, key=lambda path: (path.stat().st_size, path.name))
        digest = sha256_file(recording)
        for folder in target.models:
            model = TargetModel.load(folder)
            if self._has("cross", target.subject, model, digest):
                continue
            name = self._name(f"{target.subject}/{other.subject}_{recording.stem}_cross", model)
            transfer(
                model, recording, self.corpus.root / name, cache=self.cache, tool="synthesize fakes",
                choices=Choices(crf=self.crf, sound=False), identity=self.identity,
                progress=lambda done, total, name=name: self.report(name, done, total),  # type: ignore[misc]
            )  # fmt: skip
            self._add(Clip(name, "fake", target.subject, other.subject, recording.stem, model.name, "cross", None,
                           "", _lineage(model, digest, other.standing(recording))))  # fmt: skip

    def _has(self, kind: str, subject: str, model: TargetModel, motion: str) -> bool:
        """Whether the clip is there, whatever it is called."""
        wanted = {"model_sha256": model.sha256, "motion_sha256": motion}
        return any(
            (clip.kind, clip.subject) == (kind, subject)
            and wanted.items() <= clip.origin.items()
            and self._there(clip)
            for clip in self.corpus.clips
        )

    def _there(self, clip: Clip) -> bool:
        return self.corpus.absolute(clip).exists()

    def _name(self, begin: str, model: TargetModel) -> str:
        """A path for a new clip; where another generator of the same name took it, part of the hash is added."""
        name = f"{begin}_{model.name}.mp4"
        taken = any(
            clip.path == name and clip.origin.get("model_sha256") != model.sha256
            for clip in self.corpus.clips
        )
        return f"{begin}_{model.name}-{model.sha256[:8]}.mp4" if taken else name

    def _add(self, clip: Clip) -> None:
        digest = sha256_file(self.corpus.root / clip.path)
        self.corpus.clips = [kept for kept in self.corpus.clips if kept.path != clip.path]
        self.corpus.clips.append(
            Clip(**{**clip.__dict__, "sha256": digest, "origin": clip.origin | {"crf": str(self.crf)}})
        )
        self.corpus.save()

    def _poses(self, recording: Path) -> PoseSequence:
        return clean(
            cached_poses(
                recording,
                self.cache,
                progress=lambda done, total: self.report(f"poses of {recording.name}", done, total),
            )
        )

    def _reencode(self, recording: Path, name: str) -> None:
        info = VideoInfo.from_path(recording)
        with VideoWriter(self.corpus.root / name, (info.width, info.height), crf=self.crf) as writer:
            for row, frame in enumerate(read_frames(recording)):
                writer.write(frame.image, time=frame.time)
                self.report(name, row + 1, info.frame_count)


def _strengths(folder: Path, weak: bool) -> list[int | None]:
    """The final generator of a model, and the snapshots of its training."""
    final = read_facts(folder)["steps"]
    return [None, *(step for step in snapshots(folder) if step != final)] if weak else [None]


def _standing(recording: Path) -> Basis:
    """What is known about consent to a recording that no model was trained on."""
    found = consent_of(recording)
    if found is not None:
        subject, record = found
        allowed = all(subject.consent.covers(purpose, date.today()) for purpose in PURPOSES)
        kind = subject.consent.kind if allowed else RESEARCH_ONLY
        return Basis(kind, subject.id, record_sha256=sha256_file(record))
    kind = MANNEQUIN if is_rendering(VideoInfo.from_path(recording).metadata) else RESEARCH_ONLY
    return Basis(kind, "")


def _lineage(model: TargetModel, motion_sha256: str, motion: Basis) -> dict[str, str]:
    """Where a fake comes from.

    Args:
        model: whose likeness it is.
        motion_sha256: of the recording whose motion it is.
        motion: the ground for using that recording; the model's own for a self-re-enactment.
    """
    lineage = {
        "model_sha256": model.sha256,
        "model_recordings_sha256": ",".join(recording["sha256"] for recording in model.recordings),
        "model_steps": str(model.steps),
        "model_network": json.dumps(asdict(model.config.network), sort_keys=True),
        "motion_sha256": motion_sha256,
    }
    if motion.record_sha256 and motion != model.consent:
        lineage["motion_consent_sha256"] = motion.record_sha256
    return lineage | _ground(model.consent, research_only=motion.research_only)


def _ground(basis: Basis, *, research_only: bool = False) -> dict[str, str]:
    research_only = research_only or basis.research_only
    ground = {"consent": RESEARCH_ONLY if research_only else basis.kind}
    if basis.record_sha256:
        ground["consent_sha256"] = basis.record_sha256
    if research_only:
        ground["research_only"] = "true"
    return ground
