"""YAML -> Study: one level of `extends`, the scale's overlay, errors with the nearest known key."""

import difflib
import hashlib
import json
from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from tips import skeleton
from tips.config.experiment import Backbone, Experiment
from tips.config.layers import ConfigError, layered, overlay, read_yaml
from tips.config.scale import Scale

M = TypeVar("M", bound=BaseModel)
BACKBONE = "hrnet"  # the variant that is stage one
RIVALS = ("posewarper", "dcpose", "fami-pose", "tdmi", "dsta")  # other papers' second stages
NOWHERE = "dataset"  # a root for plans, which read nothing there
POSETRACK_ONLY = ("dsta",)  # models that know PoseTrack's joints by name
MEAN_POSE = "mean-pose"  # the predictor without a network: scored, never trained


class Variant(NamedTuple):
    """One experiment of the study: its name, folder (ablation, baselines, ...), configuration."""

    name: str
    kind: str
    experiment: Experiment
    seeds: int


class Study(NamedTuple):
    """A scale with all its variants."""

    scale: Scale
    variants: dict[str, Variant]

    def variant(self, name: str) -> Variant:
        """Looks a variant up. Raises ConfigError naming the nearest known one."""
        if name not in self.variants:
            raise ConfigError(f"unknown variant '{name}'{_nearest(name, self.variants)}")
        return self.variants[name]

    def stage_one(self, name: str) -> str:
        """Names the single-frame variant whose trained backbone a second stage builds on.

        Raises:
            ConfigError: no single-frame variant of the study has that backbone.
        """
        wanted = _network(self.variant(name))
        singles = [v for v in self.variants.values() if v.experiment.model == "single_frame"]
        for single in sorted(singles, key=lambda single: single.name != BACKBONE):
            if _network(single) == wanted:
                return single.name
        raise ConfigError(
            f"variant '{name}': no single-frame variant trains its backbone '{wanted.name}'; "
            "give one the same `backbone`"
        )

    def backbone_seed(self, seed: int) -> int:
        """The stage-one seed that a second-stage seed builds on."""
        return 0 if self.scale.seeds.shared_backbone else seed


def _network(variant: Variant) -> Backbone:
    return variant.experiment.backbone.model_copy(update={"weights": None})


def load_study(
    scale: str, experiments: Path, root: str | None = None, seeds: int | None = None
) -> Study:
    """Reads the scale and every experiments/**/*.yaml below `experiments`.

    Args:
        scale: name of a file of experiments/scales.
        experiments: the folder.
        root: dataset folder, where the scale leaves it open.
        seeds: overrides every seed count.

    Raises:
        ConfigError: naming file, key path and nearest known key.
    """
    chosen = load_scale(scale, experiments, root)
    files = [
        experiments / "tips.yaml",
        *(
            path
            for path in sorted(experiments.glob("*/*.yaml"))
            if path.parent.name != "scales" and not path.name.startswith(".")
        ),
    ]
    variants: dict[str, Variant] = {}
    for path in files:
        name = path.stem
        if name in variants:
            raise ConfigError(f"{path}: a variant named '{name}' exists already; rename the file")
        listed = chosen.rows is None or name in chosen.rows
        if not listed or path.parent.name in chosen.without:
            continue
        kind = "paper" if path.parent == experiments else path.parent.name
        count = seeds or chosen.seeds.more.get(name, chosen.seeds.default)
        if name == BACKBONE and chosen.seeds.shared_backbone:
            count = 1
        variants[name] = Variant(name, kind, load_experiment(path, chosen), count)
        _check_joints(variants[name], chosen, scale)
        _check_interim(variants[name], chosen, scale)
    stems = {path.stem: path for path in files}
    named = (chosen.variants, chosen.seeds.more, chosen.rows or (), chosen.evaluation.other_rows)
    for name in chain.from_iterable(named):
        if name not in stems:
            raise ConfigError(f"scale {scale}: unknown variant '{name}'{_nearest(name, stems)}")
    folders = {path.parent.name: None for path in files[1:]}
    for name in chosen.without:
        if name not in folders:
            raise ConfigError(
                f"scale {scale}: without: no folder '{name}'{_nearest(name, folders)}"
            )
    return Study(chosen, variants)


def _check_joints(variant: Variant, scale: Scale, name: str) -> None:
    model = variant.experiment.model
    if model in POSETRACK_ONLY and scale.dataset.body is not skeleton.POSETRACK:
        raise ConfigError(
            f"variant '{variant.name}': model {model} is for PoseTrack's joints, and scale "
            f"'{name}' has others; leave the variant out of the scale's rows"
        )


def _check_interim(variant: Variant, scale: Scale, name: str) -> None:
    wanted = variant.experiment.interim
    if variant.experiment.rough_frames and wanted not in scale.interim:
        raise ConfigError(
            f"variant '{variant.name}' reads interim frames '{wanted}', which scale '{name}' "
            f"does not make ({', '.join(scale.interim)}); add it to the scale's `interim`"
        )


def load_scale(name: str, experiments: Path, root: str | None = None) -> Scale:
    """Reads one scale file. Raises ConfigError."""
    path, raw = _raw_scale(name, experiments)
    if root is not None and isinstance(raw.get("dataset"), dict):
        raw["dataset"]["root"] = root
    if _leaves_root_open(raw):
        raise ConfigError(
            f"{path}: dataset.root: scale '{name}' needs a dataset folder; add --root FOLDER "
            "(snakemake: --config root=FOLDER, make: ROOT=FOLDER)"
        )
    return _validate(Scale, raw, path)


def needs_root(name: str, experiments: Path) -> bool:
    """Says whether a scale leaves the dataset's folder to the user. Raises ConfigError."""
    return _leaves_root_open(_raw_scale(name, experiments)[1])


def _raw_scale(name: str, experiments: Path) -> tuple[Path, dict[str, Any]]:
    path = experiments / "scales" / f"{name}.yaml"
    if not path.is_file():
        known = {file.stem: None for file in (experiments / "scales").glob("*.yaml")}
        if not known:
            raise ConfigError(f"{experiments / 'scales'}: no scales here; run in the repository")
        raise ConfigError(f"unknown scale '{name}'{_nearest(name, known)}")
    own = read_yaml(path)
    if "extends" in own and "name" not in own and "name" not in (own.get("dataset") or {}):
        raise ConfigError(
            f"{path}: name: must be given, or the results of {own['extends']} are written over"
        )
    return path, layered(path)


def _leaves_root_open(scale: dict[str, Any]) -> bool:
    dataset = scale.get("dataset")
    if not isinstance(dataset, dict) or dataset.get("kind") == "embedded":
        return False
    return not dataset.get("root")


def load_experiment(path: Path, scale: Scale | None = None) -> Experiment:
    """Reads one experiment file over its parent and the scale's overlay. Raises ConfigError."""
    own = read_yaml(path)
    parent_name = own.pop("extends", None)
    base: dict[str, Any] = {}
    if parent_name is not None:
        parent = (path.parent / str(parent_name)).resolve()
        if not parent.is_file():
            raise ConfigError(f"{path}: extends: no file {parent_name}")
        base = read_yaml(parent)
        if "extends" in base:
            raise ConfigError(
                f"{path}: extends: {parent_name} extends another file; one level only"
            )
    layers = [_Layer(f"{path}: ", own)]
    if scale is not None:
        place = f"scale '{scale.name}': "
        # Over the file that others extend, and below what those say themselves.
        layers.insert(0 if parent_name else 1, _Layer(f"{place}experiment.", scale.experiment))
        one = scale.variants.get(path.stem, {})
        layers.append(_Layer(f"{place}variants.{path.stem}.", one))
    for layer in layers:
        base = overlay(base, layer.values)
    return _validate(Experiment, base, path, layers[::-1])


class _Layer(NamedTuple):
    """One mapping of those laid over each other, and how a message names its keys."""

    prefix: str
    values: Mapping[str, Any]

    def holds(self, location: Sequence[int | str]) -> bool:
        inner: Any = self.values
        for key in location:
            if not isinstance(inner, Mapping):
                return inner is not None  # a list or a number: the rest of the way is in it
            if key not in inner:
                return False
            inner = inner[key]
        return bool(location)  # a rule over all parts is the file's


def digest(value: BaseModel | Mapping[str, Any]) -> str:
    """Sha256 of a configuration's meaning: not of comments, titles, key order or unread keys."""
    plain = value.model_dump(mode="json") if isinstance(value, BaseModel) else dict(value)
    for unread in value.unread if isinstance(value, Experiment) else ():
        *above, key = unread.split(".")
        part = plain
        for name in above:
            part = part[name]
        part.pop(key)
    plain.pop("title", None)
    plain.pop("note", None)
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()


def _validate(kind: type[M], value: dict[str, Any], path: Path, layers: Sequence[_Layer] = ()) -> M:
    """Checks a configuration. A mistake is put down to the topmost layer that has the key."""
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        hint = ""
        message = str(first["msg"]).removeprefix("Value error, ")
        if first["type"] == "extra_forbidden":
            message = "unknown key"
            hint = _nearest(str(first["loc"][-1]), _fields(kind, first["loc"][:-1]))
        elif first["type"] == "missing":
            message = "this key must be given"
        else:
            message += f" (got {json.dumps(first['input'], default=str)[:80]})" * (
                "got" not in message
            )
        holding = (layer.prefix for layer in layers if layer.holds(first["loc"]))
        raise ConfigError(f"{next(holding, f'{path}: ')}{where}: {message}{hint}") from error


def _fields(kind: type[BaseModel], location: tuple[int | str, ...]) -> dict[str, None]:
    """Keys that a model knows at a location, for the nearest-key hint."""
    model: type[BaseModel] = kind
    for key in location:
        if not isinstance(key, str) or key not in model.model_fields:
            return {}
        inner = [
            part
            for part in (
                model.model_fields[key].annotation,
                *get_args(model.model_fields[key].annotation),
            )
            if isinstance(part, type) and issubclass(part, BaseModel)
        ]
        if not inner:
            return {}
        model = inner[0]
    return dict.fromkeys(model.model_fields)


def _nearest(name: str, known: Mapping[str, Any]) -> str:
    close = difflib.get_close_matches(name, list(known), n=1)
    if close:
        return f"; did you mean '{close[0]}'?"
    return f"; known: {', '.join(sorted(known))}" if known else ""
