"""A miniature of a real set on disk, and where its study writes."""

import json
from pathlib import Path
from typing import Any, NamedTuple

from tips import records
from tips.paths import Paths
from tips.records import Annotations
from tips.stages import prepare, unpack


class Set(NamedTuple):
    scale: str
    root: Path
    paths: Paths

    def make(self) -> None:
        for stage in (unpack, prepare):
            stage.run(self.scale, str(self.root))

    def split(self, name: str) -> Annotations:
        return records.read(Annotations, self.paths.annotations(name))

    @property
    def manifest(self) -> dict[str, Any]:
        return dict(json.loads(self.paths.manifest.read_text()))
