"""Where the files of MLflow's runs go: into a folder beside the database, or to a server."""

import hashlib
import logging
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from tips.tracking import copies

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

log = logging.getLogger(__name__)
HELD: Final = "tips.files"  # tag of a run on a server: the digest of its files


class Artifacts(Protocol):
    """The files of runs, which MLflow's pages show."""

    def mark(self, run: str) -> None:
        """Notes that a run is ours."""

    def copy(self, run: str, folder: Path, paths: Sequence[Path]) -> None:
        """Copies files of a run's folder."""

    def complete(self, run: str, folder: Path, paths: Sequence[Path]) -> bool:
        """Tells whether a run has all of these files."""

    def refresh(self, run: str, contents: Mapping[str, bytes]) -> None:
        """Makes the files of a run these."""

    def remove(self, run: str) -> None:
        """Removes the files of a run that was removed."""

    def sweep(self, living: Collection[str]) -> None:
        """Removes the files of our runs that are no more."""


class Beside(NamedTuple):
    """A folder beside the database, from which MLflow's own server takes them."""

    folder: Path

    def mark(self, run: str) -> None:
        """Makes the folder of a run of ours."""
        copies.mark(self.folder, run)

    def copy(self, run: str, folder: Path, paths: Sequence[Path]) -> None:
        """Copies files of a run's folder."""
        copies.copy(self.folder, run, folder, paths)

    def complete(self, run: str, folder: Path, paths: Sequence[Path]) -> bool:
        """Tells whether a run has all of these files."""
        return copies.complete(self.folder, run, folder, paths)

    def refresh(self, run: str, contents: Mapping[str, bytes]) -> None:
        """Makes the files of a run these."""
        copies.refresh(self.folder, run, contents)

    def remove(self, run: str) -> None:
        """Removes the files of a run that was removed."""
        copies.remove(self.folder, run)

    def sweep(self, living: Collection[str]) -> None:
        """Removes our folders of runs that the database does not have."""
        copies.sweep(self.folder, living)


class Uploaded(NamedTuple):
    """A server that keeps them where it was told to; it removes those of deleted runs by itself."""

    client: "MlflowClient"

    def mark(self, run: str) -> None:
        """Needs nothing: the run's own tags say whose it is."""

    def copy(self, run: str, folder: Path, paths: Sequence[Path]) -> None:
        """Sends files of a run's folder."""
        for path in paths:
            above = path.relative_to(folder).parent.as_posix()
            self.client.log_artifact(run, str(path), None if above == "." else above)

    def complete(self, run: str, folder: Path, paths: Sequence[Path]) -> bool:
        """Tells whether a run has all of these files."""
        names = {path.relative_to(folder).as_posix() for path in paths}
        return names <= set(self._names(run))

    def refresh(self, run: str, contents: Mapping[str, bytes]) -> None:
        """Makes the files of a run these; a tag tells whether they are so already."""
        digest = hashlib.sha256()
        for name, content in sorted(contents.items()):
            digest.update(f"{name}\0{len(content)}\0".encode() + content)
        if self.client.get_run(run).data.tags.get(HELD) == digest.hexdigest():
            return
        with tempfile.TemporaryDirectory() as folder:
            for name, content in contents.items():
                path = Path(folder, name)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
            if contents:
                self.client.log_artifacts(run, folder)
        for name in set(self._names(run)) - contents.keys():
            self._repository(run).delete_artifacts(name)
        self.client.set_tag(run, HELD, digest.hexdigest())

    def remove(self, run: str) -> None:
        """Leaves it to the server."""

    def sweep(self, living: Collection[str]) -> None:
        """Leaves it to the server."""

    def _names(self, run: str, below: str | None = None) -> Iterator[str]:
        for one in self.client.list_artifacts(run, below):
            if one.is_dir:
                yield from self._names(run, one.path)
            else:
                yield one.path

    def _repository(self, run: str) -> Any:
        from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

        address = self.client.get_run(run).info.artifact_uri
        return get_artifact_repository(address, tracking_uri=self.client.tracking_uri)
