"""The deformable transformer encoder (B, D, H, W) -> (B, D, H, W), TIPS's own (Table III)."""

import math
from collections.abc import Iterator
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from tips.models.encoders.transformer.settings import Settings
from tips.models.layers import Recomputable, SlowParameters
from tips.ops.deform_attn import deform_attn_fused


class DeformableAttention(SlowParameters):
    """Multi-head deformable self-attention over one map (Deformable DETR, one level).

    Args:
        width: D, channels of a token; a multiple of `heads`.
        heads: number of attention heads.
        points: number of positions that each head samples per token.

    Raises:
        ValueError: if the width is no multiple of the heads.
    """

    def __init__(self, width: int, heads: int, points: int) -> None:
        super().__init__()
        if width % heads:
            raise ValueError(f"width must be divisible by heads; got {width} and {heads}")
        self.heads, self.points = heads, points
        self.sampling_offsets = nn.Linear(width, heads * points * 2)
        self.attention_weights = nn.Linear(width, heads * points)
        self.value_proj = nn.Linear(width, width)
        self.output_proj = nn.Linear(width, width)
        self._reset()

    def _reset(self) -> None:
        # Deformable DETR's initial offsets: each head looks in a direction of its own, and its
        # p-th point lies p px away.
        angles = torch.arange(self.heads, dtype=torch.float32) * (2 * math.pi / self.heads)
        ring = torch.stack([angles.cos(), angles.sin()], -1)
        ring = ring / ring.abs().max(-1, keepdim=True).values
        steps = torch.arange(1, self.points + 1, dtype=torch.float32)
        nn.init.zeros_(self.sampling_offsets.weight)
        with torch.no_grad():
            bias = ring[:, None, :] * steps[None, :, None]
            self.sampling_offsets.bias.copy_(bias.flatten())
        nn.init.zeros_(self.attention_weights.weight)
        nn.init.zeros_(self.attention_weights.bias)
        for layer in (self.value_proj, self.output_proj):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)

    def slow_parameters(self) -> Iterator[nn.Parameter]:
        """Gives the layer that computes the offsets."""
        return self.sampling_offsets.parameters()

    def forward(
        self,
        query: Float[Tensor, "B Q D"],
        tokens: Float[Tensor, "B Q D"],
        centres: Float[Tensor, "Q 2"],
        size: tuple[int, int],
    ) -> Float[Tensor, "B Q D"]:
        """Attends from each token's own position to `points` positions around it per head.

        Args:
            query: tokens plus their position code; offsets and weights are read from them.
            tokens: the map that is sampled, row by row; Q = height * width.
            centres: pixel centres, x then y, unit-free in (0, 1).
            size: height and width of the map, map px.
        """
        batch, queries, width = tokens.shape
        value = self.value_proj(tokens).view(batch, queries, self.heads, width // self.heads)
        moves = self.sampling_offsets(query).view(batch, queries, self.heads, 1, self.points, 2)
        logits = self.attention_weights(query).view(batch, queries, self.points, self.heads)
        mixed = deform_attn_fused(value, [size], centres, moves, logits)
        out: Tensor = self.output_proj(mixed)
        return out


class TransformerLayer(Recomputable):
    """Deformable attention and a feed-forward network, post-norm, ReLU.

    Args:
        width: D, channels of a token.
        heads: number of attention heads.
        points: number of positions that each head samples per token.
        feedforward: channels of the feed-forward network's hidden layer.
        dropout: probability of dropping a value, in [0, 1).
    """

    def __init__(
        self, width: int, heads: int, points: int, feedforward: int, dropout: float
    ) -> None:
        super().__init__()
        self.attention = DeformableAttention(width, heads, points)
        self.norm1 = nn.LayerNorm(width)
        self.linear1 = nn.Linear(width, feedforward)
        self.linear2 = nn.Linear(feedforward, width)
        self.norm2 = nn.LayerNorm(width)
        self.dropout = nn.Dropout(dropout)

    def forward(
        self,
        tokens: Float[Tensor, "B Q D"],
        positions: Float[Tensor, "Q D"],
        centres: Float[Tensor, "Q 2"],
        size: tuple[int, int],
    ) -> Float[Tensor, "B Q D"]:
        """Runs one encoder layer.

        Args:
            tokens: the map, row by row; Q = height * width.
            positions: position code that is added to the queries.
            centres: pixel centres, x then y, unit-free in (0, 1).
            size: height and width of the map, map px.
        """
        mixed = self.attention(tokens + positions, tokens, centres, size)
        # The sums and the ReLU overwrite an operand that nothing else reads. On a CPU it takes
        # longer to get the memory of a new map than to compute the sum.
        tokens = self.norm1(self.dropout(mixed).add_(tokens))
        hidden = self.dropout(self.linear1(tokens).relu_())
        out: Tensor = self.norm2(self.dropout(self.linear2(hidden)).add_(tokens))
        return out


class TransformerEncoder(nn.Module):
    """A deformable transformer encoder over one map.

    Args:
        width: D, channels of the map; a multiple of 4, because sine and cosine of x and y share it.
        layers: number of layers.
        heads: number of attention heads.
        points: number of positions that each head samples per token.
        feedforward: channels of the feed-forward network's hidden layer.
        dropout: probability of dropping a value, in [0, 1).

    Raises:
        ValueError: if the width is no multiple of 4 or of the heads.
    """

    def __init__(
        self, width: int, layers: int, heads: int, points: int, feedforward: int, dropout: float
    ) -> None:
        super().__init__()
        if width % 4:
            raise ValueError(f"width must be divisible by 4 for sine positions; got {width}")
        # Paper: "the original settings" of Deformable DETR, which has four levels; here: one
        # level, because HRNet's stride-4 branch is a single map.
        self.layers = nn.ModuleList(
            TransformerLayer(width, heads, points, feedforward, dropout) for _ in range(layers)
        )
        self._positions: dict[Any, tuple[Tensor, Tensor]] = {}

    def forward(self, x: Float[Tensor, "B D H W"]) -> Float[Tensor, "B D H W"]:
        """Encodes a map."""
        batch, width, height, columns = x.shape
        positions, centres = self._places(height, columns, width, x.device)
        tokens = x.flatten(2).transpose(1, 2).contiguous()
        for layer in self.layers:
            tokens = layer(tokens, positions, centres, (height, columns))
        return tokens.transpose(1, 2).reshape(batch, width, height, columns)

    def _places(
        self, height: int, columns: int, width: int, device: torch.device
    ) -> tuple[Tensor, Tensor]:
        """Computes the positions of a map once; later calls take them from memory."""
        key = height, columns, device
        if key not in self._positions:
            # Else a first call without training would leave tensors that training cannot use.
            with torch.inference_mode(mode=False):
                self._positions[key] = sine_positions(height, columns, width, device)
        return self._positions[key]


def sine_positions(
    height: int, columns: int, width: int, device: torch.device
) -> tuple[Float[Tensor, "Q D"], Float[Tensor, "Q 2"]]:
    """Computes the sine position code of Deformable DETR and the pixel centres of a map.

    Args:
        height: height of the map, map px.
        columns: width of the map, map px.
        width: D, channels of the code; a multiple of 4.
        device: where both are computed.

    Returns:
        The code (half for y, half for x) and the centres, x then y, unit-free in (0, 1), of the
        Q = height * columns pixels, row by row.
    """
    y = (torch.arange(height, device=device, dtype=torch.float32) + 0.5) / height
    x = (torch.arange(columns, device=device, dtype=torch.float32) + 0.5) / columns
    half = width // 2
    steps = torch.arange(half, device=device, dtype=torch.float32)
    rates = 2 * math.pi / 10000 ** (2 * (steps // 2) / half)
    code = []
    for axis in (y, x):
        angles = axis[:, None] * rates
        even = torch.stack([angles[:, 0::2].sin(), angles[:, 1::2].cos()], -1)
        code.append(even.flatten(1))
    grid_y = code[0][:, None].expand(-1, columns, -1)
    grid_x = code[1][None, :].expand(height, -1, -1)
    centres = torch.stack(
        [x[None, :].expand(height, -1), y[:, None].expand(-1, columns)], dim=-1
    ).flatten(0, 1)
    return torch.cat([grid_y, grid_x], dim=-1).flatten(0, 1), centres


def build(e: Settings, width: int) -> TransformerEncoder:
    """Builds the stack for maps of `width` channels."""
    return TransformerEncoder(width, e.layers, e.heads, e.points, e.feedforward, e.dropout)
