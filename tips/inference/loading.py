"""Loads the model of a finished run, ready to predict."""

from pathlib import Path

import torch

from tips.build import build_model
from tips.checkpoints import Shapes, fitting, load_weights, read_checkpoint
from tips.config import Experiment, Parts, Variant
from tips.device import use_bfloat16
from tips.models.interfaces import PoseModel
from tips.opened import Opened, part_groups
from tips.ops.compile import prepare_kernels
from tips.records import RecordError

# What torch and we raise for settings that make no network.
_NO_NETWORK = (
    *(ArithmeticError, AssertionError, AttributeError, LookupError, RuntimeError, TypeError),
    ValueError,
)


def trained_model(opened: Opened, variant: Variant, seed: int, device: torch.device) -> PoseModel:
    """Loads the model of a finished run of this study, ready to predict.

    Args:
        opened: the study.
        variant: the variant whose model is loaded.
        seed: the seed of its training.
        device: the device that the model is put on.

    Raises:
        RecordError: the checkpoint is missing, truncated or of another network.
    """
    path = opened.paths.checkpoint(variant.name, str(seed))
    return load_trained(variant.experiment, part_groups(opened, variant), path, device)


def load_trained(
    experiment: Experiment, groups: Parts, checkpoint: Path, device: torch.device
) -> PoseModel:
    """Builds a model and loads a finished run's weights into it, ready to predict.

    Args:
        experiment: the configuration of the model.
        groups: the part groups of the joints.
        checkpoint: the file of the weights.
        device: the device that the model is put on.

    Raises:
        RecordError: the checkpoint is missing, truncated or of another network, or the
            configuration describes none.
    """
    state = read_checkpoint(checkpoint)["model"]
    fitting(state, _sketched(experiment, groups, checkpoint), checkpoint, optional="")
    prepare_kernels(device)
    autocast = use_bfloat16(experiment.training.precision, device)
    model = build_model(experiment, groups, autocast)
    load_weights(model, state, checkpoint)
    return model.to(device).eval()


def _sketched(experiment: Experiment, groups: Parts, checkpoint: Path) -> Shapes:
    """Computes the names and shapes of a model's weights without any memory for them.

    So the checkpoint's own size decides how much memory a configuration can ask for.
    """
    try:
        with torch.device("meta"):
            model = build_model(experiment, groups)
    except _NO_NETWORK as error:
        raise RecordError(
            f"{checkpoint}: no network can be built from the configuration of its run: {error}"
        ) from error
    return {name: tuple(value.shape) for name, value in model.state_dict().items()}
