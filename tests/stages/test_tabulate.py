import csv
import math
import shutil
import subprocess
import sys
from pathlib import Path

import fake_study
import pytest
from spoiled import alter_code, work_on_copy

from tips import records
from tips.evaluation import intervals
from tips.evaluation.synthesis import SOURCES
from tips.paths import Paths
from tips.stages import tabulate
from tips.tables.compared import Line
from tips.tables.contents import SHEETS
from tips.tables.remembered import memory_file

REQUIRED = (
    "row,label,variant,paper,ours,sd,n_seeds,status,scale,baseline,gain_paper,gain_ours,low,high"
).split(",")
FULL_OVER = ("tips_gain", "tips_low", "tips_high", "tips_verdict")
WRITTEN = [sheet for sheet in SHEETS if sheet.fill is not None]
LINES = [sheet for sheet in WRITTEN if issubclass(sheet.row, Line)]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study with all runs and tables, made once."""
    folder = tmp_path_factory.mktemp("study")
    with fake_study.inside(folder, measured=True):
        tabulate.run(fake_study.SCALE)
    return folder


@pytest.fixture
def paths(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    """A copy of the finished study that a test may spoil."""
    work_on_copy(finished, tmp_path, monkeypatch)
    return Paths(
        Path("results/fake-embedded"),
        Path("reports/fake-embedded"),
        "embedded",
        Path("results/fake-embedded/data/embedded"),
    )


def outputs(paths: Paths) -> dict[str, bytes]:
    files = [f for part in ("tables", "figures") for f in (paths.results / part).iterdir()]
    return {file.name: file.read_bytes() for file in files}


def table(paths: Paths, name: str) -> dict[str, dict[str, str]]:
    return {row["row"]: row for row in cells(paths, f"table-{name}")}


def cells(paths: Paths, stem: str) -> list[dict[str, str]]:
    (sheet,) = (sheet for sheet in SHEETS if sheet.stem == stem)
    with sheet.file(paths).open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_every_table_is_written_with_the_required_columns(paths: Paths) -> None:
    files = {f"{sheet.stem}.{form}" for sheet in WRITTEN for form in ("csv", "tex")}
    assert set(outputs(paths)) == files
    for sheet in WRITTEN:
        header = sheet.file(paths).read_text().partition("\n")[0].split(",")
        assert set(sheet.row.columns()) <= set(header)
        assert sheet in LINES or header[: len(REQUIRED)] != REQUIRED
    for sheet in LINES:
        header = sheet.file(paths).read_text().partition("\n")[0].split(",")
        assert header[: len(REQUIRED)] == REQUIRED
    assert table(paths, "8")["ours"]["Wrist"] == "82.9"


def test_cells_of_a_finished_study(paths: Paths) -> None:
    two, six, five = (table(paths, name) for name in "265")
    full = two["e"]
    assert (full["paper"], full["gain_paper"], full["status"]) == ("86.2", "+8.9", "done")
    assert full["n_seeds"] == "3"
    assert float(full["sd"]) > 0
    assert float(full["low"]) < float(full["gain_ours"]) < float(full["high"])
    assert full["verdict"] == "above"
    assert two["HRNet"]["gain_ours"] == ""
    assert two["HRNet"]["n_seeds"] == "1"
    assert (two["DCPose"]["status"], two["DCPose"]["origin"]) == ("done", "re-implemented")
    assert table(paths, "8")["DCPose"]["status"] == "published"
    assert (two["a"]["status"], two["a"]["ours"]) == ("missing", "missing")
    assert two["a"]["note"] == "not part of this scale"
    assert (six["ours-5"]["fps_paper"], six["ours-5"]["speed_ours"]) == ("0.9", "5.25")
    assert five["5"]["ARI"] == "1.00"
    assert table(paths, "variants").keys() == {"my-own-idea"}
    assert {row["scale"] for row in two.values()} == {"fake"}


def test_methods_under_the_same_conditions(paths: Paths) -> None:
    rows = table(paths, "M")
    rival, full, absent = rows["DCPose"], rows["TIPS"], rows["TDMI-5"]
    assert (rival["frames"], rival["parameters"], rival["head_parameters"]) == ("3", "123456", "0")
    assert (rival["gain_paper"], rival["gain_on_boxes"], rival["tips_paper"]) == (
        *("+5.5", "+1.9", "+3.4"),
    )
    gap = float(full["ours"]) - float(rival["ours"])
    assert float(rival["tips_gain"]) == pytest.approx(gap, abs=0.011)
    assert float(rival["tips_low"]) < gap < float(rival["tips_high"])
    assert {full[name] for name in FULL_OVER} == {""}
    assert (absent["status"], absent["origin"]) == ("missing", "re-implemented, MI surrogate")
    assert (absent["head_parameters"], absent["tips_gain"]) == ("missing", "missing")
    claims = {(row["row"], row["than"]): row for row in cells(paths, "table-claims")}
    beats = claims["e", "DCPose"]
    assert (beats["paper"], beats["ours"]) == ("+3.4", rival["tips_gain"])
    assert (beats["verdict"], rival["tips_verdict"]) == ("shown", "above")
    assert claims["ours-3", "TDMI-3"]["than_origin"] == "re-implemented, MI surrogate"


def test_the_mean_pose_is_compared_on_the_same_boxes(paths: Paths) -> None:
    rows = table(paths, "C")
    full, mean = rows["full"], rows["mean-pose"]
    gap = float(full["ours"]) - float(mean["ours"])
    assert float(full["over_mean_pose"]) == pytest.approx(gap, abs=0.011)
    assert mean["over_mean_pose"] == rows["hrnet-detected"]["over_mean_pose"] == ""
    paths.predictions("mean-pose", "0", "gt").write_text("{}")
    tabulate.run(fake_study.SCALE)
    assert table(paths, "C")["full"]["over_mean_pose"] == "failed"


def test_measured_by_other_code_is_stale(paths: Paths) -> None:
    file = paths.metrics("groups-1", "0", "gt")
    alter_code(file, "evaluation/matching.py")
    tabulate.run(fake_study.SCALE)
    row = table(paths, "5")["1"]
    assert (row["status"], row["note"]) == ("stale", "metrics: evaluation/matching.py changed")


def test_an_error_leaves_no_table_half_new(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    before = outputs(paths)
    paths.predictions("tips", "0", "gt").unlink()
    (paths.interim("flow") / "psnr.json").write_text("[]")
    with pytest.raises(records.RecordError, match="psnr"):
        tabulate.run(fake_study.SCALE)
    assert outputs(paths) == before


@pytest.mark.parametrize(
    "text",
    [
        *("[1]", '{"tips": {"0": 3}}', '{"Total": {"tips": {"0": null}}}'),
        *("", "[" * 100_000, '{"Total": {"tips": {"0": NaN}}}', '{"Total": {"tips": {"0": 1e9}}}'),
    ],
)
def test_remembered_scores_that_are_none_are_written_anew(paths: Paths, text: str) -> None:
    before = outputs(paths)
    memory_file(paths).write_text(text)
    tabulate.run(fake_study.SCALE)
    assert outputs(paths) == before


def test_interim_rows_name_their_generator_and_its_psnr(paths: Paths) -> None:
    rows = table(paths, "I")
    assert [(rows[key]["generator"], rows[key]["psnr"]) for key in ("full", "average", "none")] == [
        *(("vfit", "29.10"), ("average", "26.20"), ("", "")),
    ]
    assert float(rows["average"]["tips_gain"]) == pytest.approx(
        float(rows["full"]["ours"]) - float(rows["average"]["ours"]), abs=0.011
    )


def test_better_predictions_score_higher(paths: Paths) -> None:
    ours = {key: row["ours"] for key, row in table(paths, "C").items()}
    assert float(ours["mean-pose"]) < float(ours["hrnet"]) < float(ours["full"])
    assert float(ours["hrnet-detected"]) < float(ours["hrnet"])


def test_tables_regenerate_byte_for_byte_from_what_was_measured(paths: Paths) -> None:
    before = outputs(paths)
    shutil.rmtree(paths.results / "tables")
    shutil.rmtree(paths.results / "figures")
    memory_file(paths).unlink()
    tabulate.run(fake_study.SCALE)
    assert outputs(paths) == before


@pytest.mark.parametrize(
    ("variant", "seed", "words"),
    [
        ("synthesis-only", 0, {"missing"}),
        ("groups-3", 0, {"missing"}),
        ("hrnet", 0, {"missing"}),
        ("mean-pose", 0, {"missing"}),
        ("tips", 1, {"partial"}),
        ("concat-wide", 2, {"partial"}),
    ],
)
def test_a_deleted_run_changes_its_cells_and_only_those(
    paths: Paths, variant: str, seed: int, words: set[str]
) -> None:
    names = [sheet.stem.removeprefix("table-") for sheet in LINES]
    before = {name: table(paths, name) for name in names}
    paths.predictions(variant, str(seed), "gt").unlink()
    tabulate.run(fake_study.SCALE)
    seen = set()
    for name in names:
        for key, row in table(paths, name).items():
            old = before[name][key]
            changed = {column for column in row if row[column] != old[column]}
            if row["variant"] == variant and key.partition("-")[2] != "detected":
                seen.add(row["status"])
                continue
            allowed: set[str] = set()
            if row["baseline"] == variant:
                allowed |= {"gain_ours", "low", "high", "verdict"}
            if variant == "concat-wide":
                allowed |= {"gain_wide", "low_wide", "high_wide", "verdict_wide"}
            if variant == "tips":
                allowed |= set(FULL_OVER)
            if variant == "mean-pose":
                allowed.add("over_mean_pose")
            assert changed <= allowed, f"table {name}, row {key}: {changed}"
            if changed - {"over_mean_pose"} and words == {"missing"}:
                assert row["gain_ours"] == "missing"
    assert seen == words


def test_a_failed_an_unreadable_and_a_stale_run_say_so(paths: Paths) -> None:
    paths.predictions("hrnet", "0", "gt").unlink()
    records.write_json({"reason": "loss is not finite"}, paths.run("hrnet", "0") / "failed.json")
    paths.predictions("groups-1", "0", "gt").write_text('{"variant": 1}')
    provenance = paths.run("synthesis-only", "0") / "provenance.json"
    written = records.read_json(provenance)
    heads = written["code"] | {"models/heads.py": "of another version"}
    records.write_json(written | {"code": heads}, provenance)
    (paths.interim("average") / "psnr.json").unlink()
    tabulate.run(fake_study.SCALE)
    two, five = table(paths, "2"), table(paths, "5")
    assert (two["HRNet"]["status"], two["HRNet"]["note"]) == ("failed", "loss is not finite")
    assert two["e"]["gain_ours"] == "failed"
    assert five["1"]["status"] == "failed"
    assert (two["b"]["status"], two["b"]["note"]) == (
        "stale",
        "models/heads.py changed since aaaaaaa",
    )
    assert {row["status"] for key, row in two.items() if row["variant"] == "tips"} == {"done"}
    assert table(paths, "I")["average"]["psnr"] == "missing"
    assert float(two["b"]["ours"]) > 0


def test_conclusions_come_with_margins_and_adjusted_p_values(paths: Paths) -> None:
    rows = cells(paths, "table-claims")
    checked = [row for row in rows if row["verdict"] != "missing"]
    assert 0 < len(checked) < len(rows)
    for row in checked:
        difference = float(row["ours"])
        sd = math.sqrt(float(row["sequences_sd"]) ** 2 + float(row["seeds_sd"]) ** 2 / 3)
        low = float(row["low"])
        if row["n_seeds"] == "3":
            assert low == pytest.approx(difference - 1.96 * sd, abs=0.011)
        significant = float(row["p_adjusted"]) < 0.05
        assert significant == (row["verdict"] in ("shown", "opposite"))
        assert (row["decides"] != "") == (row["verdict"] == "undecided")
    absent = {row["p_adjusted"] for row in rows if row["verdict"] == "missing"}
    assert absent == {"missing"}


def test_parts_of_fig_4_are_compared_by_their_own_oks(paths: Paths) -> None:
    (wrist,) = (row for row in cells(paths, "table-claims") if row["part"] == "Wrist")
    # The one seed of N = 1 is paired with the same seed of N = 5, which has three.
    one, five = (
        records.read_json(paths.metrics(name, "0", "gt"))["oks"]["parts"]["Wrist"]["score"]
        for name in ("groups-1", "tips")
    )
    assert float(wrist["ours"]) == pytest.approx(five - one, abs=0.0051)
    assert float(wrist["low"]) < float(wrist["ours"]) < float(wrist["high"])


def test_on_few_sequences_and_seeds_nothing_is_separable_or_not(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intervals, "ENOUGH_SEQUENCES", fake_study.SEQUENCES + 1)
    tabulate.run(fake_study.SCALE)
    assert {row["verdict"] for row in cells(paths, "table-claims")} == {"unknown", "missing"}
    for name in "2C":
        verdicts = {row["verdict"] for row in table(paths, name).values()}
        assert verdicts <= {"unknown", ""}
    mean = table(paths, "C")["mean-pose"]
    assert (mean["low"], mean["high"], mean["verdict"]) == ("unknown",) * 3


def test_figure_4_holds_parts_and_their_mean(paths: Paths) -> None:
    rows = cells(paths, "figure-4")
    assert len(rows) == 5 * 8
    five = {row["part"]: row for row in rows if row["groups"] == "5"}
    parts = [float(five[name]["ap"]) for name in five if name != "Mean"]
    assert float(five["Mean"]["ap"]) == pytest.approx(sum(parts) / 7, abs=0.01)
    assert five["Mean"]["n"] == "3"
    assert {row["oks"] for row in rows if row["groups"] == "8"} == {"missing"}


def test_table_s_compares_with_what_needs_no_synthesis(paths: Paths) -> None:
    rows = cells(paths, "table-S")
    full = [row for row in rows if row["variant"] == "tips"]
    assert len(full) == 5 * len(SOURCES)  # all, and four quartiles
    overall = {row["source"]: float(row["error"]) for row in full if row["quartile"] == "all"}
    assert overall["line between true"] == pytest.approx(0, abs=1e-3)
    assert overall["synthesized"] > 0


def test_without_true_motion_the_tables_come_out_all_the_same(paths: Paths) -> None:
    shutil.rmtree(paths.root / "truth")
    fake_study.measure()
    tabulate.run(fake_study.SCALE)
    assert float(table(paths, "2")["e"]["ours"]) > 0
    found = cells(paths, "table-subsets")
    assert {row["clean"] for row in found if row["n_seeds"] != "0"} == {"-"}


def test_no_torch_is_imported() -> None:
    code = (
        "import sys; from tips.stages import evaluate, report, tabulate; "
        "assert 'torch' not in sys.modules, 'torch was imported'"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
