"""The saved views of MLflow's pages, as tags."""

import json

from tips.tracking.views import views

LONGEST = 5000  # characters of an experiment's tag that MLflow takes


def test_every_view_has_a_name_of_its_own_and_fits_into_a_tag() -> None:
    made = views(["II", "M"])
    names = [view.tag[0] for view in made]
    assert len(set(names)) == len(names) == 5
    for view in made:
        assert len(view.tag[1]) <= LONGEST
        assert json.loads(view.tag[1]) == view.state
        assert f"viewStateShareKey={view.name}&" in view.address("7")
        assert view.address("7").startswith("#/experiments/7/runs?")


def test_a_chart_stands_in_a_section_that_there_is() -> None:
    (charts,) = [view for view in views([]) if view.charts]
    sections = {one["uuid"] for one in charts.state["compareRunSections"]}
    cards = charts.state["compareRunCharts"]
    assert {card["metricSectionId"] for card in cards} == sections
    assert len({card["uuid"] for card in cards}) == len(cards)
    assert [card["metricKey"] for card in cards[:3]] == ["gain", "low", "high"]


def test_columns_stand_in_the_order_of_a_reader_s_questions() -> None:
    for view in views(["II"]):
        columns = [name.split("`")[1] for name in view.state["columnOrder"]]
        assert columns[:6] == ["total", "gain", "low", "high", "degraded", "clean"]
        assert set(view.state["columnWidths"]) == set(view.state["selectedColumns"])
