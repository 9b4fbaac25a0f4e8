"""Separable space-time attention of VFIT: windows in space, then the four frames in time."""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as nnf
from jaxtyping import Float, Int
from torch import Tensor, nn

WINDOW = 8  # side of a spatial window, tokens
FRAMES = 4
APART = -100.0  # added to the scores of tokens that only the cyclic shift made neighbours


class WindowAttention(nn.Module):
    """Multi-head self-attention in groups of tokens, with a bias per relative position.

    Args:
        width: C, channels of a token.
        heads: number of attention heads.
        window: number of tokens of a group along each axis.
    """

    relative_position_index: Tensor

    def __init__(self, width: int, heads: int, window: Sequence[int]) -> None:
        super().__init__()
        self.heads = heads
        places = math.prod(2 * side - 1 for side in window)
        self.relative_position_bias_table = nn.Parameter(torch.empty(places, heads))
        self.register_buffer("relative_position_index", relative_index(window))
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        nn.init.normal_(self.relative_position_bias_table, std=0.02)

    def forward(
        self, tokens: Float[Tensor, "G N C"], mask: Float[Tensor, "n N N"]
    ) -> Float[Tensor, "G N C"]:
        """Attends within each group of N tokens; the n masks are repeated along the G groups."""
        groups, count, width = tokens.shape
        qkv = self.qkv(tokens).view(groups, count, 3, self.heads, width // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        # A window larger than the map is cut down to it; its tokens take the first entries of the
        # table, as in the published code.
        index = self.relative_position_index[:count, :count]
        bias = self.relative_position_bias_table[index].permute(2, 0, 1)
        scores = (q * q.shape[-1] ** -0.5) @ k.transpose(-2, -1) + bias
        scores = scores.unflatten(0, (-1, mask.shape[0])) + mask[:, None]
        mixed = scores.flatten(0, 1).softmax(-1) @ v
        out: Tensor = self.proj(mixed.transpose(1, 2).reshape(groups, count, width))
        return out


class Mlp(nn.Module):
    """Two linear layers with GELU between them; the hidden layer is four times as wide."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, 4 * width)
        self.fc2 = nn.Linear(4 * width, width)

    def forward(self, x: Float[Tensor, "*B C"]) -> Float[Tensor, "*B C"]:
        """Maps each token separately."""
        out: Tensor = self.fc2(nnf.gelu(self.fc1(x)))
        return out


class SepSTSBlock(nn.Module):
    """y = x + Time(Space(LN(x))), then y + MLP(LN(y)).

    Args:
        width: C, channels of a token.
        heads: number of attention heads.
        shift: shift of the spatial windows, tokens; 0 in every other block.
    """

    def __init__(self, width: int, heads: int, shift: int) -> None:
        super().__init__()
        self.shift = shift
        self.norm1 = nn.LayerNorm(width)
        self.depth_attn = WindowAttention(width, heads, (WINDOW, WINDOW))
        self.point_attn = WindowAttention(width, heads, (FRAMES,))
        self.norm2 = nn.LayerNorm(width)
        self.mlp = Mlp(width)

    def forward(self, x: Float[Tensor, "B T H W C"]) -> Float[Tensor, "B T H W C"]:
        """Attends in space, then in time."""
        x = x + self._time(self._space(self.norm1(x)))
        out: Tensor = x + self.mlp(self.norm2(x))
        return out

    def _space(self, x: Tensor) -> Tensor:
        frames, size = x.shape[:2], x.shape[2:4]
        window = [min(WINDOW, side) for side in size]
        shift = [self.shift * (side > WINDOW) for side in size]
        maps = nnf.pad(x.flatten(0, 1), (0, 0, 0, -size[1] % window[1], 0, -size[0] % window[0]))
        padded = maps.shape[1:3]
        groups = partition(maps.roll([-step for step in shift], (1, 2)), window)
        mask = seam_mask(padded, window, shift, x.device).to(x.dtype)
        mixed = joined(self.depth_attn(groups, mask), padded, window).roll(shift, (1, 2))
        return mixed[:, : size[0], : size[1]].unflatten(0, frames)

    def _time(self, x: Tensor) -> Tensor:
        batch, frames, height, columns, _ = x.shape
        tokens = x.permute(0, 2, 3, 1, 4).flatten(0, 2)
        mixed = self.point_attn(tokens, x.new_zeros(1, frames, frames))
        return mixed.unflatten(0, (batch, height, columns)).permute(0, 3, 1, 2, 4)


def relative_index(window: Sequence[int]) -> Int[Tensor, "N N"]:
    """Computes the index into the bias table for every pair of tokens.

    It encodes the first token's position minus the second one's.

    Args:
        window: number of tokens along each axis; the last axis runs fastest.
    """
    axes = torch.meshgrid(*(torch.arange(side) for side in window), indexing="ij")
    index = torch.zeros(math.prod(window), math.prod(window), dtype=torch.long)
    for axis, side in zip(axes, window, strict=True):
        place = axis.flatten()
        index = index * (2 * side - 1) + place[:, None] - place + side - 1
    return index


def partition(x: Float[Tensor, "B H W C"], window: Sequence[int]) -> Float[Tensor, "G N C"]:
    """Cuts maps into windows of size `window`, row by row."""
    high, wide = window
    cut = x.unflatten(2, (-1, wide)).unflatten(1, (-1, high))
    return cut.permute(0, 1, 3, 2, 4, 5).flatten(0, 2).flatten(1, 2)


def joined(
    groups: Float[Tensor, "G N C"], size: Sequence[int], window: Sequence[int]
) -> Float[Tensor, "B H W C"]:
    """Puts windows together again: the inverse of `partition`.

    Args:
        groups: windows of N = height * width tokens.
        size: height and width of the maps, tokens.
        window: height and width of a window, tokens.
    """
    (high, wide), (height, columns) = window, size
    cut = groups.view(-1, height // high, columns // wide, high, wide, groups.shape[-1])
    return cut.permute(0, 1, 3, 2, 4, 5).flatten(3, 4).flatten(1, 2)


def seam_mask(
    size: Sequence[int], window: Sequence[int], shift: Sequence[int], device: torch.device
) -> Float[Tensor, "n N N"]:
    """Computes masks that keep tokens apart which only a cyclic shift made neighbours.

    They are added to attention scores; without a shift they are zero.

    Args:
        size: height and width of the padded map, tokens.
        window: height and width of a window, tokens.
        shift: shift along both axes, tokens.
        device: where the masks are computed.
    """
    parts = []
    for length, side, step in zip(size, window, shift, strict=True):
        place = torch.arange(length, device=device)
        parts.append((place >= length - side).float() + (place >= length - step))
    region = 3 * parts[0][:, None] + parts[1]
    windows = partition(region.view(1, *size, 1), window)[..., 0]
    return APART * (windows[:, :, None] != windows[:, None, :]).float()
