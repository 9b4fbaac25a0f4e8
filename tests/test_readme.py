"""README.md: its links, numbers and commands are those of the project."""

import json
import re
from pathlib import Path

import pytest

from tips import __main__ as main

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
REFERENCE, NIGHT = (
    (ROOT / "reports" / name / "report.md").read_text(encoding="utf-8")
    for name in ("reference", "reference-night")
)
SOURCES = (".py", ".smk", ".h", ".cpp", ".cu", ".cuh")
NUMBER = re.compile(r"[+-]?\d+(?:\.\d+)?(?: \[[^\]]+\])?")  # with its interval, where it has one


def _lines(path: Path) -> int:
    files = [path] if path.is_file() else [p for p in path.rglob("*") if p.suffix in SOURCES]
    return sum(len(file.read_text(encoding="utf-8").splitlines()) for file in files)


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\]\(((?!http)[^)]+)\)", README))))
def test_links_lead_somewhere(target: str) -> None:
    file, _, heading = target.partition("#")
    assert (ROOT / file).exists(), f"README links to {target}"
    if heading:
        titles = re.findall(r"^#+ (.*)$", (ROOT / file).read_text(encoding="utf-8"), re.MULTILINE)
        assert heading in {title.lower().replace(" ", "-") for title in titles}


def test_the_answer_is_the_reference_reports() -> None:
    """Every number of the sentences, with its interval, stands where the reports answer."""
    (sentence,) = re.findall(r"^\*\*The answer.*?(?=\n\n)", README, re.MULTILINE | re.DOTALL)
    said_at_desk, said_at_night = (
        text.split("## The answer in short\n")[1].split("\n### ")[0] for text in (REFERENCE, NIGHT)
    )
    said = set(NUMBER.findall(" ".join(sentence.split())))
    printed = set(NUMBER.findall(said_at_desk + said_at_night))
    assert len(said) >= 5
    assert said <= printed, f"the reference reports do not say {sorted(said - printed)}"


def test_the_second_study_agrees_as_often_as_it_says() -> None:
    (sentence,) = re.findall(r"^A second desk study.*?(?=\n\n)", README, re.MULTILINE | re.DOTALL)
    said = re.search(
        r"verdict on (\d+) of the (\d+) conclusions, all (\d+) that are shown among them; "
        r"no verdict turns around, and the other (\d+) are each undecided or equivalent in one",
        " ".join(sentence.split()),
    )
    assert said is not None
    first, again = (
        {
            (one["table"], one["part"], one["claim"]): one["verdict"]
            for one in json.loads((ROOT / "reports" / name / "numbers.json").read_text())[
                "conclusions"
            ]
        }
        for name in ("reference", "reference-again")
    )
    assert first.keys() == again.keys()
    pairs = [(first[claim], again[claim]) for claim in first]
    differ = [pair for pair in pairs if pair[0] != pair[1]]
    shown = [pair for pair in pairs if "shown" in pair]
    assert [int(number) for number in said.groups()] == [
        len(pairs) - len(differ),
        len(pairs),
        len(shown),
        len(differ),
    ]
    assert all(one == other for one, other in shown)
    assert all({"undecided", "equivalent"} & set(pair) for pair in differ)


def test_the_figure_is_the_reference_report_s() -> None:
    (figure,) = re.findall(r"^!\[[^]]+\]\(reports/reference/([^)]+)\)", README, re.MULTILINE)
    assert f"]({figure})" in REFERENCE


def test_line_counts_are_about_right() -> None:
    rows = re.findall(r"^\| \[[^]]+\]\(([^)]+)\) \| (\d+) \|", README, re.MULTILINE)
    assert rows
    for target, printed in rows:
        actual = _lines(ROOT / target)
        assert 0.8 <= actual / int(printed) <= 1.25, f"{target} has {actual} lines, not {printed}"


def test_make_targets_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in set(re.findall(r"\bmake (\w[\w-]*)", README)) - {"and"}:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), f"make {target}"


def test_the_two_commands_come_first() -> None:
    block = re.search(r"```\n(.*?)```", README, re.DOTALL)
    assert block is not None
    assert [line.split("#")[0].strip() for line in block.group(1).strip().splitlines()] == [
        "make reproduce",
        "make test",
    ]


def test_every_verb_of_the_command_is_listed() -> None:
    verbs = {
        command.name or getattr(command.callback, "__name__", "")
        for command in main.cli.registered_commands
    }
    table = README.split("## The `tips` command")[1].split("\n### ")[0]
    assert verbs == set(re.findall(r"`tips (\w+)", table.split("\n\n`make")[0])) - {"stages"}
