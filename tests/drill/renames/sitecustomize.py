"""Is loaded by every Python of the drill: counts a stage's renames, and kills it at a chosen one.

The folder `DRILL_RENAMES` holds the orders: a file per stage, with the number of a rename and
`before` or `after`. The first process of the stage that comes there takes the order, and kills
itself.
"""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

ORDERS = Path(os.environ["DRILL_RENAMES"])


def stage() -> str:
    """The stage that this process runs; "" if it runs none, or only starts others."""
    words = sys.orig_argv
    at = words.index("stage") + 1 if "stage" in words else len(words)
    name = words[at] if at < len(words) and "tips" in words else ""
    return "" if name == "reproduce" else name


def killing(rename: Callable[..., Any], name: str) -> Callable[..., Any]:
    count = 0

    def counted(*arguments: Any, **options: Any) -> Any:
        nonlocal count
        count += 1
        with (ORDERS / "seen.txt").open("a") as seen:
            seen.write(f"{name} {count}\n")
        order = ORDERS / name
        number, when = order.read_text().split() if order.is_file() else ("0", "")
        mine = int(number) == count
        if mine and when == "before":
            die(order)
        done = rename(*arguments, **options)
        if mine and when == "after":
            die(order)
        return done

    return counted


def die(order: Path) -> None:
    try:
        order.unlink()
    except FileNotFoundError:
        return  # another process of the stage was first
    os.kill(os.getpid(), signal.SIGKILL)


if stage():
    os.replace = os.rename = killing(os.replace, stage())
