from __future__ import annotations

import av
import numpy as np
import pytest

from dataset.errors import PoseError
from dataset.mannequin import Performer, film
from dataset.provenance import read_marks
from dataset.records import Corpus
from dataset.video import VideoInfo, VideoWriter, frame_times, read_frames
from synthesis.fakes import make_corpus
from synthesis.train import train
from synthesis.transfer import generate, transfer


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A waving mannequin at another size and rate, with nobody in the picture at first, and with sound."""
    folder = tmp_path_factory.mktemp("source")
    film(folder / "silent.mp4", Performer.from_seed(8), "wave", seconds=1, fps=15, size=(320, 240))
    sound = folder / "sound.mp4"
    with av.open(str(sound), "w") as container:
        stream = container.add_stream("aac", rate=16000, layout="mono")
        samples = (np.sin(np.arange(16000) / 8) * 8000).astype(np.int16)[None]
        frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
        frame.sample_rate = 16000
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            container.mux(packet)
    path = folder / "source.mp4"
    with VideoWriter(path, (320, 240), audio_from=sound) as writer:
        for index in range(4):
            writer.write(np.full((240, 320, 3), 120, np.uint8), time=index * 0.05)
        for frame in read_frames(folder / "silent.mp4"):
            writer.write(frame.image, time=0.3 + frame.time)
    return path


def test_every_frame_keeps_its_time_and_the_sound_comes_along(model, source, tmp_path):
    out = tmp_path / "fake.mp4"
    made = transfer(model, source, out, cache=tmp_path / "cache")
    assert frame_times(out) == pytest.approx(frame_times(source), abs=0.001)
    assert made.frames == len(frame_times(source))
    assert made.without_person >= 4
    info = VideoInfo.from_path(out)
    assert info.has_audio
    assert (info.width, info.height) == model.poses.size


def test_what_is_made_says_so_itself(model, source, tmp_path):
    out = tmp_path / "fake.mp4"
    transfer(model, source, out, cache=tmp_path / "cache")
    mark = read_marks(VideoInfo.from_path(out).metadata)
    assert mark is not None
    assert "Synthetic" in mark
    assert model.sha256 in mark


def test_where_nobody_is_the_bare_plate_is_shown(model, source, tmp_path):
    out = tmp_path / "fake.mp4"
    transfer(model, source, out, cache=tmp_path / "cache", crf=5)
    frames = list(read_frames(out))
    assert np.abs(frames[0].image.astype(int) - model.plate).mean() < 3
    assert (
        np.abs(frames[-1].image.astype(int) - model.plate).mean()
        > np.abs(frames[0].image.astype(int) - model.plate).mean()
    )


def test_generation_is_deterministic(model):
    first, second = (np.stack(list(generate(model, model.poses[:6], model.plate))) for _ in range(2))
    assert (first == second).all()


def test_only_the_surroundings_of_the_person_are_painted(model):
    image = next(iter(generate(model, model.poses[:1], model.plate)))
    changed = np.abs(image.astype(int) - model.plate).max(axis=2) > 0
    assert changed.any()
    from synthesis.windows import follow

    windows = follow(model.poses, model.shape, model.config.data.margin)
    x, y = windows.center[0]
    half = windows.height[0] / 2
    rows, columns = np.nonzero(changed)
    assert rows.min() > y - half - 4
    assert rows.max() < y + half + 4
    wide = half * model.shape[0] / model.shape[1]
    assert columns.min() > x - wide - 4
    assert columns.max() < x + wide + 4


def test_a_source_without_anybody_is_refused_and_nothing_is_left(model, tmp_path):
    path = tmp_path / "room.mp4"
    with VideoWriter(path, (160, 120), fps=10) as writer:
        for _ in range(5):
            writer.write(np.full((120, 160, 3), 90, np.uint8))
    with pytest.raises(PoseError, match="nobody"):
        transfer(model, path, tmp_path / "fake.mp4", cache=tmp_path / "cache")
    assert not (tmp_path / "fake.mp4").exists()


def test_a_corpus_pairs_every_fake_with_the_frames_it_mirrors(model_folder, recording, tmp_path):
    from small_runs import small_config

    other = tmp_path / "waver.mp4"
    film(other, Performer.from_seed(5), "wave", seconds=1.5, fps=12, size=(240, 320))
    train([other], tmp_path / "waver", small_config(steps=2), subject="waver")
    out = tmp_path / "corpus"
    make_corpus([model_folder, tmp_path / "waver"], [recording, other], out, cross=1)
    corpus = Corpus.load(out)
    kinds = sorted((clip.subject, clip.kind, clip.label) for clip in corpus.clips)
    assert kinds == [
        ("dancer", "cross", "fake"),
        ("dancer", "recording", "real"),
        ("dancer", "self", "fake"),
        ("dancer", "self", "fake"),
        ("waver", "cross", "fake"),
        ("waver", "recording", "real"),
        ("waver", "self", "fake"),
    ]
    for clip in corpus.clips:
        info = VideoInfo.from_path(corpus.absolute(clip))
        assert info.sha256 == clip.sha256
        assert (read_marks(info.metadata) is not None) == (clip.label == "fake")
        if clip.pair:
            mirrored = VideoInfo.from_path(out / clip.pair)
            assert (info.width, info.height, info.codec, info.pixel_format, info.container) == (
                mirrored.width, mirrored.height, mirrored.codec, mirrored.pixel_format, mirrored.container
            )  # fmt: skip
            assert frame_times(corpus.absolute(clip)) == pytest.approx(frame_times(out / clip.pair), abs=1e-6)
        if clip.kind == "cross":
            assert clip.source_subject != clip.subject
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*.mp4")}
    make_corpus([model_folder, tmp_path / "waver"], [recording, other], out, cross=1)
    assert before == {path: path.stat().st_mtime_ns for path in out.rglob("*.mp4")}
