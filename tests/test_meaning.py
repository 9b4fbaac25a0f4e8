"""What of a configuration decides a training: all that its model and losses read, nothing else."""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pytest
import torch
from every import EXPERIMENTS, built, each, experiment_of, terms
from torch import Tensor

from tips.build import build_criterion, build_model
from tips.config import Experiment
from tips.config.parts import Part

Key = tuple[str, ...]
# Of every training, whatever its model: these say what the data and the steps are.
SHARED = ("title", "window", "crop", "augmentation", "training")


def leaves(part: Part, above: Key = ()) -> Iterator[Key]:
    """Every key of the configuration that holds a plain value, as the way to it."""
    for name, value in part:
        if isinstance(value, Part):
            yield from leaves(value, (*above, name))
        else:
            yield (*above, name)


def at(part: Any, key: Key) -> Any:
    for name in key:
        part = getattr(part, name)
    return part


def replaced(part: Any, key: Key, value: Any) -> Any:
    """The configuration with another value at a key; what it was is checked by nobody."""
    first, *rest = key
    inner = replaced(getattr(part, first), tuple(rest), value) if rest else value
    if first in type(part).model_fields:
        return part.model_copy(update={first: inner})
    copied = part.model_copy()  # a loss of tips/losses/, which is no field of its own
    copied.__pydantic_extra__ = {**part.__pydantic_extra__, first: inner}
    return copied


def other(part: Any, key: Key) -> Any:
    """Another value of a key, of the same kind."""
    *above, name = key
    holder, value = at(part, tuple(above)), at(part, key)
    field = type(holder).model_fields.get(name)
    if field is not None and get_origin(field.annotation) is Literal:
        return next((one for one in get_args(field.annotation) if one != value), value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value + 1
    return (*value, "other") if isinstance(value, tuple) else f"{value}-other"


def means(experiment: Experiment, key: Key) -> bool:
    """Whether a key decides a training: another value is another meaning."""
    return replaced(experiment, key, other(experiment, key)).meaning() != experiment.meaning()


@contextmanager
def watched(experiment: Experiment, monkeypatch: pytest.MonkeyPatch) -> Iterator[set[Key]]:
    """Notes the keys of an experiment that are read, by whatever asks for them."""
    places: dict[int, Key] = {id(experiment): ()}

    def find(part: Part, above: Key) -> None:
        for name, value in part:
            if isinstance(value, Part):
                places[id(value)] = (*above, name)
                find(value, (*above, name))

    find(experiment, ())
    read: set[Key] = set()

    def note(self: Part, name: str) -> Any:
        place = places.get(id(self))
        if place is not None:
            read.add((*place, name))
        return object.__getattribute__(self, name)

    with monkeypatch.context() as patch:
        patch.setattr(Part, "__getattribute__", note, raising=False)
        yield read


@each
def test_a_key_that_nothing_reads_retrains_nothing(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment = experiment_of(file)
    with watched(experiment, monkeypatch) as read, torch.device("meta"):
        build_criterion(experiment, build_model(experiment, experiment.groups()))
    # `losses` by the next test: weights are multiplied out. Stage one's checkpoint is its stage's.
    own = [key for key in leaves(experiment) if key[0] not in (*SHARED, "losses")]
    said = [key for key in own if at(experiment, key) is not None]
    told = {key for key in said if means(experiment, key)} - {("backbone", "weights")}
    # The sizes of a published network are handed to timm as a whole.
    sizes = {key for key in told if key[:2] == ("backbone", "arch")}
    assert sorted(told - read - sizes) == []
    assert {key for key in told if key[0] == "backbone"} - {("backbone", "kind")}


@each
def test_a_key_without_meaning_changes_no_weight_and_no_loss(file: Path) -> None:
    experiment, model, _, target = built(file)
    idle = [key for key in leaves(experiment) if not means(experiment, key)]
    changed = experiment
    for key in idle:
        changed = replaced(changed, key, other(experiment, key))
    assert changed.meaning() == experiment.meaning()
    assert changed.title != experiment.title
    torch.manual_seed(0)
    same = build_model(changed, changed.groups())
    assert equal(same.state_dict(), model.state_dict())
    found = []
    for one, network in ((experiment, model), (changed, same)):
        torch.manual_seed(1)
        network = copy.deepcopy(network).train()  # TDMI's own record is there in training alone
        criterion = build_criterion(one, network)
        with torch.no_grad():
            found.append(terms(file, network, criterion, target) | criterion.state_dict())
    assert equal(*found)


def equal(one: dict[str, Tensor], two: dict[str, Tensor]) -> bool:
    return one.keys() == two.keys() and all(torch.equal(one[name], two[name]) for name in one)


@each
def test_what_is_absent_has_no_meaning(file: Path) -> None:
    """Null parts, terms of weight 0 and an estimator of terms that are not built."""
    experiment, model, _, _ = built(file)
    meaning = experiment.meaning()
    absent = {name for name, value in experiment if value is None}
    assert not absent & meaning.keys()
    assert meaning["losses"] == experiment.weights
    usual = kinds_of_terms(experiment, model)
    for key in type(experiment.losses).model_fields:
        if isinstance(at(experiment, ("losses", key)), str):
            way = ("losses", key)
            changed = replaced(experiment, way, other(experiment, way))
            assert (kinds_of_terms(changed, model) != usual) == (key in meaning), key


def kinds_of_terms(experiment: Experiment, model: Any) -> dict[str, type]:
    criterion = build_criterion(experiment, model)
    return {name: type(term) for name, term in criterion.losses.items()}


def test_a_weight_that_another_one_switches_off_has_no_meaning() -> None:
    experiment = experiment_of(EXPERIMENTS / "tips.yaml")
    off = replaced(experiment, ("losses", "information"), 0.0)
    assert not off.weights.keys() & {"variety", "complement", "redundancy"}
    for key in ("variety", "complement", "redundancy", "estimator", "red_level"):
        assert means(experiment, ("losses", key))
        assert not means(off, ("losses", key)), key
