"""Reads checkpoints, maps published names to our modules, and loads strictly.

A checkpoint may come from a stranger. So a file is believed only if it is whole and holds tensors
of numbers alone; names, shapes and kinds of numbers must be the module's, every value finite.
"""

import errno
import io
import pickle
import struct
import warnings
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple

import torch
from torch import Tensor, nn

from tips import pickles, skeleton
from tips.records import RecordError

# What torch.load and zipfile raise for files that are truncated, changed or hold no tensors. A file
# that cannot be opened or read (OSError) is not among them: it may be whole.
_DAMAGE = (
    *(AssertionError, AttributeError, EOFError, LookupError, OverflowError, RuntimeError),
    *(TypeError, ValueError, pickle.UnpicklingError, struct.error, zipfile.BadZipFile),
)
_FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
_ARCHIVE = b"PK\x03\x04"
_OLD_PICKLES = 5  # magic number, version, system, the object, and the names of its storages
COUNTER = "num_batches_tracked"  # batch norm's counter, which files before torch 0.4.1 lack
COCO = (
    *("nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder"),
    *("right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist", "left_hip"),
    *("right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle"),
)
# PoseTrack18's files have the 17 slots of COCO, with these two joints in the slots of the eyes.
# COCO lacks both joints, so their channels start as those of the eyes.
_IN_COCO = {"head_bottom": "left_eye", "head_top": "right_eye"}
FROM_COCO = tuple(COCO.index(_IN_COCO.get(name, name)) for name in skeleton.JOINTS)

Shapes = Mapping[str, tuple[int, ...]]


class Published(NamedTuple):
    """Where one tensor of a published file belongs."""

    key: str  # key of our state dict
    shape: tuple[int, ...]  # shape of the published tensor
    adapt: Callable[[Tensor], Tensor]  # published tensor -> ours


def own_names(module: nn.Module) -> dict[str, Published]:
    """Describes a published file that has a module's own names and shapes."""
    return {
        key: Published(key, tuple(value.shape), as_is) for key, value in module.state_dict().items()
    }


def as_is(value: Tensor) -> Tensor:
    """Leaves a published tensor unchanged."""
    return value


def posetrack_head(value: Tensor) -> Tensor:
    """Picks PoseTrack's 15 joints out of the 17 of a head for COCO (first axis).

    COCO has no head_top and head_bottom. They start as the eyes' channels and are trained.
    """
    return value[list(FROM_COCO)]


def load_published(
    module: nn.Module, expected: Mapping[str, Published], unused: Sequence[Shapes], path: Path
) -> None:
    """Loads a published checkpoint; every key of it must be expected or unused.

    Args:
        module: receives the tensors; tensors that the file does not hold keep their values.
        expected: name in the file -> where it belongs.
        unused: sets of tensors that are not loaded; the file may hold all tensors of one of them.
        path: the file: a state dict, alone or under `state_dict` or `model`, with or without
            `module.` before its names.

    Raises:
        RecordError: if a key is missing, unknown or of another shape; the message names it.
    """
    state = published_state(path)
    wanted = {name: one.shape for name, one in expected.items()}
    fitting(state, wanted | _beside(state, unused), path)
    own = {one.key: one.adapt(state[name]) for name, one in expected.items() if name in state}
    fill(module, own, path)


def _beside(state: Mapping[str, Tensor], unused: Sequence[Shapes]) -> dict[str, tuple[int, ...]]:
    """Chooses the set of which a file holds most names, the first of equals; {} if it has none."""
    held = [len(one.keys() & state.keys()) for one in unused]
    return dict(unused[held.index(max(held))]) if any(held) else {}


def load_weights(module: nn.Module, state: Mapping[str, Tensor], source: Path) -> None:
    """Loads a state dict strictly.

    Args:
        module: receives the tensors.
        state: the state dict.
        source: the file that it is from, for messages.

    Raises:
        RecordError: if a key does not fit; the message names the first one.
    """
    shapes = {name: tuple(value.shape) for name, value in module.state_dict().items()}
    fitting(state, shapes, source, optional="")
    fill(module, state, source)


def fill(module: nn.Module, state: Mapping[str, Tensor], source: Path) -> None:
    """Copies tensors whose names and shapes fit into a module, if their values can be weights.

    Args:
        module: receives the tensors; those that are not given keep their values.
        state: tensors by the module's own names.
        source: the file that they are from, for messages.

    Raises:
        RecordError: if a value is not finite, or numbers are of another kind than the module's.
    """
    own = module.state_dict()
    for name, value in state.items():
        _check_numbers(name, value, own[name], source)
    module.load_state_dict(state, strict=False)


def _check_numbers(name: str, value: Tensor, own: Tensor, source: Path) -> None:
    is_counter = name.endswith(COUNTER)  # nothing is computed from it, and some files hold floats
    wanted = _FLOATS if own.is_floating_point() else (own.dtype, *(_FLOATS if is_counter else ()))
    if value.dtype not in wanted:
        raise RecordError(
            f"{source}: '{name}' holds {value.dtype} numbers, the model wants {own.dtype}"
        )
    if own.is_floating_point() or is_counter:
        if not value.to(own.dtype if own.is_floating_point() else value.dtype).isfinite().all():
            raise RecordError(f"{source}: '{name}' holds numbers that are not finite")
    elif not torch.equal(value, own.to(value.device)):
        # Other whole numbers are no weights: the network computes them from its own sizes.
        raise RecordError(f"{source}: '{name}' is not what a model of this size has there")


def fitting(
    state: Mapping[str, Tensor], shapes: Shapes, source: Path, optional: str = COUNTER
) -> None:
    """Checks that a state dict has the names and shapes that are wanted.

    Args:
        state: the state dict of a file.
        shapes: the wanted names and shapes.
        source: the file, for messages.
        optional: names with this ending may be missing, but only all of them; "": none may.

    Raises:
        RecordError: if a key is missing, unknown or of another shape; the message names it.
    """
    without = bool(optional) and not any(key.endswith(optional) for key in state)
    missing = [
        f"key '{key}' is missing"
        for key in shapes
        if key not in state and not (without and key.endswith(optional))
    ]
    unknown = [f"key '{key}' is not part of this model" for key in state if key not in shapes]
    if missing or unknown:
        raise RecordError(f"{source}: {' and '.join([*missing[:1], *unknown[:1]])}")
    for key in shapes:
        if key in state and tuple(state[key].shape) != shapes[key]:
            raise RecordError(
                f"{source}: '{key}' has shape {tuple(state[key].shape)}, "
                f"the model wants {shapes[key]}"
            )


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Reads a checkpoint of this package onto the CPU.

    Raises:
        RecordError: if the file is missing, damaged, or no checkpoint.
        OSError: if it cannot be read.
    """
    remedy = "put a whole copy there, or move it away and run again"
    value = _read(path, "run the rule that makes it", remedy)
    if not isinstance(value, dict) or not _is_state(value.get("model"), _is_dense):
        raise RecordError(f"{path}: holds no 'model' of tensors; {remedy}")
    return value


def published_state(path: Path) -> dict[str, Tensor]:
    """Reads a published state dict, alone or under `state_dict` or `model`.

    Raises:
        RecordError: if the file is missing or damaged, or holds no state dict.
        OSError: if it cannot be read.
    """
    remedy = "fetch it again"
    value = _read(path, "fetch it, or mend the path in the configuration", remedy)
    if isinstance(value, dict):
        value = value.get("state_dict", value.get("model", value))
    # One number may stand for many here: the shapes are compared with the network's before use.
    if not _is_state(value, _is_plain):
        raise RecordError(f"{path}: holds no state dict of tensors; {remedy}")
    return {name.removeprefix("module."): one for name, one in value.items()}


class DamagedError(RecordError):
    """A file that is truncated or changed, or that never was one of tensors."""


def load_tensors(path: Path) -> Any:
    """Reads what `torch.save` wrote onto the CPU; no code in the file is run.

    Raises:
        DamagedError: if the file is not whole.
        OSError: if it cannot be read.
    """
    if path.exists() and not path.is_file() and not path.is_dir():  # waiting for it has no end
        raise DamagedError(f"{path}: is no file of tensors")
    with path.open("rb") as stream, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's, about kinds of tensors that are refused here
        try:
            _check(stream, path)
            stream.seek(0)
            return torch.load(stream, map_location="cpu", weights_only=True)
        except (OSError, *_DAMAGE) as error:
            # In a truncated archive torch looks for places before its start, which is EINVAL.
            if isinstance(error, OSError) and error.errno != errno.EINVAL:
                error.filename = error.filename or str(path)
                raise
            raise DamagedError(f"{path}: not a complete checkpoint") from error


def _check(stream: IO[bytes], path: Path) -> None:
    """Judges a file before torch reads it. Old files are pickles one after the other."""
    if stream.read(len(_ARCHIVE)) == _ARCHIVE:  # as torch tells them apart
        with zipfile.ZipFile(stream) as archive:
            _check_archive(archive, path)
        return
    stream.seek(0)
    for _ in range(_OLD_PICKLES):
        pickles.judge(stream)


def _check_archive(archive: zipfile.ZipFile, path: Path) -> None:
    """Compares the checksums of an archive, which torch does not look at, and judges its pickle.

    An archive that unpacks to more than its own size is refused unread: torch compresses nothing.
    """
    if sum(member.file_size for member in archive.infolist()) > path.stat().st_size:
        raise zipfile.BadZipFile("compressed")
    if archive.testzip() is not None:
        raise zipfile.BadZipFile("checksum")
    for member in archive.infolist():
        if member.filename.rpartition("/")[2] == "data.pkl":
            pickles.judge(io.BytesIO(archive.read(member)))


def _is_state(value: Any, is_fit: Callable[[Any], bool]) -> bool:
    return isinstance(value, dict) and all(
        isinstance(name, str) and is_fit(one) for name, one in value.items()
    )


def _is_plain(value: Any) -> bool:
    """Tells whether a value is a tensor of the common kind on the CPU."""
    if type(value) not in (Tensor, nn.Parameter) or value.is_nested:
        return False
    return value.layout == torch.strided and value.device.type == "cpu" and not value.is_quantized


def _is_dense(value: Any) -> bool:
    """Tells whether a value is a plain tensor, each of whose numbers has its own place in it."""
    return (
        _is_plain(value)
        and value.numel() * value.element_size() <= value.untyped_storage().nbytes()
    )


def _read(path: Path, if_missing: str, if_damaged: str) -> Any:
    try:
        return load_tensors(path)
    except FileNotFoundError as error:
        raise RecordError(f"{path}: no such file; {if_missing}") from error
    except DamagedError as error:
        raise RecordError(f"{error}; {if_damaged}") from error
