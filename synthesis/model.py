"""A trained generator of one target: what a model folder holds, and how it is written and read.

MODEL/
  model.json               config, recordings, window size, hashes, the tool's version
  generator.safetensors    averaged weights of the generator
  face.safetensors         weights of the face generator, if one was trained
  plate.png                the background
  gallery.npz              frames of the target to be bent to new poses (preset compact)
  poses.npz                the target's own poses, for normalisation
  snapshots/N.safetensors  weaker generators from earlier in the run
  checkpoint.safetensors   where an unfinished run goes on
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self, TypeVar

import cv2
import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from dataset.errors import ModelError
from dataset.files import atomic_path, sha256_file, write_json
from dataset.pose.keypoints import PoseSequence
from dataset.provenance import VERSION
from synthesis.appearance import Gallery
from synthesis.compact.generators import empty_generator as empty_compact_generator
from synthesis.config import SynthesisConfig
from synthesis.consent import RESEARCH_ONLY, Basis
from synthesis.paper.generators import empty_face_generator
from synthesis.paper.generators import empty_generator as empty_paper_generator
from synthesis.paper.networks import GlobalGenerator

Image = npt.NDArray[np.uint8]
Network = TypeVar("Network", bound=nn.Module)
MODEL_SCHEMA = 4
GALLERY = "gallery.npz"
_HINT = "train one with: synthesize train RECORDING --out MODEL"


@dataclass
class TargetModel:
    """A generator and what it needs to paint its target.

    Attributes:
        config: what it was trained with.
        subject: name of the target.
        recordings: for each training recording its file name and SHA-256.
        shape: width and height of the window.
        frame_scale: factor from the target's full frames to those that the windows are sampled from.
        plate: (H, W, 3) uint8.
        poses: the target's training poses in full-frame pixels.
        steps: training steps behind the weights.
        sha256: hash of the weights in use, empty before they are saved.
        consent: on what ground it was trained.
        gallery: frames of the target that the generator bends to poses; None in a model of the preset paper.
        brought: hashes of key points and maps of other tools that it was trained with, see `synthesis.brought`.
        face_generator: corrects the faces of painted frames (paper §4.3), if it was trained to.
    """

    config: SynthesisConfig
    subject: str
    recordings: list[dict[str, str]]
    shape: tuple[int, int]
    frame_scale: float
    plate: Image
    poses: PoseSequence
    generator: nn.Module
    steps: int
    sha256: str = ""
    consent: Basis = field(default_factory=lambda: Basis(RESEARCH_ONLY, ""))
    face_generator: GlobalGenerator | None = None
    gallery: Gallery | None = None
    brought: dict[str, list[str]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """What the generator is called in a corpus: family, window height, training steps.

        The family is the preset; one that paints the person from nothing instead of bending real frames leaves other
        traces, and is another family.
        """
        paints = self.config.preset == "compact" and not self.config.network.copy
        family = "compact_painting" if paints else self.config.preset
        return f"{family}-{self.shape[1]}-{self.steps}"

    def save(self, folder: str | Path) -> None:
        """Write all but the weights, then the weights, then ``model.json``, each atomically."""
        root = Path(folder)
        root.mkdir(parents=True, exist_ok=True)
        write_image(root / "plate.png", self.plate)
        gallery_sha256 = self.gallery.save(root / GALLERY) if self.gallery else ""
        self.poses.save(root / "poses.npz")
        self.sha256 = save_weights(root / "generator.safetensors", self.generator.state_dict())
        face = self.face_generator
        face_sha256 = save_weights(root / "face.safetensors", face.state_dict()) if face else ""
        facts: dict[str, Any] = {
            "schema": MODEL_SCHEMA,
            "tool": f"danceproof {VERSION}",
            "subject": self.subject,
            "recordings": self.recordings,
            "brought": self.brought,
            "shape": list(self.shape),
            "frame_scale": self.frame_scale,
            "steps": self.steps,
            "weights_sha256": self.sha256,
            "face_sha256": face_sha256,
            "gallery_sha256": gallery_sha256,
            "consent": self.consent.to_dict(root),
            "config": self.config.to_dict(),
        }
        write_json(root / "model.json", facts)

    @classmethod
    def load(cls, folder: str | Path, *, snapshot: int | None = None) -> Self:
        """Read a model folder.

        Args:
            folder: as written by `save`.
            snapshot: take the weaker generator of that training step instead of the final one.

        Raises:
            ModelError: there is no finished model, a file is missing, or the weights were changed.
        """
        root = Path(folder)
        facts = read_facts(root)
        config = SynthesisConfig.from_dict(facts["config"])
        weights = root / "generator.safetensors" if snapshot is None else snapshot_path(root, snapshot)
        if not weights.is_file():
            kept = ", ".join(str(step) for step in snapshots(root)) or "none"
            raise ModelError("weights are missing", path=weights, hint=f"snapshots kept: {kept}")
        digest = sha256_file(weights)
        if snapshot is None and digest != facts["weights_sha256"]:
            raise ModelError("the weights are not those that model.json names", path=weights, hint=_HINT)
        generator = _with_weights(weights, lambda names: _empty_generator(config, names))
        face = None
        if facts.get("face_sha256") and snapshot is None:
            stored = root / "face.safetensors"
            if not stored.is_file() or sha256_file(stored) != facts["face_sha256"]:
                raise ModelError("the weights are not those that model.json names", path=stored, hint=_HINT)
            face = _with_weights(stored, lambda names: empty_face_generator(config))
        return cls(
            config=config,
            subject=facts["subject"],
            recordings=facts["recordings"],
            shape=(facts["shape"][0], facts["shape"][1]),
            frame_scale=facts["frame_scale"],
            plate=read_image(root / "plate.png"),
            poses=PoseSequence.load(root / "poses.npz"),
            generator=generator,
            face_generator=face,
            gallery=_load_gallery(root, facts),
            brought=facts.get("brought", {}),
            steps=facts["steps"] if snapshot is None else snapshot,
            sha256=digest,
            consent=Basis.from_dict(facts.get("consent"), root, facts["subject"]),
        )


def _empty_generator(config: SynthesisConfig, names: set[str]) -> nn.Module:
    if config.preset.startswith("paper"):
        return empty_paper_generator(config, names)
    return empty_compact_generator(config)


def _load_gallery(root: Path, facts: dict[str, Any]) -> Gallery | None:
    expected = facts.get("gallery_sha256")
    if not expected:
        return None
    path = root / GALLERY
    if not path.is_file() or sha256_file(path) != expected:
        raise ModelError("the gallery is not the one that model.json names", path=path, hint=_HINT)
    return Gallery.load(path)


def _with_weights(path: Path, build: Callable[[set[str]], Network]) -> Network:
    """The network that `build` makes for these names of weights, with the weights."""
    try:
        state = load_file(path)
        network = build(set(state))
        network.load_state_dict(state)
    except (SafetensorError, RuntimeError) as error:
        raise ModelError(f"the weights do not fit their config ({error})", path=path) from error
    return network.eval()


def read_facts(root: Path) -> dict[str, Any]:
    """``model.json`` of a finished model.

    Raises:
        ModelError: it is missing or not of this schema.
    """
    path = root / "model.json"
    try:
        facts: dict[str, Any] = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise ModelError("no finished model in this folder", path=root, hint=_HINT) from None
    except (OSError, ValueError) as error:
        raise ModelError(f"not readable as JSON ({error})", path=path) from error
    if not isinstance(facts, dict) or facts.get("schema") != MODEL_SCHEMA:
        raise ModelError(f"not a model of schema {MODEL_SCHEMA}", path=path)
    return facts


def snapshot_path(root: Path, step: int) -> Path:
    """Where the weaker generator of a training step is kept."""
    return root / "snapshots" / f"{step}.safetensors"


def snapshots(root: Path) -> list[int]:
    """Training steps whose generators are kept, rising."""
    return sorted(
        int(path.stem) for path in (root / "snapshots").glob("*.safetensors") if path.stem.isdigit()
    )


def save_weights(path: Path, state: dict[str, Tensor]) -> str:
    """Write tensors atomically as safetensors and return the file's SHA-256."""
    with atomic_path(path) as temporary:
        # Through memory: from 0.8 on, what safetensors writes by itself may be read by its owner only.
        temporary.write_bytes(save({key: value.contiguous() for key, value in state.items()}))
    return sha256_file(path)


def write_image(path: Path, image: Image) -> None:
    """Write an RGB picture as PNG, atomically."""
    with atomic_path(path) as temporary:
        if not cv2.imwrite(str(temporary), cv2.cvtColor(image, cv2.COLOR_RGB2BGR)):
            raise ModelError("cannot write the picture", path=path)


def read_image(path: Path) -> Image:
    """Read a PNG as RGB.

    Raises:
        ModelError: it is missing or damaged.
    """
    image = cv2.imread(str(path), cv2.IMREAD_COLOR) if path.is_file() else None
    if image is None:
        raise ModelError("the picture is missing or damaged", path=path, hint=_HINT)
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB).astype(np.uint8, copy=False)
