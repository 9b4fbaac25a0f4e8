"""Text from outside, read back by what it was made safe for."""

import csv
import html
import io
import os
import re
import unicodedata
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from tips import safe_text
from tips.tables import markdown

# Markdown's and HTML's own characters far more often than others, and pieces that mean something.
NASTY = st.lists(
    st.one_of(
        st.sampled_from("\\`*_[](){}<>!#+-.|~&;:\"'$=^/@ 1aA\n\t"),
        st.sampled_from(["<b>", "&lt;", "](x)", "![", "```", "---", "1. ", "- ", "<!--", "\u202e"]),
        st.characters(),
    ),
    max_size=30,
).map("".join)
PARSER = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])


def shown(text: str) -> str:
    """The text as HTML shows it, where it is but text."""
    return html.escape(safe_text.one_line(text)).replace("&#x27;", "'")


@given(NASTY)
def test_markdown_shows_the_text_itself(text: str) -> None:
    line = safe_text.one_line(text)
    assert PARSER.render(f"x{safe_text.markdown(text)}x") == f"<p>x{shown(text)}x</p>\n"
    if line:
        assert PARSER.render(safe_text.paragraph(text)) == f"<p>{shown(text)}</p>\n"
        assert PARSER.render(markdown.code(text)) == f"<p><code>{shown(text)}</code></p>\n"


@given(NASTY, NASTY)
def test_a_table_keeps_its_cells(one: str, other: str) -> None:
    rendered = PARSER.render(markdown.table((one, "b"), [[one, other], [markdown.code(one), "b"]]))
    cells = re.findall(r"<t[hd](?: [^>]*)?>(.*?)</t[hd]>", rendered, re.DOTALL)
    code = f"<code>{shown(one)}</code>" if shown(one) else ""
    assert cells == [shown(one), "b", shown(one), shown(other), code, "b"]


@given(NASTY, st.one_of(NASTY.map(safe_text.visible), st.binary().map(os.fsdecode)))
def test_a_link_is_one_link_and_a_picture_one_picture(words: str, target: str) -> None:
    for piece, tag in (
        (markdown.link(words, target), "<a "),
        (markdown.image(words, target), "<im"),
    ):
        rendered = PARSER.render(piece)
        assert rendered.count(tag) == 1
        assert len(re.findall(r"<(?!/?(?:p|em)>)", rendered)) == 1 + (tag == "<a ")


@given(NASTY)
def test_everything_in_a_line_can_be_seen(text: str) -> None:
    line = safe_text.one_line(text, 20)
    assert len(line) <= 20
    assert line == " ".join(line.split())
    assert not {unicodedata.category(letter) for letter in line} & {"Cc", "Cf", "Cs", "Zl", "Zp"}
    line.encode()
    assert safe_text.one_line(line, 20) == line


def test_directions_and_controls_are_written_out() -> None:
    assert safe_text.one_line("a\u202egnp.exe\x1b[2J\udcff") == r"a\u202egnp.exe\x1b[2J\udcff"
    assert safe_text.one_line("x" * 10**6, 5) == "xxxx…"


@given(st.one_of(NASTY, st.from_regex(r"'*[ \t]*[=+\-@＝]\w*", fullmatch=True)))
def test_no_cell_is_computed_and_all_come_back(text: str) -> None:
    stream = io.StringIO()
    csv.writer(stream).writerow([safe_text.to_cell(text), "x"])
    ((cell, _),) = csv.reader(io.StringIO(stream.getvalue(), newline=""))
    assert safe_text.from_cell(cell) == safe_text.one_line(text)
    if cell[:1] in tuple("=+-@＝＋－＠") and cell != "-":
        Decimal(cell)


@pytest.mark.parametrize("cell", ["-1.2", "+2.0", "-", "", "0", "-1e-5", "missing", "a=b", "'tis"])
def test_numbers_and_words_stay(cell: str) -> None:
    assert safe_text.to_cell(cell) == cell


@pytest.mark.parametrize("cell", ["=1+1", "+cmd|' /C calc'!A0", "-1+1", "@SUM(A1)", " =1", "\t=1"])
def test_formulas_become_text(cell: str) -> None:
    assert safe_text.to_cell(cell) == f"'{cell.strip()}"


@given(NASTY)
def test_latex_has_no_active_character(text: str) -> None:
    written = safe_text.latex(text)
    bare = re.sub(r"\\(?:[a-z]+(?:\{\})?|[&%_#${}])|\$\\pm\$", "", written)
    assert not set(bare) & set("\\&%_#${}~^<>|")
    assert "\n" not in written
