"""Computes the frozen backbone's features of one set of windows, for all second stages."""

from tips.config import ConfigError
from tips.device import choose_device, set_up_training
from tips.features.make import kept_features, training_places, validation_places
from tips.kept import caches
from tips.opened import open_study
from tips.ops.compile import prepare_kernels


def run(
    part: str,
    key: str,
    source: str = "frames",
    scale: str = "desk",
    root: str = "",
    device: str = "auto",
    threads: int = 1,
) -> None:
    """Writes SOURCE.json and the features of every frame offset; current ones are kept.

    If they are deleted, this stage, or a training that needs them, makes them again.

    Args:
        part: Names the windows: train-SEED, or the boxes and the backbone's seed, such as gt-0.
        key: Names what else decides the features; `snakemake -n` lists the keys of a study.
        source: Takes pictures of this source: frames, or a kind of interim generator.
        scale: Takes the study of this scale, a file of experiments/scales.
        root: Sets the dataset folder if the scale has none.
        device: Runs on this device: cpu, cuda, or auto to choose.
        threads: Sets the number of threads on the CPU; 0 is one per core.

    Raises:
        ConfigError: the study keeps no such features.
        RecordError: a file that they are computed from is missing, or the disk is full.
    """
    set_up_training(threads)
    opened = open_study(scale, root)
    wanted = caches(opened.study).get((part, key, source))
    if wanted is None:
        raise ConfigError(
            f"scale {scale} keeps no features {part} {key} {source}; `snakemake -n` lists them"
        )
    target = choose_device(device, opened.study.scale)
    prepare_kernels(target)
    places = validation_places if wanted.validation else training_places
    kept_features(opened, wanted, target, places)
