"""Every choice of a training run, as dataclasses; what a run was made with is stored beside its weights."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields, is_dataclass, replace
from difflib import get_close_matches
from types import UnionType
from typing import Any, Self, Union, get_args, get_origin, get_type_hints

from dataset.errors import ModelError, SynthesisError


@dataclass(frozen=True)
class DataConfig:
    """How a recording becomes training pairs."""

    height: int = 256  # pixels of the window that the generator paints, a multiple of 32
    labels: str = "stickfigure"  # what shows the pose: "stickfigure" as in the paper, or "densepose"
    face: str = "contours"  # how the stick figure shows the face: "dots" as in the paper, or "contours"
    margin: float = 0.12  # space left round the person in the window, as a share of the person's size
    jitter: float = 0.05  # random shift and scale of the window in training, as a share of its height
    holdout: float = 0.0  # share of frames at each recording's end that is never trained on
    gallery: int = 160  # frames of the target that a model keeps, to be bent to the poses asked for
    detail: int = 768  # pixels of height at which these are kept, if the recording has as many
    apart: float = 0.6  # seconds between a frame that is painted and those that are bent for it
    unlike: float = 0.1  # body sizes; training passes over frames up to so like the pose asked for


@dataclass(frozen=True)
class NetworkConfig:
    """Sizes of the networks."""

    width: int = 48  # generator channels at half resolution
    thin: int = 16  # generator channels at full resolution
    reach: float = 8.0  # pixels by which the generator may correct where a frame of the target is looked at
    copy: bool = True  # mix the bent frames of the target; False paints the person from nothing
    base: str = ""  # where the weights start: "" at random, "people" at what was learnt on other people
    ndf: int = 32  # discriminator channels after its first convolution
    n_layers: int = 3  # stride-2 convolutions of the discriminator; 3 is the 70×70 PatchGAN
    scales: int = 2  # discriminators, each at half the resolution of the one before


@dataclass(frozen=True)
class LossConfig:
    """Weights of the objective's terms (paper eq. 3)."""

    lambda_gan: float = 1.0  # least-squares adversarial term on two consecutive frames (L_smooth)
    lambda_fm: float = 10.0  # feature matching on the discriminator's activations
    lambda_p: float = 5.0  # perceptual loss on both frames
    lambda_l1: float = 10.0  # plain pixel difference; not in the paper, it steadies short runs
    lambda_alpha: float = 2.0  # binary cross-entropy of alpha against the silhouette; not in the paper
    perceptual: str = "squeezenet1_1"  # backbone of the perceptual loss; the paper's is "vgg19"
    perceptual_weights: str = ""  # file of its weights; empty: the package's, or those of timm's hub


@dataclass(frozen=True)
class ScheduleConfig:
    """How long and how fast."""

    steps: int = 1500  # training steps, two consecutive frames each
    warmup: float = 0.3  # share of the steps with pixel and perceptual loss only
    lr: float = 3e-4  # Adam's rate for the generator before the adversarial part; it falls to lr_gan there
    lr_gan: float = 2e-4  # Adam's rate for both networks in the adversarial part (paper: 2e-4)
    beta1: float = 0.5  # Adam (paper)
    beta2: float = 0.999  # Adam (paper)
    ema: float = 0.995  # decay of the averaged weights that are kept
    forget: float = 0.4  # share of frames painted from the plate instead of the previous frame
    temporal: bool = True  # temporal smoothing: the second frame is conditioned on the first (paper §3.2)
    snapshots: tuple[int, ...] = ()  # steps at which weaker generators are kept, for detector training
    seed: int = 0  # of weights, data order and noise
    precision: str = "bf16"  # "bf16" (autocast) or "float32"
    batch: int = 1  # pairs of frames per step, over all processes
    accumulate: int = 1  # passes that a process's share of the batch is cut into, to need less memory
    minutes: float | None = None  # train for so long instead of for `steps`
    compile: bool = False  # compile the networks with torch.compile; needs a C++ compiler on a CPU
    channels_last: bool = False  # keep pictures channel by channel (False) or pixel by pixel (True)


@dataclass(frozen=True)
class PaperConfig:
    """Sizes and lengths of the paper's global and local stage; only the preset `paper` reads them."""

    size: tuple[int, int] = (512, 256)  # width, height of the global stage's pictures; the local: twice
    aspect: tuple[int, int] = (16, 9)  # frames are brought to this shape by bars before they are resized
    width: int = 64  # generator channels at the global stage's full resolution; the enhancer has half
    downs: int = 4  # stride-2 convolutions of the global generator
    blocks: int = 9  # its residual blocks
    enhancer_blocks: int = 3  # residual blocks of the local enhancer
    ndf: int = 64  # discriminator channels after its first convolution
    n_layers: int = 3  # stride-2 convolutions of the discriminator
    global_scales: int = 2  # discriminators of the global stage
    local_scales: int = 3  # discriminators of the local stage
    global_epochs: float = 5.0  # passes over all pairs of frames
    local_epochs: float = 30.0  # none leaves the stage out
    global_steps: int | None = None  # instead of epochs
    local_steps: int | None = None  # instead of epochs
    local_lambda_p: float = 10.0  # weight of the perceptual loss in the local stage


@dataclass(frozen=True)
class FaceConfig:
    """The face GAN (paper §4.3), a last stage for any generator."""

    enabled: bool = False  # train it at all
    size: int = 128  # pixels of the square crop it works on, divisible by 2 to the power of `downs`
    room: float = 1.6  # side of the crop, as a multiple of the face's own size
    width: int = 64  # channels of the face generator at full resolution
    downs: int = 3  # its stride-2 convolutions
    blocks: int = 5  # its residual blocks
    ndf: int = 64  # channels of the face discriminator after its first convolution
    n_layers: int = 3  # stride-2 convolutions of the face discriminator
    epochs: float = 5.0  # passes over all frames with a face
    steps: int | None = None  # instead of epochs
    lambda_p: float = 5.0  # weight of the perceptual loss on the face
    lambda_l1: float = 0.0  # plain pixel difference of the face; not in the paper, it steadies short runs


@dataclass(frozen=True)
class SynthesisConfig:
    """All of it, with the preset's name."""

    preset: str = "compact"
    data: DataConfig = field(default_factory=DataConfig)
    network: NetworkConfig = field(default_factory=NetworkConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    schedule: ScheduleConfig = field(default_factory=ScheduleConfig)
    paper: PaperConfig = field(default_factory=PaperConfig)
    face: FaceConfig = field(default_factory=FaceConfig)

    def __post_init__(self) -> None:
        if self.data.height % 32 or self.data.height < 64:
            raise SynthesisError(
                f"the window's height is a multiple of 32 from 64 up, not {self.data.height}"
            )
        if self.schedule.precision not in ("bf16", "float32"):
            raise SynthesisError(f"precision is bf16 or float32, not {self.schedule.precision!r}")
        if self.data.labels not in ("stickfigure", "densepose"):
            raise SynthesisError(f"labels is stickfigure or densepose, not {self.data.labels!r}")
        if self.data.face not in ("dots", "contours"):
            raise SynthesisError(f"face is dots or contours, not {self.data.face!r}")
        if self.schedule.steps < 1:
            raise SynthesisError("a run has at least one step")
        if self.schedule.batch < 1 or self.schedule.accumulate < 1:
            raise SynthesisError("a step has at least one pair of frames and one pass")
        if self.schedule.minutes is not None and self.schedule.minutes <= 0:
            raise SynthesisError("a run takes more than no minutes")
        if any(side % (1 << self.paper.downs) for side in self.paper.size):
            raise SynthesisError(f"the picture's sides are multiples of {1 << self.paper.downs}")
        if self.face.size % (1 << self.face.downs):
            raise SynthesisError(f"the face's crop is a multiple of {1 << self.face.downs} pixels")

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """The config that `to_dict` wrote.

        Raises:
            ModelError: a field is unknown, so the model was made by another version.
        """
        config: Self = _build(cls, values)
        return config


def _build(cls: type, values: dict[str, Any]) -> Any:
    known = {spec.name for spec in fields(cls)}
    if unknown := set(values) - known:
        raise ModelError(
            f"unknown settings {', '.join(sorted(unknown))}", hint="the model was made by another version"
        )
    hints = get_type_hints(cls)
    built = {}
    for name, value in values.items():
        kind = hints[name]
        if is_dataclass(kind) and isinstance(kind, type):
            built[name] = _build(kind, value)
        else:
            built[name] = tuple(value) if isinstance(value, list) else value
    return cls(**built)


#: Named starting points; every field can be changed from there.
PRESETS = {
    "compact": SynthesisConfig(
        network=NetworkConfig(base="people"),
        loss=LossConfig(lambda_p=15.0),
        schedule=ScheduleConfig(steps=500, warmup=0.0),
        face=FaceConfig(lambda_l1=50.0),
    ),
    "paper": SynthesisConfig(
        preset="paper",
        data=DataConfig(face="dots"),
        loss=LossConfig(lambda_l1=0.0, perceptual="vgg19"),
        schedule=ScheduleConfig(lr=2e-4, warmup=0.0, forget=0.0),
        face=FaceConfig(enabled=True),
    ),
}


def changed(config: SynthesisConfig, settings: Sequence[str]) -> SynthesisConfig:
    """The config with some fields set, as they are typed on the command line.

    Args:
        config: where to start.
        settings: each ``section.field=value``, such as ``schedule.temporal=false``; lists with commas.

    Raises:
        SynthesisError: there is no such field, or the value is not of its kind.
    """
    for setting in settings:
        name, equals, text = setting.partition("=")
        section, _, key = name.strip().partition(".")
        known = [
            f"{one.name}.{inner.name}" for one in fields(config) if is_dataclass(part := getattr(config, one.name))
            for inner in fields(part)
        ]  # fmt: skip
        if not equals or name.strip() not in known:
            close = get_close_matches(name.strip(), known, 1)
            hint = f"did you mean {close[0]}?" if close else f"there are: {', '.join(known)}"
            raise SynthesisError(f"no setting {name.strip()!r}", hint=hint)
        part = getattr(config, section)
        kind = get_type_hints(type(part))[key]
        config = replace(
            config, **{section: replace(part, **{key: _parse(text.strip(), kind, name.strip())})}
        )
    return config


def described(config: SynthesisConfig) -> list[tuple[str, str, str]]:
    """Every setting as ``section.field``, its value as it is typed, and the comment beside its definition."""
    found = []
    for one in fields(config):
        part = getattr(config, one.name)
        if not is_dataclass(part):
            continue
        comments = _comments(type(part))
        for inner in fields(part):
            value = getattr(part, inner.name)
            text = ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
            found.append((f"{one.name}.{inner.name}", text, comments.get(inner.name, "")))
    return found


def _comments(kind: type) -> dict[str, str]:
    """What stands behind the fields of a dataclass in its source."""
    found = {}
    for line in inspect.getsource(kind).splitlines():
        code, _, comment = line.partition("  # ")
        name, colon, _ = code.strip().partition(":")
        if colon and comment:
            found[name] = comment.strip()
    return found


def _parse(text: str, kind: Any, name: str) -> Any:
    choices = get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,)
    if type(None) in choices and text.lower() == "none":
        return None
    plain = next(choice for choice in choices if choice is not type(None))
    try:
        if get_origin(plain) is tuple:
            values = [part for part in text.split(",") if part.strip()]
            return tuple(get_args(plain)[0](value) for value in values)
        if plain is bool:
            return {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}[
                text.lower()
            ]
        return plain(text)
    except (ValueError, KeyError):
        wanted = getattr(plain, "__name__", str(plain))
        raise SynthesisError(f"{name} is a {wanted}, not {text!r}") from None


def preset(name: str) -> SynthesisConfig:
    """The preset of that name.

    Raises:
        SynthesisError: there is none.
    """
    try:
        return PRESETS[name]
    except KeyError:
        raise SynthesisError(f"no preset {name!r}; there are: {', '.join(PRESETS)}") from None
