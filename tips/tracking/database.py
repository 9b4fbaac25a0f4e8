"""The file of the MLflow database: made whole, checked before it is used, set aside if broken.

It holds nothing that the run folders do not hold, so a broken one is no loss: it keeps its bytes
under another name, and the next `track` writes all runs into a new one. Whoever calls `prepare`
holds the lock of the database.

It may come from anybody. What it says of runs decides which folders are written and removed, and
which ones MLflow's pages show, so nothing in it may lead out of the study's folder.
"""

import logging
import os
import re
import sqlite3
import stat
import tempfile
from contextlib import AbstractContextManager, closing
from functools import cache
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tips.locks import waiting
from tips.records import RecordError
from tips.safe_text import one_line
from tips.temporaries import discard

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

log = logging.getLogger(__name__)
MAKING: Final = ".mlflow-making-"  # the start of the name of a folder with an incomplete database
BESIDE: Final = ("-journal", "-wal", "-shm")  # files that sqlite has beside a database
PATIENCE: Final = 60.0  # s to wait for another program that writes
SOON: Final = 1.0  # s after which a word is said on that
KIND: Final = "tips.kind"  # every run of ours has this tag, and no run of a user
RUN: Final = re.compile("[0-9a-f]{32}")  # what MLflow calls a run
# Where MLflow has files: below its server's folder, or, of a user's own runs, below ./mlruns.
SERVED: Final = re.compile(r"(mlflow-artifacts|runs|models):/(\w[\w.-]*(/\w[\w.-]*)*)?", re.ASCII)
LOCAL: Final = re.compile(r"(file://)?(?P<path>/([^/]+/)*mlruns/\d+(/\w[\w.-]*)*)", re.ASCII)
ADDRESSES: Final = """SELECT 'a run', artifact_uri FROM runs
    UNION ALL SELECT 'an experiment', artifact_location FROM experiments
    UNION ALL SELECT 'a model', artifact_location FROM logged_models
    UNION ALL SELECT 'a model', source FROM model_versions
    UNION ALL SELECT 'a model', storage_location FROM model_versions
    UNION ALL SELECT 'a trace', value FROM trace_tags WHERE key = 'mlflow.artifactLocation'"""
# What does more than hold rows; MLflow has the one trigger.
ACTIVE: Final = """SELECT type, name, sql FROM sqlite_master
    WHERE type NOT IN ('table', 'index') OR coalesce(rootpage, 0) = 0"""
TRIGGER: Final = """CREATE TRIGGER prevent_secrets_aad_mutation BEFORE UPDATE ON secrets
    FOR EACH ROW WHEN OLD.secret_id != NEW.secret_id OR OLD.secret_name != NEW.secret_name BEGIN
    SELECT RAISE(ABORT, 'secret_id and secret_name are immutable (used as AAD in encryption)');
    END"""
# The end of a journal that names another file, which sqlite would remove. One of ours names none.
NAMES_ANOTHER: Final = bytes.fromhex("d9d505f920a163d7")
# What sqlite says of a file that is no whole database; other errors are of the disk or of access.
BROKEN: Final = (
    sqlite3.SQLITE_ERROR,
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_FORMAT,
    sqlite3.SQLITE_NOTADB,
)
COLUMNS: Final = """SELECT m.name, c.name FROM sqlite_master m, pragma_table_xinfo(m.name) c
                    WHERE m.type = 'table'"""


def locked(database: Path) -> AbstractContextManager[None]:
    """Keeps other writers away; makes the database's folder."""
    return waiting(database.with_suffix(".lock"), f"writes {database}")


def sqlite_address(database: Path) -> str:
    """Gives a database's address: from the working folder on if it cannot be the whole path.

    Study folders have plain names, but a `?` or `#` in the name of a folder above them would end
    the address, and MLflow would make its database there.
    """
    whole = str(database.absolute())
    return f"sqlite:///{whole if not set('?#%') & set(whole) else os.path.relpath(database)}"


def connect(database: Path | str) -> "MlflowClient":
    """Opens a database by MLflow, which makes it if it is not there, or a server by its address."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    from mlflow.tracking import MlflowClient

    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
    # The model registry is not used. Without this address MLflow would make ./mlflow.db for it.
    address = database if isinstance(database, str) else sqlite_address(database)
    return MlflowClient(tracking_uri=address, registry_uri=address)


def close(client: "MlflowClient") -> None:
    """Closes the database that a client has open."""
    client._tracking_client.store.engine.dispose()


def prepare(database: Path) -> None:
    """Sees to it that there is a whole database: sets a broken one aside, makes a missing one.

    Raises:
        RecordError: the database cannot be read.
    """
    for left in database.parent.glob(f"{MAKING}*"):  # by a process that was killed
        discard(left)
    for end in BESIDE:
        part = database.with_name(f"{database.name}{end}")
        if why := _oddity(part):
            kept = _set_aside(database, end)
            log.warning("%s: %s; it is kept as %s%s", part, why, kept.name, end)
    if os.path.lexists(database) and (why := problem(database)):
        kept = _set_aside(database, *BESIDE, "")
        log.warning(
            "%s: %s; it is kept as %s, and a new one is made from the run folders",
            *(database, why, kept.name),
        )
    if not database.exists():
        _make(database)


def prepare_folder(folder: Path) -> None:
    """Sets aside what is no folder in a folder's place; a link would lead elsewhere."""
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        kept = _set_aside(folder, "")
        log.warning("%s: is no folder; it is kept as %s, and a new one is made", folder, kept.name)


def problem(database: Path) -> str:
    """Says why a file is no whole MLflow database of the installed version; "" if it is one.

    Raises:
        RecordError: the file cannot be read, which tells nothing of what it holds.
    """
    if not os.path.lexists(database):
        return "is no file"
    for part in (database, *(database.with_name(f"{database.name}{end}") for end in BESIDE)):
        if why := _oddity(part):
            return why if part == database else f"stands beside {part.name}, which {why}"
    database.open("rb").close()  # who may not read it learns that, and not that it is broken
    try:
        return _examined(database)
    except sqlite3.DatabaseError as error:
        if _code(error) in BROKEN:
            return f"is no whole database ({error})"
        if _code(error) == sqlite3.SQLITE_BUSY:
            raise RecordError(
                f"{database}: another program has it open for writing ({error}); close that "
                "program and run the same command again"
            ) from error
        raise RecordError(
            f"{database}: cannot be read ({error}); make it accessible and run the same command "
            "again"
        ) from error


def _oddity(path: Path) -> str:
    """Says why a file of a database, if it is there, is none of this folder alone."""
    if not os.path.lexists(path):
        return ""
    status = path.lstat()
    if stat.S_ISLNK(status.st_mode):
        return "is a link"
    if not stat.S_ISREG(status.st_mode):
        return "is no file"
    if status.st_nlink > 1:
        return "has a second name (a hard link), and that file would change too"
    if path.name.endswith(BESIDE[0]) and _end(path) == NAMES_ANOTHER:
        return "is a journal that names another file"
    return ""


def _end(path: Path) -> bytes:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - len(NAMES_ANOTHER)))
        return file.read(len(NAMES_ANOTHER))


def _examined(database: Path) -> str:
    """Examines a database that no other program writes; if it waits for one, it says so."""
    try:
        return _opened(database, SOON)
    except sqlite3.DatabaseError as error:
        if _code(error) != sqlite3.SQLITE_BUSY:
            raise
    log.info("%s: another program has it open; waiting up to %g s for it", database, PATIENCE)
    return _opened(database, PATIENCE)


def _opened(database: Path, patience: float) -> str:
    with closing(sqlite3.connect(database, timeout=patience, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")  # as for writing, which others may prevent
        return _problem(connection) or _cut(connection, database)


def _code(error: sqlite3.DatabaseError) -> int:
    return int(getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)) & 0xFF


def _problem(connection: sqlite3.Connection) -> str:
    ((said, *_),) = connection.execute("PRAGMA quick_check(1)").fetchall()
    if said != "ok":
        return f"is damaged ({' '.join(said.split())})"
    wanted, newest = _wanted()
    if lacking := sorted(wanted - set(connection.execute(COLUMNS))):
        return f"is not complete (it lacks {lacking[0][0]}.{lacking[0][1]})"
    version = connection.execute("SELECT version_num FROM alembic_version").fetchall()
    if version != [(newest,)]:
        return "is of another version of MLflow, or not complete"
    return _leading_out(connection)


def _leading_out(connection: sqlite3.Connection) -> str:
    """Says what in a database is not MLflow's own, or leads out of the study's folder."""
    for kind, name, sql in connection.execute(ACTIVE):
        if " ".join(str(sql).split()) != " ".join(TRIGGER.split()):
            return f"has a {kind} that is not MLflow's ({one_line(str(name), 100)})"
    for (run,) in connection.execute("SELECT run_uuid FROM runs"):
        if not isinstance(run, str) or not RUN.fullmatch(run):
            return f"has a run whose name is no id ({one_line(str(run), 100)})"
    for what, address in connection.execute(ADDRESSES):
        if address is not None and not _is_inside(address):
            return f"has {what} with files elsewhere ({one_line(str(address), 100)})"
    return ""


def _is_inside(address: object) -> bool:
    """Tells whether an address of files is one that MLflow gives by itself."""
    if not isinstance(address, str):
        return False
    local = LOCAL.fullmatch(address)
    if local is None:
        return SERVED.fullmatch(address) is not None
    return os.path.realpath(local["path"]) == local["path"]


def _cut(connection: sqlite3.Connection, database: Path) -> str:
    """Tells of a file that ends before its last page, of which sqlite reads the rest as zeros."""
    ((pages,),) = connection.execute("PRAGMA page_count")
    ((size,),) = connection.execute("PRAGMA page_size")
    ((mode,),) = connection.execute("PRAGMA journal_mode")  # "wal" has pages in another file
    return "is cut short" if mode != "wal" and database.stat().st_size < pages * size else ""


@cache
def _wanted() -> tuple[frozenset[tuple[str, str]], str]:
    """Lists the columns of every table of the installed MLflow; gives the version of its tables."""
    from mlflow.store.db.utils import _get_latest_schema_revision
    from mlflow.store.tracking.dbmodels.models import Base

    tables = Base.metadata.tables.values()
    columns = frozenset((table.name, column.name) for table in tables for column in table.columns)
    return columns, str(_get_latest_schema_revision())


def _set_aside(path: Path, *ends: str) -> Path:
    """Renames what has a path's name with one of these ends, to the next free name.

    A journal's end comes first: beside a new database it would be taken for that one's.
    """
    numbered = (path.with_stem(f"{path.stem}-broken-{number}") for number in count(1))
    kept = next(
        one for one in numbered if not any(os.path.lexists(f"{one}{end}") for end in (*BESIDE, ""))
    )
    for end in ends:
        part = path.with_name(f"{path.name}{end}")
        if os.path.lexists(part):
            part.rename(kept.with_name(f"{kept.name}{end}"))
    return kept


def _make(database: Path) -> None:
    """Makes a database, which gets its name only when it is complete."""
    # A process that makes two needs two names: MLflow remembers what it knows of an address.
    folder = Path(tempfile.mkdtemp(prefix=MAKING, dir=database.parent))
    new = folder / database.name
    client = connect(new)
    client.search_experiments(max_results=1)
    close(client)
    for end in BESIDE:  # of a database that was deleted
        database.with_name(f"{database.name}{end}").unlink(missing_ok=True)
    new.rename(database)
    discard(folder)


def living(database: Path) -> set[str]:
    """Lists the ids of all runs but those of ours that were removed."""
    with closing(sqlite3.connect(database, timeout=PATIENCE)) as connection:
        return {
            run
            for (run,) in connection.execute(
                """SELECT run_uuid FROM runs EXCEPT
                   SELECT r.run_uuid FROM runs r JOIN tags t ON t.run_uuid = r.run_uuid
                   WHERE r.lifecycle_stage = 'deleted' AND t.key = ?""",
                (KIND,),
            )
        }
