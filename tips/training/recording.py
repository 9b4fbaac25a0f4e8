"""Records how a training was made; nothing here affects its weights."""

import shutil
from pathlib import Path
from typing import Any

import torch

from tips import code, provenance, records
from tips.config import Variant, digest
from tips.device import card_of, use_bfloat16
from tips.freshness import training_meaning
from tips.interim.configured import interpolator
from tips.opened import Opened
from tips.ops.native import backend
from tips.training.finished import INTERPOLATOR, RECORD
from tips.training.loop import Job, Outcome


def circumstances(
    opened: Opened, variant: Variant, seed: int, job: Job, outcome: Outcome
) -> dict[str, Any]:
    """Describes what was trained, how, on what machine, and how long it took.

    Args:
        opened: the study.
        variant: the variant that was trained.
        seed: the seed of the training.
        job: model, losses and data of the training.
        outcome: its steps and seconds.
    """
    autocast = use_bfloat16(job.settings.precision, job.device)
    return {
        "variant": variant.name,
        "seed": seed,
        "scale": opened.study.scale.name,
        "dataset": opened.paths.dataset,
        "config": variant.experiment.model_dump(mode="json"),
        "joints": opened.study.scale.dataset.body.joints,
        "groups": getattr(job.model, "groups", ()),
        "evaluation": opened.study.scale.evaluation.model_dump(mode="json"),
        "device": job.device.type,
        "precision": "bf16 backbone, fp32 heads" if autocast else "fp32",
        "kernels": backend(job.device.type),
        "threads": torch.get_num_threads(),
        **provenance.surroundings(card_of(job.device)),
        "steps": outcome.steps,
        "resumed_at": outcome.resumed,
        "seconds": round(outcome.seconds, 1),
        "parameters": sum(p.numel() for p in job.model.parameters()),
        "criterion_parameters": sum(p.numel() for p in job.criterion.parameters()),
    }


def origin(
    opened: Opened, variant: Variant, made_by: dict[str, str], inputs: dict[str, str]
) -> dict[str, Any]:
    """Describes what decided the weights: code, configuration and inputs.

    Args:
        opened: the study.
        variant: the variant that was trained.
        made_by: digests of the code, by file.
        inputs: digests of the files that the training read, by name.
    """
    told = training_meaning(variant.experiment, opened.study.scale)
    return {
        "code": made_by,
        "code_digest": code.summary(made_by),
        "meaning": told,
        "config_digest": digest(told),
        "data_digest": inputs["data"],
        "input_digests": inputs,
    }


def keep_interpolator(opened: Opened, variant: Variant, folder: Path) -> dict[str, Any] | None:
    """Copies the network that makes a run's interim frames into the run's folder.

    `tips predict` needs it for a new video, wherever the folder is then.

    Args:
        opened: the study.
        variant: the variant that was trained.
        folder: the folder of the run.

    Returns:
        The size, file name and digest of the network; None if no network makes the frames.
    """
    reads = variant.experiment.interim_frames == "vfit"
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


def noted_trigger(folder: Path) -> dict[str, str]:
    """Reads what the workflow had noted about a run that is now trained again by hand."""
    before = records.read_object(folder / RECORD) if (folder / RECORD).is_file() else {}
    return {"trigger": before["trigger"]} if "trigger" in before else {}


def note_trigger(folder: Path, record: dict[str, Any], trigger: str) -> None:
    """Notes why the workflow asks for a run that already exists and is kept.

    Args:
        folder: the folder of the run.
        record: the content of its provenance.json.
        trigger: the text to note; empty changes nothing.
    """
    if trigger and record.get("trigger") != trigger:
        records.write_json(record | {"trigger": trigger}, folder / RECORD)
