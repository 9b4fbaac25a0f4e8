"""MLflow's own pages of a made-up study in a real browser: the saved views show what they say."""

import json
import re
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from html import unescape
from pathlib import Path

import pytest
from check_skips import browser

from tips.stages.ui import command
from tips.tracking.mlflow_sync import Told, links, sync
from tips.tracking.run_files import read_runs

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(browser() is None, reason="no chromium"),
    pytest.mark.filterwarnings("default::DeprecationWarning"),
    pytest.mark.filterwarnings("default::FutureWarning"),
]
NAME = "test toy"
PATIENCE = 240  # s; the server starts in some 20 s on an idle machine
HOSTILE = "<img src=x onerror=\"document.title='it ran'\">"
GAINS = {"full": 2.25, "window-3": 1.75, "hrnet": None}


def make(folder: Path) -> Path:
    """Makes a database of three variants, one of which differs in a hostile setting."""
    for variant, gain in GAINS.items():
        run = folder / "runs" / variant / "seed-0"
        run.mkdir(parents=True)
        metrics = {"total": 40 + (gain or 0), "subsets": {"clean": 61.0, "degraded": 31.0}}
        (run / "metrics.json").write_text(json.dumps(metrics))
        record = {
            "meaning": {"model": "tips", "interim": HOSTILE if gain is None else variant},
            **{"commit": "c0ffee" + "0" * 34, "dirty": True, "seconds": 90, "scale": "toy"},
            **{"dataset": "embedded", "data_digest": "0123456789abcdef"},
        }
        (run / "provenance.json").write_text(json.dumps(record))
    told = Told(
        tags={
            "full": {"tables": "II, VI", "table.II": "e", "verdict": "above"},
            "window-3": {"tables": "VI", "table.VI": "3", "verdict": "above", "tips.differs": "w"},
            "hrnet": {"tables": "II", "table.II": "HRNet", "tips.differs": HOSTILE},
        },
        gains={
            name: {"gain": gain, "low": gain - 0.5, "high": gain + 0.5}
            for name, gain in GAINS.items()
            if gain is not None
        },
        command=f"tips stage track --scale toy {HOSTILE}",
    )
    sync(folder / "mlflow.db", NAME, read_runs(folder / "runs"), told)
    return folder / "mlflow.db"


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory, blank: Path) -> Path:
    folder = tmp_path_factory.mktemp("pages")
    (folder / "mlflow.db").write_bytes(blank.read_bytes())
    return make(folder)


@pytest.fixture(scope="module")
def address(database: Path) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = command(database, port)
    assert words[0] == sys.executable
    server = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        end = time.monotonic() + PATIENCE
        while not answers(f"http://127.0.0.1:{port}/health"):
            assert server.poll() is None
            assert time.monotonic() < end
            time.sleep(0.5)
        yield f"http://127.0.0.1:{port}/"
    finally:
        server.terminate()
        server.wait()


def answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=5):
            return True
    except OSError:
        return False


@pytest.fixture
def shown(address: str, tmp_path: Path) -> Callable[[str], str]:
    def visit(page: str) -> str:
        words = [
            *(str(browser()), "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"),
            *("--no-first-run", "--disable-background-networking", "--disable-component-update"),
            *("--window-size=2200,1200", "--virtual-time-budget=40000"),
            *(f"--user-data-dir={tmp_path / 'browser'}", address + page),
        ]
        done = subprocess.run(words, capture_output=True, text=True, timeout=PATIENCE, check=True)
        return done.stdout

    return visit


def titles(dom: str) -> list[str]:
    return re.findall(r"<title>(.*?)</title>", dom)


def order(dom: str, *words: str) -> list[int]:
    """Places of texts between tags on a page; -1 for one that is not there."""
    return [dom.find(f">{word}<") for word in words]


def view(database: Path, label: str) -> str:
    return dict((label, page) for label, page in links(database, NAME))[label]


def test_a_view_shows_the_variants_by_gain_with_their_columns(
    database: Path, shown: Callable[[str], str]
) -> None:
    dom = shown(view(database, "all variants, the best gain first"))
    places = order(dom, "full", "window-3", "hrnet")
    assert -1 < places[0] < places[1] < places[2]
    assert min(order(dom, "gain", "low", "high", "degraded", "clean", "verdict", "above")) > -1
    assert min(order(dom, "2.25", "1.75", "2.75", "42.25")) > -1
    assert ">full seed 0<" not in dom
    assert "You&#39;re viewing a shared view" in dom or "viewing a shared view" in dom
    assert "Evaluation runs" not in dom  # of language models
    assert titles(dom) != ["it ran"]
    assert HOSTILE in unescape(dom)
    assert HOSTILE not in dom


def test_a_table_s_view_shows_its_rows_alone(database: Path, shown: Callable[[str], str]) -> None:
    dom = shown(view(database, "Table II"))
    assert min(order(dom, "full", "hrnet", "table.II", "e", "HRNet")) > -1
    assert order(dom, "window-3") == [-1]


def test_variants_are_grouped_by_table(database: Path, shown: Callable[[str], str]) -> None:
    dom = shown(view(database, "all variants, grouped by table"))
    assert all(f"Group: {tables}" in re.sub(r"<[^>]*>", "", dom) for tables in ("II, VI", "VI"))


def test_charts_draw_the_gains(database: Path, shown: Callable[[str], str]) -> None:
    dom = shown(view(database, "gains of all networks, as charts"))
    assert "Gain and its interval" in dom
    assert min(order(dom, "full", "window-3", "gain", "low", "high")) > -1


def test_a_run_shows_its_time_source_and_data(database: Path, shown: Callable[[str], str]) -> None:
    connection = sqlite3.connect(database)
    query = "SELECT run_uuid FROM runs WHERE name = 'full seed 0' AND lifecycle_stage = 'active'"
    ((run,),) = connection.execute(query)
    connection.close()
    text = re.sub(r"<[^>]*>", " ", shown(f"#/experiments/1/runs/{run}"))
    assert "1.5min" in text
    assert "tips stage train --scale toy --variant full --seed 0" in text
    assert "c0ffee0" in text
    assert "embedded (0123456789ab)" in " ".join(text.split())
