import json
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tips import skeleton
from tips.config import Training
from tips.criterion import Criterion
from tips.data.order import Draws
from tips.data.windows import Labels, Sample, collate
from tips.losses.heatmap import HeatmapLoss
from tips.models.interfaces import Backbone, PoseModel
from tips.models.layers import SlowParameters
from tips.tensors import PoseOutput
from tips.terms import Loss, Pass
from tips.training.loop import Job, TrainingError, build_optimizer, fit
from tips.training.state import StateFolder

SETTINGS = Training(
    epochs=4,
    batch=4,
    accumulation=1,
    learning_rate=0.02,
    sampling_rate_factor=0.1,
    milestones=(0.4, 0.64, 0.8),
    decay=0.1,
    windows_per_epoch=None,
    stills_per_epoch=0,
    checkpoint_every=3,
    log_every=1,
    precision="fp32",
    workers=0,
)
J = skeleton.COUNT


class Shift(SlowParameters):
    """One number, added to all maps."""

    def __init__(self) -> None:
        super().__init__()
        self.by = nn.Parameter(torch.zeros(1))

    def slow_parameters(self) -> Iterator[nn.Parameter]:
        yield self.by

    def forward(self, maps: Tensor) -> Tensor:
        return maps + self.by


class Toy(PoseModel):
    """Reads maps from 8x8 images with one convolution and dropout."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(3, J, 3, padding=1)
        self.norm = nn.BatchNorm2d(J)
        self.drop = nn.Dropout(0.2)
        self.shift = Shift()
        self.backbone = Backbone()  # nobody asks it for maps

    def forward(self, images: Tensor, rough: Tensor) -> PoseOutput:
        F = images[:, 0]
        return PoseOutput(self.shift(self.norm(self.layer(self.drop(F)))), F[:, None])


class Bad(Loss):
    """Turns to NaN at a step."""

    def __init__(self, at: int) -> None:
        super().__init__()
        self.at, self.step = at, -1

    def forward(self, one: Pass) -> Tensor:
        self.step += 1
        return one.output.maps.sum() * (float("nan") if self.step == self.at else 0.0)


def samples(count: int) -> list[Sample]:
    rng = np.random.default_rng(0)
    out = []
    for _ in range(count):
        image = np.zeros((1, 8, 8, 3), np.uint8)
        joints = rng.integers(1, 7, (J, 2)).astype(np.float32)
        joints[:] = joints[0]
        x, y = joints[0].astype(int)
        image[0, y, x] = 255
        maps = np.zeros((J, 8, 8), np.float32)
        maps[:, y, x] = 1
        out.append(
            Sample(
                images=image,
                rough=np.zeros((0, 8, 8, 3), np.uint8),
                labels=Labels(
                    maps=maps,
                    joints=joints,
                    weights=np.ones(J, np.float32),
                    padded=np.zeros(0, bool),
                    affine=np.eye(2, 3),
                ),
            )
        )
    return out


DATA = samples(20)


def load(order: Iterator[list[tuple[int, int]]]) -> Iterable[Sample]:
    return (collate([DATA[sample] for _, sample in batch]) for batch in order)


def job(settings: Training = SETTINGS, extra: Loss | None = None, seed: int = 0) -> Job:
    torch.manual_seed(seed)
    terms: dict[str, Loss] = {"heatmap": HeatmapLoss()} | ({"bad": extra} if extra else {})
    return Job(
        model=Toy(),
        criterion=Criterion(terms, dict.fromkeys(terms, 1.0)),
        settings=settings,
        pools=[Draws(len(DATA), None)],
        load=load,
        seed=seed,
        device=torch.device("cpu"),
    )


def state_in(folder: Path) -> StateFolder:
    folder.mkdir(parents=True, exist_ok=True)  # as `locked` does
    return StateFolder(folder, "k")


def journal(state: StateFolder) -> list[dict[str, object]]:
    return [json.loads(text) for text in state.journal.read_text().splitlines()]


class KilledError(Exception):
    """Stands for SIGKILL: nothing after it runs."""


def killed_at(
    step: int, state: StateFolder, monkeypatch: pytest.MonkeyPatch, settings: Training
) -> None:
    """Trains until the line of a step is in the journal, then dies."""
    write = StateFolder.log

    def log(self: StateFolder, line: dict[str, object]) -> None:
        write(self, line)
        if line["step"] == step:
            raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr(StateFolder, "log", log)
        with pytest.raises(KilledError):
            fit(job(settings), state)


def test_it_learns(tmp_path: Path) -> None:
    state = state_in(tmp_path)
    outcome = fit(job(SETTINGS.model_copy(update={"epochs": 20})), state)
    assert (outcome.steps, outcome.resumed) == (100, 0)
    lines = journal(state)
    assert [line["step"] for line in lines] == list(range(100))
    totals = [float(str(line["total"])) for line in lines]
    assert np.mean(totals[-5:]) < 0.3 * np.mean(totals[:5])
    rates = [float(str(line["rate"])) for line in lines]
    assert rates[39:41] == pytest.approx([0.02, 0.002])
    assert rates[63:65] == pytest.approx([0.002, 2e-4])
    assert rates[79:81] == pytest.approx([2e-4, 2e-5])


# Batches added up are saved whole: every 4 steps, where every 3 are asked for.
@pytest.mark.parametrize(("accumulation", "every"), [(1, 3), (2, 4)])
@pytest.mark.parametrize("step", [0, 2, 3, 7, 13, 18])
def test_a_killed_run_ends_as_an_unbroken_one(
    tmp_path: Path, step: int, accumulation: int, every: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = SETTINGS.model_copy(update={"accumulation": accumulation})
    whole, broken = state_in(tmp_path / "a"), state_in(tmp_path / "b")
    one = job(settings)
    fit(one, whole)
    killed_at(step, broken, monkeypatch, settings)
    two = job(settings)
    outcome = fit(two, broken)
    # The states of steps 3, 6, 9, ... are there, so fewer than 3 steps run twice.
    assert outcome.resumed == step // every * every
    assert journal(broken) == journal(whole)
    weights = zip(one.model.state_dict().values(), two.model.state_dict().values(), strict=True)
    assert all(torch.equal(a, b) for a, b in weights)
    assert torch.equal(
        torch.cat([p.flatten() for p in one.model.parameters()]),
        torch.cat([p.flatten() for p in two.model.parameters()]),
    )


def test_accumulated_batches_move_the_weights_as_one(tmp_path: Path) -> None:
    """Batches of 4 added up twice move the weights as batches of 8 do."""

    def trained(batch: int, accumulation: int) -> Tensor:
        update = {"batch": batch, "accumulation": accumulation, "epochs": 1, "milestones": (0.9,)}
        one = job(SETTINGS.model_copy(update=update))._replace(pools=[Draws(16, None)])
        assert isinstance(one.model, Toy)
        one.model.drop, one.model.norm = nn.Dropout(0.0), nn.Identity()  # type: ignore[assignment]
        fit(one, state_in(tmp_path / f"{batch}"))
        return one.model.layer.weight.detach()

    # Two steps of 0.02 each.
    assert torch.allclose(trained(4, 2), trained(8, 1), atol=1e-4)


@pytest.mark.parametrize("at", [0, 5])
def test_a_loss_that_is_not_finite_is_named_with_its_step(tmp_path: Path, at: int) -> None:
    with pytest.raises(TrainingError) as refused:
        fit(job(extra=Bad(at)), state_in(tmp_path))
    assert str(refused.value) == (
        f"loss 'bad' is nan at step {at}; lower training.learning_rate or its weight in losses"
    )


def test_sampling_offsets_learn_slower() -> None:
    one = job()
    optimizer = build_optimizer(one.model, one.criterion, SETTINGS)
    normal, slow = optimizer.param_groups
    assert (normal["factor"], slow["factor"]) == (1.0, 0.1)
    assert slow["params"] == [one.model.get_parameter("shift.by")]
    every = sum(p.numel() for p in one.model.parameters())
    assert sum(p.numel() for group in optimizer.param_groups for p in group["params"]) == every


def test_frozen_parameters_are_left_out() -> None:
    one = job()
    one.model.get_submodule("layer").requires_grad_(False)
    optimizer = build_optimizer(one.model, one.criterion, SETTINGS)
    assert len(optimizer.param_groups[0]["params"]) == 2  # the norm's
