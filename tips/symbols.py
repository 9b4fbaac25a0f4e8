"""Who refers to what in a package: names followed through its imports, to definitions."""

import hashlib
import os
from collections.abc import Iterable, Iterator
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
        definitions: that it names.
        whole: modules that it takes as a value.
        imported: modules that its own imports load.
        text: where the imported names in it come from.
    """

    definitions: set[Definition] = field(default_factory=set)
    whole: set[str] = field(default_factory=set)
    imported: set[str] = field(default_factory=set)
    text: str = ""


Target = Definition | str  # a definition, or the dotted name of a module or of something foreign


class Package:
    """All modules of a package, and who refers to what in it."""

    def __init__(self, folder: Path, stamps: Iterable[Stamp]) -> None:
        self.folder = folder
        self.name = folder.name
        self.files: dict[str, str] = {}
        self.modules: dict[str, Module] = {}
        for stamp in stamps:
            inner = Path(stamp[0]).relative_to(folder)
            parts = (self.name, *inner.with_suffix("").parts)
            is_package = parts[-1] == "__init__"
            name = ".".join(parts[:-1] if is_package else parts)
            above = name if is_package else name.rpartition(".")[0]
            self.files[name] = inner.as_posix()
            self.modules[name] = _module(stamp, name, above)
        self._found: dict[tuple[str, str], frozenset[Target]] = {}
        self._links: dict[Piece, Links] = {}
        self._digests: dict[Piece, str] = {}
        self._settings: dict[Definition, bool] = {}

    def find(self, module: str, name: str) -> frozenset[Target]:
        """What a name of a module is; more than one thing if it is given twice."""
        key = (module, name)
        if key not in self._found:
            self._found[key] = frozenset()  # a circle of imports ends here
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
        """What an import gives a name."""
        if binding.module in self.modules and binding.name is not None:
            return self.find(binding.module, binding.name)
        return frozenset({".".join(part for part in binding if part)})

    def resolve(self, module: str, chain: Chain, local: Iterable[Binding] = ()) -> set[Target]:
        """What a dotted name in a module is, or leads to."""
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
        """What a piece of a module's code refers to."""
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
        """Modules of the package that an import runs, their parents apart."""
        inner = f"{binding.module}.{binding.name}"
        return {name for name in (binding.module, inner) if name in self.modules}

    def _origin(self, module: str, name: str, local: list[Binding]) -> str:
        """Says where an imported name comes from: the same word may come to mean another thing."""
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
        """Sha256 of a piece of a definition; empty for code that is empty."""
        if piece not in self._digests:
            parts = [piece]
            if piece is definition.piece and definition.fields and not self.is_settings(definition):
                parts.append(definition.fields)
            texts = [self.links(definition.module, part).text + part.text for part in parts]
            whole = hashlib.sha256("\0".join(texts).encode()).hexdigest()
            self._digests[piece] = whole if any(texts) else ""
        return self._digests[piece]

    def is_settings(self, definition: Definition) -> bool:
        """Whether a class is a part of the configuration, whose values are digested elsewhere."""
        if definition not in self._settings:
            self._settings[definition] = False
            self._settings[definition] = self._is_root(definition) or any(
                isinstance(base, Definition) and self.is_settings(base)
                for base in self.bases(definition)
            )
        return self._settings[definition]

    def bases(self, definition: Definition) -> set[Target]:
        """What a class derives from."""
        chains = [chain for chain in definition.bases if chain]
        found = [self.resolve(definition.module, chain) for chain in chains]
        return set[Target]().union(*found)

    def _is_root(self, definition: Definition) -> bool:
        within = f"{definition.module}.".startswith(f"{self.name}.config.")
        return within and SETTINGS in definition.names and PYDANTIC in self.bases(definition)


PACKAGES: dict[Path, tuple[tuple[Stamp, ...], Package]] = {}


def read_package(folder: Path) -> Package:
    """The package as it is on disk now; read again only where a file changed."""
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
