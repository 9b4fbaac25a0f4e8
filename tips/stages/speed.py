"""Times the inference of the tables' variants against the single-frame HRNet in the same process.

The models take turns. If the machine becomes slower or faster meanwhile, this affects all alike.
"""

from collections.abc import Callable

import torch

from tips import records
from tips.bench.interleaved import interleaved
from tips.build import build_generator, can_generate
from tips.config import BACKBONE, Crop, Variant
from tips.data.windows import normalise
from tips.device import card_of, choose_device, use_threads
from tips.inference.loading import trained_model
from tips.interim.configured import generator_settings
from tips.opened import EXPERIMENTS, Opened, open_study
from tips.ops.native import backend
from tips.tables.published import load_tables
from tips.tables.yours import project_variants
from tips.tensors import Window


def run(scale: str = "desk", root: str = "", device: str = "auto", threads: int = 2) -> None:
    """Writes speed.json: a variant's time per window over the single-frame HRNet's (Table VI).

    Variants of the user's own are not timed: no table shows their times, and timing all variants
    anew would move those of others.

    Args:
        scale: Takes the study of this scale, a file of experiments/scales.
        root: Sets the dataset folder if the scale has none.
        device: Runs on this device: cpu, cuda, or auto to choose.
        threads: Sets the number of threads on the CPU; 0 is one per core.
    """
    use_threads(threads)
    opened = open_study(scale, root)
    study, paths = opened
    target = choose_device(device, opened.study.scale)
    tables = load_tables(EXPERIMENTS / "tables.yaml", study.scale.dataset.release)
    names = project_variants(tables, study)
    calls = {name: _call(opened, study.variants[name], target) for name in names}
    timings = interleaved(calls, study.scale.speed_repeats, target)
    reference = timings[BACKBONE]
    crop = study.variants[BACKBONE].experiment.crop
    records.write_json(
        {
            "reference": BACKBONE,
            "repeats": study.scale.speed_repeats,
            "threads": torch.get_num_threads(),
            "device": target.type,
            "card": card_of(target),
            "kernels": backend(target.type),
            "crop": [crop.height, crop.width],
            "rows": {
                name: {
                    "wall_ratio": round(timing.wall / reference.wall, 4),
                    "cpu_ratio": round(timing.cpu / reference.cpu, 4),
                    "seconds": round(timing.wall, 6),
                }
                for name, timing in timings.items()
            },
            "interim": {
                name: round(seconds / reference.wall, 4)
                for name, seconds in _generators(opened, crop, target).items()
            },
        },
        paths.speed,
    )


def _call(opened: Opened, variant: Variant, device: torch.device) -> Callable[[], object]:
    """Prepares a trained model's call on one random person window with its interim frames."""
    model = trained_model(opened, variant, 0, device)
    experiment = variant.experiment
    frames = len(experiment.window)
    size = (experiment.crop.height, experiment.crop.width, 3)
    generator = torch.Generator().manual_seed(0)

    def pixels(count: int) -> torch.Tensor:
        shape = (1, count, *size)
        return torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8).to(device)

    rough = frames - 1 if experiment.interim_frames else 0
    window = Window(normalise(pixels(frames)), normalise(pixels(rough)))

    @torch.inference_mode()
    def call() -> object:
        return model(*window)

    return call


def _generators(opened: Opened, crop: Crop, device: torch.device) -> dict[str, float]:
    """Measures seconds per interim frame of crop size, of all generators that compute frames."""
    pixels = torch.randint(0, 256, (4, crop.height, crop.width, 3), dtype=torch.uint8).numpy()
    known = {
        name: build_generator(name, generator_settings(opened, name), device)
        for name in opened.study.scale.interim
        if can_generate(name)
    }
    calls: dict[str, Callable[[], object]] = {
        name: (lambda generate=generate: generate(*pixels))  # type: ignore[misc]
        for name, generate in known.items()
    }
    timings = interleaved(calls, opened.study.scale.speed_repeats, device)
    return {name: timing.wall for name, timing in timings.items()}
