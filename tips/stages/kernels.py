"""Compiles csrc/ before other jobs need it, and notes which devices have compiled kernels."""

import torch

from tips.config import ConfigError
from tips.opened import open_study
from tips.ops.compile import build
from tips.ops.native import Kind
from tips.records import write_json

WISHES = ("auto", "yes", "no")


def run(scale: str = "desk", root: str = "", cuda: str = "auto") -> None:
    """Builds the libraries that are not there yet, and notes which device has compiled kernels.

    Args:
        scale: Takes the study of this scale; its results folder gets kernels.json.
        root: Sets the dataset folder if the scale has none.
        cuda: Compiles for a card too: yes, no, or auto if torch finds one.

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
