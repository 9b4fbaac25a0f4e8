"""Compiles csrc/ before anything waits for it, and notes what serves which device."""

import torch

from tips.config import ConfigError
from tips.opened import open_study
from tips.ops.compile import build
from tips.ops.native import Kind
from tips.records import write_json

WISHES = ("auto", "yes", "no")


def run(scale: str = "desk", root: str = "", cuda: str = "auto") -> None:
    """Builds the libraries that are not there yet, and notes what serves which device.

    Args:
        scale: name of a file of experiments/scales; its results folder gets kernels.json.
        root: dataset folder, where the scale leaves it open.
        cuda: auto (where torch finds a card), yes (where nvcc is found) or no.

    Raises:
        ConfigError: an unknown scale, or cuda is none of these.
    """
    if cuda not in WISHES:
        raise ConfigError(f"--cuda must be {', '.join(WISHES)}; got '{cuda}'")
    paths = open_study(scale, root).paths
    kinds: list[Kind] = ["cpu"]
    if cuda == "yes" or (cuda == "auto" and torch.cuda.is_available()):
        kinds.append("cuda")
    write_json({kind: build(kind) for kind in kinds}, paths.kernels)
