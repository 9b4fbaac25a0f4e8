"""What a reader does with the report, done in a real browser; and the report without its script."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from check_skips import browser
from devtools import Tab, tab
from PIL import Image

from tips.reporting import page
from tips.tables import markdown
from tips.tables.markdown import Linked
from tips.tables.sheet import Section

pytestmark = pytest.mark.skipif(browser() is None, reason="no chromium")
COMMAND = "tips why tips --scale smoke"
LINES = ["seed 0:", "  metrics: current (runs/tips/seed-0/metrics.json)", "    <b>made</b> at abc"]
GAINS = [
    ["(a)", "wide", Linked("9.50 (3)", "why-tips", "II (a)"), "+1.00 [+0.10, +1.90] above"],
    ["(b)", "narrow", Linked("10.00 (3)", "why-tips", "II (b)"), "-2.00 [-4.00, +1.00] undecided"],
    ["(c)", "missing one", "missing", ""],
    ["(d)", "other", Linked("-3.10 (3)", "why-tips"), "+0.20 [-0.10, +0.50] not separable"],
]
MORE = [[f"n{k}", str(1000 - k)] for k in range(60)]
FAR = "\n\n".join(f"Paragraph {k}." for k in range(300))


def written(folder: Path) -> Path:
    """Writes a small report with every kind of part that the script changes."""
    for name, colour in (("first", "red"), ("last", "blue")):
        Image.new("RGB", (1200, 900), colour).save(folder / f"{name}.png")
    sections = [
        Section("The answer", markdown.image("First", "first.png")),
        Section("Table II: rows", markdown.table(("", "setting", "ours", "gain"), GAINS, "llrl")),
        Section("More", markdown.folded("Rows", markdown.table(("n", "value"), MORE, "lr"))),
        Section("Pictures", f"{FAR}\n\n{markdown.image('Last', 'last.png')}"),
        Section(
            "The chain",
            markdown.folded("tips", f"`{COMMAND}`\n\n{markdown.listing(LINES)}", "why-tips"),
        ),
    ]
    file = folder / "index.html"
    file.write_text(page.render(page.source("A report", sections), folder), encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Tab, Path]]:
    folder = tmp_path_factory.mktemp("browser")
    with tab(folder) as one:
        yield one, written(folder)


@pytest.fixture
def seen(shared: tuple[Tab, Path]) -> Iterator[Tab]:
    """The report just opened; nothing may be said on the console until the test's end."""
    one, file = shared
    one.said.clear()
    one.look(1400)
    one.open(file.as_uri())
    one.value("localStorage.clear()")
    one.open(file.as_uri())
    yield one
    assert one.said == []


def keys(seen: Tab) -> list[str]:
    """The first cells of the rows of Table II that are seen, from top to bottom."""
    rows = "[...document.querySelectorAll('#table-ii-rows ~ .scroll table')][0].tBodies[0].rows"
    return list(
        seen.value(f"[...{rows}].filter((row) => !row.hidden).map((r) => r.cells[0].textContent)")
    )


def head(column: int) -> str:
    return f"#table-ii-rows ~ .scroll th:nth-child({column}) button"


def sorted_by(seen: Tab) -> list[str]:
    return list(
        seen.value(
            "[...document.querySelectorAll('#table-ii-rows ~ .scroll th')].slice(0, 4)"
            ".map((one) => one.ariaSort)"
        )
    )


def test_a_column_sorts_up_down_and_back(seen: Tab) -> None:
    for order, wanted in (
        ("ascending", ["(d)", "(a)", "(b)", "(c)"]),
        ("descending", ["(b)", "(a)", "(d)", "(c)"]),
        ("none", ["(a)", "(b)", "(c)", "(d)"]),
    ):
        seen.click(head(3))
        assert keys(seen) == wanted
        assert sorted_by(seen) == ["none", "none", order, "none"]
    seen.click(head(3))
    seen.click(head(2))
    assert sorted_by(seen) == ["none", "ascending", "none", "none"]
    assert keys(seen) == ["(c)", "(b)", "(d)", "(a)"]  # missing, narrow, other, wide


def test_the_keyboard_sorts_too(seen: Tab) -> None:
    seen.value(f"document.querySelector('{head(4)}').focus()")
    seen.press("Enter")
    assert keys(seen) == ["(b)", "(d)", "(a)", "(c)"]
    outline = seen.value("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"


def test_the_filter_leaves_rows_with_all_words(seen: Tab) -> None:
    seen.press("/")
    seen.press(*"3) wide")
    assert keys(seen) == ["(a)"]
    assert seen.value("document.getElementById('count').textContent") == "1 of 64 rows"
    assert seen.value("document.querySelectorAll('.scroll.empty').length") == 1
    seen.value("document.getElementById('filter').select()")
    seen.press(*"n59")
    assert keys(seen) == []
    assert seen.value("document.querySelector('#more + details').open") is True
    seen.value(
        "filter.value = ''; filter.dispatchEvent(new Event('input'))".replace(
            "filter", "document.getElementById('filter')"
        )
    )
    assert len(keys(seen)) == len(GAINS)
    assert seen.value("document.querySelector('#more + details').open") is False


def test_undecided_rows_can_be_hidden(seen: Tab) -> None:
    seen.click("#decided")
    assert keys(seen) == ["(a)", "(c)"]
    seen.click("#decided")
    assert len(keys(seen)) == len(GAINS)


def test_a_number_opens_its_chain_and_the_command_can_be_copied(seen: Tab) -> None:
    seen("Browser.grantPermissions", permissions=["clipboardReadWrite", "clipboardSanitizedWrite"])
    for row, command in ((1, 'tips why "II (a)" --scale smoke'), (4, COMMAND)):
        seen.click(f"#table-ii-rows ~ .scroll tr:nth-child({row}) td:nth-child(3) a")
        assert seen.value("document.getElementById('chain').open")
        assert seen.value("document.querySelector('#chain code').textContent") == command
        shown = seen.value("document.querySelector('#chain pre').textContent")
        assert shown.splitlines() == LINES
        seen.click("#chain .copy")
        seen.wait("document.querySelector('#chain output').textContent === 'copied'")
        assert seen.value("navigator.clipboard.readText()") == command
        seen.press("Escape")
        assert not seen.value("document.getElementById('chain').open")
        assert seen.value("document.activeElement.hash") == "#why-tips"


def test_without_a_clipboard_the_command_is_marked(seen: Tab) -> None:
    seen.value("navigator.clipboard.writeText = () => Promise.reject(new Error('no'))")
    seen.click("#table-ii-rows ~ .scroll tr:nth-child(1) td:nth-child(3) a")
    seen.click("#chain .copy")
    seen.wait("document.querySelector('#chain output').textContent.includes('Ctrl+C')")
    assert seen.value("String(getSelection())") == 'tips why "II (a)" --scale smoke'
    seen.click("#chain form button")
    assert not seen.value("document.getElementById('chain').open")


def test_every_place_has_a_sign_that_leads_to_it(seen: Tab) -> None:
    places = seen.value(
        "[...document.querySelectorAll('main :is(h2, h3, tbody tr, figure)')]"
        ".map((one) => [one.id, one.querySelector('.sign')?.getAttribute('href')])"
    )
    assert len(places) > 60
    assert all(place and sign == f"#{place}" for place, sign in places)
    seen.click("#decided")
    seen.value("location.hash = '#table-ii-b'")
    assert "(b)" in keys(seen)  # a row that was hidden is shown when a link leads to it


def test_arrow_keys_move_within_a_table(seen: Tab) -> None:
    def place() -> list[str]:
        return list(
            seen.value("[document.activeElement.hash, document.activeElement.closest('tr').id]")
        )

    stops = "document.querySelectorAll('#table-ii-rows + .scroll tbody a[tabindex=\"0\"]').length"
    assert seen.value(stops) == 1
    seen.value("document.querySelector('#table-ii-a .sign').focus()")
    seen.press("ArrowRight")
    assert place() == ["#why-tips", "table-ii-a"]
    seen.press("ArrowDown")
    assert place() == ["#why-tips", "table-ii-b"]
    seen.press("ArrowUp", "ArrowLeft")
    assert place() == ["#table-ii-a", "table-ii-a"]
    assert seen.value(stops) == 1
    seen.press("ArrowRight", "Enter")
    assert seen.value("document.getElementById('chain').open")


def test_everything_is_reached_with_the_tab_key(seen: Tab) -> None:
    reached = []
    for _ in range(40):
        seen.press("Tab")
        reached.append(seen.value("document.activeElement.outerHTML.slice(0, 60)"))
    text = "\n".join(reached)
    for wanted in ('class="skip"', 'id="filter"', 'id="decided"', 'id="dark"', "<summary>"):
        assert wanted in text
    assert text.index('class="skip"') < text.index('id="filter"') < text.index("<summary>Rows")


PAPER = "getComputedStyle(document.body).backgroundColor"
LIGHT, DARK = "rgb(255, 255, 255)", "rgb(17, 24, 39)"


def test_colours_are_the_systems_until_one_chooses(seen: Tab, shared: tuple[Tab, Path]) -> None:
    for colours, wanted in (("dark", DARK), ("light", LIGHT)):
        seen.look(1400, colours=colours)
        assert seen.value(PAPER) == wanted
        pressed = str(colours == "dark").lower()
        seen.wait(f"document.getElementById('dark').ariaPressed === '{pressed}'")
    seen.click("#dark")
    assert seen.value(PAPER) == DARK
    assert seen.value("getComputedStyle(document.querySelector('img')).backgroundColor") == LIGHT
    seen.open(shared[1].as_uri())
    assert seen.value(PAPER) == DARK  # it is remembered
    seen.click("#dark")
    assert seen.value(PAPER) == LIGHT


@pytest.mark.parametrize("width", [360, 1400])
@pytest.mark.parametrize("colours", ["light", "dark"])
def test_the_page_is_never_wider_than_the_window(seen: Tab, width: int, colours: str) -> None:
    seen.look(width, colours=colours)
    for part in ("document.documentElement", "document.querySelector('main')"):
        assert seen.value(f"{part}.scrollWidth <= {part}.clientWidth")
    box = "document.querySelector('#table-ii-rows + .scroll')"
    overflow = seen.value(
        f"[{box}.scrollWidth > {box}.clientWidth, getComputedStyle({box}).overflowX]"
    )
    assert overflow == [width == 360, "auto"]


def test_pictures_are_decoded_when_they_are_looked_at(seen: Tab, shared: tuple[Tab, Path]) -> None:
    assert seen.value("document.getElementById('figure-last').getBoundingClientRect().top") > 9000
    opening = seen.traced(lambda: seen.open(shared[1].as_uri()))
    assert opening.count("Decode Image") == 1
    going = seen.traced(
        lambda: seen.value("document.getElementById('figure-last').scrollIntoView()")
    )
    assert going.count("Decode Image") == 1


def test_without_its_script_the_page_is_whole(seen: Tab, shared: tuple[Tab, Path]) -> None:
    seen.look(1400, script=False)
    seen.open(shared[1].as_uri())
    try:
        text = seen.value("document.querySelector('main').textContent")
        for row in (*GAINS, *MORE):
            assert all(cell in text for cell in row)
        assert COMMAND in text
        assert all(line in text for line in LINES)
        for hidden in (".tools", "dialog"):
            style = f"getComputedStyle(document.querySelector('{hidden}')).display"
            assert seen.value(style) == "none"
        seen.click("#table-ii-rows + .scroll td a")  # the link leads to the chain, and opens it
        assert seen.value("document.getElementById('why-tips').closest('details').open")
    finally:
        seen.look(1400)
