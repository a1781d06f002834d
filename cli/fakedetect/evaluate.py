"""``fakedetect evaluate``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cli.app import progress, use_threads
from cli.fakedetect.common import make_recipe, print_tables, recipe_options

if TYPE_CHECKING:
    from forensics.evaluation.config import EvaluationConfig

_PROTOCOLS = ("subject", "source", "generator", "all", "in-distribution")


@click.command()
@click.argument("corpus", required=False, type=click.Path(path_type=Path))
@click.option(
    "--scores",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FILE|DIR",
    help="Score files, or folders of them that train or evaluate has written: nothing is trained. Repeatable.",
)
@click.option(
    "--config", "config_path", type=click.Path(path_type=Path), help="Do again what this config file says."
)
@click.option(
    "--model", type=click.Path(path_type=Path), help="Judge with this detector instead of training new ones."
)
@click.option(
    "--protocol",
    "protocols",
    multiple=True,
    type=click.Choice(_PROTOCOLS),
    help="What is new to the detectors that are judged. Repeatable; default: subject, with --scores all they allow.",
)
@click.option(
    "--folds",
    type=click.IntRange(2),
    help="Parts that are left out in turn; default: one subject at a time.",
)
@click.option(
    "--out", type=click.Path(path_type=Path), help="Folder for the report, and for what is trained."
)
@click.option("--json", "json_path", type=click.Path(path_type=Path), help="Write the figures to this file.")
@click.option(
    "--group",
    "groups",
    multiple=True,
    metavar="FIELD",
    help="One more table, a row each value of this field of a clip's record, such as subject or origin.crf.",
)
@click.option(
    "--curve",
    type=click.Choice(("logistic", "isotonic")),
    default="logistic",
    show_default=True,
    help="From scores to likelihood ratios.",
)
@click.option("--draws", default=1000, show_default=True, type=click.IntRange(1), help="Bootstrap draws.")
@click.option("--workers", default=1, show_default=True, type=click.IntRange(1), help="Trainings at a time.")
@recipe_options
def evaluate(
    corpus: Path | None,
    scores: tuple[Path, ...],
    config_path: Path | None,
    model: Path | None,
    protocols: tuple[str, ...],
    folds: int | None,
    out: Path | None,
    json_path: Path | None,
    groups: tuple[str, ...],
    curve: str,
    draws: int,
    workers: int,
    cache: Path | None,
    threads: int | None,
    **settings: Any,
) -> None:
    """Say how good detectors trained like this are on what was kept from them, or how good a given one is.

    Checks for leakage come first and stop the evaluation at a proof. Without --scores, --config and --model, each
    subject (or part, with --folds) of CORPUS is left out of the training in turn and then judged. With --out, a report
    (report.html, report.md, results.json, plots) is written with the config that makes it again.

    With --model, people whom that detector was trained on are reported apart.
    """
    from tempfile import TemporaryDirectory

    from forensics.evaluation.config import EvaluationConfig

    use_threads(threads)
    if model is not None:
        if corpus is None or scores or config_path is not None or protocols:
            raise click.UsageError("--model takes a CORPUS, and neither --scores, --config nor --protocol")
        _evaluate_model(corpus, model, out, json_path, {"cache": cache, "draws": draws, **settings})
    elif config_path is not None:
        if corpus is not None or scores or protocols or groups:
            raise click.UsageError("--config says what is evaluated; only --out and --json can be added")
        _evaluate(EvaluationConfig.load(config_path), out, json_path)
    elif corpus is None and not scores:
        raise click.UsageError("name a CORPUS, --scores or --config")
    else:
        told = {"curve": curve, "draws": draws, "train_only": tuple(settings["train_only"])}
        told["groups"] = {"generator": "generator", "motion": "kind"} | {name: name for name in groups}
        if scores:
            _evaluate(_of_scores(corpus, scores, protocols, told), out, json_path)
            return
        assert corpus is not None
        with TemporaryDirectory() as folder:
            where = Path(folder) if out is None else out
            recipe = {"folds": folds, "cache": cache, "workers": workers, **settings}
            config = _train(corpus, protocols or ("subject",), where, recipe, told)
            _evaluate(config, out, json_path)


def _of_scores(
    corpus: Path | None, scores: tuple[Path, ...], protocols: tuple[str, ...], told: dict[str, Any]
) -> EvaluationConfig:
    from forensics.evaluation.config import EvaluationConfig
    from forensics.evaluation.protocols import SHORT
    from forensics.evaluation.scores import find_score_files

    if protocols:
        told["protocols"] = tuple(SHORT[name] for name in protocols)
    return EvaluationConfig(
        corpus=corpus, scores=tuple((path, "") for path in find_score_files(scores)), **told
    )


def _train(
    corpus: Path, protocols: tuple[str, ...], out: Path, settings: dict[str, Any], told: dict[str, Any]
) -> EvaluationConfig:
    """Train what the protocols ask for, into `out`, and say what is then to be evaluated."""
    from dataset.records import Corpus
    from forensics.crossfit import prepare
    from forensics.evaluation.config import EvaluationConfig
    from forensics.evaluation.protocols import SHORT
    from forensics.evaluation.training import train_protocols

    loaded = Corpus.load(corpus)
    folds, cache, workers = (settings.pop(name) for name in ("folds", "cache", "workers"))
    recipe = make_recipe(folds=folds or len(loaded.subjects()), **settings)
    names = tuple(SHORT[name] for name in protocols)
    with progress("cutting windows") as bar:
        windows = prepare(loaded, recipe, cache, bar.update)
    with progress("training") as bar:
        files = train_protocols(names, windows, recipe, out, bar.update, workers=workers)
    # Held-out subjects are shown beside whatever was asked for, where these trials allow it.
    return EvaluationConfig(
        corpus=corpus, scores=tuple((path, "") for path in files), training=recipe.to_dict(), **told
    )


def _evaluate(config: EvaluationConfig, out: Path | None, json_path: Path | None) -> None:
    """Evaluate score files, show the figures, and write what was asked for."""
    from dataset.files import write_json
    from forensics.evaluation.page import write_report
    from forensics.evaluation.run import evaluate_scores

    with progress("evaluating") as bar:

        def tell(what: str, done: int, total: int | None) -> None:
            bar.update(done, total, what)

        outcome = evaluate_scores(config, None if out is None else out / "cache", tell)
        page = None if out is None else write_report(outcome, out, tell)
    for finding in outcome.findings:
        if finding.level != "clear":
            click.echo(f"{finding.level}: {finding.check}: {finding.text}")
    for evaluation in outcome.evaluations:
        if evaluation.trials:
            print_tables(evaluation)
        else:
            click.echo(f"{evaluation.name}: {evaluation.notes[0]}")
    for name, why in outcome.missing.items():
        click.echo(f"not measured: {name}: {why}")
    if json_path is not None:
        write_json(json_path, outcome.to_dict())
    if page is not None:
        click.echo(f"report: {page}")


def _evaluate_model(
    corpus: Path, model: Path, out: Path | None, json_path: Path | None, settings: dict[str, Any]
) -> None:
    """Judge a corpus with one detector by its own calibration, those it was trained on apart."""
    from dataclasses import replace

    from dataset.files import write_json
    from dataset.records import Corpus
    from forensics.crossfit import prepare
    from forensics.detectors.registry import load_detector
    from forensics.evaluate import evaluate_detector, score_detector
    from forensics.evaluation.config import EvaluationConfig

    cache, draws = settings.pop("cache"), settings.pop("draws")
    loaded, detector = Corpus.load(corpus), load_detector(model)
    recipe = make_recipe(folds=2, **settings)
    recipe = replace(recipe, views=replace(recipe.views, window=detector.window))
    with progress("cutting windows") as bar:
        windows = prepare(loaded, recipe, cache, bar.update)
    if out is not None:
        path = out / "scores" / "model.json"
        if known := score_detector(detector, windows, path, train_only=recipe.train_only):
            click.echo(f"{known} clips left out: the detector was trained on them")
        told = EvaluationConfig(corpus, scores=((path, ""),), train_only=recipe.train_only, draws=draws)
        _evaluate(told, out, json_path)
        return
    held_out, seen = evaluate_detector(detector, loaded, windows, train_only=recipe.train_only)
    for evaluation in [held_out] if seen is None else [held_out, seen]:
        print_tables(evaluation)
    if json_path is not None:
        figures = {
            "held_out": held_out.to_dict(),
            "seen_in_training": None if seen is None else seen.to_dict(),
        }
        write_json(json_path, figures)
