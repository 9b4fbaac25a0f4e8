"""State dicts with the names and shapes of published checkpoints; the values are ours."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

SHARED = Path(os.environ.get("TIPS_SHARED", Path(__file__).parents[2] / "../shared"))
MANIFESTS = SHARED / "manifests"
needs_manifests = pytest.mark.skipif(not MANIFESTS.is_dir(), reason="no shared material")


def shapes(name: str) -> dict[str, tuple[int, ...]]:
    """Names and shapes of one manifest."""
    listed: dict[str, Any] = json.loads((MANIFESTS / f"{name}.json").read_text())
    return {
        key: tuple(one["shape"] if isinstance(one, dict) else one) for key, one in listed.items()
    }


def write(path: Path, state: dict[str, Tensor]) -> Path:
    torch.save(state, path)
    return path


def parameters(name: str) -> int:
    """Values of a manifest that are no buffers."""
    buffers = ("running_mean", "running_var", "num_batches_tracked", "relative_position_index")
    return sum(
        torch.Size(shape).numel()
        for key, shape in shapes(name).items()
        if not key.endswith(buffers)
    )


def listed(name: str, key: str) -> Any:
    """One entry of a manifest that is no list of shapes."""
    return json.loads((MANIFESTS / f"{name}.json").read_text())[key]
