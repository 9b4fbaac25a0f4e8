"""What `tips recheck` has proved: that an edit of the code changes no bit of some runs' results."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from tips.records import RecordError, first_problem, read_json, write_json

Run = tuple[str, int]  # variant, seed
Pair = tuple[str | None, str | None]  # a file's digest before and after; None: not there


class Proof(BaseModel):
    """One run made again with equal results, and the runs for which that counts."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    run: Run  # that was made again
    covers: tuple[Run, ...]  # with the same change in the code that they use, and the same parts
    changes: dict[str, dict[str, Pair]]  # link (training, predictions) -> file -> digests
    tensors: int  # that were compared and equal
    checkpoint: str  # sha256 of the weights that both trainings ended with
    commit: str
    time: str  # UTC
    seconds: float
    machine: str


_PROOFS: TypeAdapter[tuple[Proof, ...]] = TypeAdapter(tuple[Proof, ...])


def read_proofs(file: Path) -> tuple[Proof, ...]:
    """Reads the proofs of a study; none where there is no file. Raises RecordError."""
    if not file.is_file():
        return ()
    try:
        return _PROOFS.validate_python(read_json(file))
    except ValidationError as error:
        raise RecordError(
            f"{file}: {first_problem(error)}; remove it, and recheck again"
        ) from error


def add_proofs(file: Path, found: Sequence[Proof]) -> None:
    """Adds proofs to those of a study."""
    kept: list[Any] = [proof.model_dump(mode="json") for proof in (*read_proofs(file), *found)]
    write_json(kept, file)


def proven(
    proofs: Iterable[Proof],
    link: str,
    run: Run,
    then: Mapping[str, str],
) -> tuple[dict[str, str], Proof | None]:
    """The code that a run's result is proved to come from just as well, and the last proof.

    Proofs are applied in the order in which they were made, each where the code is what it began
    with: an edit that came after another is harmless if both are.

    Args:
        proofs: of the study.
        link: training or predictions.
        run: whose result it is.
        then: the code that made it, file -> digest.
    """
    code_now = dict(then)
    last: Proof | None = None
    for proof in proofs:
        pairs = proof.changes.get(link, {})
        fits = all(code_now.get(file) == before for file, (before, _) in pairs.items())
        if run not in proof.covers or not pairs or not fits:
            continue
        last = proof
        for file, (_, after) in pairs.items():
            if after is None:
                code_now.pop(file, None)
            else:
                code_now[file] = after
    return code_now, last


def undone(proofs: Sequence[Proof], link: str, run: Run, now: Mapping[str, str]) -> dict[str, str]:
    """The code before all edits that are proved harmless for a run: to that it is as good as equal.

    Args:
        proofs: of the study.
        link: training or predictions.
        run: whose result it is.
        now: the present code, file -> digest.
    """
    code_then = dict(now)
    for proof in reversed(proofs):
        pairs = proof.changes.get(link, {})
        if run in proof.covers and all(
            code_then.get(f) == after for f, (_, after) in pairs.items()
        ):
            for file, (before, _) in pairs.items():
                if before is None:
                    code_then.pop(file, None)
                else:
                    code_then[file] = before
    return code_then
