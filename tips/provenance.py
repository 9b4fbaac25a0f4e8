"""Where a number comes from: source, configuration, data, commit and machine."""

import ast
import hashlib
import os
import platform
import subprocess
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

from tips.records import RecordError

PACKAGE = Path(__file__).parent
# What a training's result depends on; a docstring or a comment is no part of it.
TRAINING = ("skeleton.py", "tensors.py", "build.py", "data", "ops", "models", "losses", "training")
VERSIONS = ("numpy", "opencv-python-headless", "timm", "torch", "torchvision")


def source_digest(parts: Sequence[str] = TRAINING) -> str:
    """Hashes the code of some modules and folders of the package, without comments and docs."""
    digest = hashlib.sha256()
    for part in parts:
        path = PACKAGE / part
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            digest.update(file.relative_to(PACKAGE).as_posix().encode())
            digest.update(meaning(file.read_text(encoding="utf-8")).encode())
    return digest.hexdigest()


def meaning(source: str) -> str:
    """Dumps a module's syntax tree without docstrings."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if not isinstance(body, list) or not body:
            continue
        first = body[0]
        if (
            isinstance(first, ast.Expr)
            and isinstance(first.value, ast.Constant)
            and isinstance(first.value.value, str)
        ):
            body[0] = ast.Pass()
    return ast.dump(tree)


def file_digest(path: Path, remedy: str = "run the rule that makes it") -> str:
    """Sha256 of a file. Raises RecordError, with the remedy, where there is none."""
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except FileNotFoundError as error:
        raise RecordError(f"{path}: no such file; {remedy}") from error


def commit() -> tuple[str, str]:
    """Names the commit, and the diff of a dirty tree (empty if clean).

    Outside a git checkout both say so.
    """
    head = _git("rev-parse", "HEAD")
    if head is None:
        return "not a git checkout", ""
    return head.strip(), _git("diff", "HEAD", "--", "tips", "csrc", "experiments", "workflow") or ""


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=PACKAGE.parent, capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        return None
    return done.stdout if done.returncode == 0 else None


def versions() -> dict[str, str]:
    """Versions of what computes numbers."""
    found = {"python": platform.python_version()}
    for name in VERSIONS:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def machine() -> str:
    """The processor's name and its core count; no host name."""
    model = platform.machine()
    info = Path("/proc/cpuinfo")
    if info.is_file():
        lines = info.read_text(encoding="utf-8", errors="replace").splitlines()
        names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
        model = names[0] if names else model
    return f"{model}, {os.cpu_count()} cores"


def has_nvidia_driver() -> bool:
    """Tells whether a CUDA driver is loaded, without importing torch."""
    return Path("/dev/nvidiactl").exists()
