"""Trains the interim generator `vfit` to make the dataset's own middle frames."""

import logging
from pathlib import Path
from typing import Any

import torch

from tips import code, provenance, records
from tips.config import ConfigError, digest
from tips.device import card_of, choose_device, set_up_training
from tips.freshness import computing_code
from tips.opened import open_study
from tips.ops.compile import prepare_kernels
from tips.ops.native import backend, kernels_of
from tips.training.finished import JOURNAL, RECORD, WEIGHTS, FinishedRun
from tips.training.interpolator_job import SEED, build_interpolator_job
from tips.training.loop import Job, Outcome, fit
from tips.training.recording import note_trigger
from tips.training.state import StateFolder, save_tensors

log = logging.getLogger(__name__)


def run(
    scale: str = "desk", root: str = "", device: str = "auto", threads: int = 1, trigger: str = ""
) -> None:
    """Writes checkpoint.pt, train.jsonl and provenance.json of VFIT; after any kill it continues.

    A finished training of the same settings, data and code is kept; delete its folder to train it
    again.

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
    checkout = provenance.checkout()  # as it is when the work starts
    set_up_training(threads)
    opened = open_study(scale, root)
    settings = opened.study.scale.vfit
    if settings is None or settings.training is None:
        raise ConfigError(f"scale {scale} does not train VFIT; give its YAML vfit.training")
    target = choose_device(device, opened.study.scale)
    prepare_kernels(target)
    made_by = computing_code("vfit", device=kernels_of(target))
    inputs = {
        "config": digest(settings),
        "code": code.summary(made_by),
        "data": provenance.file_digest(opened.paths.manifest),
    }
    file = opened.paths.vfit
    state = StateFolder(opened.paths.state("vfit", str(SEED)), digest(inputs))
    finished = FinishedRun(file.parent, state.folder, state.key)
    with state.locked():
        record = finished.restore()
        if record is not None:
            log.info("already trained: %s", file)
            note_trigger(file.parent, record, trigger)
            state.clear()
            return
        job = build_interpolator_job(opened, target)
        outcome = fit(job, state)
        save_tensors({"model": job.model.state_dict()}, file)
        with records.atomic(file.with_name(JOURNAL)) as journal:
            journal.write(state.journal.read_text(encoding="utf-8"))
        made = {"input_digests": {"data": inputs["data"]}, "code": made_by, "trigger": trigger}
        made |= {"settings": settings.model_dump(mode="json"), "meaning": settings.meaning()}
        made |= checkout.record | _circumstances(file, job, outcome)
        records.write_json(made, file.with_name(RECORD))
        finished.keep()
        state.clear()


def _circumstances(file: Path, job: Job, outcome: Outcome) -> dict[str, Any]:
    return {
        WEIGHTS: provenance.file_digest(file),
        "device": job.device.type,
        "kernels": backend(job.device.type),
        "threads": torch.get_num_threads(),
        **provenance.surroundings(card_of(job.device)),
        "steps": outcome.steps,
        "seconds": round(outcome.seconds, 1),
    }
