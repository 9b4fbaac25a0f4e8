import shutil
from pathlib import Path

import pytest

from tips import provenance
from tips.opened import open_study
from tips.training.recording import keep_interpolator

EXPERIMENTS = Path(__file__).parents[2] / "experiments"


def test_the_network_behind_vfit_s_frames_is_kept_beside_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(EXPERIMENTS, tmp_path / "experiments")
    monkeypatch.chdir(tmp_path)
    opened = open_study("smoke")
    opened.paths.vfit.parent.mkdir(parents=True)
    opened.paths.vfit.write_bytes(b"weights")
    run = tmp_path / "run"
    for name in ("tips-without-vfit", "interim-flow", "hrnet"):
        assert keep_interpolator(opened, opened.study.variant(name), run) is None
    assert not run.exists()
    kept = keep_interpolator(opened, opened.study.variant("tips"), run)
    assert kept == {
        "size": "tiny",
        "weights": "vfit.pt",
        "sha256": provenance.file_digest(opened.paths.vfit),
    }
    assert (run / "vfit.pt").read_bytes() == b"weights"
