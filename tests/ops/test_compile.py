import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tips.config import ConfigError
from tips.ops import compile as kernels
from tips.ops import native


@pytest.fixture
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernels, "library", lambda kind: native.SOURCES / f"build/no/{kind}.so")


@pytest.mark.usefixtures("_elsewhere")
def test_no_compiler_is_one_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CUDA_HOME", raising=False)
    assert kernels.build("cpu") == {"library": "", "reason": "g++ not found"}
    assert kernels.build("cuda") == {"library": "", "reason": "nvcc not found"}
    assert [record.levelno for record in caplog.records] == [logging.WARNING] * 2


def test_a_failing_compiler_leaves_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    target = tmp_path / "tips_cpu.so"
    monkeypatch.setattr(kernels, "library", lambda kind: target)
    monkeypatch.setattr(
        kernels,
        "command",
        lambda kind, compiler, out: [
            *(sys.executable, "-c"),
            f"open({str(out)!r}, 'w'); raise SystemExit('fatal error: no such header')",
        ],
    )
    monkeypatch.setattr(kernels, "find_compiler", lambda kind: "g++")
    assert kernels.build("cpu")["reason"] == "g++ failed: fatal error: no such header"
    assert [file.name for file in tmp_path.iterdir()] == ["lock"]


def test_two_processes_compile_once(tmp_path: Path) -> None:
    counts = tmp_path / "count"
    code = f"""
import sys, time
from pathlib import Path
from tips.ops import compile as kernels
kernels.SOURCES = Path({str(tmp_path)!r}) / "csrc"
kernels.library = lambda kind: kernels.SOURCES / "build" / "tips_cpu.so"
kernels.find_compiler = lambda kind: "g++"
slow = "import time; time.sleep(1); open({str(counts)!r}, 'a').write('x'); open(OUT, 'w')"
kernels.command = lambda kind, compiler, out: [
    sys.executable, "-c", slow.replace("OUT", repr(str(out)))
]
assert kernels.build("cpu")["library"] == "csrc/build/tips_cpu.so"
"""
    jobs = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(2)]
    assert [job.wait() for job in jobs] == [0, 0]
    assert counts.read_text() == "x"


PREPARE = """
import logging, sys, torch
logging.basicConfig(format="%(message)s")
from tips.ops import compile, native
command = compile.command
compile.library = native.library = lambda kind: native.Path(sys.argv[1]) / "tips_cpu.so"
compile.command = lambda *words: print("compiled") or command(*words)
compile.SOURCES = native.Path(sys.argv[1]) / "csrc"
for _ in range(2):
    compile.prepare_kernels(torch.device("cpu"))
print(native.backend())
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("environment", "said", "warned"),
    [
        ({}, ["compiled", "cpp"], ""),
        ({"TIPS_KERNELS": "torch"}, ["torch"], ""),
        ({"CXX": "/gone/g++"}, ["torch"], "no cpu kernel (g++ not found)"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else None,
)
def test_a_stage_builds_what_it_needs_itself(
    tmp_path: Path, environment: dict[str, str], said: list[str], warned: str
) -> None:
    if kernels.find_compiler("cpu") is None:
        pytest.skip("no compiler")
    inherited = {k: v for k, v in os.environ.items() if k != "TIPS_KERNELS"}
    done = subprocess.run(
        [sys.executable, "-c", PREPARE, str(tmp_path)],
        cwd=native.SOURCES.parent,
        env=inherited | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == said
    assert warned in done.stderr


def test_where_a_kernel_is_demanded_nothing_is_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIPS_KERNELS", "cpp")
    monkeypatch.setattr(native, "library", lambda kind: tmp_path / f"{kind}.so")
    native.look_again()
    try:
        with pytest.raises(ConfigError, match="TIPS_KERNELS=cpp, but no kernel is built"):
            kernels.prepare_kernels(torch.device("cpu"))
    finally:
        native.look_again()
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written_is_one_warning(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr(kernels, "library", lambda kind: tmp_path / "file/build/tips_cpu.so")
    monkeypatch.setattr(kernels, "find_compiler", lambda kind: "g++")
    assert kernels.build("cpu")["reason"] == f"{tmp_path}/file/build: Not a directory"


@pytest.mark.slow
def test_the_cuda_library_compiles_without_spills_and_loads(tmp_path: Path) -> None:
    """For all architectures; without a card the ops are there and refuse CPU tensors' devices."""
    compiler = kernels.find_compiler("cuda")
    if compiler is None:
        pytest.skip("no nvcc")
    out = tmp_path / "tips_cuda.so"
    flags = ["-Xptxas", "-v", "--threads", "2"]
    done = subprocess.run(
        [*kernels.command("cuda", compiler, out), *flags],
        capture_output=True,
        text=True,
        check=True,
    )
    frames = [line.strip() for line in done.stderr.splitlines() if "stack frame" in line]
    assert len(frames) >= 4 * len(native.ARCHITECTURES)
    clean = "0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads"
    assert set(frames) == {clean}
    assert kernels.build("cpu")["library"]
    code = f"""
import torch
from tips.ops import native
native.load()
torch.ops.load_library({str(out)!r})
for op in ("deform_attn", "deform_attn_backward"):
    for key in ("CPU", "CUDA"):
        assert torch._C._dispatch_has_kernel_for_dispatch_key("tips::" + op, key)
"""
    subprocess.run([sys.executable, "-c", code], check=True)
