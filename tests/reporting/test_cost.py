import json
from pathlib import Path
from typing import Any

import pytest

from tips.records import RecordError
from tips.reporting.cost import KINDS, NOTES, PARTS, page, section
from tips.reporting.networks import RELEASE, followed, network, open_networks
from tips.reporting.published import load_tables

EXPERIMENTS = Path(__file__).parents[2] / "experiments"
TABLES = load_tables(EXPERIMENTS / "tables.yaml", RELEASE)
TABLE_8 = [row.variant for row in TABLES.table("8").rows if row.variant]
MEMORY = {"inference_mib": 295.1, "training_mib": 3025.6, "checkpointed_mib": 1000.4}
TIMES = [{"variant": "tips", "device": "cpu", "speed": 0.02, "speed_given_frames": 0.0987654}]


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
    text = page([entry("tips"), entry("window-3")], TABLES, [])
    assert line(text, "tips", 0) == [
        *("`tips`", "ours", "99.1M", "1,234,567", "476", "11.5", "12.3"),
    ]
    # Not in Table VIII: arithmetic and parts alone.
    assert line(text, "window-3", 0)[1:4] == ["Window-3", "12.3", "11.5"]
    assert line(text, "window-3", 0)[4:8] == ["3.00"] * 4
    assert line(text, "window-3", 1)[1:3] == ["1,234,567", "1"]


def test_every_row_that_a_variant_fills_is_printed_and_has_its_reason() -> None:
    assert set(NOTES) <= set(TABLE_8)
    text = page([entry(name) for name in TABLE_8], TABLES, [])
    assert all(f"- `{name}`: " in text for name in NOTES)
    printed = {row.variant: row.printed[2] for row in TABLES.table("8").rows}
    assert [line(text, name, 0)[2] for name in TABLE_8] == [printed[name] for name in TABLE_8]


def test_memory_is_of_tables_with_a_speed_and_times_are_where_they_were_taken() -> None:
    rows = [entry("tips", **MEMORY), entry("window-3", **MEMORY), entry("groups-8", **MEMORY)]
    text = page(rows, TABLES, TIMES)
    assert line(text, "tips", 3)[1:] == ["295", "3026", "1000", "0.0165", "0.0200", "0.0988"]
    assert line(text, "window-3", 2)[1:] == ["295", "3026", "1000", "0.0386", "", ""]
    with pytest.raises(IndexError):
        line(text, "groups-8", 2)
    assert "measured on cpu" in text
    assert "not measured here" in page(rows, TABLES, [])


def test_the_section_shows_what_there_is(tmp_path: Path) -> None:
    costs, bench = tmp_path / "cost.json", tmp_path / "bench"
    assert "`tips cost` does it" in section(costs, bench, TABLES).body
    costs.write_text(json.dumps([entry("hrnet", **MEMORY), entry("tips", **MEMORY)]))
    body = section(costs, bench, TABLES).body
    assert "not measured here, `tips cost --measure` does it" in body
    assert "`make bench` does it" in body
    assert line(body, "tips", 0)[1:3] == ["ours", "99.1M"]
    bench.mkdir()
    (bench / "cost.json").write_text(json.dumps(TIMES))
    assert line(section(costs, bench, TABLES).body, "tips", -1)[-1] == "0.0988"


def test_a_damaged_record_is_a_line(tmp_path: Path) -> None:
    costs = tmp_path / "cost.json"
    costs.write_text(json.dumps([{"variant": "tips"}]))
    with pytest.raises(RecordError, match=r"cost\.json: .*; run `tips cost` again"):
        section(costs, tmp_path, TABLES)


def test_parts_that_only_rivals_have_are_counted_together() -> None:
    parts = dict.fromkeys(PARTS, 1) | {"warp": 2_000, "merges": 345}
    text = page([entry("posewarper", params_by_part=parts)], TABLES, [])
    assert line(text, "posewarper", 2)[-1] == "2,345"


def test_every_variant_that_a_table_names_is_counted() -> None:
    found = open_networks(EXPERIMENTS)
    assert set(found.tables.trainings()) <= set(found.names)
    assert "vitpose" in found.names  # a stage one
    assert {"hrnet", "tips", "window-9", "tips-vit"} <= set(followed(found.tables))


def test_meaning_is_the_network_and_nothing_else() -> None:
    found = open_networks(EXPERIMENTS)
    tips = found.study.variant("tips")

    def changed(**parts: Any) -> str:
        other = tips._replace(experiment=tips.experiment.model_copy(update=parts))
        study = found.study._replace(variants=found.study.variants | {"tips": other})
        return found._replace(study=study).meaning

    assert changed(title="Another", losses=None) == found.meaning
    assert changed(width=64) != found.meaning
    early, middle = (
        network(found.study.variant(name).experiment) for name in ("point-early", "tips")
    )
    assert early == middle


def test_heads_stand_beside_what_table_viii_leaves_them() -> None:
    assert "17, as its code" not in page([entry("tips")], TABLES, [])
    text = page([entry("dcpose", head=1_406_208, head_coco=1_601_156)], TABLES, [])
    assert "| `dcpose` | 1,406,208 | 1,601,156 | 4.4M |" in text
