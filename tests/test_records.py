"""Files that appear complete or not at all."""

import os
import threading
from functools import partial
from pathlib import Path

import pytest

from tips.records import Frame, RecordError, atomic, atomic_path, read, read_json, read_object


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


def test_devices_and_pipes_are_written_to_and_stay(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    got: list[str] = []
    reader = threading.Thread(target=lambda: got.append(pipe.read_text()))
    reader.start()
    with atomic(pipe) as stream:
        stream.write("whole")
    reader.join(timeout=10)
    assert got == ["whole"]
    assert pipe.is_fifo()
    with atomic(Path("/dev/null")) as stream:
        stream.write("gone")
    assert Path("/dev/null").is_char_device()
    with pytest.raises(RecordError, match="is a device or a pipe"), atomic_path(pipe):
        pass
    assert [one.name for one in tmp_path.iterdir()] == ["pipe"]


def test_a_link_is_replaced_and_what_it_names_is_not_touched(tmp_path: Path) -> None:
    """A link among handed-over results must not lead our writing out of them."""
    outside, link = tmp_path / "outside.txt", tmp_path / "made.json"
    outside.write_text("mine")
    link.symlink_to(outside)
    with atomic(link) as stream:
        stream.write("new")
    assert outside.read_text() == "mine"
    assert link.read_text() == "new"


def test_only_files_of_a_sensible_size_are_read(tmp_path: Path) -> None:
    pipe, large = tmp_path / "pipe", tmp_path / "large.json"
    os.mkfifo(pipe)
    large.touch()
    os.truncate(large, 10**10)  # it takes no space
    for path, says in (
        (tmp_path, "is a folder"),
        (pipe, "is no regular file"),
        (Path("/dev/zero"), "is no regular file"),
        (large, "10000000000 bytes; such a file has at most"),
        (tmp_path / "none", "no such file; run the rule that makes it"),
    ):
        for reading in (read_json, read_object, partial(read, Frame)):
            with pytest.raises(RecordError, match=says) as refused:
                reading(path)
            assert str(refused.value).startswith(f"{path}: ")


@pytest.mark.parametrize(
    "text",
    [
        *("", "[", "[" * 100_000, '{"a":' * 100_000, "9" * 5000, "[1e999999]", '"\\ud800"', "\x00"),
        *("nul", "{'a': 1}", '{"a": 1}{"b": 2}', "[NaN]", "\ufeff\ufeff{}", '{"a": 1,}'),
    ],
)
def test_any_text_is_json_or_refused_in_one_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.json"
    path.write_text(text)
    for reading in (read_json, partial(read, Frame)):
        try:
            reading(path)
        except RecordError as error:
            line = str(error)
            assert line.startswith(f"{path}: ")
            assert "\n" not in line
            assert len(line) < 400
            assert "; " in line  # a remedy
