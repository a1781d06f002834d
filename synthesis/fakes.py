"""A corpus of labelled clips for training detectors: recordings, their self-re-enactments, and borrowed motion.

Real and fake are written by one encoder at one setting, at the same size and the same times, so that nothing but the
picture tells them apart.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from dataset.errors import SynthesisError
from dataset.files import sha256_file
from dataset.pose import cached_poses, clean
from dataset.pose.keypoints import PoseSequence
from dataset.records import CORPUS_FILE, Clip, Corpus
from dataset.video import VideoInfo, VideoWriter, read_frames
from synthesis.model import TargetModel, read_facts, snapshots
from synthesis.recording import background
from synthesis.transfer import CRF, reenact, transfer

Report = Callable[[str, int, int | None], None]


@dataclass(frozen=True)
class Target:
    """A model and those of its training recordings that were found again, by hash."""

    folder: Path
    subject: str
    recordings: tuple[Path, ...]


def find_targets(models: list[Path], recordings: list[Path]) -> list[Target]:
    """Match models to their recordings by SHA-256.

    Raises:
        SynthesisError: none of a model's recordings is among those given, or two models have the same subject.
    """
    by_hash = {sha256_file(path): path for path in recordings}
    targets = []
    for folder in models:
        facts = read_facts(folder)
        found = tuple(by_hash[r["sha256"]] for r in facts["recordings"] if r["sha256"] in by_hash)
        if not found:
            names = ", ".join(r["name"] for r in facts["recordings"])
            raise SynthesisError(
                f"none of its recordings was given ({names})", path=folder, hint="name them with --recordings"
            )
        targets.append(Target(folder, facts["subject"], found))
    subjects = [target.subject for target in targets]
    if doubled := {name for name in subjects if subjects.count(name) > 1}:
        raise SynthesisError(
            f"two models of the same subject {', '.join(sorted(doubled))}",
            hint="train each with its own --subject",
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
    report: Report = lambda what, done, total: None,
) -> Corpus:
    """Write the clips and their manifest; clips that are there already are kept, so an interrupted call can go on.

    Args:
        models: folders of trained generators, one per subject.
        recordings: the videos they were trained on.
        out: the corpus folder.
        further: recordings of people without a model, added as real clips; the subject is named after the file.
        cross: with the motion of how many other subjects each target is driven.
        weak: use the snapshots of the training run as further generators.
        crf: H.264 constant rate factor of all clips.
        report: called as ``report(what, done, total)``.

    Raises:
        SynthesisError: see `find_targets`.
    """
    targets = find_targets(models, recordings)
    corpus = Corpus.load(out) if (out / CORPUS_FILE).exists() else Corpus(out)
    maker = _Maker(corpus, crf, report)
    for target in targets:
        maker.recordings_and_reenactments(target, weak)
    for index, target in enumerate(targets):
        others = [targets[(index + step) % len(targets)] for step in range(1, len(targets))]
        for other in others[:cross]:
            maker.borrowed_motion(target, other)
    for path in further or []:
        maker.recording(path, path.stem)
    return corpus


@dataclass
class _Maker:
    corpus: Corpus
    crf: int
    report: Report

    @property
    def cache(self) -> Path:
        return self.corpus.root / "cache"

    def recordings_and_reenactments(self, target: Target, weak: bool) -> None:
        generators: list[int | None] = [None]
        if weak:
            final = read_facts(target.folder)["steps"]
            generators += [step for step in snapshots(target.folder) if step != final]
        for recording in target.recordings:
            real = self.recording(recording, target.subject)
            poses, plate = None, None
            for snapshot in generators:
                model = TargetModel.load(target.folder, snapshot=snapshot)
                name = f"{target.subject}/{recording.stem}_self_{model.name}.mp4"
                if self._has(name):
                    continue
                poses = poses or self._poses(recording)
                if plate is None:
                    plate = background(recording, poses)
                reenact(
                    model, poses, plate, self.corpus.root / name, crf=self.crf,
                    progress=lambda done, total, name=name: self.report(name, done, total),  # type: ignore[misc]
                )  # fmt: skip
                self._add(Clip(name, "fake", target.subject, target.subject, recording.stem, model.name, "self", real,
                               "", self._lineage(model, poses)))  # fmt: skip

    def recording(self, path: Path, subject: str) -> str:
        """Write the real clip unless it is there, and tell its path in the corpus."""
        name = f"{subject}/{path.stem}_real.mp4"
        if not self._has(name):
            self._reencode(path, name)
            self._add(Clip(name, "real", subject, subject, path.stem, "", "recording", None,
                           "", {"recording_sha256": sha256_file(path)}))  # fmt: skip
        return name

    def borrowed_motion(self, target: Target, other: Target) -> None:
        recording = max(other.recordings, key=lambda path: (path.stat().st_size, path.name))
        model = TargetModel.load(target.folder)
        name = f"{target.subject}/{other.subject}_{recording.stem}_cross_{model.name}.mp4"
        if self._has(name):
            return
        transfer(
            model, recording, self.corpus.root / name, cache=self.cache, crf=self.crf,
            progress=lambda done, total: self.report(name, done, total),
        )  # fmt: skip
        self._add(Clip(name, "fake", target.subject, other.subject, recording.stem, model.name, "cross", None,
                       "", self._lineage(model, self._poses(recording))))  # fmt: skip

    def _has(self, name: str) -> bool:
        return any(clip.path == name for clip in self.corpus.clips) and (self.corpus.root / name).exists()

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

    def _lineage(self, model: TargetModel, poses: PoseSequence) -> dict[str, str]:
        trained_on = ",".join(recording["sha256"] for recording in model.recordings)
        return {
            "model_sha256": model.sha256,
            "model_recordings_sha256": trained_on,
            "motion_sha256": poses.video_sha256,
        }

    def _reencode(self, recording: Path, name: str) -> None:
        info = VideoInfo.from_path(recording)
        with VideoWriter(self.corpus.root / name, (info.width, info.height), crf=self.crf) as writer:
            for row, frame in enumerate(read_frames(recording)):
                writer.write(frame.image, time=frame.time)
                self.report(name, row + 1, info.frame_count)
