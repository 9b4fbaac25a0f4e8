"""What a number depends on, and whether that is still what it was: code, configuration, files.

A stage depends on the code that it reaches; a training also on the modules of the parts that its
configuration names, which are imported by computed names. How configuration is read and how records
are made is no part of what numbers depend on, because the outcome is in the records.
"""

from typing import Any, Final

from tips import code, kinds
from tips.config import Experiment, Scale, Study, digest

# What these give is recorded with every run, and compared.
RECORDED: Final = ("tips.config.loader", "tips.freshness", "tips.provenance")
CHECKPOINTING: Final = "tips.training.memory"  # imported only at a scale that asks for it
ENDINGS: Final = {"cpu": ("cpp",), "cuda": ("cu",)}  # of the sources of a device's kernels


def code_of(stage: str, *modules: str) -> dict[str, str]:
    """The code that a light stage depends on, configuration's loader included.

    Args:
        stage: name of a file of tips/stages.
        modules: that it imports by a computed name.

    Returns:
        File -> digest of what is used of it.
    """
    return code.used(f"tips.stages.{stage}:run", *modules)


def computing_code(stage: str, *modules: str, device: str | None = None) -> dict[str, str]:
    """The code that a stage's numbers depend on, where what it is told is recorded beside them.

    Args:
        stage: name of a file of tips/stages.
        modules: that it imports by a computed name.
        device: whose compiled kernels count: cpu, cuda, or "" for none; None: of all.
    """
    kernels = code.KERNELS if device is None else ENDINGS.get(device, ())
    return code.used(f"tips.stages.{stage}:run", *modules, beyond=RECORDED, kernels=kernels)


def training_code(
    experiment: Experiment, scale: Scale, device: str | None = None
) -> dict[str, str]:
    """The code that a training's weights depend on; `device` as in `computing_code`."""
    parts = [*experiment.modules(), *([CHECKPOINTING] if scale.checkpointing else [])]
    return computing_code("train", *parts, device=device)


def prediction_code(experiment: Experiment, device: str | None = None) -> dict[str, str]:
    """The code that a trained model's predictions depend on."""
    return computing_code("predict", *experiment.modules(), device=device)


def interim_code(generator: str) -> dict[str, str]:
    """The code that a generator's interim frames depend on."""
    return computing_code("interpolate", *kinds.parts(kinds.INTERIM, generator))


def training_meaning(experiment: Experiment, scale: Scale) -> dict[str, Any]:
    """What a training is told: its experiment, and what of the scale shapes its windows."""
    return experiment.meaning() | {"enlarge": scale.evaluation.enlarge}


def training_digest(experiment: Experiment, scale: Scale) -> str:
    """Sha256 of what a training is told."""
    return digest(training_meaning(experiment, scale))


def study_code(study: Study) -> str:
    """Changes with the code of any training of a study, and with nothing else."""
    found = {
        f"{name}/{file}": value
        for name, variant in study.variants.items()
        for file, value in training_code(variant.experiment, study.scale).items()
    }
    return code.summary(found)
