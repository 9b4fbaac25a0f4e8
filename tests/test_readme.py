import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


SOURCES = (".py", ".smk", ".h", ".cpp", ".cu", ".cuh")


def _lines(path: Path) -> int:
    files = [path] if path.is_file() else [p for p in path.rglob("*") if p.suffix in SOURCES]
    return sum(len(file.read_text(encoding="utf-8").splitlines()) for file in files)


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\]\(((?!http)[^)]+)\)", README))))
def test_links_lead_somewhere(target: str) -> None:
    assert (ROOT / target).exists(), f"README links to {target}"


def test_line_counts_are_about_right() -> None:
    rows = re.findall(r"^\| \[[^]]+\]\(([^)]+)\) \| (\d+) \|", README, re.MULTILINE)
    assert rows
    for target, printed in rows:
        actual = _lines(ROOT / target)
        assert 0.8 <= actual / int(printed) <= 1.25, f"{target} has {actual} lines, not {printed}"


def test_make_targets_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in set(re.findall(r"make (\w[\w-]*)", README)) - {"and"}:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), f"make {target}"


def test_the_two_commands_come_first() -> None:
    block = re.search(r"```\n(.*?)```", README, re.DOTALL)
    assert block is not None
    assert [line.split("#")[0].strip() for line in block.group(1).strip().splitlines()] == [
        "make reproduce",
        "make test",
    ]
