"""The repository's own finished smoke study, copied to be edited, and what an edit leads to."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
STUDY = "smoke-embedded"
CODE = ("tips", "csrc", "workflow", "experiments", "environment.yml", "requirements.lock")
# Says of every run whose training is not current what changed, without importing torch.
STALE = """
import json, sys
from pathlib import Path
from tips.chain import Judge
from tips.config import load_study
from tips.paths import study_paths
from tips.proofs import read_proofs
study = load_study("smoke", Path("experiments"))
paths = study_paths(study.scale)
judge = Judge(study, paths, read_proofs(paths.proofs), contents=False)
links = {name: judge.training(name, 0) for name in study.variants} | {"vfit": judge.interpolator()}
assert "torch" not in sys.modules
print(json.dumps({name: link.words for name, link in links.items() if link.state == "stale"}))
"""


def snakemake(folder: Path, *words: str, scale: str = "smoke") -> subprocess.CompletedProcess[str]:
    """Runs the console script as users call it, without this repository on the path."""
    command = [str(Path(sys.executable).with_name("snakemake")), "--config", f"scale={scale}"]
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "COLUMNS")}
    return subprocess.run(
        [*command, *words], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def jobs(folder: Path, *words: str, targets: Sequence[str] = ()) -> Counter[tuple[str, str]]:
    """(rule, variant) of every job that a dry run announces; variant is '' where there is none."""
    shown = snakemake(folder, *words, "-n", *(["--", *targets] if targets else []))
    text = shown.stdout + shown.stderr
    assert shown.returncode == 0, text
    found: Counter[tuple[str, str]] = Counter()
    # On a cluster some jobs are groups, whose rules a dry run shows indented.
    for block in re.split(r"\n(?= *(?:local)?rule \w+:\n)", text):
        rule = re.search(r"^ *(?:local)?rule (\w+):$", block, re.MULTILINE)
        variant = re.search(r"wildcards: .*variant=([\w-]+)", block)
        if rule:
            found[rule.group(1), variant.group(1) if variant else ""] += 1
    if not found:
        assert "Nothing to be done" in text
    return found


def rules(found: Counter[tuple[str, str]]) -> set[str]:
    return {rule for rule, _ in found}


def of_variants(found: Counter[tuple[str, str]]) -> dict[tuple[str, str], int]:
    return {key: count for key, count in found.items() if key[1]}


def stale(folder: Path) -> dict[str, str]:
    """Why the training of each variant is stale, by its name; only of those that are."""
    done = subprocess.run(
        [sys.executable, "-c", STALE], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, str] = json.loads(done.stdout)
    return found


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text, f"{path} holds no {old!r}"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def _link(source: str, target: str) -> None:
    """Heavy files are shared with the original, which no test writes to in place."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def copy_code(source: Path, target: Path) -> None:
    """Copies the code, without what is compiled from it."""
    for name in CODE:
        if (source / name).is_dir():
            ignored = shutil.ignore_patterns("__pycache__", "build")
            shutil.copytree(source / name, target / name, ignore=ignored)
        else:
            shutil.copy2(source / name, target / name)


def copy_study(source: Path, target: Path) -> None:
    """Copies the code, and the study with its files shared."""
    copy_code(source, target)
    for name in (f"results/{STUDY}", f"reports/{STUDY}", "results/assets", "results/cost"):
        shutil.copytree(source / name, target / name, copy_function=_link)
    ignored = shutil.ignore_patterns("log", "locks", "incomplete")
    shutil.copytree(source / ".snakemake", target / ".snakemake", ignore=ignored)
