"""Words for Snakemake that a user hands on: split, judged, and joined with those of `reproduce`."""

import contextlib
import io
import shlex
import shutil
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

from tips.config import ConfigError

# Groups of short rules, several jobs of which are one of a cluster, one after the other: prediction
# and evaluation of runs; features.
SCORING, SEEING = GROUPS = "scoring", "seeing"
TOGETHER: Final = 12  # jobs
APPTAINER: Final = ("apptainer", "singularity")
CARDS: Final = "--nv"  # lets what runs in an image see the cards


class Words(NamedTuple):
    """All words for Snakemake."""

    words: list[str]
    part: bool  # whether they ask for less than the whole study, as `--dry-run` does


def joined(text: str, told: Mapping[str, str], *, cards: bool) -> Words:
    """Joins a user's words with what `reproduce` tells Snakemake.

    Args:
        text: the user's words.
        told: the configuration that `reproduce` gives; nothing is said of empty values. The value
            of `container` is an image of apptainer, in which the jobs run then.
        cards: whether jobs in an image need the machine's cards.

    Raises:
        ConfigError: Snakemake would refuse the words, or they give what an option of `reproduce`
            is for; there is no such image, or no apptainer.
    """
    words = _split(text)
    asked = _understood(words)
    words += _container_words(asked, told["container"], cards=cards)
    words += _config_words(asked, told)
    return Words(words, _asks_for_part(asked))


def _split(text: str) -> list[str]:
    """Splits words as a shell does."""
    try:
        return shlex.split(text)
    except ValueError as error:
        raise ConfigError(f"--snakemake: {error}; got {text!r}") from error


def _understood(words: list[str]) -> Namespace | None:
    """Reads words as Snakemake does; None if there are none."""
    if not words:
        return None
    from snakemake.cli import get_argument_parser  # here, because it takes more than a second

    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            return get_argument_parser().parse_args(words)
    except SystemExit as end:
        if not end.code:  # it was asked for help, and gave it
            raise
        why = said.getvalue().strip().rpartition("\n")[2].partition("error: ")[2]
        raise ConfigError(f"--snakemake: {why}; got {shlex.join(words)!r}") from end


def _asks_for_part(asked: Namespace | None) -> bool:
    return asked is not None and bool(
        asked.dryrun or asked.until or asked.omit_from or asked.targets
    )


def _config_words(asked: Namespace | None, told: Mapping[str, str]) -> list[str]:
    """Joins the configuration of words with that of `reproduce`: only one --config counts."""
    own = (asked and asked.config) or []
    for pair in own:
        key, equals, _ = str(pair).partition("=")
        if not equals:
            raise ConfigError(f"--snakemake: --config takes key=value; got {pair!r}")
        if key in told:
            raise ConfigError(f"--snakemake: --config {key}=... is refused; give --{key} instead")
    return ["--config", *own, *(f"{key}={value}" for key, value in told.items() if value)]


def _container_words(asked: Namespace | None, image: str, *, cards: bool) -> list[str]:
    """Gives the words by which jobs run in an image; those of the user for apptainer stay."""
    if not image:
        return []
    if "://" not in image and not Path(image).is_file():
        raise ConfigError(
            f"--container must be a file, or an address such as docker://...; got {image!r}"
        )
    if not any(map(shutil.which, APPTAINER)):
        raise ConfigError(f"--container {image}: there is no apptainer here; install it")
    inner = f"{asked.apptainer_args if asked else ''} {CARDS * cards}".strip()
    return ["--sdm", "apptainer", *([f"--apptainer-args= {inner}"] if inner else [])]
