import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from toy import SETTINGS, Bad, Toy, job, load, state_in

from tips.config import Training
from tips.data.order import Draws
from tips.training.loop import TrainingError, build_optimizer, fit
from tips.training.state import StateFolder


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


def test_after_the_last_step_nothing_is_computed_again(tmp_path: Path) -> None:
    """A job that is ended while it writes its outputs leaves the state of the whole training."""
    state = state_in(tmp_path)
    one = job()
    outcome = fit(one, state)
    lines, loads = journal(state), []
    two = job()._replace(load=lambda order: iter(loads.extend(order) or ()))
    again = fit(two, state)
    assert (again.steps, again.resumed, loads) == (outcome.steps, outcome.steps, [])
    assert journal(state) == lines
    weights = zip(one.model.state_dict().values(), two.model.state_dict().values(), strict=True)
    assert all(torch.equal(a, b) for a, b in weights)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_a_signal_ends_the_training_at_the_next_whole_cycle(
    tmp_path: Path, number: signal.Signals
) -> None:
    settings = SETTINGS.model_copy(update={"accumulation": 4, "checkpoint_every": 100})
    whole, stopped = state_in(tmp_path / "a"), state_in(tmp_path / "b")
    one, two = job(settings), job(settings)
    fit(one, whole)

    def signalled(order: Iterator[list[tuple[int, int]]]) -> Iterator[Any]:
        for step, batch in enumerate(load(order)):
            if step == 5:
                signal.raise_signal(number)
            yield batch

    with pytest.raises(SystemExit) as ended:
        fit(two._replace(load=signalled), stopped)
    assert ended.value.code == 128 + number
    three = job(settings)
    assert fit(three, stopped).resumed == 8
    assert journal(stopped) == journal(whole)
    weights = zip(one.model.state_dict().values(), three.model.state_dict().values(), strict=True)
    assert all(torch.equal(a, b) for a, b in weights)
