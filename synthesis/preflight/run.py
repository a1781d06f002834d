"""The preflight itself: measure both videos, normalise, compare, judge."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from dataset.errors import PoseError
from dataset.pose import cached_poses, clean, smooth
from dataset.pose.cache import load_poses
from dataset.pose.keypoints import SEEN, PoseSequence
from synthesis.config import preset
from synthesis.ground import Ground, common_anchor, measure
from synthesis.limbs import limb_ratios
from synthesis.model import read_facts, read_image
from synthesis.normalize import normalize
from synthesis.plate import background
from synthesis.postures import Distances, distances
from synthesis.preflight.measure import Quality, Surroundings, quality, surroundings
from synthesis.preflight.verdict import (
    PART_CARE,
    Reason,
    judge_cut,
    judge_limbs,
    judge_postures,
    judge_sides,
    judge_video,
    overall,
)

if TYPE_CHECKING:
    from synthesis.preflight.cost import Cost

Image = npt.NDArray[np.uint8]
Report = Callable[[str, int, int | None], None]

#: Points may land this far outside the picture, as a share of its longer side, before they count as cut off.
_EDGE = 0.02


@dataclass(frozen=True)
class Preflight:
    """What can be told before training.

    Attributes:
        source: the video of the motion.
        target: the recording, or the folder of a trained model.
        trained: whether the target is a trained model.
        verdict: "yes", "care" or "no".
        reasons: for it, in the order in which things were looked at.
        source_quality, target_quality: of the key points.
        source_around, target_around: people and camera; None where there is no video to look at.
        poses: the source's, cleaned.
        training: the target's, cleaned.
        plate: (H, W, 3) uint8 of the target, None where nobody was found in its recording.
        moved: the source's poses as a transfer would use them; None where they cannot be normalised.
        grounds: of source and target before normalisation.
        postures: how far the source's poses are from the target's.
        ratios: by limb, target's to source's length.
        cost: of training; None for a trained model or where it could not be measured.
    """

    source: Path
    target: Path
    trained: bool
    verdict: str
    reasons: list[Reason]
    source_quality: Quality
    target_quality: Quality
    source_around: Surroundings | None
    target_around: Surroundings | None
    poses: PoseSequence
    training: PoseSequence
    plate: Image | None = None
    moved: PoseSequence | None = None
    grounds: tuple[Ground, Ground] | None = None
    postures: Distances | None = None
    ratios: dict[str, float] = field(default_factory=dict)
    cost: Cost | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON, without key points and pictures."""
        outside = None
        if self.postures is not None:
            found = self.postures
            outside = {
                "share": found.outside,
                "share_twice_as_far": found.far,
                "limit": found.limit,
                "usual": found.usual,
                "worst": [
                    {
                        "time": float(self.poses.times[found.rows[place]]),
                        "distance": float(found.distance[place]),
                        "nearest_target_time": float(self.training.times[found.nearest[place]]),
                    }
                    for place in found.worst(self.poses.times)
                ],
            }
        return {
            "source": str(self.source),
            "target": str(self.target),
            "trained": self.trained,
            "verdict": self.verdict,
            "reasons": [asdict(reason) for reason in self.reasons],
            "source_quality": asdict(self.source_quality),
            "target_quality": asdict(self.target_quality),
            "source_around": None if self.source_around is None else asdict(self.source_around),
            "target_around": None if self.target_around is None else asdict(self.target_around),
            "anchor": None if self.grounds is None else self.grounds[0].anchor,
            "grounds": None if self.grounds is None else
            {"source": asdict(self.grounds[0]), "target": asdict(self.grounds[1])},
            "poses_outside": outside,
            "limb_ratios": self.ratios,
            "cost": None if self.cost is None else asdict(self.cost) | {"seconds": self.cost.seconds},
        }  # fmt: skip


def preflight(
    source: Path,
    target: Path,
    *,
    cache: Path,
    source_poses: Path | None = None,
    target_poses: Path | None = None,
    source_person: str = "main",
    limbs: bool = False,
    estimate: bool = True,
    report: Report = lambda what, done, total: None,
) -> Preflight:
    """Look at a source and a target before anything is trained.

    Args:
        source: the video of the motion.
        target: the target's recording, or the folder of a trained model.
        cache: folder for key points.
        source_poses, target_poses: key points to take instead of estimating them, see `dataset.pose.cache.load_poses`.
        source_person: who in the source, see `dataset.pose.choice`.
        limbs: normalise with limb proportions adapted.
        estimate: measure what training would cost, which takes some seconds.
        report: called as ``report(what, done, total)``.

    Raises:
        VideoError: a video cannot be read.
        PoseError: given key points do not fit.
        ModelError: the target is a folder without a finished model.
    """
    raw = _poses(source, source_poses, source_person, cache, "source", report)
    around = surroundings(source, lambda done, total: report("looking at the source", done, total))
    trained = target.is_dir()
    plate: Image | None = None
    target_around: Surroundings | None = None
    if trained:
        read_facts(target)
        own = PoseSequence.load(target / "poses.npz")
        plate = read_image(target / "plate.png")
    else:
        own = _poses(target, target_poses, "main", cache, "target", report)
        target_around = surroundings(target, lambda done, total: report("looking at the target", done, total))
    poses, training = clean(raw), clean(own)
    if plate is None and training.present().any():
        plate = background(target, training, lambda what, done, total: report("background", done, total))
    facts: dict[str, Any] = {}
    seen, theirs = quality(raw), quality(own)
    reasons = [*judge_video("source", seen, around), *judge_video("target", theirs, target_around)]
    if poses.present().any() and training.present().any():
        more, facts = _compare(poses, training, limbs)
        reasons += [judge_sides(seen, theirs), *more]
    if estimate and not trained and plate is not None:
        from synthesis.preflight.cost import probe

        report("trying a few training steps", 0, 1)
        facts["cost"] = probe(training, plate, preset("compact"), target)
        report("trying a few training steps", 1, 1)
    return Preflight(
        source=source,
        target=target,
        trained=trained,
        verdict=overall(reasons),
        reasons=reasons,
        source_quality=seen,
        target_quality=theirs,
        source_around=around,
        target_around=target_around,
        poses=poses,
        training=training,
        plate=plate,
        **facts,
    )


def _poses(
    video: Path, given: Path | None, person: str, cache: Path, who: str, report: Report
) -> PoseSequence:
    if given is not None:
        return load_poses(given, video, person=person)
    return cached_poses(
        video, cache, person=person, progress=lambda done, total: report(f"poses of the {who}", done, total)
    )


def _compare(poses: PoseSequence, training: PoseSequence, limbs: bool) -> tuple[list[Reason], dict[str, Any]]:
    """Normalise and see where it leads."""
    try:
        anchor = common_anchor(poses, training)
        plain = normalize(poses, training)
        moved = smooth(normalize(poses, training, limbs=True) if limbs else plain)
    except PoseError as error:
        return [Reason("no", "normalisation", error.problem, error.hint or "")], {}
    grounds = (measure(poses, anchor), measure(training, anchor))
    level = "ok" if anchor == "ankles" else "care"
    reasons = [
        Reason(
            level,
            "normalisation",
            f"on the {anchor}, {_way(grounds[0])} for the source and {_way(grounds[1])} for the target",
            ""
            if level == "ok"
            else "depth on the ground is not followed; show the feet in both videos for that",
        )
    ]
    ratios = limb_ratios(plain, training, anchor)
    found = distances(moved, measure(moved, anchor), training, grounds[1])
    reasons += [judge_postures(found), judge_limbs(ratios, limbs), judge_cut(cut_share(moved, training))]
    return reasons, {"moved": moved, "grounds": grounds, "postures": found, "ratios": ratios}


def _way(ground: Ground) -> str:
    if ground.close <= ground.far:
        return f"in place, {ground.height_close:.0f} pixels tall"
    return (
        f"from {ground.height_far:.0f} pixels tall far away to {ground.height_close:.0f} close to the camera"
    )


def cut_share(moved: PoseSequence, training: PoseSequence) -> float:
    """Share of the frames with a person in which a part of the body that the target shows lands outside the picture.

    A target that is filmed to the hips does not show its legs, and is not expected to.
    """
    shown = (training.body[training.present()][..., 2] >= SEEN).mean(axis=0) >= PART_CARE
    body = moved.body[moved.present()][:, shown]
    if not body.size:
        return 0.0
    edge = _EDGE * max(moved.size)
    low = (body[..., :2] < -edge).any(axis=-1)
    high = (body[..., :2] > np.array(moved.size) + edge).any(axis=-1)
    return float(((low | high) & (body[..., 2] >= SEEN)).any(axis=1).mean())
