"""The `tips` command: verbs and arguments only. Stages are what the workflow's rules run."""

import difflib
import errno
import gc
import importlib
import inspect
import logging
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Annotated, Any, NoReturn

import typer

PACKAGE = Path(__file__).parent
STAGES = PACKAGE / "stages"
NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
NO_ACCESS = (errno.EACCES, errno.EPERM, errno.EROFS)

cli = typer.Typer(
    name="tips",
    no_args_is_help=True,
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


def output(help: str) -> Any:
    """An option that names a file to write; a folder is refused before anything is computed."""
    return typer.Option(metavar="FILE", dir_okay=False, help=help)


@cli.callback()
def _settings() -> None:
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(message)s")
    logging.getLogger("tips").setLevel(logging.INFO)


@cli.command()
def doctor(
    scale: Annotated[str, typer.Option(help="Whose assets to look for.")] = "desk",
    root: Annotated[str, typer.Option(help="Dataset folder, where the scale leaves it open.")] = "",
) -> None:
    """Checks the machine: versions, device, precision, tools, assets."""
    from tips.stages import doctor as stage

    stage.run(scale, root)


@cli.command()
def show(
    scale: Annotated[str, typer.Option(help="Of the dataset.")] = "desk",
    root: Annotated[str, typer.Option(help="Dataset folder, where the scale leaves it open.")] = "",
    split: Annotated[str, typer.Option(help="train or val.")] = "val",
    count: Annotated[int, typer.Option(min=1, help="Windows to draw.")] = 4,
    seed: Annotated[int, typer.Option(min=0, help="Another seed draws other windows.")] = 0,
    out: Annotated[
        Path | None, typer.Option(file_okay=False, help="Folder; default: reports/show.")
    ] = None,
) -> None:
    """Draws sample windows of the dataset with their skeletons, and prints the files.

    Example: tips show --scale smoke --split train --count 8
    """
    from tips.stages import show as stage

    stage.run(scale, root, split, count, seed, out)


@cli.command()
def evaluate(
    truth: Annotated[Path, typer.Argument(metavar="GT", help="Folder or file of ground truth.")],
    found: Annotated[Path, typer.Argument(metavar="PRED", help="The predictions, same names.")],
    csv: Annotated[Path | None, output("Writes all rows.")] = None,
    json: Annotated[Path | None, output("Writes the numbers.")] = None,
    rule: Annotated[str, typer.Option(help="poseval, or kit21 for PoseTrack21's kit.")] = "poseval",
    threshold: Annotated[float, typer.Option(help="Of a hit, in head sizes.")] = 0.5,
    head_factor: Annotated[float, typer.Option(help="Head size / diagonal of its box.")] = 0.6,
    oks: Annotated[bool, typer.Option("--oks", help="Part OKS and COCO AP too.")] = False,
    sigmas: Annotated[str, typer.Option(help="Of OKS: pifpaf or mmpose.")] = "pifpaf",
    area_factor: Annotated[float, typer.Option(help="Of OKS: a person's area / box.")] = 0.53,
) -> None:
    """Scores any predictions in PoseTrack17's or 18's json with PoseTrack's own numbers.

    Example: tips evaluate annotations/val predictions --json scores.json
    """
    from tips.stages import evaluate_files as stage

    stage.run(truth, found, csv, json, rule, threshold, head_factor, oks, sigmas, area_factor)


@cli.command()
def cost(
    json: Annotated[Path, output("The record.")] = Path("results/cost/cost.json"),
    measure: Annotated[
        bool, typer.Option("--measure", help="Times Tables VI and VIII too; minutes.")
    ] = False,
) -> None:
    """Counts parameters, multiply-adds and memory of every network at the paper's size.

    Example: tips cost --json cost.json
    """
    from tips.stages import cost as stage

    stage.run(json, measure=measure)


@cli.command()
def predict(
    video: Annotated[Path, typer.Argument(help="A video file, or a folder of frames.")],
    checkpoint: Annotated[Path, typer.Option(metavar="RUN", help="Folder of a trained run.")],
    boxes: Annotated[Path | None, typer.Option(metavar="FILE", help="Person boxes, json.")] = None,
    detector: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Weights of torchvision's Faster R-CNN.")
    ] = None,
    threshold: Annotated[float, typer.Option(help="Least score of a box.")] = 0.2,
    out: Annotated[
        Path, typer.Option(metavar="FOLDER", file_okay=False, help="Of the outputs.")
    ] = Path("predictions"),
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    threads: Annotated[int, typer.Option(min=0, help="On the CPU; 0: one per core.")] = 0,
) -> None:
    """Finds poses in your own video: PoseTrack json, overlay video.

    Example: tips predict dance.mp4 --checkpoint results/runs/embedded/tips/seed-0
    """
    from tips.stages import predict_video as stage

    stage.run(video, checkpoint, boxes, detector, threshold, out, device, threads)


@cli.command()
def plan(
    scale: Annotated[str, typer.Option(help="Whose trainings.")] = "paper-posetrack18",
    root: Annotated[str, typer.Option(help="Dataset folder, where the scale leaves it open.")] = "",
    seconds_per_step: Annotated[
        str, typer.Option(metavar="X", help="Measured: 1.2, or hrnet=0.4,1.2; default: of runs.")
    ] = "",
    windows: Annotated[int, typer.Option(min=0, help="Training windows, if unknown.")] = 0,
    seeds: Annotated[int, typer.Option(min=0, help="Of every variant; 0: the scale's.")] = 0,
    card_gib: Annotated[
        float, typer.Option(metavar="GIB", help="Adds the largest batches of such a card; minutes.")
    ] = 0.0,
    measure: Annotated[
        bool,
        typer.Option("--measure", help="Times steps on this machine; on a card, minutes."),
    ] = False,
    json: Annotated[Path | None, output("Writes the numbers.")] = None,
) -> None:
    """Tells hours of training per table, from a measured step time, and what a card holds.

    Example: tips plan --scale paper-posetrack18 --seconds-per-step hrnet=0.4,1.2 --card-gib 24
    """
    from tips.stages import plan as stage

    stage.run(scale, root, seconds_per_step, windows, seeds, card_gib, measure, json)


@cli.command()
def why(
    what: Annotated[
        str, typer.Argument(help="A variant (tips), a run (tips/seed-0) or a cell ('II (e)').")
    ],
    scale: Annotated[str, typer.Option(help="Scale of the study that is asked about.")] = "desk",
    root: Annotated[str, typer.Option(help="Dataset folder, where the scale leaves it open.")] = "",
    json: Annotated[Path | None, output("Also writes the answer to a file, as JSON.")] = None,
) -> None:
    """Says what stands behind a number, and whether it is current.

    Example: tips why "II (e)" --scale smoke
    """
    from tips.stages import why as stage

    stage.run(what, scale, root, json)


@cli.command()
def recheck(
    scale: Annotated[str, typer.Option(help="Scale of the study that is rechecked.")] = "desk",
    root: Annotated[str, typer.Option(help="Dataset folder, where the scale leaves it open.")] = "",
) -> None:
    """Proves an edit of the code harmless by training again, and marks stale runs current.

    Example: tips recheck --scale smoke
    """
    from tips.stages import recheck as stage

    stage.run(scale, root)


@cli.command(
    add_help_option=False,
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
)
def stage(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="A file of tips/stages.")] = "--help",
) -> None:
    """Runs one stage by hand; `tips stage --help` lists them.

    Example: tips stage interpolate --generator flow --scale smoke
    """
    known = {file.stem: file for file in sorted(STAGES.glob("[!_]*.py"))}
    if name == "--help":
        for stem, file in known.items():
            typer.echo(f"{stem:14} {_first_line(file)}")
        return
    name = name.replace("-", "_")
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean '{near[0]}'?" if near else f"known: {', '.join(known)}"
        raise ValueError(f"unknown stage '{name}'; {hint}")
    run = _loaded(name)
    command = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    command.command(name, help=_summary(run))(_all_options(run))
    command(args=ctx.args, prog_name=f"tips stage {name}", standalone_mode=True)


def _loaded(name: str) -> Callable[..., None]:
    """Loads a stage and its libraries, whose objects stay: no collection looks at them.

    Else looking for garbage among them takes a third of the time of a short job.
    """
    gc.disable()
    run: Callable[..., None] = importlib.import_module(f"tips.stages.{name}").run
    gc.freeze()
    gc.enable()
    return run


def app() -> None:
    """Runs the command line; a user's mistake becomes one line and exit code 2."""
    try:
        cli(prog_name="tips")
    except OSError as error:
        if os.environ.get("TIPS_TRACEBACK") or error.errno not in (*NO_SPACE, *NO_ACCESS):
            raise
        place = f" ({error.filename})" if error.filename else ""
        if error.errno in NO_SPACE:
            _fail(f"disk full{place}: free some space and run the same command again", 2)
        reason = os.strerror(error.errno).lower()
        _fail(f"{reason}{place}: make it accessible and run the same command again", 2)
    except ValueError as error:
        if os.environ.get("TIPS_TRACEBACK") or not _raised_by_us(error.__traceback__):
            raise
        _fail(" ".join(str(error).split()), 2)


def _fail(message: str, code: int) -> NoReturn:
    typer.secho(f"error: {message}", fg="red", err=True)
    sys.exit(code)


def _raised_by_us(traceback: TracebackType | None) -> bool:
    """Tells a user's mistake, which our own code refuses, from a bug inside a library."""
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    return traceback is not None and Path(traceback.tb_frame.f_code.co_filename).is_relative_to(
        PACKAGE
    )


def _all_options(run: Callable[..., None]) -> Callable[..., None]:
    """Gives every parameter the form --its-name, also those without a default."""

    def command(**options: Any) -> None:
        run(**options)

    signature = inspect.signature(run, eval_str=True)
    help_of = _argument_help(run)
    parameters = []
    for parameter in signature.parameters.values():
        option = typer.Option(help=help_of.get(parameter.name), show_default=True)
        parameters.append(parameter.replace(annotation=Annotated[parameter.annotation, option]))
    command.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {item.name: item.annotation for item in parameters}
    return command


def _summary(run: Callable[..., None]) -> str:
    """A docstring up to its first section, one line a paragraph."""
    text = re.split(r"\n\n(?:Args|Returns|Raises|Yields):\n", inspect.getdoc(run) or "")[0]
    return re.sub(r"(?<!\n)\n(?!\n)", " ", text)


def _argument_help(run: Callable[..., None]) -> dict[str, str]:
    """The `Args:` section of a docstring, by name."""
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


def _first_line(file: Path) -> str:
    with file.open(encoding="utf-8") as stream:
        return stream.readline().strip().strip('"')


if __name__ == "__main__":
    app()
