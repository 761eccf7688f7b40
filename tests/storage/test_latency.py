"""Durations of recent reads, and what follows from them."""

from __future__ import annotations

import random

import pytest

from ddfast.storage.transfer.latency import Latency


def seen(latency: float, bandwidth: float, in_flight: int, size: int = 100_000, reads: int = 5000) -> Latency:
    """After steady reading over a link that takes `latency` and carries `bandwidth`."""
    known = Latency()
    each = max(latency, in_flight * size / bandwidth)
    for number in range(reads):
        known.add(each + number * each / in_flight, each, size)
    return known


@pytest.mark.parametrize("q", [0.0, 0.1, 0.5, 0.95, 0.999])
def test_quantiles_are_those_of_256_recent_reads(q):
    draw = random.Random(3)
    times = [draw.expovariate(100.0) for _ in range(1024)]
    known = Latency()
    for number, seconds in enumerate(times):
        known.add(float(number), seconds, 1)
    quantiles = [sorted(times[768 - ago : 1024 - ago])[int(q * 256)] for ago in range(32)]
    assert known.quantile(q) in quantiles


def test_nothing_is_usual_before_the_first_read():
    known = Latency()
    assert (known.quantile(0.95), known.usual(1 << 20, 0.95), known.is_known) == (0.0, 0.0, False)


def test_larger_reads_are_granted_time_in_proportion_and_smaller_ones_no_less():
    known = seen(0.005, 1.25e9, 8)
    assert known.usual(1_000_000, 0.95) == pytest.approx(10 * known.usual(100_000, 0.95))
    assert known.usual(1, 0.95) == known.usual(100_000, 0.95)


@pytest.mark.parametrize("latency", [0.0002, 0.001, 0.005, 0.01])
@pytest.mark.parametrize("in_flight", [1, 8, 64])
def test_bandwidth_is_what_arrives_per_second(latency, in_flight):
    known = seen(latency, 1.25e9, in_flight)
    rate = min(1.25e9, in_flight * 100_000 / latency)
    assert known.bandwidth == pytest.approx(rate, rel=0.1)


def test_a_pause_of_the_consumer_does_not_lower_bandwidth():
    known = seen(0.001, 1.25e9, 1, reads=1000)
    before = known.bandwidth
    for number in range(100):
        known.add(1000.0 + number, 0.001, 100_000)
    assert known.bandwidth == pytest.approx(before, rel=0.05)


def test_queueing_on_a_full_link_is_not_taken_for_latency():
    known = seen(0.001, 1.25e9, 8)
    least = known.least
    for number in range(5000):  # 256 in flight on a link that 13 fill: each takes 20 ms
        known.add(1000.0 + number * 80e-6, 256 * 80e-6, 100_000)
    assert known.least <= least * 1.01


def test_large_reads_are_cut_at_1_mb_unless_the_link_is_so_long_that_more_is_needed_to_fill_it():
    assert Latency().cut(64) == 1 << 20
    assert seen(0.005, 1.25e9, 64).cut(64) == 1 << 20
    assert seen(0.1, 1.25e9, 64, size=1 << 21).cut(64) == 1 << 22
    assert seen(10.0, 1e10, 64, size=1 << 30).cut(1) == 8 << 20
