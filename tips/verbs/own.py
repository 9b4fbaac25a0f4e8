"""Verbs about a user's own part of a study."""

from typing import Annotated

import typer


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
