import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

from tips.afterwards import complaints, stop_timers

# As Snakemake does, it waits for its job after a SIGTERM, and takes no other.
WORKFLOW = """
import signal, subprocess
from tips.afterwards import end_jobs_at_sigterm
signal.signal(signal.SIGTERM, lambda *_: print("no more jobs", flush=True))
end_jobs_at_sigterm()
job = subprocess.Popen(["sh", "-c", "sleep 600 & echo started; wait"])
print("ended", job.wait())
"""


def test_the_last_error_of_every_new_log_is_told(tmp_path: Path) -> None:
    logs = {
        "train-tips-0": "step 1\nerror: first\nerror: loss is not finite\n",
        "predict-a-0": "all is well\n",
        "render-val-1": "bash: line 1: 4711 Killed  python -m tips\n",
        "old": "error: of an earlier call\n",
        "bytes": "\udcff error: not at the start\n",
    }
    for name, text in logs.items():
        (tmp_path / f"{name}.log").write_bytes(text.encode(errors="surrogateescape"))
    os.utime(tmp_path / "old.log", (50, 50))
    assert list(complaints(tmp_path, since=100)) == [
        "error: killed, by hand or for want of memory (rule render-val-1)",
        "error: loss is not finite (rule train-tips-0)",
    ]
    assert list(complaints(tmp_path / "absent", since=0)) == []


def test_timers_end_and_other_threads_go_on() -> None:
    timer = threading.Timer(60, print)
    timer.start()
    stop_timers()
    timer.join(timeout=5)
    assert not timer.is_alive()


def test_kill_ends_the_jobs_too() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", WORKFLOW],
        cwd=Path(__file__).parents[1],
        stdout=subprocess.PIPE,
        text=True,
    ) as workflow:
        assert workflow.stdout is not None
        assert workflow.stdout.readline() == "started\n"
        workflow.send_signal(signal.SIGTERM)
        rest, _ = workflow.communicate(timeout=60)
    assert rest.split("\n")[:2] == ["no more jobs", f"ended {-signal.SIGTERM}"]
