"""What is in a collection, for people and programs to read."""

from __future__ import annotations

from typing import Any

from dataset.collection.collection import Collection, today
from dataset.collection.lineage import Lineage, descends_from
from dataset.collection.records import SCOPES, Subject


def overview(collection: Collection) -> dict[str, Any]:
    """The facts of a collection as JSON values: names, counts, and how each subject's consent stands today."""
    recordings, fakes = collection.recordings(), collection.fakes()
    return {
        **{
            key: collection.facts[key]
            for key in ("name", "title", "licence", "contact", "created", "schema_version")
        },
        "counts": {
            "subjects": len(collection.subjects()),
            "recordings": len(recordings),
            "seconds": round(sum(recording.duration for recording in recordings), 3),
            "bytes": sum(recording.size_bytes for recording in recordings),
            "fakes": len(fakes),
            "models": len(collection.models()),
            "detectors": len(collection.detectors()),
            "warnings": sum(
                result.outcome != "passed" for recording in recordings for result in recording.checks.values()
            ),
        },
        "subjects": [
            {
                "id": subject.id,
                "status": subject.status,
                "kind": subject.consent.kind,
                "recordings": sum(recording.subject == subject.id for recording in recordings),
                "fakes": sum(fake.subject == subject.id for fake in fakes),
                "consent": {purpose: subject.consent.problem(purpose, today()) for purpose in SCOPES},
                "expires": subject.consent.expires,
            }
            for subject in collection.subjects()
        ],
    }


def overview_lines(collection: Collection) -> list[str]:
    """The same for people."""
    facts = overview(collection)
    counts = facts["counts"]
    minutes, seconds = divmod(round(counts["seconds"]), 60)
    lines = [
        f"collection  {facts['name']}{': ' + facts['title'] if facts['title'] else ''}",
        f"folder      {collection.root}",
        f"licence     {facts['licence']}",
        f"contact     {facts['contact'] or 'nobody named'}",
        f"created     {facts['created']}, schema version {facts['schema_version']}",
        f"recordings  {counts['recordings']}, {minutes} min {seconds:02d} s, {counts['bytes'] / 1e6:.1f} MB",
        f"fakes       {counts['fakes']}",
        f"made of it  {counts['models']} models, {counts['detectors']} detectors",
        f"subjects    {counts['subjects']}",
    ]
    lines += [f"  {line}" for line in _table(facts["subjects"])]
    if counts["warnings"]:
        lines.append(
            f"{counts['warnings']} findings of the checks at import; they stand in the recordings' records"
        )
    return lines


def _table(subjects: list[dict[str, Any]]) -> list[str]:
    if not subjects:
        return []
    wide = max(len(subject["id"]) for subject in subjects)
    return [
        f"{subject['id']:<{wide}}  {subject['recordings']:>3} recordings {subject['fakes']:>3} fakes  {_stand(subject)}"
        for subject in subjects
    ]


def _stand(subject: dict[str, Any]) -> str:
    """One line on a subject's consent."""
    if subject["status"] == "withdrawn":
        return "withdrawn"
    problems = subject["consent"]
    allowed = [purpose for purpose, problem in problems.items() if problem is None]
    if not allowed:
        return f"no consent: it {next(iter(problems.values()))}"
    if subject["kind"] == "mannequin":
        return "mannequin"
    until = f", until {subject['expires']}" if subject["expires"] else ""
    return f"may {', '.join(allowed)}{until}"


def lineage_of(collection: Collection, subject: str) -> dict[str, list[str]]:
    """Ids of all that derives from a subject; poses by file name, recordings first."""
    found: Lineage = descends_from(collection, subject)
    return {
        "recordings": [recording.id for recording in found.recordings],
        "fakes": [fake.id for fake in found.fakes],
        "poses": [path.name for path in found.poses],
        "models": [model.id for model in found.models],
        "detectors": [detector.id for detector in found.detectors],
    }


def lineage_lines(collection: Collection, subject: str) -> list[str]:
    """The same for people."""
    who: Subject = collection.subject(subject)
    lines = [f"{who.id}: {who.consent.kind}, {who.status}"]
    for kind, ids in lineage_of(collection, subject).items():
        lines.append(f"{kind:<11} {len(ids)}")
        lines += [f"  {id}" for id in ids]
    return lines
