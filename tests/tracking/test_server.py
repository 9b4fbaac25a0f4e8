"""A study goes to a real MLflow server with PostgreSQL behind it, and no run goes twice."""

import os
import pwd
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from toy_runs import TAGS, make_run

from tips.records import RecordError
from tips.stages import track
from tips.tracking.mlflow_sync import Counts, Told, sync_server
from tips.tracking.run_files import read_runs

NAME = "test toy of somebody"


def _programs() -> Path | None:
    """The folder of PostgreSQL's programs, of the newest version."""
    if shutil.which("initdb"):
        return Path(str(shutil.which("initdb"))).parent
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return found[-1].parent if found else None


def _port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a PostgreSQL of its own. It refuses to run as root."""
    programs = _programs()
    if programs is None:
        pytest.skip("no PostgreSQL")
    folder = tmp_path_factory.mktemp("postgresql")
    before: tuple[str, ...] = ()
    if os.geteuid() == 0:
        user = pwd.getpwnam("postgres")
        os.chown(folder, user.pw_uid, user.pw_gid)
        for above in (folder, *folder.parents[:3]):
            above.chmod(above.stat().st_mode | 0o011)
        before = ("runuser", "-u", "postgres", "--")
    data, port = folder / "data", _port()
    run = [*before, str(programs / "initdb"), "-D", str(data), "-A", "trust", "-U", "tips", "-N"]
    subprocess.run(run, check=True, capture_output=True, cwd="/")
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories="
    control = [*before, str(programs / "pg_ctl"), "-D", str(data), "-w"]
    start = [*control, "-l", str(folder / "log"), "-o", options, "start"]
    subprocess.run(start, check=True, capture_output=True, cwd="/")
    yield f"postgresql://tips@127.0.0.1:{port}/postgres"
    subprocess.run([*control, "-m", "immediate", "stop"], check=True, capture_output=True, cwd="/")


@pytest.fixture(scope="module")
def server(database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of MLflow's own server."""
    folder, port = tmp_path_factory.mktemp("server"), _port()
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "mlflow", "server", "--backend-store-uri", database),
                *("--artifacts-destination", str(folder / "files"), "--port", str(port)),
                *("--workers", "1", "--host", "127.0.0.1"),
            ],
            cwd=folder,
            stdout=log,
            stderr=log,
            env=os.environ | {"MLFLOW_DISABLE_TELEMETRY": "true"},
            start_new_session=True,
        )
    address = f"http://127.0.0.1:{port}"
    until = time.monotonic() + 120
    while not _answers(address):
        assert process.poll() is None, (folder / "log").read_text()
        assert time.monotonic() < until, (folder / "log").read_text()
        time.sleep(0.3)
    yield address
    os.killpg(process.pid, 15)
    process.wait()


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/health", timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    root = tmp_path / "results/runs/toy"
    root.mkdir(parents=True)
    make_run(root, "full", 0, 50)
    make_run(root, "full", 1, 54)
    make_run(root, "hrnet", 0, 40)
    return root


@pytest.mark.slow
def test_another_folder_s_runs_are_left_alone(server: str, runs: Path, tmp_path: Path) -> None:
    name, told = "shared by mistake", Told(TAGS)
    database = runs.parents[1] / "mlflow.db"
    assert sync_server(server, name, database, read_runs(runs), told) == Counts(3, 0, 0)
    for other in (tmp_path / "empty", tmp_path / "elsewhere"):
        other.mkdir()
        with pytest.raises(RecordError, match="MLFLOW_EXPERIMENT_NAME"):
            sync_server(server, name, other / "mlflow.db", [], told)
    assert sync_server(server, name, database, read_runs(runs), told) == Counts(0, 3, 0)


@pytest.mark.slow
def test_no_run_goes_twice_to_a_server(server: str, runs: Path) -> None:
    from mlflow.tracking import MlflowClient

    def again(files: dict[str, bytes]) -> Counts:
        told = Told(TAGS, files={"full": files})
        return sync_server(server, NAME, runs.parents[1] / "mlflow.db", read_runs(runs), told)

    assert again({"a/why.txt": b"one", "b.txt": b"two"}) == Counts(3, 0, 0)
    client = MlflowClient(server)
    experiment = client.get_experiment_by_name(NAME)
    assert experiment is not None

    def found() -> list[str]:
        return sorted(run.info.run_id for run in client.search_runs([experiment.experiment_id]))

    first = found()
    assert len(first) == 3 + 2 + 1  # seeds, variants, and the study
    assert again({"a/why.txt": b"one", "b.txt": b"two"}) == Counts(0, 3, 0)
    assert found() == first
    (parent,) = client.search_runs(
        [experiment.experiment_id], "tags.`tips.variant` = 'full' and tags.`tips.kind` = 'variant'"
    )
    assert again({"a/why.txt": b"changed"}) == Counts(0, 3, 0)
    files = [one.path for one in client.list_artifacts(parent.info.run_id)]
    assert files == ["a"]
    local = client.download_artifacts(parent.info.run_id, "a/why.txt", str(runs))
    assert Path(local).read_bytes() == b"changed"
    (seed,) = client.search_runs(
        [experiment.experiment_id], "tags.`tips.variant` = 'hrnet' and tags.`tips.seed` = '0'"
    )
    assert "provenance.json" in [one.path for one in client.list_artifacts(seed.info.run_id)]
    shutil.rmtree(runs / "hrnet")
    assert again({"a/why.txt": b"changed"}) == Counts(0, 2, 1)


def test_a_server_that_does_not_answer_is_one_line(
    runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    address = f"http://127.0.0.1:{_port()}"
    with pytest.raises(RecordError, match=f"^MLFLOW_TRACKING_URI {address}: ") as refused:
        sync_server(address, NAME, runs.parents[1] / "mlflow.db", read_runs(runs), Told(TAGS))
    assert "\n" not in str(refused.value)
    assert str(refused.value).endswith("start the server, or unset the variable")


@pytest.mark.parametrize(
    ("address", "taken", "warned"),
    [
        ("", "", False),
        ("https://somewhere", "https://somewhere", False),
        ("localhost:5000", "", True),
        ("sqlite:///runs.db", "", True),
    ],
)
def test_what_is_no_server_is_told(
    address: str,
    taken: str,
    warned: bool,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    assert track._server() == taken
    assert (f"nothing is sent to '{address}'" in caplog.text) == warned
