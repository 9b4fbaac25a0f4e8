"""The proofs of `tips recheck`: an edit of the code changes no bit of the results of some runs."""

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from tips.records import RecordError, first_problem, read_json, write_json

Run = tuple[str, int]  # variant, seed
Pair = tuple[str | None, str | None]  # digests of a file before and after; None: there is no file


class Proof(BaseModel):
    """One run that was made again with equal results, and the runs that this proves current."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    run: Run  # the run that was made again
    covers: tuple[Run, ...]  # runs with the same parts and the same changes in the code they use
    changes: dict[str, dict[str, Pair]]  # link (training, predictions) -> file -> digests
    tensors: int = Field(ge=1, strict=True)  # number of tensors that were compared and are equal
    checkpoint: str = Field(
        pattern=r"^[0-9a-f]{64}$"
    )  # sha256 of the weights at the end of both trainings
    commit: str
    time: str  # UTC
    seconds: float = Field(ge=0)
    machine: str


_PROOFS: TypeAdapter[tuple[Proof, ...]] = TypeAdapter(tuple[Proof, ...])


def read_proofs(file: Path) -> tuple[Proof, ...]:
    """Reads the proofs of a study; none without a file. Raises RecordError if it is malformed."""
    if not os.path.lexists(file):
        return ()
    remedy = "remove it, and recheck again"
    try:
        return _PROOFS.validate_python(read_json(file, remedy))
    except ValidationError as error:
        raise RecordError(f"{file}: {first_problem(error)}; {remedy}") from error


def add_proofs(file: Path, found: Sequence[Proof]) -> None:
    """Adds proofs to the file of a study."""
    kept: list[Any] = [proof.model_dump(mode="json") for proof in (*read_proofs(file), *found)]
    write_json(kept, file)


def proven(
    proofs: Iterable[Proof],
    link: str,
    run: Run,
    then: Mapping[str, str],
) -> tuple[dict[str, str], Proof | None]:
    """Finds the latest code that is proved to give a run's result, too.

    Proofs are applied in the order in which they were made. A proof applies if the code before its
    edit is the code reached so far. So two edits in a row are harmless if each of them is.

    Args:
        proofs: proofs of the study.
        link: training or predictions.
        run: the run.
        then: the code that made the result, file -> digest.

    Returns:
        That code, file -> digest, and the last proof that was applied.
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
    """Finds the code before all edits that are proved harmless for a run.

    It gives the same result as the present code.

    Args:
        proofs: proofs of the study.
        link: training or predictions.
        run: the run.
        now: the present code, file -> digest.

    Returns:
        That code, file -> digest.
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
