"""Writes the chain behind every number: which files it was computed from, and their states."""

import re
import shlex
from collections.abc import Iterator, Sequence
from typing import Final

from tips.chain import Judge, Link, together, whole
from tips.proofs import read_proofs
from tips.tables import markdown
from tips.tables.claims import ClaimRow
from tips.tables.compared import chain_place, key
from tips.tables.markdown import Linked, Markdown
from tips.tables.runs import Group, wanted
from tips.tables.sheet import Page, Section

TITLE: Final = "The chain behind every number"
DETAILS: Final = ("made", "data")  # first words of lines that are alike in most links
_LINKS: Final = re.compile(r"\[([^\]]*)\]\(#why-[^)]*\)")


def section(page: Page) -> Section:
    """Lists the links of every run, as `tips why` prints them, folded by variant."""
    judge = Judge(page.study, page.paths, read_proofs(page.paths.proofs), contents=False)
    parts = [
        _part(page, judge, group, seeds) for group, seeds in wanted(page.study, page.tables).items()
    ]
    body = (
        "Metrics come from predictions, these from a training, and that from its backbone and its "
        "data. Each line says whether a link is what the present code and configuration would "
        "give, as at the time of this page; the numbers of the tables lead here. Where and from "
        "what data a link was made stands where that differs from the one above. Files lie below "
        f"{markdown.code(str(page.paths.results))}. `tips why` also compares what is in them.\n\n"
    )
    return Section(TITLE, body + "\n".join(parts))


def _part(page: Page, judge: Judge, group: Group, seeds: int) -> str:
    runs = [judge.chain(group.variant, seed, group.boxes) for seed in range(seeds)]
    usual = group.boxes == page.study.scale.evaluation.boxes
    lines = [line.replace(f"({page.paths.results}/", "(") for line in _lines(runs)]
    body = f"{markdown.code(command(page, group.variant))}\n\n{markdown.listing(lines)}"
    place = chain_place(group.variant, None if usual else group.boxes)
    return markdown.folded(f"{group}: {together(map(whole, runs))}", body, place)


def _lines(runs: Sequence[Sequence[Link]]) -> Iterator[str]:
    """Writes the links of every run; those that all runs share come last, once.

    A commit, machine, data or configuration that is the same as that above is not repeated.
    """
    above: dict[str, str] = {}
    shared = [link for link in runs[0] if all(link in run for run in runs)] if runs[1:] else []
    for seed, links in enumerate(runs):
        yield f"seed {seed}:"
        yield from _news([link for link in links if link not in shared], above)
    if shared:
        yield "every seed:"
        yield from _news(shared, above)


def _news(links: Sequence[Link], above: dict[str, str]) -> Iterator[str]:
    """Writes links without the details that stand in `above`, by their first word."""
    for line in (line for link in links for line in link.lines):
        word = line.split()[0]
        if word not in DETAILS or above.get(word) != line:
            yield f"  {line}"
        above[word] = line


def command(page: Page, asked: str) -> str:
    """Writes the command that tells more of a variant or of a cell."""
    scale = page.study.scale
    words = ["tips", "why", asked, "--scale", scale.name]
    words += ["--root", scale.dataset.root] if scale.dataset.root else []
    return shlex.join(words)


def pair(page: Page, row: ClaimRow) -> Markdown:
    """Writes both rows of a conclusion; each leads to its chain, if this study has it."""
    table = page.tables.table(row.table)
    variants = {one.row: one.variant for one in table.rows}
    ends = []
    for name in (row.row, row.than):
        end, variant = key(name), variants.get(name)
        link = Linked(end, chain_place(str(variant), None), f"{table.roman} {end}").link
        ends.append(link if variant in page.study.variants else markdown.text(end))
    part = f", OKS of {row.part}" if row.part else ""
    return Markdown(" - ".join(ends) + part)


def without_links(text: str) -> str:
    """Writes a page whose numbers lead to no chain, because it has none."""
    return _LINKS.sub(r"\1", text)
