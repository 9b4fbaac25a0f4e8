"""Tells how frames of rendered windows are damaged; chooses windows that show every kind."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from tips.instances import Key
from tips.records import read_object

COVERED: Final = "limb hidden"


class Damaged:
    """The damage of a split, as the renderer noted it; other datasets have no such notes.

    Args:
        folder: folder of the truth files of the split.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._known: dict[str, Mapping[str, object]] = {}

    def of(self, key: Key, frame: int) -> list[str]:
        """Lists what is wrong with one person in one frame, in words; empty if nothing is."""
        truth = self._truth(key.sequence)
        faults, people = truth.get("faults"), truth.get("people")
        found = []
        if isinstance(faults, list) and faults[frame] != "none":
            found.append(str(faults[frame]))
        for person in people if isinstance(people, list) else ():
            if person["track"] == key.track and any(person.get("covered", ())[frame : frame + 1]):
                found.append(COVERED)
        return found

    def _truth(self, sequence: str) -> Mapping[str, object]:
        if sequence not in self._known:
            file = self.folder / f"{sequence}.json"
            self._known[sequence] = read_object(file) if file.is_file() else {}
        return self._known[sequence]


def varied(
    keys: Sequence[Key], kinds: Sequence[frozenset[str]], count: int, seed: int
) -> list[Key]:
    """Chooses windows at random, but first those that show kinds of damage not yet shown.

    Args:
        keys: the windows to choose from.
        kinds: the kinds of damage that each of them shows.
        count: the number of windows to choose; all are taken if there are fewer.
        seed: the seed of the choice.

    Returns:
        The windows, in their order.
    """
    order = np.random.default_rng(seed).permutation(len(keys)).tolist()
    shown: frozenset[str] = frozenset()
    chosen: list[int] = []
    while order and len(chosen) < count:
        best = max(order, key=lambda index: len(kinds[index] - shown))
        chosen.append(best)
        order.remove(best)
        shown |= kinds[best]
    return [keys[index] for index in sorted(chosen)]
