"""`make drill`: kills a small study in every way, and compares it with an uninterrupted one.

make drill                       40 kills at random moments, beside one at every place of the code
                                 that renames a file; about 25 minutes on two idle cores
make drill KILLS=4 SEED=7        fewer random ones, the same moments again
"""

import argparse
import random
import shutil
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from contents import contents, differences
from kills import KINDS, Disk, DrillError
from study import COST, Study

SIZES = 12  # moments at which the database that is being made is killed, by its size


class Drill:
    """All rounds of kills. A round is a study that is killed until it is finished."""

    def __init__(self, place: Path, kills: int, seed: int) -> None:
        self.place, self.left, self.all = place, kills, kills
        self.rng = random.Random(seed)
        self.table: Counter[str] = Counter()
        self.wrong: list[str] = []
        self.began = time.monotonic()
        self.whole = Study(place / "whole")
        self.seconds = 0.0
        self.renames: dict[str, int] = {}  # places that are still to be killed: how often reached

    def run(self) -> None:
        self.uninterrupted()
        number = 0
        while self.left > 0 or self.renames:
            number += 1
            self.round(number)
        self.database()
        self.four_writers()

    def uninterrupted(self) -> None:
        say("a run without kills")
        self.whole.start("cost", "--json", COST, of_study=False).wait()
        (self.whole.orders / "seen.txt").unlink()
        began = time.monotonic()
        if code := self.whole.make():
            raise DrillError(f"ended with code {code}; see {self.whole.log}")
        self.seconds = time.monotonic() - began
        for line in (self.whole.orders / "seen.txt").read_text().splitlines():
            place, count = line.split()
            self.renames[place] = max(self.renames.get(place, 0), int(count))
        self.wanted = contents(self.whole.folder)
        say(
            f"it took {clock(self.seconds)} and made {len(self.wanted)} things by renames at "
            f"{len(self.renames)} places"
        )

    def round(self, number: int) -> None:
        """Kills one study until it is finished, and compares it."""
        outstanding = set(self.renames)
        study = Study(self.place / f"round-{number}", self.whole.folder)
        disk = Disk(study)
        same = False
        try:
            # Who goes on after a kill reaches a place less often, so a place that a round did not
            # reach so often is tried at its first time in the next one.
            for place, count in self.renames.items():
                chosen = self.rng.randint(1, count) if number == 1 else 1
                order = f"{chosen} {self.rng.choice(['before', 'after'])}"
                (study.orders / place).write_text(order)
            unfinished = True
            while unfinished:
                orders = left_of(study)
                unfinished = self.attempt(study, disk)
                for place in sorted(orders - left_of(study)):
                    del self.renames[place]
                    self.note(f"SIGKILL at {place}")
            same = self.compare(study, f"round {number}")
        finally:
            study.end()
            disk.close(keep=not same)
        if same:
            shutil.rmtree(study.folder)
        if outstanding and outstanding == set(self.renames) and self.left <= 0:
            raise DrillError(f"never killed at {', '.join(sorted(outstanding))}")

    def attempt(self, study: Study, disk: Disk) -> bool:
        """Starts or continues a study and kills it once; tells whether it is still unfinished."""
        orders = left_of(study)
        if self.left > 0 and self.rng.random() < 0.1:
            self.count(disk.full(self.rng))
            return True
        run = study.start("reproduce")
        moment = time.monotonic() + self.rng.uniform(0, self.seconds / 6)
        while run.poll() is None:
            time.sleep(0.05)
            if self.left > 0 and time.monotonic() >= moment:
                done = self.rng.choice(KINDS)(study, run, self.rng)
                if done:
                    self.count(done)
        if run.returncode == 0:
            return False
        if self.left <= 0 and orders == left_of(study) and run.returncode == 1:
            raise DrillError(f"does not go on, though nothing is killed: see {study.log}")
        return True

    def count(self, what: str) -> None:
        self.left -= 1
        self.note(what)

    def note(self, what: str) -> None:
        """Says what was done, and how long the rest may take."""
        self.table[" ".join(word for word in what.split() if not word.isdigit())] += 1
        done, left = self.table.total(), self.left + len(self.renames)
        each = (time.monotonic() - self.began) / (done + 1)
        say(f"[{done}/{done + left}] {what}; ETA {clock(left * each)}")

    def compare(self, study: Study, what: str) -> bool:
        """Tells whether a study is as the uninterrupted one is; notes what differs."""
        found = differences(self.wanted, contents(study.folder))
        say(f"{what}: {len(found)} differences")
        self.wrong += [f"{what}: {line}" for line in found]
        return not found

    def database(self) -> None:
        """Kills the making of the database at every size."""
        base = self.whole.results / "mlflow.db"
        full = base.stat().st_size
        for part in range(1, SIZES + 1):
            for file in base.parent.glob("*mlflow.db*"):
                file.unlink()
            run = self.whole.start("track")
            while run.poll() is None and size(base.parent) < full * part / SIZES:
                time.sleep(0.001)
            run.kill()
            run.wait()
            self.table["SIGKILL of track while it makes its database"] += 1
            if code := self.whole.make("track"):
                self.wrong.append(f"track after a kill at {part}/{SIZES}: code {code}")
        self.compare(self.whole, "a database killed while it was made")

    def four_writers(self) -> None:
        """Runs `track` four times at once, beside a reader that keeps the database open."""
        with sqlite3.connect(self.whole.results / "mlflow.db") as reader:
            reader.execute("select count(*) from runs").fetchone()
            runs = [self.whole.start("track") for _ in range(4)]
            codes = [run.wait() for run in runs]
        if any(codes):
            self.wrong.append(f"four writers: codes {codes}")
        self.compare(self.whole, "four writers at once")


def left_of(study: Study) -> set[str]:
    """The places where the study is still to be killed."""
    return {order.name for order in study.orders.iterdir()} - {"seen.txt"}


def size(folder: Path) -> int:
    """Bytes of a database that is being made, under whatever name."""
    total = 0
    for file in folder.glob("*mlflow*.db*"):
        try:
            total = max(total, file.stat().st_size)
        except FileNotFoundError:
            continue
    return total


def say(line: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {line}", flush=True)


def clock(seconds: float) -> str:
    return f"{int(seconds) // 3600}:{int(seconds) // 60 % 60:02d}:{int(seconds) % 60:02d}"


def main() -> int:
    options = argparse.ArgumentParser(prog="make drill", description=__doc__)
    options.add_argument("--kills", type=int, default=40)
    options.add_argument("--seed", type=int, default=None)
    options.add_argument("--folder", type=Path, default=None, help="empty; a new one in /tmp")
    chosen = options.parse_args()
    seed = random.SystemRandom().randrange(10**6) if chosen.seed is None else chosen.seed
    place = chosen.folder or Path(tempfile.mkdtemp(prefix="tips-drill-"))
    say(f"seed {seed}; in {place}")
    drill = Drill(place, chosen.kills, seed)
    try:
        drill.run()
    except DrillError as error:
        drill.wrong.append(str(error))
    for what, count in sorted(drill.table.items()):
        print(f"{count:4d}  {what}")
    for line in drill.wrong:
        print(f"error: {line}")
    if drill.wrong:
        print(f"{len(drill.wrong)} differences; seed {seed}; all is kept in {place}")
        return 1
    shutil.rmtree(place)
    print(f"nothing differs; seed {seed}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
