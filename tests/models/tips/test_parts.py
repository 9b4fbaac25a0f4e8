import torch
from small import shaken
from torch import Tensor, nn

from tips import skeleton
from tips.models.encoders.transformer.network import TransformerEncoder
from tips.models.tips.coordinates import SHARPNESS, CoordinateHeads, NoCoordinates
from tips.models.tips.distiller import NoDistillation, PoseDistiller
from tips.models.tips.record import Inside
from tips.models.tips.synthesizer import FromFeatures, FromImages, NoSynthesis, PoseSynthesizer
from tips.ops.integral import integral
from tips.tensors import PoseOutput

WIDTH, CHANNELS, SIZE = 8, 4, 6


def transformer() -> TransformerEncoder:
    return TransformerEncoder(WIDTH, 1, 2, 4, 16, 0.0)


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
    return PoseOutput(maps, F, own=Inside(F_interim, z, z[:, None], (), z))


def test_c_real_starts_as_the_backbones_maps_sharpened() -> None:
    final = nn.Conv2d(CHANNELS, 15, 1)
    heads = CoordinateHeads(CHANNELS, WIDTH, 3, 2)
    heads.start_from(final)
    F = torch.randn(2, 3, CHANNELS, SIZE, SIZE).relu()  # as HRNet's last fusion leaves it
    found = heads(output_of(F, torch.randn(2, 4, WIDTH, SIZE, SIZE)), 1)
    expected = integral(SHARPNESS * final(F.flatten(0, 1))).unflatten(0, (2, 3))
    assert torch.allclose(found.R, expected, atol=1e-4)
    assert found.R_interim.shape == (2, 2, 2, 15, 2)


def test_coordinates_of_synthesized_poses_are_point_major() -> None:
    heads = CoordinateHeads(CHANNELS, WIDTH, 1, 2).eval()
    interim = torch.randn(2, 2 * 3, WIDTH, SIZE, SIZE)
    found = heads(output_of(torch.randn(2, 4, CHANNELS, SIZE, SIZE), interim), 1).R_interim
    alone = integral(heads.synthesized(interim[:, 3 + 1]))  # point 1, interval 1
    assert torch.allclose(found[:, 1, 1], alone, atol=1e-5)


def test_no_coordinates_are_empty() -> None:
    found = NoCoordinates()(
        output_of(torch.randn(2, 3, CHANNELS, 4, 4), torch.zeros(2, 0, 8, 4, 4)), 1
    )
    assert found.R.shape == (2, 3, 15, 2)
    assert found.R_interim.numel() == 0
