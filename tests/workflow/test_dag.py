"""What an edit makes Snakemake do, by dry runs on a copy of the finished smoke study."""

import json
import re
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from finished_study import REPOSITORY, STUDY, edit, jobs, of_variants, rules, snakemake

# What stands behind any change of a run's numbers.
TABLES = {"speed", "tabulate", "report", "track", "all"}

pytestmark = pytest.mark.slow


def test_a_finished_study_has_nothing_to_do(finished: Path) -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    shown = snakemake(finished)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert shown.returncode == 0, shown.stderr
    assert "Nothing to be done" in shown.stdout + shown.stderr
    used = (after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime)
    assert used < 10  # s of a processor; parsing must stay quick


def test_the_report_is_one_light_file(finished: Path) -> None:
    assert (finished / f"reports/{STUDY}/index.html").stat().st_size < 1_000_000


def test_comments_and_titles_mean_nothing(copy: Path) -> None:
    variant = copy / "experiments/ablation/window-3.yaml"
    edit(variant, "title: ", "# A remark.\ntitle: Another ")
    edit(copy / "experiments/tips.yaml", "title: ", "title: Another ")
    lines = variant.read_text().splitlines()
    variant.write_text("\n".join(lines[::-1]) + "\n")  # keys in another order
    edit(copy / "experiments/scales/smoke.yaml", "# Minutes", "# A remark. Minutes")
    assert not jobs(copy)


def test_docstrings_and_comments_of_the_code_mean_nothing(copy: Path) -> None:
    for name in (
        "mocap/scene",
        "data/windows",
        "models/tips/network",
        "losses/heatmap",
        "training/loop",
        "evaluation/oks",
        "evaluation/average_precision",
        "tables/sheet",
        "stages/predict",
        "stages/evaluate",
    ):
        path = copy / "tips" / f"{name}.py"
        edit(path, '"""', '"""In other words: ')
        path.write_text(path.read_text() + "\n# A remark.\n")
    assert not jobs(copy)


def test_a_value_edited_reruns_that_variant_alone(copy: Path) -> None:
    path = copy / "experiments/ablation/window-3.yaml"
    path.write_text(path.read_text() + "augmentation: {rotation: 30.0}\n")
    found = jobs(copy)
    assert of_variants(found) == dict.fromkeys(
        [("train", "window-3"), ("predict", "window-3"), ("evaluate", "window-3")], 1
    )
    assert rules(found) == {"train", "predict", "evaluate", *TABLES}


def test_a_new_file_is_a_new_row(copy: Path) -> None:
    """Only what is its own is made, and the tables; no other row's time is taken again."""
    mine = copy / "experiments/own/mine.yaml"
    mine.parent.mkdir(exist_ok=True)
    mine.write_text("extends: ../tips.yaml\ntitle: My idea\nlosses: {variety: 0.5}\n")
    own = [("train", "mine"), ("predict", "mine"), ("evaluate", "mine")]
    found = jobs(copy)
    assert of_variants(found) == dict.fromkeys(own, 1)
    assert rules(found) == {"train", "predict", "evaluate", *TABLES} - {"speed"}
    mine.write_text(mine.read_text() + "seeds: 2\ncompare: [tips, groups-8]\nexpect: above\n")
    assert of_variants(jobs(copy)) == dict.fromkeys(own, 2)


def test_a_deleted_run_is_made_again_alone(copy: Path) -> None:
    shutil.rmtree(copy / f"results/{STUDY}/runs/embedded/concat-wide/seed-1")
    found = jobs(copy)
    assert of_variants(found) == dict.fromkeys(
        [("train", "concat-wide"), ("predict", "concat-wide"), ("evaluate", "concat-wide")], 1
    )
    # Kept features may be deleted at any time; the run then needs them again.
    assert rules(found) <= {"features", "train", "predict", "evaluate", *TABLES}


def test_edited_evaluation_code_trains_nothing(copy: Path) -> None:
    edit(copy / "tips/evaluation/matching.py", "    return ", "    return 1 and ")
    found = jobs(copy)
    assert {"evaluate", "evaluate_detected", "tabulate", "report"} <= rules(found)
    assert not rules(found) & {"train", "predict", "predict_detected", "speed"}


def test_edited_training_code_marks_and_retrains_only_if_asked(copy: Path) -> None:
    edit(copy / "tips/data/order.py", "rng.shuffle(chosen)", "rng.shuffle(chosen[:])")
    assert rules(jobs(copy)) == {"tabulate", "report", "track", "all"}
    found = jobs(copy, "stale=retrain")
    assert sum(n for (rule, _), n in found.items() if rule == "train") > 30
    assert not rules(found) & {"render", "prepare", "pack", "group"}


def test_a_run_that_newer_code_made_is_up_to_date(copy: Path) -> None:
    """A run that was made anew for another reason names newer code than its rule had noted."""
    record = copy / f"results/{STUDY}/runs/embedded/window-3/seed-0/provenance.json"
    found = json.loads(record.read_text())
    assert "trigger" in found
    found["code"]["training/loop.py"] = "f" * 16
    record.unlink()  # a hard link
    record.write_text(json.dumps(found))
    assert not jobs(copy)
    asked = {key for key in of_variants(jobs(copy, "stale=retrain")) if key[0] == "train"}
    assert asked == {("train", "window-3")}


def test_edited_tables_train_nothing(copy: Path) -> None:
    edit(copy / "experiments/tables.yaml", "77.3", "77.4")
    assert rules(jobs(copy)) == {"tabulate", "pictures", "report", "track", "all"}


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        (
            "ablation/mine.yaml",
            "extends: ../tips.yaml\ntitle: x\ntraning: {epochs: 3}\n",
            "error: experiments/ablation/mine.yaml: traning: unknown key; did you mean 'training'?",
        ),
        (
            "ablation/mine.yaml",
            "extends: ../tips.yaml\ntitle: x\nwindow: [-2, -1]\n",
            "error: experiments/ablation/mine.yaml: window: window must contain 0",
        ),
        ("ablation/mine.yaml", "a: [", "error: experiments/ablation/mine.yaml: not YAML: "),
        (
            "ablation/mine.yaml",
            "extends: ../tips.yaml\ntitle: x\ncompare: [groups-9]\n",
            "error: experiments/ablation/mine.yaml: compare: scale 'smoke' has no row 'groups-9'",
        ),
        (
            "ablation/groups-8.yaml",
            "extends: ../tips.yaml\ntitle: x\ncompare: [tips]\n",
            "error: experiments/ablation/groups-8.yaml: compare: 'groups-8' is a row of",
        ),
        ("scales/smoke.yaml", "name: smoke\n", "error: experiments/scales/smoke.yaml: note: this"),
    ],
)
def test_a_bad_file_is_one_line(copy: Path, name: str, text: str, says: str) -> None:
    (copy / "experiments" / name).write_text(text)
    one_line(snakemake(copy, "-n"), says)


def test_what_a_variant_needs_and_nobody_makes_is_one_line(copy: Path) -> None:
    mine = copy / "experiments/ablation/mine.yaml"
    mine.write_text("extends: ../tips.yaml\ntitle: x\ninterim: average\n")
    says = "error: variant 'mine' reads interim frames 'average', which scale 'paper' does not make"
    one_line(snakemake(copy, "-n", scale="paper"), says)
    mine.unlink()
    scale = copy / "experiments/scales/mine.yaml"
    for part, key in (
        ("variants: {hrnet: {backbone: {weights: gone.pth}}}", "backbone.weights"),
        ("vfit: {weights: gone.pth}\ninterim: [vfit]\nexperiment: {interim: vfit}", "vfit.weights"),
    ):
        scale.write_text(f"extends: paper.yaml\nname: mine\n{part}\n")
        says = f"error: gone.pth: no such file; {key} names it, relative to this folder"
        one_line(snakemake(copy, "-n", scale="mine"), says)


def test_braces_in_the_name_of_a_folder_are_one_line(copy: Path) -> None:
    moved = copy.rename(copy.with_name("a {b}"))
    one_line(snakemake(moved, "-n"), f"error: {moved}: Snakemake takes braces in the name of a fol")


def test_a_scale_without_the_full_model_is_one_line(copy: Path) -> None:
    text = "extends: smoke.yaml\nname: mine\nrows: [hrnet, concat]\n"
    (copy / "experiments/scales/mine.yaml").write_text(text)
    one_line(snakemake(copy, "-n", scale="mine"), "error: scale mine: rows: 'tips' is missing")


def test_what_the_bench_measured_is_shown(copy: Path) -> None:
    file = copy / "results/bench/inference.json"
    file.parent.mkdir(parents=True)
    file.write_text("{}")
    assert rules(jobs(copy)) == {"report", "track", "all"}  # MLflow keeps the report's figures


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("scale=smokee",), "error: unknown scale 'smokee'; did you mean 'smoke'?"),
        (("sclae=smoke",), "error: --config: Additional properties are not allowed ('sclae' was"),
        (("seeds=-1",), "error: --config: seeds: -1 is less than the minimum of 0"),
        (("seeds=1000000000",), "error: --config: seeds: 1000000000 is greater than the maximum"),
        (
            ("scale=../smoke",),
            "error: scale: '../smoke' cannot be used: a name has 1 to",
        ),
        (("device=gpu",), "error: --config: device: 'gpu' is not one of ['auto', 'cpu', 'cuda']"),
        (("scale=clip", "root=/gone"), "error: /gone/annotations_pt18: no such folder; --config"),
    ],
)
def test_a_bad_command_is_one_line(finished: Path, words: tuple[str, ...], says: str) -> None:
    one_line(snakemake(finished, *words, "-n"), says)


def test_a_dataset_may_be_missing_from_a_plan_alone(finished: Path) -> None:
    says = "error: experiments/scales/clip.yaml: dataset.root: scale 'clip' needs"
    one_line(snakemake(finished, scale="clip"), says)
    planned = snakemake(finished, "-n", scale="paper")
    assert planned.returncode == 0, planned.stderr
    assert "no root is given: jobs as with a dataset" in planned.stderr
    trainings = re.findall(r"^rule train:\n((?: .*\n)+)", planned.stdout, re.MULTILINE)
    assert len(trainings) > 40
    assert all("gpu=1" in text for text in trainings)
    assert snakemake(finished, "device=cpu", "-n", scale="paper").stdout.count("gpu=1") == 0


def one_line(shown: subprocess.CompletedProcess[str], says: str) -> None:
    assert shown.returncode == 2
    text = shown.stdout + shown.stderr
    assert [line.startswith(says) for line in text.splitlines()].count(True) == 1, text
    assert "Traceback" not in text
    assert 'File "' not in text


@pytest.mark.parametrize("words", [("--lint",), ("--report", "made.html")])
def test_snakemake_s_own_reports(copy: Path, words: tuple[str, ...]) -> None:
    shown = snakemake(copy, *words)
    assert shown.returncode == 0, shown.stderr
    if words[0] == "--report":
        assert (copy / "made.html").stat().st_size > 100_000


def test_snakefmt_has_nothing_to_change() -> None:
    shown = subprocess.run(
        [str(Path(sys.executable).with_name("snakefmt")), "--check", "workflow"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert shown.returncode == 0, shown.stderr


def test_no_file_of_rules_overwrites_a_name_of_another() -> None:
    """All rule files share one space of names, and functions read a name only when they run."""
    named = [
        name
        for path in sorted((REPOSITORY / "workflow").rglob("*.smk"))
        for name in {*re.findall(r"^ *([A-Z][A-Z_]*) = ", path.read_text(), re.MULTILINE)}
    ]
    assert named
    assert sorted(named) == sorted(set(named))


def test_the_dag_reads_no_torch(finished: Path) -> None:
    """Parsing must stay quick: no rule's line imports anything heavy."""
    code = (
        "import sys\n"
        "from snakemake.cli import main\n"
        "try:\n"
        "    main(['-n', '--quiet', '--config', 'scale=smoke'])\n"
        "except SystemExit as end:\n"
        "    assert not end.code, end.code\n"
        "assert 'tips.chain' in sys.modules\n"
        "assert 'torch' not in sys.modules\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=finished, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
