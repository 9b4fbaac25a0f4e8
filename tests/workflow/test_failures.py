"""A job that fails ends Snakemake with its one line in view, and a rerun goes on."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import tiny_study

from tips.locks import WORKFLOW, alone

REPOSITORY = Path(__file__).parents[2]
DATA = Path(f"results/{tiny_study.SCALE}-{tiny_study.ROOT}/data/{tiny_study.ROOT}")

pytestmark = pytest.mark.slow


def snakemake(folder: Path, *targets: str, dry: bool = False) -> tuple[int, list[str]]:
    words = [
        *(["-n"] if dry else []),
        "--config",
        f"scale={tiny_study.SCALE}",
        f"root={tiny_study.ROOT}",
        "--",
    ]
    shown = subprocess.run(
        [str(Path(sys.executable).with_name("snakemake")), *words, *targets],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    return shown.returncode, (shown.stdout + shown.stderr).splitlines()


def write(folder: Path) -> None:
    """Writes a tiny study, and the code that makes it."""
    tiny_study.write(folder)
    ignored = shutil.ignore_patterns("__pycache__")
    for name in ("tips", "workflow"):
        shutil.copytree(REPOSITORY / name, folder / name, ignore=ignored)
    shutil.copy(REPOSITORY / "environment.yml", folder)


def test_no_jobs_run_beside_another_snakemake(tmp_path: Path) -> None:
    """Whatever Snakemake's own lock says: that of a killed one stays, and can be taken off."""
    write(tmp_path)
    groups = "results/tiny-people/groups/people/5.json"
    with alone(tmp_path / WORKFLOW, "works in this folder"):
        code, lines = snakemake(tmp_path, groups)
        said = [line for line in lines if line.startswith("error: ")]
        assert code == 2
        assert len(said) == 1
        assert f"(process {os.getpid()} on host " in said[0]
        assert not (tmp_path / groups).exists()
        assert not any("Traceback" in line or "Exception ignored" in line for line in lines)
        assert snakemake(tmp_path, groups, dry=True)[0] == 0


def test_a_broken_image_stops_what_needs_it_and_no_more(tmp_path: Path) -> None:
    write(tmp_path)
    image = tmp_path / "people/images/val/000001_bonn_val/000004.jpg"
    whole = image.read_bytes()
    image.write_bytes(whole[:300])
    packed, groups = str(DATA / "packed/packed.json"), "results/tiny-people/groups/people/5.json"

    code, lines = snakemake(tmp_path, packed, groups)
    assert code == 1
    line = f"error: {image.relative_to(tmp_path)}: not a readable image; put a whole one there"
    assert f"{line} (rule pack)" in lines[-8:]
    assert not any("Traceback" in line for line in lines)
    assert not (tmp_path / packed).exists()
    assert (tmp_path / groups).is_file()  # needs no image

    image.write_bytes(whole)
    code, lines = snakemake(tmp_path, packed, groups)
    assert code == 0
    ran = [line for line in lines if line.startswith(("rule ", "localrule "))]
    assert ran == ["localrule pack:"] or ran == ["rule pack:"]
