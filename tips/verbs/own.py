"""Verbs about a user's own part of a study, and about handing it on."""

from pathlib import Path
from typing import Annotated

import typer

from tips.options import output


def new(
    name: Annotated[str, typer.Argument(help="Names the variant, as reports and folders call it.")],
    parent: Annotated[
        str, typer.Option("--from", metavar="VARIANT", help="Extends this variant.")
    ] = "tips",
    title: Annotated[
        str, typer.Option(help="Says in words what the variant is; without it, the name does.")
    ] = "",
    scale: Annotated[
        str, typer.Option(help="Shows the values that the variant has at this scale.")
    ] = "desk",
) -> None:
    """Writes the YAML file of a variant of your own, with hints what may be changed.

    Example: tips new wide-groups --from tips --title "Eight groups"
    """
    from tips.stages import new as stage

    stage.run(name, parent, title, scale)


def archive(
    out: Annotated[Path, output("Writes this zip, and replaces only archives.", argument=True)],
    scale: Annotated[str, typer.Option(help="Takes the study of this scale.")] = "desk",
    root: Annotated[str, typer.Option(help="Sets the dataset folder if the scale has none.")] = "",
    weights: Annotated[
        bool, typer.Option("--weights", help="Also takes the trained weights along.")
    ] = False,
) -> None:
    """Writes a study without its data into one sealed zip.

    Example: tips archive study.zip --scale smoke
    """
    from tips.stages import archive as stage

    stage.run(out, scale, root, weights)


def merge(
    folder: Annotated[
        Path, typer.Argument(help="Names a project, its results, or an archive with weights.")
    ],
    scale: Annotated[str, typer.Option(help="Adds to the study of this scale.")] = "desk",
    root: Annotated[str, typer.Option(help="Sets the dataset folder if the scale has none.")] = "",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only shows which runs would enter.")
    ] = False,
) -> None:
    """Adds runs of another machine if all their digests agree.

    Example: tips merge other.zip --scale night --dry-run
    """
    from tips.stages import merge as stage

    stage.run(folder, scale, root, dry_run)
