"""Builds the bodies of the embedded dataset's people from the anny body model."""

from pathlib import Path

from tips.config.embedded import load_embedded
from tips.mocap.body import save_bank
from tips.mocap.body_bank import anny_model, build_bank, import_anny
from tips.progress import track


def run(
    out: Path,
    assets: Path = Path("results/assets/motions"),
    settings: Path | None = None,
) -> None:
    """Builds all bodies once, so that rendering needs neither anny nor torch (about a minute).

    Args:
        out: Writes all bodies to this npz file.
        assets: Reads the body model from this folder, which `tips stage fetch` filled.
        settings: Reads the dataset's settings from this YAML or JSON file; without it, those of the
            desk scale are taken.

    Raises:
        BodyError: the assets are missing, or the skinning differs from anny's.
        ConfigError: settings that cannot be used.
    """
    chosen = load_embedded(settings)
    anny = import_anny(assets)
    model = anny_model(anny)
    count = 2 * chosen.bodies
    steps = track(range(count), "bodies", total=count)
    sizes = (chosen.bodies, chosen.bodies)
    bank = build_bank(anny, model, sizes, chosen.bodies_seed, lambda: next(steps, None))
    next(steps, None)
    save_bank(bank, out)
