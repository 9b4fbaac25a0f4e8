import copy

import pytest
import torch
import torch.nn.functional as nnf
from torch import Tensor, nn

from tips import skeleton
from tips.models.coordinates import SHARPNESS, CoordinateHeads, NoCoordinates
from tips.models.distiller import NoDistillation, PoseDistiller
from tips.models.encoders import (
    ConvEncoder,
    DeformableAttention,
    TransformerEncoder,
    sine_positions,
)
from tips.models.heads import Fusion
from tips.models.layers import ResBlock, group_norm, residual_blocks
from tips.models.synthesizer import FromFeatures, FromImages, NoSynthesis, PoseSynthesizer
from tips.ops.deform_attn import reference
from tips.ops.integral import integral
from tips.tensors import PoseOutput

WIDTH, CHANNELS, SIZE = 8, 4, 6


def transformer(layers: int = 1, dropout: float = 0.0) -> TransformerEncoder:
    return TransformerEncoder(WIDTH, layers, 2, 4, 16, dropout)


def shaken(module: nn.Module) -> nn.Module:
    """Moves every parameter off its start, batch norms' statistics too."""
    with torch.no_grad():
        for parameter in module.parameters():
            parameter += 0.1 * torch.randn_like(parameter)
        for name, buffer in module.named_buffers():
            if name.endswith("running_mean"):
                buffer.normal_()
    return module.eval()


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


def test_residual_block_by_hand() -> None:
    block = shaken(ResBlock(CHANNELS, WIDTH))
    x = torch.randn(2, CHANNELS, SIZE, SIZE)
    first, norm1, _, second, norm2 = block.get_submodule("body").children()
    skip, norm = block.get_submodule("skip").children()
    inner = nnf.relu(norm1(nnf.conv2d(x, first.weight, padding=1)))
    outer = norm2(nnf.conv2d(inner, second.weight, padding=1))
    expected = nnf.relu(outer + norm(nnf.conv2d(x, skip.weight)))
    assert torch.allclose(block(x), expected, atol=1e-5)
    assert len(residual_blocks(CHANNELS, WIDTH, 3)) == 3


@pytest.mark.parametrize(("channels", "groups"), [(128, 32), (144, 16), (32, 8), (16, 4), (3, 1)])
def test_group_norm_has_at_least_four_channels_a_group(channels: int, groups: int) -> None:
    assert group_norm(channels).num_groups == groups


def test_synthesizer_follows_equation_1_point_major() -> None:
    synthesizer = shaken(PoseSynthesizer(FromImages(), 3, WIDTH, 2, transformer()))
    F, rough = torch.randn(2, 4, 3, SIZE, SIZE), torch.randn(2, 3, 3, SIZE, SIZE)
    found = synthesizer(F, rough)
    assert found.shape == (2, 2 * 3, WIDTH, SIZE, SIZE)
    for k in range(2):
        for w in range(3):
            M = rough[:, w]
            x = torch.cat([M, M - F[:, w], M - F[:, w + 1]], 1)
            x = synthesizer.project(x) + synthesizer.points[k][None, :, None, None]
            assert torch.allclose(found[:, 3 * k + w], synthesizer.encoder(x), atol=1e-5)


def test_rough_features_from_both_neighbours() -> None:
    rough = shaken(FromFeatures(CHANNELS, WIDTH, 2))
    F = torch.randn(2, 4, CHANNELS, SIZE, SIZE)
    found = rough(F, F[:, :0])
    assert found.shape == (2, 3, CHANNELS, SIZE, SIZE)
    pair = torch.cat([F[1, 2], F[1, 3]])[None]
    assert torch.allclose(found[1, 2], rough.narrow(rough.blocks(pair))[0], atol=1e-5)


def test_no_synthesis_runs_nothing() -> None:
    F = torch.randn(2, 3, CHANNELS, SIZE, SIZE)
    found = NoSynthesis(WIDTH)(F, F[:, :0])
    assert found.shape == (2, 0, WIDTH, SIZE, SIZE)


def test_fusion_puts_time_into_channels() -> None:
    fuse = shaken(Fusion(3 * CHANNELS + 2 * WIDTH, WIDTH, 1, 1))
    F, interim = torch.randn(2, 3, CHANNELS, SIZE, SIZE), torch.randn(2, 2, WIDTH, SIZE, SIZE)
    beside = torch.cat([*F.unbind(1), *interim.unbind(1)], 1)
    assert torch.allclose(fuse(F, interim), fuse.blocks(fuse.reduce(beside)), atol=1e-6)
    assert fuse(F.flip(1), interim).sub(fuse(F, interim)).abs().max() > 1e-3  # order is told apart


def distiller(groups: tuple[tuple[int, ...], ...]) -> PoseDistiller:
    torch.manual_seed(0)
    built = shaken(PoseDistiller(WIDTH, groups, [transformer() for _ in groups], 1))
    assert isinstance(built, PoseDistiller)
    return built


def test_distiller_concatenates_each_branch_with_its_maps() -> None:
    groups = tuple(skeleton.GROUPS[3].values())
    model = distiller(groups)
    z, start = torch.randn(2, WIDTH, SIZE, SIZE), torch.randn(2, 15, SIZE, SIZE)
    found = model(z, start)
    parts = []
    for i, group in enumerate(groups):
        branch = model.branches[i](z)
        maps = start[:, list(group)] + model.heads[i](branch)
        assert torch.allclose(found.group_maps[i], maps, atol=1e-6)
        parts += [branch, maps]
    assert torch.allclose(found.z_tilde, model.aggregate(torch.cat(parts, 1)), atol=1e-5)


def test_order_of_the_groups_does_not_matter() -> None:
    groups = tuple(skeleton.GROUPS[5].values())
    order = [2, 4, 0, 3, 1]
    one = distiller(groups)
    other = distiller(tuple(groups[i] for i in order))
    sizes = [WIDTH + len(group) for group in groups]
    starts = [sum(sizes[:i]) for i in range(len(groups))]
    columns = [c for i in order for c in range(starts[i], starts[i] + sizes[i])]
    with torch.no_grad():
        for place, i in enumerate(order):
            other.branches[place].load_state_dict(one.branches[i].state_dict())
            other.heads[place].load_state_dict(one.heads[i].state_dict())
        state = one.aggregate.state_dict()
        for name in ("0.body.0.weight", "0.skip.0.weight"):
            state[name] = state[name][:, columns]
        other.aggregate.load_state_dict(state)
    z, start = torch.randn(1, WIDTH, SIZE, SIZE), torch.randn(1, 15, SIZE, SIZE)
    assert torch.allclose(other(z, start).z_tilde, one(z, start).z_tilde, atol=1e-5)


def test_no_distillation_is_the_identity() -> None:
    z = torch.randn(2, WIDTH, SIZE, SIZE)
    found = NoDistillation()(z, torch.zeros(2, 15, SIZE, SIZE))
    assert found.z_tilde is z
    assert found.z_i.shape == (2, 0, WIDTH, SIZE, SIZE)
    assert found.group_maps == ()


def output_of(F: Tensor, F_interim: Tensor) -> PoseOutput:
    z = torch.zeros(2, WIDTH, SIZE, SIZE)
    maps = torch.zeros(2, 15, SIZE, SIZE)
    none = torch.zeros(len(F), 0, 2)
    return PoseOutput(maps, (), F, F_interim, z, z[:, None], z, none, none)


def test_c_real_starts_as_the_backbones_maps_sharpened() -> None:
    final = nn.Conv2d(CHANNELS, 15, 1)
    heads = CoordinateHeads(CHANNELS, WIDTH, 3, 2)
    heads.start_from(final)
    F = torch.randn(2, 3, CHANNELS, SIZE, SIZE).relu()  # as HRNet's last fusion leaves it
    found = heads(output_of(F, torch.randn(2, 4, WIDTH, SIZE, SIZE)))
    expected = integral(SHARPNESS * final(F.flatten(0, 1))).unflatten(0, (2, 3))
    assert torch.allclose(found.R, expected, atol=1e-4)
    assert found.R_interim.shape == (2, 2, 2, 15, 2)


def test_coordinates_of_synthesized_poses_are_point_major() -> None:
    heads = CoordinateHeads(CHANNELS, WIDTH, 1, 2).eval()
    interim = torch.randn(2, 2 * 3, WIDTH, SIZE, SIZE)
    found = heads(output_of(torch.randn(2, 4, CHANNELS, SIZE, SIZE), interim)).R_interim
    alone = integral(heads.synthesized(interim[:, 3 + 1]))  # point 1, interval 1
    assert torch.allclose(found[:, 1, 1], alone, atol=1e-5)


def test_no_coordinates_are_empty() -> None:
    found = NoCoordinates()(
        output_of(torch.randn(2, 3, CHANNELS, 4, 4), torch.zeros(2, 0, 8, 4, 4))
    )
    assert found.R.shape == (2, 3, 15, 2)
    assert found.R_interim.numel() == 0
