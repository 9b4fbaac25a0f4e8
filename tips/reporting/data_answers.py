"""Answers the items of the reproducibility checklist that ask about data and their licences."""

from pathlib import Path
from typing import Literal

from tips.config import FULL
from tips.mocap.download import ANNY, PYBULLET
from tips.reporting.facts import PROJECT, Answer, Facts, listed, scale_file
from tips.tables import markdown


def access(found: Facts) -> Answer:
    """Tells whether code and data can be had by everybody."""
    licence = _first_line(PROJECT / "LICENSE")
    code = f"code under the {licence}" if licence else "the code's LICENSE is missing"
    if found.rendered:
        word: Literal["yes", "no"] = "yes" if licence else "no"
        return Answer(word, f"{code}; the data are rendered by `tips stage render`")
    return _of_others(found, "no", f"{code}; data: ")


def licences(found: Facts) -> Answer:
    """Names the licences of what the data are made of."""
    if found.rendered:
        owners = "; ".join(markdown.text(wheel.credit) for wheel in (PYBULLET, ANNY))
        return Answer("yes", f"{owners}; each machine downloads them itself")
    return _of_others(found, "yes", "")


def new_assets(found: Facts) -> Answer:
    """Tells whether the data that the study makes have a card."""
    if not found.rendered:
        return Answer("not applicable", "the study makes no data of its own")
    card = found.page.paths.card
    if card.is_file():
        return Answer("yes", markdown.link(card.name, card.name))
    return Answer("no", "the data have no card yet: `tips stage card`")


def human_subjects(found: Facts) -> Answer:
    """Tells whether people took part."""
    if found.rendered:
        return Answer("not applicable", "people and labels are rendered; nobody took part")
    return Answer("unknown", "the owners of the data recorded and annotated people")


def statistics(found: Facts) -> Answer:
    """Gives the counts of the data."""
    counts = found.manifest.counts
    told = "; ".join(
        f"{markdown.text(split)}: {one.sequences:,} sequences, "
        f"{one.labelled_frames:,} labelled frames, {one.people:,} people, {one.joints:,} joints"
        for split, one in counts.items()
    )
    return Answer("yes" if counts else "unknown", told or "the data's manifest has no counts")


def splits(found: Facts) -> Answer:
    """Tells how the data are split."""
    scale = found.page.study.scale
    by = "motion clips, bodies and backgrounds" if found.rendered else "the files of its dataset"
    if scale.dataset.split is not None:
        by = "positions of frames"
    return Answer(
        "yes",
        f"{listed(scale.splits)}, by {by} ({scale_file(scale.name)}); every row is scored on "
        "`val`, and no further split is held back for a last test",
    )


def preprocessing(found: Facts) -> Answer:
    """Gives what is done to a picture, and who is left out."""
    full, scale = found.page.study.variants.get(FULL), found.page.study.scale
    if full is None:
        return Answer("unknown", f"the scale has no variant `{FULL}`")
    crop, change = full.experiment.crop, full.experiment.augmentation
    return Answer(
        "yes",
        f"boxes ({scale.evaluation.boxes}) times {scale.evaluation.enlarge:g}, cut to "
        f"{crop.height} x {crop.width} px; in training turned by up to {change.rotation:g} "
        f"degrees, scaled by up to {100 * change.scale:g} %, mirrored with probability "
        f"{change.flip_probability:g}; people without a labelled joint are left out",
    )


def download(found: Facts) -> Answer:
    """Tells whether the data, or what makes them, can be downloaded."""
    if found.rendered:
        wheels = (f"`{w.package}=={w.version}`" for w in (PYBULLET, ANNY))
        return Answer("yes", f"{listed(wheels)}, checked by sha256: `tips stage fetch`")
    release = found.release
    if release is not None and all(bundle.url for bundle in release.bundles):
        return Answer("yes", markdown.text(release.request))
    return _of_others(found, "no", "")


def _of_others(found: Facts, word: Literal["yes", "no"], before: str) -> Answer:
    """Answers on data that are neither rendered here nor, perhaps, known."""
    release = found.release
    if release is None:
        return Answer("unknown", f"{before}the folder is the user's own; no record tells more")
    licence = found.manifest.licence or release.licence
    return Answer(word, f"{before}{markdown.text(f'{release.title}: {licence}')}")


def _first_line(file: Path) -> str:
    return file.read_text("utf-8").partition("\n")[0] if file.is_file() else ""
