"""Annotations -> person windows: crops of T frames and T - 1 interim frames around frame t.

All frames of a window share the box of frame t, and so one affine. At a clip's ends the nearest
frame is repeated, and an interval between two copies of a frame is flagged as padded.
"""

from collections.abc import Sequence as Rows
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from tips import skeleton
from tips.config import Crop
from tips.data.augment import NONE, Draw
from tips.data.frames import FrameStore
from tips.instances import Key
from tips.ops import crop as crops
from tips.ops.heatmap import encode
from tips.records import points_array
from tips.tensors import Target, Window


class Stores(NamedTuple):
    """The frame stores of one split."""

    frames: FrameStore
    interim: FrameStore | None  # interim frames; None if no window needs them


class Sample(NamedTuple):
    """One window as arrays."""

    images: NDArray[np.uint8]  # (T, H, W, 3) RGB
    rough: NDArray[np.uint8]  # interim frames (T-1 or 0, H, W, 3) RGB
    labels: "Labels"


class Labels(NamedTuple):
    """What is known of one window beside its pictures."""

    maps: NDArray[np.float32]  # (J, h, w)
    joints: NDArray[np.float32]  # (J, 2) map px
    weights: NDArray[np.float32]  # (J,)
    padded: NDArray[np.bool_]  # (T-1,)
    affine: NDArray[np.float64]  # (2, 3) image px -> map px


class Batch(NamedTuple):
    """A collated batch on its device."""

    window: Window
    target: Target
    affines: NDArray[np.float64]  # (B, 2, 3) image px -> map px


def positions(frame: int, length: int, window: Rows[int]) -> list[int]:
    """Computes the positions of a window's frames, clipped to the sequence.

    Args:
        frame: position of frame t in the sequence.
        length: number of frames of the sequence.
        window: offsets of the window's frames from t.
    """
    # Paper: a clip's ends are not mentioned; here: the nearest frame is repeated, because its
    # ancestors repeat frames too and a window of fixed length must be full.
    return [min(max(frame + offset, 0), length - 1) for offset in window]


class WindowSet:
    """Cuts windows out of frame stores.

    Args:
        stores: frames and interim frames of each split.
        window: offsets of the window's frames from t; consecutive, 0 among them.
        crop: height and width of the network's input, crop px.
        stride: crop px per map px of the heat maps.
        enlarge: factor on the box.
        interim: whether interim frames are read.
        mirror: id of each joint's partner on the other side of the body.
    """

    def __init__(
        self,
        stores: dict[str, Stores],
        window: Rows[int],
        crop: Crop,
        stride: int,
        enlarge: float,
        *,
        interim: bool,
        mirror: Rows[int] = skeleton.MIRROR,
    ) -> None:
        self.stores = stores
        self.window = tuple(window)
        self.crop = crop
        self.stride = stride
        self.enlarge = enlarge
        self.interim = interim
        self.mirror = tuple(mirror)

    def __call__(self, key: Key, draw: Draw = NONE) -> Sample:
        """Cuts the window of one person, augmented as `draw` says."""
        rough = self.rough(key, draw) if self.interim else self._none()
        labels = Labels(*(part[0] for part in self.labels((key, draw))))
        return Sample(self.images(key, draw), rough, labels)

    def images(self, key: Key, draw: Draw = NONE) -> NDArray[np.uint8]:
        """Cuts the crops (T, H, W, 3) of the window's frames."""
        affine, frames = self._affine(key, draw), self._frames(key)
        store = self._store(key).frames
        cut = {frame: self._crop(store, key, frame, affine) for frame in {*frames}}
        return np.stack([cut[frame] for frame in frames])

    def rough(self, key: Key, draw: Draw = NONE) -> NDArray[np.uint8]:
        """Cuts the crops (T-1, H, W, 3) of the interim frames."""
        affine, store = self._affine(key, draw), self._store(key)
        assert store.interim is not None
        # Nothing moves in a padded interval, so that the frame itself serves.
        cut = [
            self._crop(store.frames if left == right else store.interim, key, left, affine)
            for left, right in pairwise(self._frames(key))
        ]
        return np.stack(cut) if cut else self._none()

    def labels(self, *places: tuple[Key, Draw]) -> Labels:
        """Computes what is known of some windows beside their pictures, stacked."""
        rows = [self._known(key, draw) for key, draw in places]
        joints, weights, padded, affine = (np.stack(column) for column in zip(*rows, strict=True))
        maps = encode(joints, weights, *self._size)
        return Labels(maps, joints, weights, padded, affine)

    def _known(self, key: Key, draw: Draw) -> tuple[NDArray[np.generic], ...]:
        """Computes joints and weights of one window, which intervals are padded, and the affine."""
        affine, frames = self._affine(key, draw), self._frames(key)
        padded = np.array([a == b for a, b in pairwise(frames)], dtype=bool)
        return *self._joints(key, affine, flip=draw.flip), padded, crops.to_map(affine, self.stride)

    @property
    def _size(self) -> tuple[int, int]:
        """Height and width of the heat maps, map px."""
        return self.crop.height // self.stride, self.crop.width // self.stride

    def _affine(self, key: Key, draw: Draw) -> NDArray[np.float64]:
        """Computes the affine from image px to crop px."""
        height, width = self.crop.height, self.crop.width
        affine = crops.box_affine(
            key.box, height, width, self.enlarge, rotation=draw.rotation, scale=draw.scale
        )
        return crops.mirror(affine, width) if draw.flip else affine

    def _frames(self, key: Key) -> list[int]:
        return positions(key.frame, key.length, self.window)

    def _store(self, key: Key) -> Stores:
        return self.stores[key.split]

    def _crop(
        self, store: FrameStore, key: Key, frame: int, affine: NDArray[np.float64]
    ) -> NDArray[np.uint8]:
        return crops.crop(store(key.sequence, frame), affine, self.crop.height, self.crop.width)

    def _none(self) -> NDArray[np.uint8]:
        return np.zeros((0, self.crop.height, self.crop.width, 3), dtype=np.uint8)

    def _joints(
        self, key: Key, affine: NDArray[np.float64], *, flip: bool
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Computes the joints, map px, and which of them are annotated and inside the crop."""
        height, width = self._size
        if key.joints is None:
            points = np.full((skeleton.COUNT, 2), np.nan)
        else:
            points = crops.transform(points_array(key.joints), crops.to_map(affine, self.stride))
        if flip:
            points = points[list(self.mirror)]
        inside = (
            (points[:, 0] >= 0)
            & (points[:, 0] <= width - 1)
            & (points[:, 1] >= 0)
            & (points[:, 1] <= height - 1)
        )
        return np.nan_to_num(points).astype(np.float32), inside.astype(np.float32)


def collate(samples: Rows[Sample]) -> Sample:
    """Stacks samples to a batch; images stay uint8 until they are on the device."""
    images, rough, labels = zip(*samples, strict=True)
    stacked = Labels(*(np.stack(column) for column in zip(*labels, strict=True)))
    return Sample(np.stack(images), np.stack(rough), stacked)


def to_device(stacked: Sample, device: torch.device) -> Batch:
    """Moves a stacked batch to the device and normalises its images there."""
    images, rough = (_moved(pixels, device) for pixels in (stacked.images, stacked.rough))
    window = Window(normalise(images), normalise(rough))
    return Batch(window, to_target(stacked.labels, device), stacked.labels.affine)


def to_target(labels: Labels, device: torch.device) -> Target:
    """Moves stacked labels to the device."""
    return Target(*(_moved(part, device) for part in labels[:-1]))


def _moved(array: NDArray[np.generic], device: torch.device) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(array)).to(device)


def normalise(pixels: Tensor) -> Float[Tensor, "B T 3 H W"]:
    """Normalises uint8 RGB (B, T, H, W, 3) by ImageNet's mean and standard deviation.

    The result is a view; in memory its channels stay last, which is fastest for the backbone.
    """
    scale = 1 / (255 * torch.from_numpy(crops.STD).to(pixels.device))
    shift = 255 * torch.from_numpy(crops.MEAN).to(pixels.device) * scale
    return pixels.float().mul_(scale).sub_(shift).permute(0, 1, 4, 2, 3)
