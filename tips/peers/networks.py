"""Runs a peer on one person: cut the crop, run the network, move the joints back to the image."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tips.config.guests import PeerName
from tips.ops import crop as crops
from tips.peers import graph
from tips.peers.graph import Graph
from tips.peers.known import PEERS, Peer
from tips.records import Box

# BlazePose's own region of interest: a circle about the hips through a point above the head, which
# are rows 33 and 34 of its output. It is turned upright and enlarged, as MediaPipe does for the
# next frame of a video.
HIPS, ABOVE, ENLARGED = 33, 34, 1.25

Image = NDArray[np.uint8]  # (H, W, 3) RGB
Ask = Callable[[Image, Box], "Answer"]


class Answer(NamedTuple):
    """All joints that a peer predicts."""

    joints: NDArray[np.float64]  # (n, 2) image px
    scores: NDArray[np.float64]  # (n,) in [0, 1]


def load(name: PeerName, folder: Path, enlarge: float) -> Ask:
    """Loads a peer.

    Args:
        name: a key of `PEERS`.
        folder: folder of its files.
        enlarge: factor on the person's box, which is padded to a square.

    Returns:
        A function of a frame and a person's box x, y, width, height, image px.

    Raises:
        RecordError: if its files are missing or damaged.
    """
    peer = PEERS[name]
    kind = BlazePose if name == "blazepose" else MoveNet
    return kind(graph.read(folder / f"{peer.model}.json", kind.output), peer, enlarge)


class MoveNet:
    """MoveNet: it finds the person's centre, then one joint of each kind near it.

    Args:
        network: the graph.
        peer: its description.
        enlarge: factor on the person's box.
    """

    output = "Identity:0"

    def __init__(self, network: Graph, peer: Peer, enlarge: float) -> None:
        self.network, self.size, self.enlarge = network, peer.size, enlarge

    def __call__(self, image: Image, box: Box) -> Answer:
        """Finds the joints (17, 2), image px, in COCO's order."""
        affine = crops.box_affine(box, self.size, self.size, self.enlarge)
        pixels = _cut(image, affine, self.size)
        found = self.network(pixels.long())[self.output]  # (1, 1, 17, 3): y, x, score
        rows = found[0, 0].double().numpy()
        return Answer(_back(rows[:, 1::-1] * self.size, affine), rows[:, 2])


class BlazePose:
    """BlazePose: it regresses 33 joints, and a region of interest in which it sees them best.

    So it runs twice, the second time on its own region. On 552 annotated joints of real people that
    raises PCK@.1 from .759 to .770.

    Args:
        network: the graph.
        peer: its description.
        enlarge: factor on the person's box.
    """

    output = "ld_3d"

    def __init__(self, network: Graph, peer: Peer, enlarge: float) -> None:
        self.network, self.size, self.enlarge = network, peer.size, enlarge

    def __call__(self, image: Image, box: Box) -> Answer:
        """Finds the joints (39, 2), image px; the first 33 are the person's."""
        first = self._look(image, crops.box_affine(box, self.size, self.size, self.enlarge))
        return self._look(image, self.region(first.joints))

    def region(self, joints: NDArray[np.float64]) -> crops.Affine:
        """Computes the affine of the network's own region (image px -> crop px).

        Args:
            joints: joints (39, 2) of the first run, image px.
        """
        (x, y), (right, down) = joints[HIPS], joints[ABOVE] - joints[HIPS]
        radius = max(float(np.hypot(right, down)), 1.0)
        tilt = float(np.degrees(np.arctan2(right, -down)))  # clockwise from upright
        box = (x - radius, y - radius, 2 * radius, 2 * radius)
        return crops.box_affine(box, self.size, self.size, ENLARGED, rotation=-tilt)

    def _look(self, image: Image, affine: crops.Affine) -> Answer:
        rows = self.network(_cut(image, affine, self.size) / 255)[self.output]
        values = rows.reshape(-1, 5).double()  # x, y, z, visibility, presence
        return Answer(_back(values[:, :2].numpy(), affine), values[:, 3].sigmoid().numpy())


def _cut(image: Image, affine: crops.Affine, size: int) -> Tensor:
    """Cuts the crop as the networks take it, (1, size, size, 3)."""
    return torch.from_numpy(crops.crop(image, affine, size, size))[None]


def _back(points: NDArray[np.float64], affine: crops.Affine) -> NDArray[np.float64]:
    return crops.transform(points, crops.invert(affine))
