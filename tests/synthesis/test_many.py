"""Many subjects, one item each: trained, faked, joined to one corpus; who fails stops nobody."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from ray_cluster import ray_cluster
from small_runs import small_config

from dataset.errors import SynthesisError, WorkError
from dataset.files import sha256_file
from dataset.mannequin import Performer, film
from dataset.pose.cache import cache_key
from dataset.records import Corpus
from synthesis.many import Cast, Making, Workforce, make_many, read_cast, train_many

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
ALONE = Workforce(workers=1)


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Cast], Path]:
    """Two mannequins and a subject whose recording is no video; and the folder in which they were trained."""
    root = tmp_path_factory.mktemp("studio")
    cast = []
    for seed, name in ((1, "anna"), (2, "ben")):
        video = root / name / "take.mp4"
        video.parent.mkdir()
        poses = film(
            video, Performer.from_seed(seed), "wave", seconds=1.5, fps=12.0, size=(120, 160), seed=seed
        )
        known = root / "out" / "models" / name / "cache" / f"{cache_key(sha256_file(video), 'holistic')}.npz"
        known.parent.mkdir(parents=True)
        replace(poses, video_sha256=sha256_file(video)).save(known)
        cast.append(Cast(name, (video,)))
    (root / "carl").mkdir()
    (root / "carl" / "take.mp4").write_bytes(b"no video")
    cast.append(Cast("carl", (root / "carl" / "take.mp4",)))
    summary = train_many(cast, root / "out", small_config(2), ALONE)
    assert summary.done == 2
    assert ["carl" in failure.uri for failure in summary.failed] == [True]
    return cast, root / "out"


def test_every_subject_is_trained_faked_and_borrows_from_another(studio: tuple[list[Cast], Path]) -> None:
    cast, out = studio
    summary, corpus = make_many(cast, out, Making(cross=1), ALONE)
    assert (summary.done, summary.failed) == (2, ())
    kinds = sorted((clip.subject, clip.source_subject, clip.kind) for clip in corpus.clips)
    assert kinds == [
        ("anna", "anna", "recording"), ("anna", "anna", "self"), ("anna", "ben", "cross"),
        ("ben", "anna", "cross"), ("ben", "ben", "recording"), ("ben", "ben", "self"),
    ]  # fmt: skip
    loaded = Corpus.load(out)
    for clip in loaded.clips:
        assert sha256_file(loaded.absolute(clip)) == clip.sha256
        assert clip.pair is None or any(clip.pair == other.path for other in loaded.clips)


def test_a_second_call_does_nothing_and_other_settings_are_refused(studio: tuple[list[Cast], Path]) -> None:
    cast, out = studio
    again = train_many(cast, out, small_config(2), ALONE)
    assert (again.done, again.skipped, len(again.failed)) == (0, 2, 1)
    with pytest.raises(WorkError, match="other settings"):
        train_many(cast, out, small_config(3), ALONE)


def test_a_ray_cluster_trains_the_same_generators(studio: tuple[list[Cast], Path], tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'danceproof[ray]'")
    cast, out = studio
    for member in cast[:2]:
        shutil.copytree(
            out / "models" / member.subject / "cache", tmp_path / "models" / member.subject / "cache"
        )
    with ray_cluster(2, [ROOT, ROOT / "tests"]) as cluster:
        force = Workforce(workers=2, ray=cluster.address)
        trained = train_many(cast, tmp_path, small_config(2), force)
        made, corpus = make_many(cast, tmp_path, Making(cross=1), force)
    assert (trained.done, ["carl" in failure.uri for failure in trained.failed]) == (2, [True])
    assert (made.done, made.failed, len(corpus.clips)) == (2, (), 6)
    for member in cast[:2]:
        here, there = (
            folder / "models" / member.subject / "generator.safetensors" for folder in (out, tmp_path)
        )
        assert sha256_file(there) == sha256_file(here)


def test_subjects_come_from_folders_or_a_list(studio: tuple[list[Cast], Path], tmp_path: Path) -> None:
    cast, out = studio
    videos = frozenset({".mp4"})
    assert {one.subject: one.recordings for one in read_cast(out.parent, videos)} == {
        one.subject: one.recordings for one in cast
    }
    told = [
        {"subject": "anna", "recordings": [str(cast[0].recordings[0])]},
        {"subject": "b", "recordings": ["x.mp4"]},
    ]
    (tmp_path / "list").write_text("\n".join(json.dumps(one) for one in told), "utf-8")
    assert read_cast(tmp_path / "list", videos) == [cast[0], Cast("b", (tmp_path / "x.mp4",))]
    for wrong in (
        "nonsense",
        '{"subject": "../x", "recordings": ["a"]}',
        "\n".join([json.dumps(told[0])] * 2),
        "",
    ):
        (tmp_path / "list").write_text(wrong, "utf-8")
        with pytest.raises(SynthesisError):
            read_cast(tmp_path / "list", videos)
