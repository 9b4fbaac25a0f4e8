"""The `tips` command line: verbs and their options.

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
from tips.options import all_options, counted, output, summary
from tips.safe_text import one_line

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

  make reproduce                              all, with reports/index.html
  snakemake --cores all                       the same, inside the environment
  snakemake --cores all --config scale=smoke  every rule, in minutes

The verbs below look at what it made, or run one piece of it by hand.""",
    epilog="""Examples:  tips doctor  ·  tips show --count 8  ·  tips stage group --count 5

Mistakes end with one line and exit code 2; TIPS_TRACEBACK=1 shows the place.""",
)


@cli.callback(invoke_without_command=True)
def _settings(context: typer.Context) -> None:
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(message)s")
    logging.getLogger("tips").setLevel(logging.INFO)
    if context.invoked_subcommand is None:  # the word `tips` alone
        typer.echo(context.get_help())


@cli.command()
def doctor(
    scale: Annotated[str, typer.Option(help="Looks for the assets of this scale.")] = "desk",
    root: Annotated[str, typer.Option(help="Sets the dataset folder if the scale has none.")] = "",
) -> None:
    """Checks the machine: versions, device, precision, tools and assets."""
    from tips.stages import doctor as stage

    stage.run(scale, root)


@cli.command()
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


@cli.command()
def evaluate(
    truth: Annotated[
        Path, typer.Argument(metavar="GT", help="Names the folder, or the file, of ground truth.")
    ],
    found: Annotated[
        Path,
        typer.Argument(metavar="PRED", help="Names the predictions, in files of the same names."),
    ],
    csv: Annotated[Path | None, output("Writes the rows of all tables to this file.")] = None,
    json: Annotated[Path | None, output("Writes all scores and settings to this file.")] = None,
    rule: Annotated[
        str, typer.Option(help="Counts as poseval, or with kit21 as PoseTrack21's own kit does.")
    ] = "poseval",
    threshold: Annotated[
        float, typer.Option(help="Sets the largest distance of a hit, in head sizes.")
    ] = 0.5,
    head_factor: Annotated[
        float, typer.Option(help="Sets the head size as a share of the head box's diagonal.")
    ] = 0.6,
    oks: Annotated[
        bool, typer.Option("--oks", help="Also computes the OKS of parts and COCO's AP.")
    ] = False,
    sigmas: Annotated[
        str, typer.Option(help="Takes the sigmas of OKS from pifpaf or from mmpose.")
    ] = "pifpaf",
    area_factor: Annotated[
        float, typer.Option(help="Sets a person's area, for OKS, as a share of the box.")
    ] = 0.53,
) -> None:
    """Scores predictions in PoseTrack's json as PoseTrack does.

    Example: tips evaluate annotations/val predictions --json scores.json
    """
    from tips.stages import evaluate_files as stage

    stage.run(truth, found, csv, json, rule, threshold, head_factor, oks, sigmas, area_factor)


@cli.command()
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


@cli.command()
def predict(
    video: Annotated[Path, typer.Argument(help="Names a video file, or a folder of frames.")],
    checkpoint: Annotated[
        Path, typer.Option(metavar="RUN", help="Takes the model of the run in this folder.")
    ],
    boxes: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Takes people's boxes from this json file.")
    ] = None,
    detector: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Finds people by torchvision's Faster R-CNN with these weights."
        ),
    ] = None,
    threshold: Annotated[
        float, typer.Option(help="Leaves out boxes whose score is lower than this.")
    ] = 0.2,
    out: Annotated[Path, output("Writes into this folder.", folder=True)] = Path("predictions"),
    device: Annotated[
        str, typer.Option(help="Runs on this device: cpu, cuda, or auto to choose.")
    ] = "auto",
    threads: Annotated[
        int, counted("Sets the number of threads on the CPU; 0 is one per core.")
    ] = 0,
) -> None:
    """Finds poses in your own video; writes json and an overlay video.

    Example: tips predict dance.mp4 --checkpoint results/runs/embedded/tips/seed-0
    """
    from tips.stages import predict_video as stage

    stage.run(video, checkpoint, boxes, detector, threshold, out, device, threads)


@cli.command()
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
    json: Annotated[Path | None, output("Writes all results to this file.")] = None,
) -> None:
    """Tells the hours of training of each table, and what a card holds.

    Example: tips plan --scale paper-posetrack18 --seconds-per-step hrnet=0.4,1.2 --card-gib 24
    """
    from tips.stages import plan as stage

    stage.run(scale, root, seconds_per_step, windows, seeds, card_gib, measure, json)


@cli.command()
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


@cli.command()
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


@cli.command()
def recheck(
    scale: Annotated[str, typer.Option(help="Rechecks the study of this scale.")] = "desk",
    root: Annotated[str, typer.Option(help="Sets the dataset folder if the scale has none.")] = "",
) -> None:
    """Proves an edit of the code harmless by training again, and marks stale runs current.

    Example: tips recheck --scale smoke
    """
    from tips.stages import recheck as stage

    stage.run(scale, root)


@cli.command()
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


@cli.command()
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
