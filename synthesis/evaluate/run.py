"""The evaluation from model folders to files."""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from dataset.errors import SynthesisError
from dataset.files import atomic_path, write_json
from dataset.provenance import VERSION
from synthesis.consent import confirm
from synthesis.evaluate.curves import Curve, curve_of
from synthesis.evaluate.flicker import __doc__ as _flicker
from synthesis.evaluate.held_out import ON_TRAINING_FRAMES, TRAINING_SHARE, HeldOut, by_hash, held_out
from synthesis.evaluate.intervals import __doc__ as _intervals
from synthesis.evaluate.limits import __doc__ as _limits
from synthesis.evaluate.page import write_page
from synthesis.evaluate.perceptual import Distance
from synthesis.evaluate.poses import __doc__ as _poses
from synthesis.evaluate.regions import __doc__ as _regions
from synthesis.evaluate.results import Evaluation, SubjectResult, averaged, summarise
from synthesis.evaluate.scores import REAL, score_clip
from synthesis.evaluate.ssim import DEFINITION
from synthesis.evaluate.systems import ModelRef, ModelSystem, NearestNeighbour, System
from synthesis.evaluate.table import markdown
from synthesis.model import TargetModel, read_facts, snapshots

Report = Callable[..., None]

#: Baselines by the name of their column; whether only the person is laid down.
BASELINES = {"nearest neighbour": False, "nearest neighbour, masked": True}


Columns = dict[str, list[ModelRef]]


def columns_of(models: Sequence[Path]) -> Columns:
    """Models that were named without a column: one column "model" if no two of them are of the same recordings, else
    a column for each, called after its folder."""
    keys = [_key(folder) for folder in models]
    if len(set(keys)) == len(keys):
        return {"model": [ModelRef(folder) for folder in models]}
    names = [folder.resolve().name for folder in models]
    if len(set(names)) < len(names):
        raise SynthesisError("two model folders have the same name", hint="use --column NAME=FOLDER")
    return {name: [ModelRef(folder)] for name, folder in zip(names, models, strict=True)}


def snapshot_columns(models: Sequence[Path]) -> Columns:
    """A column for each kept snapshot and one for the final generators, in the order of training.

    Raises:
        SynthesisError: no model keeps snapshots.
    """
    steps = sorted({step for folder in models for step in snapshots(folder)})
    if not steps:
        raise SynthesisError("no snapshots are kept", path=models[0], hint="train with --snapshot STEP")
    columns: Columns = {}
    for step in steps:
        having = [
            folder for folder in models if step in snapshots(folder) and read_facts(folder)["steps"] != step
        ]
        if having:
            columns[f"{step} steps"] = [ModelRef(folder, step) for folder in having]
    return columns | {"final": [ModelRef(folder) for folder in models]}


def evaluate(
    columns: Columns,
    recordings: Sequence[Path],
    out: Path,
    distance: Distance,
    *,
    baselines: Sequence[str] = tuple(BASELINES),
    on_training_frames: bool = False,
    with_poses: bool = True,
    with_curves: bool = False,
    report: Report = lambda *facts: None,
) -> Evaluation:
    """Evaluate models on their held-out frames and write evaluation.json, .md, .html and frames.csv into a folder.

    Models of the same recordings are of the same subject. Frames that all of its models held out are evaluated.

    Args:
        columns: models, or snapshots, by the name of their column; at most one of each subject in a column.
        recordings: the models' recordings.
        out: the folder.
        distance: the perceptual distance.
        baselines: which of `BASELINES` to evaluate beside them.
        on_training_frames: look at models that held nothing out as well; every output says so.
        with_poses: find the poses again in the output, which takes longest.
        with_curves: plot quality against training minutes; the columns are snapshots.
        report: called as ``report(what, done, total)``.

    Raises:
        ConsentError: the consent behind a model has run out or was revoked.
        SynthesisError: see `held_out`; or the columns do not make a table.
        ModelError: a model cannot be loaded.
    """
    if unknown := set(baselines) - set(BASELINES):
        raise SynthesisError(f"no baseline {unknown.pop()!r}", hint=f"there are: {', '.join(BASELINES)}")
    if taken := {REAL, *BASELINES} & set(columns):
        raise SynthesisError(f"a column cannot be called {taken.pop()!r}")
    files = by_hash(recordings)
    names = [*baselines, *columns]
    out.mkdir(parents=True, exist_ok=True)
    results, notes = [], []
    with tempfile.TemporaryDirectory(prefix=".evaluate_", dir=out) as temporary:
        for number, (title, models) in enumerate(_by_subject(columns).items()):
            folder = Path(temporary) / str(number)
            folder.mkdir()
            loaded = {column: ref.load() for column, ref in models.items()}
            for model in loaded.values():
                confirm(model.consent)
            clips = held_out(
                list(loaded.values()),
                files,
                next(iter(models.values())).folder / "cache",
                on_training_frames=on_training_frames,
                report=report,
            )
            notes += _notes(title, loaded, clips)
            systems: dict[str, System] = {}
            for name in baselines:
                systems[name] = NearestNeighbour(clips, folder / name, masked=BASELINES[name])
            systems |= {column: ModelSystem(model) for column, model in loaded.items()}
            result = SubjectResult(title, [])
            result.absent = {name: f"no model of {title}" for name in names if name not in systems}
            for clip in clips:
                result.clips.append(
                    score_clip(clip, systems, distance, folder, with_poses=with_poses, report=report)
                )
            summarise(result, names, with_poses=with_poses)
            results.append(result)
        evaluation = Evaluation(names, results, distance.label, list(dict.fromkeys(notes)), _facts(distance))
        evaluation.means = averaged(results, names)
        curves = _curves(columns, evaluation) if with_curves else []
        _write(evaluation, curves, out, report)
    return evaluation


def _by_subject(columns: Columns) -> dict[str, dict[str, ModelRef]]:
    """Subject → column → model; subjects are told apart by their recordings and named after their first model."""
    found: dict[frozenset[str], dict[str, ModelRef]] = {}
    names: dict[frozenset[str], str] = {}
    for column, refs in columns.items():
        for ref in refs:
            key = _key(ref.folder)
            models = found.setdefault(key, {})
            if column in models:
                raise SynthesisError(
                    f"the column {column} has two models of the same recordings", path=ref.folder
                )
            models[column] = ref
            subject = str(read_facts(ref.folder)["subject"])
            if key not in names:
                names[key] = subject if subject not in names.values() else f"{subject} ({len(names) + 1})"
    return {names[key]: models for key, models in found.items()}


def _key(folder: Path) -> frozenset[str]:
    return frozenset(str(recording["sha256"]) for recording in read_facts(folder)["recordings"])


def _notes(title: str, models: dict[str, TargetModel], clips: list[HeldOut]) -> list[str]:
    notes = []
    if any(clip.trained_on for clip in clips):
        notes.append(
            f"{ON_TRAINING_FRAMES} (subject {title}: the last {100 * TRAINING_SHARE:.0f} % of each recording)"
        )
    if any(model.consent.research_only for model in models.values()):
        notes.append(
            f"RESEARCH ONLY: no consent record stands behind a model of {title}; not to be published"
        )
    return notes


def _facts(distance: Distance) -> dict[str, object]:
    texts: dict[str, str | None] = {
        "ssim": DEFINITION,
        "regions": _regions,
        "pose": _poses,
        "flicker": _flicker,
    }
    texts |= {"limits": _limits, "intervals": _intervals, "baselines": NearestNeighbour.__doc__}
    definitions = {name: " ".join((text or "").replace("`", "").split()) for name, text in texts.items()}
    definitions["baselines"] = definitions["baselines"].split(" Args:")[0]
    facts: dict[str, object] = {"tool": f"danceproof {VERSION}", "definitions": definitions}
    return facts | ({"perceptual_weights_sha256": distance.weights_sha256} if distance.weights_sha256 else {})


def _curves(columns: Columns, evaluation: Evaluation) -> list[Curve]:
    subjects = _by_subject(columns)
    return [curve_of(subject, subjects[subject.name]) for subject in evaluation.subjects]


def _write(evaluation: Evaluation, curves: list[Curve], out: Path, report: Report) -> None:
    facts = evaluation.to_dict() | ({"curves": [curve.to_dict() for curve in curves]} if curves else {})
    write_json(out / "evaluation.json", facts)
    with atomic_path(out / "evaluation.md") as temporary:
        temporary.write_text(markdown(evaluation, curves), "utf-8")
    _write_frames(evaluation, out / "frames.csv")
    write_page(evaluation, curves, out / "evaluation.html", report)


def _write_frames(evaluation: Evaluation, path: Path) -> None:
    """Every value of every frame, for whoever wants to draw other conclusions."""
    with atomic_path(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["subject", "recording", "frame", "seconds", "column", "measure", "value"])
        for subject in evaluation.subjects:
            for scores in subject.clips:
                for column, measures in scores.values.items():
                    for measure, values in measures.items():
                        for row in np.flatnonzero(~np.isnan(values)):
                            frame = scores.clip.start + int(row)
                            seconds = f"{scores.clip.poses.times[frame]:.3f}"
                            place = [subject.name, scores.clip.path.name, frame, seconds, column, measure]
                            table.writerow([*place, f"{values[row]:.6g}"])
