import json
import logging
import subprocess
import sys
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tips.checkpoints import read_checkpoint
from tips.locks import LockError
from tips.records import RecordError
from tips.training.state import StateFolder, save_tensors

WHOLE: dict[str, Any] = {"step": 6, "weights": torch.arange(5000.0)}


def line(step: int) -> dict[str, object]:
    return {"step": step, "epoch": 0, "rate": 1e-3, "terms": {"heatmap": 1.0}, "total": 1.0}


@pytest.fixture
def state(tmp_path: Path) -> StateFolder:
    """A state of step 6 whose journal goes on to step 9."""
    made = StateFolder(tmp_path / "state", "key")
    with made.locked():
        made.save(WHOLE)
        for step in range(10):
            made.log(line(step))
    return made


def steps(state: StateFolder) -> list[int]:
    return [json.loads(text)["step"] for text in state.journal.read_text().splitlines()]


def test_what_was_saved_comes_back(state: StateFolder) -> None:
    found = state.load()
    assert found is not None
    assert found["step"] == 6
    assert torch.equal(found["weights"], WHOLE["weights"])


def test_the_journal_is_cut_where_the_state_goes_on(state: StateFolder) -> None:
    state.load()
    assert steps(state) == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("end", ['{"epoch": 0, "ra', '{"epoch": 0, "step": 4, "terms": {"a": 1}'])
def test_a_line_that_a_kill_cut_off_is_dropped(state: StateFolder, end: str) -> None:
    with state.journal.open("a") as stream:
        stream.write(end)
    state.load()
    assert steps(state) == [0, 1, 2, 3, 4, 5]


def test_another_key_starts_anew(state: StateFolder, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        assert StateFolder(state.folder, "another").load() is None
    assert "another configuration, code or data" in caplog.text
    assert [path.name for path in state.folder.iterdir()] == ["lock"]


@pytest.mark.parametrize("kept", [0, 1, 200, 10_000, -20])
def test_a_truncated_state_starts_anew(
    state: StateFolder, kept: int, caplog: pytest.LogCaptureFixture
) -> None:
    file = state.folder / "state.pt"
    file.write_bytes(file.read_bytes()[:kept])
    assert state.load() is None
    assert "is damaged: moved to " in caplog.text
    aside = state.folder / "damaged-1"
    assert sorted(one.name for one in aside.iterdir()) == ["journal.jsonl", "state.pt"]
    assert not file.exists()
    assert not state.journal.exists()


def states(step: Any, key: Any = "key") -> Any:
    return {"step": step, "key": key}


@pytest.mark.parametrize("found", [None, 3, [1], {}, states(None), states(6, 5), states("6")])
def test_what_is_no_state_is_set_aside(state: StateFolder, found: Any) -> None:
    """Damage after damage: nothing is written over what was set aside before."""
    for number in (1, 2, 3):
        torch.save(found, state.file)
        before = state.file.read_bytes()
        assert state.load() is None
        assert (state.folder / f"damaged-{number}/state.pt").read_bytes() == before


@given(st.data())
def test_a_changed_byte_is_never_believed(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """torch does not look at the archive's own checksums."""
    made = StateFolder(tmp_path_factory.mktemp("state"), "key")
    made.save(WHOLE)
    content = bytearray(made.file.read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    made.file.write_bytes(content)
    found = made.load()
    aside = list(made.folder.glob("damaged-*/state.pt"))
    if found is None:
        assert [file.read_bytes() for file in aside] == [content]
    else:  # a byte that means nothing, such as padding
        assert torch.equal(found["weights"], WHOLE["weights"])
        assert found["step"] == WHOLE["step"]
        assert made.file.exists()


@pytest.mark.parametrize("error", [PermissionError(13, "no"), OSError(5, "broken disk")])
def test_a_state_that_cannot_be_read_stays(
    state: StateFolder, error: OSError, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {file: file.read_bytes() for file in state.folder.iterdir()}
    with monkeypatch.context() as patch:
        patch.setattr(torch, "load", Mock(side_effect=error))
        with pytest.raises(OSError, match=str(error.strerror)) as refused:
            state.load()
    assert refused.value.filename == str(state.file)
    assert {file: file.read_bytes() for file in state.folder.iterdir()} == before
    state.file.rename(state.folder / "elsewhere")
    state.file.mkdir()
    with pytest.raises(IsADirectoryError):
        state.load()
    state.file.rmdir()
    state.file.symlink_to("gone")
    with pytest.raises(FileNotFoundError):
        state.load()


def test_damaged_lines_of_the_journal_are_left_out(
    state: StateFolder, caplog: pytest.LogCaptureFixture
) -> None:
    whole = state.journal.read_bytes().splitlines(keepends=True)
    whole[2:4] = [b"\0\xff\n", b"[3]\n", b'{"step": "4"}\n']
    state.journal.write_bytes(b"".join(whole))
    state.load()
    assert steps(state) == [0, 1, 4, 5]
    assert "has damaged lines: moved to" in caplog.text
    assert (state.folder / "damaged-1/journal.jsonl").read_bytes() == b"".join(whole)


def test_no_state_means_no_journal(state: StateFolder) -> None:
    """A kill before the first save leaves lines of steps that will run again."""
    (state.folder / "state.pt").unlink()
    assert state.load() is None
    assert not state.journal.exists()


def test_a_second_process_is_refused_by_the_first_one_s_number(state: StateFolder) -> None:
    code = (
        "import sys, pathlib; from tips.training.state import StateFolder\n"
        "with StateFolder(pathlib.Path(sys.argv[1]), 'key').locked():\n"
        "    print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(state.folder)],
        cwd=Path(__file__).parents[2],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == "held\n"
        with (
            pytest.raises(
                LockError, match=rf"process {first.pid} on host .* trains in {state.folder}"
            ),
            state.locked(),
        ):
            pytest.fail("two processes train in one folder")
        first.kill()
    with state.locked():  # a killed process holds nothing
        pass


def test_a_failed_save_keeps_the_old_state(
    state: StateFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        try:
            raise OSError(28, "No space left on device")
        except OSError:
            raise RuntimeError("unexpected pos 576 vs 534")  # noqa: B904  as torch does it

    with monkeypatch.context() as patch:
        patch.setattr(torch, "save", full)
        with pytest.raises(OSError, match="No space left"):
            state.save({"step": 8})
    assert sorted(path.name for path in state.folder.iterdir()) == [
        "journal.jsonl",
        "lock",
        "state.pt",
    ]
    found = state.load()
    assert found is not None
    assert found["step"] == 6


@pytest.mark.parametrize("content", [b"", b"no archive", None])
def test_a_truncated_checkpoint_is_named(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "checkpoint.pt"
    save_tensors({"model": {"w": torch.zeros(1000)}}, path)
    path.write_bytes(path.read_bytes()[:-500] if content is None else content)
    with pytest.raises(RecordError) as refused:
        read_checkpoint(path)
    assert str(refused.value).startswith(f"{path}: not a complete checkpoint; put a whole copy")
    save_tensors({"weights": 1}, path)
    with pytest.raises(RecordError, match="holds no 'model'"):
        read_checkpoint(path)
    with pytest.raises(RecordError, match=r"gone\.pt: no such file"):
        read_checkpoint(tmp_path / "gone.pt")
