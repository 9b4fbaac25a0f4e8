import base64
import hashlib
import io
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tips.records import RecordError
from tips.reporting import page, places, style
from tips.reporting.compact import LEVELS
from tips.reporting.script import SCRIPT
from tips.reporting.sections import Section
from tips.tables import markdown


def drawn(file: Path, colours: int = 2, size: tuple[int, int] = (300, 200)) -> None:
    """Writes a picture of this many colours."""
    pixels = np.arange(size[0] * size[1]).reshape(size[::-1]) % colours
    Image.fromarray(np.stack([pixels % 251, pixels // 251, pixels % 7], -1).astype("u1")).save(file)


def render(folder: Path, *bodies: str) -> str:
    sections = [Section(f"Part {k}: results", body) for k, body in enumerate(bodies)]
    return page.render(page.source("TIPS: scale a < b, dataset c", sections), folder)


def test_first_line_is_the_title_and_every_section_is_in_the_contents(tmp_path: Path) -> None:
    text = page.source("TIPS: scale a, dataset b", [Section("One", "x\n\n"), Section("Two", "y")])
    assert text.startswith("# TIPS: scale a, dataset b\n")
    html = page.render(text, tmp_path)
    for title in ("One", "Two"):
        assert f'<h2 id="{places.anchor(title)}">{title}</h2>' in html
        assert f'<a href="#{places.anchor(title)}">{title}</a>' in html


def test_title_is_escaped(tmp_path: Path) -> None:
    assert "<title>TIPS: scale a &lt; b, dataset c</title>" in render(tmp_path, "x")


def held(page: str) -> list[Image.Image]:
    """The pictures inside a page."""
    found = re.findall(r'<img [^>]*src="data:image/webp;base64,([^"]*)"', page)
    return [Image.open(io.BytesIO(base64.b64decode(one))) for one in found]


@pytest.mark.parametrize("colours", [2, 50_000])
def test_pictures_are_inside_the_page_and_wait_until_they_are_seen(
    tmp_path: Path, colours: int
) -> None:
    drawn(tmp_path / "a.png", colours)
    html = render(tmp_path, markdown.image("A picture", "a.png"))
    (picture,) = held(html)
    original = np.asarray(Image.open(tmp_path / "a.png"), dtype=float)
    assert np.abs(np.asarray(picture.convert("RGB")) - original).mean() < (1 if colours < 9 else 20)
    assert '<figure id="figure-a">' in html
    assert "<figcaption>A picture</figcaption>" in html
    (tag,) = re.findall(r"<img [^>]*>", html)
    assert 'loading="lazy" decoding="async"' in tag
    assert 'width="300" height="200"' in tag


def test_a_wide_picture_is_scaled_and_a_damaged_one_is_named(tmp_path: Path) -> None:
    drawn(tmp_path / "a.png", size=(2800, 100))
    assert [one.size for one in held(render(tmp_path, "![x](a.png)"))] == [(1400, 50)]
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(RecordError, match=r"a\.png: not a picture .* draw it again"):
        render(tmp_path, "![x](a.png)")


def test_pictures_get_smaller_where_the_page_would_be_heavy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn(tmp_path / "a.png", 50_000, (1200, 600))
    usual = len(render(tmp_path, "![x](a.png)").encode())
    sizes = []
    for limit in (usual, 1):
        monkeypatch.setattr(page, "LIGHT", limit)
        (picture,) = held(render(tmp_path, "![x](a.png)"))
        sizes.append(picture.width)
    assert sizes == [LEVELS[0].photo, LEVELS[-1].photo]
    assert sorted(LEVELS, key=lambda one: one.photo, reverse=True) == list(LEVELS)


def test_a_drawing_is_taken_from_its_pixels(tmp_path: Path) -> None:
    (tmp_path / "a.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    assert "data:image/svg+xml;base64," in render(tmp_path, "![x](a.svg)")
    drawn(tmp_path / "a.png")
    assert [one.size for one in held(render(tmp_path, "![x](a.svg)"))] == [(300, 200)]
    (tmp_path / "a.png").rename(tmp_path.parent / "b.png")
    (tmp_path / "a.png").symlink_to(tmp_path.parent / "b.png")
    with pytest.raises(RecordError, match="lies outside"):
        render(tmp_path, "![x](a.svg)")


@pytest.mark.parametrize(("file", "words"), [("b.png", "does not exist"), ("b.gif", "one of")])
def test_a_picture_that_cannot_be_shown_is_refused(tmp_path: Path, file: str, words: str) -> None:
    with pytest.raises(RecordError, match=words):
        render(tmp_path, f"![x]({file})")


def test_tables_scroll_and_words_are_marked(tmp_path: Path) -> None:
    cells = ["+1.20 [+0.10, +2.30]", "not separable", "missing: not part of this scale", "a|b"]
    html = render(tmp_path, markdown.table(("a", "b", "c", "d"), [cells], "lr"))
    assert html.count('<div class="scroll"><table>') == html.count("</table></div>") == 1
    assert '<span class="word verdict pale">not separable</span>' in html
    assert '<span class="word pale">missing</span>: not part of this scale' in html
    assert '<td class="n">+1.20 [+0.10, +2.30]</td>' in html
    assert "style=" not in html
    assert ">a|b</td>" in html
    assert "<td" in render(tmp_path, markdown.table(("a",), [["Fig. 4 shows OKS"]]))
    page = render(tmp_path, markdown.table(("a",), [["Fig. 4 shows OKS"]]))
    assert 'class="word' not in page
    linked = markdown.Linked("36.00 (1)", "why-tips", "II (e)")
    page = render(tmp_path, markdown.table(("a", "b"), [["x", linked]], "lr"))
    assert '<td class="r n"><a href="#why-tips" title="II (e)">36.00 (1)</a></td>' in page


def test_every_row_heading_and_figure_has_an_address_of_its_own(tmp_path: Path) -> None:
    drawn(tmp_path / "a b.png")
    rows = [["II", "x beats y", "1"], ["II", "y beats x", "2"], ["III", "x beats y", "3"]]
    body = markdown.table(("table", "says", "n"), rows) + "\n### Fig. 4\n\n"
    body += markdown.image("A picture", "a b.png")
    html = render(tmp_path, body, body, markdown.table(("a",), [["x"], ["x"], ["filter"]]))
    ids = re.findall(r' id="([^"]*)"', html)
    assert len(set(ids)) == len(ids)
    assert {"part-0-ii-x-beats-y", "part-0-iii-x-beats-y", "fig-4", "figure-a-20b"} < {*ids}
    assert html.count("<tr id=") == 9
    # A row keeps its address if others come or go.
    fewer = render(tmp_path, markdown.table(("table", "says", "n"), [rows[0], rows[2], rows[1]]))
    assert {"part-0-ii-x-beats-y", "part-0-ii-y-beats-x"} < {*re.findall(r'id="([^"]*)"', fewer)}


def test_a_folded_part_has_only_an_address_of_ours(tmp_path: Path) -> None:
    html = render(tmp_path, markdown.folded("More", "x", "why-tips.v2"))
    assert '<details><summary>More</summary><a id="why-tips.v2"></a>' in html
    said = '<details><summary>More</summary><a id="report"></a>'
    assert "&lt;details&gt;" in render(tmp_path, said)


def test_folded_parts_keep_their_tables(tmp_path: Path) -> None:
    inner = markdown.table(("a",), [["1"]])
    html = render(tmp_path, markdown.folded("More", inner))
    assert re.search(r"<details><summary>More</summary>.*<table>.*</details>", html, re.DOTALL)


ADDRESSES = (
    "../b.png",
    "/etc/b.png",
    "linked.png",
    "figures/../../b.png",
    "%2e%2e/b.png",
    "up/b.png",
)


@pytest.mark.parametrize("address", ADDRESSES)
def test_a_picture_outside_the_folder_is_refused(tmp_path: Path, address: str) -> None:
    folder = tmp_path / "reports"
    (folder / "figures").mkdir(parents=True)
    drawn(tmp_path / "b.png")
    (folder / "linked.png").symlink_to(tmp_path / "b.png")
    (folder / "up").symlink_to(tmp_path)
    with pytest.raises(RecordError, match="lies outside"):
        render(folder, f"![x]({address})")


def test_a_picture_of_any_name_is_shown(tmp_path: Path) -> None:
    name = "a (1) [b] 50%25 \N{GREEK SMALL LETTER ALPHA} &lt;.png"
    drawn(tmp_path / name)
    assert len(held(render(tmp_path, markdown.image("A picture", name)))) == 1


@given(st.from_regex(r"[a-z]{0,10}:?/?/?[a-z.?#%0-9]{0,10}", fullmatch=True))
def test_links_lead_to_files_or_to_https(target: str) -> None:
    found = re.findall(r'<a href="([^#"][^"]*)"', render(Path(), f"[x](<{target}>)"))
    assert all(re.match(r"https:|(?!//|[a-z0-9+.-]+:)", one) for one in found)
    assert not target.startswith("https://a") or found


def test_the_policy_lets_the_page_s_own_script_run_and_nothing_else(tmp_path: Path) -> None:
    html = render(tmp_path, "x <script>alert(1)</script>")
    (policy,) = re.findall(r'<meta http-equiv="Content-Security-Policy" content="([^"]*)"', html)
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    (script,) = re.findall(r"<script>(.*?)</script>", html, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert rules["script-src"] == f"'sha256-{digest}'"
    assert "http" not in policy
    assert not re.search(r"\bon\w+=", html)


def test_the_script_writes_no_markup_and_asks_for_nothing() -> None:
    for word in ("innerHTML", "outerHTML", "insertAdjacent", "write(", "eval", "Function("):
        assert word not in SCRIPT
    for word in ("fetch", "XMLHttp", "import", "src", "http", "</", "<!--"):
        assert word not in SCRIPT


def test_the_frame_loads_nothing() -> None:
    frame = style.frame("x", "", "")
    assert not re.search(r"url\(|@import|<link|src=", frame.replace("img-src", ""))
