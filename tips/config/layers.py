"""YAML files as layers: one file is laid over the file that it extends.

Whatever a file holds, reading it runs nothing and ends: with keys and values, or with one line.
"""

import os
import re
import stat
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import yaml

BYTES: Final = 1_000_000  # of a file
DEPTH: Final = 40  # of values in values
VALUES: Final = 100_000  # of a file, after its aliases are written out
LEVELS: Final = 10  # of files that extend each other
INTEGER: Final = 2**63  # magnitude of an integer; thousands of digits cannot even be shown
_DECIMAL: Final = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_QUOTES: Final = "in quotes if it is text"


class ConfigError(ValueError):
    """An unusable configuration; the message names file, key, rule and remedy."""


def overlay(base: Mapping[str, Any], top: Mapping[str, Any]) -> dict[str, Any]:
    """Lays `top` over `base`: mappings merge, anything else is replaced; null removes a part."""
    merged = dict(base)
    for key, value in top.items():
        below = merged.get(key)
        if isinstance(value, Mapping) and isinstance(below, Mapping):
            merged[key] = overlay(below, value)
        else:
            merged[key] = value
    return merged


def layered(
    path: Path,
    experiments: Path | None = None,
    read: Callable[[Path], Mapping[str, Any]] | None = None,
) -> dict[str, Any]:
    """Reads a file and lays it over the one that its `extends` names, and so on.

    Args:
        path: the file.
        experiments: the folder that no `extends` leaves; None: the one above the file's own.
        read: reads one file; None: `read_yaml`.

    Raises:
        ConfigError: if a file is missing or malformed, if files extend each other in a circle, or
            if there are too many of them.
    """
    layers: list[dict[str, Any]] = []
    above: list[Path] = []
    file = path
    while True:
        own = dict((read or read_yaml)(file))
        name = own.pop("extends", None)
        layers.append(own)
        if name is None:
            break
        above.append(file.resolve())
        parent = extended(file, name, experiments)
        if parent.resolve() in above:
            raise ConfigError(f"{file}: extends: {name} extends this file in turn")
        if len(layers) > LEVELS:
            raise ConfigError(
                f"{path}: extends: more than {LEVELS} files follow each other; extend a later one"
            )
        file = parent
    merged: dict[str, Any] = {}
    for layer in reversed(layers):
        merged = overlay(merged, layer)
    return merged


def extended(path: Path, name: object, experiments: Path | None = None) -> Path:
    """Gives the file that `extends` names in another file.

    Args:
        path: the file that holds the `extends`.
        name: its value.
        experiments: the folder that it must not leave; None: the one above the file's own.

    Raises:
        ConfigError: if it names no file, or one outside of the folder.
    """
    if not isinstance(name, str) or not name.endswith(".yaml"):
        raise ConfigError(f"{path}: extends: must name a file *.yaml; got {str(name)[:80]!r}")
    parent = path.parent / name
    # By their names: whoever puts a link into the folder wants what it leads to.
    folder = os.path.abspath(path.parent.absolute().parent if experiments is None else experiments)
    if not Path(os.path.abspath(parent)).is_relative_to(folder):
        raise ConfigError(
            f"{path}: extends: {name[:200]!r} lies outside of {folder}; copy it into that folder"
        )
    try:
        found = parent.is_file()
    except (OSError, ValueError):  # a name that is too long, or that holds a null character
        found = False
    if not found:
        raise ConfigError(f"{path}: extends: no file {name[:200]!r}")
    return parent


def read_yaml(path: Path) -> dict[str, Any]:
    """Reads one file of keys and values. Raises ConfigError if it is missing or malformed."""
    content = _bytes(path)
    try:
        value = _parsed(str(content, "utf-8-sig"))
    except (yaml.YAMLError, ValueError) as error:
        why = str(error).replace('in "<unicode string>", ', "in ")
        raise ConfigError(f"{path}: not YAML: {' '.join(why.split())[:300]}") from error
    if not isinstance(value, dict):
        raise ConfigError(f"{path}: must hold keys and values; got {type(value).__name__}")
    return value


def _bytes(path: Path) -> bytes:
    """Reads a file; nothing else than a file of a sensible size is even opened."""
    try:
        status = path.stat()
    except FileNotFoundError as error:
        raise ConfigError(f"{path}: no such file") from error
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}; mend or remove it") from error
    if not stat.S_ISREG(status.st_mode):
        raise ConfigError(f"{path}: is no file; remove it, or give it another name than *.yaml")
    if status.st_size > BYTES:
        raise ConfigError(f"{path}: {status.st_size} bytes; a YAML file has at most {BYTES}")
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}; make it accessible") from error


def _parsed(text: str) -> Any:
    _check_events(text)
    loader = _Plain(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        _measure(node, {}, 0)
        return loader.construct_document(node)
    finally:
        loader.dispose()


def _check_events(text: str) -> None:
    """Refuses event by event what must not reach the composer.

    Deep nesting would overflow its stack and crash it. A tag would have a value read as what it
    does not look like, and afterwards nothing tells that it was there.
    """
    depth = 0
    for event in yaml.parse(text, yaml.CSafeLoader):
        tag = getattr(event, "tag", None)
        if tag is not None:
            said = f"the tag {tag[:40]!r} cannot be used"
            raise _refusal(said, event, f"remove it, and put a value {_QUOTES}")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > DEPTH:
            raise _refusal(f"more than {DEPTH} values are nested in each other", event)


class _Extent(NamedTuple):
    """The number of values in a value, itself too, and how deeply they are nested."""

    values: int
    depth: int


def _measure(node: yaml.Node, known: dict[int, _Extent | None], around: int) -> _Extent:
    """Measures a value with its aliases written out; refuses what is too large or never ends.

    Args:
        node: the value.
        known: what was measured so far; None while a value is being measured.
        around: the number of values around it.

    Raises:
        yaml.constructor.ConstructorError: too many values, nested too deeply, or in themselves.
    """
    if around > DEPTH:
        raise _refusal(f"more than {DEPTH} values are nested in each other", node)
    if id(node) in known:
        extent = known[id(node)]
        if extent is None:
            raise _refusal("a value holds itself by an alias", node)
        if around + extent.depth > DEPTH:
            raise _refusal(f"more than {DEPTH} values are nested in each other", node)
        return extent
    known[id(node)] = None
    inner = [_measure(one, known, around + 1) for one in _inner(node)]
    values = 1 + sum(one.values for one in inner)
    if values > VALUES:
        raise _refusal(f"more than {VALUES} values, aliases written out", node)
    extent = _Extent(values, 1 + max((one.depth for one in inner), default=0))
    known[id(node)] = extent
    return extent


def _inner(node: yaml.Node) -> Iterator[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield key
            yield value
    elif isinstance(node, yaml.SequenceNode):
        yield from node.value


def _refusal(
    problem: str, node: yaml.Node | yaml.Event, remedy: str = ""
) -> yaml.constructor.ConstructorError:
    mark: Any = node.start_mark
    note = f"({remedy})" if remedy else None  # stands behind the line's number
    return yaml.constructor.ConstructorError(None, None, problem, mark, note)


class _Plain(yaml.CSafeLoader):
    """Reads plain values alone, and refuses a key that is given twice.

    YAML itself would silently keep the second key. Dates stay text, until a key asks for one.
    """

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self._merged: set[int] = set()

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        """Copies what `<<` names into a mapping. Raises yaml.constructor.ConstructorError."""
        if id(node) in self._merged:  # a second call would find overridden keys twice
            return
        self._merged.add(id(node))
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise _refusal("a key must be one word", key)
            if key.value in seen:
                raise _refusal(f"key '{key.value}' is given twice; remove one", key)
            seen.add(key.value)
        super().flatten_mapping(node)


def _not_decimal(node: yaml.ScalarNode) -> yaml.constructor.ConstructorError:
    said = f"'{node.value[:40]}' is a number, but not in decimal digits alone"
    return _refusal(said, node, f"write it so, or put it {_QUOTES}")


def _integer(loader: _Plain, node: yaml.ScalarNode) -> int:
    """Reads an integer as everybody does; YAML 1.1 takes 0777 for 511, and 1:40 for 100."""
    if not _DECIMAL.fullmatch(node.value):
        raise _not_decimal(node)
    # Python refuses to read thousands of digits.
    if len(node.value) > len(str(INTEGER)) + 1 or abs(int(node.value)) > INTEGER:
        said = f"'{node.value[:40]}' is a number beyond 2^63"
        raise _refusal(said, node, f"write a smaller one, or put it {_QUOTES}")
    return int(node.value)


def _fraction(loader: _Plain, node: yaml.ScalarNode) -> float:
    """Reads a number with a point; YAML 1.1 takes 1:30.5 for 90.5, and skips underscores."""
    if ":" in node.value or "_" in node.value:
        raise _not_decimal(node)
    return float(loader.construct_yaml_float(node))


_PLAIN: Final = ("null", "bool", "int", "float", "str", "seq", "map", "merge")
_Plain.yaml_constructors = {
    tag: make
    for tag, make in yaml.CSafeLoader.yaml_constructors.items()
    if tag is None or tag.rpartition(":")[2] in _PLAIN
}
_Plain.add_constructor("tag:yaml.org,2002:int", _integer)
_Plain.add_constructor("tag:yaml.org,2002:float", _fraction)
_Plain.yaml_implicit_resolvers = {
    first: [(tag, rule) for tag, rule in rules if tag.rpartition(":")[2] in _PLAIN]
    for first, rules in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}
