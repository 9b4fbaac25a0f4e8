"""Trains the interim generator `vfit` on the dataset's own true middle frames."""

import logging
from collections.abc import Iterator
from typing import Any

import torch

from tips import code, provenance, records
from tips.config import ConfigError, digest
from tips.data.frames import open_frames
from tips.data.middle import MiddleFrames, stack_middles
from tips.freshness import computing_code
from tips.interim.true.generator import has_true_frames, true_frames
from tips.interim.vfit.network import VFIT
from tips.interim.vfit.sizes import SIZES
from tips.ops.compile import prepare_kernels
from tips.ops.native import backend, kernels_of
from tips.records import RecordError
from tips.stages._study import Opened, open_study, read_annotations
from tips.training.batches import load_batches
from tips.training.device import choose_device, set_up_training
from tips.training.interpolation import MiddleLoss, middle_terms
from tips.training.loop import Job, fit
from tips.training.schedule import Draws
from tips.training.state import StateFolder, save_tensors

SEED = 0


def run(
    scale: str = "desk", root: str = "", device: str = "auto", threads: int = 1, trigger: str = ""
) -> None:
    """Writes checkpoint.pt, train.jsonl and provenance.json of VFIT; continues after any kill.

    Args:
        scale: name of a file of experiments/scales; its `vfit.training` says how.
        root: dataset folder, where the scale leaves it open.
        device: auto, cpu or cuda.
        threads: of torch on the CPU; 0: one per core.
        trigger: noted in provenance.json for the workflow.

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
        job = build_job(opened, target)
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


def build_job(opened: Opened, device: torch.device) -> Job:
    """Builds network, losses and data of the training. Raises RecordError without long clips."""
    scale, paths = opened.study.scale, opened.paths
    assert scale.vfit is not None
    assert scale.vfit.training is not None
    settings = scale.vfit.training
    annotations = read_annotations(paths, "train")
    truth = true_frames(paths.root, "train") if has_true_frames(paths.root, "train") else None
    frames = open_frames(scale.dataset, paths, annotations)
    samples = MiddleFrames(frames, truth, annotations, scale.vfit.crop, SEED)
    if not len(samples):
        least = samples.offsets[-1] - samples.offsets[0] + 1
        raise RecordError(
            f"{paths.annotations('train')}: VFIT learns from clips of {least} frames or more, and "
            "there is none; use interim 'flow'"
        )
    torch.manual_seed(SEED)

    def load(order: Iterator[list[tuple[int, int]]]) -> Any:
        return load_batches(samples, order, settings.workers, stack_middles)

    return Job(
        model=VFIT(SIZES[scale.vfit.size]).to(device),
        criterion=MiddleLoss(),
        settings=settings,
        pools=[Draws(len(samples), settings.windows_per_epoch)],
        load=load,
        seed=SEED,
        device=device,
        terms=middle_terms,
    )
