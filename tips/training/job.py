"""Builds the job of training a variant with a seed: model, losses and data."""

import importlib
from pathlib import Path

import torch

from tips import code
from tips.build import build_criterion, build_model, load_backbone, load_pretrained
from tips.config import Variant, digest
from tips.data.order import Draws
from tips.data.study_windows import open_windows
from tips.device import use_bfloat16
from tips.freshness import CHECKPOINTING, backbone_file, training_digest
from tips.instances import Key, labelled_keys
from tips.opened import Opened, part_groups, read_annotations
from tips.records import Annotations, RecordError
from tips.training.batches import AugmentedWindows, load_batches
from tips.training.loop import Job


def build_job(opened: Opened, variant: Variant, seed: int, device: torch.device) -> Job:
    """Builds model, losses and data of one training.

    Args:
        opened: the study.
        variant: the variant to train.
        seed: seeds the weights, the order of the samples and the augmentation.
        device: the device to train on.
    """
    experiment = variant.experiment
    autocast = use_bfloat16(experiment.training.precision, device)
    torch.manual_seed(seed)
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
    dataset = AugmentedWindows(windows, samples, experiment.augmentation, seed)
    return Job(
        model=model.to(device),
        criterion=criterion.to(device),
        settings=experiment.training,
        pools=pools,
        load=lambda order: load_batches(dataset, order, experiment.training.workers),
        seed=seed,
        device=device,
    )


def training_keys(
    opened: Opened, variant: Variant
) -> tuple[list[Key], list[Draws], list[Annotations]]:
    """Lists the samples: people of the train split, then stills if the variant uses them.

    Returns:
        The people, how many of each split an epoch draws, and the annotations of the splits.
    """
    settings = variant.experiment.training
    splits = [read_annotations(opened.paths, "train")]
    takes = [settings.windows_per_epoch]
    if settings.stills_per_epoch and "stills" in opened.study.scale.splits:
        splits.append(read_annotations(opened.paths, "stills"))
        takes.append(settings.stills_per_epoch)
    lists = [labelled_keys(annotations) for annotations in splits]
    if not lists[0]:
        raise RecordError(f"{opened.paths.annotations('train')}: no labelled person to train on")
    pools = [Draws(len(found), take) for found, take in zip(lists, takes, strict=True)]
    return [key for found in lists for key in found], pools, splits


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
