from pathlib import Path

import pytest
from studies import study_of

from tips import records
from tips.config import BACKBONE, ConfigError, Study
from tips.freshness import training_digest
from tips.paths import study_paths
from tips.planning import hours
from tips.planning.hours import StepTime, Windows
from tips.tables.published import load_tables
from tips.tables.yours import your_variants

EXPERIMENTS = Path(__file__).parents[2] / "experiments"


def study(scale: str = "paper-posetrack17", seeds: int | None = None) -> Study:
    """The project's own variants that are trained, without those of whoever works here."""
    found = study_of(scale, seeds)
    tables = load_tables(EXPERIMENTS / "tables.yaml", found.scale.dataset.release)
    yours = {row.row for row in your_variants(tables, found).rows}
    kept = {
        name: one
        for name, one in found.variants.items()
        if name not in yours and one.experiment.learns
    }
    return found._replace(variants=kept)


def needs(opened: Study, seconds: float = 36.0) -> dict[str, hours.Needs]:
    tables = load_tables(EXPERIMENTS / "tables.yaml", opened.scale.dataset.release)
    trainings = hours.trainings(
        opened, Windows(100, "a test"), lambda name: StepTime(seconds, "a test")
    )
    return {row.name: row for row in hours.tables_needs(opened, tables, trainings)}


def test_shared_trainings_are_in_every_table_and_once_in_the_sums() -> None:
    opened = study()
    found = needs(opened)
    tables = ("II", "III", "IV", "V", "VI", "VII", "VIII", "C", "length", "M", "interim")
    assert list(found) == [*tables, "paper", "all"]
    names = {name: [t.variant for t in row.trainings] for name, row in found.items()}
    full_size = ["hrnet-ms", "vitpose", "tips-without-vfit", "tips-ms", "tips-vit"]
    baselines = {v.name for v in opened.variants.values() if v.kind == "baselines"}
    rivals = baselines - {BACKBONE, "hrnet-ms"}
    assert set(names["VIII"]) - rivals == {BACKBONE, "tips", *full_size}
    assert names["V"][:2] == [BACKBONE, "groups-1"]  # stage one, though no row of the table
    assert "mean-pose" not in names["C"]
    assert len(names["paper"]) == len(set(names["paper"]))
    assert len(set(names["paper"]) - {*full_size, *rivals}) == 26
    assert sorted(names["all"]) == sorted(opened.variants)
    # 100 windows in whole batches of 8, 36 s each, is 0.12 h an epoch: 25 of tips, 10 of hrnet.
    hours = {v.name: 0.12 * v.experiment.training.epochs for v in opened.variants.values()}
    assert (hours["tips"], hours["hrnet"]) == pytest.approx((3.0, 1.2))
    for name, row in found.items():
        assert row.hours == pytest.approx(sum(hours[variant] for variant in names[name]))
        assert row.runs == len(names[name])


def test_a_variant_of_one_s_own_has_a_row() -> None:
    opened = study()
    mine = opened.variant("tips")._replace(name="mine")
    found = needs(opened._replace(variants=opened.variants | {"mine": mine}))
    assert [t.variant for t in found["variants"].trainings] == [BACKBONE, "mine"]


def test_backbones_are_counted_as_they_are_trained() -> None:
    def seeds(opened: Study) -> dict[str, int]:
        return {t.variant: t.seeds for t in needs(opened)["all"].trainings}

    assert seeds(study(seeds=3)) == dict.fromkeys(study().variants, 3)
    own = study()
    more = own.variants | {"tips": own.variant("tips")._replace(seeds=2)}
    found = seeds(own._replace(variants=more))
    assert (found["tips"], found[BACKBONE], found["concat"]) == (2, 2, 1)
    desk = study("desk")  # one backbone for all
    assert desk.variant("tips").seeds > 1
    assert seeds(desk)[BACKBONE] == 1


def test_fixed_numbers_of_windows_need_no_dataset() -> None:
    desk = study("desk")
    settings = desk.variant("tips").experiment.training
    assert settings.windows_per_epoch is not None
    wanted = settings.epochs * (settings.windows_per_epoch // settings.batch)
    assert hours.steps(desk.variant("tips").experiment, desk, None) == wanted
    assert hours.depends_on_windows(desk)  # its backbone sees every window
    alone = desk._replace(variants={"tips": desk.variant("tips")})
    assert not hours.depends_on_windows(alone)
    assert [t.steps for t in hours.trainings(alone, None, lambda _: StepTime(1, "")).values()] == [
        wanted
    ]


def test_published_counts_say_what_they_are() -> None:
    found = hours.published_windows(study("paper-posetrack18"))
    assert found.number == 153615 * 593 // (593 + 170)
    assert "153,615 people of all splits (paper V-A, with test) x 593 of 763" in found.source
    assert hours.published_windows(study("paper-posetrack17")).number == 16219 * 250 // 300
    found = hours.published_windows(study("paper-jhmdb-1"))
    assert found.number == 11200
    assert found.source.endswith("more than the train split has")


@pytest.mark.parametrize(
    ("scale", "says"), [("paper-posetrack21", "PoseTrack21 is not"), ("paper", "this dataset is")]
)
def test_nobody_s_count_is_a_line(scale: str, says: str) -> None:
    with pytest.raises(ConfigError, match=rf"windows is unknown: {says} .*--windows N"):
        hours.published_windows(study(scale))


def test_times_by_hand() -> None:
    assert hours.parse_times("") == {}
    assert hours.parse_times("1.5") == {"": 1.5}
    assert hours.parse_times("hrnet=0.4, 1.2 ,tips=2") == {"hrnet": 0.4, "": 1.2, "tips": 2.0}
    for bad in ("x", "tips=", "tips=-1", "0", "nan", "inf", "1,tips=y"):
        with pytest.raises(ConfigError, match="must be a positive number, or VARIANT=number"):
            hours.parse_times(bad)


def test_which_time_holds() -> None:
    opened = study()
    measured = {"hrnet": StepTime(1.0, "run"), "tips": StepTime(4.0, "run")}

    def find(name: str, given: dict[str, float], known: dict[str, StepTime] = measured) -> float:
        return hours.step_times(opened, given, known)(name).seconds

    assert find("concat", {}) == 4.0  # as the full model
    assert find("hrnet", {}) == 1.0
    assert find("hrnet", {"": 7.0}) == 7.0
    assert find("hrnet", {"": 7.0, "hrnet": 2.0}) == 2.0
    assert find("concat", {"tips": 3.0}, {}) == 3.0
    for known in ({}, {"hrnet": StepTime(1.0, "run")}):
        with pytest.raises(ConfigError, match="nothing says how long a training step takes"):
            find("tips", {}, known)
    with pytest.raises(ConfigError, match="unknown variant 'tpis'; did you mean 'tips'"):
        hours.step_times(opened, {"tpis": 1.0}, {})


def test_finished_runs_of_this_configuration_are_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = study()
    paths = study_paths(opened.scale)
    monkeypatch.chdir(tmp_path)
    for name, changes in (("tips", {}), ("hrnet", {"config_digest": "of other sizes"})):
        record = {
            "config_digest": training_digest(opened.variant(name).experiment, opened.scale),
            "device": "cuda",
            "steps": 200,
            "seconds": 50.0,
        }
        records.write_json(record | changes, paths.run(name, "0") / "provenance.json")
    assert hours.measured_times(opened, paths) == {"tips": StepTime(0.25, "tips seed 0, cuda")}
