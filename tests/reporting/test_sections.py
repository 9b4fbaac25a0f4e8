from pathlib import Path

from tips.config import Study, load_study
from tips.reporting import sections
from tips.reporting.published import load_tables

EXPERIMENTS = Path(__file__).parents[2] / "experiments"
PSNR = [
    {"generator": name, "split": "train", "psnr": "30.00", "n": "9", "status": "done"}
    for name in ("flow", "vfit")
]


def with_published_vfit(study: Study) -> Study:
    assert study.scale.vfit is not None
    vfit = study.scale.vfit.model_copy(update={"training": None, "weights": "vfit.pt"})
    return study._replace(scale=study.scale.model_copy(update={"vfit": vfit}))


def test_only_scales_smaller_than_the_papers_say_that_they_are() -> None:
    words = "far smaller than the paper's, so our AP is no evidence about its mAP"
    desk, paper = (load_study(scale, EXPERIMENTS, "x").scale.note for scale in ("desk", "paper"))
    assert words in sections.introduction(desk).body
    assert words not in sections.introduction(paper).body
    assert "**Compare gains, not levels.**" in sections.introduction(paper).body


def test_psnr_on_what_vfit_learned_from_is_called_in_sample() -> None:
    study = load_study("desk", EXPERIMENTS)
    words = "`vfit` was trained here on true middle frames of the training split"
    assert words in sections.interim(PSNR, "", study).body
    assert words not in sections.interim(PSNR[:1], "", study).body
    assert words not in sections.interim(PSNR, "", with_published_vfit(study)).body


def test_a_generator_that_passes_the_studys_own_is_told() -> None:
    study = load_study("desk", EXPERIMENTS)
    assert study.variants["tips"].experiment.interim == "vfit"
    rows = [row | {"split": "val"} for row in PSNR]
    warning = "**On `val` `flow` came nearer to the true frames than `vfit`"
    assert warning not in sections.interim(rows, "", study).body
    true = rows[0] | {"generator": "true", "psnr": ""}
    nearer = rows[0] | {"psnr": "30.01"}
    assert warning in sections.interim([nearer, rows[1], true], "", study).body
    unknown = rows[1] | {"psnr": "missing", "status": "missing"}
    assert warning not in sections.interim([nearer, unknown], "", study).body


def test_subsets_are_in_the_datasets_metric() -> None:
    body = sections.subsets([], "PCK").body
    assert body.startswith("PCK on clean frames")
    assert "AP" not in body


def test_table_s_claims_no_more_than_a_necessary_condition() -> None:
    body = sections.synthesis([]).body
    assert "necessary, not sufficient" in body
    assert "No interval is computed" in body


def test_notes_are_not_all_called_contradictions() -> None:
    tables = load_tables(EXPERIMENTS / "tables.yaml")
    words = "Where the paper contradicts itself or leaves something open:"
    assert words in sections.groups_table(tables.table("5"), [], "").body
