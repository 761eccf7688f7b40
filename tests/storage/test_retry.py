"""One read with time limits, retries and second requests."""

from __future__ import annotations

import asyncio
import re

import pytest
from transfer_doubles import URL, Memory, passing

from ddfast.errors import DatasetReplacedError, StorageDeniedError, StorageError, StorageTimeoutError
from ddfast.storage.transfer.link import ConcurrencyLimiter, Latency
from ddfast.storage.transfer.retry import LinkState, RetryPolicy, read, stat

DATA = bytes(range(256)) * 16
QUICK = RetryPolicy(timeout=5.0, attempt_timeout=1.0, retries=4, backoff=0.0)


def known(seconds: float = 0.001) -> Latency:
    latency = Latency()
    for _ in range(64):
        latency.add(seconds, 100)
    return latency


class Run:
    """One read of bytes 100 to 200, and the state after it."""

    def __init__(self, deal, policy=QUICK, latency=None, limiter=None):
        self.storage = Memory(DATA, deal)
        self.latency = latency or Latency()
        self.is_scheduled = limiter is not None
        self.state = LinkState(policy, limiter or ConcurrencyLimiter(), self.latency)
        self.counters = self.state.counters
        self.buffer = bytearray(100)

    async def read(self):
        await read(self.storage, [(100, 200)], [memoryview(self.buffer)], self.state, self.is_scheduled)
        assert self.buffer == DATA[100:200]
        assert len(asyncio.all_tasks()) == 1

    async def fail(self, kind):
        with pytest.raises(kind) as caught:
            await self.read()
        assert len(asyncio.all_tasks()) == 1
        return caught.value


def raising(*errors):
    """Fail the first requests with these errors, then answer."""
    left = list(errors)

    def deal(number):
        if left:
            raise left.pop(0)
        return 0.0

    return deal


def waiting(*seconds):
    """Answer the first requests after so many seconds, the others at once."""
    return lambda number: seconds[number - 1] if number <= len(seconds) else 0.0


def test_a_read_fills_its_buffers_with_one_request(arun):
    run = Run(waiting())
    arun(run.read())
    assert (run.counters.requests, run.counters.bytes, run.latency.reads) == (1, 100, 1)


def test_what_passes_is_tried_again(arun):
    run = Run(raising(passing(), passing()))
    arun(run.read())
    assert (run.counters.requests, run.counters.retries) == (3, 2)


def test_what_does_not_pass_is_not_tried_again(arun):
    for kind in (StorageDeniedError, DatasetReplacedError):
        run = Run(raising(kind("no", url=URL)))
        error = arun(run.fail(kind))
        assert (len(run.storage.asked), error.attempts, error.span) == (1, 1, (100, 200))


def test_after_the_last_attempt_its_error_tells_of_all(arun):
    run = Run(raising(*[passing() for _ in range(9)]))
    error = arun(run.fail(StorageError))
    assert (len(run.storage.asked), error.attempts) == (5, 5)
    assert "connection reset" in str(error)
    assert re.search(r"the last of 5 attempts in .*Check that the server is running", str(error))


def test_a_dead_server_is_given_up_within_the_time_with_url_range_and_attempts(arun):
    run = Run(lambda number: 1000.0, RetryPolicy(timeout=0.3, attempt_timeout=0.1, backoff=0.0))
    error = arun(run.fail(StorageTimeoutError))
    assert str(error).startswith(f"{URL}: bytes 100 to 200 did not arrive within 0.3 s and ")
    assert 1 <= error.attempts <= 4  # as many as a busy machine has time for
    assert f"{error.attempts} attempt" in str(error)
    assert ". Check that the server is running" in str(error)
    assert (error.url, error.span) == (URL, (100, 200))
    assert run.storage.cancelled == len(run.storage.asked)


def test_an_attempt_without_answer_is_followed_by_another(arun):
    run = Run(waiting(1000.0), RetryPolicy(attempt_timeout=0.05, backoff=0.0))
    arun(run.read())
    assert (run.counters.retries, run.storage.cancelled) == (1, 1)


def test_the_pause_that_the_server_asks_for_is_kept(arun):
    run = Run(raising(passing(retry_after=0.05)))

    async def timed():
        begun = asyncio.get_running_loop().time()
        await run.read()
        return asyncio.get_running_loop().time() - begun

    assert arun(timed()) > 0.045  # clocks of loops go in steps of a millisecond
    assert run.counters.throttled == 1


def test_a_pause_that_exceeds_the_time_ends_the_read_at_once(arun):
    error = arun(Run(raising(passing(retry_after=1000.0))).fail(StorageTimeoutError))
    assert "connection reset" in str(error)
    assert error.attempts == 1


@pytest.mark.parametrize(("error", "limit"), [({"throttled": True}, 8), ({"retry_after": 0.0}, 8), ({}, 16)])
def test_throttling_reaches_the_concurrency_limiter(arun, error, limit):
    limiter = ConcurrencyLimiter(start=16)
    limiter.begin(0.0)
    arun(Run(raising(passing(**error)), limiter=limiter).read())
    assert limiter.limit == limit


def test_a_late_read_is_answered_by_a_second_request_and_the_first_is_cancelled(arun):
    run = Run(waiting(1000.0), latency=known())
    arun(run.read())
    assert (run.counters.hedged, run.counters.requests, run.counters.retries) == (1, 2, 0)
    assert run.storage.cancelled == 1


def test_a_first_request_that_wins_cancels_the_second(arun):
    run = Run(waiting(0.1, 1000.0), latency=known())
    arun(run.read())
    assert (run.counters.hedged, run.storage.cancelled) == (1, 1)


def test_a_second_request_that_fails_leaves_the_first_at_work(arun):
    def deal(number):
        if number == 2:
            raise passing()
        return 0.1

    run = Run(deal, latency=known())
    arun(run.read())
    assert (run.counters.hedged, run.counters.retries) == (1, 0)


def test_a_first_request_that_fails_leaves_the_second_at_work(arun):
    class FirstFails(Memory):
        async def read_async(self, spans, into):
            first = not self.asked
            await super().read_async(spans, into)
            if first:
                into[0][:] = bytes(100)
                raise passing()

    run = Run(waiting(0.05, 0.1), latency=known())
    run.storage = FirstFails(DATA, run.storage.deal)
    arun(run.read())
    assert (run.counters.hedged, run.counters.retries) == (1, 0)


def test_no_second_request_is_sent_before_it_is_known_what_is_usual(arun):
    run = Run(waiting(0.1), latency=Latency())
    arun(run.read())
    assert run.counters.hedged == 0


def test_where_all_is_late_few_second_requests_are_sent(arun):
    run = Run(lambda number: 0.06, latency=known())
    other = [Run(run.storage.deal, latency=run.latency) for _ in range(100)]

    async def all_of_them():
        buffers = [memoryview(each.buffer) for each in other]
        reads = [read(run.storage, [(100, 200)], [buffer], run.state) for buffer in buffers]
        await asyncio.gather(*reads)

    arun(all_of_them())
    assert run.counters.hedged <= 2 + 0.04 * 100 + 1


def test_a_cancelled_read_ends_both_requests(arun):
    run = Run(lambda number: 1000.0, latency=known())

    async def cancelled():
        task = asyncio.ensure_future(run.read())
        while run.counters.hedged == 0:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert len(asyncio.all_tasks()) == 1

    arun(cancelled())
    assert run.storage.cancelled == 2


def test_a_task_is_as_uncancelled_after_a_late_read_as_before(arun):
    run = Run(waiting(1000.0), latency=known())

    async def read_twice():
        await run.read()
        task = asyncio.current_task()
        assert not hasattr(task, "cancelling") or task.cancelling() == 0
        await asyncio.sleep(0)
        await run.read()

    arun(read_twice())


def test_nothing_writes_into_a_buffer_after_its_read(arun):
    run = Run(waiting(0.1, 0.0), latency=known())

    async def read_and_wait():
        await run.read()
        run.buffer[:] = bytes(100)
        await asyncio.sleep(0.15)
        assert run.buffer == bytes(100)

    arun(read_and_wait())


def test_size_and_version_are_asked_for_with_the_same_patience(arun):
    storage = Memory(DATA, raising(passing()))
    assert arun(stat(storage, LinkState(QUICK))).size == len(DATA)
    dead = Memory(DATA, lambda number: 1000.0)
    with pytest.raises(StorageTimeoutError, match=r"size and version did not arrive within 0\.2 s and"):
        arun(stat(dead, LinkState(RetryPolicy(timeout=0.2, attempt_timeout=0.1, backoff=0.0))))


def test_pauses_are_drawn_from_0_to_a_bound_that_doubles():
    policy = RetryPolicy(backoff=0.1, max_backoff=1.0)
    for retry, bound in [(0, 0.1), (1, 0.2), (3, 0.8), (4, 1.0), (1000, 1.0)]:
        pauses = [policy.pause(retry) for _ in range(500)]
        assert 0.8 * bound < max(pauses) <= bound
        assert min(pauses) < 0.2 * bound


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"timeout": 0}, "timeout and attempt_timeout must be greater than 0"),
        ({"attempt_timeout": -1}, "timeout and attempt_timeout must be greater than 0"),
        ({"retries": -1}, "at least 0"),
        ({"hedge_quantile": 1.0}, "between 0 and 1"),
        ({"hedge_share": 2.0}, "between 0 and 1"),
    ],
)
def test_a_policy_that_makes_no_sense_is_refused(wrong, why):
    with pytest.raises(ValueError, match=why):
        RetryPolicy(**wrong)
