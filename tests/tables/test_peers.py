from pathlib import Path

import numpy as np
import pytest
import typed

from tips import records, skeleton
from tips.config import Study, load_study
from tips.evaluation.average_precision import average_precision
from tips.evaluation.matching import match
from tips.evaluation.people import from_records
from tips.paths import Paths, study_paths
from tips.peers.known import JOINTS, PEERS
from tips.records import Annotations, FramePoses, Pose, Predictions, SequencePredictions
from tips.tables import peers
from tips.tables.published import load_tables
from tips.tables.sheet import Section

EXPERIMENTS = Path(__file__).parents[2] / "experiments"
COMMON = np.array([name in JOINTS for name in skeleton.JOINTS])
FRAMES, PEOPLE = 4, 2
PEER = "movenet-thunder"
EVERY = np.full(15, fill_value=True)


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Study, Paths]:
    """Annotations of two clips and predictions of hrnet and tips, below the working folder."""
    monkeypatch.chdir(tmp_path)
    study = load_study("smoke", EXPERIMENTS)
    paths = study_paths(study.scale)
    records.write(truth(), paths.annotations("val"))
    for name, noise in (("hrnet", 9.0), ("tips", 5.0)):
        records.write(found(noise, name), paths.predictions(name, "0", "gt"))
    return study, paths


def places(clip: int) -> np.ndarray:
    return np.random.default_rng(clip).uniform(20, 200, (FRAMES, PEOPLE, 15, 2)).round(3)


def truth(kept: np.ndarray = EVERY) -> Annotations:
    """Head size 12 px."""
    sequences = tuple(
        records.Sequence(
            name=f"clip{clip}",
            width=220,
            height=220,
            motion="walk",
            frames=tuple(
                records.Frame(
                    file=f"{k}.jpg",
                    id=k,
                    labelled=True,
                    people=tuple(
                        records.Person(
                            track=track,
                            box=(0, 0, 200, 200),
                            head=(0, 0, 12, 16),
                            joints=chosen(joints, kept),
                        )
                        for track, joints in enumerate(people)
                    ),
                )
                for k, people in enumerate(places(clip))
            ),
        )
        for clip in range(2)
    )
    return Annotations(dataset="embedded", split="val", root=".", sequences=sequences)


def chosen(joints: np.ndarray, kept: np.ndarray) -> tuple[tuple[float, float] | None, ...]:
    return tuple(tuple(p) if keep else None for p, keep in zip(joints.tolist(), kept, strict=True))


def found(noise: float, variant: str, kept: np.ndarray = EVERY) -> Predictions:
    generator = np.random.default_rng(7)
    sequences = []
    for clip in range(2):
        frames = []
        for k, people in enumerate(places(clip)):
            moved = people + generator.normal(0, noise, people.shape)
            scores = generator.uniform(0.1, 1, (PEOPLE, 15))
            frames.append(
                FramePoses(
                    frame=k,
                    poses=tuple(
                        Pose(
                            track=track,
                            score=1.0,
                            joints=chosen(joints, kept),
                            scores=tuple(row.tolist()),
                        )
                        for track, (joints, row) in enumerate(zip(moved, scores, strict=True))
                    ),
                )
            )
        sequences.append(SequencePredictions(name=f"clip{clip}", frames=tuple(frames)))
    return Predictions(variant=variant, seed=0, boxes="gt", sequences=tuple(sequences))


def made(study: Study, paths: Paths) -> dict[str, dict[str, str]]:
    controls = load_tables(EXPERIMENTS / "tables.yaml").table("C")
    rows = peers.fill(study, paths, controls, None)
    peers.PEER_ROWS.save(paths, rows)
    return {row.row: row.cells() for row in rows}


def shown(study: Study) -> Section:
    return peers.PEER_ROWS.section(typed.page(study))


def test_our_rows_count_as_if_nobody_had_the_other_joints(study: tuple[Study, Paths]) -> None:
    ours = peers.common_ap(truth(), found(6.0, "hrnet"), study[0])
    clips = from_records(truth(COMMON), found(6.0, "hrnet", COMMON))
    wanted = average_precision(match(clips)).ap
    np.testing.assert_array_equal(ours[COMMON], wanted[COMMON])
    assert np.isnan(ours[~COMMON]).all()
    assert 5 < np.nanmean(ours) < 95


def test_an_absent_joint_costs_a_peer_nothing(study: tuple[Study, Paths]) -> None:
    both = [peers.common_ap(truth(), found(6.0, PEER, kept), study[0]) for kept in (COMMON, EVERY)]
    np.testing.assert_array_equal(*both)


def test_peers_and_ours_stand_in_one_table(study: tuple[Study, Paths]) -> None:
    records.write(found(3.0, PEER, COMMON), study[1].predictions(PEER, "0", "gt"))
    rows = made(*study)
    assert list(rows)[: len(PEERS)] == [peer.label for peer in PEERS.values()]
    means = [rows[name]["mean"] for name in ("MoveNet Thunder", "full model")]
    assert float(means[0]) > float(means[1]) > float(rows["single-frame backbone"]["mean"])
    assert rows["BlazePose full"]["status"] == "missing"
    ap = peers.common_ap(truth(), found(5.0, "tips"), study[0])
    knees = [skeleton.INDEX[f"{side}_knee"] for side in ("left", "right")]
    assert rows["full model"]["Knee"] == f"{ap[knees].mean():.2f}"
    assert rows["full model"]["Head"] == f"{ap[skeleton.INDEX['nose']]:.2f}"
    assert rows["full model"]["mean"] == f"{np.nanmean(ap):.2f}"


def test_seeds_are_averaged_and_a_missing_one_is_partial(study: tuple[Study, Paths]) -> None:
    opened, paths = study
    three = {**opened.variants, "tips": opened.variants["tips"]._replace(seeds=3)}
    records.write(found(8.0, "tips"), paths.predictions("tips", "2", "gt"))
    row = made(opened._replace(variants=three), paths)["full model"]
    each = [
        float(np.nanmean(peers.common_ap(truth(), found(noise, "tips"), opened)))
        for noise in (5.0, 8.0)
    ]
    assert row["mean"] == f"{np.mean(each):.2f}"
    assert row["sd"] == f"{np.std(each, ddof=1):.2f}"
    assert (row["n_seeds"], row["status"]) == ("2", "partial")


def test_the_section_says_how_to_get_what_is_not_there(study: tuple[Study, Paths]) -> None:
    section = shown(study[0])
    assert section.title == "Peers from outside"
    assert "`make peers`" in section.body
    assert section.body.count("\n") == 1


def test_the_section_names_them_as_trained_on_other_data(study: tuple[Study, Paths]) -> None:
    records.write(found(3.0, PEER, COMMON), study[1].predictions(PEER, "0", "gt"))
    rows = made(*study)
    body = shown(study[0]).body
    assert "trained by others, on other data" in body
    assert "the 13 joints" in body
    peer = rows["MoveNet Thunder"]
    line = next(line for line in body.splitlines() if line.startswith("| MoveNet Thunder"))
    assert PEERS[PEER].trained_on in line
    assert line.endswith(f"| {peer['mean']} (1) |")
    assert "| BlazePose full |" in body
    assert "| trained on | nose | shoulder |" in body
