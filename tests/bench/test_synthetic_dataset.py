from pathlib import Path

from tips.bench.synthetic_dataset import Crowd, write_crowd


def test_equal_sizes_give_equal_files(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_crowd(Crowd(1, 4, 2, vary=True), tmp_path / name, 18)
    files = sorted((tmp_path / "one").glob("*/*.json"))
    assert len(files) == 2
    for file in files:
        twin = tmp_path / "two" / file.relative_to(tmp_path / "one")
        assert file.read_bytes() == twin.read_bytes()
