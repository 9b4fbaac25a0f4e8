"""Writes the reference copy of a report, which is small enough for a repository."""

import io
import os
import re
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from tips.config import Study
from tips.paths import Paths
from tips.records import atomic, atomic_path
from tips.reporting import chains, page, report
from tips.tables import markdown, sources
from tips.tables.sheet import Section

LIMIT = 500_000  # bytes of all files together
WIDTH = 760  # px; wider pictures are scaled down
QUALITY = 80
LEFT_OUT = ("Provenance", chains.TITLE)  # they describe files that a visitor does not have
_IMAGE = re.compile(r"!\[([^\]]*)\]\((figures/[^)]+)\)")
_SOURCE = re.compile(r"\]\([^)]*?(tips/[^)]*\.py#L\d+)\)")


def write_reference(study: Study, paths: Paths, sections: Sequence[Section], folder: Path) -> None:
    """Writes a small copy of a report and what lies beside it; it names commit and machine.

    Pictures are added in order while they fit; one that does not fit is named as left out. Pictures
    that only the copy before it shows are removed.

    Args:
        study: the scale with its variants.
        paths: the paths of the study.
        sections: the sections of the report.
        folder: the folder of the copy.

    Raises:
        ValueError: text and numbers alone are larger than the limit.
    """
    kept = [one for one in sections if one.title not in LEFT_OUT]
    text = chains.without_links(page.source(report.title(study, paths), kept))
    first, _, rest = text.partition("\n")
    text = f"{first}\n\n{_origin(study, paths)}\n{rest}"
    root = os.path.relpath(Path(), folder)
    text = _SOURCE.sub(lambda match: f"]({root}/{match[1]})", text)
    beside = {
        file.name: file.read_bytes()
        for file in (paths.numbers, paths.checklist, paths.card)
        if file.is_file()
    }
    size = len(text.encode()) + sum(map(len, beside.values()))
    left = LIMIT - size - 1000 * len(_IMAGE.findall(text))
    if left < 0:
        raise ValueError(
            f"{folder}: text and numbers are over {LIMIT} bytes; shorten them before they are "
            "committed"
        )
    used: dict[str, str] = {}
    for file in dict.fromkeys(match[1] for match in _IMAGE.findall(text)):
        data, suffix = _small(page.picture(file, paths.reports))
        if len(data) > left:
            continue
        left -= len(data)
        used[file] = str(Path(file).with_suffix(suffix))
        with atomic_path(folder / used[file]) as temporary:
            temporary.write_bytes(data)
    for name, content in beside.items():
        with atomic_path(folder / name) as temporary:
            temporary.write_bytes(content)
    copy = folder / "report.md"
    shown = _IMAGE.findall(copy.read_text(encoding="utf-8")) if copy.is_file() else []
    with atomic(copy) as stream:
        stream.write(_IMAGE.sub(lambda match: _image(match, used), text))
    for _, file in shown:
        if file not in used.values() and ".." not in Path(file).parts:
            (folder / file).unlink(missing_ok=True)


def _origin(study: Study, paths: Paths) -> str:
    """Tells commit and machine of the runs, from their provenance files."""
    found = [
        record
        for name, variant in study.variants.items()
        for seed in range(variant.seeds)
        if (record := _provenance(paths, name, seed)) is not None
    ]
    commits = sorted({one.checkout(64) for one in found})
    machines = sorted({one.machine for one in found})
    return (
        f"Reference copy. Commit {', '.join(commits) or 'unknown'}; "
        f"machine: {'; '.join(machines) or 'unknown'}.\n"
    )


def _provenance(paths: Paths, name: str, seed: int) -> sources.Provenance | None:
    file = paths.run(name, str(seed)) / "provenance.json"
    return sources.read_if_present(sources.Provenance, file)


def _small(path: Path) -> tuple[bytes, str]:
    """Gives the smallest form of a picture: as it is, or narrower and with fewer colours.

    A drawing gets 64 colours. A photograph would look patchy with 64, so it becomes a JPEG.
    """
    drawn = path.with_suffix(".png")
    drawing = path.suffix == ".svg" and drawn.is_file()
    if drawing:
        path = drawn
    original = path.read_bytes()
    with Image.open(path) as image:
        width = min(WIDTH, image.width)
        size = (width, max(1, round(image.height * width / image.width)))
        small = image.convert("RGB").resize(size, Image.Resampling.LANCZOS)
    forms = {path.suffix: original} if image.width <= WIDTH else {}
    few = small.quantize(64, method=Image.Quantize.MAXCOVERAGE) if drawing else small
    suffix, kind = (".png", "PNG") if drawing else (".jpg", "JPEG")
    stream = io.BytesIO()
    few.save(stream, kind, quality=QUALITY, optimize=True)
    forms[suffix] = min(forms.get(suffix, stream.getvalue()), stream.getvalue(), key=len)
    suffix = min(forms, key=lambda one: len(forms[one]))
    return forms[suffix], suffix


def _image(match: re.Match[str], used: dict[str, str]) -> str:
    if match[2] in used:
        return f"![{match[1]}]({used[match[2]]})"
    return f"{markdown.code(match[2])} (left out of the reference copy for its size)"
