"""With an image, Snakemake's own apptainer runs the jobs, by the Python of the image."""

import os
import sys
from pathlib import Path

import pytest
from finished_study import REPOSITORY, copy_code, snakemake

OUTPUT = "results/smoke-embedded/data/embedded/bodies.npz"
# Notes how it was called, and makes the output of the one job that is asked for.
APPTAINER = f"""#!{sys.executable}
import sys
from pathlib import Path
if "--version" in sys.argv:
    print("apptainer version 1.3.0")
    sys.exit()
with Path("called.txt").open("a") as file:
    file.write(" ".join(sys.argv[1:]) + "\\n")
Path({OUTPUT!r}).touch()
"""


@pytest.mark.slow
def test_jobs_run_in_the_image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy_code(REPOSITORY, tmp_path)
    motions = tmp_path / "results/assets/motions/manifest.json"
    motions.parent.mkdir(parents=True)
    motions.write_text("{}")
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("apptainer", "singularity"):
        (tools / name).write_text(APPTAINER)
        (tools / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    (tmp_path / "tips.sif").touch()
    words = (
        "container=tips.sif",
        "--cores",
        "1",
        "--sdm",
        "apptainer",
        "--rerun-triggers",
        "mtime",
    )
    done = snakemake(tmp_path, *words, "--", OUTPUT)
    assert done.returncode == 0, done.stdout + done.stderr
    (called,) = (tmp_path / "called.txt").read_text().splitlines()[-1:]
    assert "tips.sif bash -c" in called
    assert "stage() { python -m tips stage" in called
    assert sys.executable not in called
