"""Renders report.md as index.html, one file that needs no other."""

import base64
import html
import re
from collections.abc import Sequence
from pathlib import Path

from markdown_it import MarkdownIt

from tips.records import RecordError
from tips.reporting.style import CSS, PAGE, WORDS
from tips.tables.sheet import Section

TYPES = {".svg": "image/svg+xml", ".png": "image/png", ".jpg": "image/jpeg"}
_CELL = re.compile(r"<td([^>]*)>(.*?)</td>", re.DOTALL)
_ANY = "|".join(sorted(map(re.escape, WORDS), key=len, reverse=True))
# A verdict or a status is a cell of its own or follows a number; its reason may follow.
_WORD = re.compile(rf"(?:^|(?<=[\])] ))(?:{_ANY})(?=$|:)")
_NUMBER = re.compile(r"[+-]?\d[\d.]*( ± [\d.]+)?( \(\d+\))?( \[[^\]]*\])?")
_INTERVAL = re.compile(r"[+-]\d[\d.]* \[[^\]]*\]")
_HEADING = re.compile(r"<h2>(.*?)</h2>")
_IMAGE = re.compile(r'<img src="([^"]+)"')


def source(title: str, sections: Sequence[Section]) -> str:
    """Writes the report as Markdown; `title` is its first line."""
    parts = [f"# {title}\n", *(f"## {one.title}\n\n{one.body.strip()}\n" for one in sections)]
    return "\n".join(parts)


def render(text: str, folder: Path) -> str:
    """Renders Markdown to one HTML file with its pictures inside.

    Args:
        text: the report in Markdown.
        folder: the folder that the names of pictures are relative to.

    Raises:
        RecordError: a picture does not exist.
    """
    parser = MarkdownIt("commonmark", {"html": True}).enable("table")
    body = parser.render(text)
    body = body.replace("<table>", '<div class="scroll"><table>')
    body = body.replace("</table>", "</table></div>")
    body = _CELL.sub(_cell, body)
    body = _IMAGE.sub(lambda match: f'<img src="{_inline(match[1], folder)}"', body)
    titles = _HEADING.findall(body)
    body = _HEADING.sub(lambda match: f'<h2 id="{anchor(match[1])}">{match[1]}</h2>', body)
    contents = "\n".join(f'<a href="#{anchor(title)}">{title}</a>' for title in titles)
    first = text.partition("\n")[0].lstrip("# ")
    return PAGE.format(title=html.escape(first), css=CSS, contents=contents, body=body)


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


def _inline(file: str, folder: Path) -> str:
    path = folder / html.unescape(file)
    if path.suffix not in TYPES:
        raise RecordError(f"{path}: a picture must be one of {', '.join(TYPES)}")
    if not path.is_file():
        raise RecordError(f"{path}: the report names this picture and it does not exist")
    data = base64.b64encode(path.read_bytes()).decode("ascii")
    return f"data:{TYPES[path.suffix]};base64,{data}"
