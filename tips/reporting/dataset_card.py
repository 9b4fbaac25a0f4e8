"""Writes the dataset card of rendered data: what they are, from what, how many, and their limits.

Its headings are those of cards on Hugging Face. Its numbers are the scale's settings and the counts
of the data's manifest, its words on the making the first lines of the renderer's own files.
"""

import ast
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import tips
from tips import skeleton
from tips.config import ConfigError, Scale
from tips.config.embedded import Embedded, Split
from tips.mocap.download import ANNY, PYBULLET
from tips.mocap.write import LEAST_JOINTS, QUALITY
from tips.records import RecordError
from tips.tables import markdown
from tips.tables.sheet import Section
from tips.tables.sources import Counted

RENDERER: Final = ("motion", "body_bank", "body", "textures", "scene", "damage", "render", "write")
MEASURED: Final = ("people", "joints")  # what no setting tells
Counts = Mapping[str, Counted]


def title(scale: Scale, dataset: str) -> str:
    """Gives the first line of the card."""
    return f"Dataset card: scale {scale.name}, dataset {dataset}"


def sections(scale: Scale, counts: Counts) -> list[Section]:
    """Writes every section of the card.

    Args:
        scale: the scale whose data are described.
        counts: sequences, frames, labelled frames, people and joints of every split, from the
            manifest; empty if the data are not rendered on this machine.

    Raises:
        ConfigError: the scale renders no data.
        RecordError: the counts are not those of the settings.
    """
    settings = scale.dataset.embedded
    if settings is None:
        raise ConfigError(
            f"scale {scale.name}: dataset.embedded: is null, and a card describes rendered data; "
            "take a scale that renders its own, such as desk"
        )
    return [
        Section("Summary", _summary(settings)),
        Section("Supported tasks", _tasks()),
        Section("Structure", _structure()),
        Section("Splits", _splits(scale, settings, counts)),
        Section("Creation", _creation(settings)),
        Section("Source data and licences", _sources()),
        Section("Annotations", _annotations()),
        Section("Personal data", "No person is shown: bodies are a parametric model's.\n"),
        Section("Known limits", _limits(scale, settings)),
        Section("Settings", _settings(settings)),
    ]


def _summary(settings: Embedded) -> str:
    least, most = settings.people
    clips = len(settings.train_motions) + len(settings.val_motions)
    return (
        f"Rendered video of {least} to {most} people who move as {clips} clips of real motion "
        f"capture do: {settings.width} x {settings.height} px, {settings.fps:g} frames a "
        "second, a moving camera, people and things in front of each other, blur, and runs of bad "
        "frames. It is written as PoseTrack18 is, with the true frames between frames kept apart. "
        "`tips stage card` writes this page.\n"
    )


def _tasks() -> str:
    return markdown.bullets(
        [
            "Pose estimation in video: the joints of every person of a labelled frame, from the "
            "frames around it; scored by PoseTrack's AP (`tips evaluate`).",
            "Interpolation of frames: the frame half-way between two, compared with the true one "
            "(`tips stage interpolate`).",
            "Tracks of people are labelled, but nothing here scores tracking.",
        ]
    )


def _structure() -> str:
    _, _, layout = _docstring("write").partition("\n\n")
    joints = ", ".join(name.replace("_", " ") for name in skeleton.JOINTS)
    return (
        f"```\n{layout}\n```\n\nFrames are JPEG of quality {QUALITY}. "
        f"A person has {skeleton.COUNT} joints: {joints}; a box, a box of the head, and a track.\n"
    )


def _splits(scale: Scale, settings: Embedded, counts: Counts) -> str:
    rows = []
    for split in scale.splits:
        numbers, found = _configured(settings, split), counts.get(split)
        if found is not None:
            _compare(split, numbers, found)
        measured = [
            "not counted" if found is None else f"{getattr(found, what):,}" for what in MEASURED
        ]
        own = [f"{number:,}" for number in numbers.values()]
        rows.append([split, *own, *measured, ", ".join(settings.motions(split))])
    header = ("split", "sequences", "frames", "labelled", *MEASURED, "motion clips")
    told = (
        "Counted in the data; people and joints are those of labelled frames."
        if counts
        else "As configured; people and joints are counted when the data are rendered."
    )
    return (
        f"{told}\n\n{markdown.table(header, rows, 'lrrrrrl')}\n"
        f"No motion clip is on both sides, and each side has {settings.bodies} bodies of its own. "
        "`stills` are single frames of the training side, for the single-frame network.\n"
    )


def _compare(split: Split, configured: Mapping[str, int], found: Counted) -> None:
    """Raises RecordError if the counts of a split are not those that the settings make."""
    for what, number in configured.items():
        if getattr(found, what) != number:
            raise RecordError(
                f"the data's manifest counts {getattr(found, what)} {what.replace('_', ' ')} in "
                f"{split}, and the settings make {number}; run the stages render and prepare again"
            )


def _configured(settings: Embedded, split: Split) -> dict[str, int]:
    """Computes what the settings make of a split; the keys are the manifest's."""
    sequences = settings.sequences(split)
    if split == "stills":
        frames = labelled = settings.stills
    else:
        frames, labelled = sequences * settings.frames, sequences * len(settings.key_frames)
    return {"sequences": sequences, "frames": frames, "labelled_frames": labelled}


def _creation(settings: Embedded) -> str:
    steps = [
        f"{markdown.code(f'tips/mocap/{name}.py')}: {_docstring(name).splitlines()[0]}"
        for name in RENDERER
    ]
    return (
        f"`tips stage render` makes all of it on each machine, with seed {settings.seed} and, for "
        f"the bodies, seed {settings.bodies_seed}; no frame is downloaded. A scene depends on the "
        "seed, the split and its number alone. By file:\n\n" + markdown.bullets(steps)
    )


def _sources() -> str:
    rows = [
        [
            wheel.package,
            wheel.version,
            wheel.credit,
            markdown.code(wheel.sha256),
        ]
        for wheel in (PYBULLET, ANNY)
    ]
    return (
        markdown.table(("package", "version", "what, and its licence", "sha256 of the wheel"), rows)
        + "\n`tips stage fetch` downloads and checks both; nothing of them is redistributed. The "
        "code that renders is under this project's LICENSE.\n"
    )


def _annotations() -> str:
    return (
        "The renderer computes every label, and nobody annotated anything: joints are projected "
        "from the posed body, boxes from its outline, visibility from what stands in front. A "
        "joint outside the frame is absent; a hidden one is labelled. Whoever has fewer than "
        f"{LEAST_JOINTS} joints in the frame, and every bystander, becomes an ignore region.\n"
    )


def _limits(scale: Scale, settings: Embedded) -> str:
    low, high = settings.person_height
    clips = settings.val_motions
    return markdown.bullets(
        [
            f"Validation shows {len(clips)} motion clips ({', '.join(clips)}); results hold for "
            "such motion, whatever the number of sequences.",
            f"A standing person is {low:g} to {high:g} px tall.",
            "Skin, hair and clothes are painted on the body: nothing hangs, folds or flies.",
            "Left and right limbs have different shades, by which a network can tell them apart.",
            f"{100 * settings.degraded:g} % of the frames are made bad on purpose, so that "
            "neighbours help; real video has other faults in other shares.",
            _contract(scale),
        ]
    )


def _contract(scale: Scale) -> str:
    """Says on what the difficulty was fixed."""
    contract = scale.contract
    if contract is None:
        return "Nothing records how the difficulty of this scale was chosen."
    seeds = "; ".join(
        f"data seed {seed}: {one.single_frame_ap:.2f} AP, {one.head_room:.2f} points of head-room"
        for seed, one in contract.seeds.items()
    )
    return (
        "The difficulty was chosen, on other data seeds than this one, by what the single-frame "
        f"network reaches and loses on bad frames, on {contract.fixed} ({seeds})."
    )


def _settings(settings: Embedded) -> str:
    rows = [
        [markdown.code(name), _shown(getattr(settings, name)), field.description or ""]
        for name, field in Embedded.model_fields.items()
    ]
    return markdown.folded(
        f"All {len(rows)} settings", markdown.table(("setting", "value", "what it is"), rows)
    )


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {one}" for key, one in value.items())
    if isinstance(value, tuple):
        return ", ".join(map(_shown, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def _docstring(name: str) -> str:
    """Reads the docstring of a file of the renderer, without importing it."""
    source = Path(tips.__file__).parent / "mocap" / f"{name}.py"
    return ast.get_docstring(ast.parse(source.read_text(encoding="utf-8"))) or ""
