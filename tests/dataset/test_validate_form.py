"""Releases of another form than the rules read: a finding each, and never a traceback."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from release_ground import edit_json, edit_rows, seal, small_release

from dataset.errors import ReleaseError
from dataset.release.validate import RULES, Finding, validate

Told = dict[str, Any]


@pytest.fixture
def release(tmp_path: Path) -> Path:
    return small_release(tmp_path / "c")


def schema_findings(release: Path, **options: Any) -> list[Finding]:
    """What is found, which is of the rule "schema" alone."""
    found = validate(release, workers=1, **options)
    assert {finding.rule for finding in found} == {"schema"}
    return found


def _consents(told: Told) -> Told:
    first: Told = next(iter(told["consents"].values()))
    return first


def _put(name: str, value: Any) -> Callable[[Told], None]:
    return lambda told: told.update({name: value})


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda told: _consents(told).pop("jurisdiction"), "'jurisdiction' is a required property"),
        (lambda told: _consents(told).pop("kind"), "'kind' is a required property"),
        (lambda told: _consents(told).update(date="2026-13-45"), "2026-13-45"),
        (lambda told: _consents(told).update(expires="20260501"), "20260501"),
        (lambda told: _consents(told).update(scope=["everything"]), "'everything' is not one of"),
        (lambda told: _consents(told).update(scope="train"), "'train' is not of type 'array'"),
        (_put("consents", ["d1"]), "consents: ['d1'] is not of type 'object'"),
        (_put("items", None), "items: None is not of type 'object'"),
        (_put("tombstones", ["d9"]), "tombstones: ['d9'] is not of type 'object'"),
        (_put("counts", 3), "counts: 3 is not of type 'object'"),
        (_put("version", 1), "version: 1 is not of type 'string'"),
        (lambda told: told.pop("splits"), "'splits' is a required property"),
    ],
)
def test_release_json_that_lacks_keys_or_has_other_types(
    release: Path, change: Callable[[Told], None], text: str
) -> None:
    edit_json(release, "release.json", change)
    found = schema_findings(release)
    assert found[0].item == "release.json"
    assert text in found[0].text
    assert "rules that cannot be checked until" in found[-1].text


def test_a_single_rule_does_not_pass_on_a_release_of_another_form(release: Path) -> None:
    edit_json(release, "release.json", lambda told: _consents(told).pop("jurisdiction"))
    found = schema_findings(release, rules=["balance"])
    assert found[-1].text == "rules that cannot be checked until this is mended: 1"


def test_the_command_prints_findings_and_status_1(release: Path) -> None:
    from cli.dataset import main

    edit_json(release, "release.json", lambda told: _consents(told).pop("jurisdiction"))
    result = CliRunner().invoke(main, ["validate", str(release), "--workers", "1"])
    assert result.exit_code == 1
    assert result.stdout.startswith("error: schema: release.json: consents.d1: 'jurisdiction' is a required")


def _table(release: Path, config: str, change: Callable[[Any], Any]) -> None:
    import pyarrow.parquet as pq

    path = next((release / "data" / config).glob("test-*.parquet"))
    pq.write_table(change(pq.read_table(path)), path)
    seal(release)


@pytest.mark.parametrize("config", ["recordings", "pairs", "poses"])
@pytest.mark.parametrize("column", ["id", "split"])
def test_tables_without_a_column(release: Path, config: str, column: str) -> None:
    _table(release, config, lambda table: table.drop_columns([column]))
    assert f"has no column {column}" in {finding.text for finding in schema_findings(release)}


def test_tables_with_columns_of_other_types(release: Path) -> None:
    import pyarrow as pa

    def video_as_text(table: Any) -> Any:
        place = table.column_names.index("video")
        return table.set_column(place, "video", pa.array(["a.mp4"] * len(table)))

    _table(release, "recordings", video_as_text)
    assert any(finding.text.startswith("its column video is string") for finding in schema_findings(release))


def test_tables_without_what_datasets_writes_beside_them(release: Path) -> None:
    _table(release, "recordings", lambda table: table.replace_schema_metadata(None))
    assert {finding.rule for finding in validate(release, workers=1)} == {"schema"}


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"label": 7}, "has a label or split that does not exist"),
        ({"split": -1}, "has a label or split that does not exist"),
        ({"subject": None}, "has nothing in subject, in recordings"),
        ({"times": None}, "has nothing in times, in recordings"),
        ({"times": [0.0, None]}, "has a frame without a time, in recordings"),
        ({"lineage": "{"}, "has a lineage that is not JSON, in recordings"),
        ({"lineage": "[1]"}, "has a lineage of another form ([1] is not of type 'object')"),
        (
            {"lineage": json.dumps({"generator": {"trained_on": [{"id": "x"}]}})},
            "has a lineage of another form (generator.trained_on.0: 'subject' is a required property)",
        ),
        ({"video": {"bytes": b"", "path": None}}, "has a video without a path, in recordings"),
    ],
)
def test_rows_with_values_that_cannot_be(release: Path, change: Told, text: str) -> None:
    def spoil(row: Told) -> Told:
        return {**row, **change} if row["id"] == "d1-r0" else row

    edit_rows(release, "recordings", spoil)
    assert ("d1-r0", text) in {(finding.item, finding.text) for finding in schema_findings(release)}


def test_a_manifest_that_gives_a_file_another_length(release: Path) -> None:
    told = json.loads((release / "MANIFEST.json").read_text("utf-8"))
    told["files"]["LICENSE"]["bytes"] += 1
    (release / "MANIFEST.json").write_text(json.dumps(told), "utf-8")
    (finding,) = validate(release, workers=1)
    assert (finding.rule, finding.item) == ("hashes", "LICENSE")


@pytest.mark.parametrize("files", [[], {"LICENSE": {}}, {"LICENSE": {"bytes": float("inf"), "sha256": ""}}])
def test_a_manifest_that_is_none_is_refused_in_a_line(release: Path, files: Any) -> None:
    (release / "MANIFEST.json").write_text(json.dumps({"schema": 1, "files": files}), "utf-8")
    with pytest.raises(ReleaseError, match="not a manifest of a release"):
        validate(release, workers=1)


@pytest.mark.parametrize("configs", ["3", "[1]", "[{data_files: 3}]", "[{data_files: [{path: /x}]}]"])
def test_a_card_whose_configurations_are_of_another_form(release: Path, configs: str) -> None:
    card = release / "README.md"
    _, _, text = card.read_text("utf-8").split("---\n", 2)
    card.write_text(f"---\nconfigs: {configs}\ndataset_info: [1, {{splits: [2]}}]\n---\n{text}", "utf-8")
    seal(release)
    assert {finding.rule for finding in validate(release, workers=1)} == {"card"}


def test_a_croissant_description_that_is_a_list(release: Path) -> None:
    (release / "croissant.json").write_text("[]", "utf-8")
    seal(release)
    assert {finding.rule for finding in validate(release, workers=1)} == {"texts"}


def test_the_sturdy_rules_are_those_of_files() -> None:
    assert {name for name, rule in RULES.items() if rule.sturdy} == {
        "manifest",
        "hashes",
        "schema",
        "decodes",
    }
