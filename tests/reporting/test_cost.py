import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import typed

from tips.config import load_study
from tips.records import RecordError
from tips.reporting import cost
from tips.reporting.cost import KINDS, NOTES, PARTS, page
from tips.tables.paper_size import RELEASE, network, open_networks
from tips.tables.published import load_tables
from tips.tables.sources import Cost, Timed

REQUIRED = ("variant", "title", "params", "params_by_part", "gmac", "gimac", "macs")
EXPERIMENTS = Path(__file__).parents[2] / "experiments"
TABLES = load_tables(EXPERIMENTS / "tables.yaml", RELEASE)
TABLE_8 = [row.variant for row in TABLES.table("8").rows if row.variant]
# Rows whose figures can hold five passes of HRNet: nothing says that they cannot be right.
WITHOUT_REASON = {"fami-pose", "tdmi"}
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


# The rows that notes take figures from; VFIT is no variant and has no interim frames.
VFIT = {key: value for key, value in entry("vfit-b", gmac=289.26).items() if key in REQUIRED}
RECORD = [VFIT, entry("hrnet", gmac=30.0, gimac=32.88), entry("tips"), entry("tips-ms", gmac=20.0)]


def shown(rows: list[dict[str, Any]], times: Sequence[dict[str, Any]] = ()) -> str:
    """The page of `tips cost`."""
    costs = [Cost.model_validate(row) for row in rows]
    return page(costs, TABLES, [Timed.model_validate(time) for time in times])


def line(text: str, variant: str, part: int) -> list[str]:
    rows = [one for one in text.splitlines() if one.startswith(f"| `{variant}` |")]
    return [cell.strip() for cell in rows[part].strip("|").split("|")]


def test_the_papers_values_stand_beside_ours() -> None:
    text = shown([*RECORD, entry("window-3")])
    assert line(text, "tips", 0) == [
        *("`tips`", "ours", "ours", "99.1M", "1,234,567", "476", "11.5", "12.3"),
    ]
    # Not in Table VIII: arithmetic and parts alone.
    assert line(text, "window-3", 0)[1:5] == ["Window-3", "ours", "12.3", "11.5"]
    assert line(text, "window-3", 0)[5:9] == ["3.00"] * 4
    assert line(text, "window-3", 1)[1:4] == ["ours", "1,234,567", "1"]


def test_every_table_says_whose_network_a_row_is() -> None:
    text = shown([*RECORD, entry("tdmi", **MEMORY), entry("dcpose", **MEMORY)])
    surrogate = "re-implemented, MI surrogate"
    places = (2, 2, 1, 1)  # of the column in Table VIII's columns, arithmetic, parts, memory
    assert [line(text, "tdmi", n)[at] for n, at in enumerate(places)] == [surrogate] * 4
    assert [line(text, "dcpose", n)[at] for n, at in enumerate(places)] == ["re-implemented"] * 4
    assert [line(text, "tips", n)[at] for n, at in enumerate(places[:3])] == ["ours"] * 3
    assert line(text, "vfit-b", 0)[2] == "re-implemented"


def test_every_row_that_a_variant_fills_is_printed_and_has_its_reason() -> None:
    assert set(NOTES).isdisjoint(WITHOUT_REASON)
    assert {*NOTES, *WITHOUT_REASON} == set(TABLE_8)
    others = [entry(name) for name in TABLE_8 if name not in ("hrnet", "tips", "tips-ms")]
    text = shown([*RECORD, *others])
    assert all(f"- `{name}`: " in text for name in NOTES)
    printed = {row.variant: row.printed[2] for row in TABLES.table("8").rows}
    assert [line(text, name, 0)[3] for name in TABLE_8] == [printed[name] for name in TABLE_8]


def test_notes_take_their_figures_from_the_record() -> None:
    text = shown(RECORD)
    assert "`tips`: 476 cannot be reproduced: VFIT-B alone costs 289.3 GMAC" in text
    assert "ours adds 7.7 GMAC to `tips`" in text  # 20.0 less 12.34
    assert "`dcpose`: 46.5 cannot hold three passes of HRNet, 32.88 GiMAC each, 98.6 in" in text
    assert "`posewarper`: 192.2 leaves 27.8 GiMAC beside five passes of HRNet, 164.4;" in text
    with pytest.raises(RecordError, match="no row 'vfit-b'; run `tips cost` again"):
        shown(RECORD[1:])


def test_memory_is_every_network_s_and_times_are_where_they_were_taken() -> None:
    tips = entry("tips", **MEMORY)
    rows = [*RECORD[:2], tips, RECORD[3], entry("window-3", **MEMORY), entry("groups-8", **MEMORY)]
    text = shown(rows, TIMES)
    assert line(text, "tips", 3)[2:] == ["295", "3026", "1000", "0.0165", "0.0200", "0.0988"]
    assert line(text, "window-3", 2)[2:] == ["295", "3026", "1000", "0.0386", "", ""]
    assert line(text, "groups-8", 2)[2:] == ["295", "3026", "1000", "", "", ""]
    assert "interim frames given (what VFIT-B holds while it makes them is left out)" in text
    assert "measured on cpu" in text
    assert "not measured here" in shown(rows)


@pytest.fixture
def section(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], str]:
    """Writes the report's section, files below the working folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(cost, "TABLES", EXPERIMENTS / "tables.yaml")
    opened = typed.page(load_study("desk", EXPERIMENTS))
    for file in (opened.paths.cost, opened.paths.bench / "cost.json"):
        file.parent.mkdir(parents=True, exist_ok=True)
    return lambda: cost.section(opened).body


def test_the_section_shows_what_there_is(section: Callable[[], str]) -> None:
    costs, timed = Path("results/cost/cost.json"), Path("results/bench/cost.json")
    assert "`tips cost` does it" in section()
    costs.write_text(json.dumps([row | MEMORY for row in RECORD]))
    body = section()
    assert "not measured here, `tips cost --measure` does it" in body
    assert "`make bench` does it" in body
    assert line(body, "tips", 0)[1:4] == ["ours", "ours", "99.1M"]
    timed.write_text(json.dumps(TIMES))
    assert line(section(), "tips", -1)[-1] == "0.0988"


def test_a_damaged_record_is_a_line(section: Callable[[], str]) -> None:
    Path("results/cost/cost.json").write_text(json.dumps([{"variant": "tips"}]))
    with pytest.raises(RecordError, match=r"cost\.json: .*; run `tips cost` again"):
        section()


def test_parts_that_only_rivals_have_are_counted_together() -> None:
    parts = dict.fromkeys(PARTS, 1) | {"warp": 2_000, "merges": 345}
    text = shown([*RECORD, entry("posewarper", params_by_part=parts)])
    assert line(text, "posewarper", 2)[-1] == "2,345"


def test_every_variant_that_a_table_names_is_counted() -> None:
    found = open_networks(EXPERIMENTS)
    assert set(found.tables.trainings()) <= set(found.names)
    assert "vitpose" in found.names  # a stage one
    assert {"hrnet", "tips", "window-9", "tips-vit"} <= set(found.timed)
    assert "conv-conv" not in found.timed


def test_meaning_is_the_network_and_nothing_else() -> None:
    found = open_networks(EXPERIMENTS)
    tips = found.study.variant("tips")

    def changed(**parts: Any) -> str:
        other = tips._replace(experiment=tips.experiment.model_copy(update=parts))
        study = found.study._replace(variants=found.study.variants | {"tips": other})
        return found._replace(study=study).meaning

    assert changed(title="Another", training=None) == found.meaning
    assert changed(width=64) != found.meaning
    fewer = tips.experiment.losses.model_copy(update={"redundancy": 0.0})
    assert changed(losses=fewer) != found.meaning  # a training step holds less
    early, middle = (
        network(found.study.variant(name).experiment) for name in ("point-early", "tips")
    )
    assert early == middle


def test_heads_stand_beside_what_table_viii_leaves_them() -> None:
    assert "17, as its code" not in shown(RECORD)
    text = shown([*RECORD, entry("dcpose", head=1_406_208, head_coco=1_601_156)])
    assert "| `dcpose` | 1,406,208 | 1,601,156 | 4.4M |" in text
