"""Trains one variant with one seed; continues after any kill."""

import logging
import shutil
from pathlib import Path
from typing import Any

import torch

from tips import provenance, records
from tips.build import (
    Parts,
    build_criterion,
    build_groups,
    build_model,
    load_backbone,
    load_pretrained,
)
from tips.config import ConfigError, Experiment, Variant, digest
from tips.data.windows import Key, keys
from tips.models.interfaces import PoseModel
from tips.models.weights import load_weights, read_checkpoint
from tips.ops.compile import prepare_kernels
from tips.ops.native import backend
from tips.records import Annotations, RecordError
from tips.stages._study import Opened, interpolator, open_study, open_windows, read_annotations
from tips.stages.prepare import split_names
from tips.training.batches import AugmentedWindows, load_batches
from tips.training.device import choose_device, set_up_training, use_bfloat16
from tips.training.finished import CHECKPOINT, JOURNAL, RECORD, WEIGHTS, FinishedRun
from tips.training.loop import Job, Outcome, TrainingError, fit
from tips.training.memory import checkpoint_activations
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
    inputs = input_digests(opened, chosen, seed)
    key = digest({"config": digest(chosen.experiment), "seed": seed, **inputs})
    state = StateFolder(opened.paths.state(variant, str(seed)), key)
    folder = opened.paths.run(variant, str(seed))
    failure = folder / "failed.json"
    finished = FinishedRun(folder, state.folder, key)
    with state.locked():
        failure.unlink(missing_ok=True)
        record = finished.restore()
        if record is not None:
            log.info("already trained: %s", folder / CHECKPOINT)
            _note_trigger(folder, record, trigger)
            state.clear()
            return
        target = choose_device(device)
        prepare_kernels(target)
        job = build_job(opened, chosen, seed, target)
        try:
            outcome = fit(job, state)
        except TrainingError as error:
            records.write_json({"reason": str(error)}, failure)
            raise
        record = _record(opened, chosen, seed, job, outcome, inputs)
        record["interpolator"] = _keep_interpolator(opened, chosen, folder)
        noted = {"trigger": trigger} if trigger else _noted_trigger(folder)
        _save(folder, job, state, record | noted)
        finished.keep()
        state.clear()


def build_job(opened: Opened, variant: Variant, seed: int, device: torch.device) -> Job:
    """Builds model, losses and data of one training."""
    experiment = variant.experiment
    autocast = use_bfloat16(experiment.training.precision, device)
    torch.manual_seed(seed)
    model, groups = variant_model(opened, variant, autocast)
    if experiment.model != "single_frame":
        load_backbone(model, _stage_one(opened, variant, seed))
    elif experiment.backbone.weights is not None:
        # Paper: HRNet-W48 pre-trained on COCO; here: only where `backbone.weights` names that
        # file, because no package registry has it; else stage one starts at random.
        load_pretrained(model, Path(experiment.backbone.weights))
    if opened.study.scale.checkpointing:
        checkpoint_activations(model)
    criterion = build_criterion(experiment, model, groups)
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


def variant_model(opened: Opened, variant: Variant, autocast: bool) -> tuple[PoseModel, Parts]:
    """Builds a variant's model with fresh weights, and its part groups."""
    groups = _groups(opened, variant)
    return build_model(variant.experiment, groups, autocast), groups


def _groups(opened: Opened, variant: Variant) -> Parts:
    distillation = variant.experiment.distillation
    if distillation is None:
        return ()
    spectral = opened.paths.groups(str(distillation.groups.count))
    return build_groups(distillation.groups, spectral, opened.study.scale.dataset.body)


def training_keys(
    opened: Opened, variant: Variant
) -> tuple[list[Key], list[Draws], list[Annotations]]:
    """Lists the samples: windows of the train split, then stills where the variant takes them."""
    settings = variant.experiment.training
    splits = [read_annotations(opened.paths, "train")]
    takes = [settings.windows_per_epoch]
    if settings.stills_per_epoch and "stills" in split_names(opened):
        splits.append(read_annotations(opened.paths, "stills"))
        takes.append(settings.stills_per_epoch)
    lists = [keys(annotations) for annotations in splits]
    if not lists[0]:
        raise RecordError(f"{opened.paths.annotations('train')}: no labelled person to train on")
    pools = [Draws(len(found), take) for found, take in zip(lists, takes, strict=True)]
    return [key for found in lists for key in found], pools, splits


def input_digests(opened: Opened, variant: Variant, seed: int) -> dict[str, str]:
    """Digests of everything a training reads besides its configuration."""
    paths, experiment = opened.paths, variant.experiment
    found = {"source": provenance.source_digest(), "data": provenance.file_digest(paths.manifest)}
    if experiment.rough_frames:
        file = paths.interim(experiment.interim) / "psnr.json"
        found["interim"] = provenance.file_digest(file)
    if experiment.distillation is not None and experiment.distillation.groups.source == "spectral":
        file = paths.groups(str(experiment.distillation.groups.count))
        found["groups"] = provenance.file_digest(file)
    if experiment.model != "single_frame":
        found["backbone"] = provenance.file_digest(_stage_one(opened, variant, seed))
    elif experiment.backbone.weights is not None:
        weights = Path(experiment.backbone.weights)
        found["weights"] = provenance.file_digest(weights, "fetch it, or mend backbone.weights")
    return found


def _stage_one(opened: Opened, variant: Variant, seed: int) -> Path:
    study = opened.study
    return opened.paths.checkpoint(study.stage_one(variant.name), str(study.backbone_seed(seed)))


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


def _note_trigger(folder: Path, record: dict[str, Any], trigger: str) -> None:
    """Notes with a run that is kept what the workflow asks for it with now."""
    if trigger and record.get("trigger") != trigger:
        records.write_json(record | {"trigger": trigger}, folder / RECORD)


def _noted_trigger(folder: Path) -> dict[str, str]:
    """What the workflow had noted about a run that is now made again by hand."""
    before = records.read_json(folder / RECORD) if (folder / RECORD).is_file() else {}
    return {"trigger": before["trigger"]} if "trigger" in before else {}


def _record(
    opened: Opened,
    variant: Variant,
    seed: int,
    job: Job,
    outcome: Outcome,
    inputs: dict[str, str],
) -> dict[str, Any]:
    autocast = use_bfloat16(job.settings.precision, job.device)
    return {
        "variant": variant.name,
        "seed": seed,
        "scale": opened.study.scale.name,
        "dataset": opened.paths.dataset,
        "config": variant.experiment.model_dump(mode="json"),
        "joints": opened.study.scale.dataset.body.joints,
        "groups": _groups(opened, variant),
        "evaluation": opened.study.scale.evaluation.model_dump(mode="json"),
        "config_digest": digest(variant.experiment),
        "source_digest": inputs["source"],
        "data_digest": inputs["data"],
        "input_digests": inputs,
        "device": job.device.type,
        "precision": "bf16 backbone, fp32 heads" if autocast else "fp32",
        "kernels": backend(job.device.type),
        "threads": torch.get_num_threads(),
        "versions": provenance.versions(),
        "machine": provenance.machine(),
        "steps": outcome.steps,
        "resumed_at": outcome.resumed,
        "seconds": round(outcome.seconds, 1),
        "parameters": sum(p.numel() for p in job.model.parameters()),
        "criterion_parameters": sum(p.numel() for p in job.criterion.parameters()),
    }


def _keep_interpolator(opened: Opened, variant: Variant, folder: Path) -> dict[str, Any] | None:
    """Copies the network that makes a run's interim frames into its folder, and describes it.

    `tips predict` needs it for a new video, wherever the folder lies by then.
    """
    experiment = variant.experiment
    reads = experiment.rough_frames and experiment.interim == "vfit"
    found = interpolator(opened) if reads else None
    if found is None or found.weights is None:
        return None
    with records.atomic_path(folder / INTERPOLATOR) as temporary:
        shutil.copyfile(found.weights, temporary)
    return {
        "size": found.size,
        "weights": INTERPOLATOR,
        "sha256": provenance.file_digest(folder / INTERPOLATOR),
    }


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
