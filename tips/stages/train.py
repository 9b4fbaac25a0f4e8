"""Trains one variant with one seed; continues after any kill."""

import importlib
import logging
from pathlib import Path
from typing import Any

import torch

from tips import code, provenance, records
from tips.build import build_criterion, build_model, load_backbone, load_pretrained
from tips.checkpoints import load_weights, read_checkpoint
from tips.config import ConfigError, Experiment, Parts, Variant, digest
from tips.data.windows import Key, keys
from tips.freshness import (
    CHECKPOINTING,
    backbone_file,
    digests,
    training_code,
    training_digest,
    training_files,
)
from tips.models.interfaces import PoseModel
from tips.ops.compile import prepare_kernels
from tips.ops.native import kernels_of
from tips.records import Annotations, RecordError
from tips.stages._recording import (
    circumstances,
    keep_interpolator,
    note_trigger,
    noted_trigger,
    origin,
)
from tips.stages._study import Opened, open_study, open_windows, read_annotations
from tips.training.batches import AugmentedWindows, load_batches
from tips.training.device import choose_device, set_up_training, use_bfloat16
from tips.training.finished import CHECKPOINT, JOURNAL, RECORD, WEIGHTS, FinishedRun
from tips.training.loop import Job, Outcome, TrainingError, fit
from tips.training.schedule import Draws
from tips.training.state import StateFolder, save_tensors

log = logging.getLogger(__name__)

INTERPOLATOR = "vfit.pt"


def run(
    variant: str,
    seed: int = 0,
    scale: str = "desk",
    root: str = "",
    device: str = "auto",
    threads: int = 1,
    trigger: str = "",
) -> None:
    """Writes checkpoint.pt, train.jsonl and provenance.json into the run's folder.

    A finished run of the same configuration, data, code and seed is kept; delete its folder to
    train it again.

    Args:
        variant: name of a file of experiments/.
        seed: of weights, sample order and augmentation.
        scale: name of a file of experiments/scales.
        root: dataset folder, where the scale leaves it open.
        device: auto, cpu or cuda.
        threads: of torch on the CPU; 0: one per core.
        trigger: noted in provenance.json for the workflow; empty: as noted before.

    Raises:
        ConfigError, RecordError, TrainingError: one line with the remedy.
    """
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    if seed < 0:
        raise ConfigError(f"--seed must be 0 or more; got {seed}")
    set_up_training(threads)
    opened = open_study(scale, root)
    chosen = opened.study.variant(variant)
    target = choose_device(device)
    prepare_kernels(target)
    made_by = training_code(chosen.experiment, opened.study.scale, kernels_of(target))
    inputs = digests(training_files(*opened, variant, seed))
    key = state_key(opened, chosen, seed, made_by, inputs)
    state = StateFolder(opened.paths.state(variant, str(seed)), key)
    folder = opened.paths.run(variant, str(seed))
    failure = folder / "failed.json"
    finished = FinishedRun(folder, state.folder, key)
    with state.locked():
        failure.unlink(missing_ok=True)
        record = finished.restore()
        if record is not None:
            log.info("already trained: %s", folder / CHECKPOINT)
            note_trigger(folder, record, trigger)
            state.clear()
            return
        job = build_job(opened, chosen, seed, target)
        outcome = _fitted(job, state, failure)
        record = circumstances(opened, chosen, seed, job, outcome)
        record |= origin(opened, chosen, made_by, inputs)
        record["interpolator"] = keep_interpolator(opened, chosen, folder)
        noted = {"trigger": trigger} if trigger else noted_trigger(folder)
        _save(folder, job, state, record | noted)
        finished.keep()
        state.clear()


def _fitted(job: Job, state: StateFolder, failure: Path) -> Outcome:
    """Trains to the end, or writes down why that cannot be. Raises TrainingError."""
    try:
        return fit(job, state)
    except TrainingError as error:
        records.write_json({"reason": str(error)}, failure)
        raise


def state_key(
    opened: Opened, variant: Variant, seed: int, made_by: dict[str, str], inputs: dict[str, str]
) -> str:
    """What an unfinished training's state belongs to."""
    config = training_digest(variant.experiment, opened.study.scale)
    return digest({"config": config, "seed": seed, "code": code.summary(made_by), **inputs})


def build_job(opened: Opened, variant: Variant, seed: int, device: torch.device) -> Job:
    """Builds model, losses and data of one training."""
    experiment = variant.experiment
    autocast = use_bfloat16(experiment.training.precision, device)
    torch.manual_seed(seed)
    model = build_model(experiment, _groups(opened, variant), autocast)
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


def _groups(opened: Opened, variant: Variant) -> Parts:
    experiment = variant.experiment
    count = experiment.spectral_groups
    spectral = None if count is None else opened.paths.groups(str(count))
    return experiment.groups(spectral, opened.study.scale.dataset.body)


def training_keys(
    opened: Opened, variant: Variant
) -> tuple[list[Key], list[Draws], list[Annotations]]:
    """Lists the samples: windows of the train split, then stills where the variant takes them."""
    settings = variant.experiment.training
    splits = [read_annotations(opened.paths, "train")]
    takes = [settings.windows_per_epoch]
    if settings.stills_per_epoch and "stills" in opened.study.scale.splits:
        splits.append(read_annotations(opened.paths, "stills"))
        takes.append(settings.stills_per_epoch)
    lists = [keys(annotations) for annotations in splits]
    if not lists[0]:
        raise RecordError(f"{opened.paths.annotations('train')}: no labelled person to train on")
    pools = [Draws(len(found), take) for found, take in zip(lists, takes, strict=True)]
    return [key for found in lists for key in found], pools, splits


def _save(folder: Path, job: Job, state: StateFolder, record: dict[str, Any]) -> None:
    """Writes the files of a run, the record last."""
    folder.mkdir(parents=True, exist_ok=True)
    save_tensors({"model": job.model.state_dict()}, folder / CHECKPOINT)
    with records.atomic(folder / JOURNAL) as journal:
        journal.write(state.journal.read_text(encoding="utf-8"))
    commit, diff = provenance.commit()
    dirty = folder / "dirty.diff"
    dirty.unlink(missing_ok=True)
    if diff:
        with records.atomic(dirty) as stream:
            stream.write(diff)
    weights = {WEIGHTS: provenance.file_digest(folder / CHECKPOINT)}
    records.write_json(record | weights | {"commit": commit, "dirty": bool(diff)}, folder / RECORD)


def trained_model(opened: Opened, variant: Variant, seed: int, device: torch.device) -> PoseModel:
    """Loads a finished run's model, ready to predict."""
    path = opened.paths.checkpoint(variant.name, str(seed))
    return load_trained(variant.experiment, _groups(opened, variant), path, device)


def load_trained(
    experiment: Experiment, groups: Parts, checkpoint: Path, device: torch.device
) -> PoseModel:
    """Builds a model and loads a finished run's weights into it, ready to predict.

    Raises:
        RecordError: the checkpoint is missing, truncated or of another network.
    """
    prepare_kernels(device)
    autocast = use_bfloat16(experiment.training.precision, device)
    model = build_model(experiment, groups, autocast)
    load_weights(model, read_checkpoint(checkpoint)["model"], checkpoint)
    return model.to(device).eval()
