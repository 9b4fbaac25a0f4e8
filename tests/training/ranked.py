"""Trains the toy network of toy as one rank: ranked.py FOLDER [NAN], the step of a bad loss.

`torchrun` starts it several times; alone it is one process.
"""

import sys
from pathlib import Path

import torch
from toy import SETTINGS, Bad, job, state_in

from tips.training.loop import TrainingError, fit
from tips.training.ranks import joined

STEPS, CYCLE = 15, 4  # so the last cycle is shorter

if __name__ == "__main__":
    folder, bad = Path(sys.argv[1]), int(sys.argv[2]) if sys.argv[2:] else None
    torch.set_num_threads(1)
    settings = {"accumulation": CYCLE, "checkpoint_every": CYCLE, "epochs": STEPS // 5}
    with joined(torch.device("cpu")) as group:
        own = None
        if bad is not None:  # a rank counts only the steps that it takes
            own = Bad(bad // group.count if bad % group.count == group.rank else STEPS)
        one = job(SETTINGS.model_copy(update=settings), own)
        try:
            fit(one, state_in(folder), group)
        except TrainingError as error:
            (folder / f"{group.rank}.txt").write_text(str(error))
        if group.rank == 0:
            torch.save(one.model.state_dict(), folder / "weights.pt")
