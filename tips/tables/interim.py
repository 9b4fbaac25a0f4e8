"""Shows the PSNR of every generator's interim frames, and their effect on the model."""

from collections.abc import Sequence
from dataclasses import dataclass

from tips.config import FULL, Study
from tips.tables import interim_quality, markdown, sources
from tips.tables.cells import Absent, Level, known, plain, value_of
from tips.tables.collect import Collected
from tips.tables.methods import learned_middles
from tips.tables.row import Row
from tips.tables.sheet import Page, Section, Sheet


@dataclass(frozen=True)
class PsnrRow(Row):
    """One generator on one split."""

    generator: str
    split: str
    psnr: Level  # dB, mean over n frames
    n: int
    status: str


def _fill(found: Collected) -> list[PsnrRow]:
    made = []
    for name in found.study.scale.interim:
        file = found.paths.interim(name) / "psnr.json"
        quality = sources.read_if_present(sources.Psnr, file)
        for split in ("train", "val"):
            one = getattr(quality, split) if quality else None
            if one is None:
                made.append(PsnrRow(name, split, Absent.MISSING, 0, "missing"))
            else:
                made.append(PsnrRow(name, split, value_of(one.mean), one.n, "done"))
    return made


def _section(page: Page) -> Section:
    rows = page.of(INTERIM)
    cells = [
        [row.generator, row.split, plain(row.psnr) or "-", str(row.n), row.status] for row in rows
    ]
    body = (
        "PSNR in dB of the rough interim frames against the true in-between frames, full frames. "
        "`true` is those frames themselves (rendered data only, where they are never degraded and "
        "have no sensor noise).\n\n"
        + markdown.table(("generator", "split", "PSNR, dB", "frames", "status"), cells, "llrrl")
    )
    if learned_middles(page.study) and any(row.generator == "vfit" for row in rows):
        body += (
            "\n`vfit` was trained here on true middle frames of the training split, so its PSNR "
            "on `train` is in-sample.\n"
        )
    worth = interim_quality.part(page)
    return Section("The rough interim frames", f"{body}{surpassed(rows, page.study)}\n{worth}")


def surpassed(rows: Sequence[PsnrRow], study: Study) -> str:
    """Warns if another generator comes nearer to the true frames than the study's own."""
    full = study.variants.get(FULL)
    own = full.experiment.interim_frames if full else ""
    reached = {row.generator: row.psnr for row in rows if row.split == "val" and known(row.psnr)}
    nearer = [f"`{name}`" for name in reached if own in reached and reached[name] > reached[own]]
    if not nearer:
        return ""
    return (
        f"\n**On `val` {' and '.join(nearer)} came nearer to the true frames than `{own}`, which "
        "the rows with interim frames look at**: read those rows as trained on poor frames.\n"
    )


INTERIM = Sheet("interim", "Interim frames", PsnrRow, _fill, section=_section)
