"""What happens round the painting is tested on a lay figure, with a painter that needs no network; the painting itself
on a generator that was trained for a few steps."""

from __future__ import annotations

import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import c2pa
import lay_figure
import numpy as np
import pytest
import torch
from lay_figure import paint, put_poses
from phone import film_by_phone, sound_packets
from video_files import number

import synthesis.transfer
from dataset.errors import ConsentError, PoseError, ProvenanceError, SynthesisError
from dataset.mannequin import Performer, film
from dataset.provenance import find_identity, read_manifest, read_marks
from dataset.video import VideoInfo, VideoWriter, frame_times, read_frames
from synthesis.batch import output_names, transfer_all
from synthesis.consent import PERSON, RESEARCH_ONLY, Basis
from synthesis.model import TargetModel
from synthesis.networks.generator import CompactGenerator
from synthesis.transfer import Choices, Transferred, beside_path, generate, transfer

EMPTY = 3


@pytest.fixture(scope="module")
def figure() -> TargetModel:
    """A model without a network."""
    return lay_figure.lay_figure()


@pytest.fixture
def painter(monkeypatch: pytest.MonkeyPatch) -> None:
    """Paints without a network."""
    monkeypatch.setattr(synthesis.transfer, "generate", paint)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Poses of the source are here."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Path:
    """Filmed by a phone: turned, at a variable rate, with sound, and nobody there at first."""
    path = tmp_path_factory.mktemp("source") / "phone.mp4"
    film_by_phone(path)
    put_poses(cache, path, empty=EMPTY)
    return path


@pytest.fixture(scope="module")
def made(
    figure: TargetModel, source: Path, cache: Path, tmp_path_factory: pytest.TempPathFactory
) -> Transferred:
    """One transfer with all that it can write."""
    out = tmp_path_factory.mktemp("made") / "fake.mp4"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(synthesis.transfer, "generate", paint)
        return transfer(figure, source, out, cache=cache, choices=Choices(crf=5, side_by_side=True))


def test_every_frame_keeps_its_time_to_the_millisecond(
    made: Transferred, source: Path, figure: TargetModel
) -> None:
    assert frame_times(made.path) == pytest.approx(frame_times(source), abs=0.0005)
    assert made.frames == len(frame_times(source)) == 13
    assert made.without_person == EMPTY
    info = VideoInfo.from_path(made.path)
    assert (info.width, info.height) == figure.poses.size
    assert not info.constant_rate


def test_the_sound_comes_along_as_it_is(made: Transferred, source: Path) -> None:
    assert sound_packets(made.path) == sound_packets(source)


def test_what_is_made_says_so_itself(made: Transferred, figure: TargetModel) -> None:
    mark = read_marks(VideoInfo.from_path(made.path).metadata)
    assert mark is not None
    assert "Synthetic" in mark
    assert figure.sha256 in mark


def test_what_is_made_is_signed_with_its_lineage(
    made: Transferred, source: Path, figure: TargetModel
) -> None:
    state = read_manifest(made.path)
    assert (state.integrity, state.authenticity) == ("valid", "development")
    assert state.says_synthetic
    assert state.statement == {
        "tool": "synthesize transfer", "kind": "cross", "model_sha256": figure.sha256, "consent": "mannequin",
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
    assert sound_packets(made.beside) == sound_packets(source)
    assert read_manifest(made.beside).statement["picture"] == "side by side"
    for row, (strip, result) in enumerate(zip(read_frames(made.beside), read_frames(made.path), strict=True)):
        panels = np.split(strip.image, [left, left + plain.width], axis=1)
        assert number(panels[0]) == row
        assert (panels[1].min(axis=2) > 200).mean() > 0.5  # thin lines on white
        assert (panels[1] < 100).any() == (row >= EMPTY)
        assert np.abs(panels[2].astype(int) - result.image).mean() < 3


def test_where_nobody_is_the_bare_plate_is_shown(made: Transferred, figure: TargetModel) -> None:
    for row, frame in enumerate(read_frames(made.path)):
        painted = (np.abs(frame.image.astype(int) - figure.plate).max(axis=2) > 60).any()
        assert painted == (row >= EMPTY)


def test_generation_is_deterministic(model: TargetModel) -> None:
    first, second = (np.stack(list(generate(model, model.poses[:6], model.plate))) for _ in range(2))
    assert (first == second).all()


@pytest.mark.parametrize(("bias", "kept"), [(20.0, True), (-20.0, False)])
def test_what_the_generator_keeps_of_the_frame_before_is_taken_from_the_large_person(
    model_folder: Path, bias: float, kept: bool
) -> None:
    model = TargetModel.load(model_folder)
    generator, gallery = model.generator, model.gallery
    assert isinstance(generator, CompactGenerator)
    assert generator.stay is not None
    assert gallery is not None
    decide = generator.stay[-1]
    assert isinstance(decide, torch.nn.Conv2d)
    assert decide.bias is not None
    torch.nn.init.zeros_(decide.weight)
    torch.nn.init.constant_(decide.bias, bias)
    stands = {name: np.repeat(points[5:6], 2, axis=0) for name, points in model.poses.parts().items()}
    painted = generate(model, model.poses[5:7].with_parts(stands), model.plate)
    first = next(painted).astype(int)
    for item in gallery.items:  # from now on the pictures of the target are black
        item.picture[:] = 0
    second = next(painted).astype(int)
    person = np.abs(first - model.plate).max(axis=2) > 40
    assert person.sum() > 200
    change = float(np.abs(second - first)[person].mean())
    assert (change < 10) if kept else (change > 25), change


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


def test_a_trained_model_moves_like_somebody_it_has_never_seen(model: TargetModel, tmp_path: Path) -> None:
    film(tmp_path / "source.mp4", Performer.from_seed(8), "wave", seconds=0.8, fps=10, size=(160, 240))
    made = transfer(model, tmp_path / "source.mp4", tmp_path / "fake.mp4", cache=tmp_path)
    assert made.frames == 8
    assert made.without_person == 0
    assert read_manifest(made.path).integrity == "valid"
    for frame in read_frames(made.path):
        assert (np.abs(frame.image.astype(int) - model.plate).max(axis=2) > 60).any()


@pytest.mark.usefixtures("painter")
def test_choices_are_handed_on(
    figure: TargetModel, source: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def cached(video: Path, folder: Path, *, person: str, progress: object) -> object:
        asked.append(person)
        return known(video, folder)

    def normalized(source: object, target: object, *, limbs: bool) -> object:
        asked.append(limbs)
        return normal(source, target, limbs=limbs)

    known, normal = synthesis.transfer.cached_poses, synthesis.transfer.normalize
    monkeypatch.setattr(synthesis.transfer, "cached_poses", cached)
    monkeypatch.setattr(synthesis.transfer, "normalize", normalized)
    transfer(
        figure, source, tmp_path / "a.mp4", cache=cache, choices=Choices("left", limbs=True, sound=False)
    )
    assert asked == ["left", True]
    assert not VideoInfo.from_path(tmp_path / "a.mp4").has_audio
    assert not beside_path(tmp_path / "a.mp4").exists()


@pytest.mark.usefixtures("painter")
def test_motion_of_the_models_own_recording_is_called_so(
    figure: TargetModel, source: Path, cache: Path, tmp_path: Path
) -> None:
    digest = VideoInfo.from_path(source).sha256
    own = replace(figure, recordings=[{"name": "phone.mp4", "sha256": digest}])
    transfer(own, source, tmp_path / "a.mp4", cache=cache)
    assert read_manifest(tmp_path / "a.mp4").statement["kind"] == "self"


def test_a_source_without_anybody_is_refused_and_nothing_is_left(figure: TargetModel, tmp_path: Path) -> None:
    path = empty_room(tmp_path / "room.mp4")
    with pytest.raises(PoseError, match="nobody"):
        transfer(figure, path, tmp_path / "fake.mp4", cache=tmp_path / "cache")
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["cache", "room.mp4"]


def empty_room(path: Path) -> Path:
    with VideoWriter(path, (160, 120), fps=10) as writer:
        for _ in range(5):
            writer.write(np.full((120, 160, 3), 90, np.uint8))
    return path


def test_a_kind_of_file_that_cannot_be_signed_is_refused_before_the_work(
    figure: TargetModel, tmp_path: Path
) -> None:
    with pytest.raises(
        ProvenanceError, match=r"fake\.mkv: a \.mkv file cannot carry .* write \.mp4 or \.mov"
    ):
        transfer(figure, tmp_path / "not looked at.mp4", tmp_path / "fake.mkv", cache=tmp_path)


@pytest.mark.usefixtures("painter")
def test_a_failing_signature_is_an_error_and_leaves_no_video(
    figure: TargetModel, source: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise c2pa.C2paError("no more ink")

    identity = find_identity()
    monkeypatch.setattr(c2pa.Builder, "sign", refuse)
    with pytest.raises(ProvenanceError, match="no more ink"):
        transfer(figure, source, tmp_path / "fake.mp4", cache=cache, identity=identity)
    assert list(tmp_path.iterdir()) == []


def test_a_model_whose_consent_has_run_out_moves_nobody(
    figure: TargetModel, source: Path, tmp_path: Path
) -> None:
    over = replace(figure, consent=Basis(PERSON, "ann", "ab" * 32, expires="2020-01-01"))
    with pytest.raises(ConsentError, match="the consent of ann ran out on 2020-01-01"):
        transfer(over, source, tmp_path / "fake.mp4", cache=tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("painter")
def test_research_only_is_stamped_on_everything(
    figure: TargetModel, source: Path, cache: Path, tmp_path: Path
) -> None:
    stamped = replace(figure, consent=Basis(RESEARCH_ONLY, "somebody"))
    transfer(stamped, source, tmp_path / "fake.mp4", cache=cache)
    mark = read_marks(VideoInfo.from_path(tmp_path / "fake.mp4").metadata)
    statement = read_manifest(tmp_path / "fake.mp4").statement
    assert mark is not None
    assert "For research only" in mark
    assert "somebody" not in mark
    assert statement["research_only"] is True
    assert "subject" not in statement


@pytest.mark.usefixtures("painter")
def test_a_person_is_named_only_where_the_consent_covers_publication(
    figure: TargetModel, source: Path, cache: Path, tmp_path: Path
) -> None:
    for public in (True, False):
        ann = replace(figure, consent=Basis(PERSON, "ann", "ab" * 32, public_name=public))
        made = transfer(ann, source, tmp_path / f"{public}.mp4", cache=cache)
        statement = read_manifest(made.path).statement
        assert statement.get("subject") == ("ann" if public else None)
        assert statement["consent_sha256"] == "ab" * 32
        assert any("was not found again" in note for note in made.notes)


@pytest.mark.usefixtures("painter")
def test_one_bad_source_does_not_stop_the_others(
    figure: TargetModel, source: Path, cache: Path, tmp_path: Path
) -> None:
    (tmp_path / "broken.mp4").write_bytes(b"no video")
    sources = [tmp_path / "broken.mp4", source, tmp_path / "missing.mp4", empty_room(tmp_path / "room.mp4")]
    outcomes = list(transfer_all(figure, sources, tmp_path / "out", cache=cache))
    assert [outcome.error is None for outcome in outcomes] == [False, True, False, False]
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["phone.mp4"]
    with pytest.raises(SynthesisError, match="no source"):
        list(transfer_all(figure, [], tmp_path / "out", cache=cache))


def test_sources_of_one_name_get_results_of_two() -> None:
    sources = [Path("a/x.mp4"), Path("b/x.mov"), Path("c/y.mp4")]
    assert [path.name for path in output_names(sources, Path("out"))] == ["x.mp4", "x_2.mp4", "y.mp4"]


def test_the_source_is_never_overwritten(figure: TargetModel, tmp_path: Path) -> None:
    room = empty_room(tmp_path / "room.mp4")
    before = room.read_bytes()
    (outcome,) = transfer_all(figure, [room], tmp_path, cache=tmp_path)
    assert "would be overwritten" in str(outcome.error)
    assert room.read_bytes() == before
    strip = empty_room(beside_path(room))
    with pytest.raises(SynthesisError, match="would be overwritten"):
        transfer(figure, strip, room, cache=tmp_path, choices=Choices(side_by_side=True))


def test_killed_while_signing_no_video_is_there(source: Path, cache: Path, tmp_path: Path) -> None:
    out = tmp_path / "fake.mp4"
    command = [sys.executable, lay_figure.__file__, *map(str, (source, out, cache))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "signing\n"
        process.send_signal(signal.SIGKILL)
    assert not list(tmp_path.glob("*.mp4"))
