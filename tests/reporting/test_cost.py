from pathlib import Path
from typing import Any

from tips.reporting.cost import KINDS, NOTES, PARTS, page, rows_by_variant
from tips.reporting.published import load_tables

TABLES = load_tables(Path(__file__).parents[2] / "experiments/tables.yaml")


def entry(variant: str, **more: Any) -> dict[str, Any]:
    return {
        "variant": variant,
        "title": variant.title(),
        "params": 1_234_567,
        "params_by_part": dict.fromkeys(PARTS, 1),
        "gmac": 12.34,
        "gimac": 11.49,
        "macs": dict.fromkeys(KINDS, 3_000_000_000),
        "interim_frames": 4,
        "gmac_by_part": {"backbone": 5.0, "vfit": 6.0, "rest": 1.34},
    } | more


def line(text: str, variant: str, part: int) -> list[str]:
    rows = [one for one in text.splitlines() if one.startswith(f"| `{variant}` |")]
    return [cell.strip() for cell in rows[part].strip("|").split("|")]


def test_the_papers_values_stand_beside_ours() -> None:
    text = page([entry("tips"), entry("window-3")], TABLES)
    assert line(text, "tips", 0) == [
        *("`tips`", "ours", "99.1M", "1,234,567", "476", "11.5", "12.3"),
    ]
    # Not in Table VIII: arithmetic and parts alone.
    assert line(text, "window-3", 0)[1:4] == ["Window-3", "12.3", "11.5"]
    assert line(text, "window-3", 0)[4:8] == ["3.00"] * 4
    assert line(text, "window-3", 1)[1:3] == ["1,234,567", "1"]
    assert "## Activation memory" not in text


def test_every_row_that_cannot_agree_has_its_reason() -> None:
    beside = rows_by_variant(TABLES)
    assert set(NOTES) <= set(beside)
    text = page([entry(name) for name in beside], TABLES)
    assert all(f"- `{name}`: " in text for name in NOTES)
    assert [line(text, name, 0)[2] for name in beside] == [
        *("63.6M", "71.1M", "68.0M", "64.5M", "66.2M", "630.7M", "63.9M"),
        *("70.8M", "99.1M", "105.3M", "666.8M"),
    ]


def test_parts_that_only_rivals_have_are_counted_together() -> None:
    parts = dict.fromkeys(PARTS, 1) | {"warp": 2_000, "merges": 345}
    text = page([entry("posewarper", params_by_part=parts)], TABLES)
    assert line(text, "posewarper", 2)[-1] == "2,345"


def test_measurements_stand_in_a_section_of_their_own() -> None:
    memory = {"inference_mib": 295.1, "training_mib": 3025.6, "checkpointed_mib": 1000.4}
    rows = [
        entry("tips", **memory, speed=0.02, speed_given_frames=0.0987654),
        entry("groups-8", **memory),
    ]
    text = page(rows, TABLES)
    assert line(text, "tips", 3)[1:] == ["295", "3026", "1000", "0.9", "0.0200", "0.0988"]
    assert line(text, "groups-8", 2)[1:] == ["295", "3026", "1000", "", "", ""]
