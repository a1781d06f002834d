"""What a scan says, as JSON, as CSV and as a page in a browser."""

from __future__ import annotations

import csv
import html
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from browser import Browser
from scripted import Scripted, film_partly, scripted

from dataset.errors import RecordError, VideoError
from forensics import Scanner
from forensics.calibrate import Calibration
from forensics.decide import PROPOSITIONS
from forensics.detectors import Evidence, Scores
from forensics.scan import ScanResult
from forensics.scanning import table
from forensics.scanning.page import overview, report, write_page
from forensics.scanning.schema import check, schema

CALIBRATION = Calibration(
    slope=1.0, intercept=0.0, fake_from=0.9, real_to=0.2, unfamiliar_from=1e6, false_alarms=0.01, misses=0.05,
    real_clips=8, fake_clips=8, subjects=4, method="made for a test",
)  # fmt: skip


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    return film_partly(folder / "half <fake> & co.mp4", [(2.0, 4.0)], seconds=4, fps=8)


def scanned(video: Path) -> ScanResult:
    with Scanner(scripted(CALIBRATION), pairs=10, pictures=True) as scanner:
        return scanner.scan(video)


@pytest.fixture(scope="module")
def result(video: Path) -> dict[str, Any]:
    return scanned(video).to_dict()


def test_the_json_follows_the_published_schema(result: dict[str, Any]) -> None:
    again = json.loads(json.dumps(result, allow_nan=False))
    assert again == result
    assert check(again) is again
    assert set(schema()["required"]) | {"date", "seconds"} == set(result)


@pytest.mark.parametrize("broken", ["verdict", "probability", "sha256_after", "score"])
def test_the_schema_refuses_what_is_no_result(result: dict[str, Any], broken: str) -> None:
    copy = json.loads(json.dumps(result))
    place = copy if broken in copy else copy["video"] if broken in copy["video"] else copy["people"][0]
    place[broken] = "nonsense"
    with pytest.raises(RecordError, match=f"{broken}.*scan the video again"):
        check(copy)


def test_a_second_scan_gives_the_same_bytes_but_for_date_and_duration(
    video: Path, result: dict[str, Any]
) -> None:
    again = scanned(video).to_dict()
    differing = {name for name in result if result[name] != again[name]}
    assert differing <= {"date", "seconds"}
    same = again | {"date": result["date"], "seconds": result["seconds"]}
    assert json.dumps(same) == json.dumps(result)
    assert report(same) == report(result)


def test_a_file_that_changes_while_it_is_scanned_is_an_error(
    video: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = tmp_path / "growing.mp4"
    copy.write_bytes(video.read_bytes())
    judge = Scripted.judge

    def meanwhile(self: Scripted, evidence: Evidence) -> Scores:
        with copy.open("ab") as file:
            file.write(b"x")
        return judge(self, evidence)

    monkeypatch.setattr(Scripted, "judge", meanwhile)
    with pytest.raises(VideoError, match="changed while it was scanned"):
        scanned(copy)


def test_the_page_says_what_where_how_sure_why_and_when_it_would_be_wrong(result: dict[str, Any]) -> None:
    page = text(report(result))
    (person,) = result["people"]
    (span,) = person["spans"]
    assert "fake" in page
    assert f"from {span['begin']:.2f} to {span['end']:.2f} s" in page
    assert f"{result['log10_lr']:+.2f}" in page
    assert all(proposition in page for proposition in PROPOSITIONS)
    assert "8 real and 8 fake videos of 4 people" in page
    assert "swapped" not in page  # of no weight where it is called fake
    assert "A real recording was smoothed" in page
    assert page.count(result["video"]["sha256"]) == 2
    assert "integrity none" in page
    assert "authenticity none" in page
    assert result["tool"]["calibration_sha256"] in page
    assert report(result).count("data:image/jpeg") == 3 * 3 + len(person["timeline"])


def text(page: str) -> str:
    """Roughly what is read."""
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", page.split("</style>")[1])))


def test_the_page_asks_nobody_and_runs_nothing(result: dict[str, Any]) -> None:
    hostile = json.loads(json.dumps(result))
    hostile["video"]["metadata"] = {"title": "<script>alert(1)</script>", "url": "javascript:alert(1)"}
    hostile["problems"] = ['"><img src=x onerror=alert(1)>']
    page = report(hostile)
    assert "<script" not in page
    assert "<img src=x" not in page
    assert "half <fake>" not in page
    assert "half &lt;fake&gt; &amp; co.mp4" in page
    for address in re.findall(r"(?:src|href)=\"([^\"]*)\"", page):
        assert address.startswith(("data:image/jpeg;base64,", "#"))
    assert "url(" not in page
    assert "@import" not in page


def test_a_moment_of_the_time_line_is_chosen_and_shown_without_scripts(
    result: dict[str, Any], tmp_path: Path
) -> None:
    page = tmp_path / "report.html"
    write_page(page, report(result))
    with Browser(tmp_path / "profile", tmp_path / "downloads") as browser:
        for scheme in ("light", "dark"):
            browser.send(
                "Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}]
            )
            browser.open(page)
            browser.wait_for(
                "Array.from(document.images).every(image => image.complete && image.naturalWidth)"
            )
            colours = browser.ask(
                "[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color].join()"
            )
            assert colours.startswith("rgb(255, 255, 255)") == (scheme == "light")
            browser.screenshot(tmp_path / f"{scheme}.png")
            assert (tmp_path / f"{scheme}.png").stat().st_size > 10_000
        links = "document.querySelectorAll('svg a')"
        assert browser.ask(f"{links}.length") == len(result["people"][0]["timeline"])
        before = browser.ask("document.getElementById('person-1-pair-3').getBoundingClientRect().height")
        browser.ask(f"{links}[3].dispatchEvent(new MouseEvent('click', {{bubbles: true}}))")
        browser.wait_for("document.querySelector('figure:target')")
        assert browser.ask("document.querySelector('figure:target').id") == "person-1-pair-3"
        assert browser.ask("document.querySelector(':target').getBoundingClientRect().height") > before
        assert browser.ask("document.documentElement.scrollWidth <= window.innerWidth")
        assert not browser.complaints


def test_the_overview_lists_the_worst_first_and_what_failed(result: dict[str, Any]) -> None:
    real = result | {"path": "b.mp4", "verdict": "real", "log10_lr": -2.0, "probability": 0.01}
    nothing = result | {"path": "c.mp4", "verdict": "inconclusive", "log10_lr": None, "probability": None}
    page = overview(
        [("b.html", real), ("c.html", nothing), ("a.html", result)],
        [{"uri": "d.mp4", "error": "d.mp4: is <broken>"}],
    )
    places = [page.index(name) for name in ('href="a.html"', 'href="c.html"', 'href="b.html"', "d.mp4: is")]
    assert places == sorted(places)
    assert "1 fake, 1 inconclusive, 1 real, 1 could not be scanned" in page
    assert "is &lt;broken&gt;" in page


def test_the_table_has_a_line_a_video_and_no_formula(result: dict[str, Any], tmp_path: Path) -> None:
    evil = result | {"path": '=HYPERLINK("x")'}
    table.write_table(
        tmp_path / "all.csv",
        [table.row(result), table.row(evil), table.failed("z.mp4", "z.mp4: nothing in it")],
    )
    with (tmp_path / "all.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert {row["path"][:2] for row in rows} == {"'=", "z.", str(result["path"])[:2]}
    fine = next(row for row in rows if row["path"] == result["path"])
    assert fine["verdict"] == "fake"
    assert fine["fake_spans"].startswith("person 1: 2.")
    assert float(fine["log10_lr"]) == result["log10_lr"]
    failed = next(row for row in rows if row["path"] == "z.mp4")
    assert (failed["verdict"], failed["error"]) == ("", "z.mp4: nothing in it")


def test_without_pictures_the_page_still_has_its_time_line(video: Path) -> None:
    with Scanner(scripted(replace(CALIBRATION, method="another")), pairs=6) as scanner:
        result = scanner.scan(video).to_dict()
    assert check(result)["people"][0]["telling"][0]["picture"] is None
    page = report(result)
    assert "data:image" not in page
    assert page.count("<circle") == len(result["people"][0]["timeline"])
