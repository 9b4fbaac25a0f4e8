from pathlib import Path

from studies import study_of

from tips.config import BACKBONE, Study, load_study
from tips.tables.published import load_tables
from tips.tables.yours import your_variants

EXPERIMENTS = Path(__file__).parents[2] / "experiments"
TABLES = load_tables(EXPERIMENTS / "tables.yaml")


def yours(study: Study) -> list[str]:
    return [row.row for row in your_variants(TABLES, study).rows]


def renamed(study: Study, name: str, of: str, backbone: str | None = None) -> Study:
    """The study with one more variant: a copy of another, perhaps on another backbone."""
    variant = study.variant(of)._replace(name=name)
    if backbone is not None:
        own = variant.experiment.backbone.model_copy(update={"name": backbone})
        experiment = variant.experiment.model_copy(update={"backbone": own})
        variant = variant._replace(experiment=experiment)
    return study._replace(variants=study.variants | {name: variant})


def test_what_the_project_brings_is_not_yours() -> None:
    """Also where tables VIII-XI are quoted, and stages one of what they would name."""
    for scale in ("paper", "paper-posetrack17", "desk"):
        study = study_of(scale)
        assert not set(yours(study)) & {*TABLES.named, BACKBONE, "hrnet-ms", "vitpose"}
    assert {"hrnet-ms", "vitpose"} <= set(load_study("paper", EXPERIMENTS, "x").variants)


def test_your_own_backbone_is_yours_with_what_stands_on_it() -> None:
    study = study_of("paper")
    before = yours(study)  # of whoever works here
    study = renamed(study, "small", "hrnet", "hrnet_w18")
    study = renamed(study, "on-small", "tips", "hrnet_w18")
    study = renamed(study, "again", "hrnet")  # nothing that the project names stands on it
    assert [row for row in yours(study) if row not in before] == ["small", "on-small", "again"]
