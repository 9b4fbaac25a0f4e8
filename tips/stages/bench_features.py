"""Times training steps on kept features against steps that run the backbone, in turn."""

import statistics
from collections.abc import Callable, Iterator
from itertools import cycle, islice
from pathlib import Path

from tips.bench.paired_timing import quartiles, timed
from tips.config import FULL, ConfigError
from tips.device import choose_device, set_up_training
from tips.opened import open_study
from tips.ops.compile import prepare_kernels
from tips.records import atomic
from tips.tables import markdown
from tips.training.job import build_job
from tips.training.loop import Job, build_optimizer, whole_order

ROWS = ("concat", FULL)
BATCHES = 40  # different batches of a run, which are passed again and again
HEADER = ("row", "steps", "live, s", "kept, s", "ratio", "quartiles", "pairs")


def run(
    scale: str = "desk",
    root: str = "",
    pairs: int = 30,
    report: Path = Path("reports/bench/features.md"),
) -> None:
    """Prints the CPU seconds of whole trainings on both paths; what they read must be there.

    A step is everything that a training does for it: reading or cropping, forward, losses, backward
    and the update. The seconds of a training are those of its median step times its steps.

    Args:
        scale: Takes the study of this scale, a file of experiments/scales.
        root: Sets the dataset folder if the scale has none.
        pairs: Times this number of pairs of steps per row.
        report: Writes the table to this Markdown file.

    Raises:
        RecordError: a file that the trainings read is missing; run the study first.
    """
    if pairs < 2:
        raise ConfigError(f"--pairs must be at least 2, for quartiles; got {pairs}")
    set_up_training(threads=1)
    opened = open_study(scale, root)
    device = choose_device("auto")
    prepare_kernels(device)
    cells = []
    for name in ROWS:
        variant = opened.study.variant(name)
        live, kept = (build_job(opened, variant, 0, device, live=live) for live in (True, False))
        found = timed(_steps(live), _steps(kept), pairs)
        ratios = [theirs / ours for theirs, ours in found]
        steps = sum(1 for _ in whole_order(kept))
        whole = [steps * statistics.median(side) for side in zip(*found, strict=True)]
        low, high = quartiles(ratios)
        cells.append(
            [
                name,
                str(steps),
                *(f"{seconds:.1f}" for seconds in whole),
                f"{statistics.median(ratios):.2f}",
                f"{low:.2f} to {high:.2f}",
                str(pairs),
            ]
        )
    text = (
        "# Training on kept features\n\nProcess CPU seconds of a whole training with one thread: "
        "its median step times its steps. *Live* crops the frames and runs the frozen backbone, "
        "*kept* reads its features; both in turn in one process.\n\n"
        + markdown.table(HEADER, cells, "lrrrrrr")
    )
    with atomic(report) as stream:
        stream.write(text)
    print(text)


def _steps(job: Job) -> Callable[[], None]:
    """Gives a function that makes the next step of a training, over and over."""
    job.model.train()
    optimizer = build_optimizer(job.model, job.criterion, job.settings)

    def batches() -> Iterator[object]:
        for batch in cycle(list(islice(whole_order(job), BATCHES))):
            yield from job.load(iter([batch]))

    loaded = batches()

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        job.terms(job, next(loaded))["total"].backward()
        optimizer.step()

    return step
