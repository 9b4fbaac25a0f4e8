"""Tells what this machine can do, and what is missing."""

import os
import platform
import shutil
import sys
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

import psutil
import torch
from rich.console import Console
from rich.table import Table

from tips.config import load_study
from tips.device import choose_device, use_bfloat16
from tips.locks import LockError, waiting
from tips.messages import complaint
from tips.ops.native import backend
from tips.paths import Paths, study_paths
from tips.prerequisites import missing, unwritable_cache

PACKAGES = ("torch", "torchvision", "timm", "numpy", "opencv-python-headless", "mlflow")
SPACE = 5.0  # GB, of a desk study with its data
LOCK = Path(".snakemake/tips/doctor.lock")
MEMORY = 7.5  # GB; machines that are sold with 8 have a little less


class Check(NamedTuple):
    """One line of the answer. It has a remedy only if something is missing."""

    what: str
    found: str
    remedy: str = ""


def run(scale: str = "desk", root: str = "") -> None:
    """Prints versions, device, precision, tools and assets; ends with code 1 if a tool is missing.

    Args:
        scale: Takes the study of this scale, a file of experiments/scales.
        root: Sets the dataset folder if the scale has none.
    """
    paths = study_paths(load_study(scale, Path("experiments"), root or None).scale)
    table = Table(box=None, show_header=False)
    needed = [*_environment(), *_machine()]
    for check in [*needed, *_assets(paths)]:
        style = "red" if check.remedy else ""
        found = f"{check.found}; {check.remedy}" if check.remedy else check.found
        table.add_row(check.what, found, style=style)
    Console().print(table)
    if any(check.remedy for check in needed):
        sys.exit(1)


def _environment() -> list[Check]:
    checks = [Check("python and libX11", platform.python_version(), missing())]
    for name in PACKAGES:
        try:
            checks.append(Check(name, metadata.version(name)))
        except metadata.PackageNotFoundError:
            checks.append(Check(name, "missing", "pip install -r requirements.lock"))
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    for name in ("snakemake", "g++", "make"):
        place = shutil.which(name, path=path)
        remedy = "" if place else "install it; see the README"
        checks.append(Check(name, "found" if place else "missing", remedy))
    return checks


def _machine() -> list[Check]:
    device = choose_device("auto")
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.machine()
    precision = "bf16" if use_bfloat16("auto", device) else "fp32"
    free = shutil.disk_usage(Path.cwd()).free / 1e9
    memory = psutil.virtual_memory().total / 1e9
    hint = "" if backend(device.type) == "cpp" else " (`make kernels` compiles csrc/)"
    return [
        Check("cores", str(os.cpu_count())),
        Check("device auto", f"{device.type} ({name})"),
        Check("precision auto", f"{precision} on the backbone, fp32 elsewhere"),
        Check("kernels", f"{backend(device.type)}{hint}"),
        Check("memory", f"{memory:.0f} GB", f"{MEMORY:g} GB are needed" * (memory < MEMORY)),
        Check("cache folder", "none" if unwritable_cache() else "writable", unwritable_cache()),
        _locks(),
        Check("free disk", f"{free:.0f} GB", f"a desk study needs {SPACE:.0f}" * (free < SPACE)),
    ]


def _locks() -> Check:
    """Checks that this folder's file system can lock files."""
    try:
        with waiting(LOCK, "is looked at by doctor"):
            return Check("file locks", "work here")
    except (LockError, OSError) as error:
        return Check("file locks", "none", complaint(error))


def _assets(paths: Paths) -> list[Check]:
    wanted = {
        "motion clips": paths.motions,
        "annotations": paths.annotations("val"),
        "report": paths.reports / "index.html",
    }
    return [
        Check(what, str(file)) if file.is_file() else Check(what, "not yet", "`make reproduce`")
        for what, file in wanted.items()
    ]
