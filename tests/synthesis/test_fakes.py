"""Corpora of lay figures: what is made, how it is paired, encoded, signed and traced. No network is needed for that."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from lay_figure import SIZE, load_figure, paint, put_poses, save_figure
from video_files import make_sound

import synthesis.fakes
import synthesis.transfer
from dataset.errors import ConsentError, SynthesisError
from dataset.files import sha256_file
from dataset.provenance import read_manifest, read_marks, rendering_tags
from dataset.records import Clip, Corpus
from dataset.video import VideoInfo, VideoWriter, frame_times
from synthesis.consent import PERSON, RESEARCH_ONLY, Basis
from synthesis.fakes import find_targets, make_corpus


@pytest.fixture(scope="module", autouse=True)
def _no_network() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(synthesis.fakes.TargetModel, "load", load_figure)
        patch.setattr(
            synthesis.fakes, "background", lambda path, poses: np.full((*SIZE[::-1], 3), 90, np.uint8)
        )
        patch.setattr(synthesis.transfer, "generate", paint)
        yield


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where recordings and models are."""
    return tmp_path_factory.mktemp("videos")


@pytest.fixture(scope="module")
def recording(videos: Path) -> Path:
    """Says of itself that it is a rendering."""
    return record(videos / "dancer.mp4", 80, 12, metadata=rendering_tags("dataset mannequin"))


@pytest.fixture(scope="module")
def other(videos: Path) -> Path:
    """Says nothing of being a rendering, as that of a person would; longer, and with sound."""
    return record(videos / "waver.mp4", 120, 18, audio_from=make_sound(videos / "sound.m4a"))


def record(path: Path, shade: int, count: int, **options: object) -> Path:
    dice = np.random.default_rng(shade)
    with VideoWriter(path, SIZE, fps=12, **options) as writer:  # type: ignore[arg-type]
        for _ in range(count):
            writer.write(dice.integers(shade, shade + 60, (*SIZE[::-1], 3), np.uint8))
    return path


@pytest.fixture(scope="module")
def model_folder(videos: Path, recording: Path) -> Path:
    """A model of the dancer with a snapshot."""
    return save_figure(videos / "dancer", recording, "dancer", snapshots=(3,))


@pytest.fixture(scope="module")
def wider(videos: Path, recording: Path) -> Path:
    """A second model of the dancer, of another width."""
    return save_figure(videos / "dancer_wider", recording, "dancer", width=12)


@pytest.fixture(scope="module")
def waver(videos: Path, other: Path) -> Path:
    """A model of the other one, for research only."""
    return save_figure(videos / "waver", other, "waver", basis=Basis(RESEARCH_ONLY, "waver"))


@pytest.fixture(scope="module")
def corpus(
    model_folder: Path,
    wider: Path,
    waver: Path,
    recording: Path,
    other: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Corpus:
    """Two models and a snapshot of one subject, one model of another."""
    out = tmp_path_factory.mktemp("corpus")
    for path in (recording, other):
        put_poses(out / "cache", path)
    make_corpus([model_folder, wider, waver], [recording, other], out, cross=1)
    return Corpus.load(out)


def fakes(corpus: Corpus, kind: str, subject: str) -> list[Clip]:
    return [clip for clip in corpus.clips if (clip.kind, clip.subject) == (kind, subject)]


def test_every_generator_re_enacts_and_borrows(corpus: Corpus, model_folder: Path, wider: Path) -> None:
    assert len(fakes(corpus, "recording", "dancer")) == len(fakes(corpus, "recording", "waver")) == 1
    selves = fakes(corpus, "self", "dancer")
    assert len(selves) == 3  # two models and a snapshot of one
    assert len({clip.origin["model_sha256"] for clip in selves}) == 3
    assert len(fakes(corpus, "cross", "dancer")) == 2
    assert len(fakes(corpus, "self", "waver")) == len(fakes(corpus, "cross", "waver")) == 1
    assert len({clip.path for clip in corpus.clips}) == len(corpus.clips) == 9
    widths = {json.loads(clip.origin["model_network"])["width"] for clip in selves}
    assert widths == {8, 12}
    assert sorted(int(clip.origin["model_steps"]) for clip in selves) == [3, 6, 6]


def test_a_corpus_pairs_every_fake_with_the_frames_it_mirrors(corpus: Corpus) -> None:
    for clip in corpus.clips:
        info = VideoInfo.from_path(corpus.absolute(clip))
        assert info.sha256 == clip.sha256
        assert (read_marks(info.metadata) is not None) == (clip.label == "fake")
        assert not info.has_audio
        assert (clip.pair is not None) == (clip.kind == "self")
        if clip.pair:
            mirrored = VideoInfo.from_path(corpus.root / clip.pair)
            assert (info.width, info.height, info.codec, info.pixel_format, info.container) == (
                mirrored.width, mirrored.height, mirrored.codec, mirrored.pixel_format, mirrored.container
            )  # fmt: skip
            assert info.streams == mirrored.streams
            assert frame_times(corpus.absolute(clip)) == pytest.approx(
                frame_times(corpus.root / clip.pair), abs=1e-6
            )
        if clip.kind == "cross":
            assert clip.source_subject != clip.subject


def test_real_and_fake_are_encoded_by_one_encoder_at_one_setting(corpus: Corpus) -> None:
    """x264 writes its settings into the stream; nothing there may tell the label."""
    settings = set()
    for clip in corpus.clips:
        data = corpus.absolute(clip).read_bytes()
        begin = data.index(b"x264 - core")
        settings.add(data[begin : data.index(b"\0", begin)])
    assert len(settings) == 1


def test_fakes_are_signed_and_recordings_are_not(corpus: Corpus) -> None:
    for clip in corpus.clips:
        state = read_manifest(corpus.absolute(clip))
        assert state.integrity == ("valid" if clip.label == "fake" else "none")
        if clip.label == "fake":
            assert state.statement["model_sha256"] == clip.origin["model_sha256"]
            assert state.statement["kind"] == clip.kind


def test_lineage_leads_from_the_fake_to_the_recordings(corpus: Corpus, recording: Path, other: Path) -> None:
    dancer, waver = sha256_file(recording), sha256_file(other)
    for clip in corpus.clips:
        if clip.label == "real":
            assert clip.origin["recording_sha256"] == (dancer if clip.subject == "dancer" else waver)
            continue
        assert clip.origin["model_recordings_sha256"] == (dancer if clip.subject == "dancer" else waver)
        assert clip.origin["motion_sha256"] == (dancer if clip.source_subject == "dancer" else waver)


def test_research_only_follows_both_the_likeness_and_the_motion(corpus: Corpus) -> None:
    for clip in corpus.clips:
        stamped = clip.origin.get("research_only") == "true"
        assert stamped == ("waver" in (clip.subject, clip.source_subject)), clip.path
        assert clip.origin["consent"] == ("research-only" if stamped else "mannequin")


def test_a_second_call_keeps_what_is_there(
    corpus: Corpus, model_folder: Path, wider: Path, waver: Path, recording: Path, other: Path
) -> None:
    before = {path: path.stat().st_mtime_ns for path in corpus.root.rglob("*.mp4")}
    again = make_corpus([wider, waver, model_folder], [recording, other], corpus.root, cross=1)
    assert before == {path: path.stat().st_mtime_ns for path in corpus.root.rglob("*.mp4")}
    assert len(again.clips) == len(corpus.clips)


def test_a_model_given_twice_or_without_its_recording_is_refused(
    model_folder: Path, waver: Path, recording: Path
) -> None:
    with pytest.raises(SynthesisError, match="the same model as"):
        find_targets([model_folder, model_folder], [recording])
    with pytest.raises(SynthesisError, match=r"none of its recordings was given \(waver\.mp4\)"):
        find_targets([model_folder, waver], [recording])


def test_one_recording_under_two_names_is_refused(
    model_folder: Path, recording: Path, tmp_path: Path
) -> None:
    save_figure(tmp_path / "again", recording, "another_name")
    with pytest.raises(SynthesisError, match="dancer and another_name were both trained on it"):
        find_targets([model_folder, tmp_path / "again"], [recording])


def test_consent_that_has_run_out_stops_the_corpus_before_anything_is_written(
    recording: Path, tmp_path: Path
) -> None:
    save_figure(
        tmp_path / "over", recording, "dancer", basis=Basis(PERSON, "dancer", "ab" * 32, "2020-01-01")
    )
    with pytest.raises(ConsentError, match="ran out on 2020-01-01"):
        make_corpus([tmp_path / "over"], [recording], tmp_path / "corpus")
    assert not (tmp_path / "corpus").exists()


def test_people_without_a_model_are_stamped_unless_they_are_nobody(
    model_folder: Path, recording: Path, other: Path, tmp_path: Path
) -> None:
    put_poses(tmp_path / "cache", recording)
    corpus = make_corpus([model_folder], [recording], tmp_path, further=[other], weak=False)
    (further,) = fakes(corpus, "recording", "waver")
    assert further.origin["research_only"] == "true"
    (own,) = fakes(corpus, "recording", "dancer")
    assert own.origin["consent"] == "mannequin"


def test_two_people_with_consent_make_a_fake_that_names_both_records(
    videos: Path, recording: Path, other: Path, tmp_path: Path
) -> None:
    for path in (recording, other):
        put_poses(tmp_path / "cache", path)
    ann = save_figure(videos / "ann", recording, "ann", basis=Basis(PERSON, "ann", "aa" * 32))
    ben = save_figure(videos / "ben", other, "ben", basis=Basis(PERSON, "ben", "bb" * 32))
    notes: list[str] = []
    corpus = make_corpus([ann, ben], [recording, other], tmp_path, note=notes.append)
    (fake,) = fakes(corpus, "cross", "ann")
    assert fake.origin["consent"] == "person"
    assert fake.origin["consent_sha256"] == "aa" * 32
    assert fake.origin["motion_consent_sha256"] == "bb" * 32
    assert "research_only" not in fake.origin
    assert len(notes) == 2  # neither record can be asked again
