"""Numbers of configurations: finite, bounded, and no truth values."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nested import changed

from tips.config import ConfigError, load_experiment, load_scale, load_study

SCALES = Path(__file__).parents[2] / "experiments" / "scales"


def numbers(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Lists the places of all numbers in nested values."""
    if isinstance(value, dict):
        return [place for key, inner in value.items() for place in numbers(inner, (*at, key))]
    if isinstance(value, list):
        return [place for n, inner in enumerate(value) for place in numbers(inner, (*at, n))]
    return [at] if isinstance(value, int | float) and not isinstance(value, bool) else []


SMOKE = yaml.safe_load((SCALES / "smoke.yaml").read_text())
OF_SCALE = [place for place in numbers(SMOKE) if place[0] not in ("experiment", "models")]
TIPS = yaml.safe_load((SCALES.parent / "tips.yaml").read_text())
NEVER = [float("inf"), float("-inf"), float("nan"), True, False, 10**13, -(10**13), 1e300, "1e999"]


@pytest.mark.parametrize("number", NEVER, ids=str)
def test_no_number_of_a_scale_is_absurd(experiments: Path, number: Any) -> None:
    file = experiments / "scales/smoke.yaml"
    for place in OF_SCALE:
        if place[0] in ("variants", "contract"):
            continue
        file.write_text(yaml.safe_dump(changed(SMOKE, place, number)))
        with pytest.raises(ConfigError) as refused:
            load_scale("smoke", experiments)
        assert place[0] in str(refused.value), place
        assert "\n" not in str(refused.value)


@pytest.mark.parametrize("number", NEVER, ids=str)
def test_no_number_of_an_experiment_is_absurd(experiments: Path, number: Any) -> None:
    file = experiments / "tips.yaml"
    places = numbers(TIPS)
    assert len(places) > 40
    for place in places:
        if place[:2] == ("backbone", "arch"):
            continue  # the network's own, which its backbone judges
        file.write_text(yaml.safe_dump(changed(TIPS, place, number)))
        with pytest.raises(ConfigError) as refused:
            load_experiment(file)
        assert place[0] in str(refused.value), place


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(st.tuples(*[st.integers(-3, 20)] * 4))
def test_splits_share_no_frame(experiments: Path, ends: tuple[int, int, int, int]) -> None:
    train, val = list(ends[:2]), list(ends[2:])
    scale = changed(SMOKE, ("dataset", "split"), {"train": train, "val": val})
    (experiments / "scales/smoke.yaml").write_text(yaml.safe_dump(scale))
    frames = [set(range(first, last + 1)) for first, last in (train, val)]
    sound = min(ends) >= 0 and all(frames) and not frames[0] & frames[1]
    try:
        load_scale("smoke", experiments)
    except ConfigError:
        assert not sound
    else:
        assert sound


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("group_counts", [0, 99, -3]), "group_counts: group_counts must be distinct numbers in 1"),
        (("group_counts", [3, 3]), "group_counts must be distinct"),
        (("seeds.default", 10**9), "seeds.default"),
        (("seeds.more", {"tips": 10**9}), "seeds.more.tips"),
        (("evaluation.resamples", 10**12), "evaluation.resamples"),
        (("group_counts", [3, True]), "group_counts: must be no true here"),
    ],
)
def test_counts_are_sensible(experiments: Path, change: tuple[str, Any], says: str) -> None:
    scale = changed(SMOKE, tuple(change[0].split(".")), change[1])
    (experiments / "scales/smoke.yaml").write_text(yaml.safe_dump(scale))
    with pytest.raises(ConfigError, match=says):
        load_scale("smoke", experiments)


@pytest.mark.parametrize("count", [-1, 0, 1001, 10**6])
def test_the_command_line_s_seeds_are_bounded_as_a_scale_s_are(
    experiments: Path, count: int
) -> None:
    with pytest.raises(ConfigError, match=rf"--seeds: {count} is not in 1\.\.1000; give fewer"):
        load_study("smoke", experiments, seeds=count)
    assert load_study("smoke", experiments, seeds=1000).variants["tips"].seeds == 1000
