"""Names from outside: whatever is accepted means nothing to a shell, a path or an expression."""

import json
import re
import shlex
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tips.config import ConfigError, load_scale, load_study
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
