"""Verbs about the machine and the paper's size: what can run here, and what it costs."""

from pathlib import Path
from typing import Annotated

import typer

from tips.options import counted, output


def doctor(
    scale: Annotated[str, typer.Option(help="Looks for the assets of this scale.")] = "desk",
    root: Annotated[str, typer.Option(help="Sets the dataset folder if the scale has none.")] = "",
) -> None:
    """Checks the machine: versions, device, precision, tools and assets."""
    from tips.stages import doctor as stage

    stage.run(scale, root)


def cost(
    json: Annotated[Path, output("Writes the record here.")] = Path("results/cost/cost.json"),
    measure: Annotated[
        bool, typer.Option("--measure", help="Also times Tables VI and VIII, which takes minutes.")
    ] = False,
) -> None:
    """Counts parameters, multiply-adds and memory at the paper's size.

    Example: tips cost --json cost.json
    """
    from tips.stages import cost as stage

    stage.run(json, measure=measure)


def plan(
    scale: Annotated[
        str, typer.Option(help="Plans the trainings of this scale.")
    ] = "paper-posetrack18",
    root: Annotated[str, typer.Option(help="Sets the dataset folder if the scale has none.")] = "",
    seconds_per_step: Annotated[
        str,
        typer.Option(
            metavar="X",
            help="Gives measured seconds of a step, as 1.2 or hrnet=0.4,1.2; without it, those of "
            "finished runs are taken.",
        ),
    ] = "",
    windows: Annotated[int, counted("Gives the number of training windows if it is unknown.")] = 0,
    seeds: Annotated[int, counted("Sets the seeds of every variant; 0 takes the scale's.")] = 0,
    card_gib: Annotated[
        float,
        typer.Option(
            metavar="GIB",
            help="Also tells the largest batches on a card of this memory, which takes minutes.",
        ),
    ] = 0.0,
    measure: Annotated[
        bool, typer.Option("--measure", help="Times steps on this machine; a card takes minutes.")
    ] = False,
    cards: Annotated[
        int, counted("Also lays the trainings on so many cards, and counts the jobs.")
    ] = 0,
    json: Annotated[Path | None, output("Writes all results to this file.")] = None,
) -> None:
    """Tells the hours of training of each table, and what a card holds.

    Example: tips plan --scale paper-posetrack18 --seconds-per-step hrnet=0.4,1.2 --card-gib 24
    """
    from tips.stages import plan as stage

    stage.run(scale, root, seconds_per_step, windows, seeds, card_gib, measure, cards, json)
