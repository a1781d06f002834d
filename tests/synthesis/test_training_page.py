from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from small_runs import small_config

from synthesis import runner
from synthesis.config import DataConfig
from synthesis.train import train
from synthesis.training_log import TrainingLog
from synthesis.training_page import curves, nice_ticks


@pytest.fixture(scope="module")
def watched(recording, tmp_path_factory) -> Path:
    """A run with a quarter held out that was shown and scored after every step."""
    out = tmp_path_factory.mktemp("watched") / "dancer"
    config = small_config(steps=5)
    config = replace(config, data=replace(config.data, holdout=0.25))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runner, "SAMPLE_SECONDS", 0.0)
        patch.setattr(runner, "SAMPLE_GROWTH", 0.0)
        train([recording], out, config, subject="<i>Anna</i> & co")
    return out


class Resources(HTMLParser):
    """Every address that a page names."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.images = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.images += tag == "img"
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href", "srcset")]


def test_the_page_shows_samples_scores_and_losses_and_needs_nothing_else(watched):
    text = (watched / "training.html").read_text("utf-8")
    page = Resources()
    page.feed(text)
    assert page.images == 5
    assert all(address.startswith("data:image/jpeg;base64,") for address in page.addresses)
    assert "<i>Anna" not in text
    assert "&lt;i&gt;Anna" in text
    captions = re.findall(r"<figcaption>(\S+) (?:\S+ )?<span>", text)
    assert {"ssim", "perceptual", "l1", "gan"} <= set(captions)
    assert "squeezenet1_1" in text
    assert "Finished" in text
    assert "http-equiv" not in text  # nothing to wait for any more


def test_the_frames_shown_are_held_out_ones(watched):
    text = (watched / "training.html").read_text("utf-8")
    rows = re.search(r"On held-out frames ([\d, ]+) of dancer.mp4", text)
    assert rows is not None
    assert min(int(row) for row in rows[1].split(",")) >= round(24 * 0.75)


def test_without_held_out_frames_the_page_says_so(model_folder):
    assert "On training frames" in (model_folder / "training.html").read_text("utf-8")


def test_log_and_scores_have_each_step_with_its_time(watched):
    log, scores = (
        [json.loads(line) for line in (watched / name).read_text().splitlines()]
        for name in ("log.jsonl", "scores.jsonl")
    )
    assert [entry["step"] for entry in log] == [entry["step"] for entry in scores] == [1, 2, 3, 4, 5]
    assert all(np.diff([entry["seconds"] for entry in log]) > 0)
    assert -1 <= scores[-1]["ssim"] <= 1


def test_lines_after_the_checkpoint_and_half_a_line_are_cut(tmp_path):
    path = tmp_path / "log.jsonl"
    lines = [json.dumps({"stage": "compact", "step": step, "l1": 1.0}) for step in (1, 2, 3, 4)]
    path.write_text("\n".join(lines) + '\n{"stage": "compact", "st')
    log = TrainingLog(path, done=2)
    log.add({"stage": "compact", "step": 3, "l1": 2.0})
    assert [json.loads(line)["step"] for line in path.read_text().splitlines()] == [1, 2, 3]
    assert log.entries[-1]["l1"] == 2.0


def test_a_curve_follows_its_values_and_marks_where_a_stage_begins():
    entries = [
        {"stage": "global" if step < 600 else "local", "step": step, "seconds": step * 2.0, "l1": 1000 - step}
        for step in range(1, 1001)
    ]
    entries[700]["late"] = 1.0
    falling, late = curves(entries, smoothed=True)
    points = [tuple(map(float, point.split(","))) for point in falling.smooth.split()]
    assert len(points) <= 240
    assert all(np.diff([x for x, _ in points]) > 0)
    assert all(np.diff([y for _, y in points]) > 0)  # down on the page is a smaller value
    assert [border.text for border in sorted(falling.borders, key=lambda b: b.place)] == ["global", "local"]
    assert [(tick.text, step.text) for tick, step in zip(falling.x[1:], falling.steps, strict=True)] == [
        ("10", "300"),
        ("20", "600"),
        ("30", "900"),
    ]
    assert len(late.smooth.split()) == 1


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0, 60, [0, 20, 40, 60]), (0.41, 0.5, [0.425, 0.45, 0.475, 0.5]), (-3, 3, [-2, 0, 2])],
)
def test_ticks_are_round_numbers(low, high, expected):
    assert nice_ticks(low, high) == pytest.approx(expected)


def test_a_run_limited_by_time_ends_on_time_with_its_rates_fallen(
    recording, model_folder, tmp_path, monkeypatch
):
    from synthesis.compact.stage import CompactStage

    clock = [0.0]
    monkeypatch.setattr(runner.time, "monotonic", lambda: clock[0])
    shares = []

    def step(self: CompactStage, index: int, share: float) -> dict[str, float]:
        clock[0] += 7.0 if index < 3 else 1.5  # whatever the pace does
        shares.append(share)
        return {"l1": 1.0}

    monkeypatch.setattr(CompactStage, "step", step)
    config = small_config(steps=1000)
    config = replace(config, data=DataConfig(height=64), schedule=replace(config.schedule, minutes=0.5))
    model = train([recording], tmp_path / "model", config, subject="dancer")
    assert shares[:3] == pytest.approx([0, 7 / 30, 14 / 30])
    assert model.steps == 3 + 6
    assert 1 - 1.5 / 30 <= shares[-1] < 1
