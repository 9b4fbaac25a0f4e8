"""Renders report.md as index.html, one file that needs no other."""

import html
import re
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from markdown_it import MarkdownIt

from tips import safe_text
from tips.records import RecordError
from tips.reporting import style
from tips.reporting.compact import LEVELS, Compact, Level, compact
from tips.reporting.places import Places
from tips.tables.sheet import Section

LIGHT: Final = 1_000_000  # bytes of a page that opens at once
TYPES: Final = (".svg", ".png", ".jpg")
_TITLE = re.compile(r"<h1>(.*?)</h1>")
_TAG = re.compile(r"<[^>]*>")
_HERE = re.compile(r"http://127\.0\.0\.1:\d{1,5}/")  # a server of this machine, such as MLflow's
# What markdown.folded writes.
_FOLD = re.compile(
    r"<details><summary>[^<>]*</summary>"
    r'(?:<a id="why-[A-Za-z0-9._-]+"></a>)?\n?|</details>\n?'
)


def source(title: str, sections: Sequence[Section]) -> str:
    """Writes the report as Markdown; `title` is its first line."""
    first = f"# {safe_text.markdown(title)}\n"
    return "\n".join([first, *(_part(one) for one in sections)])


def _part(section: Section) -> str:
    return f"## {safe_text.markdown(section.title)}\n\n{section.body.strip()}\n"


def render(text: str, folder: Path) -> str:
    """Renders Markdown to one HTML file with its pictures inside.

    HTML in the text is shown as it is written, except for parts that open on a click. Links lead to
    files, to https addresses or to a server of this machine. If the page would be heavier than
    LIGHT, its pictures are made smaller.

    Args:
        text: the report in Markdown.
        folder: the folder that the names of pictures are relative to.

    Raises:
        RecordError: a picture does not exist, or lies outside the folder.
    """
    body = _parser().render(text)
    first = _TITLE.search(body)
    title = _TAG.sub("", first[1]) if first else ""
    page = ""
    for level in LEVELS:
        places = Places(partial(_compact, folder, level))
        rewritten = places.rewrite(body)
        page = style.frame(title, "\n".join(places.titles), rewritten)
        if len(page.encode()) <= LIGHT:
            break
    return page


def _compact(folder: Path, level: Level, address: str) -> Compact:
    return compact(*_forms(picture(address, folder), folder), level)


def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": True}).enable("table")
    parser.validateLink = _allowed  # type: ignore[method-assign]
    for kind in ("html_inline", "html_block"):
        parser.add_render_rule(kind, _markup)
    return parser


def _allowed(address: str) -> bool:
    """Tells whether a link may have this address: a file, a page over https or of this machine."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return False
    relative = not (parts.scheme or parts.netloc or address.startswith(("//", "/\\", "\\")))
    return parts.scheme == "https" or relative or _HERE.match(address) is not None


def _markup(_: Any, tokens: Sequence[Any], place: int, *__: Any) -> str:
    """Writes HTML that stands in the Markdown: what folds a part as it is, else as text."""
    content = str(tokens[place].content)
    return content if _FOLD.fullmatch(content) else html.escape(content)


def picture(address: str, folder: Path) -> Path:
    """Finds the file of a picture of the report.

    Args:
        address: what the Markdown says.
        folder: the folder of the report.

    Raises:
        RecordError: there is no such file, it is no picture, or it lies outside the folder.
    """
    path = folder / unquote(address, errors="surrogateescape")
    _check(path, folder)
    return path


def _forms(path: Path, folder: Path) -> tuple[Path, Path]:
    """Gives a picture, and the PNG that was drawn with it if it is an SVG."""
    drawn = path.with_suffix(".png")
    if path.suffix != ".svg" or not drawn.exists():
        return path, path
    _check(drawn, folder)
    return path, drawn


def _check(path: Path, folder: Path) -> None:
    shown = safe_text.one_line(str(path))
    if path.suffix not in TYPES:
        raise RecordError(f"{shown}: a picture must be one of {', '.join(TYPES)}")
    if not path.resolve().is_relative_to(folder.resolve()):
        raise RecordError(f"{shown}: lies outside {folder}, where all pictures of the report lie")
    if not path.is_file():
        raise RecordError(f"{shown}: the report names this picture and it does not exist")
