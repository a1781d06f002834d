"""What would let a detector know the answer without looking at the picture, or know the picture already.

A *proof* stops the evaluation: figures behind it mean nothing. A *hint* is written into the report: it may have an
innocent cause, and the report says how much it could have helped.

    same person, file or content on both sides of a test                          proof
    one file under two names                                                      proof
    codec, container or pixel format of one label only                            proof
    size, rate, length or key frames that differ between a fake and its pair      proof where they nearly always do
    one threshold on such a fact that parts the labels of the whole corpus        proof from AUC 0.98 on, for bits a
                                                                                  pixel among 20 clips of either label
    the same facts, less sharply; bits a pixel between a fake and its pair        hint

Bits a pixel are an exception within pairs: at constant quality a smoother picture takes fewer bits, whoever encodes it,
so that they follow from the fake itself and not from how it was stored.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from dataset.errors import LeakageError
from dataset.records import Clip
from forensics.evaluation.facts import FileFacts
from forensics.evaluation.scores import ScoreFile
from forensics.metrics import auc

PROOF, HINT, CLEAR = "proof", "hint", "clear"
BITS = "bits a pixel"
#: Share of pairs in which a fact points one way: from here on a hint, and a proof.
_LEANING, _TELLING = 0.65, 0.95
#: Chance of such a lean among people if there were none, above which it is no hint.
_CHANCE = 0.05
#: AUC of a single threshold over the whole corpus: from here on a hint, and a proof.
_PARTING, _PARTED = 0.8, 0.98
#: Fewer pairs, or clips of a label, than this prove nothing.
_ENOUGH = 5
#: The same for bits a pixel, which a few smooth pictures may part by themselves.
_MANY = 20
#: Likeness of two people's recordings that is a proof; below it there is a hint.
_COPY = 0.95


@dataclass(frozen=True)
class Finding:
    """What one check found.

    Attributes:
        level: "proof", "hint" or "clear".
        check: its name.
        text: what was found, for readers.
        figures: numbers behind it.
    """

    level: str
    check: str
    text: str
    figures: dict[str, float]

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)


def stop_at_proof(findings: Sequence[Finding]) -> None:
    """End the evaluation if anything is proved.

    Raises:
        LeakageError: with the first proof, and how many more there are.
    """
    proofs = [finding for finding in findings if finding.level == PROOF]
    if proofs:
        more = f" (and {len(proofs) - 1} more)" if len(proofs) > 1 else ""
        raise LeakageError(f"leakage, {proofs[0].check}: {proofs[0].text}{more}")


def check_training(files: Sequence[ScoreFile]) -> list[Finding]:
    """No person that was to be left out, and no file that is judged, may have been trained on."""
    findings = []
    for file in files:
        for score in file.scores:
            clip = score.clip
            people = {clip.subject, clip.source_subject}
            if clip.sha256 in file.training.sha256:
                findings.append(
                    _proof("same file", f"{clip.path} was trained on by the detector that judges it")
                )
            elif file.fold.subjects and (seen := people & file.training.subjects):
                findings.append(
                    _proof(
                        "same subject", f"{sorted(seen)[0]} of {clip.path} was trained on, though left out"
                    )
                )
    if not findings:
        told = sum(file.complete for file in files)
        findings.append(
            Finding(
                CLEAR if told == len(files) else HINT,
                "same subject",
                "nobody left out and no file that is judged was trained on"
                + ("" if told == len(files) else ", as far as the corpus and what was left out tell"),
                {"detectors": len(files), "that list what they were trained on": told},
            )
        )
    return findings


def check_hashes(clips: Sequence[Clip]) -> list[Finding]:
    """No file may stand in a corpus under two names."""
    seen: dict[str, Clip] = {}
    findings = []
    for clip in sorted(clips, key=lambda clip: clip.path):
        other = seen.setdefault(clip.sha256, clip)
        if other.path != clip.path:
            findings.append(_proof("same file", f"{clip.path} is the same file as {other.path}"))
    return findings or [Finding(CLEAR, "same file", "every file is there once", {"files": len(seen)})]


def check_content(
    alike: Sequence[tuple[Clip, Clip, float]], files: Sequence[ScoreFile], compared: int
) -> list[Finding]:
    """No recording may be on both sides of a test under two people's names.

    Args:
        alike: pairs of clips of different people that show the same, and how alike they are.
        files: whose detectors' two sides are looked at.
        compared: how many recordings were.
    """
    findings = []
    for first, second, value in alike:
        sides = [
            (one, other)
            for one, other in ((first, second), (second, first))
            if any(_tests(file, one) and other.sha256 in file.training.sha256 for file in files)
        ]
        if sides:
            one, other = sides[0]
            level = PROOF if value >= _COPY else HINT
            findings.append(
                Finding(
                    level,
                    "same content",
                    f"{one.path} is judged by a detector that was trained on {other.path}, which shows the same "
                    f"(likeness {value:.2f})",
                    {"likeness": value},
                )
            )
    return findings or [
        Finding(CLEAR, "same content", "no two people's recordings show the same", {"recordings": compared})
    ]


def check_names(clips: Sequence[Clip], facts: Mapping[str, FileFacts]) -> list[Finding]:
    """Codec, container and pixel format must not tell the label."""
    seen: dict[str, set[tuple[str, ...]]] = defaultdict(set)
    for clip in clips:
        seen[clip.label].add(facts[clip.path].names)
    odd = sorted(seen["real"] ^ seen["fake"])
    if seen["real"] and seen["fake"] and odd:
        told = " ".join(odd[0])
        return [_proof("codec and container", f"only real or only fake clips are {told}")]
    return [
        Finding(
            CLEAR,
            "codec and container",
            "the same for both labels",
            {"kinds": len(seen["real"] | seen["fake"])},
        )
    ]


def check_numbers(clips: Sequence[Clip], facts: Mapping[str, FileFacts]) -> list[Finding]:
    """No single fact of the files may tell the label, neither within pairs nor over the whole corpus."""
    names = list(next(iter(facts.values())).numbers) if facts else []
    return [_check_number(name, clips, facts) for name in names]


def against_the_grain(
    scores: Sequence[tuple[Clip, float]], facts: Mapping[str, FileFacts], name: str
) -> float | None:
    """AUC of a detector among those comparisons of a real clip and a fake in which a fact of the files misleads.

    A detector that follows the fact is below one half there, one that does not look at it is as good as elsewhere.

    Args:
        scores: clips and what the detector says.
        facts: by path.
        name: of the fact.

    Returns:
        None where it never misleads.
    """
    real = [(facts[clip.path].numbers[name], score) for clip, score in scores if clip.label == "real"]
    fake = [(facts[clip.path].numbers[name], score) for clip, score in scores if clip.label == "fake"]
    if not real or not fake:
        return None
    fact = np.array([value for value, _ in fake])[:, None] - np.array([value for value, _ in real])[None]
    said = np.array([score for _, score in fake])[:, None] - np.array([score for _, score in real])[None]
    leaning = np.sign(fact).sum()
    misleading = np.sign(fact) == (-1 if leaning > 0 else 1)
    if not misleading.any():
        return None
    return float(((said[misleading] > 0) + 0.5 * (said[misleading] == 0)).mean())


def _check_number(name: str, clips: Sequence[Clip], facts: Mapping[str, FileFacts]) -> Finding:
    signs: dict[str, list[float]] = defaultdict(list)
    for clip in clips:
        if clip.pair is not None and clip.pair in facts:
            difference = facts[clip.path].numbers[name] - facts[clip.pair].numbers[name]
            signs[clip.subject].append(float(np.sign(difference)) * (1 if clip.label == "fake" else -1))
    pairs = [sign for some in signs.values() for sign in some]
    lean = abs(float(np.mean(pairs))) / 2 + 0.5 if pairs else 0.5
    chance = _sign_test([float(np.mean(some)) for some in signs.values()])
    labels = np.array([clip.label == "fake" for clip in clips])
    area = 0.5
    if min(labels.sum(), (~labels).sum()) >= _ENOUGH:
        area = auc(np.array([facts[clip.path].numbers[name] for clip in clips]), labels)
        area = max(area, 1 - area)
    figures = {"pairs": len(pairs), "right within pairs": lean, "chance": chance, "AUC over all": area}
    text = (
        f"alone it tells a fake from its pair in {lean:.0%} of {len(pairs)} pairs, "
        f"and any fake from any real clip with AUC {area:.2f}"
    )
    if name == BITS:
        proved = area >= _PARTED and min(labels.sum(), (~labels).sum()) >= _MANY
    else:
        proved = area >= _PARTED or (lean >= _TELLING and len(pairs) >= _ENOUGH)
    hinted = area >= _PARTING or (lean >= _LEANING and chance <= _CHANCE)
    return Finding(PROOF if proved else HINT if hinted else CLEAR, name, text, figures)


def _sign_test(means: Sequence[float]) -> float:
    """Two-sided chance that so many people lean one way if each leans either way alike."""
    from scipy.stats import binomtest

    up, down = sum(mean > 0 for mean in means), sum(mean < 0 for mean in means)
    return float(binomtest(up, up + down).pvalue) if up + down else 1.0


def _tests(file: ScoreFile, clip: Clip) -> bool:
    return any(score.clip.sha256 == clip.sha256 for score in file.scores)


def _proof(check: str, text: str) -> Finding:
    return Finding(PROOF, check, text, {})
