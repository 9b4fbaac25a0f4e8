"""Judges a pickle of tensors before it is read, so that a small file cannot stop the reader.

`torch.load(weights_only=True)` runs no code of a file, but it hashes what the file gives as keys. A
tuple that holds itself twice, forty times over, takes years to hash, and one nested a million times
ends the process. Checkpoints need neither: their keys are names and numbers, and what a tensor is
built from is small and flat.
"""

import pickletools
from typing import IO, Any, Final

DEEPEST: Final = 10  # levels of what a tensor is built from; torch writes 3
LARGEST: Final = 10_000  # parts of it, each counted as often as it is used
LONGEST: Final = 5_000_000  # bytes of a pickle; a training's state has some 500 kB
_KEEP: Final = ("PUT", "BINPUT", "LONG_BINPUT")
_RECALL: Final = ("GET", "BINGET", "LONG_BINGET")
_CALLS: Final = ("REDUCE", "NEWOBJ", "BINPERSID")
_MARK: Final = None


class _Value:
    """What is known of a value on the stack: its levels, its parts, and whether it can grow."""

    depth: int
    size: int
    grows: bool
    holds: bool  # other values, so that it takes time to hash

    def __init__(self, parts: list["_Value"], grows: bool) -> None:
        self.depth = 1 + max(part.depth for part in parts) if parts else 0
        self.size = min(1 + sum(part.size for part in parts), LARGEST + 1)
        self.grows = grows or any(part.grows for part in parts)
        self.holds = bool(parts) or grows


def judge(stream: IO[bytes]) -> None:
    """Follows one pickle to its end without making any of its values.

    Args:
        stream: stands at the pickle's start, and is left at its end.

    Raises:
        ValueError: if it is no pickle, or holds what could stop its reader.
        IndexError, KeyError: if it takes what it never made.
    """
    start = stream.tell()
    stack: list[_Value | None] = []
    kept: dict[Any, _Value | None] = {}
    for opcode, argument, place in pickletools.genops(stream):
        if (place or 0) - start > LONGEST:
            raise ValueError(f"a pickle of more than {LONGEST} bytes")
        if opcode.name in _KEEP:
            kept[argument] = stack[-1]
        elif opcode.name == "MEMOIZE":
            kept[len(kept)] = stack[-1]
        elif opcode.name in _RECALL:
            stack.append(kept[argument])
        elif opcode.name == "MARK":
            stack.append(_MARK)
        else:
            _step(opcode, stack)


def _step(opcode: pickletools.OpcodeInfo, stack: list[_Value | None]) -> None:
    """Takes from the stack what an operation takes, and puts there what it makes."""
    takes = [one.name for one in opcode.stack_before]
    taken: list[_Value] = []
    if "mark" in takes:
        while (top := stack.pop()) is not _MARK:
            taken.append(top)
        takes = takes[: takes.index("mark")]
    ahead = [stack.pop() for _ in takes][::-1]
    if any(one is _MARK for one in ahead):
        raise ValueError("a mark where a value is wanted")
    values = [*(one for one in ahead if one is not None), *reversed(taken)]
    _check(opcode.name, values)
    if opcode.name in ("APPEND", "APPENDS", "SETITEM", "SETITEMS", "BUILD"):
        holder, *parts = values
        grown = _Value(values, grows=holder.grows)
        # It may be among the values that were kept or used before, so it is changed in its place.
        inside = max((1 + part.depth for part in parts), default=0)
        holder.depth, holder.size = max(holder.depth, inside), grown.size
        holder.grows, holder.holds = grown.grows, True
        stack.append(holder)
    else:
        lists = opcode.name in ("EMPTY_LIST", "LIST")
        stack.extend(_Value(values, grows=lists) for _ in opcode.stack_after)


def _check(name: str, values: list[_Value]) -> None:
    """Refuses keys and arguments of calls that are not as torch writes them."""
    keys = values[1::2] if name in ("SETITEM", "SETITEMS") else []
    if any(key.holds for key in keys):
        raise ValueError("a key that holds other values")
    if name in _CALLS:
        for one in values:
            if one.grows or one.depth > DEEPEST or one.size > LARGEST:
                raise ValueError("a tensor that is built from too much")
