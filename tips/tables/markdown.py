"""Writes small pieces of Markdown.

Cells and captions may come from outside, so they are escaped, except for pieces of Markdown that
this file has made. Sentences are Markdown already: whoever puts text from outside into one passes
it through `text`, or makes it `code`.
"""

import os
import re
from collections.abc import Iterable, Sequence
from urllib.parse import quote

from tips import safe_text

ALIGN = {"l": ":---", "r": "---:", "c": ":---:"}


class Markdown(str):
    """Text that is Markdown, where other text would be escaped."""


class Linked(str):
    """Text that leads to a place of the same page where it stands in a table of Markdown.

    Elsewhere, such as in LaTeX, it is plain text.

    Args:
        words: the text.
        target: the place.
        about: what the link is about, in letters that mean nothing to Markdown or to a shell.
        rest: the end of the words that is no part of the link.
    """

    target: str
    about: str
    rest: str

    def __new__(cls, words: str, target: str, about: str = "", rest: str = "") -> "Linked":
        """Makes the text of a link."""
        made = super().__new__(cls, words)
        made.target, made.about, made.rest = target, about, rest
        return made

    @property
    def link(self) -> Markdown:
        """The text as a link; it is empty if the text is."""
        title = f' "{self.about}"' if self.about else ""
        words, rest = _bracketed(self.removesuffix(self.rest)), text(self.rest)
        return Markdown(f"[{words}](#{self.target}{title}){rest}" if words else rest)


def table(header: Sequence[str], rows: Iterable[Sequence[str]], align: str = "") -> str:
    """Writes a Markdown table.

    Args:
        header: the heads of the columns.
        rows: the cells; they are escaped unless they are `Markdown`.
        align: one letter of l, r, c per column; the last one holds for all further columns. Empty
            aligns all to the left.
    """
    letters = (align or "l").ljust(len(header), (align or "l")[-1])[: len(header)]
    lines = [_row(header), _row([ALIGN[letter] for letter in letters])]
    lines += [_row(row) for row in rows]
    return "\n".join(lines) + "\n"


def text(words: str) -> Markdown:
    """Writes words into a sentence, so that they read as they are; Markdown stays what it is."""
    return words if isinstance(words, Markdown) else Markdown(safe_text.markdown(words))


def bullets(items: Iterable[str]) -> str:
    """Writes a bulleted list of sentences."""
    return "".join(f"- {item}\n" for item in items)


def folded(summary: str, body: str, place: str = "") -> str:
    """Writes a part that opens on a click.

    Args:
        summary: what stands there while it is closed.
        body: the part, in Markdown.
        place: the name by which links find it, made of letters, digits, '.', '_' and '-'.
    """
    # It stands inside, because browsers open what holds the place that a link leads to.
    named = f'<a id="{place}"></a>' if place else ""
    summed = f"<summary>{safe_text.html(summary)}</summary>"
    return f"<details>{summed}{named}\n\n{body}\n</details>\n"


def image(caption: str, file: str) -> str:
    """Writes a picture with its caption under it."""
    words = _bracketed(caption)
    return f"![{words}]({_address(file)})\n\n*{words}*\n"


def code(words: str) -> Markdown:
    """Writes inline code; the fence is longer than every run of backticks in the words."""
    line = safe_text.one_line(words)
    fence = "`" * (1 + max(map(len, re.findall("`+", line)), default=0))
    space = " " if len(fence) > 1 else ""
    return Markdown(f"{fence}{space}{line}{space}{fence}" if line else "")


def listing(lines: Iterable[str]) -> str:
    """Writes lines as they are, with the spaces that they begin with.

    The fence is longer than every run of backticks in them.
    """
    depths = [(len(line) - len(line.lstrip(" ")), line) for line in lines]
    shown = [" " * depth + safe_text.one_line(line) for depth, line in depths]
    longest = max((len(run) for line in shown for run in re.findall("`+", line)), default=0)
    fence = "`" * max(3, longest + 1)
    return "\n".join([fence, *shown, fence, ""])


def bold(words: str) -> Markdown:
    """Writes words in bold letters."""
    return Markdown(f"**{text(words)}**")


def link(words: str, target: str) -> Markdown:
    """Writes a link to a file."""
    return Markdown(f"[{_bracketed(words)}]({_address(target)})")


def _bracketed(words: str) -> Markdown:
    """Writes words that will stand in square brackets, so that they can have none."""
    return text(words.replace("[", "(").replace("]", ")"))


def _address(file: str) -> str:
    """Writes the path of a file as a link has it; the name of a file may be any bytes."""
    return quote(os.fsencode(file), "/#")


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(_cell(cell) for cell in cells) + " |"


def _cell(cell: str) -> str:
    written = cell.link if isinstance(cell, Linked) else text(cell)
    return " ".join(written.split()).replace("|", "\\|")
