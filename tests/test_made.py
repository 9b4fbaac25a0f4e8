"""Records that travel with results, on a workflow of three rules with files above 1 MB."""

import json
import os
import random
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
SNAKEFILE = f"""
import sys
sys.path.insert(0, {str(REPOSITORY)!r})
from pathlib import Path
from tips.made import Keeper

ROOT = Path(config["root"])
RECORDS = Keeper(workflow, Path("results/made.json"), ROOT)

onstart:
    RECORDS.begin()
onsuccess:
    RECORDS.keep()
onerror:
    RECORDS.keep()

rule all:
    input:
        "results/b.txt", "results/c.txt",
        lambda wildcards: [one.file for one in RECORDS.missing()],
rule a:
    input: ROOT / "given.bin"
    output: "results/a-{{n}}.bin", "results/a-{{n}}.log"
    params: number=config.get("number", 1)
    wildcard_constraints: n="[12]"
    shell:
        "test ! -e broken-{{wildcards.n}} || eval $(cat broken-{{wildcards.n}}); "
        "cp {{input}} {{output[0]}}; echo {{params.number}} > {{output[1]}}"
rule b:
    input: "results/a-1.bin"
    output: "results/b.txt"
    shell: "wc -c {{input}} > {{output}}"
rule c:
    input: "results/a-2.bin"
    output: "results/c.txt"
    shell: "test ! -e broken && wc -c {{input}} > {{output}}"

refused = RECORDS.recall()
if refused:
    print(refused, file=sys.stderr)
"""
NOTHING = "Nothing to be done"

pytestmark = pytest.mark.slow


def snakemake(folder: Path, *words: str) -> str:
    command = [str(Path(sys.executable).with_name("snakemake")), "--config", "root=data", *words]
    shown = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return shown.stdout + shown.stderr


def planned(folder: Path, *words: str) -> set[str]:
    text = snakemake(folder, *words, "-n")
    found = set(re.findall(r"^(?:local)?rule (\w+):$", text, re.MULTILINE))
    assert found or NOTHING in text, text
    return found - {"all"}


def clone(folder: Path, data: str = "data") -> Path:
    """What a fresh clone holds."""
    folder.mkdir()
    (folder / "Snakefile").write_text(SNAKEFILE)
    profile = (REPOSITORY / "workflow/profiles/default/config.yaml").read_text().splitlines(True)
    (folder / "profiles/default").mkdir(parents=True)
    # Its timers are stopped by the project's own Snakefile alone.
    kept = [line for line in profile if not line.startswith("max-jobs-per-timespan")]
    (folder / "profiles/default/config.yaml").write_text("".join(kept))
    (folder / data).mkdir()
    (folder / data / "given.bin").write_bytes(b"x" * 2_000_000)
    return folder


def forget_times(folder: Path) -> None:
    for file in folder.rglob("*"):
        if file.is_file() and ".snakemake" not in file.parts:
            time = random.randint(10**9, 10**9 + 10**6)
            os.utime(file, (time, time))


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = clone(tmp_path_factory.mktemp("made") / "finished")
    assert "(100%) done" in snakemake(folder)
    assert (folder / "results/made.json").is_file()
    return folder


@pytest.fixture
def handed(finished: Path, tmp_path: Path) -> Path:
    """A fresh clone that got the results, and their times lost."""
    folder = clone(tmp_path / "handed")
    shutil.copytree(finished / "results", folder / "results", copy_function=shutil.copyfile)
    forget_times(folder)
    return folder


def test_a_copy_without_its_times_is_current(finished: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(finished, copy)
    for _ in range(4):
        forget_times(copy)
        assert not planned(copy)
    assert not planned(copy, "--cores", "2")
    (copy / "data/given.bin").write_bytes(b"y" * 2_000_000)
    assert planned(copy) == {"a", "b", "c"}


def test_results_bring_their_records(handed: Path) -> None:
    for _ in range(4):
        forget_times(handed)
        assert not planned(handed)


def test_without_records_lost_times_make_all_anew(handed: Path) -> None:
    """What the records are for; else this file proves nothing."""
    (handed / "results/made.json").unlink()
    (handed / "data/given.bin").touch()
    assert planned(handed) == {"a", "b", "c"}


def test_what_differs_here_is_seen(handed: Path) -> None:
    assert planned(handed, "number=2") == {"a", "b", "c"}
    (handed / "data/given.bin").write_bytes(b"y" * 2_000_000)
    assert planned(handed) == {"a", "b", "c"}


def test_a_file_made_elsewhere_is_not_taken_for_one_made_here(handed: Path) -> None:
    """Another content than the record's checksum says."""
    (handed / "results/a-1.bin").write_bytes(b"z" * 2_000_000)
    assert planned(handed) == {"b"}


def test_the_dataset_may_lie_elsewhere(handed: Path, tmp_path: Path) -> None:
    kept = json.loads((handed / "results/made.json").read_text())
    assert {file for job in kept["jobs"] for file in job["input"] if "given" in file} == {
        "{root}/given.bin"
    }
    (handed / "data").rename(tmp_path / "sets")
    assert not planned(handed, f"root={tmp_path}/sets")


def test_own_records_are_kept(handed: Path) -> None:
    assert planned(handed, "number=2") == {"a", "b", "c"}
    snakemake(handed, "number=2")
    shutil.copyfile(handed / "results/made.json", handed / "mine.json")
    assert not planned(handed, "number=2")
    text = (handed / "results/made.json").read_text()
    (handed / "results/made.json").write_text(text.replace('"params":["2"]', '"params":["1"]'))
    assert not planned(handed, "number=2")
    assert planned(handed) == {"a", "b", "c"}


def test_what_was_finished_before_an_error_is_kept(tmp_path: Path) -> None:
    folder = clone(tmp_path / "broken")
    (folder / "broken").touch()
    assert "Error in rule c" in snakemake(folder)
    kept = json.loads((folder / "results/made.json").read_text())
    assert {job["rule"] for job in kept["jobs"]} == {"a", "b"}
    shutil.rmtree(folder / ".snakemake")
    forget_times(folder)
    assert planned(folder) == {"c"}
    (folder / "broken").unlink()
    assert "(100%) done" in snakemake(folder)
    kept = json.loads((folder / "results/made.json").read_text())
    assert {job["rule"] for job in kept["jobs"]} == {"a", "b", "c"}


@pytest.mark.parametrize("stop", ["exit 1", "kill -9 $$", "kill -9 $PPID; exit"])
def test_what_a_kill_took_away_is_made_again(tmp_path: Path, stop: str) -> None:
    """Snakemake deletes what it makes anew, and `b.txt` of before seems to need nothing."""
    folder = clone(tmp_path / "killed")
    snakemake(folder)
    for number in (1, 2):
        (folder / f"broken-{number}").write_text(stop)
    assert planned(folder, "number=2") == {"a", "b", "c"}
    snakemake(folder, "number=2")
    assert not list((folder / "results").glob("a-*"))
    for number in (1, 2):
        (folder / f"broken-{number}").unlink()
    handed = clone(tmp_path / "handed")
    shutil.copytree(folder / "results", handed / "results")
    for place in (folder, handed):
        assert planned(place, "number=2") == {"a", "b", "c"}
    snakemake(folder, "--unlock")
    assert "(100%) done" in snakemake(folder, "number=2")
    assert (folder / "results/a-1.log").read_text() == "2\n"
    assert not planned(folder, "number=2")


def test_what_a_user_deletes_is_not_asked_for(finished: Path, tmp_path: Path) -> None:
    """Large files that everything was made from may go."""
    copy = tmp_path / "copy"
    shutil.copytree(finished, copy)
    for file in (copy / "results").glob("a-*"):
        file.unlink()
    assert not planned(copy)


def test_only_what_a_rule_makes_is_asked_for(handed: Path) -> None:
    made = handed / "results/made.json"
    kept = json.loads(made.read_text())
    others = ["/etc/nothing", "results/a-3.bin", "", "\0", "x" * 5000, "results/b.txt", "../b.txt"]
    made.write_text(json.dumps(kept | {"begun": others}))
    assert not planned(handed)
    made.write_text(json.dumps(kept | {"begun": [*others, "results/a-9.bin"]}))
    assert not planned(handed)


def test_snakemake_reports_on_what_came_from_elsewhere(handed: Path) -> None:
    text = snakemake(handed, "--report", "made.html")
    assert "Traceback" not in text
    assert (handed / "made.html").is_file(), text


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[", "Invalid JSON"),
        ("[]", "Input should be an object"),
        ("{}", "jobs: Field required"),
        ("[" * 200_000, "Invalid JSON: recursion limit"),
        ('{"jobs": [], "more": 1}', "more: Extra inputs"),
        ('{"format": 2, "jobs": []}', "format: Input should be 1"),
        ('{"jobs": [{"outputs": 3}]}', "jobs.0.outputs: Input should be a valid array"),
        ("\xff", "Invalid JSON"),
    ],
    ids=range(8),
)
def test_a_file_that_holds_no_records_is_one_line(handed: Path, text: str, says: str) -> None:
    (handed / "results/made.json").write_bytes(text.encode("latin-1"))
    shown = snakemake(handed, "-n")
    assert "Traceback" not in shown
    lines = [line for line in shown.splitlines() if "made.json" in line]
    assert len(lines) == 1
    assert lines[0].startswith("results/made.json: ")
    assert says in lines[0]
    assert lines[0].endswith("(ignored: Snakemake goes by its own records)")


@pytest.mark.parametrize("checksum", ["", "md5:00", "sha256:short", "sha256:" + "0" * 63 + "g"])
def test_checksums_are_checksums(handed: Path, checksum: str) -> None:
    made = handed / "results/made.json"
    kept = json.loads(made.read_text())
    for job in kept["jobs"]:
        job["input_checksums"] = dict.fromkeys(job["input_checksums"], checksum)
    made.write_text(json.dumps(kept))
    assert "input_checksums" in snakemake(handed, "-n")
    assert not list((handed / ".snakemake/metadata").rglob("*"))


def test_records_of_other_files_go_nowhere(handed: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").touch()
    (handed / "results/a-3.bin").touch()
    made = handed / "results/made.json"
    kept = json.loads(made.read_text())
    job = next(job for job in kept["jobs"] if job["rule"] == "a")
    others = [
        *("../outside", f"{tmp_path}/outside", "Snakefile", "results/a-3.bin", "results/b.txt"),
        *("results/../../outside", "results/./a-1.bin", "", "\0", "x" * 5000, "results"),
    ]
    made.write_text(json.dumps(kept | {"jobs": [job | {"outputs": others}]}))
    before = {file for file in tmp_path.rglob("*") if ".snakemake" not in file.parts}
    snakemake(handed, "-n")
    assert not list((handed / ".snakemake/metadata").rglob("*"))
    assert before == {file for file in tmp_path.rglob("*") if ".snakemake" not in file.parts}
