"""Measures what each loss term moves: norms of its gradient on every part of a network."""

from pathlib import Path

from tips.bench.gradients import measure, page
from tips.config import FULL, ConfigError
from tips.device import choose_device, set_up_training
from tips.opened import open_study
from tips.ops.compile import prepare_kernels
from tips.records import atomic
from tips.training.job import build_job

STEPS = (0, 20, 100)


def run(
    variant: str = FULL,
    seed: int = 0,
    scale: str = "desk",
    root: str = "",
    report: Path = Path("reports/bench/gradients.md"),
) -> None:
    """Trains one row for 100 steps and writes the norms at steps 0, 20 and 100 as a page.

    Nothing of the training is kept. What it reads must be there: run the study first.

    Args:
        variant: Names the variant, a file of experiments/.
        seed: Seeds the weights, the order of the samples and the augmentation.
        scale: Takes the study of this scale, a file of experiments/scales.
        root: Sets the dataset folder if the scale has none.
        report: Writes the page to this Markdown file.

    Raises:
        ConfigError: a variant that is not trained.
        RecordError: a file that the training reads is missing.
    """
    if seed < 0:
        raise ConfigError(f"--seed must be 0 or more; got {seed}")
    set_up_training(threads=1)
    opened = open_study(scale, root)
    chosen = opened.study.variant(variant)
    if not chosen.experiment.learns:
        raise ConfigError(f"variant '{variant}' is not trained; choose another one")
    device = choose_device("auto")
    prepare_kernels(device)
    found = list(measure(build_job(opened, chosen, seed, device), STEPS))
    with atomic(report) as stream:
        stream.write(page(variant, scale, seed, found))
    print(report)
