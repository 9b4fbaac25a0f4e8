import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / ".ci/check_skips.py"
CASE = '<testsuite><testcase classname="a" name="b">{}</testcase></testsuite>'


@pytest.mark.parametrize(
    ("reason", "shared", "code"),
    [
        (None, True, 0),
        ("no CUDA", True, 0),
        ("no nvcc", True, 0),
        ("no slurmd", False, 0),
        ("no shared material", False, 0),
        ("no shared material", True, 1),
        ("too slow today", False, 1),
    ],
)
def test_skips_need_an_excuse(
    reason: str | None, shared: bool, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = tmp_path / "junit.xml"
    skip = f'<skipped type="pytest.skip" message="{reason}"/>' if reason else ""
    report.write_text(CASE.format(skip))
    if shared:
        (tmp_path / "shared").mkdir()
    monkeypatch.setenv("TIPS_SHARED", str(tmp_path / "shared"))
    done = subprocess.run(
        [sys.executable, SCRIPT, report], capture_output=True, text=True, check=False
    )
    assert done.returncode == code
    assert ("a.b: " in done.stderr) == bool(code)


@pytest.mark.parametrize("installed", [False, True])
def test_no_chromium_is_an_excuse_where_there_is_none(installed: bool, tmp_path: Path) -> None:
    report = tmp_path / "junit.xml"
    report.write_text(CASE.format('<skipped type="pytest.skip" message="no chromium"/>'))
    if installed:
        (tmp_path / "chromium").touch(mode=0o755)
    done = subprocess.run(
        [sys.executable, SCRIPT, report],
        env=os.environ | {"PATH": str(tmp_path)},
        capture_output=True,
        check=False,
    )
    assert done.returncode == installed
