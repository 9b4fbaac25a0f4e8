"""Nobody reads what is half-written, and what a killed process left goes."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tips.records import atomic_path
from tips.temporaries import drop_links, hidden_name, sweep, sweep_beside, visible

ROOT = Path(__file__).parents[1]
NAMES = st.text("ab.1_", min_size=1, max_size=6).filter(lambda name: name.strip("."))
KILLED = (
    "import os, sys; from pathlib import Path; from tips.records import atomic_path\n"
    "with atomic_path(Path(sys.argv[1])) as file:\n"
    "    file.write_text('half'); print(os.getpid(), flush=True); os.kill(os.getpid(), 9)"
)


def killed_while_writing(path: Path) -> Path:
    """Kills a process that writes a file; returns the temporary file that is left."""
    words = [sys.executable, "-c", KILLED, str(path)]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    (left,) = path.parent.glob(f".*{done.stdout.strip()}*")
    return left


@pytest.mark.parametrize("name", ["a.json", "state.pt", "000012_mpii_train.json", "plain", "a.b.c"])
def test_what_a_killed_process_wrote_is_hidden_and_goes(tmp_path: Path, name: str) -> None:
    whole, other = tmp_path / "deep/er" / name, tmp_path / "deep/.keep.json"
    with atomic_path(whole) as file:
        file.write_text("whole")
    other.write_text("")
    left = killed_while_writing(whole)
    assert visible(tmp_path, "**/*") == [tmp_path / "deep", whole.parent, whole]
    assert sweep([tmp_path, tmp_path / "missing"]) == [left]
    assert not left.exists()
    assert whole.read_text() == "whole"
    assert other.exists()
    assert sweep([tmp_path]) == []


def test_what_a_live_process_writes_stays(tmp_path: Path) -> None:
    with atomic_path(tmp_path / "a.json") as file:
        file.write_text("half")
        assert sweep([tmp_path]) == []
    assert (tmp_path / "a.json").read_text() == "half"


def test_another_process_may_have_the_number_by_now(tmp_path: Path) -> None:
    """After a restart of the machine, numbers begin anew."""
    left = hidden_name(tmp_path / "a.json")
    left.write_text("half")
    before = time.time() - 1e6
    os.utime(left, (before, before))
    assert sweep([tmp_path]) == [left]


def test_links_are_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    left = killed_while_writing(outside / "a.json")
    (tmp_path / "results").mkdir()
    (tmp_path / "results/data").symlink_to(outside)
    assert sweep([tmp_path / "results"]) == []
    assert left.exists()


def test_links_that_were_planted_lead_nowhere(tmp_path: Path) -> None:
    """Under the hidden name of this very process, too."""
    outside, made = tmp_path / "outside", tmp_path / "results/table.csv"
    outside.mkdir()
    (outside / "mine").write_text("mine")
    (made.parent / "logs/deep").mkdir(parents=True)
    hidden_name(made).symlink_to(outside / "mine")
    with atomic_path(made) as temporary:
        temporary.write_text("new")
    assert (made.read_text(), made.is_symlink()) == ("new", False)
    (made.parent / "logs/deep/a.log").symlink_to(outside / "mine")
    (made.parent / "logs/folder").symlink_to(outside)
    (made.parent / "logs/own.log").write_text("own")
    (made.parent / "benchmarks").symlink_to(outside)
    for name in ("logs", "benchmarks", "nothing"):
        drop_links(made.parent / name)
    left = [path.name for path in sorted((made.parent).rglob("*")) if not path.is_dir()]
    assert left == ["own.log", "table.csv"]
    assert [(one.name, one.read_text()) for one in outside.iterdir()] == [("mine", "mine")]


@given(st.lists(st.tuples(NAMES, NAMES), max_size=8))
def test_hidden_means_a_dot_in_front_anywhere(
    tmp_path_factory: pytest.TempPathFactory, names: list[tuple[str, str]]
) -> None:
    folder = tmp_path_factory.mktemp("names") / ".in-a-hidden-folder"
    for one, two in names:
        (folder / one).mkdir(parents=True, exist_ok=True)
        (folder / one / two).touch()
    seen = {f"{one}/{two}" for one, two in names if one[0] != "." and two[0] != "."}
    found = visible(folder, "*/*")
    assert {path.relative_to(folder).as_posix() for path in found} == seen
    assert found == sorted(found)


def test_a_folder_that_a_pattern_names_is_not_hidden(tmp_path: Path) -> None:
    file = tmp_path / ".labels/val/a.json"
    file.parent.mkdir(parents=True)
    file.touch()
    assert visible(tmp_path, ".labels/*/*.json") == [file]
    assert visible(tmp_path, "*/*/*.json") == []
    assert visible(tmp_path / ".labels/val", "../*/*.json") != []


def test_only_what_a_killed_process_wrote_for_this_file_goes(tmp_path: Path) -> None:
    left, other = (killed_while_writing(tmp_path / name) for name in ("a[1].zip", "b.zip"))
    with atomic_path(tmp_path / "a[1].zip") as living:
        living.write_text("half")
        sweep_beside(tmp_path / "a[1].zip")
        assert living.is_file()
    assert other.is_file()
    assert not left.exists()
