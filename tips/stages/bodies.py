"""Builds the body bank of the embedded dataset from the anny body model."""

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
        out: the bank, one npz.
        assets: folder that `tips stage fetch` filled.
        settings: YAML or JSON of `Embedded` fields; default: the desk contract.

    Raises:
        BodyError: the assets are missing, or the skinning differs from anny's.
        EmbeddedError: settings that cannot be used.
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
