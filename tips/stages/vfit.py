"""Trains the interim generator `vfit` to make the dataset's own middle frames."""

import logging

import torch

from tips import code, provenance, records
from tips.config import ConfigError, digest
from tips.device import choose_device, set_up_training
from tips.freshness import computing_code
from tips.opened import open_study
from tips.ops.compile import prepare_kernels
from tips.ops.native import backend, kernels_of
from tips.training.interpolator_job import SEED, build_interpolator_job
from tips.training.loop import fit
from tips.training.state import StateFolder, save_tensors


def run(
    scale: str = "desk", root: str = "", device: str = "auto", threads: int = 1, trigger: str = ""
) -> None:
    """Writes checkpoint.pt, train.jsonl and provenance.json of VFIT; after any kill it continues.

    Args:
        scale: Takes the settings `vfit.training` of this file of experiments/scales.
        root: Sets the dataset folder if the scale has none.
        device: Runs on this device: cpu, cuda, or auto to choose.
        threads: Sets the number of threads on the CPU; 0 is one per core.
        trigger: Notes this text in provenance.json, by which the workflow knows what the training
            was started for.

    Raises:
        ConfigError: the scale does not train VFIT.
        RecordError: a frame is missing, or no clip is long enough.
        TrainingError: a loss is not finite.
    """
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    set_up_training(threads)
    opened = open_study(scale, root)
    settings = opened.study.scale.vfit
    if settings is None or settings.training is None:
        raise ConfigError(f"scale {scale} does not train VFIT; give its YAML vfit.training")
    target = choose_device(device)
    prepare_kernels(target)
    made_by = computing_code("vfit", device=kernels_of(target))
    inputs = {
        "config": digest(settings),
        "code": code.summary(made_by),
        "data": provenance.file_digest(opened.paths.manifest),
    }
    file = opened.paths.vfit
    state = StateFolder(opened.paths.state("vfit", str(SEED)), digest(inputs))
    with state.locked():
        job = build_interpolator_job(opened, target)
        outcome = fit(job, state)
        save_tensors({"model": job.model.state_dict()}, file)
        with records.atomic(file.with_name("train.jsonl")) as journal:
            journal.write(state.journal.read_text(encoding="utf-8"))
        records.write_json(
            {
                "settings": settings.model_dump(mode="json"),
                "meaning": settings.meaning(),
                "input_digests": {"data": inputs["data"]},
                "code": made_by,
                "device": job.device.type,
                "kernels": backend(job.device.type),
                "threads": torch.get_num_threads(),
                "trigger": trigger,
                **provenance.surroundings(),
                **provenance.commit_record(),
                "steps": outcome.steps,
                "seconds": round(outcome.seconds, 1),
            },
            file.with_name("provenance.json"),
        )
        state.clear()
