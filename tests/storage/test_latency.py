"""Durations of recent reads."""

from __future__ import annotations

import random

import pytest

from ddfast.storage.transfer.link import Latency


@pytest.mark.parametrize("q", [0.0, 0.1, 0.5, 0.95, 0.999])
def test_quantiles_are_those_of_256_recent_reads(q):
    draw = random.Random(3)
    times = [draw.expovariate(100.0) for _ in range(1024)]
    known = Latency()
    for seconds in times:
        known.add(seconds, 1)
    quantiles = [sorted(times[768 - ago : 1024 - ago])[int(q * 256)] for ago in range(32)]
    assert known.quantile(q) in quantiles


def test_nothing_is_usual_before_the_first_read():
    known = Latency()
    assert (known.quantile(0.95), known.usual(1 << 20, 0.95), known.is_known) == (0.0, 0.0, False)


def test_larger_reads_are_granted_time_in_proportion_and_smaller_ones_no_less():
    known = Latency()
    for _ in range(300):
        known.add(0.005, 100_000)
    assert known.usual(1_000_000, 0.95) == pytest.approx(10 * known.usual(100_000, 0.95))
    assert known.usual(1, 0.95) == known.usual(100_000, 0.95)
