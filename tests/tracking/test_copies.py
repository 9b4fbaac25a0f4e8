"""The folders with copies of runs' files: what may be written and removed there."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from tips.tracking import copies
from tips.tracking.artifacts import Beside
from tips.tracking.mlflow_store import Store

RUN = "0" * 32


@pytest.mark.parametrize("name", ["/ID", "../../victim", "mlflow-artifacts/../../victim"])
def test_no_name_of_a_run_removes_a_folder(tmp_path: Path, name: str) -> None:
    """Not even if the database was not looked at."""
    victim = tmp_path / "victim"
    victim.mkdir()
    client = SimpleNamespace(delete_run=lambda _: None)
    kept = Beside(tmp_path / "results/mlflow-artifacts")
    store = Store(client, "1", kept, None)  # type: ignore[arg-type]
    kept.folder.mkdir(parents=True)
    run = SimpleNamespace(info=SimpleNamespace(run_id=name.replace("/ID", str(victim))))
    store.remove(run)
    (kept.folder / ("0" * 32)).symlink_to(victim)
    run.info.run_id = "0" * 32
    store.remove(run)
    assert victim.is_dir()
    assert not list(kept.folder.iterdir())


def test_files_become_those_that_are_given_and_equal_ones_are_left_alone(tmp_path: Path) -> None:
    copies.refresh(tmp_path, RUN, {"why.json": b"1", "figures/a.png": b"2"})
    folder = copies.place(tmp_path, RUN)
    before = (folder / "why.json").stat().st_mtime_ns
    copies.refresh(tmp_path, RUN, {"why.json": b"1", "figures/b.png": b"3"})
    files = {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*.*")}
    assert files == {"why.json": b"1", "figures/b.png": b"3"}
    assert (folder / "why.json").stat().st_mtime_ns == before
    assert (folder.parent / copies.MARK).is_file()


@pytest.mark.parametrize("place", ["", "artifacts", "artifacts/figures", "artifacts/why.json"])
def test_nothing_is_written_or_removed_behind_a_link(tmp_path: Path, place: str) -> None:
    contents = {"why.json": b"1", "figures/a.png": b"2"}
    copies.refresh(tmp_path / "copies", RUN, contents)
    linked = tmp_path / "copies" / RUN / place
    outside = linked.rename(tmp_path / "outside")
    linked.symlink_to(outside)
    before = sorted(tmp_path.joinpath("outside").rglob("*"))
    copies.refresh(tmp_path / "copies", RUN, {"why.json": b"9"})
    assert sorted(outside.rglob("*")) == before
    assert not any(path.is_symlink() for path in tmp_path.joinpath("copies").rglob("*"))
    assert copies.place(tmp_path / "copies", RUN).joinpath("why.json").read_bytes() == b"9"
    assert outside.is_dir() or outside.read_bytes() == b"1"
