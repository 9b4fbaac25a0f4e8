"""Small pieces of Markdown."""

from collections.abc import Iterable, Sequence

ALIGN = {"l": ":---", "r": "---:", "c": ":---:"}


def table(header: Sequence[str], rows: Iterable[Sequence[str]], align: str = "") -> str:
    """A Markdown table.

    Args:
        header: column heads.
        rows: cells, as text.
        align: one letter of l, r, c per column; the last one goes on. Left when empty.
    """
    letters = (align or "l").ljust(len(header), (align or "l")[-1])[: len(header)]
    lines = [_row(header), _row([ALIGN[letter] for letter in letters])]
    lines += [_row(row) for row in rows]
    return "\n".join(lines) + "\n"


def bullets(items: Iterable[str]) -> str:
    """A bulleted list."""
    return "".join(f"- {item}\n" for item in items)


def folded(summary: str, body: str) -> str:
    """A part that opens on a click."""
    return f"<details><summary>{summary}</summary>\n\n{body}\n</details>\n"


def image(caption: str, file: str) -> str:
    """A picture with its caption under it."""
    words = caption.replace("[", "(").replace("]", ")")
    return f"![{words}]({file})\n\n*{words}*\n"


def code(text: str) -> str:
    """Inline code."""
    return f"`{text}`"


def link(text: str, target: str) -> str:
    """A link."""
    return f"[{text}]({target})"


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(_cell(cell) for cell in cells) + " |"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
