"""Makes text from outside safe to show: titles, notes, file names, errors, names of machines.

Whoever writes Markdown, LaTeX, CSV or a message passes such text through here, and only here is
decided what is dangerous in it.
"""

import re
import unicodedata
from decimal import Decimal, InvalidOperation
from html import escape
from typing import Final

LONGEST: Final = 1000  # characters of a title, a note or a cell; what is longer is cut
CUT: Final = "…"  # stands at the end of what was cut
# Control characters, marks of direction and other invisible ones, halves of pairs, and separators
# of lines.
_UNSEEN: Final = frozenset(("Cc", "Cf", "Cs", "Zl", "Zp"))
# What Markdown reads as more than text. Brackets alone are left: intervals have them.
_MARKDOWN: Final = re.compile(
    r"""[\\`*~$]                        # code, emphasis, struck out, mathematics of GitHub
    | (?<![^\W_])_ | _(?![^\W_])        # emphasis; inside a word it is none
    | \](?=[(\[:])                      # the end of a link's or a picture's words
    | <(?=[A-Za-z/!?])                  # a tag
    | &(?=\#?\w+;)                      # an entity
    """,
    re.VERBOSE,
)
_BLOCK: Final = re.compile(r"^(\d*)([#>+.)-])")  # a heading, a quotation, a list at the start
_LATEX: Final = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "&": r"\&",
    "%": r"\%",
    "_": r"\_",
    "#": r"\#",
    "$": r"\$",
    "{": r"\{",
    "}": r"\}",
    "±": r"$\pm$",
    "✓": r"\checkmark",
}
_FORMULA: Final = re.compile(r"'*\s*[=+\-@＝＋－＠]")  # how a formula of a spreadsheet starts


def visible(text: str) -> str:
    r"""Writes every character that has no shape of its own as an escape, such as \u202e."""
    return "".join(
        str(letter.encode("unicode_escape", "surrogatepass"), "ascii")
        if unicodedata.category(letter) in _UNSEEN
        else letter
        for letter in text
    )


def one_line(text: str, longest: int = LONGEST) -> str:
    """Puts text into one line of bounded length in which everything can be seen.

    Args:
        text: any text.
        longest: the number of characters; text that is longer ends in "…".
    """
    return cut(visible(" ".join(text[: 10 * longest].split())), longest)


def cut(text: str, longest: int, mark: str = CUT) -> str:
    """Cuts text that is longer than this number of characters; it then ends in the mark."""
    return text if len(text) <= longest else text[: longest - len(mark)] + mark


def markdown(text: str) -> str:
    """Writes text into a sentence or a cell of Markdown, so that it reads as it is."""
    return _MARKDOWN.sub(r"\\\g<0>", one_line(text))


def paragraph(text: str) -> str:
    """Writes text as a paragraph of Markdown: nothing at its start makes it a list or a heading."""
    return _BLOCK.sub(r"\1\\\2", markdown(text))


def html(text: str) -> str:
    """Writes text into HTML, between tags."""
    return escape(one_line(text), quote=False)


def latex(text: str) -> str:
    """Writes text into LaTeX, so that it reads as it is."""
    return "".join(_LATEX.get(letter, letter) for letter in one_line(text))


def to_cell(text: str) -> str:
    """Writes text as a cell of a CSV file; what a spreadsheet would compute gets an apostrophe.

    Numbers and a lone hyphen stay as they are. `from_cell` reads the text back.
    """
    line = one_line(text)
    return f"'{line}" if _computed(line) else line


def from_cell(cell: str) -> str:
    """Reads a cell that `to_cell` wrote."""
    return cell[1:] if cell.startswith("'") and _computed(cell[1:]) else cell


def _computed(text: str) -> bool:
    """Tells whether a spreadsheet would compute a cell."""
    return _FORMULA.match(text) is not None and text != "-" and not _number(text)


def _number(text: str) -> bool:
    try:
        Decimal(text)
    except InvalidOperation:
        return False
    return True
