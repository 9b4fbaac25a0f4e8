import logging
import os

import pytest
import torch

from tips import device
from tips.config import ConfigError
from tips.device import choose_device, make_repeatable, use_bfloat16, use_threads

CPU = torch.device("cpu")


def test_auto_says_what_it_chose(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        chosen = choose_device("auto")
    assert chosen.type == ("cuda" if torch.cuda.is_available() else "cpu")
    assert caplog.messages == [f"device auto: {chosen.type}"]


@pytest.mark.usefixtures("restored_order")
def test_a_training_asks_for_one_order(monkeypatch: pytest.MonkeyPatch) -> None:
    make_repeatable()
    assert torch.are_deterministic_algorithms_enabled()
    assert torch.is_deterministic_algorithms_warn_only_enabled()
    assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":16:8")  # the user's own choice stays
    make_repeatable()
    assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":16:8"


def test_threads_are_one_per_core_or_more(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    monkeypatch.setattr(torch, "set_num_threads", asked.append)
    use_threads(3)
    use_threads(0)
    assert asked == [3]
    with pytest.raises(ConfigError, match=r"--threads must be 0 \(one per core\) to 1024; got -1"):
        use_threads(-1)


def test_cuda_without_a_card_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ConfigError, match="device is cuda, but torch finds no CUDA device; use"):
        choose_device("cuda")
    with pytest.raises(ConfigError, match="must be auto, cpu or cuda; got 'gpu'"):
        choose_device("gpu")


def test_bfloat16_only_where_it_pays(monkeypatch: pytest.MonkeyPatch) -> None:
    assert use_bfloat16("bf16", CPU)
    assert not use_bfloat16("fp32", CPU)
    for has in (True, False):
        monkeypatch.setattr(device, "cpu_has_bfloat16", lambda has=has: has)
        assert use_bfloat16("auto", CPU) is has


def test_freed_memory_is_kept_through_glibc(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    class Library:
        def mallopt(self, option: int, value: int) -> int:
            asked.append((option, value))
            return 1

    monkeypatch.setattr(device.ctypes, "CDLL", lambda _: Library())
    assert device.keep_freed_memory()
    assert asked == [(-1, -1), (-4, 0)]
    monkeypatch.setattr(device.ctypes, "CDLL", lambda _: object())
    assert not device.keep_freed_memory()
