"""What tests of several folders stand on."""

from collections.abc import Iterator

import hypothesis
import pytest
import torch

from tips.ops import compile as kernels
from tips.ops import native

# A machine under load is no failure, and the same examples fail or pass everywhere.
hypothesis.settings.register_profile("ours", deadline=None, derandomize=True)
hypothesis.settings.load_profile("ours")


@pytest.fixture(autouse=True)
def _threads_as_before() -> Iterator[None]:
    """Gives the next test torch's thread count back, which a stage run in this process sets."""
    before = torch.get_num_threads()
    yield
    if torch.get_num_threads() != before:
        torch.set_num_threads(before)


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compiles the kernels and lets them serve."""
    monkeypatch.delenv(native.SETTING, raising=False)
    if kernels.find_compiler("cpu") is None:
        pytest.skip("no compiler")
    assert kernels.build("cpu")["library"]
    served = native.load()
    assert "cpu" in served
    monkeypatch.setattr(native, "served", lambda: served)


@pytest.fixture
def restored_order(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Takes back what `make_repeatable` asks for."""
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", "")  # so that its absence is restored, too
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG")
    monkeypatch.setattr(torch.utils.deterministic, "fill_uninitialized_memory", True)
    yield
    torch.use_deterministic_algorithms(mode=False)


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> torch.device:
    """A CUDA device whose convolutions keep all bits of fp32."""
    if not torch.cuda.is_available():
        pytest.skip("no CUDA")
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    return torch.device("cuda")


@pytest.fixture
def built_for_cuda(card: torch.device, built: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Compiles the kernels for the card too, and lets them serve."""
    if kernels.find_compiler("cuda") is None:
        pytest.skip("no nvcc")
    assert kernels.build("cuda")["library"]
    served = native.load()
    assert served == {"cpu", "cuda"}
    monkeypatch.setattr(native, "served", lambda: served)
