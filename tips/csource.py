"""Reads C sources: their text without comments and layout, and the files that they include."""

import re
from functools import cache

# Tokens of C: comments, raw strings, strings and characters.
TOKENS = re.compile(
    r"""//[^\n]*|/\*.*?\*/|R"([^(\s]*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|'(?:\\.[^'\n]*|[^'\\\n])'""",
    re.DOTALL,
)
INCLUDES = re.compile(r'^# ?include ?"([^"]+)"', re.MULTILINE)


@cache
def read_source(source: str) -> tuple[str, frozenset[str]]:
    """Gives a C source without comments and layout, and the files in quotes that it includes."""
    bare = TOKENS.sub(lambda found: _spelled(found[0]), source.replace("\\\n", " "))
    parts: list[str] = []
    for line in bare.splitlines():
        directive = line.lstrip().startswith("#")
        parts.append(f"\n{' '.join(line.split())}\n" if directive else line)
    folded = re.sub(r"[ \t\r\f\v]+", " ", " ".join(parts))
    folded = re.sub(r" ?\n[ \n]*", "\n", folded).strip()
    return folded, frozenset(INCLUDES.findall(folded))


def _spelled(token: str) -> str:
    """Replaces a comment by a space, and protects the spaces of a string from being folded."""
    return " " if token.startswith("/") else token.replace(" ", "\0")
