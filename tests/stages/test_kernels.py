import logging
import subprocess
import sys
from pathlib import Path

import pytest

from tips.ops import native
from tips.stages import kernels


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
from tips.stages import kernels
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
