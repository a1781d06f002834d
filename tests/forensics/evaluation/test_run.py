from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from browser import Browser
from evaluation_ground import filmed_corpus, many_clips, subject_folds, write_score_files

from dataset.errors import DetectorError, LeakageError
from dataset.records import Corpus
from forensics.evaluation.config import EvaluationConfig
from forensics.evaluation.page import write_report
from forensics.evaluation.protocols import HELD_OUT_GENERATOR, IN_DISTRIBUTION, protocol_folds
from forensics.evaluation.run import Outcome, evaluate_scores
from forensics.evaluation.scores import find_score_files, read_score_files
from forensics.folds import Fold

CLIPS = many_clips(8)


def config_of(paths: list[Path], **more: object) -> EvaluationConfig:
    settings = {
        "draws": 40,
        "groups": {"generator": "generator", "half": {"first": ["p[0-3]"], "last": ["p[4-7]"]}},
    }
    return EvaluationConfig(scores=tuple((path, "") for path in paths), **(settings | more))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """Without a corpus: what score files alone give."""
    folder = tmp_path_factory.mktemp("scores")
    paths = write_score_files(folder / "subject", CLIPS, subject_folds(8, 4))
    paths += write_score_files(
        folder / "flattering", CLIPS, protocol_folds(IN_DISTRIBUTION, CLIPS, 2), shift=4.0
    )
    return evaluate_scores(config_of(paths))


def test_score_files_alone_are_enough(outcome: Outcome) -> None:
    told = outcome.to_dict()
    names = [one["name"] for one in told["protocols"]]
    assert names == ["held-out subject", "held-out source motion", "in distribution"]
    assert told["not_measured"] == {
        "held-out generator": "no trial meets it",
        "all held out": "no trial meets it",
    }
    held_out, _, flattering = (one["figures"] for one in told["protocols"])
    for level in ("pair", "video"):
        assert set(held_out[level]) == {
            "accuracy", "auc", "auc_within", "eer", "tpr_at_1", "log_loss", "ece", "cllr", "min_cllr",
        }  # fmt: skip
        assert flattering[level]["auc"]["value"] > held_out[level]["auc"]["value"]
        for figure in held_out[level].values():
            assert figure["low"] <= figure["high"]
    json.dumps(told, allow_nan=False)


def test_nobody_is_judged_by_a_calibration_in_which_they_had_a_part(outcome: Outcome) -> None:
    for evaluation in outcome.evaluations:
        assert evaluation.calibrations
        for one in evaluation.calibrations:
            assert not set(one["judged"]) & set(one["subjects"])
            assert len(one["data_sha256"]) == 64
        assert {name for one in evaluation.calibrations for name in one["judged"]} == {
            f"p{number}" for number in range(8)
        }


def test_tables_by_degradation_group_and_held_out_subject_add_up(outcome: Outcome) -> None:
    evaluation = outcome.evaluations[0]
    clean, degraded = evaluation.degradations["clean"], evaluation.degradations["crf 40"]
    assert clean["videos"] == degraded["videos"] == len(CLIPS) / 2
    assert degraded["loss"] == pytest.approx(
        clean["video"]["auc"]["value"] - degraded["video"]["auc"]["value"]
    )
    assert degraded["loss"] > 0
    generators = evaluation.groups["generator"]
    assert {name: (row["real"], row["fake"]) for name, row in generators.items()} == {
        "compact-256": (32, 32),
        "warp-256": (32, 32),
    }
    assert [row["videos"] for row in evaluation.groups["half"].values()] == [48, 48]
    cells = [cell for row in evaluation.layout.values() for cell in row.values()]
    right = sum(cell["right"] for cell in cells)
    assert right / len(CLIPS) == pytest.approx(evaluation.figures["video"]["accuracy"]["value"])
    assert set(evaluation.layout) == {f"p{number}" for number in range(8)}


def test_the_worst_come_first(outcome: Outcome) -> None:
    rows = outcome.evaluations[0].rows
    assert len(rows) == len(CLIPS)
    wrong = [(row["log10_lr"] > 0) != (row["label"] == "fake") for row in rows]
    assert any(wrong)
    assert wrong == sorted(wrong, reverse=True)


def test_trials_that_meet_two_protocols_are_told_to_be_the_same(outcome: Outcome) -> None:
    subject, source = outcome.evaluations[:2]
    assert source.figures == subject.figures
    assert 'the very same trials as under "held-out subject"' in source.notes[0]


def test_figures_of_what_was_trained_on_are_not_given_alone(tmp_path: Path) -> None:
    paths = write_score_files(tmp_path, CLIPS, protocol_folds(IN_DISTRIBUTION, CLIPS, 2))
    with pytest.raises(DetectorError, match="not given alone"):
        evaluate_scores(config_of(paths))


def test_a_held_out_family_has_no_part_in_the_calibration(tmp_path: Path) -> None:
    paths = write_score_files(tmp_path, CLIPS, protocol_folds(HELD_OUT_GENERATOR, CLIPS, 2))
    (evaluation,) = evaluate_scores(config_of(paths, protocols=("held-out generator",))).evaluations
    assert {tuple(one["families_left_out"]) for one in evaluation.calibrations} == {("compact",), ("warp",)}
    assert all(one["fake_clips"] < one["real_clips"] + 20 for one in evaluation.calibrations)


def test_two_detectors_are_not_mixed(tmp_path: Path) -> None:
    folds = subject_folds(8, 4)
    paths = write_score_files(tmp_path / "one", CLIPS, folds) + write_score_files(
        tmp_path / "other", CLIPS, folds
    )
    with pytest.raises(DetectorError, match="one detector at a time"):
        evaluate_scores(config_of(paths))


def test_parts_of_a_fused_detector_are_not_taken_for_detectors(tmp_path: Path) -> None:
    paths = write_score_files(tmp_path, CLIPS, subject_folds(8, 2))
    write_score_files(tmp_path / "members" / "patch", CLIPS, subject_folds(8, 2))
    assert find_score_files([tmp_path]) == paths


def test_files_of_earlier_versions_name_clips_by_path_and_the_rest_stands_beside(tmp_path: Path) -> None:
    (path,) = write_score_files(tmp_path, CLIPS, [Fold(subjects=("p0",))])
    told = json.loads(path.read_text())
    scores = [score | {"clip": score["clip"]["path"]} for score in told["scores"]]
    path.write_text(json.dumps({"fingerprint": "", "scores": scores}))
    (path.parent / "detector.json").write_text(json.dumps({"training": {"left_out": ["p0"]}}))
    (file,) = read_score_files([path], Corpus(tmp_path, CLIPS))
    assert file.fold == Fold(subjects=("p0",))
    assert not file.complete
    assert {score.clip.subject for score in file.scores} == {"p0"}
    with pytest.raises(DetectorError, match="no record of it is known"):
        read_score_files([path])


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('{"draw": 5}', "unknown setting 'draw'"),
        ('{"scores": [{"path": "a.json"}], "protocols": ["easy"]}', "no protocol is called 'easy'"),
        ("{}", "neither a corpus nor score files"),
        ('{"scores": [{}]}', "wrong form"),
        ("{", "not readable as JSON"),
    ],
)
def test_a_config_that_is_not_understood_is_refused(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(DetectorError, match=told):
        EvaluationConfig.load(tmp_path / "config.json")


@pytest.fixture(scope="module")
def reported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus with files, and its report."""
    folder = tmp_path_factory.mktemp("reported")
    corpus = filmed_corpus(folder / "corpus")
    paths = write_score_files(folder / "scores", corpus.clips, subject_folds(6, 3), shift=1.0)
    config = config_of(paths, corpus=corpus.root, worst=3)
    write_report(evaluate_scores(config, folder / "cache"), folder / "out")
    return folder / "out"


def test_a_second_run_from_the_written_config_gives_the_same_bytes(reported: Path) -> None:
    before = {path.name: path.read_bytes() for path in reported.iterdir()}
    assert set(before) == {
        "config.json", "results.json", "report.md", "report.html", "roc.png", "det.png", "reliability.png",
        "tippett.png",
    }  # fmt: skip
    write_report(evaluate_scores(EvaluationConfig.load(reported / "config.json")), reported)
    assert {path.name: path.read_bytes() for path in reported.iterdir()} == before


def test_other_data_than_those_of_the_config_are_refused(reported: Path) -> None:
    config = EvaluationConfig.load(reported / "config.json")
    (path, sha256), *rest = config.scores
    with pytest.raises(DetectorError, match="not the data of this config"):
        evaluate_scores(replace(config, scores=((path, "0" * 64), *rest)))
    with pytest.raises(DetectorError, match="not the data of this config"):
        evaluate_scores(replace(config, corpus_sha256=sha256))


def test_leakage_stops_before_any_figure(tmp_path: Path) -> None:
    corpus = filmed_corpus(tmp_path / "corpus", people=2)
    paths = write_score_files(tmp_path, corpus.clips, subject_folds(2, 2))
    copy = corpus.root / "copy.mp4"
    copy.write_bytes(corpus.absolute(corpus.clips[0]).read_bytes())
    twice = replace(corpus.clips[0], path="copy.mp4", label="fake", kind="self", generator="g")
    Corpus(corpus.root, [*corpus.clips, twice]).save()
    with pytest.raises(LeakageError, match=r"same file: p0\.mp4 is the same file as copy\.mp4"):
        evaluate_scores(config_of(paths, corpus=corpus.root))


def test_the_page_shows_figures_worst_clips_with_frames_and_curves(reported: Path, tmp_path: Path) -> None:
    assert "http" not in (reported / "report.html").read_text().replace("http://www.w3.org", "")
    with Browser(tmp_path / "profile", tmp_path / "downloads") as browser:
        browser.open(reported / "report.html")
        assert browser.ask("document.querySelectorAll('.case').length") == 3
        assert browser.ask("[...document.images].every(i => i.complete && i.naturalWidth > 0)")
        assert browser.ask("document.querySelectorAll('.frames img').length") == 9
        assert browser.ask("document.querySelectorAll('.plot img').length") == 4
        assert browser.ask("document.querySelector('.bars i').getBoundingClientRect().height > 0")
        assert "held-out subject" in browser.ask("document.querySelector('table').innerText")
        assert not browser.complaints
        browser.screenshot(tmp_path / "page.png")
    assert (tmp_path / "page.png").stat().st_size > 10_000


def test_markdown_has_every_table(reported: Path) -> None:
    text = (reported / "report.md").read_text()
    for heading in (
        "## Figures",
        "## Worst first",
        "## Leakage checks",
        "### Accuracy by held-out subject and source",
    ):
        assert heading in text
    assert all(line.count("|") == 14 for line in text.splitlines() if line.startswith("| held-out subject |"))


def test_verdicts_are_given_by_the_rule_of_a_scan_opinions_of_members_included(tmp_path: Path) -> None:
    paths = write_score_files(tmp_path, CLIPS, subject_folds(8, 4), shift=6.0)
    before = evaluate_scores(config_of(paths)).evaluations[0].verdicts["fake"]
    for path in paths:
        told = json.loads(path.read_text())
        for score in told["scores"]:
            score["opinions"] = {"pair": 0.9, "surroundings": 0.4}
        path.write_text(json.dumps(told))
    after = evaluate_scores(config_of(paths)).evaluations[0].verdicts["fake"]
    assert before["fake"] > 0
    assert after["fake"] == 0
    assert after["inconclusive"] == before["inconclusive"] + before["fake"]
