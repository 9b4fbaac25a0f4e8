"""Builds the job of training VFIT on the dataset's own middle frames."""

from collections.abc import Iterator
from typing import Any

import torch

from tips.data.frames import open_frames
from tips.data.order import Draws
from tips.data.vfit_samples import MiddleFrames, stack_middles
from tips.interim.true.generator import has_true_frames, true_frames
from tips.interim.vfit.network import VFIT
from tips.interim.vfit.sizes import SIZES
from tips.opened import Opened, read_annotations
from tips.records import RecordError
from tips.training.batches import load_batches
from tips.training.loop import Job
from tips.training.vfit_loss import MiddleLoss, middle_terms

SEED = 0


def build_interpolator_job(opened: Opened, device: torch.device) -> Job:
    """Builds network, losses and data of the training.

    Raises:
        RecordError: no clip is long enough.
    """
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
