"""The `tips` command line: its verbs, which tips/verbs defines, and how it ends.

Every verb calls the function `run` of a file in tips/stages, as the workflow's rules do. What an
argument of a verb means is said in the help text of its option.
"""

import difflib
import gc
import importlib
import logging
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from typer.exceptions import TyperException

from tips.messages import complaint
from tips.options import all_options, summary
from tips.safe_text import one_line
from tips.verbs import machine, own, poses, questions

PACKAGE = Path(__file__).parent
STAGES = PACKAGE / "stages"
LINE = 2000  # characters of a message

cli = typer.Typer(
    name="tips",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="""Reproduces TIPS, temporal-interim pose synthesis and distillation, table by table.

The whole study is one command of the workflow, resumable after any stop:

  make reproduce                              all of it, reports/index.html at the end
  snakemake --cores all                       the same, inside the environment
  snakemake --cores all --config scale=smoke  every rule, in minutes

The verbs below look at what it made, or run one piece of it by hand.""",
    epilog="""Examples:  tips doctor  ·  tips show --count 8  ·  tips stage group --count 5

Mistakes end with one line and exit code 2; TIPS_TRACEBACK=1 shows the place.""",
)


VERBS = (machine, questions, poses, own)  # the order of the help page
for one in VERBS:
    for word, verb in vars(one).copy().items():
        if getattr(verb, "__module__", "") == one.__name__:
            cli.command(word)(verb)


@cli.callback(invoke_without_command=True)
def _settings(context: typer.Context) -> None:
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(message)s")
    logging.getLogger("tips").setLevel(logging.INFO)
    if context.invoked_subcommand is None:  # the word `tips` alone
        typer.echo(context.get_help())


@cli.command(
    add_help_option=False,
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
)
def stage(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="Names a file of tips/stages.")] = "--help",
) -> None:
    """Runs one stage by hand; `tips stage --help` lists all stages.

    Example: tips stage interpolate --generator flow --scale smoke
    """
    known = {file.stem: file for file in sorted(STAGES.glob("[!_]*.py"))}
    if name == "--help":
        width = max(map(len, known))
        for stem, file in known.items():
            typer.echo(f"{stem:{width}} {_first_line(file)}")
        return
    name = name.replace("-", "_")
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean '{near[0]}'?" if near else f"known: {', '.join(known)}"
        raise ValueError(f"unknown stage '{name}'; {hint}")
    run = _loaded(name)
    command = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    command.command(name, help=summary(run))(all_options(run))
    sys.exit(command(args=ctx.args, prog_name=f"tips stage {name}", standalone_mode=False))


def _loaded(name: str) -> Callable[..., None]:
    """Loads a stage and its libraries, and excludes their objects from garbage collection.

    They stay until the end, and looking through them takes a third of the time of a short job.
    """
    gc.disable()
    run: Callable[..., None] = importlib.import_module(f"tips.stages.{name}").run
    gc.freeze()
    gc.enable()
    return run


def app() -> None:
    """Runs the command line; it reports a user's mistake by one line and exit code 2.

    A mistake is what our own code refuses (a ValueError of its own), what the system refuses, and
    what does not fit into memory. Any other error is a bug, and shows its place.
    """
    signal.signal(signal.SIGTERM, _end)
    try:
        sys.exit(cli(prog_name="tips", standalone_mode=False))
    except TyperException as error:
        _refuse(_about_words(error))
    except (OSError, ValueError, RecursionError, MemoryError, RuntimeError) as error:
        message = "" if os.environ.get("TIPS_TRACEBACK") else complaint(error)
        if not message:
            raise
        _refuse(message)


def _refuse(message: str) -> NoReturn:
    typer.secho(f"error: {one_line(message, LINE)}", fg="red", err=True)
    sys.exit(2)


def _about_words(error: TyperException) -> str:
    """Writes the line about a command line that typer refuses."""
    said = getattr(error, "format_message", None)  # of its errors, as click has them
    if said is None:
        raise error
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "tips"
    message = said().removesuffix(".")
    return f"{message[:1].lower()}{message[1:]}; see {command} --help"


def _end(*_: object) -> NoReturn:
    """Ends on SIGTERM as on Ctrl-C: by an exception, so that everybody tidies up."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a second one must not disturb that
    sys.exit(128 + signal.SIGTERM)


def _first_line(file: Path) -> str:
    with file.open(encoding="utf-8") as stream:
        return stream.readline().strip().strip('"')


if __name__ == "__main__":
    app()
