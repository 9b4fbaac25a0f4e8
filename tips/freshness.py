"""What a number depends on, and whether that is still what it was: code, configuration, files.

A stage depends on the code that it reaches; a training also on the parts that its configuration
names: their modules are imported by computed names, and of them counts what that code names. How
configuration is read and how records are made is no part of what numbers depend on, because the
outcome is in the records.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from tips import code, kinds
from tips.config import MEAN_POSE, Evaluation, Experiment, Scale, Study, digest
from tips.paths import Paths
from tips.provenance import file_digest

# These make records and compare them, or keep what is finished; no number comes from them.
RECORDS: Final = (
    *("tips.freshness", "tips.provenance"),
    *("tips.training.recording", "tips.training.finished"),
)
RECORDED: Final = (*RECORDS, "tips.config.loader")  # and what this one reads is in every record
EXPERIMENT: Final = "tips.config.experiment"  # of which data, VFIT and metrics know nothing
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
    return code.used(f"tips.stages.{stage}:run", parts=modules, beyond=RECORDS)


def computing_code(
    stage: str,
    *modules: str,
    device: str | None = None,
    beyond: tuple[str, ...] = (*RECORDED, EXPERIMENT),
) -> dict[str, str]:
    """The code that a stage's numbers depend on, where what it is told is recorded beside them.

    Args:
        stage: name of a file of tips/stages.
        modules: that it imports by a computed name.
        device: whose compiled kernels count: cpu, cuda, or "" for none; None: of all.
        beyond: modules that are not looked into; what an experiment is, where none is computed.
    """
    kernels = code.KERNELS if device is None else ENDINGS.get(device, ())
    return code.used(f"tips.stages.{stage}:run", parts=modules, beyond=beyond, kernels=kernels)


def training_code(
    experiment: Experiment, scale: Scale, device: str | None = None
) -> dict[str, str]:
    """The code that a training's weights depend on; `device` as in `computing_code`."""
    parts = [*experiment.modules(), *([CHECKPOINTING] if scale.checkpointing else [])]
    return computing_code("train", *parts, device=device, beyond=RECORDED)


def prediction_code(experiment: Experiment, device: str | None = None) -> dict[str, str]:
    """The code that a trained model's predictions depend on."""
    return computing_code("predict", *experiment.modules(), device=device, beyond=RECORDED)


def interim_code(generator: str) -> dict[str, str]:
    """The code that a generator's interim frames depend on."""
    return computing_code("interpolate", *kinds.parts(kinds.INTERIM, generator))


def settings_of(evaluation: Evaluation, stage: str, *modules: str) -> dict[str, Any]:
    """What of the evaluation's settings a stage reads: the keys that its code names.

    Args:
        evaluation: of the scale.
        stage: name of a file of tips/stages.
        modules: that it imports by a computed name.
    """
    named = code.names(f"tips.stages.{stage}:run", parts=modules, beyond=RECORDED)
    return {key: value for key, value in evaluation.meaning().items() if key in named}


def training_meaning(experiment: Experiment, scale: Scale) -> dict[str, Any]:
    """What a training is told: its experiment, and what of the scale shapes its windows."""
    return experiment.meaning() | {"enlarge": scale.evaluation.enlarge}


def training_digest(experiment: Experiment, scale: Scale) -> str:
    """Sha256 of what a training is told."""
    return digest(training_meaning(experiment, scale))


def settings_modules(study: Study) -> list[str]:
    """The modules with the settings of the kinds that a study's variants are of."""
    variants = study.variants.values()
    return sorted({m for one in variants for m in one.experiment.modules() if _is_settings(m)})


def _is_settings(module: str) -> bool:
    return module.endswith(f".{kinds.SETTINGS}")


def trainings_code(study: Study) -> str:
    """Changes with the code of any training of a study, and with nothing else."""
    found = {
        f"{name}/{file}": value
        for name, variant in study.variants.items()
        for file, value in training_code(variant.experiment, study.scale).items()
    }
    return code.summary(found)


def training_files(study: Study, paths: Paths, name: str, seed: int) -> dict[str, Path]:
    """The files that a training reads and its record names by digest.

    Raises:
        ConfigError: no variant trains the backbone that this one builds on.
    """
    experiment = study.variant(name).experiment
    found = {"data": paths.manifest}
    if experiment.interim_frames is not None:
        found["interim"] = paths.interim(experiment.interim_frames) / "psnr.json"
    if experiment.spectral_groups is not None:
        found["groups"] = paths.groups(str(experiment.spectral_groups))
    if not experiment.first_stage:
        found["backbone"] = backbone_file(study, paths, name, seed)
    elif experiment.backbone.weights is not None:
        found["weights"] = Path(experiment.backbone.weights)
    return found


def backbone_file(study: Study, paths: Paths, name: str, seed: int) -> Path:
    """The checkpoint of the stage one that a second stage builds on. Raises ConfigError."""
    return paths.checkpoint(study.stage_one(name), str(study.backbone_seed(seed)))


def prediction_files(
    study: Study, paths: Paths, name: str, seed: int, boxes: str
) -> dict[str, Path]:
    """The files that a prediction reads and its record names by digest."""
    if name == MEAN_POSE:
        files = {split: paths.annotations(split) for split in ("train", "val")}
        return files | {"boxes": paths.boxes(boxes)}
    files = {
        "checkpoint": paths.checkpoint(name, str(seed)),
        "annotations": paths.annotations("val"),
        "boxes": paths.boxes(boxes),
    }
    interim = study.variant(name).experiment.interim_frames
    return files if interim is None else files | {"interim": paths.interim(interim) / "psnr.json"}


def evaluation_files(paths: Paths, name: str, seed: int, boxes: str) -> dict[str, Path]:
    """The files that an evaluation reads and its record names by digest."""
    return {
        "predictions": paths.predictions(name, str(seed), boxes),
        "annotations": paths.annotations("val"),
    }


def digests(files: Mapping[str, Path]) -> dict[str, str]:
    """Sha256 of every file. Raises RecordError where one is missing."""
    remedy = {"weights": "fetch it, or mend backbone.weights"}
    return {
        name: file_digest(file, remedy.get(name, "run the rule that makes it"))
        for name, file in files.items()
    }
