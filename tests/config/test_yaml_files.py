"""Reading a YAML file ends, runs nothing, and gives keys and values or one line."""

import os
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tips.config import ConfigError
from tips.config.layers import LEVELS, layered, read_yaml

BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{b}: &{b} [{', '.join(['*' + a] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)
CHAIN = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}]\n" for n in range(1, 3000))
BEYOND = 2**63
PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-BEYOND, BEYOND)
    | st.floats(allow_nan=False)
    | st.text(),
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
        (
            "a: !!python/object/apply:os.system [touch PWNED]",
            "cannot be used in line 1, column 4 (remove it",
        ),
        ("a: !!python/name:os.system", "cannot be used in line 1, column 4 (remove it"),
        ("a: !!binary aGk=", "cannot be used in line 1, column 4 (remove it"),
        ("a: !!timestamp 2026-99-99", "cannot be used in line 1, column 4 (remove it"),
        ("a: !!set {b}", "cannot be used in line 1, column 4 (remove it"),
        ("a: !mine 3", "cannot be used in line 1, column 4 (remove it"),
        ("a: &a [*a]", "a value holds itself by an alias"),
        ("a: &a {b: *a}", "a value holds itself by an alias"),
        ("a: *b", "undefined alias"),
        (BOMB, "more than 100000 values, aliases written out"),
        (CHAIN, "more than 40 values are nested in each other"),
        ("a: " + "[" * 100_000, ""),
        ("a: " + "[" * 60 + "]" * 60, "more than 40 values are nested in each other"),
        ("a: !!bool zz", "the tag 'tag:yaml.org,2002:bool' cannot be used in line 1, column 4"),
        ("a: !!int zz", "the tag 'tag:yaml.org,2002:int' cannot be used"),
        ("a: 1\nb: {c: !!float zz}", "cannot be used in line 2, column 8"),
        ("a: !!null zz", "cannot be used"),
        ("a: !!str 5", "(remove it, and put a value in quotes if it is text)"),
        ("a: ! 5", "the tag '!' cannot be used"),
        ("a: !<tag:yaml.org,2002:bool> zz", "cannot be used"),
        ("a: !!seq [1]", "cannot be used"),
        ("!!map {a: 1}", "cannot be used"),
        ("!!bool zz: 1", "cannot be used"),
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


@pytest.mark.parametrize("of", [lambda more: BEYOND + more, lambda more: -BEYOND - more])
@pytest.mark.parametrize("more", [1, 10**20, 10**5000], ids=["1", "20 digits", "5000 digits"])
def test_an_integer_beyond_all_use_is_a_line(
    tmp_path: Path, of: Callable[[int], int], more: int
) -> None:
    path = tmp_path / "a.yaml"
    digits = f"{Decimal(of(more)):f}"
    for text, place in ((digits, "line 2, column 4"), (f"[1, {digits}]", "line 2, column 8")):
        path.write_text(f"a: 1\nb: {text}\n")
        assert refusal(path) == (
            f"{path}: not YAML: '{digits[:40]}' is a number beyond 2^63 in {place} (write a "
            "smaller one, or put it in quotes if it is text)"
        )
    path.write_text(f"b: '{digits}'\n")
    assert read_yaml(path) == {"b": digits}


NATURAL = st.integers(1, 2**40) | st.integers(2**70, 2**80) | st.just(2**20_000)
SPELLINGS = st.one_of(
    NATURAL.map(hex),
    NATURAL.map(bin),
    NATURAL.map(lambda number: f"0{number:o}"),
    st.integers(1000, 2**40).map(lambda number: f"{number:_}"),
    st.integers(1000, 2**40).map(lambda number: f"{number:_}.5"),
    st.tuples(st.integers(1, 99), st.lists(st.integers(0, 59), min_size=1, max_size=900)).map(
        lambda parts: ":".join(map(str, (parts[0], *parts[1])))
    ),
    st.just("1" + ":59" * 3000),
    st.sampled_from(["00", "1:40", "1:30.5", "1_0", "1_", "1_.5", ".5_", "0b1", "0x_F", "0777"]),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(SPELLINGS, st.sampled_from(["", "-", "+"]), st.sampled_from(["{}", "[a, {}]", "{{a: {}}}"]))
def test_a_number_is_written_in_decimal_digits(
    tmp_path: Path, digits: str, sign: str, around: str
) -> None:
    """YAML 1.1 would take 0777 for 511, and 1:40 for 100."""
    path = tmp_path / "a.yaml"
    text = digits if digits.startswith(".") else sign + digits
    path.write_text(f"k: {around.format(text)}\n")
    assert f"'{text[:40]}' is a number, but not in decimal digits alone in line 1" in refusal(path)
    path.write_text(f"k: '{text}'\n")
    assert read_yaml(path) == {"k": text}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *(("0", 0), ("-0", 0), ("+7", 7), ("-12", -12), (str(BEYOND), BEYOND)),
        *((".5", 0.5), ("-0.5", -0.5), ("2.0e-3", 0.002), ("1e-3", "1e-3"), ("08", "08")),
        *((".inf", float("inf")), ("12:99", "12:99"), ("2026-01-31", "2026-01-31")),
    ],
)
def test_what_is_written_in_decimal_digits_is_read(tmp_path: Path, text: str, value: Any) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(f"k: {text}\n")
    found = read_yaml(path)["k"]
    assert (found, type(found)) == (value, type(value))


def test_every_committed_file_keeps_to_that() -> None:
    files = list((Path(__file__).parents[2] / "experiments").rglob("*.yaml"))
    assert len(files) > 50
    assert all(map(read_yaml, files))


def chain(folder: Path, count: int) -> list[Path]:
    """Files that each extend the next, the last one none."""
    files = [folder / f"c{number}.yaml" for number in range(count)]
    for number, file in enumerate(files):
        more = f"extends: c{number + 1}.yaml\n" if number + 1 < count else "last: true\n"
        file.write_text(f"own: {number}\nk{number}: 1\n{more}")
    return files


@pytest.mark.parametrize("count", [1, 2, 10, 11, 12, 1500])
def test_few_files_may_follow_each_other(tmp_path: Path, count: int) -> None:
    first = chain(tmp_path, count)[0]
    if count <= LEVELS + 1:  # the file itself, and ten below it
        assert layered(first) == {"own": 0, "last": True} | {f"k{n}": 1 for n in range(count)}
        return
    with pytest.raises(ConfigError) as refused:
        layered(first)
    assert str(refused.value) == (
        f"{first}: extends: more than 10 files follow each other; extend a later one"
    )


@pytest.mark.parametrize("count", [1, 2, 3, 9])
def test_files_that_extend_each_other_in_a_circle(tmp_path: Path, count: int) -> None:
    files = chain(tmp_path, count)
    files[-1].write_text("extends: c0.yaml\n")
    with pytest.raises(ConfigError, match=r"extends: c0\.yaml extends this file in turn"):
        layered(files[0])


STEPS = st.lists(st.sampled_from(["..", ".", "a", "experiments", "scales"]), max_size=5)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(STEPS, st.booleans(), st.sampled_from(["a", "scales"]))
def test_extends_stays_in_the_folder(
    tmp_path: Path, steps: list[str], absolute: bool, own: str
) -> None:
    folder = tmp_path / "experiments"
    for place in (tmp_path, folder, folder / "a", folder / "scales", tmp_path / "a"):
        place.mkdir(exist_ok=True)
        (place / "base.yaml").write_text("b: 1\n")
    path = folder / own / "mine.yaml"
    name = "/".join([*([str(tmp_path)] if absolute else []), *steps, "base.yaml"])
    path.write_text(yaml.safe_dump({"extends": name}))
    target = path.parent / name
    inside = Path(os.path.normpath(target)).is_relative_to(folder)
    if inside and target.is_file():
        assert layered(path, folder) == layered(path) == {"b": 1}
        return
    says = "no file" if inside else f"lies outside of {folder}; copy it into that folder"
    with pytest.raises(ConfigError, match=rf"mine\.yaml: extends: .*{says}"):
        layered(path, folder)


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
