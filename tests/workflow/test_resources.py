"""What jobs ask a scheduler for: cards by the scale, and memory, time and cores in every rule."""

import re
from pathlib import Path

import pytest
from finished_study import REPOSITORY, snakemake

from tips import provenance
from tips.config import ConfigError
from tips.planning.resources import load_resources
from tips.planning.timetable import jobs_left

FILE = REPOSITORY / "workflow/resources.yaml"
ALONE = ("all",)  # a rule that runs nothing


def asked(*words: str, scale: str) -> list[tuple[str, dict[str, str]]]:
    """(rule, resources) of every job of a dry run."""
    shown = snakemake(REPOSITORY, "-n", *words, scale=scale)
    text = shown.stdout + shown.stderr
    assert shown.returncode == 0, text[-2000:]
    found = []
    for block in re.split(r"\n(?= *(?:local)?rule \w+:\n)", text):
        rule = re.search(r"^ *(?:local)?rule (\w+):$", block, re.MULTILINE)
        if rule:
            resources = re.search(r"^ *resources: (.*)$", block, re.MULTILINE)
            threads = re.search(r"^ *threads: (\d+)$", block, re.MULTILINE)
            pairs = re.findall(r"(\w+)=([^,]+)", resources.group(1) if resources else "")
            found.append((rule.group(1), {"cores": threads[1] if threads else "1", **dict(pairs)}))
    return found


@pytest.mark.slow
def test_every_machine_asks_for_cards_where_the_scale_needs_them() -> None:
    jobs = asked(scale="paper-posetrack17")
    trainings = [needs for rule, needs in jobs if rule == "train"]
    assert len(trainings) > 40
    for rule, needs in jobs:
        if rule in ALONE:
            continue
        assert int(needs["mem_mb"]) >= 1000, rule
        assert int(needs["runtime"]) >= 1, rule
        assert int(needs["cores"]) >= 1, rule
        needs_card = rule in ("train", "predict", "predict_detected", "speed")
        assert (int(needs.get("gpu", 0)) >= 1) == needs_card, rule
    assert sum(jobs_left("paper-posetrack17", "", 0).values()) == len(jobs)


@pytest.mark.slow
def test_another_scale_takes_the_card_of_this_machine_if_it_has_one() -> None:
    own = int(provenance.has_nvidia_driver())
    trainings = [needs for rule, needs in asked(scale="desk") if rule == "train"]
    assert {int(needs["gpu"]) for needs in trainings} == {own}


@pytest.mark.slow
def test_the_cpu_is_refused_where_a_card_is_needed() -> None:
    shown = snakemake(REPOSITORY, "device=cpu", "-n", scale="paper-posetrack17")
    assert shown.returncode == 2
    assert shown.stderr.count("error: ") == 1
    assert "computes on a card only; leave out device=cpu" in shown.stderr


def test_numbers_come_from_the_first_entry_that_has_them() -> None:
    table = load_resources(FILE)
    plain, full = (table.of("evaluate", card=card) for card in (False, True))
    assert plain.mem_mb < full.mem_mb
    assert table.of("evaluate_detected", card=True) == full
    assert table.of("a rule of tomorrow", card=False) == table.otherwise
    assert all(table.of(rule, card=True).runtime <= table.longest for rule in table.with_card)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("longest: 1440", "longest: long", "longest: Input should be a valid integer"),
        ("pack: {runtime: 60}", "pack: {minutes: 60}", "rules.pack.minutes: unknown key"),
        ("cores: 1,", "cores: 0,", "otherwise.cores: "),
    ],
)
def test_mistakes_in_the_table_are_named(tmp_path: Path, old: str, new: str, words: str) -> None:
    text = FILE.read_text()
    assert old in text
    file = tmp_path / "resources.yaml"
    file.write_text(text.replace(old, new, 1))
    with pytest.raises(ConfigError, match=f"^{re.escape(f'{file}: {words}')}"):
        load_resources(file)
