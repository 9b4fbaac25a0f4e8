"""The table of kinds: found by itself, light to ask, and no kind knows its siblings."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from studies import study_of

from tips import code, kinds
from tips.config import Experiment, Scale, load_experiment, load_scale
from tips.config.loader import experiment_files
from tips.config.parts import Part, family_of
from tips.kinds import FAMILIES, Family

ROOT = Path(__file__).parents[1]
EXPERIMENTS = ROOT / "experiments"
KINDS = [(family, kind) for family in FAMILIES for kind in kinds.homes(family)]
every_kind = pytest.mark.parametrize(
    ("family", "kind"), KINDS, ids=[f"{family.name} {kind}" for family, kind in KINDS]
)


def run(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_asking_for_settings_imports_no_torch() -> None:
    modules = [f"{kinds.homes(family)[kind]}.{kinds.SETTINGS}" for family, kind in KINDS]
    lines = ["import importlib, sys"]
    for name in ("tips.kinds", "tips.config", *modules):
        lines.append(f"importlib.import_module({name!r})")
        lines.append(f"assert 'torch' not in sys.modules, {name!r}")
    run("\n".join(lines))


def others(family: Family, kind: str) -> set[str]:
    """Packages of all other kinds, of any family."""
    own = kinds.homes(family)[kind]
    return {home for other in FAMILIES for home in kinds.homes(other).values()} - {own}


def strangers(modules: set[str] | frozenset[str], packages: set[str]) -> set[str]:
    return {one for one in modules for home in packages if f"{one}.".startswith(f"{home}.")}


@every_kind
def test_a_kind_imports_no_other_one(family: Family, kind: str) -> None:
    modules = kinds.parts(family, kind)
    assert f"{kinds.homes(family)[kind]}.{kinds.SETTINGS}" in modules
    assert not strangers(code.modules(*modules), others(family, kind))


def test_python_agrees_that_a_kind_imports_no_other_one() -> None:
    lines = ["import importlib, sys"]
    asked = [(kinds.MODEL, "dcpose"), (kinds.ENCODER, "conv"), (kinds.INTERIM, "average")]
    for family, kind in asked:
        lines += [f"importlib.import_module({part!r})" for part in kinds.parts(family, kind)]
    lines.append("print('\\n'.join(name for name in sys.modules if name.startswith('tips')))")
    found = set(run("\n".join(lines)).split())
    known = {kinds.homes(family)[kind] for family, kind in asked}
    assert known <= found
    assert not strangers(found, others(*asked[0]) - known)


@pytest.mark.parametrize("name", kinds.losses())
def test_a_loss_of_any_model_imports_no_model_and_no_other_loss(name: str) -> None:
    own = kinds.losses()[name]
    found = code.modules(own)
    models = {home for family in FAMILIES for home in kinds.homes(family).values()}
    assert not strangers(found, models | set(kinds.losses().values()) - {own})


def chosen(part: Part) -> Iterator[tuple[Family, str, Any]]:
    """The kinds that a configuration chooses below some part, and their settings."""
    for name, value in part:
        if isinstance(value, Part):
            family = family_of(type(part), name)
            if family is not None:
                yield family, value.kind, value  # type: ignore[attr-defined]
            yield from chosen(value)


def committed() -> tuple[list[Experiment], list[Scale]]:
    scales = [path.stem for path in (EXPERIMENTS / "scales").glob("*.yaml")]
    smoke = load_scale("smoke", EXPERIMENTS)
    read = [load_experiment(path, smoke) for path in experiment_files(EXPERIMENTS)]
    return read, [study_of(name).scale for name in scales]


def test_every_committed_choice_is_a_known_kind_s_settings() -> None:
    """A kind without an experiment is allowed: it is there before its first variant."""
    experiments, scales = committed()
    found = set()
    for e in experiments:
        assert isinstance(e, kinds.settings(kinds.MODEL, e.model))
        found.add((kinds.MODEL, e.model))
        for family, kind, value in chosen(e):
            assert isinstance(value, kinds.settings(family, kind))
            found.add((family, kind))
        found |= {(kinds.INTERIM, e.interim_frames)} - {(kinds.INTERIM, None)}
    for scale in scales:
        found |= {(kinds.INTERIM, kind) for kind in scale.interim}
        assert scale.vfit is None or isinstance(scale.vfit, kinds.settings(kinds.INTERIM, "vfit"))
    assert found <= set(KINDS)
    assert {family for family, _ in found} == set(kinds.FAMILIES)
    weighed = {name for e in experiments for name in e.losses.common}
    assert "heatmap" in weighed <= set(kinds.losses())


@every_kind
def test_a_kind_names_its_modules_and_all_of_them_can_be_asked_for(
    family: Family, kind: str
) -> None:
    folder = ROOT.joinpath(*kinds.homes(family)[kind].split("."))
    assert folder.is_dir()
    files = {path.stem for path in folder.glob("*.py")} - {"__init__"}
    assert {name.rpartition(".")[2] for name in kinds.parts(family, kind)} == files
    assert kinds.load(family, kind, kinds.SETTINGS).Settings is kinds.settings(family, kind)


@every_kind
def test_an_unknown_kind_is_answered_with_the_nearest(family: Family, kind: str) -> None:
    with pytest.raises(ValueError, match=rf"^unknown {family.name} '{kind}x'; did you mean '"):
        kinds.settings(family, f"{kind}x")
    known = ", ".join(kinds.homes(family))
    with pytest.raises(ValueError, match=rf"^unknown {family.name} 'qqq'; known: {known}$"):
        kinds.settings(family, "qqq")


def test_nearest() -> None:
    assert kinds.nearest("dcpos", ["tdmi", "dcpose"]) == "; did you mean 'dcpose'?"
    assert kinds.nearest("qqq", ["b", "a"]) == "; known: a, b"
    assert kinds.nearest("qqq", []) == ""
