import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tips.records import RecordError
from tips.reporting import page
from tips.reporting.sections import Section
from tips.tables import markdown

PNG = b"\x89PNG\r\n\x1a\n"


def render(folder: Path, *bodies: str) -> str:
    sections = [Section(f"Part {k}: results", body) for k, body in enumerate(bodies)]
    return page.render(page.source("TIPS: scale a < b, dataset c", sections), folder)


def test_first_line_is_the_title_and_every_section_is_in_the_contents(tmp_path: Path) -> None:
    text = page.source("TIPS: scale a, dataset b", [Section("One", "x\n\n"), Section("Two", "y")])
    assert text.startswith("# TIPS: scale a, dataset b\n")
    html = page.render(text, tmp_path)
    for title in ("One", "Two"):
        assert f'<h2 id="{page.anchor(title)}">{title}</h2>' in html
        assert f'<a href="#{page.anchor(title)}">{title}</a>' in html


def test_title_is_escaped(tmp_path: Path) -> None:
    assert "<title>TIPS: scale a &lt; b, dataset c</title>" in render(tmp_path, "x")


def test_pictures_are_inside_the_page(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(PNG)
    html = render(tmp_path, markdown.image("A picture", "a.png"))
    assert re.findall(r'<img src="([^"]{22})', html) == ["data:image/png;base64,"]
    assert "<em>A picture</em>" in html


@pytest.mark.parametrize(("file", "words"), [("b.png", "does not exist"), ("b.gif", "one of")])
def test_a_picture_that_cannot_be_shown_is_refused(tmp_path: Path, file: str, words: str) -> None:
    with pytest.raises(RecordError, match=words):
        render(tmp_path, f"![x]({file})")


def test_tables_scroll_and_words_are_marked(tmp_path: Path) -> None:
    cells = ["+1.20 [+0.10, +2.30]", "not separable", "missing: not part of this scale", "a|b"]
    html = render(tmp_path, markdown.table(("a", "b", "c", "d"), [cells], "lr"))
    assert html.count('<div class="scroll"><table>') == html.count("</table></div>") == 1
    assert '<span class="word pale">not separable</span>' in html
    assert '<span class="word pale">missing</span>: not part of this scale' in html
    assert 'class="number">+1.20 [+0.10, +2.30]</td>' in html
    assert ">a|b</td>" in html
    assert "<td" in render(tmp_path, markdown.table(("a",), [["Fig. 4 shows OKS"]]))
    assert (
        "word"
        not in render(tmp_path, markdown.table(("a",), [["Fig. 4 shows OKS"]])).split("<main>")[1]
    )


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
    (tmp_path / "b.png").write_bytes(PNG)
    (folder / "linked.png").symlink_to(tmp_path / "b.png")
    (folder / "up").symlink_to(tmp_path)
    with pytest.raises(RecordError, match="lies outside"):
        render(folder, f"![x]({address})")


def test_a_picture_of_any_name_is_shown(tmp_path: Path) -> None:
    name = "a (1) [b] 50%25 \N{GREEK SMALL LETTER ALPHA} &lt;.png"
    (tmp_path / name).write_bytes(PNG)
    assert render(tmp_path, markdown.image("A picture", name)).count("data:image/png;base64,") == 1


@given(st.from_regex(r"[a-z]{0,10}:?/?/?[a-z.?#%0-9]{0,10}", fullmatch=True))
def test_links_lead_to_files_or_to_https(target: str) -> None:
    found = re.findall(r'<a href="([^#"][^"]*)"', render(Path(), f"[x](<{target}>)"))
    assert all(re.match(r"https:|(?!//|[a-z0-9+.-]+:)", one) for one in found)
    assert not target.startswith("https://a") or found


@pytest.mark.parametrize("host", ["127.0.0.1.x.org", "127.0.0.1@x.org:80", "x.org", "localhost:80"])
def test_links_to_this_machine_lead_nowhere_else(host: str) -> None:
    assert '<a href="http://127.0.0.1:5000/#/a">' in render(
        Path(), "[x](http://127.0.0.1:5000/#/a)"
    )
    assert f'href="http://{host}' not in render(Path(), f"[x](http://{host}/a)")
    assert 'href="http' not in render(Path(), f"[x](http://127.0.0.1:80@{host}/a)")


def test_the_page_has_a_policy_and_no_script(tmp_path: Path) -> None:
    html = render(tmp_path, "x")
    (policy,) = re.findall(r'<meta http-equiv="Content-Security-Policy" content="([^"]*)"', html)
    assert policy.startswith("default-src 'none';")
    assert "script" not in html.lower()
    assert "http" not in policy
