"""The texts of a release, rendered from what is in it with the templates in ``cards/dataset``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jinja2

import cards
from dataset.files import atomic_path, write_json
from dataset.release.croissant import croissant
from dataset.release.encode import CRF, GOP
from dataset.release.figures import Facts
from dataset.release.licences import licence_of
from dataset.release.splits import SPLITS
from dataset.release.tables import features

#: File of the release → its template.
TEXTS = {
    "datasheet.md": "datasheet.md.j2",
    "CHANGELOG.md": "CHANGELOG.md.j2",
    "TOMBSTONES.md": "TOMBSTONES.md.j2",
    "CITATION.cff": "CITATION.cff.j2",
    "LICENSE": "LICENSE.j2",
}
_ROWS = {
    "recordings": "one video, real or fake",
    "pairs": "a fake and the recording it mirrors frame for frame",
    "poses": "one frame of a video",
}
_COLUMNS = {
    "recordings": "`video`, `label`, `pair`",
    "pairs": "`real`, `fake`, `real_id`, `fake_id`",
    "poses": "`frame`, `time`, `body` (25 points), `left_hand`, `right_hand` (21 each), `face` (70)",
}


def environment() -> jinja2.Environment:
    """Where the templates are found; a name that a template does not get is an error."""
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(cards.__file__).parent / "dataset"),
        autoescape=jinja2.select_autoescape(("html.j2",)),
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
    )
    made.filters.update(duration=_duration, counted=_counted, span=_span)
    return made


def write_texts(root: Path, facts: Facts) -> None:
    """Card, data sheet, licence, citation, changelog, tombstones and Croissant description."""
    for name, text in render_texts(facts).items():
        with atomic_path(root / name) as temporary:
            temporary.write_text(text, "utf-8")
    # The same as TOMBSTONES.md, for programs that keep a copy in step.
    write_json(root / "tombstones.json", {"schema": 1, "tombstones": facts.history[-1].tombstones})
    write_json(root / "croissant.json", croissant(facts, licence_of(facts.collection.licence)[2]))


def render_texts(facts: Facts) -> dict[str, str]:
    """File name → text, of all but the Croissant description and the pages."""
    told = values(facts)
    templates = environment()
    texts = {name: templates.get_template(template).render(told) for name, template in TEXTS.items()}
    card = templates.get_template("README.md.j2").render(told)
    texts["README.md"] = f"---\n{front_matter(facts)}---\n\n{card}"
    return {name: text.rstrip() + "\n" for name, text in texts.items()}


def values(facts: Facts) -> dict[str, Any]:
    """What the templates know."""
    collection, figures = facts.collection, facts.figures
    _, licence_name, licence_url, _ = licence_of(collection.licence)
    filmed = sorted(day for recording in collection.recordings() if (day := recording.filmed))
    legal = Path(cards.__file__).parent / "dataset" / f"{collection.licence}.txt"
    return {
        "name": collection.name,
        "title": collection.title,
        "language": collection.language,
        "contact": collection.contact,
        "version": facts.version,
        "dated": facts.dated,
        "licence": collection.licence,
        "licence_name": licence_name,
        "licence_url": licence_url,
        "licence_text": legal.read_text("utf-8") if legal.is_file() else "",
        "figures": figures,
        "splits": SPLITS,
        "shards": facts.shards,
        "consents": facts.consents,
        "left_out": facts.left_out_counts(),
        "blur_faces": facts.blur_faces,
        "of_people": facts.of_people(),
        "who": _who(figures.kinds),
        "estimators": sorted({clip.estimator for clip in facts.clips}),
        "filmed": f"{filmed[0]} to {filmed[-1]}." if filmed else "",
        "crf": CRF,
        "gop": GOP,
        "config_rows": _ROWS,
        "config_columns": _COLUMNS,
        "releases": facts.history[::-1],
        "tombstones": facts.history[-1].tombstones,
    }


def front_matter(facts: Facts) -> str:
    """The card's YAML: what the hub and `datasets` read from it, in a fixed order."""
    from datasets import DatasetInfo
    from datasets.info import DatasetInfosDict
    from datasets.splits import SplitDict, SplitInfo
    from huggingface_hub import DatasetCardData

    hub_name, licence_name, licence_url, _ = licence_of(facts.collection.licence)
    other: dict[str, Any] = (
        {"license_name": licence_name, "license_link": licence_url} if hub_name == "other" else {}
    )
    card = DatasetCardData(
        language=[facts.collection.language],
        license=hub_name,
        **other,
        pretty_name=facts.collection.title,
        size_categories=[_size_category(facts.figures.total)],
        task_categories=["video-classification"],
        tags=["deepfake-detection", "human-pose", "motion-transfer", "video", "danceproof"],
    )
    if facts.of_people():
        card["extra_gated_prompt"] = (
            "These videos show people who consented to what release.json says and may withdraw. By asking for access "
            "you agree to use them within that consent, to identify nobody, and to delete what TOMBSTONES.md lists."
        )
        card["extra_gated_fields"] = {"Purpose": "text", "I agree to delete what is withdrawn": "checkbox"}
    configs = []
    infos = DatasetInfosDict()
    for config, splits in facts.shards.items():
        named = [{"split": split, "path": f"data/{config}/{split}-*.parquet"} for split in splits]
        configs.append(
            {"config_name": config, "data_files": named}
            | ({"default": True} if config == "recordings" else {})
        )
        counted = SplitDict()
        for split, shards in splits.items():
            rows, size = sum(rows for _, rows, _ in shards), sum(size for _, _, size in shards)
            counted.add(SplitInfo(split, num_bytes=size, num_examples=rows))
        size = sum(size for shards in splits.values() for _, _, size in shards)
        infos[config] = DatasetInfo(
            features=features(config),
            splits=counted,
            download_size=size,
            dataset_size=size,
            config_name=config,
        )
    infos.to_dataset_card_data(card)
    card["configs"] = configs
    return card.to_yaml() + "\n"


def _size_category(number: int) -> str:
    for limit, name in (
        (1_000, "n<1K"),
        (10_000, "1K<n<10K"),
        (100_000, "10K<n<100K"),
        (1_000_000, "100K<n<1M"),
    ):
        if number < limit:
            return name
    return "1M<n<10M"


def _who(kinds: dict[str, int]) -> str:
    words = {"person": ("person", "people"), "mannequin": ("mannequin", "mannequins")}
    return " and ".join(
        f"{number} {words[kind][number != 1]}" for kind, number in sorted(kinds.items(), reverse=True)
    )


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.1f} seconds"
    return f"{seconds / 60:.1f} minutes" if seconds < 7200 else f"{seconds / 3600:.1f} hours"


def _counted(found: dict[str, int]) -> str:
    return ", ".join(f"{name} ({number})" for name, number in found.items()) or "none"


def _span(ends: tuple[float, float]) -> str:
    low, high = (f"{end:g}" for end in ends)
    return low if low == high else f"{low} to {high}"
