"""The whole of an evaluation: check for leakage, judge, compute, and hand over everything for the report."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dataset.errors import DetectorError
from dataset.provenance import VERSION
from dataset.records import Clip, Corpus
from forensics.evaluation.compute import CLEAN, Tables, degradation, evaluation_of
from forensics.evaluation.config import EvaluationConfig
from forensics.evaluation.facts import FileFacts, corpus_facts
from forensics.evaluation.leakage import (
    Finding,
    against_the_grain,
    check_content,
    check_hashes,
    check_names,
    check_numbers,
    check_training,
    stop_at_proof,
)
from forensics.evaluation.looks import fingerprints, same_content
from forensics.evaluation.protocols import IN_DISTRIBUTION, PROTOCOLS, Protocol, meets
from forensics.evaluation.result import Evaluation
from forensics.evaluation.scores import ScoreFile, read_score_files
from forensics.evaluation.trials import judge, judge_by
from forensics.folds import is_train_only

SCHEMA = 1
#: (what is being done, done, of how many).
Report = Callable[[str, int, int | None], None]


@dataclass
class Outcome:
    """Everything that a report is made of.

    Attributes:
        config: with the hashes of the data.
        evaluations: one a protocol that could be measured, in the order of the config.
        missing: protocol → why it could not be measured.
        findings: of the leakage checks.
        grain: fact of the files → AUC where it misleads, on the first protocol.
        corpus: None where only score files were given.
    """

    config: EvaluationConfig
    evaluations: list[Evaluation]
    missing: dict[str, str]
    findings: list[Finding]
    grain: dict[str, float]
    corpus: Corpus | None

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "schema": SCHEMA,
            "tool": f"danceproof {VERSION}",
            "data": {
                "corpus_sha256": self.config.corpus_sha256,
                "scores_sha256": [sha256 for _, sha256 in self.config.scores],
            },
            "leakage": [finding.to_dict() for finding in self.findings],
            "against_the_grain": self.grain,
            "protocols": [evaluation.to_dict() for evaluation in self.evaluations],
            "not_measured": self.missing,
        }


def evaluate_scores(
    config: EvaluationConfig, cache: Path | None = None, report: Report | None = None
) -> Outcome:
    """Evaluate score files.

    Args:
        config: settings and data.
        cache: folder for fingerprints of recordings, which take a while; None keeps nothing.
        report: called as the work goes on.

    Raises:
        LeakageError: a leak is proved.
        DetectorError: data are missing, not those of the config, or only in-distribution figures could be given.
    """
    tell = report or (lambda what, done, total: None)
    config = config.with_hashes()
    corpus = None if config.corpus is None else Corpus.load(config.corpus)
    files = read_score_files([path for path, _ in config.scores], corpus)
    _check_once(files)
    facts, findings = _check(corpus, files, config, cache, tell)
    stop_at_proof(findings)
    evaluations: list[Evaluation] = []
    missing: dict[str, str] = {}
    done: dict[tuple[tuple[str, int], ...], Evaluation] = {}
    for number, name in enumerate(config.protocols):
        tell("figures", number, len(config.protocols))
        chosen = _chosen(PROTOCOLS[name], files, config.train_only)
        if why := _too_little(chosen):
            missing[name] = why
            continue
        key = tuple((score.clip.path, score.fold) for score, _ in chosen)
        if key in done:
            evaluations.append(_again(done[key], PROTOCOLS[name]))
            continue
        own = {file.path: file.calibration for _, file in chosen if file.calibration is not None}
        if len(own) == len({file.path for _, file in chosen}) == 1:
            judging = judge_by(next(iter(own.values())), [score for score, _ in chosen])
        else:
            judging = judge(
                [(score, file.fold) for score, file in chosen],
                bits={path: one.bits for path, one in facts.items()},
                curve=config.curve,
                false_alarms=config.false_alarms,
                misses=config.misses,
            )
        evaluation = evaluation_of(
            judging, PROTOCOLS[name].text, name=name, tables=Tables(config.groups, config.drawing)
        )
        done[key] = evaluation
        evaluations.append(evaluation)
    tell("figures", len(config.protocols), len(config.protocols))
    if {evaluation.name for evaluation in evaluations} <= {IN_DISTRIBUTION.name}:
        raise DetectorError(
            "figures of what the detector was trained on are not given alone"
            if evaluations
            else "no trial meets any of the protocols",
            hint="add score files of detectors from which subjects, motions or generators were left out",
        )
    grain = _grain(files, evaluations[0], facts)
    return Outcome(config, evaluations, missing, findings, grain, corpus)


def _chosen(
    protocol: Protocol, files: Sequence[ScoreFile], train_only: Sequence[str]
) -> list[tuple[Any, ScoreFile]]:
    chosen = []
    for file in files:
        company = [score.clip for score in file.scores]
        for score in file.scores:
            if not is_train_only(score.clip, train_only) and meets(
                protocol, score.clip, file.training, company
            ):
                chosen.append((score, file))
    return chosen


def _too_little(chosen: Sequence[tuple[Any, ScoreFile]]) -> str:
    judged = [score for score, _ in chosen if score.score is not None]
    if not judged:
        return "no trial meets it"
    labels = {score.clip.label for score in judged}
    return "" if len(labels) == 2 else f"only {labels.pop()} clips meet it"


def _again(evaluation: Evaluation, protocol: Protocol) -> Evaluation:
    note = (
        f'the very same trials as under "{evaluation.name}": what was left out there leaves this out as well'
    )
    return replace(
        evaluation, name=protocol.name, protocol=protocol.text, notes=[note, *evaluation.notes], trials={}
    )


def _check_once(files: Sequence[ScoreFile]) -> None:
    seen: dict[tuple[str, Any], ScoreFile] = {}
    for file in files:
        for score in file.scores:
            other = seen.setdefault((score.clip.path, file.fold), file)
            if other is not file:
                raise DetectorError(
                    f"{score.clip.path} is judged in {other.path} as well, with the same left out",
                    path=file.path,
                    hint="evaluate one detector at a time",
                )


def _check(
    corpus: Corpus | None,
    files: Sequence[ScoreFile],
    config: EvaluationConfig,
    cache: Path | None,
    tell: Report,
) -> tuple[dict[str, FileFacts], list[Finding]]:
    """Facts of the files by path, and what all checks found."""
    findings = check_training(files)
    judged = {score.clip.path: score.clip for file in files for score in file.scores}
    clips: list[Clip] = list(judged.values()) if corpus is None else corpus.clips
    clips = [clip for clip in clips if not is_train_only(clip, config.train_only)]
    findings += check_hashes(clips)
    stop_at_proof(findings)
    if corpus is None:
        findings.append(
            Finding("hint", "files", "no corpus was named: the files themselves were not looked at", {})
        )
        return {}, findings
    facts = corpus_facts(corpus, clips, lambda done, total: tell("looking at the files", done, total))
    findings += check_names(clips, facts) + check_numbers(clips, facts)
    stop_at_proof(findings)
    real = [clip for clip in clips if clip.label == "real" and degradation(clip) == CLEAN]
    looks = fingerprints(corpus, real, cache, lambda done, total: tell("comparing recordings", done, total))
    return facts, findings + check_content(same_content(real, looks), files, len(real))


def _grain(
    files: Sequence[ScoreFile], evaluation: Evaluation, facts: dict[str, FileFacts]
) -> dict[str, float]:
    if not facts:
        return {}
    counted = {row["clip"] for row in evaluation.rows if row["score"] is not None}
    scores = [
        (score.clip, score.score)
        for file in files
        for score in file.scores
        if score.clip.path in counted and score.score is not None
    ]
    names = next(iter(facts.values())).numbers
    grain = {name: against_the_grain(scores, facts, name) for name in names}
    return {name: value for name, value in grain.items() if value is not None}
