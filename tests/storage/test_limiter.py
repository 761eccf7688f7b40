"""How many reads are kept in flight, over a simulated link in virtual time."""

from __future__ import annotations

import pytest
from simulated_link import Link

from ddfast.storage.transfer.link import ConcurrencyLimiter

SIZE = 105_000


@pytest.mark.parametrize("bandwidth", [1.25e9, 125e6])
@pytest.mark.parametrize("latency", [0.0002, 0.001, 0.005, 0.01])
@pytest.mark.parametrize("jitter", [0.0, 1.0])
def test_the_link_is_full_after_half_a_second(bandwidth, latency, jitter):
    limiter, link = ConcurrencyLimiter(), Link(latency, bandwidth, jitter=jitter)
    link.run(limiter, 0.5, SIZE)
    assert link.run(limiter, 1.0, SIZE) >= 0.97 * bandwidth


@pytest.mark.parametrize("latency", [0.0002, 0.001, 0.005, 0.01])
def test_a_link_that_few_reads_fill_gets_few(latency):
    limiter, link = ConcurrencyLimiter(), Link(latency, 125e6)
    link.run(limiter, 2.0, SIZE)
    assert link.most_in_flight <= 6 * max(6, 125e6 * latency / SIZE)


@pytest.mark.parametrize("concurrency", [8, 64])
def test_a_server_that_works_on_few_requests_at_a_time_gets_all_it_can_do(concurrency):
    limiter, link = ConcurrencyLimiter(), Link(0.005, 1.25e9, concurrency=concurrency)
    link.run(limiter, 1.0, SIZE)
    assert link.run(limiter, 1.0, SIZE) >= 0.97 * min(1.25e9, concurrency * SIZE / 0.005)
    assert limiter.limit <= 4 * concurrency


def test_a_server_that_refuses_is_asked_for_less_and_seldom_refuses_again():
    limiter, link = ConcurrencyLimiter(), Link(0.005, 1.25e9, refuse_above=20)
    link.run(limiter, 1.0, SIZE)
    refused, delivered = link.refused, link.delivered
    link.run(limiter, 4.0, SIZE)
    assert limiter.limit <= 22
    assert (link.refused - refused) * SIZE <= 0.05 * (link.delivered - delivered)


def test_the_link_is_full_again_after_throttling():
    limiter, link = ConcurrencyLimiter(), Link(0.005, 1.25e9, refuse_above=4)
    link.run(limiter, 2.0, SIZE)
    assert limiter.limit <= 5
    link.refuse_above = 1 << 30
    link.run(limiter, 5.0, SIZE)
    assert link.run(limiter, 1.0, SIZE) >= 0.97 * 1.25e9


def test_reads_refused_together_halve_the_limit_once():
    limiter = ConcurrencyLimiter(start=64)
    for _ in range(64):
        limiter.begin(0.0)
    for _ in range(64):
        limiter.fail(1.0, throttled=True)
        limiter.end(1.0, 0)
    assert limiter.limit == 32


def test_one_reset_among_many_reads_says_nothing_about_load():
    limiter = ConcurrencyLimiter(start=16)
    limiter.begin(0.0)
    limiter.fail(0.1, throttled=False)
    assert limiter.limit == 16


def test_many_resets_halve_the_limit():
    limiter = ConcurrencyLimiter(start=16)
    for _ in range(3):
        limiter.fail(0.1, throttled=False)
    assert limiter.limit == 8


def test_the_limit_stays_between_1_and_the_most():
    limiter, link = ConcurrencyLimiter(most=20), Link(0.01, 1.25e9)
    link.run(limiter, 2.0, SIZE)
    assert (limiter.limit, link.most_in_flight) == (20, 20)
    for second in range(10):
        limiter.fail(100.0 + second, throttled=True)
        limiter.end(100.0 + second, 0)
        for _ in range(50):
            limiter.begin(100.0 + second)
            limiter.end(100.0 + second, SIZE)
    assert 1 <= limiter.limit <= 20


def test_a_consumer_that_asks_for_little_does_not_move_the_limit():
    limiter, link = ConcurrencyLimiter(), Link(0.001, 1.25e9)
    link.run(limiter, 2.0, SIZE, most=3)
    assert limiter.limit == 8


@pytest.mark.parametrize("bounds", [{"start": 0}, {"most": 0}])
def test_fewer_than_one_read_in_flight_is_refused(bounds):
    with pytest.raises(ValueError, match="at least 1, not 0"):
        ConcurrencyLimiter(**bounds)
