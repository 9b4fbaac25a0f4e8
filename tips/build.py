"""Builds what an experiment describes: model, losses, generator, each found by its kind.

The table of kinds (`tips.kinds`) finds the code of each kind, so this module names none.
"""

import importlib
from pathlib import Path

import torch

from tips import kinds
from tips.checkpoints import (
    fill,
    fitting,
    load_published,
    load_weights,
    published_state,
    read_checkpoint,
)
from tips.config import Experiment, Parts
from tips.criterion import Criterion
from tips.interim.generator import InterimGenerator
from tips.models.backbones import build_backbone
from tips.models.interfaces import PoseModel
from tips.terms import Loss

OWN = "backbone."  # start of the backbone's keys in a checkpoint of this package


def build_model(experiment: Experiment, groups: Parts = (), autocast: bool = False) -> PoseModel:
    """Builds a model with fresh weights; this reads no file and downloads nothing.

    Args:
        experiment: the experiment's settings.
        groups: joint ids of each part group, from `experiment.groups`; empty without distillation.
        autocast: whether the backbone runs in bfloat16.

    Raises:
        ConfigError: if parts do not fit together, such as a width and a backbone.
    """
    backbone = build_backbone(experiment, autocast)
    network = kinds.load(kinds.MODEL, experiment.model, "network")
    model: PoseModel = network.build(experiment, backbone, groups)
    return model


def build_criterion(experiment: Experiment, model: PoseModel) -> Criterion:
    """Builds the weighted sum of losses, Eq. 14; a term of weight 0 is neither built nor run."""
    weights = experiment.weights
    terms: dict[str, Loss] = {}
    for name, module in kinds.losses().items():
        if name in weights:
            terms[name] = importlib.import_module(module).build(experiment, model)
    if f"{kinds.homes(kinds.MODEL)[experiment.model]}.losses" in experiment.modules():
        terms |= kinds.load(kinds.MODEL, experiment.model, "losses").terms(experiment, model)
    return Criterion({name: term for name, term in terms.items() if name in weights}, weights)


def can_generate(kind: str) -> bool:
    """Tells whether a kind of interim generator computes frames; those of `true` are only read."""
    return hasattr(kinds.load(kinds.INTERIM, kind, "generator"), "build")


def build_generator(kind: str, settings: object, device: torch.device) -> InterimGenerator:
    """Builds a generator of interim frames.

    Args:
        kind: name of the kind.
        settings: settings of that kind, from the scale; None if it has none.
        device: where it runs, if it has a network.

    Raises:
        ConfigError: if it needs a checkpoint and the settings name none.
    """
    generator: InterimGenerator = kinds.load(kinds.INTERIM, kind, "generator").build(
        settings, device
    )
    return generator


def load_pretrained(model: PoseModel, checkpoint: Path) -> None:
    """Loads a backbone from a published checkpoint, or from one that stage one has written.

    The same tensors are taken from both. Parts that no published file holds, such as the neck of
    `hrnet_ms`, keep their fresh weights.

    Raises:
        RecordError: if a key does not fit; the message names it.
    """
    backbone = model.backbone
    published = backbone.published()
    state = published_state(checkpoint)
    ours = {key.removeprefix(OWN): v for key, v in state.items() if key.startswith(OWN)}
    if not ours:
        load_published(backbone, published, backbone.unused, checkpoint)
        return
    shapes = {key: tuple(value.shape) for key, value in backbone.state_dict().items()}
    wanted = {one.key for one in published.values()}
    fitting(ours, {key: shapes[key] for key in wanted}, checkpoint)
    fill(backbone, ours, checkpoint)


def load_backbone(model: PoseModel, checkpoint: Path) -> None:
    """Loads stage one's backbone into a second stage, which may copy parts of it (C_real, Eq. 2).

    Raises:
        RecordError: if the file is truncated or holds another network.
    """
    state = read_checkpoint(checkpoint)["model"]
    own = {key.removeprefix(OWN): v for key, v in state.items() if key.startswith(OWN)}
    load_weights(model.backbone, own, checkpoint)
    model.start_from_backbone()
