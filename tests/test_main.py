import errno
import os
import re
import subprocess
import sys
import time
import types
from pathlib import Path

import pytest

from tips import __main__ as main
from tips import messages
from tips.config import ConfigError

ROOT = Path(__file__).parents[1]


def tips(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tips", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_help_fits_a_screen_and_is_quick() -> None:
    begin = time.monotonic()
    shown = tips("--help")
    assert time.monotonic() - begin < 3  # 0.3 s alone
    assert shown.returncode == 0
    assert "make reproduce" in shown.stdout
    assert "doctor" in shown.stdout
    assert len(shown.stdout.splitlines()) <= 46


def test_help_imports_no_torch() -> None:
    code = "import sys, tips.__main__; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_stages_are_listed() -> None:
    shown = tips("stage", "--help")
    assert shown.returncode == 0
    for file in (ROOT / "tips/stages").glob("[!_]*.py"):
        assert re.search(rf"^{file.stem} ", shown.stdout, re.MULTILINE)


def test_every_parameter_is_an_option() -> None:
    shown = tips("stage", "group", "--help")
    assert shown.returncode == 0
    assert "--count" in shown.stdout
    assert "number of groups" in shown.stdout


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("stage", "predikt"), "error: unknown stage 'predikt'; did you mean 'predict'?"),
        (("stage", "group", "--count", "5", "--scale", "dsk"), "did you mean 'desk'"),
        (("stage", "group", "--cuont", "5"), "error: no such option: --cuont"),
        (("doktor",), "error: no such command 'doktor'"),
        (("cost", "--json", "."), "is a directory"),
        (("predict", "x.mp4", "--checkpoint", "run", "--out", "README.md"), "is a file"),
    ],
)
def test_mistakes_end_with_code_2(words: tuple[str, ...], says: str) -> None:
    shown = tips(*words)
    assert shown.returncode == 2
    assert says in shown.stderr
    assert len(shown.stderr.splitlines()) == 1
    assert "Traceback" not in shown.stderr


def fake_stage(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def run(count: int = 0) -> None:
        raise error

    module = types.ModuleType("tips.stages.group")
    module.run = run  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "tips.stages.group", module)
    monkeypatch.setattr(sys, "argv", ["tips", "stage", "group"])
    monkeypatch.delenv("TIPS_TRACEBACK", raising=False)
    monkeypatch.setattr(messages, "PACKAGE", Path(__file__).parent)


@pytest.mark.parametrize(
    ("error", "code", "says"),
    [
        (ConfigError("window must\ncontain 0"), 2, "error: window must contain 0\n"),
        (OSError(errno.ENOSPC, "No space left", "x.npy"), 2, "error: disk full (x.npy): free some"),
        (OSError(errno.EFBIG, "File too large", "x.pt"), 2, "error: disk full (x.pt): free some"),
        (
            PermissionError(errno.EACCES, "Permission denied", "x.json"),
            2,
            "error: permission denied (x.json): make it accessible and run the same command again",
        ),
        (OSError(errno.EROFS, "Read-only", "x"), 2, "error: read-only file system (x): make it"),
        (NotADirectoryError(errno.ENOTDIR, "x", "a/b"), 2, "error: not a directory (a/b): make it"),
        (OSError(errno.ELOOP, "x", "a"), 2, "error: too many levels of symbolic links (a): make"),
        (OSError("the image cannot be encoded"), 2, "error: the image cannot be encoded\n"),
        (RecursionError(), 2, "error: a file is nested too deeply to be read"),
        (MemoryError(), 2, "error: out of memory: give smaller sizes or batches\n"),
        (RuntimeError("[enforce] DefaultCPUAllocator: can't allocate"), 2, "error: out of memory:"),
        (ConfigError("title \x1b[31mred\x07"), 2, "error: title \\x1b[31mred\\x07\n"),
        (KeyboardInterrupt(), 130, ""),
    ],
)
def test_errors_are_one_line(
    error: BaseException,
    code: int,
    says: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    fake_stage(monkeypatch, error)
    with pytest.raises(SystemExit) as stop:
        main.app()
    assert stop.value.code == code
    assert says in capsys.readouterr().err


def test_bugs_and_tracebacks_are_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_stage(monkeypatch, ConfigError("a user's mistake"))
    monkeypatch.setenv("TIPS_TRACEBACK", "1")
    with pytest.raises(ConfigError):
        main.app()
    monkeypatch.delenv("TIPS_TRACEBACK")
    monkeypatch.setattr(messages, "PACKAGE", ROOT / "elsewhere")  # now the test is a library
    with pytest.raises(ConfigError):
        main.app()
    fake_stage(monkeypatch, RuntimeError("shapes differ"))
    with pytest.raises(RuntimeError):
        main.app()


def test_sigterm_ends_like_ctrl_c(tmp_path: Path) -> None:
    """What is being written disappears, and the exit code is 128 + 15."""
    code = (
        "import time, pathlib, types, sys\n"
        "from tips import records, __main__ as main\n"
        "def run():\n"
        "    with records.atomic(pathlib.Path('made.json')) as stream:\n"
        "        stream.write('half'); stream.flush(); print('ready', flush=True); time.sleep(60)\n"
        "module = types.ModuleType('tips.stages.group'); module.run = run\n"
        "sys.modules['tips.stages.group'] = module\n"
        "sys.argv = ['tips', 'stage', 'group']\n"
        "main.app()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        assert len(list(tmp_path.iterdir())) == 1
        child.terminate()
        _, told = child.communicate(timeout=30)
    assert child.returncode == 143
    assert "Traceback" not in told
    assert list(tmp_path.iterdir()) == []
