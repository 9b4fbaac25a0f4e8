"""Fails if a test was skipped for a reason that a machine cannot be excused for."""

import os
import shutil
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

SHARED = Path(os.environ.get("TIPS_SHARED", Path(__file__).parents[1] / "../shared"))
POSTGRESQL = Path("/usr/lib/postgresql")
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def browser() -> str | None:
    """Finds a Chromium; a test that needs one is skipped with "no chromium" where there is none."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


def postgresql() -> bool:
    """Tells whether PostgreSQL's programs are there."""
    return bool(shutil.which("initdb") or [*POSTGRESQL.glob("*/bin/initdb")])


def slurm() -> bool:
    """Tells whether SLURM's daemons are there, which only root can start."""
    return os.geteuid() == 0 and shutil.which("slurmd") is not None


def allowed() -> tuple[str, ...]:
    """Lists the reasons that this machine can be excused for."""
    return (
        *("no CUDA", "no nvcc"),
        *(() if SHARED.is_dir() else ("no shared material",)),
        *(() if browser() else ("no chromium",)),
        *(() if postgresql() else ("no PostgreSQL",)),
        *(() if slurm() else ("no slurmd",)),
    )


def unexcused(report: Path) -> list[str]:
    """Lists "test: reason" of every skip in a JUnit report that is not allowed."""
    found, excuses = [], allowed()
    for case in ElementTree.parse(report).iter("testcase"):
        for skip in case.iter("skipped"):
            reason = skip.get("message", "")
            if reason not in excuses:
                found.append(f"{case.get('classname')}.{case.get('name')}: {reason}")
    return found


if __name__ == "__main__":
    bad = [line for report in sys.argv[1:] for line in unexcused(Path(report))]
    for line in bad:
        print(f"skipped without an excuse: {line}", file=sys.stderr)
    sys.exit(1 if bad else 0)
