"""Departures from the paper, collected from the comments that mark them in the code.

A departure is one comment block `# Paper: <what>; here: <what>, because <why>`; a block goes on
over the following comment lines. Such a block may also stand inside a docstring.
"""

import io
import re
import tokenize
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

_START = re.compile(r"#\s*Paper:\s")


class Deviation(NamedTuple):
    """One marked departure. `here` is empty if the comment only quotes the paper."""

    file: str  # relative to the repository
    line: int
    paper: str
    here: str


def collect(root: Path) -> list[Deviation]:
    """Collects the departures of every tips/**/*.py below a repository, sorted by file and line."""
    found: list[Deviation] = []
    for path in sorted((root / "tips").rglob("*.py")):
        found += in_source(path.read_text(encoding="utf-8"), path.relative_to(root).as_posix())
    return found


def in_source(source: str, file: str) -> list[Deviation]:
    """Collects the departures of one file's source."""
    comments = _comments(source)
    found = []
    for line in sorted(comments):
        if _START.match(comments[line]):
            text = " ".join(_block(comments, line))
            paper, _, here = text.removeprefix("Paper:").strip().partition("; here:")
            found.append(Deviation(file, line, paper.strip(), here.strip()))
    return found


def _comments(source: str) -> dict[int, str]:
    """Finds the comment of every line that has one; lines of docstrings may look like one, too."""
    comments: dict[int, str] = {}
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        first = token.start[0]
        if token.type == tokenize.COMMENT:
            whole_line = token.line.lstrip().startswith("#")
            if whole_line or _START.match(token.string):  # behind code a block may only start
                comments[first] = token.string
        elif token.type == tokenize.STRING and token.string.startswith('"""'):
            lines = enumerate(token.string.splitlines(), start=first)
            comments |= {n: line.strip() for n, line in lines if line.lstrip().startswith("# ")}
    return comments


def _block(comments: dict[int, str], line: int) -> Iterable[str]:
    yield comments[line].lstrip("#").strip()
    line += 1
    while line in comments and not _START.match(comments[line]):
        yield comments[line].lstrip("#").strip()
        line += 1
