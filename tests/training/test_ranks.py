"""Ranks train what one process trains, and stop, resume and fail together."""

import json
from pathlib import Path

import pytest
import torch
from processes import run_ranks
from ranked import CYCLE, STEPS
from torch import Tensor, nn
from torch.distributed.elastic.multiprocessing.errors import ProcessFailure

from tips.config import ConfigError
from tips.training import launch
from tips.training.batch_norms import BatchNorms
from tips.training.launch import judge_cards, judge_count

COUNTS = (1, 2, 4)
# The norm behind it takes a bias away again. So its true gradient is 0, and Adam makes steps of
# whole rounding errors; the norm's running mean follows.
OF_ROUNDING = ("layer.bias", "norm.running_mean")


def train(folder: Path, count: int, *words: str) -> Path:
    """Trains the toy network with some number of ranks."""
    folder.mkdir(parents=True)
    done = run_ranks("ranked.py", count, str(folder), *words)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    folder = tmp_path_factory.mktemp("ranks")
    return {count: train(folder / str(count), count) for count in COUNTS}


def weights(folder: Path) -> dict[str, Tensor]:
    found: dict[str, Tensor] = torch.load(folder / "weights.pt", weights_only=True)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("count", COUNTS[1:])
def test_ranks_train_what_one_process_trains(trained: dict[int, Path], count: int) -> None:
    alone, together = weights(trained[1]), weights(trained[count])
    for name, value in alone.items():
        bound = 1e-2 if name in OF_ROUNDING else 2e-6
        assert torch.allclose(together[name].double(), value.double(), rtol=0, atol=bound), name
    assert int(together["norm.num_batches_tracked"]) == STEPS
    lines = [(one / "journal.jsonl").read_text().splitlines() for one in trained.values()]
    for one, other in zip(lines[0], lines[COUNTS.index(count)], strict=True):
        assert json.loads(one)["step"] == json.loads(other)["step"]
        assert json.loads(one)["total"] == pytest.approx(json.loads(other)["total"], rel=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("step", [5, 14])
def test_a_bad_loss_on_one_rank_ends_all_with_the_same_words(tmp_path: Path, step: int) -> None:
    folder = train(tmp_path / "bad", 2, str(step))
    said = {(folder / f"{rank}.txt").read_text() for rank in range(2)}
    assert said == {
        f"loss 'bad' is nan at step {step}; lower training.learning_rate or its weight in losses"
    }
    lines = (folder / "journal.jsonl").read_text().splitlines()
    assert len(lines) == step // CYCLE * CYCLE


def test_replayed_batch_norms_move_as_they_would_by_themselves() -> None:
    """Two ranks take turns; a norm that is called twice in a step moves twice."""
    torch.manual_seed(0)
    plain, ranks = nn.BatchNorm2d(3), [nn.BatchNorm2d(3), nn.BatchNorm2d(3)]
    watched = [BatchNorms([one]) for one in ranks]
    batches = [torch.randn(2, 3, 4, 4) + k for k in range(6)]
    for cycle in (batches[:4], batches[4:]):
        steps = []
        for k, batch in enumerate(cycle):
            for _ in range(2):
                assert torch.equal(plain(batch), ranks[k % 2](batch))
            steps.append(watched[k % 2].taken())
        for one in watched:
            one.replay(steps)
    for one in ranks:
        assert one.running_mean is not None
        assert torch.allclose(one.running_mean, plain.running_mean, atol=1e-7)
        assert torch.allclose(one.running_var, plain.running_var, atol=1e-6)
        assert torch.equal(one.num_batches_tracked, plain.num_batches_tracked)


def test_frozen_batch_norms_stay_as_they_are() -> None:
    norm = nn.BatchNorm2d(3).eval()
    watched = BatchNorms([norm])
    norm(torch.randn(2, 3, 4, 4))
    assert watched.taken() == []
    watched.replay([])
    assert torch.equal(norm.running_var, torch.ones(3))


@pytest.mark.parametrize(("count", "accumulation"), [(3, 4), (0, 4), (8, 4), (2, 1)])
def test_ranks_that_cannot_share_a_cycle_are_refused(count: int, accumulation: int) -> None:
    with pytest.raises(ConfigError, match=f"which is {accumulation}; got {count}"):
        judge_count(count, accumulation)


def test_more_ranks_than_cards_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    judge_cards(2, torch.device("cuda"))
    judge_cards(4, torch.device("cpu"))
    with pytest.raises(ConfigError, match=r"at most 2, the number of cards here, .*; got 4"):
        judge_cards(4, torch.device("cuda"))


@pytest.mark.parametrize(
    ("said", "heard"),
    [
        ("Traceback:\n  at\nRuntimeError: no card\n\n", "error: rank 1: RuntimeError: no card\n"),
        ("error: the loss is nan\nat the end\n", "error: the loss is nan\n"),
    ],
)
def test_the_last_words_of_another_rank_are_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], said: str, heard: str
) -> None:
    file = tmp_path / "run/attempt_0/1/stderr.log"
    file.parent.mkdir(parents=True)
    file.write_text(said)
    with pytest.raises(SystemExit, match="1"):
        launch._end(1, ProcessFailure(local_rank=1, pid=1, exitcode=1, error_file=""), tmp_path)
    assert capsys.readouterr().err == heard
