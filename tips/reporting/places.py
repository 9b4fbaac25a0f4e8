"""Gives every heading, figure and row of the rendered report an address, and marks its cells."""

import base64
import html
import re
from collections.abc import Callable, Sequence
from typing import Final

from tips.reporting.compact import SVG, Compact
from tips.reporting.style import STATES, VERDICTS

LONGEST: Final = 90  # characters of an address; two that share these are numbered
LONG: Final = 90  # characters of a cell; a longer one is prose
WIDE: Final = 700  # px; a wider picture gets too small to read on a narrow screen
_WORDS: Final = VERDICTS | STATES
_ANY: Final = "|".join(sorted(map(re.escape, _WORDS), key=len, reverse=True))
# A verdict or a status is a cell of its own or follows a number; its reason may follow.
_WORD: Final = re.compile(rf"(?:^|(?<=[\])] ))(?:{_ANY})(?=$|:| within ±)")
_NUMBER: Final = re.compile(r"[+-]?\d[\d.,]*( ± [\d.]+)?( \(\d+\))?( \[[^\]]*\])?")
_INTERVAL: Final = re.compile(r"[+-]\d[\d.]* \[[^\]]*\]")
_LINK: Final = re.compile(r'(<a href="#[^>]*>)([^<]*)(</a>[^<]*)')
_PART: Final = re.compile(
    r"<h([23])>(?P<heading>.*?)</h\1>|(?P<table><table>.*?</table>)|"
    r'(?:<p>)?<img src="(?P<file>[^"]*)" alt="(?P<words>[^"]*)"[^>]*>'
    r"(?:</p>(?:\n<p><em>(?P<caption>[^\n]*)</em></p>)?)?",
    re.DOTALL,
)
_ROW: Final = re.compile(r"<tr>\n(.*?)</tr>", re.DOTALL)
_CELL: Final = re.compile(r'<t([hd])(?: style="text-align:(\w+)")?>(.*?)</t[hd]>\n?', re.DOTALL)
_TAG: Final = re.compile(r"<[^>]*>")
_ALIGN: Final = {"left": "", "right": "r", "center": "c", "": ""}


def anchor(title: str) -> str:
    """Gives the address of a heading."""
    return re.sub(r"[^a-z0-9]+", "-", html.unescape(title).lower()).strip("-")


class Places:
    """Rewrites the parts of a rendered report, from first to last.

    Args:
        picture: gives the picture of an address as the page holds it.
    """

    def __init__(self, picture: Callable[[str], Compact]) -> None:
        self.titles: list[str] = []  # of the sections, as HTML
        self._picture = picture
        self._section = "report"
        self._taken: set[str] = {"report", "filter", "decided", "count", "dark", "chain"}

    def rewrite(self, body: str) -> str:
        """Rewrites headings, tables and pictures of HTML that `markdown-it` wrote."""
        return _PART.sub(self._part, body)

    def _part(self, match: re.Match[str]) -> str:
        if match["table"]:
            return f'<div class="scroll">{self._table(match["table"])}</div>'
        if match["file"] is not None:
            return self._figure(match["file"], match["words"], match["caption"] or "")
        level, title = match[1], match["heading"]
        address = self._address(anchor(_TAG.sub("", title)))
        if level == "2":
            self.titles.append(f'<a href="#{address}">{_TAG.sub("", title)}</a>')
            self._section = anchor(title.partition(":")[0]) or address
        return f'<h{level} id="{address}">{title}</h{level}>'

    def _address(self, wanted: str) -> str:
        """Takes an address that no other place has; it depends on what stands before alone."""
        wanted = wanted[:LONGEST].strip("-") or "part"
        address, number = wanted, 1
        while address in self._taken:
            number += 1
            address = f"{wanted}-{number}"
        self._taken.add(address)
        return address

    def _table(self, table: str) -> str:
        listed = [_CELL.findall(row) for row in _ROW.findall(table)]
        names = iter(_names([[_TAG.sub("", cell[2]) for cell in row] for row in listed[1:]]))

        def row(match: re.Match[str]) -> str:
            cells = _CELL.findall(match[1])
            written = "".join(_cell(*cell) for cell in cells)
            if cells[0][0] == "h":
                return f"<tr>{written}</tr>"
            address = self._address(f"{self._section}-{anchor(next(names))}")
            return f'<tr id="{address}">{written}</tr>'

        return _ROW.sub(row, table)

    def _figure(self, file: str, words: str, caption: str) -> str:
        found = self._picture(html.unescape(file))
        stem = file.rpartition("/")[2].rpartition(".")[0]
        size, wide = "", ""
        if found.size is not None:
            size = f' width="{found.size[0]}" height="{found.size[1]}"'
            wide = ' class="wide"' if found.size[0] > WIDE else ""
        elif found.kind == SVG:
            wide = ' class="wide"'
        said = f"<figcaption>{caption}</figcaption>" if caption else ""
        alt = "" if caption else words
        data = base64.b64encode(found.data).decode("ascii")
        return (
            f'<figure id="{self._address(f"figure-{anchor(stem)}")}"><div class="picture">'
            f'<img{wide} alt="{alt}"{size} loading="lazy" decoding="async" '
            f'src="data:{found.kind};base64,{data}"></div>{said}</figure>'
        )


def _names(rows: Sequence[Sequence[str]]) -> list[str]:
    """Names every row of a table by as few of its first cells as tell all rows apart."""
    most = max(map(len, rows), default=1)
    for count in range(1, most + 1):
        names = [" ".join(row[:count]) for row in rows]
        if len({*map(anchor, names)}) == len(names):
            return names
    return [" ".join(row[:1]) for row in rows]


def _cell(kind: str, align: str, content: str) -> str:
    """Writes a cell: its alignment as a class, its words marked, its numbers unbroken."""
    classes = [_ALIGN.get(align, "")]
    if kind == "d" and len(_TAG.sub("", content)) > LONG:
        classes = ["w"]
    link = _LINK.fullmatch(content)
    before, inner, after = link.groups() if link else ("", content, "")
    if kind == "d" and _NUMBER.fullmatch(inner):
        classes.append("n")
    elif kind == "d" and len(inner) <= LONG and "<" not in inner:
        inner = _WORD.sub(_word, inner)
        inner = _INTERVAL.sub(r'<span class="n">\g<0></span>', inner)
    named = " ".join(filter(None, classes))
    attribute = f' class="{named}"' if named else ""
    return f"<t{kind}{attribute}>{before}{inner}{after}</t{kind}>"


def _word(match: re.Match[str]) -> str:
    word = match[0]
    verdict = " verdict" if word in VERDICTS else ""
    return f'<span class="word{verdict} {_WORDS[word]}">{word}</span>'
