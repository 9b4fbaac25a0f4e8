"""Names what a result depends on: code, settings, files. With it `tips.chain` finds stale results.

A stage depends on the code that it reaches. A training also depends on the parts that its
configuration names: their modules are imported by computed names, and of these modules the
definitions count whose names the code mentions. The code that reads configuration and the code that
makes records do not count, because what they produce is in the records.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from tips import code, kinds
from tips.config import MEAN_POSE, Evaluation, Experiment, Scale, Study, digest
from tips.kept import FRAMES, Cache
from tips.paths import Paths
from tips.provenance import file_digest

# These modules make and compare records, keep finished runs, or hold locks; no result comes from
# them.
RECORDS: Final = (
    *("tips.freshness", "tips.provenance", "tips.locks"),
    *("tips.training.recording", "tips.training.finished"),
)
RECORDED: Final = (*RECORDS, "tips.config.loader")  # what the loader reads is in every record
EXPERIMENT: Final = "tips.config.experiment"  # data, VFIT and metrics do not depend on it
CHECKPOINTING: Final = "tips.training.memory"  # is imported only at a scale that asks for it
ENDINGS: Final = {"cpu": ("cpp",), "cuda": ("cu",)}  # endings of a device's kernels' sources


def code_of(stage: str, *modules: str) -> dict[str, str]:
    """Digests the code that a light stage depends on, the loader of configuration included.

    Args:
        stage: name of a file of tips/stages.
        modules: modules that it imports by a computed name.

    Returns:
        File -> digest of the code that is used of it.
    """
    return code.used(f"tips.stages.{stage}:run", parts=modules, beyond=RECORDS)


def computing_code(
    stage: str,
    *modules: str,
    device: str | None = None,
    beyond: tuple[str, ...] = (*RECORDED, EXPERIMENT),
) -> dict[str, str]:
    """Digests the code that the results of a stage depend on; its settings are recorded anyway.

    Args:
        stage: name of a file of tips/stages.
        modules: modules that it imports by a computed name.
        device: type of device whose compiled kernels count: `cpu` or `cuda`; "": none; None: all.
        beyond: modules that are not looked into; the experiment's is among them for stages that
            run none.
    """
    kernels = code.KERNELS if device is None else ENDINGS.get(device, ())
    return code.used(f"tips.stages.{stage}:run", parts=modules, beyond=beyond, kernels=kernels)


def training_code(
    experiment: Experiment, scale: Scale, device: str | None = None
) -> dict[str, str]:
    """Digests the code that the weights of a training depend on.

    Args:
        experiment: the experiment's settings.
        scale: the scale.
        device: as in `computing_code`.
    """
    parts = [*experiment.modules(), *([CHECKPOINTING] if scale.checkpointing else [])]
    return computing_code("train", *parts, device=device, beyond=RECORDED)


def prediction_code(experiment: Experiment, device: str | None = None) -> dict[str, str]:
    """Digests the code that a trained model's predictions depend on."""
    return computing_code("predict", *experiment.modules(), device=device, beyond=RECORDED)


def feature_code(single: Experiment, device: str | None = None) -> dict[str, str]:
    """Digests the code that kept features depend on.

    Args:
        single: the experiment of stage one, whose backbone computes them.
        device: as in `computing_code`.
    """
    return computing_code("features", *single.modules(), device=device, beyond=RECORDED)


def interim_code(generator: str) -> dict[str, str]:
    """Digests the code that a generator's interim frames depend on."""
    return computing_code("interpolate", *kinds.parts(kinds.INTERIM, generator))


def settings_of(evaluation: Evaluation, stage: str, *modules: str) -> dict[str, Any]:
    """Gives the settings of the evaluation that a stage reads: those whose names its code mentions.

    Args:
        evaluation: settings of the scale's evaluation.
        stage: name of a file of tips/stages.
        modules: modules that it imports by a computed name.
    """
    named = code.names(f"tips.stages.{stage}:run", parts=modules, beyond=RECORDED)
    return {key: value for key, value in evaluation.meaning().items() if key in named}


def training_meaning(experiment: Experiment, scale: Scale) -> dict[str, Any]:
    """Gives the settings of a training: those of its experiment, and the scale's box factor."""
    told = experiment.meaning() | {"enlarge": scale.evaluation.enlarge}
    shared = experiment.first_stage and scale.seeds.shared_backbone
    return told if shared or not scale.seeds.first else told | {"first_seed": scale.seeds.first}


def training_digest(experiment: Experiment, scale: Scale) -> str:
    """Computes the sha256 of the settings of a training."""
    return digest(training_meaning(experiment, scale))


def settings_modules(study: Study) -> list[str]:
    """Lists the modules with the settings of all kinds that a study's variants use."""
    variants = study.variants.values()
    return sorted({m for one in variants for m in one.experiment.modules() if _is_settings(m)})


def _is_settings(module: str) -> bool:
    return module.endswith(f".{kinds.SETTINGS}")


def trainings_code(study: Study) -> str:
    """Computes a digest that changes with the code of any training of a study, and only then."""
    found = {
        f"{name}/{file}": value
        for name, variant in study.variants.items()
        for file, value in training_code(variant.experiment, study.scale).items()
    }
    return code.summary(found)


def training_files(study: Study, paths: Paths, name: str, seed: int) -> dict[str, Path]:
    """Names the files that a training reads, whose digests are in its record.

    Args:
        study: the study.
        paths: the study's folders.
        name: the variant.
        seed: seed of the run.

    Raises:
        ConfigError: if no variant trains the backbone that this one builds on.
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
    """Names the checkpoint of stage one that a second stage builds on.

    Args:
        study: the study.
        paths: the study's folders.
        name: the variant.
        seed: seed of the second stage.

    Raises:
        ConfigError: if no variant trains that backbone.
    """
    return paths.checkpoint(study.stage_one(name), str(study.backbone_seed(seed)))


def feature_files(study: Study, paths: Paths, cache: Cache) -> dict[str, Path]:
    """Names the files that kept features are computed from, whose digests are in their record.

    Args:
        study: the study.
        paths: the study's folders.
        cache: which features.
    """
    found = {
        "data": paths.manifest,
        "backbone": backbone_file(study, paths, cache.variant, cache.seed),
    }
    if cache.validation:
        found["boxes"] = paths.boxes(cache.boxes)
    if cache.source != FRAMES:
        found["interim"] = paths.interim(cache.source) / "psnr.json"
    return found


def prediction_files(
    study: Study, paths: Paths, name: str, seed: int, boxes: str
) -> dict[str, Path]:
    """Names the files that a prediction reads, whose digests are in its record.

    Args:
        study: the study.
        paths: the study's folders.
        name: the variant.
        seed: seed of the run.
        boxes: source of the validation boxes.
    """
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
    """Names the files that an evaluation reads, whose digests are in its record.

    Args:
        paths: the study's folders.
        name: the variant.
        seed: seed of the run.
        boxes: source of the validation boxes.
    """
    return {
        "predictions": paths.predictions(name, str(seed), boxes),
        "annotations": paths.annotations("val"),
    }


def digests(files: Mapping[str, Path]) -> dict[str, str]:
    """Computes the sha256 of every file. Raises RecordError if one is missing."""
    remedy = {"weights": "fetch it, or mend backbone.weights"}
    return {
        name: file_digest(file, remedy.get(name, "run the rule that makes it"))
        for name, file in files.items()
    }
