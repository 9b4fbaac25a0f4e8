"""Writes small pieces of Markdown."""

from collections.abc import Iterable, Sequence

ALIGN = {"l": ":---", "r": "---:", "c": ":---:"}


def table(header: Sequence[str], rows: Iterable[Sequence[str]], align: str = "") -> str:
    """Writes a Markdown table.

    Args:
        header: the heads of the columns.
        rows: the cells, as text.
        align: one letter of l, r, c per column; the last one holds for all further columns. Empty
            aligns all to the left.
    """
    letters = (align or "l").ljust(len(header), (align or "l")[-1])[: len(header)]
    lines = [_row(header), _row([ALIGN[letter] for letter in letters])]
    lines += [_row(row) for row in rows]
    return "\n".join(lines) + "\n"


def bullets(items: Iterable[str]) -> str:
    """Writes a bulleted list."""
    return "".join(f"- {item}\n" for item in items)


def folded(summary: str, body: str) -> str:
    """Writes a part that opens on a click."""
    return f"<details><summary>{summary}</summary>\n\n{body}\n</details>\n"


def image(caption: str, file: str) -> str:
    """Writes a picture with its caption under it."""
    words = caption.replace("[", "(").replace("]", ")")
    return f"![{words}]({file})\n\n*{words}*\n"


def code(text: str) -> str:
    """Writes inline code."""
    return f"`{text}`"


def link(text: str, target: str) -> str:
    """Writes a link."""
    return f"[{text}]({target})"


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(_cell(cell) for cell in cells) + " |"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
