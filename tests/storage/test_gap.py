"""Which gaps are read over: a simulated link, or server, in virtual time."""

from __future__ import annotations

import random
from dataclasses import dataclass

import pytest
from simulated_link import Link

from ddfast.storage.transfer.gap import Gap
from ddfast.storage.transfer.limiter import Flow
from ddfast.storage.transfer.waiting import CELL, REACH

KB = 1 << 10
PIECE = 2800


@dataclass
class Scattered(Link):
    """Pieces that lie `apart` bytes from each other, of a server that takes the time `each` for a request."""

    each: float = 0.0
    apart: int = 40 * KB

    def _fill(self, flow, size, most):
        count = min(CELL, REACH * flow.gap.size) // (PIECE + self.apart) if flow.gap.size >= self.apart else 1
        super()._fill(flow, PIECE * max(1, count), most)

    def _send(self, flow, size):
        over = (size // PIECE - 1) * self.apart
        self.wire_free = max(self.wire_free, self.now) + self.each + (size + over) / self.bandwidth
        self._push(self.wire_free, "arrive", size)


def reading(link, seconds=5.0):
    """The flow after some time of reading, and bytes per second that were wanted then."""
    flow = Flow()
    link.run(flow, seconds, PIECE)
    return flow, link.run(flow, 20.0, PIECE)


@pytest.mark.parametrize("latency", [0.0002, 0.005, 0.05])
@pytest.mark.parametrize("jitter", [0.0, 1.0])
def test_gaps_are_read_over_where_the_server_answers_few_requests(latency, jitter):
    flow, rate = reading(Scattered(latency, 1.25e9, each=0.001, jitter=jitter))
    assert flow.gap.size >= 64 * KB
    assert rate >= 4 * PIECE / 0.001


@pytest.mark.parametrize("latency", [0.02, 0.05])
def test_gaps_are_read_over_where_no_more_reads_may_be_in_flight(latency):
    flow, rate = reading(Scattered(latency, 1.25e9))
    assert flow.gap.size >= 64 * KB
    assert rate >= 1.5 * 256 * PIECE / latency


@pytest.mark.parametrize("bandwidth", [12.5e6, 125e6])
@pytest.mark.parametrize("apart", [20 * KB, 40 * KB, 100 * KB])
def test_gaps_are_not_read_over_where_bytes_are_what_takes_time(bandwidth, apart):
    _, rate = reading(Scattered(0.002, bandwidth, each=20e-6, apart=apart, jitter=1.0))
    assert rate >= 0.95 / (20e-6 / PIECE + 1 / bandwidth)


def test_gaps_are_not_larger_than_what_brings_more():
    flow, _ = reading(Scattered(0.005, 125e6, each=0.0001, apart=4 * KB, jitter=1.0))
    assert flow.gap.size <= 64 * KB
    flow, _ = reading(Scattered(0.005, 1.25e9, each=0.001, apart=1 << 20, jitter=1.0))
    assert flow.gap.size == 16 * KB


def test_gaps_are_not_read_over_any_more_when_that_has_ceased_to_pay():
    link = Scattered(0.005, 1.25e9, each=0.001)
    flow, _ = reading(link)
    link.bandwidth, link.each = 50e6, 20e-6
    link.run(flow, 30.0, PIECE)
    assert link.run(flow, 20.0, PIECE) >= 0.95 / (20e-6 / PIECE + 1 / 50e6)


def rounds(gap, rate, count=1000):
    """The sizes of so many rounds, each of a second, that bring `rate(number, size)`."""
    sizes = []
    for number in range(count):
        sizes.append(gap.size)
        gap.add(int(rate(number, gap.size)), 1.0)
    return sizes


def test_the_largest_gap_stays_if_it_brings_most():
    sizes = rounds(Gap(), lambda number, size: size)
    assert sizes[16:].count(256 * KB) >= 0.9 * 984


def test_a_gap_that_brings_hardly_more_is_not_read_over():
    sizes = rounds(Gap(), lambda number, size: 1000 + 40 * (size > 16 * KB))
    assert sizes.count(16 * KB) >= 0.9 * 1000
    assert max(sizes) <= 64 * KB


@pytest.mark.parametrize("growth", [1.04, 0.96])
def test_what_grows_or_shrinks_by_itself_is_not_taken_for_what_a_gap_brings(growth):
    sizes = rounds(Gap(), lambda number, size: 1e9 * growth ** (number % 80))
    assert max(sizes) <= 64 * KB


def test_gaps_come_back_from_what_was_an_accident():
    draw, gap = random.Random(1), Gap()
    sizes = rounds(gap, lambda number, size: 1000 * (1 + 0.4 * draw.random()), 5000)
    assert sizes.count(16 * KB) >= 0.8 * 5000


def test_nothing_is_concluded_from_a_trial_that_was_dropped():
    gap = Gap()
    for _ in range(50):
        for _ in range(3):
            gap.add(gap.size, 1.0)
        assert gap.is_tried
        gap.drop()
        assert (gap.is_tried, gap.size) == (False, 16 * KB)
