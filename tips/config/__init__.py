"""Configuration: experiments/*.yaml and experiments/scales/*.yaml as frozen, typed objects."""

from tips.config.experiment import Augmentation, Backbone, Crop, Experiment, Parts, Training
from tips.config.layers import ConfigError, overlay
from tips.config.loader import (
    NOWHERE,
    load_experiment,
    load_scale,
    load_study,
    needs_root,
    read_experiment,
)
from tips.config.parts import digest
from tips.config.rows import (
    BACKBONE,
    CAPACITY_CONTROL,
    COPY,
    FULL,
    MEAN_POSE,
    SCRATCH,
    SINGLE_FRAME,
    rivals,
)
from tips.config.scale import ContractNumbers, Dataset, Detector, Evaluation, Scale, Seeds
from tips.config.study import Study, Variant

__all__ = [
    "BACKBONE",
    "CAPACITY_CONTROL",
    "COPY",
    "FULL",
    "MEAN_POSE",
    "NOWHERE",
    "SCRATCH",
    "SINGLE_FRAME",
    "Augmentation",
    "Backbone",
    "ConfigError",
    "ContractNumbers",
    "Crop",
    "Dataset",
    "Detector",
    "Evaluation",
    "Experiment",
    "Parts",
    "Scale",
    "Seeds",
    "Study",
    "Training",
    "Variant",
    "digest",
    "load_experiment",
    "load_scale",
    "load_study",
    "needs_root",
    "overlay",
    "read_experiment",
    "rivals",
]
