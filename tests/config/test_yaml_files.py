"""Reading a YAML file ends, runs nothing, and gives keys and values or one line."""

import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tips.config import ConfigError
from tips.config.layers import layered, read_yaml

BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{b}: &{b} [{', '.join(['*' + a] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)
CHAIN = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}]\n" for n in range(1, 3000))
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=15,
)


def refusal(path: Path) -> str:
    with pytest.raises(ConfigError) as refused:
        read_yaml(path)
    message = str(refused.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: !!python/object/apply:os.system [touch PWNED]", "could not determine a constructor"),
        ("a: !!python/name:os.system", "could not determine a constructor"),
        ("a: !!binary aGk=", "could not determine a constructor"),
        ("a: !!timestamp 2026-99-99", "could not determine a constructor"),
        ("a: !!set {b}", "could not determine a constructor"),
        ("a: !mine 3", "could not determine a constructor"),
        ("a: &a [*a]", "a value holds itself by an alias"),
        ("a: &a {b: *a}", "a value holds itself by an alias"),
        ("a: *b", "undefined alias"),
        (BOMB, "more than 100000 values, aliases written out"),
        (CHAIN, "more than 40 values are nested in each other"),
        ("a: " + "[" * 100_000, ""),
        ("a: " + "[" * 60 + "]" * 60, "more than 40 values are nested in each other"),
        ("a: " + "9" * 5000, "Exceeds the limit"),
        ("? [1, 2]\n: 3", "a key must be one word"),
        ("a: 1\nb: 2\n\na: 3", "line 4"),
        ("a: 1\n---\nb: 2", "expected a single document"),
        ("a: \x00", "not YAML"),
        ("42", "must hold keys and values; got int"),
    ],
)
def test_what_is_no_plain_yaml(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(text, encoding="utf-8")
    assert says in refusal(path)
    assert not Path("PWNED").exists()


def test_what_is_no_file(tmp_path: Path) -> None:
    folder, pipe, loop, large = (tmp_path / f"{n}.yaml" for n in range(4))
    folder.mkdir()
    os.mkfifo(pipe)
    large.write_text("a: 1\n" + "# long\n" * 200_000)
    for path in (folder, pipe, Path("/dev/zero")):
        assert "is no file" in refusal(path)
    assert "a YAML file has at most 1000000" in refusal(large)
    loop.symlink_to(loop)
    assert "Too many levels of symbolic links" in refusal(loop)
    for name in ("/dev/zero", "3.yaml/x.yaml", "x" * 5000 + ".yaml", "a\0.yaml", 3, [], None, ""):
        path = tmp_path / "own.yaml"
        path.write_text(yaml.safe_dump({"extends": name} if name is not None else {"extends": {}}))
        with pytest.raises(ConfigError, match="extends: ") as refused:
            layered(path)
        assert len(str(refused.value)) < 500


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_a_byte_order_mark_is_no_part_of_a_key(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("a: 1\n", encoding=encoding)
    assert read_yaml(path) == {"a": 1}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.text(), PLAIN, max_size=5))
def test_plain_values_are_read_as_they_are(tmp_path: Path, value: dict[str, Any]) -> None:
    path = tmp_path / "a.yaml"
    text = yaml.safe_dump(value, allow_unicode=True)
    path.write_text(text, encoding="utf-8")
    assert read_yaml(path) == yaml.safe_load(text)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(st.binary(max_size=60) | st.text("-:{}[]&*!|>%@`'\"#,? \n\ta0", max_size=60).map(str.encode))
def test_any_bytes_give_keys_and_values_or_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.yaml"
    path.write_bytes(content)
    try:
        found = read_yaml(path)
    except ConfigError:
        return
    assert isinstance(found, dict)
