from functools import partial
from pathlib import Path
from typing import Any

from tips.coverage import lines_run


def test_the_lines_of_a_file_that_a_call_passes(tmp_path: Path) -> None:
    file = tmp_path / "branches.py"
    file.write_text("A = 1\ndef f(x):\n    if x:\n        return 1\n    return 2\n")
    names: dict[str, Any] = {}
    exec(compile(file.read_text(), str(file), "exec"), names)
    passed = {x: {line for _, line in lines_run(partial(names["f"], x), [file])} for x in (0, 1)}
    assert passed == {0: {3, 5}, 1: {3, 4}}
    assert not lines_run(lambda: names["f"](1), [tmp_path / "other.py"])
    assert not lines_run(lambda: exec(compile("B = 2\n", str(file), "exec"), {}), [file])
