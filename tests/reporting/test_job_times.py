from pathlib import Path

import pytest

from tips.records import RecordError
from tips.reporting.job_times import Spent, of_variant, read

HEAD = "s\th:m:s\tmax_rss\tcpu_time\n"


def write(path: Path, *rows: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(HEAD + "".join(f"{row}\n" for row in rows))


def test_sums_by_kind_of_rule(tmp_path: Path) -> None:
    write(tmp_path / "train" / "tips-0.tsv", "60.0\t0:01:00\t1\t50.0")
    write(tmp_path / "train" / "deep" / "hrnet-0.tsv", "30.0\t0:00:30\t1\t28.5")
    write(tmp_path / "report.tsv", "2.5\t0:00:02\t1\tNA")
    assert read(tmp_path, tmp_path / "installed") == [
        Spent("train", 2, 90.0, 78.5, 60.0),
        Spent("report", 1, 2.5, 0.0, 2.5),
    ]


def test_no_benchmarks_is_an_empty_ledger(tmp_path: Path) -> None:
    assert read(tmp_path / "none", tmp_path / "installed") == []


@pytest.mark.parametrize("text", ["a\tb\n1\t2\n", "s\tcpu_time\nx\t1\n"])
def test_other_files_are_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "bad.tsv").write_text(text)
    with pytest.raises(RecordError, match=r"bad\.tsv: not a Snakemake benchmark"):
        read(tmp_path, tmp_path / "installed")


def test_times_of_a_variant_are_not_those_of_a_longer_name(tmp_path: Path) -> None:
    for name, seconds in (("tips-0", 60), ("tips-11", 50), ("tips-ms-0", 7), ("hrnet-0", 3)):
        write(tmp_path / "train" / f"{name}.tsv", f"{seconds}\t0:01:00\t1\t50.0")
    assert of_variant(tmp_path, "train", "tips") == [60.0, 50.0]
    assert of_variant(tmp_path, "train", "dcpose") == of_variant(tmp_path, "none", "tips") == []
