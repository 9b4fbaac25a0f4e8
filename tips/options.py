"""Options of the command line: what they count and write is judged before a command begins."""

import inspect
import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Final

import typer

MOST: Final = 1_000_000  # of anything that an option counts
WRITES: Final = re.compile("(Also w|W)rites ")  # the help of an option that names an output


def output(help: str, *, folder: bool = False, argument: bool = False) -> Any:
    """Makes an option, or an argument, that names what to write; it is judged before all else."""
    kind = "FOLDER" if folder else "FILE"
    judge, make = _judged(False), typer.Argument if argument else typer.Option
    return make(metavar=kind, file_okay=not folder, dir_okay=folder, help=help, callback=judge)


def _judged(by_stage: bool) -> Callable[[typer.CallbackParam, Path | None], Path | None]:
    def judge(option: typer.CallbackParam, path: Path | None) -> Path | None:
        from tips.outputs import followed

        return followed(path, option.name or "", by_stage=by_stage)

    return judge


def counted(help: str, least: int = 0) -> Any:
    """Makes an option that counts something, and refuses more than any machine can do."""
    return typer.Option(min=least, max=MOST, help=help)


def all_options(run: Callable[..., None]) -> Callable[..., None]:
    """Turns every parameter into an option --its-name, also those without a default."""

    def command(**options: Any) -> None:
        run(**options)

    signature = inspect.signature(run, eval_str=True)
    help_of = argument_help(run)
    parameters = []
    for parameter in signature.parameters.values():
        most = MOST if parameter.annotation is int else None
        told = help_of.get(parameter.name, "")
        path = parameter.annotation in (Path, Path | None)
        judge = _judged(True) if path and WRITES.match(told) else None
        option = typer.Option(help=told, show_default=True, max=most, callback=judge)
        parameters.append(parameter.replace(annotation=Annotated[parameter.annotation, option]))
    command.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {item.name: item.annotation for item in parameters}
    return command


def summary(run: Callable[..., None]) -> str:
    """Gives a docstring up to its first section, with each paragraph in one line."""
    text = re.split(r"\n\n(?:Args|Returns|Raises|Yields):\n", inspect.getdoc(run) or "")[0]
    return re.sub(r"(?<!\n)\n(?!\n)", " ", text)


def argument_help(run: Callable[..., None]) -> dict[str, str]:
    """Reads the `Args:` section of a docstring, by the arguments' names."""
    section = re.search(r"\nArgs:\n(.*?)(?:\n\n|\Z)", inspect.getdoc(run) or "", re.DOTALL)
    found: dict[str, str] = {}
    name = ""
    for line in section.group(1).splitlines() if section else []:
        entry = re.match(r"    (\w+): (.*)", line)
        if entry:
            name = entry.group(1)
            found[name] = entry.group(2)
        elif name:
            found[name] += " " + line.strip()
    return found
