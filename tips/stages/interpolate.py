"""Writes one generator's interim frames of every clip, and measures their quality."""

import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from tips import code, kinds, locks, provenance, records
from tips.build import build_generator, can_generate
from tips.config import ConfigError, Dataset
from tips.data.frames import FrameStore, open_frames, open_interim, write_packed
from tips.device import choose_device, keep_freed_memory, use_threads
from tips.freshness import interim_code
from tips.interim.configured import generator_settings, interpolator
from tips.interim.generator import interpolate_clip
from tips.interim.true.generator import has_true_frames, true_frames
from tips.interim.vfit.generator import halves
from tips.opened import Opened, open_study
from tips.ops.compile import prepare_kernels
from tips.ops.image import NumberedImages, psnr, write_jpeg
from tips.progress import track

ALL: Final = -1
SPLITS: Final = ("train", "val")
TRUE: Final = "true"  # these frames are read from the dataset, not generated


def run(
    generator: str,
    scale: str = "desk",
    root: str = "",
    device: str = "auto",
    threads: int = 1,
    shard: int = ALL,
) -> None:
    """Interpolates train and val with one generator; after a stop it continues where it was.

    A clip of T frames gives T - 1 interim frames; frame w lies between frames w and w + 1. If the
    dataset has true in-between frames, psnr.json, which is written last, holds the mean PSNR of all
    interim frames against them.

    Args:
        generator: Makes the frames with this generator: average, flow or vfit; true copies the true
            in-between frames of a rendered dataset.
        scale: Takes the study of this scale, a file of experiments/scales.
        root: Sets the dataset folder if the scale has none.
        device: Runs vfit on this device: cpu, cuda, or auto to choose.
        threads: Sets the number of threads on the CPU; 0 is one per core.
        shard: Makes only the frames of this share of the clips, of as many as the scale's
            `interim_shards` says, from 0, and measures nothing; -1 makes what is missing.

    Raises:
        ConfigError: unknown generator or device, or no such share.
        RecordError: a frame is missing or unreadable, or the dataset has no true frames.
    """
    known = kinds.homes(kinds.INTERIM)
    if generator not in known:
        raise ConfigError(
            f"unknown interim generator '{generator}'{kinds.nearest(generator, known)}"
        )
    cv2.setNumThreads(1)  # jobs fill the cores, and frames become equal on every machine
    use_threads(threads)
    keep_freed_memory()
    opened = open_study(scale, root)
    shards = opened.study.scale.interim_shards
    if not ALL <= shard < shards:
        raise ConfigError(f"--shard must be in 0..{shards - 1}, or -1 for all; got {shard}")
    target = choose_device(device, opened.study.scale if generator == "vfit" else None)
    if generator == "vfit":
        prepare_kernels(target)
    _continue(generator, opened, target)
    if shard >= 0:
        for split in SPLITS:
            _make(generator, opened, _annotations(opened, split), target, shard, shards)
        record = {"shard": shard, "of": shards}
        records.write_json(record, opened.paths.interim_shard(generator, str(shard)))
        return
    report: dict[str, Any] = {"generator": generator}
    for split in SPLITS:
        annotations = _annotations(opened, split)
        _make(generator, opened, annotations, target)
        report[split] = {"mean": None, "n": 0}
        if generator != TRUE and has_true_frames(opened.paths.root, split):
            made = open_interim(opened.study.scale.dataset, opened.paths, generator, split)
            report[split] = _measure(made, true_frames(opened.paths.root, split), annotations)
    records.write_json(report, opened.paths.interim(generator) / "psnr.json")


def _annotations(opened: Opened, split: str) -> records.Annotations:
    return records.read(records.Annotations, opened.paths.annotations(split))


def _make(
    generator: str,
    opened: Opened,
    annotations: records.Annotations,
    device: torch.device,
    shard: int = 0,
    shards: int = 1,
) -> None:
    """Makes the frames that are missing of a split, or of every so manieth clip of it."""
    sources = _sources(generator, opened, annotations, device)
    dataset, folder = opened.study.scale.dataset, opened.paths.interim(generator)
    own = annotations.sequences[shard::shards]
    for sequence in track(own, f"interim {generator}, {annotations.split}"):
        if not _whole(sequence, dataset, folder / annotations.split):
            _write(sources(sequence), dataset, folder / annotations.split, sequence.name)


def _continue(generator: str, opened: Opened, device: torch.device) -> None:
    """Keeps a stopped run's frames if code, data, weights and precision are the same."""
    folder = opened.paths.interim(generator)
    made_by = code.summary(interim_code(generator))
    key = {"code": made_by, "data": _file_digest(opened.paths.manifest)}
    network = interpolator(opened) if generator == "vfit" else None
    if network is not None and network.weights is not None:
        key["network"] = _file_digest(Path(network.weights))
        key["bfloat16"] = str(halves(device))
    noted = folder / "key.json"
    # Of the jobs that share the clips, the first one clears the folder.
    with locks.waiting(folder.with_name(f"{generator}.lock"), f"begins {folder}"):
        if not noted.is_file() or records.read_json(noted) != key:
            shutil.rmtree(folder, ignore_errors=True)
            records.write_json(key, noted)
        (folder / "psnr.json").unlink(missing_ok=True)


def _file_digest(path: Path) -> str:
    return provenance.file_digest(path) if path.is_file() else ""


def _whole(sequence: records.Sequence, dataset: Dataset, folder: Path) -> bool:
    """Tells whether all interim frames of a clip are there; no file is ever written in part."""
    if dataset.frames == "packed":
        return (folder / f"{sequence.name}.npy").is_file()
    files = NumberedImages(folder)
    return all(files.path(sequence.name, w).is_file() for w in range(len(sequence.frames) - 1))


def _sources(
    generator: str, opened: Opened, annotations: records.Annotations, device: torch.device
) -> Callable[[records.Sequence], Iterator[NDArray[np.uint8]]]:
    """Gives a function that yields the interim frames (H, W, 3) of a sequence."""
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
    """Computes the mean PSNR, in dB, of all interim frames of a split, as they are stored."""
    values = [
        psnr(made(sequence.name, w), truth(sequence.name, w))
        for sequence in annotations.sequences
        for w in range(len(sequence.frames) - 1)
    ]
    # In a still scene an interim frame can be exactly right, and its PSNR infinite. It counts as
    # 100 dB; an error of one grey level everywhere gives 48 dB.
    finite = [min(value, 100.0) for value in values]
    return {"mean": round(float(np.mean(finite)), 3), "n": len(values)}
