import subprocess
import sys
from pathlib import Path

import check_skips
import pytest

SCRIPT = Path(__file__).parents[1] / ".ci/check_skips.py"
CASE = '<testsuite><testcase classname="a" name="b">{}</testcase></testsuite>'


@pytest.mark.parametrize(
    ("reason", "shared", "code"),
    [
        (None, True, 0),
        ("no CUDA", True, 0),
        ("no nvcc", True, 0),
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
@pytest.mark.parametrize(
    ("program", "reason"),
    [("chromium", "no chromium"), ("initdb", "no PostgreSQL"), ("slurmd", "no slurmd")],
)
def test_what_is_not_installed_is_an_excuse(
    program: str, reason: str, installed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = tmp_path / "junit.xml"
    report.write_text(CASE.format(f'<skipped type="pytest.skip" message="{reason}"/>'))
    if installed:
        (tmp_path / program).touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(check_skips, "POSTGRESQL", tmp_path)
    monkeypatch.setattr("os.geteuid", lambda: 0)
    assert bool(check_skips.unexcused(report)) == installed
