"""Builds the job of training a variant with a seed: model, losses and data."""

import importlib
from pathlib import Path

import torch

from tips import code
from tips.build import build_criterion, build_model, load_backbone, load_pretrained
from tips.config import Variant, digest
from tips.data.study_windows import open_windows
from tips.data.training_keys import training_keys
from tips.device import use_bfloat16
from tips.features.make import sample_rows, training_places
from tips.features.seen import open_seen
from tips.freshness import CHECKPOINTING, backbone_file, training_digest
from tips.kept import of_training
from tips.opened import Opened, part_groups
from tips.training.batches import AugmentedWindows, load_batches, load_seen
from tips.training.loop import Job, seen_terms, whole_order


def build_job(
    opened: Opened, variant: Variant, seed: int, device: torch.device, *, live: bool = False
) -> Job:
    """Builds model, losses and data of one training.

    Args:
        opened: the study.
        variant: the variant to train.
        seed: number of the run, which decides what seeds the weights, the order of the samples and
            the augmentation.
        device: the device to train on.
        live: whether the backbone runs in this training although its features are kept.
    """
    experiment = variant.experiment
    autocast = use_bfloat16(experiment.training.precision, device)
    drawn = opened.study.drawn_seed(variant.name, seed)
    torch.manual_seed(drawn)
    model = build_model(experiment, part_groups(opened, variant), autocast)
    if not experiment.first_stage:
        load_backbone(model, backbone_file(*opened, variant.name, seed))
    elif experiment.backbone.weights is not None:
        # Paper: HRNet-W48 pre-trained on COCO; here: only where `backbone.weights` names that
        # file, because no package registry has it; else stage one starts at random.
        load_pretrained(model, Path(experiment.backbone.weights))
    if opened.study.scale.checkpointing:
        importlib.import_module(CHECKPOINTING).checkpoint_activations(model)
    criterion = build_criterion(experiment, model)
    samples, pools, splits = training_keys(opened, variant)
    windows = open_windows(opened, variant, splits)
    dataset = AugmentedWindows(windows, samples, experiment.augmentation, drawn)
    caches = [] if live else of_training(opened.study, variant.name, seed)
    job = Job(
        model=model.to(device),
        criterion=criterion.to(device),
        settings=experiment.training,
        pools=pools,
        load=lambda order: load_batches(dataset, order, experiment.training.workers),
        seed=drawn,
        device=device,
    )
    if not caches:
        return job
    seen = open_seen(opened, caches, experiment, device, training_places)
    rows = sample_rows(whole_order(job))
    return job._replace(load=lambda order: load_seen(dataset, seen, rows, order), terms=seen_terms)


def state_key(
    opened: Opened, variant: Variant, seed: int, made_by: dict[str, str], inputs: dict[str, str]
) -> str:
    """Identifies an unfinished training: its saved state is used only if nothing of this changed.

    Args:
        opened: the study.
        variant: the variant to train.
        seed: the seed of the training.
        made_by: digests of the code, by file.
        inputs: digests of the files that the training reads, by name.
    """
    config = training_digest(variant.experiment, opened.study.scale)
    return digest({"config": config, "seed": seed, "code": code.summary(made_by), **inputs})
