"""Writes one generator's interim frames of every clip, and measures them."""

import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from tips import code, kinds, provenance, records
from tips.build import build_generator, can_generate
from tips.config import ConfigError, Dataset
from tips.data.frames import FrameStore, open_frames, open_interim, write_packed
from tips.device import choose_device, keep_freed_memory, use_threads
from tips.freshness import interim_code
from tips.interim.configured import generator_settings, interpolator
from tips.interim.generator import interpolate_clip
from tips.interim.true.generator import has_true_frames, true_frames
from tips.opened import Opened, open_study
from tips.ops.compile import prepare_kernels
from tips.ops.image import NumberedImages, psnr, write_jpeg
from tips.progress import track

TRUE: Final = "true"  # read, not generated


def run(
    generator: str,
    scale: str = "desk",
    root: str = "",
    device: str = "auto",
    threads: int = 1,
) -> None:
    """Interpolates train and val with one generator; writes psnr.json last, goes on after a stop.

    A clip of T frames gives T - 1 interim frames, frame w between w and w + 1. The PSNR is the mean
    over frames of each frame's, against the true in-between frames where the dataset has them.

    Args:
        generator: average, flow, vfit or true.
        scale: name of a file of experiments/scales.
        root: dataset folder, where the scale leaves it open.
        device: auto, cpu or cuda; of vfit.
        threads: of torch on the CPU; 0: one per core.

    Raises:
        ConfigError: unknown generator or device.
        RecordError: a frame is missing or unreadable, or the dataset has no true frames.
    """
    known = kinds.homes(kinds.INTERIM)
    if generator not in known:
        raise ConfigError(
            f"unknown interim generator '{generator}'{kinds.nearest(generator, known)}"
        )
    cv2.setNumThreads(1)  # one process per core; equal frames on every machine
    use_threads(threads)
    keep_freed_memory()
    opened = open_study(scale, root)
    dataset, paths = opened.study.scale.dataset, opened.paths
    target = choose_device(device)
    if generator == "vfit":
        prepare_kernels(target)
    _continue(generator, opened)
    report: dict[str, Any] = {"generator": generator}
    for split in ("train", "val"):
        annotations = records.read(records.Annotations, paths.annotations(split))
        sources = _sources(generator, opened, annotations, target)
        folder = paths.interim(generator) / split
        for sequence in track(annotations.sequences, f"interim {generator}, {split}"):
            if not _whole(sequence, dataset, folder):
                _write(sources(sequence), dataset, folder, sequence.name)
        report[split] = {"mean": None, "n": 0}
        if generator != TRUE and has_true_frames(paths.root, split):
            made = open_interim(dataset, paths, generator, split)
            report[split] = _measure(made, true_frames(paths.root, split), annotations)
    records.write_json(report, paths.interim(generator) / "psnr.json")


def _continue(generator: str, opened: Opened) -> None:
    """Keeps the frames of a stopped run where they are still right; removes them otherwise."""
    folder = opened.paths.interim(generator)
    made_by = code.summary(interim_code(generator))
    key = {"code": made_by, "data": _file_digest(opened.paths.manifest)}
    network = interpolator(opened) if generator == "vfit" else None
    if network is not None and network.weights is not None:
        key["network"] = _file_digest(Path(network.weights))
    noted = folder / "key.json"
    if not noted.is_file() or records.read_json(noted) != key:
        shutil.rmtree(folder, ignore_errors=True)
        records.write_json(key, noted)
    (folder / "psnr.json").unlink(missing_ok=True)


def _file_digest(path: Path) -> str:
    return provenance.file_digest(path) if path.is_file() else ""


def _whole(sequence: records.Sequence, dataset: Dataset, folder: Path) -> bool:
    """Whether all frames of a clip are there; each file appears complete or not at all."""
    if dataset.frames == "packed":
        return (folder / f"{sequence.name}.npy").is_file()
    files = NumberedImages(folder)
    return all(files.path(sequence.name, w).is_file() for w in range(len(sequence.frames) - 1))


def _sources(
    generator: str, opened: Opened, annotations: records.Annotations, device: torch.device
) -> Callable[[records.Sequence], Iterator[NDArray[np.uint8]]]:
    """How the interim frames of one sequence come about."""
    if not can_generate(generator):
        truth = true_frames(opened.paths.root, annotations.split)
        return lambda sequence: (truth(sequence.name, w) for w in range(len(sequence.frames) - 1))
    make = build_generator(generator, generator_settings(opened, generator), device)
    frames = open_frames(opened.study.scale.dataset, opened.paths, annotations)
    return lambda sequence: interpolate_clip(
        make, partial(frames, sequence.name), len(sequence.frames)
    )


def _write(images: Iterator[NDArray[np.uint8]], dataset: Dataset, folder: Path, name: str) -> None:
    if dataset.frames == "packed":
        write_packed(images, folder / f"{name}.npy")
        return
    files = NumberedImages(folder)
    for w, image in enumerate(images):
        write_jpeg(image, files.path(name, w))


def _measure(
    made: FrameStore, truth: FrameStore, annotations: records.Annotations
) -> dict[str, float | int]:
    """Mean PSNR, dB, of all interim frames of a split, as they are stored."""
    values = [
        psnr(made(sequence.name, w), truth(sequence.name, w))
        for sequence in annotations.sequences
        for w in range(len(sequence.frames) - 1)
    ]
    # A still scene can be met exactly; 8-bit images differ by 48 dB at one level everywhere.
    finite = [min(value, 100.0) for value in values]
    return {"mean": round(float(np.mean(finite)), 3), "n": len(values)}
