"""Is loaded by every Python of the drill: counts a stage's renames, and kills it at chosen ones.

The folder `DRILL_RENAMES` holds the orders: a file per stage and place, with the number of a rename
there and `before` or `after`. The first process that comes there takes the order, and kills itself.
"""

import os
import signal
import sys
from collections import Counter
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


def place(target: Path) -> str:
    """Names a rename by the line of our code that asked for it, and by the kind of its file."""
    frame = sys._getframe(2)
    while frame.f_back and not asks(Path(frame.f_code.co_filename)):
        frame = frame.f_back
    asked = Path(frame.f_code.co_filename).stem
    return f"{asked}-{frame.f_lineno}{target.suffix}"


def asks(file: Path) -> bool:
    """Tells our code from libraries and from records.py, which rename for it."""
    return "tips" in file.parts and "site-packages" not in file.parts and file.name != "records.py"


def killing(rename: Callable[..., Any], name: str) -> Callable[..., Any]:
    counts: Counter[str] = Counter()

    def counted(source: Any, target: Any, **options: Any) -> Any:
        where = f"{name}:{place(Path(target))}"
        counts[where] += 1
        with (ORDERS / "seen.txt").open("a") as seen:
            seen.write(f"{where} {counts[where]}\n")
        order = ORDERS / where
        number, when = order.read_text().split() if order.is_file() else ("0", "")
        mine = int(number) == counts[where]
        if mine and when == "before":
            die(order)
        done = rename(source, target, **options)
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
