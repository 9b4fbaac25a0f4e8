"""Keeps Snakemake's records of all outputs among the results, so that copies of them are current.

Snakemake decides by its own records (.snakemake/metadata: parameters, inputs and their checksums)
what is current. Results that were handed over come without these records. Then Snakemake goes by
the times of files, which copying changes. So the workflow keeps a copy of the records in
`results/.../made.json`, and gives Snakemake those that it lacks.

They also hold what a call of Snakemake was to make. Snakemake deletes the outputs of a job before
it starts it, and again if it fails. Later it does not miss them, as long as there are files that
were once made from them. So `all` asks for those that are missing.

A kept record holds what Snakemake compares and nothing of the machine: no command line, no time of
day, no hash of a software environment. Files of the dataset are named relative to its root.
"""

import os
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Annotated, Any, Final, Literal, NamedTuple

from pydantic import Field, StringConstraints
from snakemake.persistence import MetadataRecord, PersistenceBase
from snakemake.persistence.file import FilePersistence
from snakemake.settings.enums import PersistenceBackend

from tips.records import Record, RecordError, read, write

ROOT: Final = "{root}/"  # stands for the dataset's folder
LARGEST: Final = 100_000_000  # bytes; the records of a hundred trainings take about 1 MB
Checksum = Annotated[str, StringConstraints(pattern=r"^sha256:[0-9a-f]{64}$")]


class Job(Record):
    """Snakemake's record of one job: what its outputs were made from."""

    outputs: tuple[str, ...]
    rule: str
    code: str | None
    params: tuple[str, ...]
    input: tuple[str, ...]
    input_checksums: dict[str, Checksum]
    record_format_version: int = Field(ge=0, le=1000)
    seconds: float = Field(ge=0, allow_inf_nan=False)


class Made(Record):
    """All kept records of a study."""

    format: Literal[1] = 1
    jobs: tuple[Job, ...]
    begun: tuple[str, ...] = ()  # files that a call was to make


class Missing(NamedTuple):
    """A file that an earlier call of Snakemake was to make.

    Args:
        file: its name.
        rule: the name of the rule that makes it.
        wildcards: the rule's wildcards.
    """

    file: str
    rule: str
    wildcards: dict[str, str]


class Keeper(NamedTuple):
    """Keeps a study's records and gives them back.

    Args:
        workflow: Snakemake's workflow.
        file: the file of the records.
        root: the dataset's folder.
    """

    workflow: Any
    file: Path
    root: Path

    def recall(self) -> str:
        """Gives Snakemake the records that it lacks, before it decides what to run.

        It gives records of existing files that a rule of this workflow makes. It must be called
        when all rules are known. In the process of a job, which reads the rules again, it does
        nothing.

        Returns:
            Why the file is ignored; "" if it is not, or if there is none.
        """
        settings = self.workflow.workflow_settings
        files = settings.persistence_backend == PersistenceBackend.FILE
        if not (files and self.workflow.is_main_process and self.file.is_file()):
            return ""
        try:
            made = _read(self.file)
        except RecordError as error:
            return f"{error} (ignored: Snakemake goes by its own records)"
        persistence = FilePersistence(nolock=True)
        rules = {rule.name: rule for rule in self.workflow.rules}
        for job in made.jobs:
            for output in job.outputs:
                if _makes(rules.get(job.rule), output) and Path(output).is_file():
                    self._give(persistence, job, output)
        return ""

    def missing(self) -> list[Missing]:
        """Lists what earlier calls were to make, is missing, and is made by a rule."""
        found = [
            Missing(file, rule.name, match.groupdict())
            for file in self._before().begun
            if not os.path.isfile(file)
            for rule in self.workflow.rules
            for output in rule.output
            if (match := output.match(file)) is not None
        ]
        return list({one.file: one for one in found}.values())

    def begin(self) -> None:
        """Writes down what this call of Snakemake is about to make, beside all records."""
        before, jobs = self._before(), self.workflow.dag.needrun_jobs()
        self._keep(before, {*before.begun, *(str(file) for job in jobs for file in job.output)})

    def keep(self) -> None:
        """Writes the records of all jobs of this call of Snakemake and of earlier ones."""
        before = self._before()
        self._keep(before, {file for file in before.begun if not os.path.isfile(file)})

    def _before(self) -> Made:
        """Reads the file; an unreadable one, which `recall` reports, holds nothing."""
        try:
            return _read(self.file) if self.file.is_file() else Made(jobs=())
        except RecordError:
            return Made(jobs=())

    def _keep(self, before: Made, begun: set[str]) -> None:
        # Snakemake's cache may hold records that were read before a job ended.
        self.workflow.persistence.deactivate_cache()
        outputs = {str(file) for job in self.workflow.dag.jobs for file in job.output}
        outputs |= {output for job in before.jobs for output in job.outputs}
        found: dict[str, list[Job]] = {}
        for output in sorted(filter(os.path.isfile, outputs)):
            record = self.workflow.persistence._read_record(output)
            if record is not None and not record.incomplete and record.rule is not None:
                job = self._job(output, record)
                same = job.model_copy(update={"outputs": ()}).model_dump_json()
                found.setdefault(same, []).append(job)
        jobs = [
            job.model_copy(update={"outputs": tuple(one.outputs[0] for one in (job, *others))})
            for job, *others in found.values()
        ]
        write(Made(jobs=tuple(jobs), begun=tuple(sorted(begun))), self.file)

    def _job(self, output: str, record: MetadataRecord) -> Job:
        inputs = [(self._below_root(name), name) for name in record.input or ()]
        checksums = record.input_checksums or {}
        return Job(
            outputs=(output,),
            rule=record.rule,
            code=record.code,
            params=tuple(record.params or ()),
            input=tuple(kept for kept, _ in inputs),
            input_checksums={kept: checksums[name] for kept, name in inputs if name in checksums},
            record_format_version=record.record_format_version,
            seconds=max(0.0, round((record.endtime or 0) - (record.starttime or 0), 1)),
        )

    def _give(self, persistence: PersistenceBase, job: Job, output: str) -> None:
        if persistence._read_record(output) is not None:
            return
        made = Path(output).stat().st_mtime
        record = MetadataRecord(
            rule=job.rule,
            code=job.code,
            params=list(job.params),
            input=sorted(map(self._from_root, job.input)),
            input_checksums={self._from_root(k): v for k, v in job.input_checksums.items()},
            record_format_version=job.record_format_version,
            starttime=made - job.seconds,
            endtime=made,
            incomplete=False,
        )
        persistence._write_record(output, record)

    def _below_root(self, file: str) -> str:
        return ROOT + file[len(f"{self.root}/") :] if file.startswith(f"{self.root}/") else file

    def _from_root(self, file: str) -> str:
        return f"{self.root}/{file[len(ROOT) :]}" if file.startswith(ROOT) else file


def joined(file: Path, other: Path, outputs: Collection[str]) -> Made:
    """Gives a study's records, with another study's of outputs that are copied from it.

    What the other study has no record of, Snakemake judges by the times of files.

    Args:
        file: the file of this study's records; it may be missing.
        other: the file of the other's records; it may be missing.
        outputs: the copied files.

    Raises:
        RecordError: a file of records is malformed.
    """
    mine = _read(file) if file.is_file() else Made(jobs=())
    theirs = _read(other) if other.is_file() else Made(jobs=())
    jobs = [
        *(_only(job, [one for one in job.outputs if one not in outputs]) for job in mine.jobs),
        *(_only(job, [one for one in job.outputs if one in outputs]) for job in theirs.jobs),
    ]
    begun = tuple(one for one in mine.begun if one not in outputs)
    return Made(jobs=tuple(job for job in jobs if job.outputs), begun=begun)


def adopt(records: Made, file: Path, outputs: Collection[str]) -> None:
    """Writes records that `joined` gave, when the outputs are copied.

    Snakemake's own records of these outputs are of files that were here before. They go, so that
    the next call of the workflow gives it the new ones.
    """
    persistence = FilePersistence(nolock=True)
    for output in outputs:
        persistence._delete_record(output)
    write(records, file)


def _only(job: Job, outputs: Iterable[str]) -> Job:
    return job.model_copy(update={"outputs": tuple(outputs)})


def _read(file: Path) -> Made:
    size = file.stat().st_size
    if size > LARGEST:
        raise RecordError(f"{file}: {size} bytes are no records of a study; delete it")
    return read(Made, file)


def _makes(rule: Any, output: str) -> bool:
    """Tells whether a rule of the workflow makes a file of that name."""
    return rule is not None and any(pattern.match(output) for pattern in rule.output)
