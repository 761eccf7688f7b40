"""The sweeps: that they grow what they say, and show all of it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.scaling import __main__ as command
from benchmarks.scaling import sweeps
from benchmarks.scaling.report import median, tables
from benchmarks.scaling.sweeps import FIGURES, SWEEPS
from ddfast.reader import MsgpackReader, ShardedReader

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc, sets affinity")


def row(sweep: str, x: int, processors: int, *values: float) -> dict[str, Any]:
    runs = [{**dict.fromkeys(FIGURES, value), "peak": 1.0} for value in values]
    what = {"sweep": sweep, "x": x, "batch": 256, "processors": processors}
    return {**what, "bytes": 5000, "samples": 10, "runs": runs}


def test_shards_hold_the_same_samples_as_one_file(tmp_path, monkeypatch):
    monkeypatch.setattr(sweeps, "SHARDED_SAMPLES", 60)
    whole, parts = sweeps.shards(1, tmp_path), sweeps.shards(6, tmp_path)
    assert (len(whole), len(parts)) == (1, 6)
    with MsgpackReader(whole[0]) as one, ShardedReader(parts) as many:
        assert list(one) == list(many)


@pytest.mark.parametrize("size", [100, 1000, 10_000_000])
def test_samples_have_the_size_that_they_are_said_to_have(size, tmp_path, monkeypatch):
    monkeypatch.setattr(sweeps, "MOST_SAMPLES", 3)
    (path,) = sweeps.of_size(size).files(tmp_path)
    with MsgpackReader(path) as reader:
        assert path.stat().st_size / len(reader) == pytest.approx(size, rel=0.05)


def test_batches_of_large_samples_are_smaller():
    assert [sweeps.of_size(size).batch for size in (100, 100_000, 1_000_000, 10_000_000)] == [256, 256, 67, 6]


@pytest.mark.parametrize(("name", "least", "most"), [
    ("batch", 1, 4096), ("size", 100, 10**7), ("samples", 1000, 10**7), ("shards", 1, 1000),
])  # fmt: skip
def test_sweeps_go_all_the_way(name, least, most):
    across = [point.x for point in sweeps.BY_NAME[name].points]
    assert (across[0], across[-1]) == (least, most)
    assert across == sorted(across)


def test_command_measures_every_figure_of_every_point(tmp_path, capsys):
    figures, markdown = tmp_path / "figures.json", tmp_path / "tables.md"
    options = f"--data {tmp_path} --sweeps samples --most 10000 --repeats 2 --seconds 0.005 --processors 1"
    assert command.main([*options.split(), "--json", str(figures), "--markdown", str(markdown)]) == 0
    assert capsys.readouterr().out == markdown.read_text()
    rows = json.loads(figures.read_text())["rows"]
    assert [(found["x"], found["samples"], len(found["runs"])) for found in rows] == [
        (1000, 1000, 2),
        (10_000, 10_000, 2),
    ]
    assert all(found["medians"][name] > 0 for found in rows for name in FIGURES if name != "memory")


def test_more_processors_than_there_are_is_an_error():
    with pytest.raises(SystemExit, match="--processors 4096: there are"):
        command.main(["--processors", "4096"])


def test_rates_of_large_samples_count_bytes():
    assert median(row("size", 500, 1, 3.0, 1.0, 2.0), "in order") == 2.0 * 500
    assert median(row("samples", 500, 1, 3.0, 1.0, 2.0), "in order") == 2.0


def test_tables_show_what_a_sweep_is_about():
    facts = {"cpu": "x", "cores": 1, "memory_gb": 1, "system": "s", "python": "3"}
    facts = {**facts, "load_before": 0.5, "repeats": 1, "seconds": 0.5}
    lines = tables(facts, [row("size", 100, 2, 7.0)]).splitlines()
    assert lines[2:7] == [
        "## Bytes of a sample",
        "",
        "| bytes of a sample | processors | in order, B/s | at random, B/s | own memory, MB |",
        "|--:|--:|--:|--:|--:|",
        "| 100 | 2 | 3,500 | 3,500 | 7.00 |",
    ]


@pytest.mark.parametrize("names", [["batch"], [sweep.name for sweep in SWEEPS]])
def test_picture_is_drawn(names, tmp_path):
    pytest.importorskip("matplotlib")
    from benchmarks.scaling.plot import plot

    rows = [row(name, x, n, 5.0 * x) for name in names for x in (1, 1000) for n in (1, 2)]
    path: Path = tmp_path / "new" / "scaling.png"
    plot(path, rows, "a machine")
    assert path.read_bytes().startswith(b"\x89PNG")
