"""Networks of timm, built to a user's description."""

from collections.abc import Mapping
from typing import Any

import timm

# What timm raises if its arguments make no network.
REFUSALS = (AssertionError, IndexError, KeyError, RuntimeError, TypeError, ValueError)
# Arguments by which timm would read files or fetch them. Given here, they are refused in `arch`.
_ALONE = {
    "pretrained": False,
    "pretrained_cfg": None,
    "pretrained_cfg_overlay": None,
    "checkpoint_path": None,
    "cache_dir": None,
}


def create(name: str, arch: Mapping[str, Any] | None, **settings: Any) -> Any:
    """Builds a network of timm.

    Args:
        name: timm's name of the network.
        arch: arguments that the user gives to timm; null leaves the network as published.
        settings: arguments that this package always gives.

    Raises:
        ValueError: if timm cannot build the network; the message quotes timm's own reason.
    """
    try:
        return timm.create_model(name, **_ALONE, **settings, **(arch or {}))
    except REFUSALS as error:
        given = f" with backbone.arch {dict(arch)}" if arch else ""
        raise ValueError(
            f"backbone.name: timm cannot build '{name}'{given}: {type(error).__name__}: {error}"
        ) from error
