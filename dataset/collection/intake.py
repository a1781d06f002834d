"""Taking videos into a collection: recordings after their checks, fakes with their lineage."""

from __future__ import annotations

import json
from collections.abc import Callable
from collections.abc import Collection as Several
from dataclasses import replace
from pathlib import Path

from dataset.collection import layout
from dataset.collection.collection import Collection, today
from dataset.collection.records import CheckResult, Fake, Recording, Subject, check_id
from dataset.errors import CollectionError, RecordingRefused
from dataset.files import sha256_file
from dataset.records import Clip, Corpus

Progress = Callable[[int, int | None], None]


def add_recording(
    collection: Collection,
    video: Path,
    subject: str,
    *,
    motion: str = "",
    id: str | None = None,
    filmed: str | None = None,
    force: bool = False,
    reason: str = "",
    checks: Several[str] | None = None,
    progress: Progress | None = None,
) -> Recording:
    """Check a video and import its bytes unchanged.

    The file is read as it is, checked, copied, hashed again and renamed into place: there is either a whole recording
    with its record or none, also after a kill.

    Args:
        collection: to take it in.
        video: the file.
        subject: id of who is seen.
        motion: what they do, in a word.
        id: of the recording; made of subject, motion and content if None.
        filmed: the day, if known.
        force: take it in although a check refuses it; what is synthetic is refused nevertheless.
        reason: why, needed with `force`; it is recorded.
        checks: which of `dataset.collection.checks.CHECKS` to make; None for all. Whether the file says of itself that
            it was made, and whether it is there already byte for byte, is always looked at.
        progress: called with the steps done and in all.

    Raises:
        RecordingRefused: a check found an error; the message tells each of them.
        CollectionError: no such subject, a subject who was withdrawn, or `force` without a reason.
        VideoError: the file cannot be read as a video.
    """
    from dataset.collection.checks import ALWAYS, examine, run_checks

    if force and not reason.strip():
        raise CollectionError("a recording is forced without a reason", path=video, hint="add --reason TEXT")
    who = collection.subject(subject)
    if who.status == "withdrawn":
        raise CollectionError(f"{subject} was withdrawn", path=collection.root)
    seen = examine(video, who, collection.recordings(), checks, progress)
    found = run_checks(seen, checks)
    refused = [name for name, result in found.items() if result.outcome == "error"]
    if refused and (not force or any(name in ALWAYS for name in refused)):
        raise RecordingRefused(
            "refused: " + "; ".join(f"{name}: {found[name].text}" for name in refused),
            path=video,
            hint=None if any(name in ALWAYS for name in refused) else "or --force with a --reason",
        )
    info = seen.info
    id = check_id(id or _new_id(subject, motion, info.sha256), "recording's id")
    recording = Recording(
        id=id,
        subject=subject,
        file=f"subjects/{subject}/recordings/{id}{video.suffix.lower()}",
        sha256=info.sha256,
        size_bytes=info.size_bytes,
        fps=round(info.average_fps, 6),
        duration=round(info.duration, 6),
        width=info.width,
        height=info.height,
        frames=info.frame_count,
        motion=motion,
        filmed=filmed,
        checks=found,
        forced=reason.strip() if refused else None,
        estimator=seen.estimator,
        person_share=seen.person_share,
        mark=seen.mark,
        fingerprint=seen.fingerprint,
    )
    with collection.locked():
        # Looking took a while: somebody else may have been here.
        if collection.subject(subject).status == "withdrawn":
            raise CollectionError(f"{subject} was withdrawn", path=collection.root)
        for known in collection.recordings():
            if id == known.id or info.sha256 == known.sha256:
                raise CollectionError(f"there is a recording {known.id!r} already", path=video)
        _import(collection, video, recording)
        collection.log("recording added", recording=id, subject=subject, sha256=info.sha256)
    return recording


def _new_id(subject: str, motion: str, sha256: str) -> str:
    """Readable, and the same for the same content, so that a collection can be built again with equal ids."""
    word = "".join(sign if sign.isascii() and sign.isalnum() else "-" for sign in motion.lower()).strip("-")
    return f"{subject[:30]}_{word[:20] or 'recording'}_{sha256[:8]}"


def _import(collection: Collection, video: Path, record: Recording | Fake) -> None:
    # Through the schema before anything is written, so that what is written can be read.
    type(record).from_dict(record.to_dict())
    text = json.dumps(record.to_dict(), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    layout.bring_in(video, layout.inside(collection.root, record.file), record.sha256, text)


def add_fakes(collection: Collection, folder: Path, *, progress: Progress | None = None) -> list[Fake]:
    """Import the fakes of a corpus that ``synthesize fakes`` made from recordings of the collection.

    Who is seen and whose motion it is is told by the hashes in the corpus, not by its names. Fakes that are there
    already, byte for byte, are passed over. The corpus's encoded copies of recordings are noted with these, since
    detectors that are trained on the corpus name those.

    Args:
        collection: to take them in.
        folder: the corpus.
        progress: called with the clips done and in all.

    Returns:
        The fakes that were added.

    Raises:
        CollectionError: a fake was changed since it was made, its lineage leads out of the collection, or a subject
            did not allow synthesis. Those before it were added.
        RecordError: the corpus cannot be read.
    """
    corpus = Corpus.load(folder)
    by_sha = {recording.sha256: recording for recording in collection.recordings()}
    real_clips = {clip.path: clip for clip in corpus.clips if clip.label == "real"}
    _note_copies(collection, corpus, by_sha)
    present = {fake.sha256 for fake in collection.fakes()}
    added = []
    for index, clip in enumerate(corpus.clips):
        if clip.label == "fake" and clip.sha256 not in present:
            fake = _fake(collection, corpus, clip, by_sha, real_clips)
            with collection.locked():
                if fake.id not in {known.id for known in collection.fakes()}:
                    _import(collection, corpus.absolute(clip), fake)
                    collection.log("fake added", fake=fake.id, subject=fake.subject, sha256=fake.sha256)
                    added.append(fake)
        if progress is not None:
            progress(index + 1, len(corpus.clips))
    return added


def _note_copies(collection: Collection, corpus: Corpus, by_sha: dict[str, Recording]) -> None:
    copies: dict[str, list[str]] = {}
    for clip in corpus.clips:
        if clip.label == "real" and (source := clip.origin.get("recording_sha256")) in by_sha:
            copies.setdefault(by_sha[source].id, []).append(clip.sha256)
    with collection.locked():
        for recording in collection.recordings():
            new = [
                sha
                for sha in copies.get(recording.id, ())
                if sha not in (*recording.copies, recording.sha256)
            ]
            if new:
                collection.write(replace(recording, copies=(*recording.copies, *sorted(new))))


def _fake(
    collection: Collection, corpus: Corpus, clip: Clip, by_sha: dict[str, Recording], real: dict[str, Clip]
) -> Fake:
    path = corpus.absolute(clip)
    if sha256_file(path) != clip.sha256:
        raise CollectionError("not the file that the corpus names", path=path, hint="make the corpus anew")
    trained_on = tuple(sha for sha in clip.origin.get("model_recordings_sha256", "").split(",") if sha)
    motion = clip.origin.get("motion_sha256", "")
    unknown = [sha[:12] for sha in (*trained_on, motion) if sha not in by_sha]
    if unknown or not trained_on:
        told = f"recording {unknown[0] or '(not named)'}" if unknown else "its model's recordings"
        raise CollectionError(
            f"its lineage leads out of the collection: {told} is not in it",
            path=path,
            hint="add the recordings, then make the fakes of the files in the collection",
        )
    targets = {by_sha[sha].subject for sha in trained_on}
    if len(targets) > 1:
        raise CollectionError(f"its model was trained on {' and '.join(sorted(targets))}", path=path)
    subject, source = targets.pop(), by_sha[motion]
    for who in dict.fromkeys((subject, source.subject)):
        _may_be_synthesised(collection.subject(who), path)
    mirrored = real.get(clip.pair or "")
    pair = by_sha.get(mirrored.origin.get("recording_sha256", "")) if mirrored else None
    if clip.kind == "self" and pair is None:
        pair = source
    return Fake(
        id=f"{subject[:24]}_{clip.kind}_{clip.sha256[:8]}",
        file=f"fakes/{subject[:24]}_{clip.kind}_{clip.sha256[:8]}{path.suffix.lower()}",
        sha256=clip.sha256,
        subject=subject,
        source_subject=source.subject,
        source_recording=source.id,
        pair=None if pair is None else pair.id,
        generator=clip.generator,
        kind=clip.kind,
        model_sha256=clip.origin.get("model_sha256", ""),
        recording_sha256s=trained_on,
        lineage={name: str(value) for name, value in clip.origin.items()},
        research_only=clip.origin.get("consent") not in ("person", "mannequin"),
    )


def _may_be_synthesised(subject: Subject, path: Path) -> None:
    if problem := subject.consent.problem("synthesise", today()):
        raise CollectionError(
            f"the consent of {subject.id} {problem}",
            path=path,
            hint="see: dataset consent COLLECTION --subject ID",
        )


def findings(checks: dict[str, CheckResult]) -> list[tuple[str, CheckResult]]:
    """The results that did not pass, errors first."""
    return sorted(
        ((name, result) for name, result in checks.items() if result.outcome != "passed"),
        key=lambda entry: entry[1].outcome != "error",
    )
