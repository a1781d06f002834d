"""What a generator is shown of the target's looks for one pose, as tensors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from synthesis.appearance.gallery import Gallery, Image, to_window
from synthesis.appearance.skinning import Parts, Skin, look_up

Plane = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Looks:
    """K = 6 frames of the target, one for each region, and how they are to be bent to the pose.

    Attributes:
        pictures: (B, K, 3, H, W) in [-1, 1].
        flow: (B, K, 2, H, W), x and y in pixels of the pictures, for every pixel of the window.
        seen: (B, K, H, W) in [0, 1], how much of what is asked for the picture shows.
        own: (B, K, H, W) in [0, 1], 0 where the picture shows a part of the body that is not here at all.
        share: (B, K, H, W) in [0, 1], how much each pixel belongs to the region that the picture was found for.
        silhouettes: (B, K, 1, H, W) in [0, 1], how certainly each pixel of the pictures shows the person.
        inner: (B, 1, H, W) in [0, 1], 1 where the pose says that the body is for certain.
    """

    pictures: Tensor
    flow: Tensor
    seen: Tensor
    own: Tensor
    share: Tensor
    silhouettes: Tensor
    inner: Tensor

    def to(self, device: torch.device) -> Looks:
        """The same on another device."""
        return Looks(*(tensor.to(device) for tensor in self.tensors()))

    def tensors(self) -> tuple[Tensor, ...]:
        """All seven, in order."""
        return self.pictures, self.flow, self.seen, self.own, self.share, self.silhouettes, self.inner


@dataclass(frozen=True)
class Motion:
    """Where the body was in another frame.

    Attributes:
        flow: (B, 2, H, W), x and y in pixels of the other frame's window.
        seen: (B, 1, H, W) in [0, 1], how much of what is asked for the other frame shows.
    """

    flow: Tensor
    seen: Tensor

    def to(self, device: torch.device) -> Motion:
        """The same on another device."""
        return Motion(self.flow.to(device), self.seen.to(device))


def look_at(gallery: Gallery, chosen: list[int], skin: Skin) -> Looks:
    """The looks for one pose, a batch of one.

    Args:
        gallery: of the target.
        chosen: a frame for each region.
        skin: of the pose, in pixels of the window.
    """
    found = [
        _place(skin, gallery.items[index].parts, gallery.closest(index), region)
        for region, index in enumerate(chosen)
    ]
    flows = [flow for flow, _, _ in found]
    seen = [
        shown * _free(gallery.occluded[index], flow)
        for index, (flow, shown, _) in zip(chosen, found, strict=True)
    ]
    own = [1 - absent for _, _, absent in found]
    items = [gallery.items[index] for index in chosen]
    pictures = np.stack([to_window(item.picture, gallery.shape) for item in items])
    silhouettes = np.stack([to_window(item.silhouette, gallery.shape) for item in items])
    stacked = torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 127.5 - 1
    return Looks(
        stacked[None].contiguous(),
        torch.from_numpy(np.stack(flows))[None],
        torch.from_numpy(np.stack(seen))[None],
        torch.from_numpy(np.stack(own))[None],
        torch.from_numpy(skin.share)[None],
        torch.from_numpy(silhouettes)[None, :, None].float() / 255,
        torch.from_numpy(skin.inner)[None, None],
    )


def motion_to(skin: Skin, other: Skin) -> Motion:
    """Where each pixel of one pose lies in another frame, a batch of one."""
    flow, seen, _ = _place(skin, other.parts, other.closest())
    return Motion(torch.from_numpy(flow)[None], torch.from_numpy(seen)[None, None])


def _place(skin: Skin, parts: Parts, closest: Image, region: int = 0) -> tuple[Plane, Plane, Plane]:
    """Where each pixel lies in a picture of another pose, and what it shows there.

    (2, H, W), how much of what is asked for (H, W), and where it is a part of the body that is not here at all (H, W).

    Args:
        skin: of the pose that is asked for.
        parts, closest: the other pose, and its `Skin.closest`.
        region: what the picture is wanted for, see `Skin.flow_to`.
    """
    flow, share = skin.flow_to(parts, region)
    other, absent = skin.mistaken(flow, closest)
    return flow, share * (1 - other), absent


def _free(occluded: Image, flow: Plane) -> Plane:
    """(H, W) in [0, 1], 1 where nothing lies before the person in the picture that the flow leads to."""
    return np.float32(1) - look_up(occluded, flow).astype(np.float32) / np.float32(255)


def join_motions(motions: list[Motion]) -> Motion:
    """Several batches as one."""
    return Motion(torch.cat([one.flow for one in motions]), torch.cat([one.seen for one in motions]))


def join_looks(looks: list[Looks]) -> Looks:
    """Several batches as one."""
    columns = zip(*(one.tensors() for one in looks), strict=True)
    return Looks(*(torch.cat(column) for column in columns))
