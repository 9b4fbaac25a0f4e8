"""The file of the MLflow database: made whole, checked before it is used, set aside if broken.

It holds nothing that the run folders do not hold, so a broken one is no loss: it keeps its bytes
under another name, and the next `track` writes all runs into a new one. Whoever calls `prepare`
holds the lock of the database.
"""

import logging
import os
import shutil
import sqlite3
import tempfile
from contextlib import AbstractContextManager, closing
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tips.locks import waiting
from tips.records import RecordError

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

log = logging.getLogger(__name__)
MAKING: Final = ".mlflow-making-"  # the start of the name of a folder with an incomplete database
BESIDE: Final = ("-journal", "-wal", "-shm")  # files that sqlite has beside a database
PATIENCE: Final = 60.0  # s to wait for another program that writes
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
    """Gives a database's address, from the working folder on.

    Study folders have plain names, but a `?` or `#` in the name of a folder above them would end
    the address, and MLflow would make its database there.
    """
    return f"sqlite:///{os.path.relpath(database)}"


def connect(database: Path) -> "MlflowClient":
    """Opens a database by MLflow, which makes it if it does not exist."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    from mlflow.tracking import MlflowClient

    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
    # The model registry is not used. Without this address MLflow would make ./mlflow.db for it.
    address = sqlite_address(database)
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
        shutil.rmtree(left)
    if os.path.lexists(database) and (why := problem(database)):
        kept = _set_aside(database)
        log.warning(
            "%s: %s; it is kept as %s, and a new one is made from the run folders",
            *(database, why, kept.name),
        )
    if not database.exists():
        _make(database)


def problem(database: Path) -> str:
    """Says why a file is no whole MLflow database of the installed version; "" if it is one.

    Raises:
        RecordError: the file cannot be read, which tells nothing of what it holds.
    """
    if not database.is_file():
        return "is no file"
    database.open("rb").close()  # who may not read it learns that, and not that it is broken
    try:
        with closing(sqlite3.connect(database, timeout=PATIENCE)) as connection:
            return _problem(connection) or _cut(connection, database)
    except sqlite3.DatabaseError as error:
        if (getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF) in BROKEN:
            return f"is no whole database ({error})"
        raise RecordError(
            f"{database}: cannot be read ({error}); make it accessible and run the same command "
            "again"
        ) from error


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
    return ""


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


def _set_aside(database: Path) -> Path:
    """Renames a database, with what sqlite has beside it, to the next free name."""
    number = 1
    while os.path.lexists(kept := database.with_stem(f"{database.stem}-broken-{number}")):
        number += 1
    # Its journal first: beside a new database it would be taken for that one's.
    for end in (*BESIDE, ""):
        part = database.with_name(f"{database.name}{end}")
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
    new.rename(database.resolve())
    shutil.rmtree(folder)


def living(database: Path) -> set[str]:
    """Lists the ids of all runs but those of ours that were removed."""
    with closing(sqlite3.connect(database, timeout=PATIENCE)) as connection:
        return {
            run
            for (run,) in connection.execute(
                """SELECT run_uuid FROM runs EXCEPT
                   SELECT r.run_uuid FROM runs r JOIN tags t ON t.run_uuid = r.run_uuid
                   WHERE r.lifecycle_stage = 'deleted' AND t.key = 'tips.variant'"""
            )
        }
