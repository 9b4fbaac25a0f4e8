"""Reads MATLAB files as plain dicts, lists and arrays; refuses damaged ones, naming the file.

A small file may claim arrays that no memory holds: unpacked, or by the sizes that it states. So one
variable is unpacked here, within a bound, and judged before scipy reads it.
"""

import io
import math
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import scipy.io
from numpy.typing import NDArray
from scipy.io.matlab import MatReadError

from tips.records import RecordError, content
from tips.safe_text import one_line

LARGEST: Final = 1 << 27  # bytes of one variable, unpacked
DEEPEST: Final = 30  # structs and cells within one another
# What scipy and we raise on damaged files; the type depends on the place of the damage.
DAMAGE: Final = (
    *(MatReadError, ValueError, TypeError, NotImplementedError, OSError, zlib.error),
    *(ArithmeticError, LookupError, struct.error),
)
_HEADER: Final = 128  # bytes before the first variable
_TAG: Final = 8  # bytes before the content of an element
_UINT32, _MATRIX, _COMPRESSED = 6, 14, 15  # kinds of element
_VALUES: Final = (*range(1, 8), 9, 12, 13, 16, 17, 18)  # kinds of elements of numbers and text
_CELL, _STRUCT, _OBJECT = 1, 2, 3  # classes of an array that holds arrays
_CLASSES: Final = (1, 2, 3, 4, *range(6, 16))  # cell, struct, object, text and numbers; not sparse


class _Element(NamedTuple):
    """A typed run of bytes, of which a MATLAB file consists."""

    kind: int
    start: int  # of its content
    end: int


def read_structs(path: Path, name: str) -> Any:
    """Reads one variable; at every depth structs become dicts, and arrays become lists.

    A list of one struct is read as that struct alone, and an empty one as an empty list, because
    MATLAB files do not tell these apart.

    Raises:
        RecordError: if the file is damaged or lacks the variable.
    """
    return _plain(_read(path, name, squeeze_me=True, struct_as_record=False))


def read_array(path: Path, name: str) -> NDArray[np.generic]:
    """Reads one variable of finite real numbers as an array of three axes.

    MATLAB drops a last axis of length 1; here it is added again.

    Raises:
        RecordError: if the file is damaged or lacks the variable, or if that is anything else.
    """
    found = np.asarray(_read(path, name))
    if found.dtype.kind not in "biuf" or not np.isfinite(found).all():
        raise RecordError(f"{path}: {name}: finite numbers, all real, expected; copy it again")
    if found.ndim > 3:
        shape = " x ".join(map(str, found.shape))
        raise RecordError(f"{path}: {name}: three axes at most expected; got {shape}")
    return np.atleast_3d(found)


def _read(path: Path, name: str, **options: bool) -> Any:
    data = content(path, "complete the dataset folder")
    try:
        variable = _variable(data, name)
        if variable is None:
            raise RecordError(f"{path}: holds no variable '{name}'")
        found = scipy.io.loadmat(io.BytesIO(variable), variable_names=[name], **options)[name]
        if isinstance(found, str) and found.startswith("Read error"):  # scipy went past it
            raise ValueError(f"{name}: {found}")
    except RecordError:
        raise
    except DAMAGE as error:
        reason = one_line(str(error), 200)
        raise RecordError(f"{path}: not a readable MATLAB file: {reason}; copy it again") from error
    return found


def _variable(data: bytes, name: str) -> bytes | None:
    """Makes a file that holds this variable alone, not compressed; None if there is none.

    Raises:
        ValueError, struct.error, zlib.error: if the file is damaged, or of another version than 5
            to 7.2.
    """
    order = {b"IM": "<", b"MI": ">"}.get(data[_HEADER - 2 : _HEADER], "")
    if not order or struct.unpack_from(f"{order}H", data, _HEADER - 4)[0] >> 8 != 1:
        raise ValueError("its version is none from 5 to 7.2")
    position = _HEADER
    while position < len(data):
        kind, size = struct.unpack_from(f"{order}II", data, position)
        element = data[position : position + _TAG + size]
        if kind == _COMPRESSED:
            element = _unpacked(element[_TAG:])
        array = _outer(element, order)
        if _name(element, order, array) == name.encode():
            _judge(element, order, array)
            # Scipy tells the version by the first bytes also, so they are our own.
            return b"MATLAB".ljust(_HEADER - 4) + data[_HEADER - 4 : _HEADER] + element
        position += _TAG + size
    return None


def _unpacked(packed: bytes) -> bytes:
    stream = zlib.decompressobj()
    found = stream.decompress(packed, LARGEST)
    if not stream.eof:
        raise ValueError(f"a variable is cut off, or of more than {LARGEST} bytes")
    return found


def _outer(data: bytes, order: str) -> _Element:
    kind, size = struct.unpack_from(f"{order}II", data)
    if kind != _MATRIX or not _TAG < _TAG + size <= len(data):
        raise ValueError("a variable is cut off")
    return _Element(kind, _TAG, _TAG + size)


def _name(data: bytes, order: str, array: _Element) -> bytes:
    for place, part in enumerate(_elements(data, order, array)):
        if place == 2:
            return data[part.start : part.end]
    return b""


def _judge(data: bytes, order: str, array: _Element, depth: int = 0) -> None:
    """Judges an array, which consists of flags, shape, name and values, and the arrays in it.

    Scipy goes from tag to tag, whatever the sizes say, and does not look whether a tag is one that
    may stand there. So the parts must be exactly those that it reads.

    Raises:
        ValueError: if an array claims more values than it has bytes, has other parts, or is of
            another class than numbers, text, cells and structs.
    """
    parts = list(_elements(data, order, array))
    if len(parts) < 3 or parts[0].kind != _UINT32 or parts[0].end - parts[0].start != 8:
        raise ValueError("an array without flags, shape and name")
    flags, shape, _, *rest = parts
    (bits,) = struct.unpack_from(f"{order}I", data, flags.start)
    axes = struct.unpack_from(f"{order}{(shape.end - shape.start) // 4}i", data, shape.start)
    if min(axes, default=-1) < 0 or math.prod(axes) > array.end - array.start:
        raise ValueError(f"an array of {' x '.join(map(str, axes))} values has not their bytes")
    if bits & 0xFF not in _CLASSES:
        raise ValueError("numbers, text, cells and structs can be read, nothing else")
    if depth > DEEPEST:
        raise ValueError(f"more than {DEEPEST} structs in one another")
    for part in _arrays(data, order, bits, math.prod(axes), rest):
        _judge(data, order, part, depth + 1)


def _arrays(data: bytes, order: str, bits: int, count: int, rest: list[_Element]) -> list[_Element]:
    """Lists the arrays in an array that are not empty, of what follows its name.

    Raises:
        ValueError: if anything else follows than its class and its count of values need.
    """
    kind = bits & 0xFF
    if kind in (_STRUCT, _OBJECT):
        rest = rest[kind - _STRUCT :]  # first comes the name of an object's class
        count *= _fields(data, order, rest[:2])
        rest = rest[2:]
    if kind <= _OBJECT:
        fits = len(rest) == count and all(part.kind == _MATRIX for part in rest)
        found = [part for part in rest if part.end > part.start]
    else:
        complex_too = bits >> 11 & 1
        fits = len(rest) == 1 + complex_too and all(part.kind in _VALUES for part in rest)
        found = []
    if not fits:
        raise ValueError("an array has other parts than its class and shape need")
    return found


def _fields(data: bytes, order: str, parts: list[_Element]) -> int:
    """Counts the fields of a struct by the length of a name, and the names."""
    if len(parts) < 2 or parts[0].end - parts[0].start != 4:
        raise ValueError("a struct without names")
    (length,) = struct.unpack_from(f"{order}i", data, parts[0].start)
    if length < 1:
        raise ValueError("a struct without names")
    return (parts[1].end - parts[1].start) // length


def _elements(data: bytes, order: str, array: _Element) -> Iterator[_Element]:
    """Yields the elements that an array consists of."""
    position = array.start
    while position < array.end:
        kind, size = struct.unpack_from(f"{order}II", data, position)
        if kind >> 16:  # a small one: size and kind share a number, and four bytes follow
            kind, size = kind & 0xFFFF, kind >> 16
            start, after = position + 4, position + _TAG
        else:
            start = position + _TAG
            after = start + size + -size % 8
        if start + size > array.end or size > after - start:
            raise ValueError("an array is cut off")
        yield _Element(kind, start, start + size)
        position = after


def _plain(value: Any) -> Any:
    if hasattr(value, "_fieldnames"):
        return {name: _plain(getattr(value, name)) for name in value._fieldnames}
    if isinstance(value, np.ndarray):
        return [_plain(item) for item in value.ravel()]
    return value.item() if isinstance(value, np.generic) else value
