"""Reads MATLAB files as plain dicts, lists and arrays; refuses damaged ones, naming the file."""

import zlib
from pathlib import Path
from typing import Any, Final

import numpy as np
import scipy.io
from numpy.typing import NDArray
from scipy.io.matlab import MatReadError

from tips.records import RecordError

# What scipy raises on damaged files; the type depends on the place of the damage.
DAMAGE: Final = (MatReadError, ValueError, TypeError, NotImplementedError, OSError, zlib.error)


def read_structs(path: Path, name: str) -> Any:
    """Reads one variable; at every depth structs become dicts, and arrays become lists.

    A list of one struct is read as that struct alone, and an empty one as an empty list, because
    MATLAB files do not tell these apart.

    Raises:
        RecordError: if the file is damaged or lacks the variable.
    """
    return _plain(_read(path, name, squeeze_me=True, struct_as_record=False))


def read_array(path: Path, name: str) -> NDArray[np.generic]:
    """Reads one numeric variable as an array of three axes.

    MATLAB drops a last axis of length 1; here it is added again.

    Raises:
        RecordError: if the file is damaged or lacks the variable.
    """
    return np.atleast_3d(np.asarray(_read(path, name)))


def _read(path: Path, name: str, **options: bool) -> Any:
    if not path.is_file():
        raise RecordError(f"{path}: no such file; complete the dataset folder")
    try:
        found = scipy.io.loadmat(path, variable_names=[name], **options)
    except DAMAGE as error:
        raise RecordError(f"{path}: not a readable MATLAB file: {error}; copy it again") from error
    if name not in found:
        raise RecordError(f"{path}: holds no variable '{name}'")
    return found[name]


def _plain(value: Any) -> Any:
    if hasattr(value, "_fieldnames"):
        return {name: _plain(getattr(value, name)) for name in value._fieldnames}
    if isinstance(value, np.ndarray):
        return [_plain(item) for item in value.ravel()]
    return value.item() if isinstance(value, np.generic) else value
