"""Times end to end, from a warm page cache."""

from __future__ import annotations

from collections import deque
from typing import Any

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from ddfast.reader import MsgpackReader

BATCH = 256


def test_get(benchmark: BenchmarkFixture, reader: MsgpackReader) -> None:
    assert benchmark(reader.get, 4321)["label"] == 321


def test_get_by_key(benchmark: BenchmarkFixture, reader: MsgpackReader) -> None:
    assert benchmark(lambda: reader.get(reader.find_index("n0000321/0004321.jpg")))["label"] == 321


def test_get_many(benchmark: BenchmarkFixture, reader: MsgpackReader) -> None:
    batch = benchmark(reader.get_many, [i * 7919 % len(reader) for i in range(BATCH)])
    assert len(batch["label"]) == BATCH


def test_iterate(benchmark: BenchmarkFixture, reader: MsgpackReader) -> None:
    benchmark(lambda: deque(reader, maxlen=0))


@pytest.mark.parametrize("order", [False, True])
def test_batches(benchmark: BenchmarkFixture, reader: MsgpackReader, order: Any) -> None:
    benchmark(lambda: sum(len(batch["label"]) for batch in reader.batches(BATCH, shuffle=order, seed=1)))
