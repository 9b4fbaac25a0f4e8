"""Results that belong to another dataset are not written over."""

from pathlib import Path

import pytest

from tips.data.origin import check_origin
from tips.provenance import file_digest
from tips.records import RecordError, write_json


def dataset(folder: Path, **texts: str) -> list[Path]:
    folder.mkdir(parents=True)
    for name, text in texts.items():
        (folder / name).write_text(text)
    return sorted(folder.iterdir())


def test_a_dataset_keeps_its_results_where_it_moves_and_if_a_part_is_mended(tmp_path: Path) -> None:
    manifest, mine = tmp_path / "manifest.json", tmp_path / "a/data"
    labels = dataset(mine, one="1", two="2")
    check_origin(manifest, mine, labels)  # nothing is made yet
    write_json({"files": {file.name: file_digest(file) for file in labels}}, manifest)
    check_origin(manifest, mine, labels)
    moved = tmp_path / "b/data"
    check_origin(manifest, moved, dataset(moved, one="1", two="mended"))
    other = tmp_path / "c/data"
    with pytest.raises(RecordError, match=r"made from another dataset than .*c/data"):
        check_origin(manifest, other, dataset(other, one="x", two="1"))


@pytest.mark.parametrize("held", [[], {"files": []}, {"files": {"one": 3}}, {}])
def test_a_manifest_is_not_believed_blindly(tmp_path: Path, held: object) -> None:
    labels = dataset(tmp_path / "data", one="1")
    write_json(held, tmp_path / "manifest.json")
    with pytest.raises(RecordError, match=r"manifest\.json: "):
        check_origin(tmp_path / "manifest.json", tmp_path / "data", labels)
