"""Digests of the code that something really uses, file by file: what a result depends on.

A top-level definition counts if it can be reached by names from the roots. The statements of every
module that is imported on the way count, too, and so do the sources of compiled kernels.
"""

import hashlib
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path

from tips.csource import read_source
from tips.symbols import Package, read_package
from tips.syntax import BODY, Definition, Piece

PACKAGE = Path(__file__).parent
DIGITS = 16
KERNELS = ("cpp", "cu")
Question = tuple[Package, frozenset[str], frozenset[str], frozenset[str]]
REACHED: dict[Question, "_Reach"] = {}  # what was found in the files as they are


def used(
    *roots: str,
    parts: Collection[str] = (),
    beyond: Collection[str] = (),
    kernels: Collection[str] = KERNELS,
    package: Path = PACKAGE,
) -> dict[str, str]:
    """Digests the definitions that some code can reach, file by file.

    Args:
        roots: where the code starts: `tips.stages.train` means all of a module,
            `tips.models.heads:Fusion` one definition.
        parts: modules that are imported by a computed name, which cannot be followed. Of these, the
            definitions count whose names the reached code mentions.
        beyond: modules that are not looked into, because what they return is recorded anyway.
        kernels: endings of the kernels' sources that count: `cpp` for the CPU, `cu` for a card.
        package: folder of the package; the kernels' sources lie beside it, in csrc/.

    Returns:
        Files below the package's folder or in `csrc/`, sorted -> digests of 16 hexadecimal digits.

    Raises:
        ValueError: if a root does not exist.
    """
    reach = _reach(package, roots, parts, beyond)
    files: dict[str, list[tuple[str, str]]] = {}
    for definition, piece, name in reach.pieces():
        file = reach.package.files[definition.module]
        digest = reach.package.digest(definition, piece)
        if digest:
            files.setdefault(file, []).append((name, digest))
    found = {file: _short(map("\0".join, _by_name(parts))) for file, parts in files.items()}
    return dict(sorted((found | _kernels(reach, kernels)).items()))


def fingerprint(*roots: str, beyond: Collection[str] = (), package: Path = PACKAGE) -> str:
    """Computes one sha256 of everything that `used` lists.

    Args:
        roots: as in `used`.
        beyond: as in `used`.
        package: as in `used`.
    """
    return summary(used(*roots, beyond=beyond, package=package))


def summary(files: Mapping[str, str]) -> str:
    """Computes one sha256 of what `used` has returned."""
    lines = (f"{file} {digest}\n" for file, digest in sorted(files.items()))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def modules(*roots: str, package: Path = PACKAGE) -> frozenset[str]:
    """Lists the modules that are imported before the reached code runs, or by it."""
    return frozenset(_reach(package, roots).active)


def definitions(
    *roots: str, parts: Collection[str] = (), package: Path = PACKAGE
) -> set[tuple[str, str]]:
    """Lists what is reached, as module and `name` or `Class.method`.

    Args:
        roots: as in `used`.
        parts: as in `used`.
        package: as in `used`.
    """
    reach = _reach(package, roots, parts)
    found = set()
    for definition, piece, name in reach.pieces():
        if piece is definition.piece:
            found |= {(definition.module, one) for one in definition.names}
            found |= {(definition.module, f"{name}.{one}") for one in definition.methods}
        else:
            found.add((definition.module, name))
    return found


def names(
    *roots: str,
    parts: Collection[str] = (),
    beyond: Collection[str] = (),
    package: Path = PACKAGE,
) -> frozenset[str]:
    """Lists every name that the reached code reads as an attribute or holds as a string.

    Args:
        roots: as in `used`.
        parts: as in `used`.
        beyond: as in `used`.
        package: as in `used`.
    """
    return frozenset(_reach(package, roots, parts, beyond).words)


def changed(then: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """Lists the files whose digests differ, or that only one side has."""
    return sorted(file for file in then.keys() | now.keys() if then.get(file) != now.get(file))


def _by_name(parts: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Sorts definitions by name, so that moving one within its file changes no digest.

    Definitions of equal names keep their order.
    """
    return sorted(parts, key=lambda part: part[0])


def _short(parts: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:DIGITS]


def _reach(
    package: Path,
    roots: Iterable[str],
    parts: Collection[str] = (),
    beyond: Collection[str] = (),
) -> "_Reach":
    """Finds what can be reached; once for the same question about the same files."""
    known = read_package(package.resolve())
    question = known, frozenset(roots), frozenset(parts), frozenset(beyond)
    if question not in REACHED:
        for other in [one for one in REACHED if one[0].folder == known.folder and one[0] != known]:
            del REACHED[other]
        REACHED[question] = _Reach(*question)
    return REACHED[question]


class _Reach:
    """Everything that can be reached from some roots."""

    def __init__(
        self,
        package: Package,
        roots: Iterable[str],
        parts: Iterable[str],
        beyond: frozenset[str],
    ) -> None:
        self.package = package
        self._beyond = beyond
        self.active: set[str] = set()
        self.reached: dict[Definition, None] = {}
        self._members: dict[Piece, tuple[Definition, str]] = {}
        self._waiting: dict[str, list[Callable[[], None]]] = {}
        self.words: set[str] = set()
        self._queue: list[tuple[Definition, Piece]] = []
        for root in sorted(roots):
            self._start(root)
        for part in sorted(parts):
            self._start_part(part)
        while self._queue:
            self._follow(*self._queue.pop())

    def pieces(self) -> Iterator[tuple[Definition, Piece, str]]:
        """Yields all reached code: definition, piece and name, in the order of the files."""
        for module in sorted(self.active):
            found = self.package.modules[module]
            for definition in (found.body, *found.definitions):
                if definition not in self.reached:
                    continue
                name = definition.names[0]
                yield definition, definition.piece, name
                for member, piece in definition.members:
                    if piece in self._members:
                        yield definition, piece, f"{name}.{member}"

    def _start(self, root: str) -> None:
        module, _, name = root.partition(":")
        self._check(root, module)
        if not name:
            self._take_module(module)
            return
        found = [one for one in self.package.find(module, name) if isinstance(one, Definition)]
        if not found:
            raise ValueError(f"root '{root}': module '{module}' defines no '{name}'")
        self._activate(module)
        for definition in found:
            self._take(definition)
            self._take_members(definition)

    def _start_part(self, module: str) -> None:
        self._check(module, module)
        self._activate(module)
        for definition in self.package.modules[module].definitions:
            for name in definition.names:
                self._when_named(name, partial(self._take, definition))
        self._hand_on(module, self._when_named)

    def _check(self, root: str, module: str) -> None:
        if module not in self.package.modules:
            raise ValueError(f"root '{root}': {self.package.folder} has no module '{module}'")

    def _take_module(self, module: str) -> None:
        self._activate(module)
        for definition in self.package.modules[module].definitions:
            self._take(definition)
            self._take_members(definition)
        self._hand_on(module, lambda _name, take: take())

    def _hand_on(self, module: str, wish: Callable[[str, Callable[[], None]], None]) -> None:
        """Applies `wish` to the definitions that a module imports, which it may pass on."""
        for name in self.package.modules[module].bindings:
            for target in self.package.find(module, name):
                if isinstance(target, Definition):
                    wish(name, partial(self._take, target))

    def _when_named(self, name: str, take: Callable[[], None]) -> None:
        """Takes something as soon as the reached code reads an attribute of that name."""
        if name in self.words:
            take()
        else:
            self._waiting.setdefault(name, []).append(take)

    def _activate(self, module: str) -> None:
        """Marks a module as imported: its parents, its statements, and what decorators register."""
        if module in self.active or module not in self.package.modules:
            return
        self.active.add(module)
        self._activate(module.rpartition(".")[0])
        found = self.package.modules[module]
        for definition in (found.body, *found.registered):
            self._take(definition)

    def _take(self, definition: Definition) -> None:
        if definition in self.reached or definition.module in self._beyond:
            return
        self.reached[definition] = None
        self._activate(definition.module)
        self._queue.append((definition, definition.piece))
        if definition.fields is not None:
            self._queue.append((definition, definition.fields))
        for name, piece in definition.members:
            take = partial(self._take_member, definition, name, piece)
            if definition.plain:
                self._when_named(name, take)
            else:
                take()
        for base in self.package.bases(definition):
            if isinstance(base, Definition):  # a base of other packages may call inherited methods
                self._take(base)
                self._take_members(base)

    def _take_members(self, definition: Definition) -> None:
        for name, piece in definition.members:
            self._take_member(definition, name, piece)

    def _take_member(self, definition: Definition, name: str, piece: Piece) -> None:
        if piece not in self._members:
            self._members[piece] = (definition, name)
            self._queue.append((definition, piece))

    def _follow(self, definition: Definition, piece: Piece) -> None:
        links = self.package.links(definition.module, piece)
        for module in links.imported:
            self._activate(module)
        for module in links.whole:
            self._take_module(module)
        for found in links.definitions:
            self._take(found)
        for word in piece.words - self.words:
            self.words.add(word)
            for take in self._waiting.pop(word, ()):
                take()


def _kernels(reach: _Reach, endings: Collection[str]) -> dict[str, str]:
    """Digests the sources of compiled kernels: those named like the reached modules of ops/."""
    package = reach.package
    folder = package.folder.parent / "csrc"
    above, names = f"{package.name}.ops", set[str]()
    for definition in reach.reached:
        module, _, name = definition.module.rpartition(".")
        if module == above and definition.names != (BODY,):
            names |= {f"{name}.{ending}" for ending in endings}
    found: dict[str, str] = {}
    while names:
        name = names.pop()
        file = folder / name
        if f"csrc/{name}" in found or not file.is_file():
            continue
        text, includes = read_source(file.read_text(encoding="utf-8"))
        found[f"csrc/{name}"] = _short([text])
        names |= {os.path.normpath(Path(name).parent / include) for include in includes}
    return found
