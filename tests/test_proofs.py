"""Proofs that edits are harmless: where they count, and where they do not."""

from pathlib import Path
from typing import Any

import pytest

from tips.proofs import Pair, Proof, Run, add_proofs, proven, read_proofs
from tips.records import RecordError, write_json

TIPS: Run = ("tips", 0)
FILE, OTHER = "models/heads.py", "ops/crop.py"


def proof(*covers: Run, number: int = 0, **links: dict[str, Pair]) -> Proof:
    return Proof(
        run=(covers or (TIPS,))[0],
        covers=covers or (TIPS,),
        changes=links,
        tensors=7,
        checkpoint="c" * 64,
        commit=f"{number}" * 40,
        time="2026-11-22 10:00 UTC",
        seconds=1.5,
        machine="a test, 2 cores",
    )


A_B = proof(training={FILE: ("a", "b")}, number=1)
B_C = proof(training={FILE: ("b", "c")}, number=2)


def test_proofs_are_applied_in_order_each_to_what_the_one_before_left() -> None:
    then = {FILE: "a", OTHER: "x"}
    assert proven([A_B, B_C], "training", TIPS, then) == ({FILE: "c", OTHER: "x"}, B_C)
    assert then == {FILE: "a", OTHER: "x"}
    assert proven([B_C, A_B], "training", TIPS, then) == ({FILE: "b", OTHER: "x"}, A_B)
    assert proven([A_B, B_C], "training", TIPS, {FILE: "b"}) == ({FILE: "c"}, B_C)
    back = proof(training={FILE: ("c", "a")})
    assert proven([A_B, B_C, back], "training", TIPS, then) == (then, back)


@pytest.mark.parametrize(
    ("link", "run", "then"),
    [
        ("training", ("tips", 1), {FILE: "a"}),
        ("training", ("dcpose", 0), {FILE: "a"}),
        ("training", TIPS, {FILE: "z"}),
        ("training", TIPS, {OTHER: "a"}),
        ("predictions", TIPS, {FILE: "a"}),
    ],
)
def test_a_proof_counts_for_its_runs_its_link_and_the_code_that_it_began_with(
    link: str, run: Run, then: dict[str, str]
) -> None:
    assert proven([A_B], link, run, then) == (then, None)


def test_a_proof_of_several_files_counts_where_all_of_them_fit() -> None:
    both = proof(training={FILE: ("a", "b"), OTHER: ("x", "y")})
    assert proven([both], "training", TIPS, {FILE: "a", OTHER: "x"})[0] == {FILE: "b", OTHER: "y"}
    assert proven([both], "training", TIPS, {FILE: "a", OTHER: "w"}) == (
        {FILE: "a", OTHER: "w"},
        None,
    )


def test_files_may_come_and_go() -> None:
    moved = proof(training={FILE: ("a", None), OTHER: (None, "y")})
    assert proven([moved], "training", TIPS, {FILE: "a"}) == ({OTHER: "y"}, moved)
    there = {FILE: "a", OTHER: "x"}  # it was there before
    assert proven([moved], "training", TIPS, there) == (there, None)


def test_a_proof_without_changes_of_a_link_says_nothing_about_it() -> None:
    alone = proof(training={FILE: ("a", "b")}, predictions={})
    assert proven([alone], "predictions", TIPS, {FILE: "a"}) == ({FILE: "a"}, None)


def test_proofs_are_kept_in_the_order_in_which_they_were_made(tmp_path: Path) -> None:
    file = tmp_path / "proofs.json"
    assert read_proofs(file) == ()
    add_proofs(file, [A_B])
    add_proofs(file, [B_C])
    assert read_proofs(file) == (A_B, B_C)


@pytest.mark.parametrize(
    "spoilt",
    [
        {},
        "text",
        [{"run": ["tips", 0]}],
        [A_B.model_dump(mode="json") | {"tensors": "many"}],
        [A_B.model_dump(mode="json") | {"more": 1}],
        [A_B.model_dump(mode="json") | {"changes": {"training": {FILE: ["a"]}}}],
    ],
)
def test_malformed_proofs_are_one_line_with_the_remedy(tmp_path: Path, spoilt: Any) -> None:
    file = tmp_path / "proofs.json"
    write_json(spoilt, file)
    with pytest.raises(RecordError) as refused:
        read_proofs(file)
    message = str(refused.value)
    assert message.startswith(f"{file}: ")
    assert message.endswith("; remove it, and recheck again")
    assert "\n" not in message


def test_proofs_that_are_no_json_are_one_line(tmp_path: Path) -> None:
    file = tmp_path / "proofs.json"
    file.write_text('[{"run": ["ti')
    with pytest.raises(RecordError, match=r"^\S+proofs\.json: .+; remove it, and") as refused:
        read_proofs(file)
    assert "\n" not in str(refused.value)
