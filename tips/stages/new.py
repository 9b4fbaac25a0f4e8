"""Writes the YAML file of a variant of the user's own, with hints what may be changed in it."""

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, Literal, get_args, get_origin

import yaml

from tips import kinds
from tips.config import (
    FULL,
    MEAN_POSE,
    NOWHERE,
    ConfigError,
    Experiment,
    Scale,
    load_experiment,
    load_scale,
    needs_root,
)
from tips.config.asked import Asked, Expected
from tips.config.guests import FOLDER as GUESTS
from tips.config.loader import read_asked, variant_files
from tips.config.names import as_name
from tips.config.parts import Part, family_of
from tips.records import atomic
from tips.safe_text import visible
from tips.tables.published import MARGIN

EXPERIMENTS: Final = Path("experiments")
FOLDER: Final = EXPERIMENTS / "own"
LONGEST: Final = 200  # characters of a title
WIDE: Final = 1_000_000  # characters of a line, so that no value is broken into two


def run(name: str, parent: str = FULL, title: str = "", scale: str = "desk") -> None:
    """Writes experiments/own/NAME.yaml: what it extends, a title, and as comments what may differ.

    The hints are the settings of the variant that it extends, with their values at the scale.

    Args:
        name: Names the variant.
        parent: Names the variant that it extends.
        title: Says in words what the variant is; empty takes the name.
        scale: Takes the values of this scale, a file of experiments/scales.

    Raises:
        ConfigError: the name breaks the rule or is taken, there is no such parent or scale, or the
            title is not one line.
    """
    known = variant_files(EXPERIMENTS)
    if parent not in known:
        raise ConfigError(f"--from: no variant '{visible(parent)}'{kinds.nearest(parent, known)}")
    file, extended = _new_file(name, known), known[parent]
    chosen = load_scale(scale, EXPERIMENTS, NOWHERE if needs_root(scale, EXPERIMENTS) else None)
    experiment = load_experiment(extended, chosen, EXPERIMENTS)
    lines = [
        "# yaml-language-server: $schema=../schemas/experiment.json",
        f"extends: {os.path.relpath(extended, FOLDER)}",
        f"title: {_flow(_judged(title or name))}",
        "",
        *_commented(_about_the_study(parent, extended, chosen)),
        "",
        *_commented(_about_the_training(parent, experiment, scale)),
    ]
    with atomic(file) as stream:
        stream.write("\n".join(lines) + "\n")
    shown = "" if scale == "desk" else f" SCALE={scale}"
    print(f"{file}: remove the # of what shall differ from {parent}, then `make reproduce{shown}`")


def _new_file(name: str, known: Iterable[str]) -> Path:
    """Names the file of a new variant; nothing is there yet, and no variant is called so."""
    as_name(name, "NAME", "give another one")
    taken = {one.casefold(): one for one in (MEAN_POSE, *known)}
    other = taken.get(name.casefold())
    if other is not None:
        differ = "" if other == name else ", and names must differ in more than case"
        raise ConfigError(
            f"NAME: a variant named '{other}' exists already{differ}; give another name"
        )
    guests = {one.stem.casefold(): one for one in (EXPERIMENTS / GUESTS).glob("[!.]*.yaml")}
    if name.casefold() in guests:
        raise ConfigError(
            f"NAME: {guests[name.casefold()]} is a guest of that name, and results of both would "
            "have one name; give another name"
        )
    file = FOLDER / f"{name}.yaml"
    for place in (EXPERIMENTS, FOLDER, file):
        if place.is_symlink():
            raise ConfigError(f"{place}: is a link; put the folder itself there")
    if file.exists():
        raise ConfigError(f"{file}: exists already; give another name")
    return file


def _judged(title: str) -> str:
    if len(title) > LONGEST or visible(title) != title or not title.strip():
        raise ConfigError(
            f"--title: must be one line of 1 to {LONGEST} visible characters; "
            f"got '{visible(title[:40])}'"
        )
    return title


def _about_the_study(parent: str, file: Path, scale: Scale) -> Iterator[str]:
    """Yields the keys that no training reads, with what they are when they are not given."""
    seeds = read_asked(file).seeds or scale.seeds.default
    usual = {
        "seeds": scale.seeds.more.get(parent, seeds),
        "compare": [parent],
        "expect": get_args(Expected)[0],
        "margin": float(MARGIN),
    }
    yield "What the report shall say of it. A change of these keys trains nothing again."
    for key, field in Asked.model_fields.items():
        words = " | ".join(get_args(Expected)) if key == "expect" else field.description
        yield f"{key}: {_flow(usual[key])}   # {words}"


def _about_the_training(parent: str, experiment: Experiment, scale: str) -> Iterator[str]:
    """Yields the settings of a training, with the values of the variant that is extended."""
    yield f"What may differ from {parent}, with its values at scale {scale}."
    yield from _settings(experiment, "", tuple(kinds.homes(kinds.MODEL)))


def _settings(part: Part, indent: str, of_kind: Sequence[str]) -> Iterator[str]:
    """Yields the keys of a part; `of_kind` are the kinds that may take its place."""
    plain = part.model_dump(mode="json")
    for key, value in part:
        family = family_of(type(part), key)
        if isinstance(value, Part):
            yield f"{indent}{key}:"
            yield from _settings(
                value, f"{indent}  ", () if family is None else [*kinds.homes(family)]
            )
        elif key in ("kind", "model"):
            yield f"{indent}{key}: {value}{_choice(of_kind)}"
        elif key != "title":
            yield f"{indent}{key}: {_flow(plain[key])}{_choice(choices(type(part), key))}"


def choices(part: type[Part], key: str) -> tuple[str, ...]:
    """Lists the words that a key may have as its value; empty if it may have others."""
    field = part.model_fields.get(key)
    if field is None or get_origin(field.annotation) is not Literal:
        return ()
    return tuple(map(str, get_args(field.annotation)))


def _choice(known: Sequence[str]) -> str:
    return f"   # {' | '.join(known)}" if len(known) > 1 else ""


def _flow(value: Any) -> str:
    """Writes a value in one line of YAML."""
    text = yaml.safe_dump(value, default_flow_style=True, width=WIDE, sort_keys=False)
    return str(text).removesuffix("\n").removesuffix("\n...")


def _commented(lines: Iterator[str]) -> Iterator[str]:
    return (f"# {line}" for line in lines)
