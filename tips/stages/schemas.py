"""Writes the JSON Schemas by which editors check and complete the files of experiments/."""

from pathlib import Path
from typing import Any, Final

from tips import records
from tips.config.schemas import experiment_schema, file_schema, scale_schema
from tips.tables.published import Tables

FOLDER: Final = Path("experiments/schemas")


def run() -> None:
    """Writes experiments/schemas/*.json, the JSON Schemas of experiments, scales and tables.yaml.

    They are made from the settings, so run this after a change of these; a test compares. Editors
    check and complete a file whose first line names its schema, as `tips new` writes it.
    """
    for name, schema in made().items():
        records.write_json(schema, FOLDER / f"{name}.json")


def made() -> dict[str, Any]:
    """Makes all schemas, by the names of their files."""
    return {
        "experiment": experiment_schema(),
        "scale": scale_schema(),
        "tables": file_schema(Tables, "The published tables, and what fills their rows"),
    }
