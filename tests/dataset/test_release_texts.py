"""The texts of a release say what is in it, and others can read them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from browser import shown
from release_ground import small_release

from dataset.release.texts import TEXTS


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_release(tmp_path_factory.mktemp("release") / "c")


@pytest.fixture(scope="module")
def of_people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_release(tmp_path_factory.mktemp("people") / "c", 3, people=True)


def test_the_hub_reads_the_card(release: Path) -> None:
    from huggingface_hub import DatasetCard

    card = DatasetCard.load(release / "README.md")
    told = card.data.to_dict()
    assert told["license"] == "cc0-1.0"
    assert [config["config_name"] for config in told["configs"]] == ["recordings", "pairs", "poses"]
    infos = {info["config_name"]: info for info in told["dataset_info"]}
    assert [split["num_examples"] for split in infos["recordings"]["splits"]] == [8, 2, 2]
    assert "12 short videos of 6 mannequins: 6 rendered" in card.text
    assert "extra_gated_prompt" not in told


def test_a_card_about_people_asks_before_it_gives(of_people: Path) -> None:
    from huggingface_hub import DatasetCard

    card = DatasetCard.load(of_people / "README.md")
    assert "identify nobody" in card.data.to_dict()["extra_gated_prompt"]
    assert "| p1 | train, synthesise, publish, commercial | DE | open |" in card.text


def test_croissant_is_valid_and_gives_the_rows(release: Path) -> None:
    mlcroissant = pytest.importorskip("mlcroissant")
    described = mlcroissant.Dataset(jsonld=str(release / "croissant.json"))
    assert not described.metadata.ctx.issues.errors
    assert described.metadata.personal_sensitive_information == ["None: nobody in it exists."]
    rows = [row for _, row in zip(range(3), described.records("pairs"), strict=False)]
    assert {row["pairs/real_id"] for row in rows} <= {f"d{n}-r0".encode() for n in range(1, 7)}


@pytest.mark.parametrize("name", ["README.md", *TEXTS])
def test_no_text_has_a_hole_or_a_leftover(release: Path, of_people: Path, name: str) -> None:
    for root in (release, of_people):
        text = (root / name).read_text("utf-8")
        assert [part for part in ("{{", "{%", "None", "Undefined", "[]") if part in text] == []
        assert "\n" * 4 not in text


def test_the_citation_is_yaml(release: Path) -> None:
    import yaml

    told = yaml.safe_load((release / "CITATION.cff").read_text("utf-8"))
    assert (told["type"], told["version"], told["license"]) == ("dataset", "1.0.0", "CC0-1.0")


def test_preview_pages_play_the_files_beside_them_and_ask_for_nothing_else(release: Path) -> None:
    page = (release / "previews" / "d1.html").read_text("utf-8")
    for name in ("d1-r0", "d1-self-d1-r0"):
        assert f'src="../videos/d1/{name}.mp4"' in page
        assert (release / "previews" / f"../videos/d1/{name}.mp4").is_file()
    assert "http" not in page
    assert "<script" not in page


def test_a_preview_page_shows_in_a_browser(release: Path, tmp_path: Path) -> None:
    document = shown(release / "previews" / "d1.html", tmp_path)
    assert document.count("<video") == 2
    assert "fake, own motion" in document


def test_release_json_counts_and_names_every_video(release: Path) -> None:
    told = json.loads((release / "release.json").read_text("utf-8"))
    assert told["counts"]["videos"]["fake"] == {"train": 4, "validation": 1, "test": 1}
    assert len(told["items"]) == 12
    assert all((release / entry["file"]).is_file() for entry in told["items"].values())
