"""The table of kinds: all models, backbones, encoders, losses and interim generators.

The table is the folders themselves. A kind is a folder with a file `settings.py`, which imports no
torch. The code that computes lies beside it (`network.py`, `losses.py`, `generator.py`) and is
imported only if that kind is used. A loss that any model may weigh is one file of `tips/losses/`.
So a new kind is a new folder, and no other code has to know of it.
"""

import difflib
import importlib
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, Final, NamedTuple

PACKAGE: Final = Path(__file__).parent
SETTINGS: Final = "settings"


class Family(NamedTuple):
    """Kinds of which one can replace another."""

    name: str  # what messages call one of them
    folders: tuple[str, ...]  # folders below tips/, each with one folder per kind


MODEL: Final = Family("model", ("models", "models/baselines"))
BACKBONE: Final = Family("backbone", ("models/backbones",))
ENCODER: Final = Family("encoder", ("models/encoders",))
INTERIM: Final = Family("interim generator", ("interim",))
FAMILIES: Final = (MODEL, BACKBONE, ENCODER, INTERIM)
LOSSES: Final = "losses"  # folder of the terms that any model may weigh


@cache
def homes(family: Family) -> dict[str, str]:
    """Finds a family's kinds: name -> package, such as `tips.models.baselines.dcpose`."""
    found = {}
    for folder in family.folders:
        for file in (PACKAGE / folder).glob(f"*/{SETTINGS}.py"):
            parts = file.parent.relative_to(PACKAGE).parts
            found[file.parent.name] = ".".join(("tips", *parts))
    return dict(sorted(found.items()))


@cache
def losses() -> dict[str, str]:
    """Finds the loss terms that any model may weigh: name -> module."""
    files = sorted((PACKAGE / LOSSES).glob("[!_]*.py"))
    return {file.stem: f"tips.{LOSSES}.{file.stem}" for file in files}


def settings(family: Family, kind: str) -> Any:
    """Loads the class `Settings` of a kind. Raises ValueError, which names the nearest kind."""
    known = homes(family)
    if kind not in known:
        raise ValueError(f"unknown {family.name} '{kind}'{nearest(kind, known)}")
    return importlib.import_module(f"{known[kind]}.{SETTINGS}").Settings


def load(family: Family, kind: str, part: str) -> ModuleType:
    """Loads one module of a kind.

    Args:
        family: the kind's family.
        kind: name of the kind.
        part: name of the module, such as `network`.
    """
    return importlib.import_module(f"{homes(family)[kind]}.{part}")


def parts(family: Family, kind: str) -> list[str]:
    """Lists the modules of a kind's folder; all of them belong to what is built from it."""
    package = homes(family)[kind]
    folder = PACKAGE.joinpath(*package.split(".")[1:])
    return [f"{package}.{file.stem}" for file in sorted(folder.glob("[!_]*.py"))]


def nearest(name: str, known: Iterable[str]) -> str:
    """Gives the end of a message about an unknown name: the nearest known one, else all."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1)
    if close:
        return f"; did you mean '{close[0]}'?"
    return f"; known: {', '.join(names)}" if names else ""
