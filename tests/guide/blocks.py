"""The worked examples of CONTRIBUTING.md, as a reader copies and runs them."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
PYTHON = ".venv/bin/python"  # as the guide calls it
LANGUAGES = ("python", "yaml", "diff")
COPIED = ("tips", "experiments", "tests", "pyproject.toml")


def section(title: str) -> str:
    """The text of one example, by the title of its section."""
    (found,) = re.findall(rf"^### {title}\n(.*?)(?=^##)", GUIDE, re.MULTILINE | re.DOTALL)
    return str(found)


def fenced(text: str) -> list[tuple[str, str]]:
    """Language and content of every fenced block."""
    return re.findall(r"^```(\w+)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def blocks(text: str = GUIDE) -> dict[str, str]:
    """Every block of code by the file that its first line names."""
    found = {}
    for language, content in fenced(text):
        if language in LANGUAGES:
            name, _, _ = content.partition("\n")
            assert name.startswith("# "), f"a block of {language} names no file: {name}"
            assert name[2:] not in found, f"{name[2:]} stands twice in the guide"
            found[name[2:]] = content
    return found


def commands(title: str) -> list[list[str]]:
    """The commands of one example, each as its words behind the name of Python."""
    shell = [content for language, content in fenced(section(title)) if language == "sh"]
    found = [shlex.split(line, comments=True) for text in shell for line in text.splitlines()]
    assert found, f"{title}: no command"
    assert all(words[0] == PYTHON for words in found)
    return [words[1:] for words in found]


def copy_to(folder: Path) -> Path:
    """Copies what the examples add to."""
    ignored = shutil.ignore_patterns("__pycache__")
    folder.mkdir(parents=True, exist_ok=True)
    for name in COPIED:
        place = ROOT / name
        if place.is_dir():
            shutil.copytree(place, folder / name, ignore=ignored, dirs_exist_ok=True)
        else:
            shutil.copy(place, folder / name)
    return folder


def put(title: str, folder: Path) -> list[Path]:
    """Writes the files of one example into a copy, and changes those that a diff names."""
    written = []
    for name, content in blocks(section(title)).items():
        file = folder / name
        if file.is_file():
            file.write_text(changed(file.read_text(encoding="utf-8"), content), encoding="utf-8")
        else:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(content, encoding="utf-8")
        written.append(file)
    return written


def changed(text: str, diff: str) -> str:
    """Adds the lines of a diff, each behind the line that precedes it there."""
    lines = text.splitlines()
    place = 0
    for line in diff.splitlines()[1:]:
        mark, content = line[:1], line[1:]
        if mark == "+":
            lines.insert(place, content)
            place += 1
        else:
            assert mark == " ", f"only lines that are added can be shown: {line}"
            assert lines.count(content) == 1, f"the file must hold this line once: {content}"
            place = lines.index(content) + 1
    return "\n".join(lines) + "\n"


def python(folder: Path, *words: str) -> str:
    """Runs Python in a copy and gives what it prints."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    done = subprocess.run(
        [sys.executable, *words], cwd=folder, env=kept, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{' '.join(words)}\n{done.stdout}\n{done.stderr}"
    return done.stdout
