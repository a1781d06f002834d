from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from browser import Browser

from dataset.errors import RecordError, SynthesisError
from dataset.provenance import read_manifest, read_marks
from dataset.video import VideoInfo, VideoWriter, frame_times, read_frames
from synthesis.study import Material, analyse, make_study
from synthesis.study.analyse import Share

PAIRS = 4


def write_video(path: Path, shade: int, frames: int = 12) -> Path:
    with VideoWriter(path, (96, 64), fps=12) as video:
        for index in range(frames):
            image = np.full((64, 96, 3), shade, np.uint8)
            image[20:40, 4 * index : 4 * index + 20] = 255 - shade
            video.write(image)
    return path


@pytest.fixture(scope="module")
def material(tmp_path_factory):
    folder = tmp_path_factory.mktemp("videos")
    return [
        Material(who, write_video(folder / f"{who}_one.mp4", 40), write_video(folder / f"{who}_two.mp4", 90))
        for who in ("ada", "ben")
    ]


def make(material, out, **options):
    return make_study(("plainsystem", "fancysystem"), material, out, pairs=PAIRS, seconds=0.3, **options)


@pytest.fixture(scope="module")
def folder(material, tmp_path_factory):
    out = tmp_path_factory.mktemp("study")
    make(material, out)
    return out


def key_of(folder):
    return json.loads((folder / "key.json").read_text("utf-8"))


def write_answers(path, key, prefer, *, rater="r1", passes=True):
    """Answers of somebody who prefers a system in every pair, or alternates."""
    practice = key["practice"]
    other = {"left": "right", "right": "left"}
    answers = [
        {
            "item": practice["id"],
            "choice": practice["right_answer"] if passes else other[practice["right_answer"]],
        }
    ]
    for number, (item, entry) in enumerate(key["items"].items()):
        wanted = prefer if isinstance(prefer, str) else prefer[number]
        answers.append({"item": item, "choice": "left" if entry["left"] == wanted else "right"})
    record = {"schema": 1, "study": key["study"], "rater": rater, "answers": answers}
    path.write_text(json.dumps(record), "utf-8")
    return path


def test_the_page_does_not_tell_the_systems_apart_and_asks_nobody_for_anything(folder):
    page = (folder / "study.html").read_text("utf-8")
    assert "plainsystem" not in page
    assert "fancysystem" not in page
    assert "http" not in page
    assert page.count("data:video/mp4;base64,") == 2 * (PAIRS + 1)
    assert "Every video to choose from is synthetic" in page
    assert "For research only" in page  # nothing is known of the ground of these videos


def test_sides_subjects_and_time_are_balanced(folder):
    items = list(key_of(folder)["items"].values())
    assert sum(item["left"] == "plainsystem" for item in items) == PAIRS // 2
    assert sorted(item["subject"] for item in items) == ["ada", "ada", "ben", "ben"]
    assert {item["start_frame"] for item in items} == {0, 8}


def test_a_seed_makes_the_same_study_and_another_seed_another(material, folder, tmp_path):
    again, other = tmp_path / "again", tmp_path / "other"
    make(material, again)
    make(material, other, seed=5)
    assert key_of(again) == key_of(folder)
    assert key_of(other)["study"] != key_of(folder)["study"]


def test_clips_are_marked_signed_and_of_the_length_asked_for(material, tmp_path):
    make(material, tmp_path, beside=True)
    clips = sorted((tmp_path / "clips").glob("*.mp4"))
    assert len(clips) == 2 * (PAIRS + 1)
    for clip in clips:
        assert len(frame_times(clip)) == 4
        assert "Synthetic" in (read_marks(VideoInfo.from_path(clip).metadata) or "")
        state = read_manifest(clip)
        assert (state.integrity, state.says_synthetic) == ("valid", True)
        assert state.statement["research_only"]


def test_a_filmed_clip_is_shown_for_comparison_and_never_offered_as_synthetic(material, tmp_path):
    real = write_video(tmp_path / "real.mp4", 200)
    one = material[0]
    make([Material(one.subject, one.first, one.second, real, "person")], tmp_path / "study", beside=True)
    page = (tmp_path / "study" / "study.html").read_text("utf-8")
    assert "For research only" not in page
    filmed = 0
    for clip in (tmp_path / "study" / "clips").glob("*.mp4"):
        image = next(iter(read_frames(clip))).image
        # The filmed one is the only one with a dark figure on a light ground; the spoilt one has no figure left.
        if image[5, 90].mean() > 180:
            filmed += 1
            assert read_manifest(clip).integrity == "none"
        else:
            assert read_manifest(clip).says_synthetic
    assert filmed == PAIRS + 1


def test_videos_of_different_length_are_no_pair(material, tmp_path):
    short = write_video(tmp_path / "short.mp4", 60, frames=8)
    with pytest.raises(SynthesisError, match="differ in length"):
        make([Material("ada", material[0].first, short)], tmp_path / "study")


def test_videos_shorter_than_a_clip_are_refused(material, tmp_path):
    with pytest.raises(SynthesisError, match="shorter than a clip"):
        make_study(("a", "b"), material, tmp_path, seconds=3)


def test_shares_are_counted_per_subject_and_rater(folder, tmp_path):
    key = key_of(folder)
    subjects = [item["subject"] for item in key["items"].values()]
    mixed = ["fancysystem" if who == "ada" else "plainsystem" for who in subjects]
    files = [
        write_answers(tmp_path / "1.json", key, "fancysystem", rater="r1"),
        write_answers(tmp_path / "2.json", key, mixed, rater="r2"),
    ]
    found = analyse(files, [folder / "key.json"])
    assert found.total == Share(6, 8)
    assert found.subjects == {"ada": Share(4, 4), "ben": Share(2, 4)}
    assert found.raters == {"r1": Share(4, 4), "r2": Share(2, 4)}
    table = found.markdown()
    assert "| % preferring fancysystem over plainsystem | ada | ben | total |" in table
    assert "| share | 100.0 | 50.0 | 75.0 |" in table


def test_raters_who_prefer_the_spoilt_clip_are_left_out_and_named(folder, tmp_path):
    key = key_of(folder)
    files = [
        write_answers(tmp_path / "1.json", key, "fancysystem", rater="careful"),
        write_answers(tmp_path / "2.json", key, "plainsystem", rater="asleep", passes=False),
    ]
    found = analyse(files, [folder / "key.json"])
    assert found.failed == ("asleep",)
    assert found.total == Share(4, 4)
    assert "| asleep | 0.0 |" in found.markdown()


def test_answers_without_their_key_and_answers_given_twice_are_refused(material, folder, tmp_path):
    make(material, tmp_path / "other", seed=9)
    stranger = write_answers(tmp_path / "s.json", key_of(tmp_path / "other"), "fancysystem")
    with pytest.raises(RecordError, match="no key of study"):
        analyse([stranger], [folder / "key.json"])
    key = key_of(folder)
    one = write_answers(tmp_path / "1.json", key, "fancysystem")
    two = write_answers(tmp_path / "2.json", key, "plainsystem")
    with pytest.raises(RecordError, match="answered before"):
        analyse([one, two], [folder / "key.json"])
    assert analyse([one, one], [folder / "key.json"]).total == Share(4, 4)


@pytest.mark.parametrize(
    "text", ["", "[]", '{"schema": 1}', '{"schema": 1, "study": "x", "rater": "r", "answers": [1]}']
)
def test_files_that_are_no_answers_are_refused(folder, tmp_path, text):
    path = tmp_path / "a.json"
    path.write_text(text, "utf-8")
    with pytest.raises(RecordError):
        analyse([path], [folder / "key.json"])


@pytest.mark.parametrize(("second", "of"), [(0, 5), (5, 5), (13, 20), (1, 100), (588, 1000)])
def test_intervals_are_those_of_the_textbook(second, of):
    from scipy.stats import binomtest

    test = binomtest(second, of)
    for method, mine in (("wilson", Share(second, of).wilson()), ("exact", Share(second, of).exact())):
        expected = test.proportion_ci(0.95, method=method)
        assert mine == pytest.approx((expected.low, expected.high), abs=1e-9)


@pytest.mark.slow
def test_a_rater_answers_by_keyboard_in_a_real_browser(folder, tmp_path):
    key = key_of(folder)
    with Browser(tmp_path / "profile", tmp_path / "downloads") as browser:
        browser.open(folder / "study.html")
        browser.ask("document.getElementById('rater').value = 'rater 7'")
        browser.press("Enter")
        items = [key["practice"]["id"], *key["items"]]
        shown = browser.ask("page.items.map(item => item.id)")
        assert sorted(shown) == sorted(items)
        for number, item in enumerate(shown):
            browser.wait_for(f"index === {number}")
            if number == 1:
                browser.press("ArrowLeft")  # too early: the videos have not played through
                assert browser.ask("record.answers.length") == 1
            browser.wait_for("open")
            assert browser.ask("document.getElementById('left').videoWidth") == 96
            assert browser.ask("document.getElementById('trouble').hidden")
            if number == 2:
                browser.press("r")
                assert browser.ask("replays") == 1
            if item == key["practice"]["id"]:
                side = key["practice"]["right_answer"]
            else:
                side = "left" if key["items"][item]["left"] == "fancysystem" else "right"
            browser.press("ArrowLeft" if side == "left" else "ArrowRight")
        browser.wait_for("!document.getElementById('end').hidden")
        text = browser.ask("document.getElementById('text').value")
        browser.press("ArrowLeft")  # nothing happens any more
        assert browser.ask("record.answers.length") == PAIRS + 1
        saved = wait_for_file(tmp_path / "downloads", browser)
        assert browser.complaints == []
    record = json.loads(saved.read_text("utf-8"))
    assert record == json.loads(text)
    assert record["rater"] == "rater 7"
    assert [answer["item"] for answer in record["answers"]] == shown
    found = analyse([saved], [folder / "key.json"])
    assert (found.total, found.failed) == (Share(PAIRS, PAIRS), ())


def wait_for_file(folder, browser):
    import time

    until = time.monotonic() + 30
    while time.monotonic() < until:
        browser.ask("1")  # keeps the pipe read
        if found := list(folder.glob("answers_*.json")):
            return found[0]
        time.sleep(0.1)
    raise AssertionError("the answers were not downloaded")
