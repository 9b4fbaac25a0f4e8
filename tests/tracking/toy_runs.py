"""Run folders of a made-up study, and what the database says of them."""

import json
import sqlite3
from pathlib import Path

STEPS = 7
TAGS = {"full": {"table.II": "e", "table.VI": "5"}}


def make_run(root: Path, variant: str, seed: int, total: float = 50.0) -> Path:
    folder = root / variant / f"seed-{seed}"
    folder.mkdir(parents=True)
    metrics = {"total": total, "columns": {"Head": 61.5, "Wrist": None}, "seed": seed}
    metrics["subsets"] = {"clean": 60.0, "hidden": 10.0}
    (folder / "metrics.json").write_text(json.dumps(metrics))
    provenance = {
        "meaning": {"model": variant, "window": [-1, 0, 1], "losses": {"heatmap": 1.0}},
        "commit": "abc",
        "dirty": False,
        "machine": "a machine",
        "dataset": "toy",
        "data_digest": "0123456789abcdef",
        "seconds": 12.5,
    }
    (folder / "provenance.json").write_text(json.dumps(provenance))
    lines = [
        {"step": s, "epoch": 0, "rate": 1e-3, "terms": {"heatmap": 9.0 - s}, "total": 9.0 - s}
        for s in range(STEPS)
    ]
    (folder / "train.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (folder / "checkpoint.pt").write_bytes(b"0" * 1_000_001)
    return folder


def rows(database: Path, query: str) -> list[tuple]:
    connection = sqlite3.connect(database)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


OF_VARIANT = "lifecycle_stage = 'active' AND name != 'study'"
ACTIVE = "SELECT count(*) FROM runs WHERE lifecycle_stage = 'active'"
POINTS = """SELECT count(*) FROM metrics m JOIN runs r ON m.run_uuid = r.run_uuid
            WHERE r.lifecycle_stage = 'active' AND m.key = 'train/heatmap'"""
