"""Renders report.md as index.html, one file that needs no other."""

import base64
import html
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from markdown_it import MarkdownIt

from tips import safe_text
from tips.records import RecordError
from tips.reporting.style import CSS, PAGE, POLICY, WORDS
from tips.tables.sheet import Section

TYPES: Final = {".svg": "image/svg+xml", ".png": "image/png", ".jpg": "image/jpeg"}
_CELL = re.compile(r"<td([^>]*)>(.*?)</td>", re.DOTALL)
_ANY = "|".join(sorted(map(re.escape, WORDS), key=len, reverse=True))
# A verdict or a status is a cell of its own or follows a number; its reason may follow.
_WORD = re.compile(rf"(?:^|(?<=[\])] ))(?:{_ANY})(?=$|:)")
_NUMBER = re.compile(r"[+-]?\d[\d.]*( ± [\d.]+)?( \(\d+\))?( \[[^\]]*\])?")
_INTERVAL = re.compile(r"[+-]\d[\d.]* \[[^\]]*\]")
_HEADING = re.compile(r"<h2>(.*?)</h2>")
_TITLE = re.compile(r"<h1>(.*?)</h1>")
_TAG = re.compile(r"<[^>]*>")
_FOLD = re.compile(r"<details><summary>[^<>]*</summary>\n?|</details>\n?")  # of markdown.folded
_HERE = re.compile(r"http://127\.0\.0\.1:\d{1,5}/")  # a server of this machine, such as MLflow's
_IMAGE = re.compile(r'<img src="([^"]+)"')


def source(title: str, sections: Sequence[Section]) -> str:
    """Writes the report as Markdown; `title` is its first line."""
    first = f"# {safe_text.markdown(title)}\n"
    return "\n".join([first, *(_part(one) for one in sections)])


def _part(section: Section) -> str:
    return f"## {safe_text.markdown(section.title)}\n\n{section.body.strip()}\n"


def render(text: str, folder: Path) -> str:
    """Renders Markdown to one HTML file with its pictures inside.

    HTML in the text is shown as it is written, except for parts that open on a click. Links lead to
    files, to https addresses or to a server of this machine.

    Args:
        text: the report in Markdown.
        folder: the folder that the names of pictures are relative to.

    Raises:
        RecordError: a picture does not exist, or lies outside the folder.
    """
    body = _parser().render(text)
    body = body.replace("<table>", '<div class="scroll"><table>')
    body = body.replace("</table>", "</table></div>")
    body = _CELL.sub(_cell, body)
    body = _IMAGE.sub(lambda match: f'<img src="{_inline(match[1], folder)}"', body)
    titles = _HEADING.findall(body)
    body = _HEADING.sub(lambda match: f'<h2 id="{anchor(match[1])}">{match[1]}</h2>', body)
    contents = "\n".join(f'<a href="#{anchor(title)}">{title}</a>' for title in titles)
    first = _TITLE.search(body)
    title = _TAG.sub("", first[1]) if first else ""
    return PAGE.format(title=title, policy=POLICY, css=CSS, contents=contents, body=body)


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


def anchor(title: str) -> str:
    """Gives the id of a heading."""
    return re.sub(r"[^a-z0-9]+", "-", html.unescape(title).lower()).strip("-")


def _cell(match: re.Match[str]) -> str:
    attributes, content = match[1], match[2]
    if _NUMBER.fullmatch(content):
        return f'<td{attributes} class="number">{content}</td>'
    if len(content) > 90 or "<" in content:
        return match[0]
    marked = _WORD.sub(
        lambda word: f'<span class="word {WORDS[word[0]]}">{word[0]}</span>', content
    )
    marked = _INTERVAL.sub(r'<span class="unbroken">\g<0></span>', marked)
    return f"<td{attributes}>{marked}</td>"


def picture(address: str, folder: Path) -> Path:
    """Finds the file of a picture of the report.

    Args:
        address: what the Markdown says.
        folder: the folder of the report.

    Raises:
        RecordError: there is no such file, it is no picture, or it lies outside the folder.
    """
    path = folder / unquote(address, errors="surrogateescape")
    shown = safe_text.one_line(str(path))
    if path.suffix not in TYPES:
        raise RecordError(f"{shown}: a picture must be one of {', '.join(TYPES)}")
    if not path.resolve().is_relative_to(folder.resolve()):
        raise RecordError(f"{shown}: lies outside {folder}, where all pictures of the report lie")
    if not path.is_file():
        raise RecordError(f"{shown}: the report names this picture and it does not exist")
    return path


def _inline(file: str, folder: Path) -> str:
    path = picture(html.unescape(file), folder)
    data = base64.b64encode(path.read_bytes()).decode("ascii")
    return f"data:{TYPES[path.suffix]};base64,{data}"
