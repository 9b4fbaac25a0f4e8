"""What tests of several folders stand on."""

import pytest

from tips.ops import deform_attn, native
from tips.stages import kernels


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compiles the kernels and lets them serve."""
    monkeypatch.delenv(native.SETTING, raising=False)
    if kernels.find_compiler("cpu") is None:
        pytest.skip("no compiler")
    assert kernels.build("cpu")["library"]
    served = native.load()
    assert "cpu" in served
    monkeypatch.setattr(deform_attn, "SERVED", served)
