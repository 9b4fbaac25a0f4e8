"""`tips stage reproduce` hands on how and where Snakemake runs the jobs."""

import itertools
from pathlib import Path

import pytest
from snakemake.cli import get_argument_parser

from tips import for_snakemake
from tips.config import ConfigError
from tips.stages import reproduce


@pytest.fixture
def folder(tmp_path: Path, nothing_scored: None) -> Path:
    return tmp_path


@pytest.mark.parametrize("card", [False, True])
def test_a_profile_runs_a_copy_of_the_code_and_hands_words_on(
    folder: Path, monkeypatch: pytest.MonkeyPatch, card: bool
) -> None:
    asked: list[tuple[list[str], dict[str, str] | None]] = []
    monkeypatch.setattr(reproduce, "_child", lambda *call: asked.append(call) or 0)
    monkeypatch.setattr(reproduce, "_undone", lambda *_: "")
    monkeypatch.setattr(reproduce, "freeze", lambda: folder / "copy")
    monkeypatch.setattr(reproduce, "_judge_profile", lambda _: None)
    (folder / "tips.sif").touch()
    monkeypatch.setattr(for_snakemake.shutil, "which", lambda _: "/usr/bin/apptainer")
    monkeypatch.setattr(reproduce, "has_nvidia_driver", lambda: card)
    handed_on = "--jobs '8' --config stale=retrain --apptainer-args='--bind /x'"
    image = str(folder / "tips.sif")
    reproduce.run("smoke", profile="slurm", container=image, snakemake=handed_on)
    words, variables = asked[-1]
    assert variables is not None
    assert variables["PYTHONPATH"] == str(folder / "copy")
    pairs = list(itertools.pairwise(words))
    for pair in (
        ("--workflow-profile", str(folder / "copy/workflow/profiles/slurm")),
        ("--snakefile", str(folder / "copy/workflow/Snakefile")),
        ("--jobs", "8"),
        ("--sdm", "apptainer"),
    ):
        assert pair in pairs
    last = get_argument_parser().parse_args(words[3:])
    assert set(last.config) == {"stale=retrain", "scale=smoke", f"container={image}"}
    assert last.apptainer_args.split() == ["--bind", "/x", *["--nv"] * card]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"profile": "slrum"}, "--profile must be one of .*got 'slrum'"),
        ({"profile": "../elsewhere"}, "--profile must be one of"),
        ({"snakemake": "--jobs '8"}, "--snakemake: No closing quotation"),
        ({"snakemake": "--jbos 8"}, "--snakemake: unrecognized arguments: --jbos"),
        ({"snakemake": "--config nonsense"}, "takes key=value; got 'nonsense'"),
        ({"snakemake": "--config scale=desk"}, "give --scale instead"),
        ({"container": "nosuch.sif"}, "--container must be a file, .* got 'nosuch.sif'"),
        ({"container": "docker://debian"}, "there is no apptainer here"),
    ],
)
def test_what_cannot_be_handed_on_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch, options: dict[str, str], says: str
) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setattr(for_snakemake.shutil, "which", lambda _: None)
    with pytest.raises(ConfigError, match=says):
        reproduce.run("smoke", **options)


@pytest.mark.parametrize(
    ("words", "part"),
    [
        ("", False),
        ("--jobs 8 --keep-going --slurm-no-account", False),
        ("-n", True),
        ("--dry-run --quiet", True),
        ("--jobs 8 --until train", True),
        ("--omit-from train", True),
        ("results/a/checkpoint.pt", True),
    ],
)
def test_words_that_ask_for_a_part_are_known(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: str,
    part: bool,
) -> None:
    """Nothing was made: that is an error, unless nothing more was asked for."""
    monkeypatch.setattr(reproduce, "_child", lambda *_: 0)
    if part:
        reproduce.run("smoke", snakemake=words)
        assert "without them all is made" in capsys.readouterr().out
    else:
        with pytest.raises(SystemExit, match="1"):
            reproduce.run("smoke", snakemake=words)
        assert "is missing" in capsys.readouterr().err


def test_a_part_that_fails_leaves_the_report_as_it_is(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with a file that no rule makes, after which nothing was run."""
    monkeypatch.setattr(reproduce, "_child", lambda *_: reproduce.FAILED)
    monkeypatch.setattr(reproduce, "_partial_report", lambda *_: pytest.fail("was written"))
    with pytest.raises(SystemExit, match="1"):
        reproduce.run("smoke", snakemake="results/nosuch")
