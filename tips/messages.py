"""Messages of one line: whatever text from outside they quote, a terminal shows it as text."""

from typing import Final

LONGEST: Final = 2000  # characters


def one_line(message: object) -> str:
    """Writes a message in one line: spaces for line breaks, escapes for what cannot be printed."""
    words = " ".join(str(message).split())
    line = "".join(
        one if one.isprintable() else one.encode("unicode_escape", "replace").decode("ascii")
        for one in words
    )
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 4]} ..."
