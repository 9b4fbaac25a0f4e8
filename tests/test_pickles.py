"""Pickles that stop their reader are refused, and what torch writes is not."""

import io
import pickle
import pickletools
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tips import pickles
from tips.checkpoints import DamagedError, load_tensors

HEAD = b"\x80\x02"
TWICE = b")" + b"q\x00h\x00\x86" * 45  # a tuple of itself and itself, 45 times over
DEEP = b")" + b"\x85" * 100_000
MAP = b"ccollections\nOrderedDict\n"
HOSTILE = {
    "key": b"}%sK\x01s.",
    "keys": b"}(K\x01K\x02%sK\x02u.",
    "pair of a call": MAP + b"](%sK\x01\x86e\x85R.",
    "list that grows later": MAP + b"]q\x01\x85q\x020h\x01(%sK\x01\x86e0h\x02R.",
    "name of a storage": b"%sQ.",
    "call": MAP + b"%sR.",
}


def archive(content: bytes) -> bytes:
    made = io.BytesIO()
    with ZipFile(made, "w") as file:
        for name, data in {"data.pkl": content, "version": b"3\n", "byteorder": b"little"}.items():
            file.writestr(f"archive/{name}", data)
    return made.getvalue()


def old(content: bytes) -> bytes:
    before = (0x1950A86A20F9469CFC6C, 1001, {})
    return b"".join(pickle.dumps(one, 2) for one in before) + content + pickle.dumps([], 2)


@pytest.mark.parametrize("wrap", [archive, old])
@pytest.mark.parametrize("inside", [TWICE, DEEP], ids=["twice", "deep"])
@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE)
def test_what_stops_a_reader_is_refused(
    tmp_path: Path, content: bytes, inside: bytes, wrap: Callable[[bytes], bytes]
) -> None:
    (tmp_path / "a.pt").write_bytes(wrap(HEAD + content.replace(b"%s", inside)))
    with pytest.raises(DamagedError, match="not a complete checkpoint"):
        load_tensors(tmp_path / "a.pt")


def test_an_archive_behind_an_old_file_hides_nothing(tmp_path: Path) -> None:
    """Torch goes by the first bytes."""
    hostile = old(HEAD + HOSTILE["key"].replace(b"%s", TWICE))
    (tmp_path / "a.pt").write_bytes(hostile + archive(HEAD + b"}."))
    with pytest.raises(DamagedError):
        load_tensors(tmp_path / "a.pt")


LEAVES = st.one_of(st.text(), st.integers(), st.floats(allow_nan=False), st.booleans(), st.none())
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner), st.tuples(inner, inner), st.dictionaries(st.text() | st.integers(), inner)
    ),
)


@given(VALUES)
def test_plain_values_pass(value: Any) -> None:
    stream = io.BytesIO(pickle.dumps(value, 2) + b"rest")
    pickles.judge(stream)
    assert stream.read() == b"rest"


@pytest.mark.parametrize("zipped", [True, False])
def test_what_torch_writes_passes(tmp_path: Path, zipped: bool) -> None:
    model = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3))
    optimizer = torch.optim.AdamW(model.parameters())
    model(torch.ones(4, 2)).sum().backward()
    optimizer.step()
    value = {
        "model": model.state_dict(),
        "parameters": OrderedDict(model.named_parameters()),
        "optimizer": optimizer.state_dict(),
        "state": torch.get_rng_state(),
        "types": (torch.float16, torch.Size([2, 3]), torch.device("cpu")),
    }
    torch.save(value, tmp_path / "a.pt", _use_new_zipfile_serialization=zipped)
    assert load_tensors(tmp_path / "a.pt").keys() == value.keys()


OPCODES = [one.code.encode("latin-1") for one in pickletools.opcodes if one.arg is None]


@given(st.lists(st.sampled_from([*OPCODES, b"q\x00", b"h\x00", b"K\x01"]), max_size=60))
def test_any_order_of_operations_ends(operations: list[bytes]) -> None:
    with suppress(ValueError, IndexError, KeyError, TypeError, AttributeError):
        pickles.judge(io.BytesIO(b"".join([HEAD, *operations, b"K"])))
