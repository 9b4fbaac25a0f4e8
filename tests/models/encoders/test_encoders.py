import copy

import pytest
import torch
import torch.nn.functional as nnf
from small import shaken
from torch import nn

from tips.models.encoders.conv.network import ConvEncoder
from tips.models.encoders.transformer.network import (
    DeformableAttention,
    TransformerEncoder,
    sine_positions,
)
from tips.ops.deform_attn import reference

WIDTH = 8


def transformer(layers: int = 1, dropout: float = 0.0) -> TransformerEncoder:
    return TransformerEncoder(WIDTH, layers, 2, 4, 16, dropout)


@pytest.mark.parametrize("encoder", [transformer(2), ConvEncoder(WIDTH, 2)])
def test_encoders_keep_the_shape_and_mix_positions(encoder: nn.Module) -> None:
    encoder = shaken(copy.deepcopy(encoder))
    x = torch.randn(2, WIDTH, 4, 6)
    base = encoder(x)
    assert base.shape == x.shape
    x[0, :, 2, 2] += 1
    apart = (encoder(x) - base).abs().sum(1)
    assert (apart[0] > 1e-6).sum() > 1
    assert not apart[1].any()


def test_conv_encoder_has_as_many_blocks_as_the_transformer_has_layers() -> None:
    assert len(ConvEncoder(WIDTH, 4)) == len(transformer(4).layers) == 4


def test_fresh_offsets_form_the_ring_of_deformable_detr() -> None:
    attention = DeformableAttention(32, heads=8, points=4)
    bias = attention.sampling_offsets.bias.detach().view(8, 4, 2)
    assert bias[0].tolist() == [[1, 0], [2, 0], [3, 0], [4, 0]]
    assert torch.allclose(bias.abs().amax(-1), torch.arange(1.0, 5).expand(8, 4))
    assert torch.allclose(bias[4], -bias[0], atol=1e-5)
    assert not attention.sampling_offsets.weight.any()


def test_fresh_attention_averages_values_along_the_ring() -> None:
    """A plane of constant values stays constant wherever all points fall inside."""
    attention = DeformableAttention(WIDTH, heads=2, points=2)
    tokens = torch.ones(1, 81, WIDTH)
    _, centres = sine_positions(9, 9, WIDTH, torch.device("cpu"))
    found = attention(tokens, tokens, centres, (9, 9)).view(9, 9, WIDTH)
    expected = attention.output_proj(attention.value_proj(tokens[0, 0]))
    assert torch.allclose(found[2:-2, 2:-2], expected.expand(5, 5, -1), atol=1e-5)


def test_transformer_layer_by_hand() -> None:
    """Post-norm encoder layer of Deformable DETR on a map that is not square."""
    batch, height, columns, heads, points = 2, 3, 5, 2, 4
    layer = shaken(transformer().layers[0])
    tokens = torch.randn(batch, height * columns, WIDTH)
    positions, centres = sine_positions(height, columns, WIDTH, torch.device("cpu"))
    attention = layer.get_submodule("attention")
    query = tokens + positions
    moves = attention.sampling_offsets(query).view(batch, -1, heads, points, 2)
    at = torch.stack([moves[..., 0] / columns, moves[..., 1] / height], -1)
    at = (at + centres[:, None, None]).unsqueeze(3)
    weights = attention.attention_weights(query).view(batch, -1, points, heads).softmax(2)
    mixed = reference(
        attention.value_proj(tokens).view(batch, -1, heads, WIDTH // heads),
        [(height, columns)],
        at,
        weights.transpose(2, 3).unsqueeze(3),
    )
    once = layer.norm1(tokens + attention.output_proj(mixed))
    expected = layer.norm2(once + layer.linear2(nnf.relu(layer.linear1(once))))
    found = layer(tokens, positions, centres, (height, columns))
    assert torch.allclose(found, expected, atol=1e-5)


def test_positions_are_normalised_sines_and_pixel_centres() -> None:
    code, centres = sine_positions(4, 6, WIDTH, torch.device("cpu"))
    assert code.shape == (24, WIDTH)
    assert centres[0].tolist() == pytest.approx([0.5 / 6, 0.5 / 4])
    assert centres[-1].tolist() == pytest.approx([5.5 / 6, 3.5 / 4])
    assert centres[1].tolist() == pytest.approx([1.5 / 6, 0.5 / 4])  # row by row, x first
    y = torch.tensor(2 * torch.pi * 0.5 / 4)
    assert code[0, :2].tolist() == pytest.approx([y.sin().item(), y.cos().item()], abs=1e-6)
    assert len({tuple(row.tolist()) for row in code}) == 24


def test_width_and_heads_must_fit() -> None:
    with pytest.raises(ValueError, match="divisible by heads"):
        DeformableAttention(10, heads=4, points=2)
    with pytest.raises(ValueError, match="divisible by 4"):
        TransformerEncoder(10, 1, 2, 4, 16, 0.0)


def test_dropout_is_off_in_evaluation() -> None:
    encoder = transformer(1, dropout=0.5)
    x = torch.randn(1, WIDTH, 4, 4)
    assert not torch.equal(encoder(x), encoder(x))
    assert torch.equal(encoder.eval()(x), encoder(x))
