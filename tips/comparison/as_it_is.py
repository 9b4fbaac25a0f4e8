"""Writes text from files into the cells of a console's tables, so that it reads as it is."""

from rich.markup import escape

from tips.safe_text import visible


def plain(text: str) -> str:
    """Writes text so that nothing in it is markup, and every character can be seen."""
    return escape(visible(text))
