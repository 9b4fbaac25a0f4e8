"""What a C source means: its text without comments and layout, and what it includes."""

import re
from functools import cache

# Of C: comments, raw strings, strings, characters.
TOKENS = re.compile(
    r"""//[^\n]*|/\*.*?\*/|R"([^(\s]*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|'(?:\\.[^'\n]*|[^'\\\n])'""",
    re.DOTALL,
)
INCLUDES = re.compile(r'^# ?include ?"([^"]+)"', re.MULTILINE)


@cache
def read_source(source: str) -> tuple[str, frozenset[str]]:
    """A C source without comments and layout, and the own files that it includes."""
    bare = TOKENS.sub(lambda found: _spelled(found[0]), source.replace("\\\n", " "))
    parts: list[str] = []
    for line in bare.splitlines():
        directive = line.lstrip().startswith("#")
        parts.append(f"\n{' '.join(line.split())}\n" if directive else line)
    folded = re.sub(r"[ \t\r\f\v]+", " ", " ".join(parts))
    folded = re.sub(r" ?\n[ \n]*", "\n", folded).strip()
    return folded, frozenset(INCLUDES.findall(folded))


def _spelled(token: str) -> str:
    """A comment as a space; a string with its spaces kept from folding."""
    return " " if token.startswith("/") else token.replace(" ", "\0")
