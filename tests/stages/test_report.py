import re
import shutil
from pathlib import Path

import fake_study
import pytest
from PIL import Image
from spoiled import work_on_copy

from tips import records
from tips.config import load_study
from tips.paths import Paths
from tips.provenance import file_digest
from tips.records import RecordError
from tips.reporting import figures
from tips.reporting.conclusions import HEADS
from tips.reporting.report import build, open_page
from tips.stages import report, tabulate
from tips.tables.ablations import COMPONENTS, OBJECTIVES
from tips.tables.cells import known
from tips.tables.claims import CLAIMS
from tips.tables.contents import SHEETS
from tips.tables.published import load_tables
from tips.tables.sheet import Sheet

SECTIONS = (
    "What this is",
    "The answer in short",
    "Table II: network components",
    "Table III: network architecture",
    "Table IV: part-related objectives",
    "Table V and Fig. 4: part groups",
    "Table VI: window length",
    "Table VII: points of the trajectory",
    "Table M: methods under the same conditions",
    "Guests: predictions from elsewhere",
    "Table S: the synthesized poses",
    "Clean, degraded, hidden",
    "How far from the end",
    "Controls and your variants",
    "How far the intervals can be trusted",
    "The rough interim frames",
    "Part grouping from data",
    "Pictures",
    "Training",
    "Tables VIII-XI",
    "What the networks cost",
    "Deviations from the papers",
    "Time",
    "Provenance",
)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("study")
    with fake_study.inside(folder, measured=True) as paths:
        pictures = paths.reports / "figures"
        pictures.mkdir(parents=True)
        for name, colour in (("synthesis-1", "red"), ("windows-1", "blue"), ("overlay-1", "green")):
            Image.new("RGB", (1200, 300), colour).save(pictures / f"{name}.png")
        Image.new("RGB", (1200, 300)).save(pictures / "windows-9.png")  # an older study's
        captions = {"synthesis-1": "A pose between", "windows-1": "A sample", "overlay-1": "Joints"}
        listed = {f"{name}.png": words for name, words in captions.items()}
        records.write_json(listed, pictures / "pictures.json")
        Image.new("RGB", (60, 60)).save(paths.groups("5").with_suffix(".png"))
        bench = paths.results / "benchmarks" / "train" / "tips-0.tsv"
        bench.parent.mkdir(parents=True)
        bench.write_text("s\tcpu_time\n75.5\t74.0\n")
        tabulate.run(fake_study.SCALE)
        older = Path("reports/reference")
        (older / "figures").mkdir(parents=True)
        for name in ("older.png", "of-nobody.png"):
            (older / "figures" / name).touch()
        (older / "report.md").write_text("![a picture](figures/older.png)\n")
        report.run(fake_study.SCALE, reference=Path("reports/reference"))
    return folder


@pytest.fixture
def paths(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    work_on_copy(finished, tmp_path, monkeypatch)
    results = Path("results/fake-embedded")
    return Paths(results, Path("reports/fake-embedded"), "embedded", results / "data/embedded")


def source(paths: Paths) -> str:
    return (paths.reports / "report.md").read_text()


def page(paths: Paths) -> str:
    return (paths.reports / "index.html").read_text()


def section(text: str, title: str) -> str:
    return text.split(f"## {title}\n")[1].split("\n## ")[0]


def test_first_line_names_scale_and_dataset(paths: Paths) -> None:
    assert source(paths).startswith("# TIPS reproduced: scale fake, dataset embedded\n")
    assert re.search(r"<h1>TIPS reproduced: scale fake, dataset embedded</h1>", page(paths))


def test_every_section_is_there_in_order(paths: Paths) -> None:
    assert tuple(re.findall(r"^## (.*)$", source(paths), re.MULTILINE)) == SECTIONS
    assert page(paths).count('<a href="#') >= len(SECTIONS)


def test_html_is_self_contained(paths: Paths) -> None:
    html = page(paths)
    assert "<script" not in html
    assert "<link" not in html
    assert "@import" not in html
    assert "url(" not in html
    assert all(source.startswith("data:image/") for source in re.findall(r'src="([^"]+)"', html))
    assert not re.findall(r'(?:src|href)="https?:', html)


def test_links_lead_to_files_of_this_checkout(paths: Paths) -> None:
    provenance = section(source(paths), "Provenance")
    targets = re.findall(r"\[files\]\(([^)]+)\)", provenance)
    assert len(targets) == sum(fake_study.SEEDS.get(name, 1) for name in fake_study.NETWORKS)
    assert all((paths.reports / target).is_dir() for target in targets)


def test_answer_never_says_more_than_the_intervals(paths: Paths) -> None:
    answer = section(source(paths), "The answer in short")
    rows = [line.split(" | ") for line in answer.splitlines() if line.startswith("| ")][2:]
    assert len(rows) == len(CLAIMS.read(paths))
    for *_, gain, _, p, verdict, decides in rows:
        significant = p != "missing" and float(p.removeprefix("< ")) < 0.05
        assert significant == (verdict in ("shown", "opposite"))
        assert (verdict == "undecided") == (decides.strip("| ") != "")
        if verdict == "shown":
            assert gain.partition(" [")[2].startswith("+")
    assert {"shown", "missing"} <= {row[7] for row in rows}
    for verdict, head in HEADS.items():
        count = sum(row[7].startswith(verdict) for row in rows)
        assert f"**{count} {head}**" in answer or not count
    missing = answer.split(HEADS["missing"])[1].split("\n")[0]
    assert "S_w helps the full model" in missing


def test_numbers_are_those_of_the_tables(paths: Paths) -> None:
    numbers = records.read_json(paths.numbers)
    assert (numbers["scale"], numbers["dataset"]) == (fake_study.SCALE, "embedded")
    assert numbers["sequences"] == fake_study.SEQUENCES
    rows = {(row["variant"], row["boxes"]): row for row in numbers["rows"]}
    full, (line,) = rows["tips", "gt"], (r for r in COMPONENTS.read(paths) if r.row == "e")
    assert set(full["seeds"]) == set(full["predictions"]) == {"0", "1", "2"}
    assert sum(full["seeds"].values()) / 3 == pytest.approx(line.ours, abs=0.01)
    gain = full["gains"]["hrnet"]
    assert (gain["gain"], gain["low"], gain["high"]) == (line.gain_ours, line.low, line.high)
    assert full["predictions"]["1"] == file_digest(paths.predictions("tips", "1", "gt"))
    assert rows["tips", "detected"]["predictions"] != full["predictions"]
    assert rows["window-3", "gt"]["seeds"] == {}
    claims = CLAIMS.read(paths)
    assert [one["verdict"] for one in numbers["conclusions"]] == [one.verdict for one in claims]
    for one, claim in zip(numbers["conclusions"], claims, strict=True):
        assert one["rows"] == [claim.row, claim.than]
        assert one["gain"] == (claim.ours if known(claim.ours) else None)
        assert one["p_adjusted"] == (claim.p_adjusted if known(claim.p_adjusted) else None)


def test_numbers_hold_no_place_no_machine_and_no_time(paths: Paths) -> None:
    text = paths.numbers.read_text()
    assert str(paths.results) not in text
    assert fake_study.MACHINE["machine"] not in text
    assert fake_study.MACHINE["commit"] not in text
    assert len(text) < 500_000
    assert (Path("reports/reference") / paths.numbers.name).read_text() == text
    before = paths.numbers.stat().st_mtime_ns
    report.run(fake_study.SCALE)
    assert paths.numbers.read_text() == text
    assert paths.numbers.stat().st_mtime_ns > before


def test_missing_published_and_measured_cells_say_so(paths: Paths) -> None:
    two = section(source(paths), "Table II: network components")
    assert "| ours | 85.0 | missing: not part of this scale | +7.7 | missing |" in two
    assert re.search(r"\| DCPose \| DCPose \| re-implemented \| 82\.8 \| \d", two)
    eight = section(source(paths), "Tables VIII-XI")
    assert "| DCPose [22] | HRNet-W48 | 68.0M |" in eight
    assert "here: dcpose" not in eight  # another dataset's table
    assert re.search(r"full model \| ours \| 86\.2 \| [\d.]+ ± [\d.]+ \(3\) \| \+8\.9", two)
    assert "| network |" not in section(source(paths), "Table III: network architecture")


def test_methods_stand_side_by_side_with_their_conditions(paths: Paths) -> None:
    text = section(source(paths), "Table M: methods under the same conditions")
    assert "| paper / over 77.3 / 80.9 |" in text
    row = next(line for line in text.splitlines() if line.startswith("| DCPose "))
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[:4] == ["DCPose", "3", "0", "82.8 / +5.5 / +1.9"]
    assert re.fullmatch(r"\+3\.4 / [+-][\d.]+ \[.*\] (above|below|not separable)", cells[-2])
    assert cells[-1] == "re-implemented"
    assert "Equal conditions are: annotated boxes; the frozen backbone of `hrnet`, one ch" in text
    assert "- `dcpose` departs from them in its augmentation (" in text
    assert "full model looks at interim frames; they are made by `vfit`. VFIT was trained" in text
    assert "Against 1 row of re-implemented networks of other papers, on the same boxes and" in (
        section(source(paths), "The answer in short")
    )


def test_interim_frames_stand_beside_what_they_are_worth(paths: Paths) -> None:
    text = section(source(paths), "The rough interim frames")
    assert "### What the interim frame is worth" in text
    assert re.search(r"\| the full model's own \| vfit \| 29\.10 \| 86\.2 \| \d", text)
    assert re.search(r"\| mean of both neighbours \| average \| 26\.20 \|  \| \d", text)
    assert "| the true frame between | - | - |  | missing: not part of this scale |" in text
    assert "so its PSNR on `train` is in-sample" in text


def test_pictures_come_with_their_captions(paths: Paths) -> None:
    text = section(source(paths), "Pictures")
    assert "![A pose between](figures/synthesis-1.png)" in text
    assert text.index("windows-1") < text.index("synthesis-1") < text.index("overlay-1")
    assert "groups-5.png" in section(source(paths), "Part grouping from data")


def test_training_time_provenance_and_deviations_are_filled(paths: Paths) -> None:
    text = source(paths)
    assert "losses-all.png" in section(text, "Training")
    assert "From scratch (`single-frame-scratch`) the loss fell by 97.3 %, at least" in section(
        text, "Training"
    )
    assert "that this scale gives to heads (`single-frame`), it fell by" in text
    assert "from scratch as in every row" in text
    assert "| train | 1 | 1 min 16 s | 1 min 14 s |" in section(text, "Time")
    assert "a test, 2 cores" in section(text, "Provenance")
    assert "tips / 2" in section(text, "Provenance")
    assert "skeleton.py:" in section(text, "Deviations from the papers")


def test_published_tables_name_the_rows_whose_total_is_off(paths: Paths) -> None:
    text = section(source(paths), "Tables VIII-XI")
    assert "Of 46 complete rows of Tables VIII-X 43 agree" in text
    assert "HRNet+STIP (Table VIII): printed 77.9, computed 77.79" in text
    assert text.count("<details>") == 4


def test_equal_inputs_give_equal_pages(paths: Paths) -> None:
    before = source(paths), page(paths)
    report.run(fake_study.SCALE)
    assert (source(paths), page(paths)) == before


def test_an_empty_study_reads_well(paths: Paths) -> None:
    shutil.rmtree(paths.results / "runs")
    shutil.rmtree(paths.results / "benchmarks")
    shutil.rmtree(paths.reports)
    paths.speed.unlink()
    tabulate.run(fake_study.SCALE)
    report.run(fake_study.SCALE)
    text = source(paths)
    assert "0 can be checked here" in text
    for title in ("Pictures", "Training", "Time", "Provenance"):
        assert section(text, title).strip().startswith("missing")
    assert "Our speed was not measured" in text


def test_without_tables_the_remedy_is_named(paths: Paths) -> None:
    OBJECTIVES.file(paths).unlink()
    with pytest.raises(RecordError, match=r"table-4\.csv: no such file; run the stage tabulate"):
        report.run(fake_study.SCALE)


def test_reference_copy_is_small_and_names_commit_and_machine(paths: Paths) -> None:
    folder = Path("reports/reference")
    files = [file for file in folder.rglob("*") if file.is_file()]
    assert sum(file.stat().st_size for file in files) < 500_000
    text = (folder / "report.md").read_text()
    assert f"Commit {'a' * 40}; machine: a test, 2 cores." in text.split("## ")[0]
    pictures = re.findall(r"!\[[^\]]*\]\(([^)]+)\)", text)
    assert len(pictures) > 5
    assert all((folder / picture).is_file() for picture in pictures)
    assert "../../tips/skeleton.py#L" in text
    names = {file.name for file in files}
    assert "older.png" not in names  # only the copy before this one showed it
    assert "of-nobody.png" in names


@pytest.mark.parametrize("sheet", [one for one in SHEETS if one.fill], ids=lambda one: one.stem)
def test_a_table_that_was_cut_is_one_line_or_shown_as_it_is(
    paths: Paths, sheet: Sheet, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("forest", "losses", "figure_4"):  # which take seconds
        monkeypatch.setattr(figures, name, lambda *_: None)
    header, *rows = sheet.file(paths).read_text().splitlines(keepends=True)
    sheet.file(paths).write_text("".join([header, *rows[:-1]]))
    said = f"{sheet.file(paths)}: run the stage tabulate again"
    study = load_study(fake_study.SCALE, Path("experiments"))
    try:
        build(open_page(study, paths, load_tables(Path("experiments/tables.yaml"))))
    except RecordError as error:
        said = str(error)
    assert said.startswith(f"{sheet.file(paths)}: ")
    assert said.endswith("run the stage tabulate again")
