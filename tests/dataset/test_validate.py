"""Every rule of `dataset validate`, each with a release that breaks it and no other."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from release_ground import (
    add_fake,
    disc_film,
    edit_json,
    edit_rows,
    replace_video,
    seal,
    small_collection,
    small_release,
)

from dataset.collection import Collection, Consent
from dataset.errors import ReleaseError
from dataset.files import sha256_file
from dataset.release.build import build
from dataset.release.encode import encode, statement_of
from dataset.release.leakage import auc, trials
from dataset.release.validate import RULES, Finding, validate, validate_collection

Row = dict[str, Any]


def check(release: Path, **options: Any) -> list[Finding]:
    return validate(release, workers=1, **options)


def broken(release: Path, **options: Any) -> set[str]:
    return {finding.rule for finding in check(release, **options)}


@pytest.fixture
def release(tmp_path: Path) -> Path:
    """A release with nothing wrong in it."""
    return small_release(tmp_path / "c")


@pytest.fixture
def of_people(tmp_path: Path) -> Path:
    """A release of people who signed."""
    return small_release(tmp_path / "p", 3, people=True)


def test_a_fresh_release_keeps_every_rule(release: Path, of_people: Path) -> None:
    assert check(release) == []
    assert check(of_people) == []


def test_every_rule_has_a_line_that_says_what_it_demands() -> None:
    assert all((rule.check.__doc__ or "").strip() for rule in RULES.values())


def test_manifest_a_file_too_many_and_one_too_few(release: Path) -> None:
    (release / "notes.txt").write_text("forgotten", "utf-8")
    (finding,) = check(release)
    assert (finding.rule, finding.item) == ("manifest", "notes.txt")
    (release / "notes.txt").unlink()
    (release / "contact_sheet.jpg").unlink()
    assert str(check(release)[0]) == "error: manifest: contact_sheet.jpg: is in the manifest, but not there"


def test_hashes_of_a_file_that_was_changed(release: Path) -> None:
    with open(release / "contact_sheet.jpg", "ab") as out:
        out.write(b"\0")
    assert [(finding.rule, finding.item) for finding in check(release)] == [("hashes", "contact_sheet.jpg")]


def test_schema_of_a_table_with_another_column(release: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = next((release / "data" / "poses").glob("test-*.parquet"))
    table = pq.read_table(path)
    pq.write_table(table.append_column("more", pa.array([1] * len(table))), path)
    seal(release)
    assert broken(release) == {"schema"}


def test_schema_of_a_pair_that_is_in_one_configuration_only(release: Path) -> None:
    def forget(row: Row) -> Row:
        return {**row, "pair": None} if row["id"] == "d1-self-d1-r0" else row

    edit_rows(release, "recordings", forget)
    # Who counts pairs notices as well.
    assert broken(release, rules=[name for name in RULES if name != "figures"]) == {"schema"}


def test_same_video_where_the_row_holds_another(release: Path) -> None:
    def other(row: Row) -> Row:
        if row["id"] == "d1-r0":
            row["video"]["bytes"] += b"\0\0\0\x08free"
        return row

    edit_rows(release, "recordings", other)
    assert broken(release) == {"same video"}


def test_decodes_a_video_with_frames_that_are_damaged(release: Path) -> None:
    path = release / "videos" / "d6" / "d6-r0.mp4"
    content = bytearray(path.read_bytes())
    start = content.index(b"mdat")
    content[start + 400 :] = bytes(len(content) - start - 400)
    damaged = release.parent / "damaged.mp4"
    damaged.write_bytes(content)
    replace_video(release, "d6-r0", damaged)
    assert "decodes" in broken(release)
    assert broken(release) <= {"decodes", "codec leakage", "near duplicates"}


def test_frames_of_a_row_that_tells_other_times(release: Path) -> None:
    def late(row: Row) -> Row:
        if row["id"] == "d1-r0":
            row["times"] = [time + 0.01 * (number == 3) for number, time in enumerate(row["times"])]
        return row

    edit_rows(release, "recordings", late)
    assert broken(release) == {"frames"}


def test_frames_without_a_pose(release: Path) -> None:
    edit_rows(release, "poses", lambda row: None if (row["id"], row["frame"]) == ("d1-r0", 3) else row)
    # Poses are counted in the front matter too, but not compared: the rule about frames is the one that tells.
    assert broken(release) == {"frames"}


def test_lineage_that_names_another_consent_record(release: Path) -> None:
    def forge(row: Row) -> Row:
        told = json.loads(row["lineage"])
        if row["id"] == "d1-r0":
            told["consent_sha256"]["d1"] = "0" * 64
        return {**row, "lineage": json.dumps(told)}

    edit_rows(release, "recordings", forge)
    assert broken(release) == {"lineage"}


def test_subject_leakage_through_a_generator(release: Path) -> None:
    def trained(row: Row) -> Row:
        told = json.loads(row["lineage"])
        if row["id"] == "d1-self-d1-r0":
            told["generator"]["trained_on"].append({"id": "x", "sha256": "0", "subject": "d5"})
        return {**row, "lineage": json.dumps(told)}

    edit_rows(release, "recordings", trained)
    (finding,) = check(release)
    assert (finding.rule, finding.item) == ("subject leakage", "d5")


def test_source_leakage_of_one_motion_in_two_splits(release: Path) -> None:
    motion: dict[str, str] = {}

    def note(row: Row) -> Row:
        told = json.loads(row["lineage"])
        if row["id"] == "d5-self-d5-r0":
            motion["d5"] = told["motion"]["sha256"]
        return row

    def borrow(row: Row) -> Row:
        told = json.loads(row["lineage"])
        if row["id"] == "d1-self-d1-r0":
            told["motion"]["sha256"] = motion["d5"]
        return {**row, "lineage": json.dumps(told)}

    edit_rows(release, "recordings", note)
    edit_rows(release, "recordings", borrow)
    assert broken(release) == {"source leakage"}


def test_near_duplicates_in_two_splits(release: Path, tmp_path: Path) -> None:
    # d5 (test) shows what d1 (train) shows: the same path of the disc in another light, cut off at the start.
    for name, softness in (("d5-r0", 0.0), ("d5-self-d5-r0", 1.0)):
        film = tmp_path / f"{name}-plain.mp4"
        disc_film(film, 100, softness=softness, shade=12)
        label = "fake" if softness else "real"
        encode(
            film, tmp_path / f"{name}.mp4", statement=statement_of(label, "Rendered video: x", "d5", "0" * 64)
        )
        replace_video(release, name, tmp_path / f"{name}.mp4")
    found = check(release)
    assert {finding.rule for finding in found} <= {"near duplicates", "pairs alike", "figures"}
    assert any(finding.rule == "near duplicates" and "d5" in finding.text + finding.item for finding in found)


def reencoded(release: Path, tmp_path: Path, name: str, crf: int) -> None:
    """Put a copy in a video's place that was encoded at another quality and not filled up."""
    from dataset.video import VideoInfo, VideoWriter, read_frames

    path = release / json.loads((release / "release.json").read_text("utf-8"))["items"][name]["file"]
    info = VideoInfo.from_path(path)
    tags = {key: info.metadata[key] for key in ("comment", "description")}
    with VideoWriter(tmp_path / "copy.mp4", (info.width, info.height), crf=crf, metadata=tags) as writer:
        for frame in read_frames(path):
            writer.write(frame.image, time=frame.time)
    replace_video(release, name, tmp_path / "copy.mp4")


def test_pairs_alike_where_one_fake_was_encoded_otherwise(release: Path, tmp_path: Path) -> None:
    reencoded(release, tmp_path, "d1-self-d1-r0", 30)
    assert broken(release, rules=[name for name in RULES if name != "figures"]) == {"pairs alike"}


def test_codec_leakage_where_all_fakes_were_encoded_otherwise() -> None:
    """Judged on facts of sixty videos: what the rule makes of the facts that a release's files have."""
    random = np.random.default_rng(0)
    sizes = random.lognormal(0, 0.4, 30)
    names = [f"r{number}" for number in range(30)]

    def told(factor: float) -> list[str]:
        facts = [{"bytes per pixel": size, "frames": 16.0} for size in sizes]
        facts += [{"bytes per pixel": size * factor, "frames": 16.0} for size in sizes]
        found = trials(facts, [0] * 30 + [1] * 30, names * 2, names * 2)
        return [trial.by for trial in found if trial.tells]

    assert told(1.0) == []
    assert told(0.4) == ["bytes per pixel", "all facts together"]


def test_codec_leakage_is_found_in_a_release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dataset.release import leakage

    release = small_release(tmp_path / "c")
    # Twelve videos can show only the coarsest leak: the bound is set to what a hundred would have.
    monkeypatch.setattr(leakage, "ERRORS", 1.2)
    assert broken(release, rules=["codec leakage"]) == set()

    for name in ("d1", "d2", "d3", "d4", "d5", "d6"):
        reencoded(release, tmp_path, f"{name}-self-{name}-r0", 40)
    assert broken(release, rules=["codec leakage"]) == {"codec leakage"}


def test_consent_that_ran_out_since(of_people: Path) -> None:
    collection = Collection.open(of_people.parents[1])
    signed = collection.subject("p2").consent
    collection.set_consent("p2", replace(signed, expires="2026-12-31"))
    assert broken(of_people, on=date(2026, 12, 31)) == set()
    found = check(of_people, on=date(2027, 1, 1))
    assert {(finding.rule, finding.item) for finding in found} == {("consent", "p2")}
    assert "ran out on 2026-12-31" in found[0].text


def test_consent_that_was_revoked_for_fakes_alone(of_people: Path) -> None:
    collection = Collection.open(of_people.parents[1])
    consent = collection.subject("p1").consent
    collection.set_consent("p1", replace(consent, scope=("train", "publish", "commercial")))
    (finding,) = check(of_people)
    assert finding.text.startswith("consent does not cover synthesise")


def test_withdrawn_subject_in_an_old_release(of_people: Path) -> None:
    collection = Collection.open(of_people.parents[1])
    collection.set_status("p1", "withdrawn")
    assert broken(of_people) == {"withdrawn"}


def test_research_only_fake_in_a_release(release: Path) -> None:
    collection = Collection.open(release.parents[1])
    fake = next(fake for fake in collection.fakes() if fake.subject == "d1")
    with collection.locked():
        collection.write(replace(fake, research_only=True))
    assert broken(release) == {"research only"}


def test_marks_missing_on_a_fake(release: Path, tmp_path: Path) -> None:
    real = release / "videos" / "d1" / "d1-r0.mp4"
    fake = release / "videos" / "d1" / "d1-self-d1-r0.mp4"
    content = fake.read_bytes()
    # The sentence is as long in both, so the fake can carry that of the recording.
    start, end = content.index(b"Synthetic video:"), real.read_bytes().index(b"Rendered video:")
    assert start == end
    header = content.index(b"mdat")
    silent = tmp_path / "silent.mp4"
    silent.write_bytes(real.read_bytes()[:header] + content[header:])
    replace_video(release, "d1-self-d1-r0", silent)
    assert broken(release) == {"marks"}


def test_private_names_in_a_text(release: Path) -> None:
    collection = Collection.open(release.parents[1])
    collection.private_path("d1").write_text(json.dumps({"name": "Erika Mustermann"}), "utf-8")
    assert check(release) == []
    with open(release / "datasheet.md", "a", encoding="utf-8") as out:
        out.write("With thanks to ERIKA.\n")
    seal(release)
    (finding,) = check(release)
    assert (finding.rule, finding.item) == ("private names", "datasheet.md")
    assert "rika" not in str(finding)


def test_balance_of_a_release_without_fakes(tmp_path: Path) -> None:
    release = build(small_collection(tmp_path / "c", 3, fakes=False), workers=1)
    found = check(release)
    assert {(finding.rule, finding.severity) for finding in found} == {("balance", "warning")}


def test_figures_that_were_counted_otherwise(release: Path) -> None:
    def more(told: Row) -> None:
        told["counts"]["frames"] += 1

    edit_json(release, "release.json", more)
    (finding,) = check(release)
    assert (finding.rule, finding.item) == ("figures", "release.json")


def edited(release: Path, name: str, change: Callable[[str], str]) -> None:
    text = (release / name).read_text("utf-8")
    assert change(text) != text
    (release / name).write_text(change(text), "utf-8")
    seal(release)


def test_figures_in_the_card(release: Path) -> None:
    edited(release, "README.md", lambda text: text.replace("| fake | 4 |", "| fake | 5 |"))
    (finding,) = check(release)
    assert (finding.rule, finding.item) == ("figures", "README.md")


def test_card_whose_front_matter_is_no_yaml(release: Path) -> None:
    edited(release, "README.md", lambda text: text.replace("---\n", "---\n: [\n", 1))
    assert "card" in broken(release)
    assert broken(release) <= {"card", "figures"}


def test_card_that_names_files_that_are_not_there(release: Path) -> None:
    edited(release, "README.md", lambda text: text.replace("data/poses/test-*", "data/poses/tests-*"))
    assert broken(release) == {"card"}


def test_texts_of_another_version(release: Path) -> None:
    edited(release, "CITATION.cff", lambda text: text.replace("1.0.0", "0.9.0"))
    (finding,) = check(release)
    assert (finding.rule, finding.item) == ("texts", "CITATION.cff")


def test_texts_of_croissant_without_its_fields_about_people(release: Path) -> None:
    edit_json(release, "croissant.json", lambda told: told.pop("rai:personalSensitiveInformation"))
    assert broken(release) == {"texts"}


def test_texts_of_tombstones_that_are_not_those_of_the_release(release: Path) -> None:
    edit_json(release, "tombstones.json", lambda told: told["tombstones"].update({"w-1": "2026-05-01"}))
    (finding,) = check(release)
    assert (finding.rule, finding.item) == ("texts", "tombstones.json")


def test_an_unknown_rule_is_refused_with_the_list(release: Path) -> None:
    with pytest.raises(ReleaseError, match="there are: manifest"):
        validate(release, rules=["nonsense"])


def test_a_collection_is_checked_with_its_last_release(release: Path) -> None:
    collection = Collection.open(release.parents[1])
    assert validate_collection(collection, workers=1) == []
    path = collection.path_of(collection.recordings()[0])
    path.write_bytes(path.read_bytes() + b"\0")
    collection.set_consent("d2", Consent.none())
    found = {(finding.rule, finding.severity) for finding in validate_collection(collection, workers=1)}
    assert found == {("collection", "error"), ("collection", "warning"), ("consent", "error")}


def test_the_command_prints_a_line_a_finding_and_fails_on_errors(release: Path) -> None:
    from cli.dataset import main

    good = CliRunner().invoke(main, ["validate", str(release), "--workers", "1"])
    assert good.exit_code == 0
    assert good.stdout.endswith(f"{len(RULES)} rules, 0 errors, 0 warnings\n")
    (release / "notes.txt").write_text("forgotten", "utf-8")
    bad = CliRunner().invoke(main, ["validate", str(release), "--rule", "manifest", "--json"])
    assert bad.exit_code == 1
    assert json.loads(bad.stdout)["findings"] == [
        {"rule": "manifest", "severity": "error", "item": "notes.txt", "text": "is not in the manifest"}
    ]


def test_the_auc_counts_ties_half() -> None:
    assert auc(np.array([1.0, 1.0]), np.array([0, 1])) == 0.5
    assert auc(np.array([0.0, 1.0]), np.array([0, 1])) == 1.0


def test_a_cross_fake_in_one_split_is_fine(tmp_path: Path) -> None:
    collection = small_collection(tmp_path / "c")
    add_fake(collection, "d1", "d2-r0", 200, kind="cross")
    release = build(collection, workers=1)
    assert check(release) == []
    assert sha256_file(release / "videos" / "d1" / "d1-cross-d2-r0.mp4")
