"""Verbs about a study: its data, its numbers, what they are worth, how two studies differ."""

from pathlib import Path
from typing import Annotated

import typer

from tips.options import counted, output


def show(
    scale: Annotated[str, typer.Option(help="Takes the dataset of this scale.")] = "desk",
    root: Annotated[str, typer.Option(help="Sets the dataset folder if the scale has none.")] = "",
    split: Annotated[str, typer.Option(help="Takes windows of this split, train or val.")] = "val",
    count: Annotated[int, counted("Draws this number of windows.", least=1)] = 4,
    seed: Annotated[int, counted("Chooses which windows are drawn.")] = 0,
    out: Annotated[Path | None, output("Writes here, not to reports/show.", folder=True)] = None,
) -> None:
    """Draws sample windows with their skeletons, and lists the files.

    Example: tips show --scale smoke --split train --count 8
    """
    from tips.stages import show as stage

    stage.run(scale, root, split, count, seed, out)


def why(
    what: Annotated[
        str,
        typer.Argument(help="Names a variant (tips), a run (tips/seed-0) or a cell ('II (e)')."),
    ],
    scale: Annotated[str, typer.Option(help="Asks about the study of this scale.")] = "desk",
    root: Annotated[str, typer.Option(help="Sets the dataset folder if the scale has none.")] = "",
    json: Annotated[Path | None, output("Also writes the answer to this file, as json.")] = None,
) -> None:
    """Tells what a number was computed from, and whether it is current.

    Example: tips why "II (e)" --scale smoke
    """
    from tips.stages import why as stage

    stage.run(what, scale, root, json)


def power(
    claim: Annotated[
        str,
        typer.Argument(help="Names a conclusion (II:e-b), its table (II) or words of its text."),
    ] = "",
    scale: Annotated[str, typer.Option(help="Asks about the study of this scale.")] = "desk",
    root: Annotated[str, typer.Option(help="Sets the dataset folder if the scale has none.")] = "",
    seeds: Annotated[
        int, counted("Asks what this number of seeds could show; 0 takes those there are.")
    ] = 0,
    json: Annotated[Path | None, output("Also writes the answer to this file, as json.")] = None,
) -> None:
    """Tells the smallest difference that each conclusion could show, and what would decide it.

    Example: tips power II:e-b --seeds 5
    """
    from tips.stages import power as stage

    stage.run(claim, scale, root, seeds, json)


def verify(
    study: Annotated[
        Path | None,
        typer.Argument(help="Names a project's folder, a folder of results or an archive."),
    ] = None,
    against: Annotated[
        Path | None,
        typer.Option(
            metavar="REFERENCE",
            help="Names such a study or a numbers.json to compare with, not the committed one.",
        ),
    ] = None,
    scale: Annotated[str, typer.Option(help="Takes the study of this scale.")] = "desk",
    root: Annotated[str, typer.Option(help="Sets the dataset folder if the scale has none.")] = "",
    json: Annotated[Path | None, output("Also writes the answer to this file, as json.")] = None,
) -> None:
    """Measures a study's predictions again, and compares its rows with a reference's.

    Ends with code 1 if a row is outside of the joint interval, or a file is not what the
    predictions give.

    Example: tips verify --scale smoke --against colleague/results/smoke-embedded
    """
    from tips.stages import verify as stage

    stage.run(study, against, scale, root, json)


def diff(
    a: Annotated[
        Path,
        typer.Argument(
            metavar="A",
            help="Names a project's folder, a folder of results, an archive or a numbers.json.",
        ),
    ],
    b: Annotated[Path, typer.Argument(metavar="B", help="Names the other one.")],
    scale: Annotated[str, typer.Option(help="Takes the studies of this scale.")] = "desk",
    root: Annotated[str, typer.Option(help="Sets the dataset folder if the scale has none.")] = "",
    json: Annotated[Path | None, output("Also writes the answer to this file, as json.")] = None,
) -> None:
    """Shows what differs between two studies: rows, settings, numbers, verdicts, machines.

    Example: tips diff reports/reference reports/reference-again
    """
    from tips.stages import diff as stage

    stage.run(a, b, scale, root, json)


def recheck(
    scale: Annotated[str, typer.Option(help="Rechecks the study of this scale.")] = "desk",
    root: Annotated[str, typer.Option(help="Sets the dataset folder if the scale has none.")] = "",
) -> None:
    """Proves an edit of the code harmless by training again, and marks stale runs current.

    Example: tips recheck --scale smoke
    """
    from tips.stages import recheck as stage

    stage.run(scale, root)
