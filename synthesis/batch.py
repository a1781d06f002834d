"""Several sources in one call: each is done on its own, and one that fails does not stop the others."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from dataset.errors import ConsentError, DanceproofError, ProvenanceError, SynthesisError
from dataset.provenance import Identity, find_identity
from synthesis.consent import confirm
from synthesis.model import TargetModel
from synthesis.transfer import Choices, Transferred, transfer

Report = Callable[[str, int, int | None], None]


@dataclass(frozen=True)
class Outcome:
    """What became of one source: either `made`, or `error` says why not."""

    source: Path
    made: Transferred | None
    error: DanceproofError | OSError | None


def transfer_all(
    model: TargetModel,
    sources: list[Path],
    folder: Path,
    *,
    cache: Path,
    choices: Choices | None = None,
    consent: Path | None = None,
    identity: Identity | None = None,
    report: Report = lambda what, done, total: None,
) -> Iterator[Outcome]:
    """Give the target the motion of each source, one after the other.

    Args:
        model: a trained generator.
        sources: videos; what each becomes is named after it.
        folder: where the results go, ``SOURCE.mp4`` each; made when it is not there.
        cache, choices, consent, identity: see `synthesis.transfer.transfer`.
        report: called as ``report(what, done, total)``.

    Yields:
        An outcome for each source, in order, as soon as it is known.

    Raises:
        ConsentError, ProvenanceError: nothing can be made at all.
        SynthesisError: no source was given.
    """
    if not sources:
        raise SynthesisError("no source was given", hint="name a video whose motion is wanted")
    identity = identity or find_identity()
    confirm(model.consent, consent=consent)
    for source, out in zip(sources, output_names(sources, folder), strict=True):
        try:
            made = transfer(
                model,
                source,
                out,
                cache=cache,
                choices=choices,
                consent=consent,
                identity=identity,
                pose_progress=_named(report, f"poses of {source.name}"),
                progress=_named(report, f"frames of {out.name}"),
            )
        except (ConsentError, ProvenanceError):
            raise  # the next source would meet the same
        except (DanceproofError, OSError) as error:
            yield Outcome(source, None, error)
        else:
            yield Outcome(source, made, None)


def output_names(sources: list[Path], folder: Path) -> list[Path]:
    """A name in the folder for each source: its own with .mp4, and a number where two would be the same."""
    names: list[Path] = []
    for source in sources:
        name, number = folder / f"{source.stem}.mp4", 1
        while name in names:
            number += 1
            name = folder / f"{source.stem}_{number}.mp4"
        names.append(name)
    return names


def _named(report: Report, what: str) -> Callable[[int, int | None], None]:
    return lambda done, total: report(what, done, total)
