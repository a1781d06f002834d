"""``croissant.json``: the release described for machines (MLCommons Croissant 1.1, with its responsible-AI fields).

The hub makes such a description itself, but without the fields that say how people came into the data.
"""

from __future__ import annotations

from typing import Any

from dataset.release.encode import CRF, GOP
from dataset.release.figures import Facts

# Property names of the vocabulary that stand in the file without their prefix.
_TERMS = (
    "arrayShape", "citeAs", "column", "containedIn", "equivalentProperty", "extract", "field", "fileProperty",
    "fileObject", "fileSet", "format", "includes", "isArray", "isLiveDataset", "jsonPath", "key", "md5", "parentField",
    "path", "recordSet", "references", "regex", "repeated", "replace", "samplingRate", "separator", "source",
    "subField", "transform",
)  # fmt: skip

_CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "sc": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "dct": "http://purl.org/dc/terms/",
    "conformsTo": "dct:conformsTo",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "description": {"@container": "@language"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "name": {"@container": "@language"},
    **{term: f"cr:{term}" for term in _TERMS},
}

_TEXT, _INT, _FLOAT = "sc:Text", "cr:Int64", "cr:Float64"
#: Columns that a reader of the description gets, by configuration; the rest are nested.
_FIELDS: dict[str, tuple[tuple[str, str, str], ...]] = {
    "recordings": (
        ("id", _TEXT, "Name of the video."),
        ("label", _INT, "0 for real, 1 for fake."),
        ("kind", _TEXT, "recording, self (own motion) or cross (somebody else's)."),
        ("subject", _TEXT, "Pseudonym of who is seen."),
        ("source_subject", _TEXT, "Pseudonym of whose motion it is."),
        ("source", _TEXT, "The recording whose motion it is."),
        ("generator", _TEXT, "What painted the fake; empty for a recording."),
        ("split", _INT, "0 for train, 1 for validation, 2 for test."),
        ("frames", _INT, "Number of frames."),
        ("fps", _FLOAT, "Frames a second on average."),
        ("duration", _FLOAT, "Seconds."),
        ("licence", _TEXT, "SPDX identifier."),
        ("sha256", _TEXT, "SHA-256 of the video file."),
        ("lineage", _TEXT, "JSON: from the video back to recordings, generator and consent records."),
    ),
    "pairs": (
        ("id", _TEXT, "Name of the fake."),
        ("real_id", _TEXT, "Name of the recording."),
        ("fake_id", _TEXT, "Name of the fake."),
        ("subject", _TEXT, "Pseudonym of who is seen."),
        ("split", _INT, "0 for train, 1 for validation, 2 for test."),
        ("frames", _INT, "Number of frames of both."),
        ("real_sha256", _TEXT, "SHA-256 of the recording's file."),
        ("fake_sha256", _TEXT, "SHA-256 of the fake's file."),
    ),
    "poses": (
        ("id", _TEXT, "Name of the video."),
        ("frame", _INT, "Number of the frame, from 0."),
        ("time", _FLOAT, "Seconds from the first frame."),
        ("subject", _TEXT, "Pseudonym of who is seen."),
        ("estimator", _TEXT, "What found the key points."),
    ),
}


def croissant(facts: Facts, licence_url: str) -> dict[str, Any]:
    """The description as JSON-LD.

    Args:
        facts: of the release.
        licence_url: address of the licence's text.
    """
    collection, figures = facts.collection, facts.figures
    people = facts.of_people()
    return {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": ["http://mlcommons.org/croissant/1.1", "http://mlcommons.org/croissant/RAI/1.0"],
        "name": collection.name,
        "description": (
            f"{collection.title}: {figures.total} videos of {len(figures.subjects)} subjects, "
            f"{figures.of('real')} real and {figures.of('fake')} fake, with key points, lineage and consent."
        ),
        "version": facts.version,
        "datePublished": facts.dated,
        "license": licence_url,
        "inLanguage": collection.language,
        "keywords": ["deepfake detection", "human pose", "motion transfer", "video"],
        "creator": {"@type": "sc:Organization", "name": f"{collection.title} maintainers"},
        "citeAs": f"{collection.title} maintainers. {collection.title}, version {facts.version}.",
        **_responsible(facts, people),
        "distribution": [_file_set(config, facts) for config in facts.shards],
        "recordSet": [_record_set(config) for config in facts.shards],
    }


def _responsible(facts: Facts, people: bool) -> dict[str, Any]:
    figures = facts.figures
    contact = facts.collection.contact or "the maintainers"
    filmed = sorted(day for recording in facts.collection.recordings() if (day := recording.filmed))
    told: dict[str, Any] = {
        "rai:dataCollection": (
            "Each subject was filmed alone in front of a still camera; recordings were checked at import."
            if people
            else "Rendered by a program as a camera would film a person; nobody is seen."
        ),
        "rai:dataCollectionType": ["Direct measurement"] if people else ["Simulated"],
        "rai:dataCollectionRawData": "Recordings as they came from the camera; kept by the maintainers, not published.",
        "rai:dataCollectionMissingData": "Sound is removed. Key points have confidence 0 where nobody was found.",
        "rai:dataPreprocessingProtocol": [
            f"Real and fake encoded alike: H.264, crf {CRF}, a key frame every {GOP} frames; size and times kept.",
            "Frames of a recording and of its fakes filled up to the same number of bytes.",
            *(["Faces made unrecognisable in recordings and fakes."] if facts.blur_faces else []),
        ],
        "rai:dataManipulationProtocol": (
            "Fakes are synthesised: key points of a recording drive a generator that was trained on the subject shown. "
            "Each file says so in its comment tag."
        ),
        "rai:machineAnnotationTools": sorted({clip.estimator for clip in facts.clips}),
        "rai:dataAnnotationProtocol": ["Labels follow from how a video was made; nobody judged them."],
        "rai:dataUseCases": [
            "Training and comparing detectors of synthesised human motion.",
            "Not for identifying people, nor for synthesising them beyond their consent.",
        ],
        "rai:dataLimitations": [
            f"{len(figures.subjects)} subjects; figures need intervals over subjects.",
            "Fakes of pose-driven synthesis alone.",
        ],
        "rai:dataBiases": [
            "Age, sex, origin and health of subjects are not recorded, so balance over them is unknown."
        ],
        "rai:dataSocialImpact": (
            "Detectors trained on it may err more on people unlike the subjects; their verdict is evidence, not proof."
        ),
        "rai:personalSensitiveInformation": (
            ["Likeness and motion of people under pseudonyms, with consent recorded for each; no names."]
            if people
            else ["None: nobody in it exists."]
        ),
        "rai:dataReleaseMaintenancePlan": (
            f"Withdrawal at any time through {contact}: all that derives from a subject is removed, history included, "
            "and a new version with a tombstone appears."
        ),
    }
    if filmed:
        told["rai:dataCollectionTimeframe"] = [filmed[0], filmed[-1]]
    return told


def _file_set(config: str, facts: Facts) -> dict[str, Any]:
    rows = sum(rows for shards in facts.shards[config].values() for _, rows, _ in shards)
    return {
        "@type": "cr:FileSet",
        "@id": f"{config}-files",
        "name": f"{config}-files",
        "description": f"{rows} rows in Parquet.",
        "encodingFormat": "application/x-parquet",
        "includes": f"data/{config}/*.parquet",
    }


def _record_set(config: str) -> dict[str, Any]:
    return {
        "@type": "cr:RecordSet",
        "@id": config,
        "name": config,
        "field": [
            {
                "@type": "cr:Field",
                "@id": f"{config}/{name}",
                "name": name,
                "description": told,
                "dataType": kind,
                "source": {"fileSet": {"@id": f"{config}-files"}, "extract": {"column": name}},
            }
            for name, kind, told in _FIELDS[config]
        ],
    }
