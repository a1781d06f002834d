"""Collections and releases of a moving disc: quick to film, with poses that nobody had to estimate.

    small_collection(folder)      discs d1, d2 … with recordings and fakes of them, ready to be built
    small_release(folder)         the same, built once per session and copied
    edit_rows(release, …)         change rows of a release, and keep the rest of it consistent
    seal(release)                 write the manifest anew, so that it fits what a test changed

``python release_ground.py COLLECTION`` builds it, for tests that kill a process.
"""

from __future__ import annotations

import atexit
import hashlib
import shutil
import sys
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dataset.collection import Collection, Consent, Fake, Subject
from dataset.collection.records import SCOPES
from dataset.files import sha256_file
from dataset.pose.cache import cache_key
from dataset.pose.keypoints import FACE_POINTS, HAND_POINTS, PoseSequence
from dataset.provenance import rendering_tags, synthetic_tags
from dataset.video import VideoWriter

SIZE, FPS, FRAMES = (64, 48), 8.0, 16
SIGNED = Consent(SCOPES, "DE", "2026-05-01", None, "data@example.org", hashlib.sha256(b"form").hexdigest())


def path_of_disc(seed: int) -> npt.NDArray[np.float64]:
    """(FRAMES, 2) places of the disc's middle; another path for every seed."""
    random = np.random.default_rng(seed)
    phase, rate = random.uniform(0, 6.3, 2), random.uniform(0.6, 1.6, 2)
    time = np.arange(FRAMES)[:, None] / FPS
    return np.array(SIZE) * (0.5 + 0.34 * np.sin(6.3 * rate * time + phase))


def disc_film(
    path: Path,
    seed: int,
    *,
    softness: float = 0.0,
    tags: dict[str, str] | None = None,
    crf: int = 18,
    shade: int = 0,
) -> PoseSequence:
    """A bright disc over a room with noise; a fake is softer and has no noise."""
    width, height = SIZE
    y, x = np.mgrid[:height, :width]
    random = np.random.default_rng(seed + 1)
    room = 60 + 40 * np.sin(x / 9) * np.cos(y / 7) + shade
    places = path_of_disc(seed)
    with VideoWriter(path, SIZE, fps=FPS, crf=crf, metadata=tags) as writer:
        for place in places:
            far = np.hypot(x - place[0], y - place[1])
            image = (
                np.where(far < 9, 215.0, room)
                if not softness
                else room + (215 - room) / (1 + np.exp(far - 9))
            )
            if not softness:
                image = image + random.normal(0, 6, image.shape)
            writer.write(np.repeat(np.clip(image, 0, 255).astype(np.uint8)[..., None], 3, axis=2))
    return poses_of(places)


def poses_of(places: npt.NDArray[np.float64]) -> PoseSequence:
    """All body points on a small circle round the disc's middle, the head on top."""
    count = len(places)
    angle = np.linspace(0, 6.28, 25, endpoint=False)
    ring = places[:, None] + 6 * np.stack([np.sin(angle), -np.cos(angle)], axis=1)[None]
    body = np.concatenate([ring, np.full((count, 25, 1), 0.9)], axis=2).astype(np.float32)
    return PoseSequence(
        body=body,
        left_hand=np.zeros((count, HAND_POINTS, 3), np.float32),
        right_hand=np.zeros((count, HAND_POINTS, 3), np.float32),
        face=np.zeros((count, FACE_POINTS, 3), np.float32),
        times=np.arange(count) / FPS,
        size=SIZE,
        estimator="a test",
    )


def keep_poses(collection: Collection, video: Path, poses: PoseSequence) -> None:
    """Put poses where `cached_poses` finds them, so that no estimator has to run."""
    from dataclasses import replace

    sha256 = sha256_file(video)
    replace(poses, video_sha256=sha256).save(collection.poses_folder / f"{cache_key(sha256, 'holistic')}.npz")


def add_disc(
    collection: Collection,
    name: str,
    seed: int,
    *,
    recordings: int = 1,
    consent: Consent | None = None,
    fakes: bool = True,
    scratch: Path,
) -> None:
    """A subject with recordings, and for each of them a fake of the same frames."""
    collection.add_subject(Subject(name, consent or Consent.mannequin()))
    for take in range(recordings):
        film = scratch / f"{name}-{take}.mp4"
        number = 100 * seed + take
        person = consent is not None and consent.kind == "person"
        poses = disc_film(film, number, tags=None if person else rendering_tags(f"a test of {name}"))
        recording = collection.add_recording(
            film, name, motion="drift", id=f"{name}-r{take}", filmed="2026-05-02", checks=()
        )
        keep_poses(collection, collection.path_of(recording), poses)
        if fakes:
            add_fake(collection, name, recording.id, number, kind="self")


def add_fake(
    collection: Collection,
    subject: str,
    source: str,
    seed: int,
    *,
    kind: str,
    research_only: bool = False,
    trained_on: tuple[str, ...] | None = None,
) -> Fake:
    """A soft disc with the motion of a recording."""
    by_id = {recording.id: recording for recording in collection.recordings()}
    own = [recording.sha256 for recording in collection.recordings(subject)]
    model = hashlib.sha256(f"weights of {subject}".encode()).hexdigest()
    id = f"{subject}-{kind}-{source}"
    path = collection.root / "fakes" / f"{id}.mp4"
    shade = int(model[:2], 16) % 40
    poses = disc_film(path, seed, softness=1.0, shade=shade, tags=synthetic_tags("a test", model))
    fake = Fake(
        id, f"fakes/{id}.mp4", sha256_file(path), subject, by_id[source].subject, source,
        source if kind == "self" else None, "soft", kind, model, tuple(own) if trained_on is None else trained_on,
        {}, research_only,
    )  # fmt: skip
    with collection.locked():
        collection.write(fake)
    keep_poses(collection, path, poses)
    return fake


def small_collection(
    folder: Path,
    subjects: int = 6,
    *,
    recordings: int = 1,
    people: bool = False,
    fakes: bool = True,
    licence: str = "CC0-1.0",
) -> Collection:
    """Discs d1 … with a recording and a fake of it each, or people p1 … who signed."""
    template = _collection(subjects, recordings, people, fakes, licence)
    shutil.copytree(template, folder)
    return Collection.open(folder)


@cache
def _scratch() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="discs-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


@cache
def _collection(subjects: int, recordings: int, people: bool, fakes: bool, licence: str) -> Path:
    scratch = Path(tempfile.mkdtemp(dir=_scratch()))
    collection = Collection.create(
        scratch / "collection", name="discs", title="Moving discs", licence=licence, contact="data@example.org",
        created="2026-05-01",
    )  # fmt: skip
    for number in range(1, subjects + 1):
        name = f"{'p' if people else 'd'}{number}"
        consent = SIGNED if people else None
        add_disc(
            collection, name, number, recordings=recordings, consent=consent, fakes=fakes, scratch=scratch
        )
    return collection.root


@cache
def _built(subjects: int, recordings: int, people: bool) -> Path:
    from dataset.release.build import build

    folder = Path(tempfile.mkdtemp(dir=_scratch())) / "collection"
    return build(small_collection(folder, subjects, recordings=recordings, people=people), workers=1)


def small_release(folder: Path, subjects: int = 6, *, recordings: int = 1, people: bool = False) -> Path:
    """A release in its collection: ``folder/releases/1.0.0``; nothing in it shares bytes with another test."""
    release = _built(subjects, recordings, people)
    shutil.copytree(release.parents[1], folder)
    return folder / "releases" / release.name


def edit_rows(release: Path, config: str, change: Callable[[dict[str, Any]], dict[str, Any] | None]) -> None:
    """Rewrite every shard of a configuration with `change` applied to each row (None drops it), and seal."""
    import pyarrow.parquet as pq

    from dataset.release.tables import write_shard

    for path in sorted((release / "data" / config).glob("*.parquet")):
        rows = [change(row) for row in pq.read_table(path).to_pylist()]
        write_shard(path, config, [row for row in rows if row is not None])
    seal(release)


def replace_video(release: Path, id: str, path: Path) -> None:
    """Put other bytes in a video's place: in the file, the rows and release.json, and seal."""
    import json

    content, sha256 = path.read_bytes(), sha256_file(path)

    def recording(row: dict[str, Any]) -> dict[str, Any]:
        if row["id"] == id:
            row["video"]["bytes"], row["sha256"] = content, sha256
        return row

    def pair(row: dict[str, Any]) -> dict[str, Any]:
        for column in ("real", "fake"):
            if row[f"{column}_id"] == id:
                row[column]["bytes"], row[f"{column}_sha256"] = content, sha256
        return row

    told = json.loads((release / "release.json").read_text("utf-8"))
    file = release / told["items"][id]["file"]

    file.unlink()
    file.write_bytes(content)
    told["items"][id]["sha256"] = sha256
    sizes = sum(video.stat().st_size for video in (release / "videos").rglob("*.mp4"))
    told["counts"]["megabytes"] = round(sizes / 1e6, 2)

    (release / "release.json").write_text(json.dumps(told), "utf-8")
    edit_rows(release, "recordings", recording)
    if (release / "data" / "pairs").is_dir():
        edit_rows(release, "pairs", pair)


def edit_json(release: Path, name: str, change: Callable[[dict[str, Any]], None]) -> None:
    """Change a JSON file of a release in place, and seal."""
    import json

    told = json.loads((release / name).read_text("utf-8"))
    change(told)
    (release / name).write_text(json.dumps(told, indent=2), "utf-8")
    seal(release)


def seal(release: Path) -> None:
    """Write the manifest anew."""
    from dataset.release.manifest import write_manifest

    write_manifest(release)


if __name__ == "__main__":
    from dataset.release.build import build

    print(build(Collection.open(sys.argv[1]), workers=1))
