"""Files that appear complete or not at all."""

from pathlib import Path

import pytest

from tips.records import RecordError, atomic


def test_a_file_appears_complete_or_not_at_all(tmp_path: Path) -> None:
    file = tmp_path / "made/file.json"

    def fail() -> None:
        with atomic(file) as stream:
            stream.write("half")
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert list(file.parent.iterdir()) == []
    with atomic(file) as stream:
        stream.write("whole")
    assert file.read_text() == "whole"


def test_places_that_hold_no_file_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="is a folder; give the name of a file"), atomic(tmp_path):
        pass
    (tmp_path / "taken").write_text("")
    for name in ("taken/file.json", "taken/below/file.json"):
        with (
            pytest.raises(RecordError, match=r"taken.*: a file is in this folder's place"),
            atomic(tmp_path / name),
        ):
            pass
    assert [one.name for one in tmp_path.iterdir()] == ["taken"]
