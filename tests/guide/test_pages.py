"""What README.md and CONTRIBUTING.md say of the code: folders, equations, words."""

import ast
import re

import pytest
from blocks import GUIDE, ROOT, blocks

from tips.tables.runs import Status

README = (ROOT / "README.md").read_text(encoding="utf-8")
PROSE = re.sub(r"^```(?!mermaid).*?^```$", "", README + GUIDE, flags=re.MULTILINE | re.DOTALL)
PLACES = re.findall(r"(?<![\w/])(?:tips|tests|workflow|experiments|csrc)/[\w./-]*", PROSE)
EQUATIONS = re.findall(r"^\| Eq\. ([\d, ]+) \| `([^`]+)` \|", GUIDE, re.MULTILINE)
GLOSSARY = GUIDE.split("## Glossary\n")[1].split("\n## ")[0]
WORDS = dict(re.findall(r"^\| ([a-z -]+) \| (.+) \|$", GLOSSARY, re.MULTILINE))


@pytest.mark.parametrize("place", sorted({place.rstrip(".") for place in PLACES}))
def test_a_place_that_is_named_exists(place: str) -> None:
    made = any(name.startswith(place) for name in blocks())  # by following an example
    assert made or (ROOT / place).exists()


def equations(text: str) -> set[int]:
    """The numbers behind every "Eq." of a text: "Eq. 4, 5 and 15", "Eq. 7-12"."""
    found: set[int] = set()
    for listed in re.findall(r"Eqs?\. (\d+(?:(?:-|, | / | and | with Eq\. )\d+)*)", text):
        for part in re.findall(r"\d+(?:-\d+)?", listed):
            first, _, last = part.partition("-")
            found |= set(range(int(first), int(last or first) + 1))
    return found


@pytest.mark.parametrize(("numbers", "file"), EQUATIONS)
def test_the_file_of_an_equation_says_so(numbers: str, file: str) -> None:
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef)
    texts = [ast.get_docstring(node) or "" for node in ast.walk(tree) if isinstance(node, kinds)]
    assert {int(number) for number in numbers.split(",")} <= equations("\n".join(texts))


def test_every_equation_of_the_paper_has_a_file() -> None:
    listed = {int(number) for numbers, _ in EQUATIONS for number in numbers.split(",")}
    assert listed == set(range(1, 16))


def test_every_state_of_a_row_is_in_the_glossary_and_in_the_readme() -> None:
    states = set(Status.__args__) - {"done", "published"} | {"published only"}
    assert states <= set(WORDS)
    for state in states:
        assert f"| *{state}* |" in README
    assert all(meaning.endswith(".") for word, meaning in WORDS.items() if word != "word")
