from dataclasses import replace

import pytest
import typed

from tips.config import Study, load_study
from tips.reporting import sections
from tips.tables.ablations import COMPONENTS
from tips.tables.claims import CLAIMS, ClaimRow
from tips.tables.groups import GROUPS
from tips.tables.interim import INTERIM, PsnrRow
from tips.tables.subsets import SUBSETS_TABLE
from tips.tables.synthesis_error import SYNTHESIS

PSNR = [PsnrRow(name, "train", 30.0, 9, "done") for name in ("flow", "vfit")]


def interim(study: Study, rows: list[PsnrRow]) -> str:
    return INTERIM.section(typed.page(study, {INTERIM: rows})).body


def with_published_vfit(study: Study) -> Study:
    assert study.scale.vfit is not None
    vfit = study.scale.vfit.model_copy(update={"training": None, "weights": "vfit.pt"})
    return study._replace(scale=study.scale.model_copy(update={"vfit": vfit}))


@pytest.fixture
def desk() -> Study:
    return load_study("desk", typed.EXPERIMENTS)


def test_only_scales_smaller_than_the_papers_say_that_they_are(desk: Study) -> None:
    words = "far smaller than the paper's, so our AP is no evidence about its mAP"
    paper = load_study("paper", typed.EXPERIMENTS, "x")
    rows = {COMPONENTS: [typed.line(variant="tips", gain_ours="missing", gain_paper="+8.9")]}
    small, whole = (sections.opening(typed.page(one, rows)).body for one in (desk, paper))
    assert words in small
    assert words not in whole
    assert "**Compare gains, not levels.**" in sections.introduction(typed.page(paper)).body


def test_the_first_sentence_counts_every_conclusion_once(desk: Study) -> None:
    gain = {"gain_ours": "+2.00", "low": "+1.58", "high": "+2.42", "gain_paper": "+8.9"}
    verdicts = {"shown": 3, "equivalent": 2, "missing": 1}
    rows = {
        COMPONENTS: [typed.line(variant="tips", **gain)],
        CLAIMS: [
            typed.row(ClaimRow, verdict=verdict, margin="0.5", expects="more", n_sequences="40")
            for verdict, count in verdicts.items()
            for _ in range(count)
        ],
    }
    said = sections.opening(typed.page(desk, rows)).body.splitlines()[0]
    assert said == (
        "**Of 6 conclusions of the paper: 3 shown here, 2 equivalent (no difference as "
        "large as the margin) and 1 missing; the full model's gain over the single-frame "
        "backbone is +2.00 [+1.58, +2.42] AP points, the paper's +8.9.**"
    )


def test_psnr_on_what_vfit_learned_from_is_called_in_sample(desk: Study) -> None:
    words = "`vfit` was trained here on true middle frames of the training split"
    assert words in interim(desk, PSNR)
    assert words not in interim(desk, PSNR[:1])
    assert words not in interim(with_published_vfit(desk), PSNR)


def test_a_generator_that_passes_the_studys_own_is_told(desk: Study) -> None:
    assert desk.variants["tips"].experiment.interim == "vfit"
    flow, vfit = (replace(row, split="val") for row in PSNR)
    warning = "**On `val` `flow` came nearer to the true frames than `vfit`"
    assert warning not in interim(desk, [flow, vfit])
    true = typed.row(PsnrRow, generator="true", split="val", n="9")
    nearer = replace(flow, psnr=30.01)
    assert warning in interim(desk, [nearer, vfit, true])
    unknown = typed.row(PsnrRow, generator="vfit", split="val", n="0", psnr="missing")
    assert warning not in interim(desk, [nearer, unknown])


def test_subsets_are_in_the_datasets_metric() -> None:
    jhmdb = load_study("paper-jhmdb-1", typed.EXPERIMENTS, "x")
    body = SUBSETS_TABLE.section(typed.page(jhmdb)).body
    assert body.startswith("PCK on clean frames")
    assert "AP" not in body


def test_table_s_claims_no_more_than_a_necessary_condition(desk: Study) -> None:
    body = SYNTHESIS.section(typed.page(desk)).body
    assert "necessary, not sufficient" in body
    assert "No interval is computed" in body


def test_notes_are_not_all_called_contradictions(desk: Study) -> None:
    words = "Where the paper contradicts itself or leaves something open:"
    assert words in GROUPS.section(typed.page(desk)).body
