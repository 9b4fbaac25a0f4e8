"""Finds which definitions of a package refer to which, following names through its imports."""

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from tips.syntax import Binding, Chain, Definition, Module, Piece, read_module

SETTINGS, PYDANTIC = "Part", "pydantic.BaseModel"
Stamp = tuple[str, int, int]  # path, time of change, size


@dataclass(eq=False)
class Links:
    """What a piece of code refers to.

    Attributes:
        definitions: definitions that it names.
        whole: modules that it uses as a value, so that anything in them may be meant.
        imported: modules that its own imports load.
        text: the origin of every imported name in it, as text.
    """

    definitions: set[Definition] = field(default_factory=set)
    whole: set[str] = field(default_factory=set)
    imported: set[str] = field(default_factory=set)
    text: str = ""


Target = Definition | str  # a definition; or the dotted name of a module, or of anything outside


class Modules:
    """The modules of a package by name; each is read when it is first asked for.

    Args:
        files: path, time and size of each module's file, and the package that its names start from.
    """

    def __init__(self, files: Mapping[str, tuple[Stamp, str]]) -> None:
        self._files = files

    def __contains__(self, name: object) -> bool:
        return name in self._files

    def __getitem__(self, name: str) -> Module:
        """Gives a module. Raises KeyError if the package has none of this name."""
        stamp, above = self._files[name]
        return _module(stamp, name, above)


class Package:
    """All modules of a package, and the references between their definitions.

    Args:
        folder: folder of the package.
        stamps: its files, with time and size.
    """

    def __init__(self, folder: Path, stamps: Iterable[Stamp]) -> None:
        self.folder = folder
        self.name = folder.name
        self.files: dict[str, str] = {}
        modules: dict[str, tuple[Stamp, str]] = {}
        for stamp in stamps:
            inner = Path(stamp[0]).relative_to(folder)
            parts = (self.name, *inner.with_suffix("").parts)
            is_package = parts[-1] == "__init__"
            name = ".".join(parts[:-1] if is_package else parts)
            above = name if is_package else name.rpartition(".")[0]
            self.files[name] = inner.as_posix()
            modules[name] = stamp, above
        self.modules = Modules(modules)
        self._found: dict[tuple[str, str], frozenset[Target]] = {}
        self._links: dict[Piece, Links] = {}
        self._digests: dict[Piece, str] = {}
        self._settings: dict[Definition, bool] = {}

    def find(self, module: str, name: str) -> frozenset[Target]:
        """Finds what a name of a module means; several things if it is defined several times."""
        key = (module, name)
        if key not in self._found:
            self._found[key] = frozenset()  # ends a circle of imports
            self._found[key] = frozenset(self._look(self.modules[module], name))
        return self._found[key]

    def _look(self, module: Module, name: str) -> Iterator[Target]:
        known = [*module.named.get(name, ())]
        yield from known
        bindings = module.bindings.get(name, [])
        for binding in bindings:
            yield from self.bound(binding)
        inner = f"{module.name}.{name}"
        if inner in self.modules:
            yield inner
        elif not known and not bindings:
            for star in module.bindings.get("*", ()):
                if star.module in self.modules:
                    yield from self.find(star.module, name)
            yield from module.named.get("__getattr__", ())

    def bound(self, binding: Binding) -> frozenset[Target]:
        """Finds what a name means that an import binds."""
        if binding.module in self.modules and binding.name is not None:
            return self.find(binding.module, binding.name)
        return frozenset({".".join(part for part in binding if part)})

    def resolve(self, module: str, chain: Chain, local: Iterable[Binding] = ()) -> set[Target]:
        """Finds what a dotted name means, as far as it can be followed.

        Args:
            module: the module in which the name is used.
            chain: the name and the attributes that are read from it.
            local: imports inside a function that bind the name, too.
        """
        targets = set(self.find(module, chain[0]))
        for binding in local:
            targets |= self.bound(binding)
        for attribute in chain[1:]:
            deeper: set[Target] = set()
            for target in targets:
                if isinstance(target, str) and target in self.modules:
                    deeper |= self.find(target, attribute)
                elif isinstance(target, str):
                    deeper.add(f"{target}.{attribute}")
                else:
                    deeper.add(target)
            targets = deeper
        return targets

    def links(self, module: str, piece: Piece) -> Links:
        """Finds what a piece of a module's code refers to."""
        if piece not in self._links:
            self._links[piece] = self._link(module, piece)
        return self._links[piece]

    def _link(self, module: str, piece: Piece) -> Links:
        links = Links()
        local: dict[str, list[Binding]] = {}
        for name, binding in piece.imports:
            local.setdefault(name, []).append(binding)
            links.imported |= self.loaded(binding)
        for chain in sorted(piece.chains):
            own = local.get(chain[0], [])
            for target in self.resolve(module, chain, own):
                if not isinstance(target, str):
                    links.definitions.add(target)
                elif target in self.modules:
                    links.whole.add(target)
        bases = {chain[0] for chain in piece.chains}
        lines = (self._origin(module, name, local.get(name, [])) for name in sorted(bases))
        links.text = "".join(lines)
        return links

    def loaded(self, binding: Binding) -> set[str]:
        """Lists the modules of the package that an import loads, without their parents."""
        inner = f"{binding.module}.{binding.name}"
        return {name for name in (binding.module, inner) if name in self.modules}

    def _origin(self, module: str, name: str, local: list[Binding]) -> str:
        """Gives the origin of an imported name as text.

        It is part of digests, because another import can change what the same name means.
        """
        bindings = [*self.modules[module].bindings.get(name, ()), *local]
        places = set()
        for binding in bindings:
            plain = ".".join(part for part in binding if part)
            for target in self.bound(binding) or {plain}:
                if isinstance(target, Definition):
                    places.add(f"{target.module}:{target.names[0]}")
                else:
                    places.add(target)
        return f"{name}={','.join(sorted(places))}\n" if places else ""

    def digest(self, definition: Definition, piece: Piece) -> str:
        """Computes the sha256 of a piece of a definition; "" for empty code."""
        if piece not in self._digests:
            parts = [piece]
            if piece is definition.piece and definition.fields and not self.is_settings(definition):
                parts.append(definition.fields)
            texts = [self.links(definition.module, part).text + part.text for part in parts]
            whole = hashlib.sha256("\0".join(texts).encode()).hexdigest()
            self._digests[piece] = whole if any(texts) else ""
        return self._digests[piece]

    def is_settings(self, definition: Definition) -> bool:
        """Tells whether a class is a part of the configuration, whose values are in records."""
        if definition not in self._settings:
            self._settings[definition] = False
            self._settings[definition] = self._is_root(definition) or any(
                isinstance(base, Definition) and self.is_settings(base)
                for base in self.bases(definition)
            )
        return self._settings[definition]

    def bases(self, definition: Definition) -> set[Target]:
        """Finds the bases of a class."""
        chains = [chain for chain in definition.bases if chain]
        found = [self.resolve(definition.module, chain) for chain in chains]
        return set[Target]().union(*found)

    def _is_root(self, definition: Definition) -> bool:
        within = f"{definition.module}.".startswith(f"{self.name}.config.")
        return within and SETTINGS in definition.names and PYDANTIC in self.bases(definition)


PACKAGES: dict[Path, tuple[tuple[Stamp, ...], Package]] = {}


def read_package(folder: Path) -> Package:
    """Reads the package as it is on disk now; only changed files are read again."""
    stamps = tuple(sorted(_stamps(folder)))
    known = PACKAGES.get(folder)
    if known is None or known[0] != stamps:
        known = PACKAGES[folder] = (stamps, Package(folder, stamps))
    return known[1]


def _stamps(folder: Path) -> Iterator[Stamp]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir() and entry.name != "__pycache__":
                yield from _stamps(Path(entry.path))
            elif entry.name.endswith(".py") and entry.is_file():
                status = entry.stat()
                yield entry.path, status.st_mtime_ns, status.st_size


@cache
def _module(stamp: Stamp, name: str, above: str) -> Module:
    return read_module(Path(stamp[0]).read_text(encoding="utf-8"), name, above)
