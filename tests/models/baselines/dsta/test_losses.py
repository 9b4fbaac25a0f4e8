import itertools
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Laplace, Normal

from tips.models.baselines.dsta.losses import LikelihoodLoss, RealNVP
from tips.tensors import Regressed, Target


def flow(size: float) -> RealNVP:
    """A flow with random weights, in double precision."""
    torch.manual_seed(0)
    made = RealNVP().double()
    for parameter in made.parameters():
        nn.init.normal_(parameter, std=size)
    return made


def identity(made: RealNVP) -> RealNVP:
    for parameter in made.parameters():
        nn.init.zeros_(parameter)
    return made


def loss_of(case: Any, joints: Tensor, spread: Tensor) -> Tensor:
    made = LikelihoodLoss()
    identity(made.flow)
    found: Tensor = case.having(regressed=Regressed(joints, spread)).value(made)
    return found


def test_with_an_identity_flow_the_loss_is_that_of_its_base_distributions(case: Any) -> None:
    torch.manual_seed(1)
    joints, spread = 16 * torch.rand(2, 15, 2), 0.05 + torch.rand(2, 15, 2)
    target = case.target
    residual = (target.joints - joints) / 16 / spread
    density = Laplace(0.0, 1.0).log_prob(residual) + Normal(0.0, 1.0).log_prob(residual)
    expected = (target.weights * (spread.log() - density).sum(-1)).sum() / 30
    assert loss_of(case, joints, spread).item() == pytest.approx(expected.item(), rel=1e-5)


def test_a_fresh_flow_is_nearly_the_identity() -> None:
    torch.manual_seed(0)
    x = torch.randn(100, 2)
    made = RealNVP()
    assert not torch.equal(made(x), x)
    assert (made(x) - x).abs().max() < 0.3  # biases alone


def test_inverse_undoes_forward() -> None:
    made = flow(0.3)
    z = 2 * torch.randn(200, 2, dtype=torch.float64)
    x = made(z)
    assert (x - z).abs().max() > 0.5
    assert torch.allclose(made.inverse(x)[0], z, atol=1e-10)


def test_the_volume_is_that_of_the_jacobian() -> None:
    made = flow(0.3)
    for x in torch.randn(5, 2, dtype=torch.float64):
        jacobian = torch.autograd.functional.jacobian(lambda one: made.inverse(one[None])[0][0], x)
        assert made.inverse(x[None])[1].item() == pytest.approx(
            torch.linalg.slogdet(jacobian).logabsdet.item(), abs=1e-9
        )


@pytest.mark.parametrize("size", [0.1, 0.2])
def test_the_density_integrates_to_one(size: float) -> None:
    made = flow(size)
    line = torch.linspace(-12, 12, 161, dtype=torch.float64)
    points = torch.cartesian_prod(line, line)
    with torch.no_grad():
        density = made.log_prob(points).exp()
    normal = Normal(0.0, 1.0).log_prob(points).sum(-1).exp()
    step = (line[1] - line[0]) ** 2
    assert float(density.sum() * step) == pytest.approx(1.0, abs=2e-3)
    assert float((density - normal).abs().sum() * step) > 0.1  # another density than the base


def test_gradient_reaches_joints_spread_and_flow_only(case: Any) -> None:
    made = LikelihoodLoss()
    loss = case.value(made)
    assert case.reached(loss) == {"joints", "spread"}
    loss.backward()
    assert all(p.grad is not None and p.grad.any() for p in made.parameters())


def test_a_joint_without_label_costs_nothing_and_its_nan_stays_away(case: Any) -> None:
    target: Target = case.target
    free = target.weights == 0
    assert free.any()
    unknown = target._replace(joints=torch.where(free[..., None], torch.nan, target.joints))
    made = LikelihoodLoss()
    before = case.value(made)
    after = case._replace(target=unknown).value(made)
    assert torch.equal(before, after)
    after.backward()
    assert torch.isfinite(case.output.regressed.joints.grad).all()
    assert not case.output.regressed.joints.grad[free].any()


def test_nobody_labelled_costs_nothing(unlabelled: Any) -> None:
    loss = unlabelled.value(LikelihoodLoss())
    assert loss == 0
    assert not unlabelled.reached(loss)


def test_the_unit_is_a_share_of_the_map(case: Any) -> None:
    """The same pose in maps twice as large, or stretched, costs the same."""
    torch.manual_seed(1)
    joints, spread = 16 * torch.rand(2, 15, 2), torch.full((2, 15, 2), 0.1)
    made = LikelihoodLoss()
    expected = case.having(regressed=Regressed(joints, spread)).value(made)
    for height, width in itertools.product((16, 32), (16, 64)):
        scale = torch.tensor([width / 16, height / 16])
        target = case.target._replace(joints=case.target.joints * scale)
        maps = torch.zeros(2, 15, height, width)
        other = case.having(maps=maps, regressed=Regressed(joints * scale, spread))
        found = other._replace(target=target).value(made)
        assert found.item() == pytest.approx(expected.item(), rel=1e-5)


def test_the_best_spread_grows_with_the_error(case: Any) -> None:
    """With an identity flow: r + r^2 = 1 in units of sigma, so sigma = 1.618 |error|."""
    spreads = torch.linspace(0.02, 0.6, 117)
    for share in (0.05, 0.1, 0.3):
        joints = case.target.joints + 16 * share
        costs = [loss_of(case, joints, torch.full((2, 15, 2), s.item())).item() for s in spreads]
        best = spreads[torch.tensor(costs).argmin()].item()
        assert best == pytest.approx(share * (1 + 5**0.5) / 2, abs=0.0026)


def test_the_flow_learns_the_shape_of_the_errors() -> None:
    """Errors of one sign are likelier under a trained flow than under any centred normal."""
    torch.manual_seed(0)
    skewed = torch.distributions.Exponential(1.0).sample((2000, 2)) + 0.2
    made = RealNVP()
    normal = Normal(skewed.mean(), skewed.std()).log_prob(skewed).sum(-1).mean()
    optimizer = torch.optim.Adam(made.parameters(), lr=5e-3)
    for _ in range(150):
        optimizer.zero_grad()
        cost = -made.log_prob(skewed).mean()
        cost.backward()
        optimizer.step()
    assert -cost > normal + 0.2
