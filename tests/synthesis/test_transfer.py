from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import c2pa
import numpy as np
import pytest
from phone import film_by_phone, sound_packets
from two_people import film_two

from dataset.errors import ConsentError, PoseError, ProvenanceError, SynthesisError
from dataset.pose.keypoints import B
from dataset.provenance import read_manifest, read_marks
from dataset.video import VideoInfo, VideoWriter, frame_times, read_frames
from synthesis.batch import output_names, transfer_all
from synthesis.consent import PERSON, RESEARCH_ONLY, Basis
from synthesis.model import TargetModel
from synthesis.transfer import Choices, Transferred, beside_path, generate, transfer


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Poses that several tests need."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Filmed by a phone: turned, at a variable rate, with sound, and nobody there at first."""
    path = tmp_path_factory.mktemp("source") / "phone.mp4"
    film_by_phone(path)
    return path


@pytest.fixture(scope="module")
def made(
    model: TargetModel, source: Path, cache: Path, tmp_path_factory: pytest.TempPathFactory
) -> Transferred:
    """One transfer with all that it can write."""
    out = tmp_path_factory.mktemp("made") / "fake.mp4"
    return transfer(model, source, out, cache=cache, choices=Choices(crf=5, side_by_side=True))


def test_every_frame_keeps_its_time_to_the_millisecond(
    made: Transferred, source: Path, model: TargetModel
) -> None:
    assert frame_times(made.path) == pytest.approx(frame_times(source), abs=0.0005)
    assert made.frames == len(frame_times(source)) == 13
    assert made.without_person >= 3
    info = VideoInfo.from_path(made.path)
    assert (info.width, info.height) == model.poses.size
    assert not info.constant_rate


def test_the_sound_comes_along_as_it_is(made: Transferred, source: Path) -> None:
    assert sound_packets(made.path) == sound_packets(source)


def test_what_is_made_says_so_itself(made: Transferred, model: TargetModel) -> None:
    mark = read_marks(VideoInfo.from_path(made.path).metadata)
    assert mark is not None
    assert "Synthetic" in mark
    assert model.sha256 in mark


def test_what_is_made_is_signed_with_its_lineage(made: Transferred, source: Path, model: TargetModel) -> None:
    state = read_manifest(made.path)
    assert (state.integrity, state.authenticity) == ("valid", "development")
    assert state.says_synthetic
    assert state.statement == {
        "tool": "synthesize transfer", "kind": "cross", "model_sha256": model.sha256, "consent": "mannequin",
        "motion_sha256": VideoInfo.from_path(source).sha256, "subject": "dancer", "research_only": False,
    }  # fmt: skip
    with c2pa.Reader(made.path) as reader:
        assert reader.get_validation_state() == "Valid"


def test_source_stick_figure_and_result_stand_side_by_side(made: Transferred, source: Path) -> None:
    assert made.beside == beside_path(made.path)
    info, plain, given = (VideoInfo.from_path(path) for path in (made.beside, made.path, source))
    left = round(given.width * plain.height / given.height)
    assert (info.width, info.height) == (left + 2 * plain.width, plain.height)
    assert frame_times(made.beside) == pytest.approx(frame_times(source), abs=0.0005)
    assert read_manifest(made.beside).statement["picture"] == "side by side"
    strips, frames, sources = (list(read_frames(path)) for path in (made.beside, made.path, source))
    last = strips[-1].image.astype(int)
    assert np.abs(last[:, -plain.width :] - frames[-1].image).mean() < 3
    assert np.abs(last[::4, :left:4].mean() - sources[-1].image.mean()) < 5
    figure = strips[-1].image[:, left : left + plain.width]
    assert (figure.max(axis=2) < 60).mean() > 0.5  # thin lines on black
    assert (figure.max(axis=2) > 150).any()
    assert (strips[0].image[:, left : left + plain.width] < 60).all()  # nobody is there yet


def test_where_nobody_is_the_bare_plate_is_shown(made: Transferred, model: TargetModel) -> None:
    frames = list(read_frames(made.path))
    first, last = (np.abs(frame.image.astype(int) - model.plate).mean() for frame in (frames[0], frames[-1]))
    assert first < 3
    assert last > first


def test_generation_is_deterministic(model: TargetModel) -> None:
    first, second = (np.stack(list(generate(model, model.poses[:6], model.plate))) for _ in range(2))
    assert (first == second).all()


def test_only_the_surroundings_of_the_person_are_painted(model: TargetModel) -> None:
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


def test_the_person_who_is_asked_for_moves_the_target(
    model: TargetModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both stand in place, so where each of them is in the source tells whose motion it is."""
    film_two(tmp_path / "pair.mp4", seconds=0.75)
    seen: list[float] = []
    import synthesis.transfer as module

    def look(source, target, **how):  # type: ignore[no-untyped-def]
        seen.append(float(np.median(source.body[source.present(), B["MidHip"], 0])))
        return normal(source, target, **how)

    normal = module.normalize
    monkeypatch.setattr(module, "normalize", look)
    for person in ("left", "right"):
        transfer(
            model, tmp_path / "pair.mp4", tmp_path / f"{person}.mp4", cache=tmp_path / "cache", choices=Choices(person)
        )  # fmt: skip
    assert seen[0] < 160 < seen[1]
    with pytest.raises(PoseError, match="no person number 5"):
        transfer(
            model, tmp_path / "pair.mp4", tmp_path / "x.mp4", cache=tmp_path / "cache", choices=Choices("5")
        )


def test_a_source_without_anybody_is_refused_and_nothing_is_left(model: TargetModel, tmp_path: Path) -> None:
    path = empty_room(tmp_path / "room.mp4")
    with pytest.raises(PoseError, match="nobody"):
        transfer(model, path, tmp_path / "fake.mp4", cache=tmp_path / "cache")
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["cache", "room.mp4"]


def empty_room(path: Path) -> Path:
    with VideoWriter(path, (160, 120), fps=10) as writer:
        for _ in range(5):
            writer.write(np.full((120, 160, 3), 90, np.uint8))
    return path


def test_a_kind_of_file_that_cannot_be_signed_is_refused_before_the_work(
    model: TargetModel, tmp_path: Path
) -> None:
    with pytest.raises(
        ProvenanceError, match=r"fake\.mkv: a \.mkv file cannot carry .* write \.mp4 or \.mov"
    ):
        transfer(model, tmp_path / "not looked at.mp4", tmp_path / "fake.mkv", cache=tmp_path)


def test_a_failing_signature_is_an_error_and_leaves_no_video(
    model: TargetModel, source: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise c2pa.C2paError("no more ink")

    from dataset.provenance import find_identity

    identity = find_identity()
    monkeypatch.setattr(c2pa.Builder, "sign", refuse)
    with pytest.raises(ProvenanceError, match="no more ink"):
        transfer(model, source, tmp_path / "fake.mp4", cache=cache, identity=identity)
    assert list(tmp_path.iterdir()) == []


def test_a_model_whose_consent_has_run_out_moves_nobody(
    model: TargetModel, source: Path, tmp_path: Path
) -> None:
    over = replace(model, consent=Basis(PERSON, "ann", "ab" * 32, expires="2020-01-01"))
    with pytest.raises(ConsentError, match="the consent of ann ran out on 2020-01-01"):
        transfer(over, source, tmp_path / "fake.mp4", cache=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_research_only_is_stamped_on_everything(
    model: TargetModel, source: Path, cache: Path, tmp_path: Path
) -> None:
    stamped = replace(model, consent=Basis(RESEARCH_ONLY, "somebody"))
    transfer(stamped, source, tmp_path / "fake.mp4", cache=cache)
    mark = read_marks(VideoInfo.from_path(tmp_path / "fake.mp4").metadata)
    statement = read_manifest(tmp_path / "fake.mp4").statement
    assert mark is not None
    assert "For research only" in mark
    assert "somebody" not in mark
    assert statement["research_only"] is True
    assert "subject" not in statement


def test_a_person_is_named_only_where_the_consent_covers_publication(
    model: TargetModel, source: Path, cache: Path, tmp_path: Path
) -> None:
    for public in (True, False):
        ann = replace(model, consent=Basis(PERSON, "ann", "ab" * 32, public_name=public))
        made = transfer(ann, source, tmp_path / f"{public}.mp4", cache=cache)
        statement = read_manifest(made.path).statement
        assert statement.get("subject") == ("ann" if public else None)
        assert statement["consent_sha256"] == "ab" * 32
        assert any("was not found again" in note for note in made.notes)


def test_one_bad_source_does_not_stop_the_others(
    model: TargetModel, source: Path, cache: Path, tmp_path: Path
) -> None:
    (tmp_path / "broken.mp4").write_bytes(b"no video")
    sources = [tmp_path / "broken.mp4", source, tmp_path / "missing.mp4", empty_room(tmp_path / "room.mp4")]
    outcomes = list(transfer_all(model, sources, tmp_path / "out", cache=cache))
    assert [outcome.error is None for outcome in outcomes] == [False, True, False, False]
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["phone.mp4"]
    with pytest.raises(SynthesisError, match="no source"):
        list(transfer_all(model, [], tmp_path / "out", cache=cache))


def test_sources_of_one_name_get_results_of_two() -> None:
    sources = [Path("a/x.mp4"), Path("b/x.mov"), Path("c/y.mp4")]
    assert [path.name for path in output_names(sources, Path("out"))] == ["x.mp4", "x_2.mp4", "y.mp4"]


def test_the_source_is_never_overwritten(model: TargetModel, tmp_path: Path) -> None:
    room = empty_room(tmp_path / "room.mp4")
    before = room.read_bytes()
    (outcome,) = transfer_all(model, [room], tmp_path, cache=tmp_path)
    assert "would be overwritten" in str(outcome.error)
    assert room.read_bytes() == before
    strip = empty_room(beside_path(room))
    with pytest.raises(SynthesisError, match="would be overwritten"):
        transfer(model, strip, room, cache=tmp_path, choices=Choices(side_by_side=True))


_KILLED = textwrap.dedent(
    """
    import sys, time
    from pathlib import Path
    import c2pa
    from synthesis.model import TargetModel
    from synthesis.transfer import transfer
    from dataset.provenance import find_identity

    identity = find_identity()
    real = c2pa.Builder.sign
    def halt(self, signer, media_type, source, dest):
        dest.write(source.read(5000)); dest.flush()
        print("signing", flush=True)
        time.sleep(60)
    c2pa.Builder.sign = halt
    model, source, out, cache = map(Path, sys.argv[1:])
    transfer(TargetModel.load(model), source, out, cache=cache, identity=identity)
    """
)


def test_killed_while_signing_no_video_is_there(
    model_folder: Path, source: Path, made: Transferred, cache: Path, tmp_path: Path
) -> None:
    out = tmp_path / "fake.mp4"
    command = [sys.executable, "-c", _KILLED, *map(str, (model_folder, source, out, cache))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "signing\n"
        process.send_signal(signal.SIGKILL)
    assert not list(tmp_path.glob("*.mp4"))
    assert made.frames  # its poses were in the cache, so the process had them
