"""YAML files -> Study: a variant's file over those that it extends, and what the scale lays over.

Messages name the nearest known key. The settings that are read here are recorded with every run, so
no result depends on the code that reads them.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

from tips import kinds
from tips.config.asked import Asked, apart
from tips.config.experiment import Experiment
from tips.config.fitting import Layer, fitted
from tips.config.judged import validated
from tips.config.layers import LEVELS, ConfigError, extended, layered, overlay, read_yaml
from tips.config.names import as_name
from tips.config.rows import BACKBONE, FULL, MEAN_POSE
from tips.config.scale import MANY, Scale
from tips.config.study import Study, Variant
from tips.safe_text import visible

OTHERS = ("scales", "guests", "schemas")  # folders of experiments/ whose files are no experiments
NOWHERE = "dataset"  # stands for the dataset's folder in plans, which read nothing there


def load_study(
    scale: str, experiments: Path, root: str | None = None, seeds: int | None = None
) -> Study:
    """Reads the scale and every experiments/**/*.yaml below `experiments`.

    Args:
        scale: name of a file of experiments/scales.
        experiments: the folder.
        root: the dataset's folder, for a scale that names none.
        seeds: number of seeds of every variant; None: as the scale says.

    Raises:
        ConfigError: if anything is wrong; the message names file, key and nearest known key.
    """
    if seeds is not None and not 1 <= seeds <= MANY:
        raise ConfigError(f"--seeds: {seeds} is not in 1..{MANY}; give fewer, or 0 for the scale's")
    chosen = load_scale(scale, experiments, root)
    files = experiment_files(experiments)
    variants: dict[str, Variant] = {}
    taken: dict[str, str] = {}
    for path in files:
        name = _variant_name(path, taken)
        listed = chosen.rows is None or name in chosen.rows
        if not listed or path.parent.name in chosen.without:
            continue
        taken[name.casefold()] = name
        kind = "paper" if path.parent == experiments else path.parent.name
        experiment = load_experiment(path, chosen, experiments)
        usual = read_asked(path).seeds or chosen.seeds.default
        count = seeds or chosen.seeds.more.get(name, usual)
        alike = name == BACKBONE or not experiment.learns
        if alike and chosen.seeds.shared_backbone:
            count = 1
        variants[name] = Variant(name, kind, experiment, count, _extended(path))
        _check_joints(variants[name], chosen, scale)
        _check_interim(variants[name], chosen, scale)
        _check_ranks(variants[name], chosen, scale)
    stems = {path.stem: path for path in files}
    named = (chosen.variants, chosen.seeds.more, chosen.rows or (), chosen.evaluation.other_rows)
    for name in chain.from_iterable(named):
        if name not in stems:
            raise ConfigError(
                f"scale {scale}: unknown variant '{name}'{kinds.nearest(name, stems)}"
            )
    folders = {path.parent.name: None for path in files[1:]}
    for name in chosen.without:
        if name not in folders:
            raise ConfigError(
                f"scale {scale}: without: no folder '{name}'{kinds.nearest(name, folders)}"
            )
    return Study(chosen, variants)


def variant_files(experiments: Path) -> dict[str, Path]:
    """Finds the files of all variants, by name, whether a scale has them or not."""
    return {path.stem: path for path in experiment_files(experiments)}


def read_asked(path: Path) -> Asked:
    """Reads what a variant's file asks beside its training. Raises ConfigError."""
    return validated(Asked, apart(read_yaml(path))[0], path)


def experiment_files(experiments: Path) -> list[Path]:
    """Lists the files of all experiments, the full model's first; hidden ones are an editor's.

    Args:
        experiments: the folder.

    Raises:
        ConfigError: if the name of a folder in it breaks the rule for names.
    """
    found = [experiments / f"{FULL}.yaml"]
    for path in sorted(experiments.glob("*/*.yaml")):
        folder = path.parent
        if folder.name in OTHERS or folder.name.startswith(".") or path.name.startswith("."):
            continue
        as_name(folder.name, f"{folder}: the folder's name", "rename the folder")
        found.append(path)
    return found


def _variant_name(path: Path, taken: Mapping[str, str]) -> str:
    """Gives the name of a file's variant.

    Raises:
        ConfigError: if it breaks the rule for names, or if its results would lie where those of
            another lie; some disks take `Tips` and `tips` for one.
    """
    name = as_name(path.stem, f"{path}: the file's name", "rename the file")
    if name.casefold() == MEAN_POSE.casefold():
        raise ConfigError(
            f"{path}: '{MEAN_POSE}' is the row that is scored without a network; rename the file"
        )
    other = taken.get(name.casefold())
    if other is not None:
        differ = "" if other == name else ", and names must differ in more than case"
        raise ConfigError(
            f"{path}: a variant named '{other}' exists already{differ}; rename the file"
        )
    return name


def _extended(path: Path) -> str:
    """Gives the variant whose file an experiment's own file extends; "" if it extends none."""
    name = read_yaml(path).get("extends")
    return "" if name is None else Path(str(name)).stem


def _check_joints(variant: Variant, scale: Scale, name: str) -> None:
    experiment = variant.experiment
    if scale.dataset.body not in experiment.bodies:
        raise ConfigError(
            f"variant '{variant.name}': model {experiment.model} is for PoseTrack's joints, and "
            f"scale '{name}' has others; leave the variant out of the scale's rows"
        )


def _check_interim(variant: Variant, scale: Scale, name: str) -> None:
    wanted = variant.experiment.interim_frames
    if wanted is not None and wanted not in scale.interim:
        raise ConfigError(
            f"variant '{variant.name}' reads interim frames '{wanted}', which scale '{name}' "
            f"does not make ({', '.join(scale.interim)}); add it to the scale's `interim`"
        )


def _check_ranks(variant: Variant, scale: Scale, name: str) -> None:
    """Refuses a number of ranks that cannot share the cycles of a variant's training evenly."""
    accumulation = variant.experiment.training.accumulation
    if variant.experiment.learns and accumulation % scale.ranks:
        raise ConfigError(
            f"scale {name}: ranks: {scale.ranks} does not divide training.accumulation of "
            f"'{variant.name}', which is {accumulation}; give 1, or a number that divides it"
        )


def load_scale(name: str, experiments: Path, root: str | None = None) -> Scale:
    """Reads one scale file.

    Args:
        name: name of a file of experiments/scales.
        experiments: the folder.
        root: the dataset's folder, for a scale that names none.

    Raises:
        ConfigError: if anything is wrong, or if no dataset folder is given anywhere.
    """
    if root is not None and "\0" in root:
        raise ConfigError(f"--root: '{visible(root)}' holds a null character; name a folder")
    path, raw = _raw_scale(name, experiments)
    if root is not None and isinstance(raw.get("dataset"), dict):
        if raw["dataset"].get("kind") == "embedded":  # it would render over your files
            raise ConfigError(
                f"--root {visible(root)}: scale '{name}' renders its own data and takes no folder; "
                "leave it out, or choose a scale for your own data (make: SCALE=clip)"
            )
        raw["dataset"]["root"] = root
    if _leaves_root_open(raw):
        raise ConfigError(
            f"{path}: dataset.root: scale '{name}' needs a dataset folder; add --root FOLDER "
            "(snakemake: --config root=FOLDER, make: ROOT=FOLDER)"
        )
    return validated(Scale, raw, path)


def needs_root(name: str, experiments: Path) -> bool:
    """Tells whether a scale leaves the dataset's folder to the user. Raises ConfigError."""
    return _leaves_root_open(_raw_scale(name, experiments)[1])


def _raw_scale(name: str, experiments: Path) -> tuple[Path, dict[str, Any]]:
    files = {file.stem: file for file in sorted((experiments / "scales").glob("[!.]*.yaml"))}
    if not files:
        raise ConfigError(f"{experiments / 'scales'}: no scales here; run in the repository")
    if name not in files:
        as_name(name, "scale", "give the name of a file of experiments/scales")
        raise ConfigError(f"unknown scale '{name}'{kinds.nearest(name, files)}")
    as_name(name, f"{files[name]}: the file's name", "rename the file")
    raw = layered(files[name], experiments)
    _check_own_results(name, raw, files)
    return files[name], raw


def _check_own_results(name: str, raw: Mapping[str, Any], files: Mapping[str, Path]) -> None:
    """Refuses a scale that writes over the results of another, whose name it has."""
    for other, file in files.items():
        if other != name and other.casefold() == name.casefold():
            raise ConfigError(
                f"{files[name]}: the file's name differs from {file.name} in case alone, and some "
                "disks take them for one; rename one of them"
            )
    own = _names(raw)
    if raw.get("name") in (name, None):
        return
    read = functools.cache(read_yaml)  # many scales may extend the same ones
    for other, file in files.items():
        if other != name and _names(_readable(file, read)) == own:
            raise ConfigError(
                f"{files[name]}: name: '{raw['name']}' is what {file.name} calls itself, and the "
                "results of one would write over the other's; give a name of its own"
            )


def _names(raw: Mapping[str, Any]) -> tuple[Any, ...]:
    """Gives what a scale's folder of results is named by: the names of scale and dataset.

    They come without case, because some disks take `SMOKE` and `smoke` for one.
    """
    dataset = raw.get("dataset")
    names = (raw.get("name"), dataset.get("name") if isinstance(dataset, Mapping) else None)
    return tuple(one.casefold() if isinstance(one, str) else one for one in names)


def _readable(file: Path, read: Callable[[Path], Mapping[str, Any]]) -> Mapping[str, Any]:
    """Reads another scale's file; a broken one is no matter of this scale."""
    try:
        return layered(file, read=read)
    except (ConfigError, OSError):
        return {}


def _leaves_root_open(scale: dict[str, Any]) -> bool:
    dataset = scale.get("dataset")
    if not isinstance(dataset, dict) or dataset.get("kind") == "embedded":
        return False
    return not dataset.get("root")


def load_experiment(
    path: Path, scale: Scale | None = None, experiments: Path | None = None
) -> Experiment:
    """Reads one experiment: its file, those that it extends, and what the scale lays over them.

    Args:
        path: its file.
        scale: what is laid over it; None: nothing.
        experiments: the folder that `extends` must not leave; None: the one above the file's own.

    Raises:
        ConfigError: if anything is wrong; the message names file, key and nearest known key.
    """
    layers: list[Layer] = []
    said: object = None  # the kind of model
    for place, (prefix, file, values) in enumerate(_lineage(path, experiments)):
        before, own = said, file == path
        layers.append(Layer(prefix, values, own))
        said = values.get("model", said)
        if scale is not None and place == 0:  # below every file that extends this one
            layers.append(Layer(f"scale '{scale.name}': experiment.", scale.experiment, own=False))
            said = scale.experiment.get("model", said)
        # A file that extends a variant takes it as the scale has it. The first file of all is no
        # more than a list of values, which a scale changes for everybody by its `experiment`.
        if scale is not None and (own or place > 0):
            model = said if place < 2 or said != before else None
            layers += _overlays(scale, file.stem, model, own)
    return _composed(path, layers)


class _File(NamedTuple):
    prefix: str  # what a message puts before its keys
    path: Path
    values: dict[str, Any]  # settings of the training


def _lineage(path: Path, experiments: Path | None) -> list[_File]:
    """Reads an experiment's file and those that it extends, the one that extends nothing first."""
    found: list[_File] = []
    file, prefix = path, f"{path}: "
    while True:
        _, values = apart(read_yaml(file))
        name = values.pop("extends", None)
        found.insert(0, _File(prefix, file, values))
        if name is None:
            return found
        if len(found) > LEVELS:
            raise ConfigError(f"{path}: extends: more than {LEVELS} files follow each other")
        parent = extended(file, name, experiments)
        if parent.resolve() in [one.path.resolve() for one in found]:
            raise ConfigError(f"{file}: extends: {name} extends this file in turn")
        file, prefix = parent, f"{file.parent / str(name)}: "


def _overlays(scale: Scale, variant: str, model: object, own: bool) -> list[Layer]:
    """Lists what a scale lays over one file: for its kind of model, unless None, and for itself."""
    place = f"scale '{scale.name}': "
    of_kind = Layer(f"{place}models.{model}.", scale.models.get(str(model), {}), own)
    of_itself = Layer(f"{place}variants.{variant}.", scale.variants.get(variant, {}), own)
    return [of_itself] if model is None else [of_kind, of_itself]


def _composed(path: Path, layers: Sequence[Layer]) -> Experiment:
    """Lays the layers over each other, each without the keys of other kinds."""
    merged: dict[str, Any] = {}
    for layer in layers:
        merged = overlay(merged, layer.values)
    if "model" not in merged:
        raise ConfigError(f"{path}: model: this key must be given")
    try:
        kind = kinds.settings(kinds.MODEL, str(merged["model"]))
    except ValueError as error:
        where = next(layer.prefix for layer in layers[::-1] if "model" in layer.values)
        raise ConfigError(f"{where}model: {error}") from error
    fitting: dict[str, Any] = {}
    for layer in layers:
        fitting = overlay(fitting, fitted(layer, kind, merged))
    experiment: Experiment = validated(kind, fitting, path, layers[::-1])
    return experiment


def read_experiment(value: Mapping[str, Any]) -> Experiment:
    """Reads the complete settings as a run records them. Raises ValueError if they are invalid."""
    if not isinstance(value, Mapping):
        raise ValueError("must hold keys and values")
    kind = kinds.settings(kinds.MODEL, str(value.get("model")))
    experiment: Experiment = kind.model_validate(value)
    return experiment
