"""Names from outside: whatever is accepted means nothing to a shell, a path or an expression."""

import json
import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tips.config import MEAN_POSE, ConfigError, load_experiment, load_scale, load_study, loader
from tips.config.layers import read_yaml
from tips.config.names import PATTERN, as_name
from tips.paths import dataset_name
from tips.safe_text import one_line

HOSTILE = (
    "x`touch PWNED`",
    "$(touch PWNED)",
    "a b",
    "tips+ms",
    "-rf",
    ".hidden",
    "a;b",
    "a|b",
    "é",
    "a\nb",
    "{seed}",
    "x" * 65,
    "",
)


@given(st.text(max_size=80))
def test_what_is_accepted_is_one_plain_word(name: str) -> None:
    try:
        as_name(name, "here")
    except ConfigError as error:
        message = str(error)
        assert len(message.splitlines()) == 1
        assert len(message) < 300
        return
    assert shlex.split(name) == [name]
    assert shlex.quote(name) == name
    assert Path(name).parts == (name,)
    assert name not in (".", "..")
    assert re.fullmatch(f"({name})", name), "it finds itself, even if nobody escapes it"


@given(st.from_regex(PATTERN, fullmatch=True))
def test_what_keeps_the_rule_is_accepted(name: str) -> None:
    assert as_name(name, "here") == name


@pytest.mark.parametrize("name", [name for name in HOSTILE if name and "/" not in name])
def test_a_variant_s_file_name_is_judged(experiments: Path, name: str) -> None:
    if name.startswith("."):
        return  # hidden files are an editor's, and are not read
    shutil.copy(experiments / "ablation/window-3.yaml", experiments / "ablation" / f"{name}.yaml")
    with pytest.raises(ConfigError, match="cannot be used: a name has 1 to 64") as refused:
        load_study("smoke", experiments)
    assert one_line(str(refused.value)).isprintable()


@pytest.mark.parametrize("name", [*HOSTILE, "../../evil", "/etc", "a/b", 3, None, ["a"]])
@pytest.mark.parametrize("key", ["name: {}", "dataset: {{name: {}}}"])
def test_a_scale_s_names_are_judged(experiments: Path, name: object, key: str) -> None:
    own = "" if key.startswith("name") else "name: mine\n"
    text = f"extends: smoke.yaml\n{own}{key.format(json.dumps(name))}\n"
    (experiments / "scales/mine.yaml").write_text(text, encoding="utf-8")
    if name is None and own:
        assert dataset_name(load_scale("mine", experiments)) == "embedded"
        return
    with pytest.raises(ConfigError, match="name: "):
        load_scale("mine", experiments)


@pytest.mark.parametrize("asked", ["../scales/smoke", "/etc/passwd", "sm oke", "smoke\n", "é"])
def test_a_scale_is_asked_for_by_its_name(experiments: Path, asked: str) -> None:
    with pytest.raises(ConfigError, match="scale"):
        load_scale(asked, experiments)


@pytest.mark.parametrize("name", [name for name in HOSTILE if name])
def test_the_dataset_s_folder_names_the_results(experiments: Path, name: str) -> None:
    scale = load_scale("clip", experiments, f"/some/{name}")
    with pytest.raises(ConfigError, match=r"or give the scale a `dataset\.name`"):
        dataset_name(scale)


def test_a_copy_of_a_scale_does_not_write_over_it(experiments: Path) -> None:
    shutil.copy(experiments / "scales/desk.yaml", experiments / "scales/mine.yaml")
    with pytest.raises(ConfigError, match=r"mine\.yaml: name: 'desk' is what desk\.yaml calls"):
        load_scale("mine", experiments)
    assert load_scale("desk", experiments).name == "desk"


VARIANT = "extends: ../tips.yaml\ntitle: mine\nblocks: 2\n"


def refused_study(experiments: Path) -> str:
    with pytest.raises(ConfigError) as refused:
        load_study("smoke", experiments)
    return one_line(str(refused.value))


@pytest.mark.parametrize("spelling", [str, str.upper, str.title])
def test_the_row_without_a_network_is_no_variant(
    experiments: Path, spelling: Callable[[str], str]
) -> None:
    path = experiments / "ablation" / f"{spelling(MEAN_POSE)}.yaml"
    path.write_text(VARIANT)
    assert refused_study(experiments) == (
        f"{path}: '{MEAN_POSE}' is the row that is scored without a network; rename the file"
    )


@pytest.mark.parametrize("name", ["TIPS", "Tips", "Window-3", "HRNet"])
def test_variants_differ_in_more_than_case(experiments: Path, name: str) -> None:
    (experiments / "zz").mkdir()
    path = experiments / "zz" / f"{name}.yaml"
    path.write_text(VARIANT)
    assert refused_study(experiments) == (
        f"{path}: a variant named '{name.lower()}' exists already, and names must differ in more "
        "than case; rename the file"
    )


@pytest.mark.parametrize(
    "own", ["name: SMOKE", "name: Smoke\ndataset: {name: embedded}", "dataset: {name: EMBEDDED}"]
)
def test_scales_differ_in_more_than_case(experiments: Path, own: str) -> None:
    smoke = experiments / "scales/smoke.yaml"
    smoke.write_text(smoke.read_text().replace("  name: null", "  name: embedded"))
    (experiments / "scales/mine.yaml").write_text(f"extends: smoke.yaml\n{own}\n")
    with pytest.raises(ConfigError, match=r"name: '\w+' is what smoke\.yaml calls itself"):
        load_scale("mine", experiments)
    assert load_scale("smoke", experiments).name == "smoke"


def test_the_files_of_scales_differ_in_more_than_case(experiments: Path) -> None:
    shutil.copy(experiments / "scales/smoke.yaml", experiments / "scales/Smoke.yaml")
    for name, other in (("smoke", "Smoke"), ("Smoke", "smoke")):
        with pytest.raises(ConfigError) as refused:
            load_scale(name, experiments)
        assert str(refused.value) == (
            f"{experiments}/scales/{name}.yaml: the file's name differs from {other}.yaml in case "
            "alone, and some disks take them for one; rename one of them"
        )
    assert load_scale("desk", experiments).name == "desk"


@pytest.mark.parametrize("name", [name for name in HOSTILE if name])
def test_a_folder_of_variants_is_judged(experiments: Path, name: str) -> None:
    folder = experiments / name
    folder.mkdir()
    assert "mine" not in load_study("smoke", experiments).variants
    (folder / "mine.yaml").write_text(VARIANT)
    if name.startswith("."):  # an editor's
        assert "mine" not in load_study("smoke", experiments).variants
        return
    assert "the folder's name: '" in refused_study(experiments)
    assert "a name has 1 to 64" in refused_study(experiments)


def test_what_a_variant_extends_lies_in_the_folder(experiments: Path) -> None:
    outside = experiments.parent / "outside.yaml"
    shutil.copy(experiments / "tips.yaml", outside)
    mine, full = experiments / "ablation/mine.yaml", experiments / "tips.yaml"
    for path, name in ((mine, "../../outside.yaml"), (mine, outside), (full, "../outside.yaml")):
        before = path.read_text() if path.exists() else ""
        path.write_text(f"extends: {name}\ntitle: mine\n")
        says = f"{path}: extends: '{name}' lies outside of {experiments}; copy it into that folder"
        assert refused_study(experiments) == says
        path.write_text(before)
    mine.write_text(f"extends: {outside}\ntitle: mine\n")
    with pytest.raises(ConfigError, match="lies outside of"):
        load_experiment(mine)
    mine.unlink()
    for name in ("../../outside.yaml", str(outside)):
        (experiments / "scales/mine.yaml").write_text(f"extends: {name}\nname: mine\n")
        with pytest.raises(ConfigError, match="lies outside of"):
            load_scale("mine", experiments)


@pytest.mark.parametrize("scale", ["smoke", "clip"])
@pytest.mark.parametrize("root", ["\0", "people\0/x"])
def test_a_root_without_a_place_is_refused(experiments: Path, scale: str, root: str) -> None:
    with pytest.raises(ConfigError, match=r"--root: '.*' holds a null character; name a folder"):
        load_study(scale, experiments, root)


def test_every_other_scale_is_read_once(experiments: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether a scale has another's name is found out without reading files again and again."""
    scales = experiments / "scales"
    for number in range(300):
        (scales / f"c{number}.yaml").write_text(f"extends: c{number + 1}.yaml\n")
    (scales / "c300.yaml").write_text("extends: smoke.yaml\nname: c300\n")
    (scales / "mine.yaml").write_text("extends: smoke.yaml\nname: other\n")
    files = list(scales.glob("*.yaml"))
    seen: list[Path] = []

    def counted(path: Path) -> dict[str, Any]:
        seen.append(path)
        return read_yaml(path)

    monkeypatch.setattr(loader, "read_yaml", counted)
    assert load_scale("mine", experiments).name == "other"
    assert sorted(seen) == sorted(path for path in files if path.name != "mine.yaml")
    with pytest.raises(ConfigError, match=r"c0\.yaml: extends: more than 10 files follow"):
        load_scale("c0", experiments)
