"""Takes modules apart into definitions, with the text of each and the names that it uses."""

import ast
import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import NamedTuple

# Decorators that do not pass a class or a member on to code that may call it.
PLAIN_CLASSES = frozenset({"dataclass", "final"})
PLAIN_MEMBERS = frozenset({"property", "cached_property", "staticmethod", "classmethod"})
# Fields of the syntax tree that add nothing to the meaning of the other fields.
SILENT = frozenset({"ctx", "kind", "type_comment"})
STATEMENTS = frozenset({"body", "orelse", "finalbody"})
IDENTIFIERS = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")
LOGGING = frozenset(
    {"debug", "info", "warning", "error", "exception", "critical", "log", "setLevel"}
)
MAIN = ("__name__ == '__main__'", "'__main__' == __name__")
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
BODY = "<body>"

Chain = tuple[str, ...]  # a name and the attributes that follow it


class Binding(NamedTuple):
    """What an import binds to a name: a module, or a name of a module."""

    module: str
    name: str | None


@dataclass(eq=False)
class Piece:
    """Some code: its text, and every name that it may use.

    Attributes:
        text: the syntax tree as text, without docstrings and log lines.
        chains: names, with the attributes that are read from them.
        words: names of attributes, and strings that could be such a name.
        imports: imports in the order of the code, each with the name that it binds.
    """

    text: str = ""
    chains: set[Chain] = field(default_factory=set)
    words: set[str] = field(default_factory=set)
    imports: list[tuple[str, Binding]] = field(default_factory=list)


@dataclass(eq=False)
class Definition:
    """One statement of a module that gives a value to names.

    Attributes:
        module: dotted name of the module.
        names: names that it defines. All statements of a module that define nothing are together
            one definition with the name `BODY`.
        piece: its code, without members and fields.
        members: methods and properties of a class, which may count separately.
        plain: whether each member counts only if it is used; else all count with the class.
        methods: names of all other functions in a class.
        fields: annotated names of a class with bases, which may be settings.
        bases: bases of a class.
        decorators: first part of each decorator's name.
    """

    module: str
    names: tuple[str, ...]
    piece: Piece
    members: tuple[tuple[str, Piece], ...] = ()
    plain: bool = True
    methods: tuple[str, ...] = ()
    fields: Piece | None = None
    bases: tuple[Chain, ...] = ()
    decorators: frozenset[str] = frozenset()


@dataclass(eq=False)
class Module:
    """A module's definitions, and what its imports bind outside of them.

    Attributes:
        name: dotted name.
        body: the statements at module level that define nothing.
        definitions: definitions in the order of the code.
        named: definitions by name; a name may have several.
        bindings: what imports bind to each name; under `*`, modules of which all names are taken.
        registered: definitions whose decorator belongs to an object of the module, which so
            learns of them.
    """

    name: str
    body: Definition
    definitions: list[Definition] = field(default_factory=list)
    named: dict[str, list[Definition]] = field(default_factory=dict)
    bindings: dict[str, list[Binding]] = field(default_factory=dict)
    registered: list[Definition] = field(default_factory=list)


def read_module(source: str, name: str, package: str) -> Module:
    """Takes a module apart.

    Args:
        source: text of the module.
        name: dotted name of the module.
        package: dotted name of the package that its relative imports start from.
    """
    statements = list(_flat(ast.parse(source).body))
    reader = _Reader(package, {"logging", *_loggers(statements)})
    imports = [one for one in statements if isinstance(one, ast.Import | ast.ImportFrom)]
    others = [one for one in statements if one not in imports]
    rest = [one for one in others if not _defined(one)]
    body = Definition(name, (BODY,), reader.read(*rest))
    module = Module(name, body)
    # Imports add no text: what they bind counts where it is used.
    body.piece.imports += reader.read(*imports).imports
    assigned: set[str] = set()
    for one in others:
        names = _defined(one)
        if not names:
            continue
        if isinstance(one, ast.Assign | ast.AnnAssign):
            assigned |= set(names)
        definition = _definition(one, name, names, reader)
        module.definitions.append(definition)
        for defined in names:
            module.named.setdefault(defined, []).append(definition)
    for bound, binding in body.piece.imports:
        module.bindings.setdefault(bound, []).append(binding)
    module.registered = [one for one in module.definitions if one.decorators & assigned]
    return module


def _flat(statements: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """Yields the statements that run when a module is imported, and imports for annotations."""
    for one in statements:
        test = ast.unparse(one.test) if isinstance(one, ast.If) else ""
        if isinstance(one, ast.If) and test in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
            yield from _flat([*one.body, *one.orelse])
        elif isinstance(one, ast.If) and test in MAIN:
            yield from _flat(one.orelse)
        else:
            yield one


def _loggers(statements: Iterable[ast.stmt]) -> Iterator[str]:
    for one in statements:
        if isinstance(one, ast.Assign) and isinstance(one.value, ast.Call):
            if _chain(one.value.func) in (("logging", "getLogger"), ("getLogger",)):
                yield from _defined(one)


def _defined(one: ast.stmt) -> tuple[str, ...]:
    """Lists the names that a statement defines; none if it does anything else as well."""
    match one:
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            return (one.name,)
        case ast.Assign():
            names, parts = list[str](), list(one.targets)
        case ast.AnnAssign():
            names, parts = list[str](), [one.target]
        case _:
            return ()
    while parts:
        match parts.pop(0):
            case ast.Name(id=name):
                names.append(name)
            case ast.Tuple(elts=inner) | ast.List(elts=inner):
                parts += inner
            case ast.Starred(value=starred):
                parts.append(starred)
            case _:
                return ()
    inside = ast.walk(one.value) if one.value is not None else ()
    names += [node.target.id for node in inside if isinstance(node, ast.NamedExpr)]
    return tuple(names)


def _definition(
    one: ast.stmt, module: str, names: tuple[str, ...], reader: "_Reader"
) -> Definition:
    if not isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return Definition(module, names, reader.read(one))
    decorators = frozenset(chain[0] for chain in map(_chain, _called(one)) if chain)
    if not isinstance(one, ast.ClassDef):
        return Definition(module, names, reader.read(one), decorators=decorators)
    bases = tuple(_chain(base) for base in one.bases)
    methods = [node for node in one.body if isinstance(node, FUNCTIONS)]
    plain = _is_plain(one)
    alone: list[ast.stmt] = [node for node in methods if _is_member(node)]
    fields: list[ast.stmt] = []
    if not plain:
        fields += [node for node in one.body if isinstance(node, ast.AnnAssign)]
    kept = [node for node in one.body if node not in alone and node not in fields]
    rest = ast.ClassDef(one.name, one.bases, one.keywords, kept, one.decorator_list)
    return Definition(
        module,
        names,
        reader.read(rest),
        members=tuple((node.name, reader.read(node)) for node in methods if node in alone),
        plain=plain,
        methods=tuple(node.name for node in methods if node not in alone),
        fields=reader.read(*fields) if fields else None,
        bases=bases,
        decorators=decorators,
    )


def _called(one: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> list[ast.expr]:
    """Lists decorators without their arguments."""
    return [node.func if isinstance(node, ast.Call) else node for node in one.decorator_list]


def _is_plain(one: ast.ClassDef) -> bool:
    """Tells whether only visible uses can call a method of a class.

    That is not so if a base, a metaclass or a decorator may call it.
    """
    bases = {_chain(base)[-1:] for base in one.bases}
    decorators = {_chain(node)[-1:] for node in _called(one)}
    return (
        not one.keywords
        and (not bases or bases == {("NamedTuple",)})
        and decorators <= {(name,) for name in PLAIN_CLASSES}
    )


def _is_member(one: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    plain = all(_chain(node)[-1:] in {(name,) for name in PLAIN_MEMBERS} for node in _called(one))
    return plain and not (one.name.startswith("__") and one.name.endswith("__"))


def _chain(node: ast.expr) -> Chain:
    """Gives the dotted name that an expression consists of; empty if it is another expression."""
    attributes: list[str] = []
    while isinstance(node, ast.Attribute):
        attributes.append(node.attr)
        node = node.value
    return (node.id, *reversed(attributes)) if isinstance(node, ast.Name) else ()


class _Reader:
    """Writes syntax trees as text and collects the names in them."""

    def __init__(self, package: str, loggers: Collection[str]) -> None:
        self._package = package
        self._loggers = loggers
        self._piece = Piece()
        self._out: list[str] = []

    def read(self, *nodes: ast.stmt) -> Piece:
        """Makes a piece of some statements."""
        self._piece, self._out = Piece(), []
        for node in nodes:
            if not self._is_silent(node):
                self._write(node)
        self._piece.text = "".join(self._out)
        return self._piece

    def _write(self, node: ast.AST) -> None:
        match node:
            case ast.Name(id=name):
                self._piece.chains.add((name,))
                self._out.append(f"{name} ")
                return
            case ast.Attribute():
                self._attribute(node)
                return
            case ast.Constant(value=str(text)):
                self._string(text)
            case ast.Import() | ast.ImportFrom():
                self._import(node)
            case ast.MatchClass(kwd_attrs=names):
                self._piece.words.update(names)
        self._out.append(f"{type(node).__name__}(")
        for name in node._fields:
            if name not in SILENT:
                self._field(name, getattr(node, name, None))
        self._out.append(")")

    def _field(self, name: str, value: object) -> None:
        """Writes a field unless it is empty, so that new fields of later Pythons change nothing."""
        if isinstance(value, list) and name in STATEMENTS:
            kept = [one for one in value if not self._is_silent(one)]
            value = kept or ([ast.Pass()] if value and name == "body" else [])
        if value is None or value == []:
            return
        if name in ("annotation", "returns") and isinstance(value, ast.expr):
            self._forward(value)
        self._out.append(f"{name}=")
        if isinstance(value, list):
            self._out.append("[")
            for one in value:
                self._value(one)
            self._out.append("]")
        else:
            self._value(value)

    def _value(self, value: object) -> None:
        if isinstance(value, ast.AST):
            self._write(value)
        else:
            self._out.append(f"{value!r} ")

    def _attribute(self, node: ast.Attribute) -> None:
        attributes = [node.attr]
        base = node.value
        while isinstance(base, ast.Attribute):
            attributes.append(base.attr)
            base = base.value
        attributes.reverse()
        self._piece.words.update(attributes)
        if isinstance(base, ast.Name):
            self._piece.chains.add((base.id, *attributes))
            self._out.append(f"{base.id} ")
        else:
            self._write(base)
        self._out.append(f".{'.'.join(attributes)} ")

    def _string(self, text: str) -> None:
        if IDENTIFIERS.fullmatch(text):
            self._piece.words.update(text.split("."))

    def _forward(self, annotation: ast.expr) -> None:
        """Collects the names in annotations that are strings."""
        for node in ast.walk(annotation):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                self._piece.chains |= _names(node.value)

    def _import(self, node: ast.Import | ast.ImportFrom) -> None:
        found = self._piece.imports
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.asname:
                    found.append((alias.asname, Binding(alias.name, None)))
                else:
                    top = alias.name.partition(".")[0]
                    found += [(top, Binding(top, None)), ("", Binding(alias.name, None))]
            return
        start = ""
        if node.level:
            parts = self._package.split(".")
            start = ".".join(parts[: len(parts) - node.level + 1])
        module = ".".join(part for part in (start, node.module) if part)
        for alias in node.names:
            name = None if alias.name == "*" else alias.name
            found.append((alias.asname or alias.name, Binding(module, name)))

    def _is_silent(self, node: ast.AST) -> bool:
        """Tells whether a statement has no effect on results: a bare string, or a log line."""
        match node:
            case ast.Expr(value=ast.Constant(value=str())):
                return True
            case ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr=what))):
                return name in self._loggers and (name == "logging" or what in LOGGING)
        return False


@cache
def _names(text: str) -> frozenset[Chain]:
    """Collects the names in an annotation's text; there are none in a shape such as `B T C`."""
    try:
        tree = ast.parse(text, mode="eval")
    except SyntaxError:
        return frozenset()
    nodes = (node for node in ast.walk(tree) if isinstance(node, ast.Name | ast.Attribute))
    return frozenset(chain for chain in map(_chain, nodes) if chain)
