"""Trains the toy network with worker processes: stopped.py FOLDER STEP SIGNAL COUNT.

At that step each process of the training's group gets the signal, as from a cluster's scheduler.
With a COUNT above 1, `torchrun`'s own way to end its ranks is taken instead: it gets the signal.
"""

import os
import sys
import time
from pathlib import Path

import torch
from toy import DATA, SETTINGS, Bad, job, state_in

from tips.data.windows import Sample
from tips.terms import Pass
from tips.training.batches import load_batches
from tips.training.loop import fit
from tips.training.ranks import joined


class Data(torch.utils.data.Dataset[Sample]):
    def __getitem__(self, place: tuple[int, int]) -> Sample:
        return DATA[place[1]]


class Told(Bad):
    """A loss that sends a signal at a step, and is never bad."""

    def __init__(self, at: int, number: int, together: bool) -> None:
        super().__init__(-1)
        self.when, self.number, self.together = at, number, together

    def forward(self, one: Pass) -> torch.Tensor:
        if self.step + 1 == self.when:
            if self.together:
                os.kill(os.getppid(), self.number)
            else:
                os.killpg(0, self.number)
                time.sleep(0.5)  # until each has it
        return super().forward(one)


if __name__ == "__main__":
    folder, (step, number, count) = Path(sys.argv[1]), map(int, sys.argv[2:])
    torch.set_num_threads(1)
    settings = SETTINGS.model_copy(
        update={"epochs": 40, "accumulation": 8, "checkpoint_every": 1000}
    )
    with joined(torch.device("cpu")) as group:
        first = group.rank == 0
        one = job(settings, Told(step if first else -1, number, group.count > 1))
        one = one._replace(load=lambda order: load_batches(Data(), order, workers=2))
        fit(one, state_in(folder), group)
