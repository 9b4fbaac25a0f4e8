"""Files that a user tells a command to write: judged first, followed, and streams as they are."""

import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tips.__main__ import STAGES as FOLDER
from tips.options import WRITES, argument_help
from tips.outputs import followed
from tips.records import RecordError, atomic
from tips.streams import is_stream, stream

REPOSITORY = Path(__file__).parents[1]
STAGES = sorted(file.stem for file in FOLDER.glob("[!_]*.py"))
PRINTS = """
from pathlib import Path
from tips.records import atomic
print("before")
with atomic(Path("{name}")) as file:
    file.write("written\\n")
print("after")
"""


@pytest.mark.parametrize("name", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"])
def test_what_is_redirected_to_a_file_keeps_its_order(tmp_path: Path, name: str) -> None:
    with (tmp_path / "all.txt").open("w") as out:
        done = subprocess.run(
            [sys.executable, "-c", PRINTS.format(name=name)],
            cwd=REPOSITORY,
            stdout=out,
            check=False,
        )
    assert done.returncode == 0
    assert (tmp_path / "all.txt").read_text() == "before\nwritten\nafter\n"


def test_links_of_a_user_are_followed(tmp_path: Path) -> None:
    link = tmp_path / "link.json"
    link.symlink_to("real.json")
    assert followed(link) == (tmp_path / "real.json").resolve()
    (tmp_path / "real.json").symlink_to("/dev/null")
    assert followed(link) == Path("/dev/null")
    assert followed(Path("/dev/stdout")) == Path("/dev/stdout")
    assert followed(tmp_path / "new.json") == tmp_path / "new.json"
    assert followed(None) is None


def test_a_loop_of_links_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(RecordError, match="is a link to itself; give another name"):
        followed(tmp_path / "a")


RUN = "results/x/runs/x/tips/seed-0/a.json"


@pytest.mark.parametrize("by_stage", [True, False])
@pytest.mark.parametrize(
    ("name", "for_stages"),
    [
        *(("experiments/a.json", False), (RUN, False), (".git/a.json", False), ("LICENSE", False)),
        *(("results/x/tables/a.json", True), ("reports/reference/a.json", True)),
        *(("results/a.json", True), ("elsewhere/a.md", False)),
    ],
)
def test_no_file_of_the_project_is_written_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, for_stages: bool, by_stage: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    assert followed(Path(name), by_stage=by_stage) == Path(name)  # what is new may be made
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    Path(name).write_text("mine")
    Path("link.json").symlink_to(name)
    for given in (Path(name), Path(name).absolute(), Path("link.json")):
        if for_stages and by_stage:
            assert followed(given, by_stage=True) is not None
        else:
            with pytest.raises(RecordError, match=r"; give another name$"):
                followed(given, by_stage=by_stage)


@pytest.mark.parametrize("name", ["mine.json", "results/cost/cost.json", "results/bench/a.json"])
def test_one_s_own_earlier_output_is_written_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    Path(name).write_text("earlier")
    assert followed(Path(name)) == Path(name)
    with pytest.raises(RecordError, match=r"exists, and is no \.csv file"):
        followed(Path(name), "csv")


@pytest.mark.parametrize("name", ["tips", ".git/hooks", "experiments/ablation", "."])
def test_no_folder_of_the_project_is_written_into(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(name).mkdir(parents=True, exist_ok=True)
    for by_stage in (True, False):
        with pytest.raises(RecordError, match="is a part of the project"):
            followed(Path(name), "out", by_stage=by_stage)
    assert followed(Path("mine"), "out") == Path("mine")


def test_every_stage_s_output_is_judged() -> None:
    """By the first word of its help, which is a second list nowhere."""
    for name in STAGES:
        run = importlib.import_module(f"tips.stages.{name}").run
        for option, told in argument_help(run).items():
            if option in ("json", "csv", "report", "out"):
                assert WRITES.match(told), (name, option)


@pytest.mark.parametrize("name", ["/dev/null/a.json", "file/a.json", "."])
def test_a_place_that_cannot_be_written_is_refused_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    with pytest.raises(RecordError):
        followed(Path(name))


def test_a_pipe_that_nobody_reads_does_not_wait_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tips.streams.PATIENCE", 0.1)
    os.mkfifo(tmp_path / "table.csv")
    with pytest.raises(OSError, match=r"table\.csv"), atomic(tmp_path / "table.csv"):
        pass


def test_a_link_among_results_is_no_stream(tmp_path: Path) -> None:
    (tmp_path / "table.csv").symlink_to("/dev/zero")
    assert not is_stream(tmp_path / "table.csv")
    with atomic(tmp_path / "table.csv") as file:
        file.write("new")
    assert (tmp_path / "table.csv").read_text() == "new"


def test_a_device_takes_what_is_written() -> None:
    with stream(Path("/dev/null")) as file:
        file.write("gone")
    with pytest.raises(OSError, match="No space left"), atomic(Path("/dev/full")) as file:
        file.write("lost")
