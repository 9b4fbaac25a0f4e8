"""YAML files -> Study: one level of `extends`, then what the scale lays over it.

Messages name the nearest known key. The settings that are read here are recorded with every run, so
no result depends on the code that reads them.
"""

import functools
import json
from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from tips import kinds
from tips.config.experiment import Experiment
from tips.config.fitting import Layer, fitted, keys, without_tags
from tips.config.layers import ConfigError, extended, layered, overlay, read_yaml
from tips.config.names import as_name
from tips.config.parts import family_of, part_class
from tips.config.rows import BACKBONE, MEAN_POSE
from tips.config.scale import MANY, Scale
from tips.config.study import Study, Variant
from tips.safe_text import visible

M = TypeVar("M", bound=BaseModel)
OTHERS = ("scales", "guests")  # folders of experiments/ whose files are no experiments
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
        count = seeds or chosen.seeds.more.get(name, chosen.seeds.default)
        alike = name == BACKBONE or not experiment.learns
        if alike and chosen.seeds.shared_backbone:
            count = 1
        variants[name] = Variant(name, kind, experiment, count, _extended(path))
        _check_joints(variants[name], chosen, scale)
        _check_interim(variants[name], chosen, scale)
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


def experiment_files(experiments: Path) -> list[Path]:
    """Lists the files of all experiments, the full model's first; hidden ones are an editor's.

    Args:
        experiments: the folder.

    Raises:
        ConfigError: if the name of a folder in it breaks the rule for names.
    """
    found = [experiments / "tips.yaml"]
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
    """Reads one experiment: its file, the file that it extends, and what the scale lays over them.

    Args:
        path: its file.
        scale: what is laid over it; None: nothing.
        experiments: the folder that `extends` must not leave; None: the one above the file's own.

    Raises:
        ConfigError: if anything is wrong; the message names file, key and nearest known key.
    """
    own = read_yaml(path)
    parent_name = own.pop("extends", None)
    layers = [Layer(f"{path}: ", own, own=True)]
    if parent_name is not None:
        layers.insert(0, _parent(path, parent_name, experiments))
    if scale is not None:
        # The scale's `experiment` goes over the file that is extended, but below the file that
        # extends it.
        layers.insert(1, Layer(f"scale '{scale.name}': experiment.", scale.experiment, own=False))
    said = [layer.values["model"] for layer in layers if "model" in layer.values]
    if scale is not None:
        layers += _overlays(scale, path.stem, said[-1] if said else None)
    return _composed(path, layers)


def _parent(path: Path, name: object, experiments: Path | None) -> Layer:
    """Reads the file that an experiment extends."""
    base = read_yaml(extended(path, name, experiments))
    if "extends" in base:
        raise ConfigError(f"{path}: extends: {name} extends another file; one level only")
    return Layer(f"{path.parent / str(name)}: ", base, own=False)


def _overlays(scale: Scale, variant: str, model: object) -> list[Layer]:
    """Lists what a scale lays over an experiment's file: for its kind of model, then for itself."""
    place = f"scale '{scale.name}': "
    return [
        Layer(f"{place}models.{model}.", scale.models.get(str(model), {}), own=True),
        Layer(f"{place}variants.{variant}.", scale.variants.get(variant, {}), own=True),
    ]


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


def validated(kind: type[M], value: dict[str, Any], path: Path, layers: Sequence[Layer] = ()) -> M:
    """Checks a configuration.

    Args:
        kind: the type of its settings.
        value: the keys and values.
        path: the file that they come from.
        layers: what they were laid together from; a message names the topmost that has the key.

    Raises:
        ConfigError: if anything is wrong; the message names file, key and nearest known key.
    """
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        first = error.errors()[0]
        location = without_tags(kind, first["loc"])
        hint = ""
        message = str(first["msg"]).removeprefix("Value error, ")
        if first["type"] == "extra_forbidden":
            message = "unknown key"
            hint = kinds.nearest(str(location[-1]), _fields(kind, location[:-1]))
        elif first["type"] == "missing":
            message = "this key must be given"
        elif first["type"] in ("union_tag_invalid", "union_tag_not_found"):
            message = _about_a_kind(kind, location, first.get("ctx", {}))
            location = (*location, "kind")
        else:
            named = "got" in message or message.startswith("unknown")
            message += "" if named else f" (got {json.dumps(first['input'], default=str)[:80]})"
        where = ".".join(map(str, location)) or "the file"
        holding = (layer.prefix for layer in layers if layer.holds(location))
        raise ConfigError(f"{next(holding, f'{path}: ')}{where}: {message}{hint}") from error


def _about_a_kind(
    part: type[BaseModel], location: tuple[int | str, ...], context: Mapping[str, Any]
) -> str:
    """Writes the message about a part whose kind is unknown or missing."""
    if "tag" not in context:
        return "this key must be given"
    inner = _part(part, location[:-1])
    family = None if inner is None else family_of(inner, str(location[-1]))
    tag = str(context["tag"])
    if family is None:
        return f"unknown kind '{tag}'"
    return f"unknown {family.name} '{tag}'{kinds.nearest(tag, kinds.homes(family))}"


def _fields(kind: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    """Lists the keys that settings know at a location, from which a message names the nearest."""
    part = _part(kind, location)
    return [] if part is None else keys(part)


def _part(kind: type[BaseModel], location: tuple[int | str, ...]) -> type[BaseModel] | None:
    part: type[BaseModel] | None = kind
    for key in location:
        part = None if part is None else part_class(part, str(key))
    return part
