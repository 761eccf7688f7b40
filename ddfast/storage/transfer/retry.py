"""One read that survives what networks do: time-outs, another attempt after a pause, a second request in parallel.

An attempt writes straight into the buffer that is to be filled. Only the second request of a late read (a hedge) has
memory of its own, which is copied once the first request has ended: two never write into the buffer, and nothing does
after the read.
"""

from __future__ import annotations

import asyncio
import random
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from ddfast.errors import StorageError, StorageTimeoutError
from ddfast.storage.base import Span, Stat, Storage
from ddfast.storage.transfer.counters import Traffic
from ddfast.storage.transfer.latency import Latency
from ddfast.storage.transfer.limiter import Flow

__all__ = ["Policy", "read", "stat"]

T = TypeVar("T")

now = time.monotonic  # finer than the time of a loop, which is that of its latest turn, in milliseconds

# The usual time of one attempt, in seconds.
ATTEMPT_SECONDS = 20.0
# A second request that is of no use any more is waited for so long, in seconds.
GRACE = 1.0
# Between finding a read late and sending a second request, in seconds.
LOOK = 0.001
# Second requests that may be sent in any case, besides a share of all.
HEDGES = 2


@dataclass(frozen=True, slots=True)
class Policy:
    """How patient a read is. All times are in seconds.

    Parameters:
        timeout: for the whole read, all attempts and pauses included.
        attempt_timeout: for one attempt.
        retries: attempts after the first.
        backoff: the pause before the second attempt is drawn evenly from 0 to this, and its bound doubles with each
            further one.
        max_backoff: bound of a pause; a pause that the server asks for is not bounded by it.
        hedge: a second request is sent when the first takes longer than this times what is usual; 0 for never.
        hedge_quantile: the share of reads that sets what is usual.
        hedge_least: no read is late before this.
        hedge_share: no more than this share of requests are second requests.
    """

    timeout: float = 60.0
    attempt_timeout: float = ATTEMPT_SECONDS
    retries: int = 8
    backoff: float = 0.1
    max_backoff: float = 10.0
    hedge: float = 3.0
    hedge_quantile: float = 0.95
    hedge_least: float = 0.01
    hedge_share: float = 0.03

    def __post_init__(self) -> None:
        if self.timeout <= 0 or self.attempt_timeout <= 0:
            raise ValueError("timeout and attempt_timeout are above 0")
        if min(self.retries, self.backoff, self.max_backoff, self.hedge, self.hedge_least) < 0:
            raise ValueError("retries, backoff, max_backoff, hedge and hedge_least are at least 0")
        if not (0 < self.hedge_quantile < 1 and 0 <= self.hedge_share <= 1):
            raise ValueError("hedge_quantile and hedge_share are shares between 0 and 1")

    @classmethod
    def within(cls, timeout: float) -> Policy:
        """The usual patience, with so many seconds for a read; an attempt has a third of them at most."""
        return cls(timeout=timeout, attempt_timeout=min(ATTEMPT_SECONDS, timeout / 3))

    def pause(self, retry: int) -> float:
        """Seconds before retry number `retry`, from 0; drawn anew each time."""
        return random.uniform(0.0, min(self.max_backoff, self.backoff * 2.0 ** min(retry, 60)))


async def read(
    storage: Storage,
    spans: Sequence[Span],
    into: Sequence[memoryview],
    policy: Policy,
    latency: Latency,
    traffic: Traffic,
    flow: Flow | None = None,
    at_once: bool = False,
) -> None:
    """Fill the buffers `into` with the bytes `spans` of `storage`. Once it has ended, nothing writes into them.

    Parameters:
        at_once: read what lies between the spans, too, which are in order, see `Storage.read_over_async`.

    Raises:
        StorageTimeoutError: it was not done within ``policy.timeout``.
        StorageError: another attempt would change nothing, or the last one failed.
    """
    if at_once and len(spans) > 1:
        ask, size = storage.read_over_async, spans[-1][1] - spans[0][0]
    else:
        ask, size = storage.read_async, sum(map(len, into))
    attempt = _Attempt(storage, ask, spans, into, size, policy, latency, traffic)
    await _persist(attempt.run, storage, (spans[0][0], spans[-1][1]), policy, traffic, flow)


async def stat(storage: Storage, policy: Policy, traffic: Traffic) -> Stat:
    """Size and version of what `storage` reads.

    Raises:
        StorageTimeoutError, StorageError: as `read`.
    """

    async def once(limit: float) -> Stat:
        traffic.requests += 1
        wait = limit - now()
        try:
            return await asyncio.wait_for(storage.stat_async(), wait)
        except asyncio.TimeoutError:  # a class of its own before Python 3.11
            raise StorageTimeoutError(
                f"{storage.name}: no answer within {wait:.3g} s", url=storage.name, passing=True
            ) from None

    return await _persist(once, storage, None, policy, traffic, None)


async def _persist(
    once: Callable[[float], Awaitable[T]],
    storage: Storage,
    span: Span | None,
    policy: Policy,
    traffic: Traffic,
    flow: Flow | None,
) -> T:
    """Call ``once(limit)`` until it succeeds, fails for good, or the time is over."""
    began = now()
    deadline = began + policy.timeout
    attempts = 0
    while True:
        attempts += 1
        try:
            return await once(min(now() + policy.attempt_timeout, deadline))
        except StorageError as error:
            failed = now()
            _note_failure(error, failed, traffic, flow)
            pause = max(error.retry_after or 0.0, policy.pause(attempts - 1))
            if error.passing and failed + pause >= deadline:
                raise _out_of_time(storage.name, span, attempts, policy.timeout, error) from error
            if not error.passing or attempts > policy.retries:
                _speak_for_all(error, span, attempts, failed - began)
                raise
        traffic.retries += 1
        await asyncio.sleep(pause)


def _note_failure(error: StorageError, failed: float, traffic: Traffic, flow: Flow | None) -> None:
    throttled = error.throttled or error.retry_after is not None
    traffic.throttled += throttled
    if flow is not None and error.passing:
        flow.fail(failed, throttled or isinstance(error, TimeoutError))


def _speak_for_all(error: StorageError, span: Span | None, attempts: int, seconds: float) -> None:
    """Let the last attempt's error tell of all of them."""
    error.attempts = attempts
    error.span = error.span or span
    if attempts > 1:
        tries = f"the last of {attempts} attempts in {seconds:.1f} s"
        advice = ". Look whether the server is up, and its name right" if error.passing else ""
        error.args = (f"{error} ({tries}){advice}",)


def _out_of_time(
    url: str, span: Span | None, attempts: int, timeout: float, last: StorageError
) -> StorageTimeoutError:
    tries = "1 attempt" if attempts == 1 else f"{attempts} attempts"
    saying = "" if isinstance(last, TimeoutError) else f" The last one ended so: {last}"
    return StorageTimeoutError(
        f"{url}: {_name(span)} did not arrive within {timeout:g} s and {tries}. "
        f"Is the server up? A larger timeout waits longer.{saying}",
        url=url,
        span=span,
        attempts=attempts,
        passing=True,
    )


def _name(span: Span | None) -> str:
    return f"bytes {span[0]:,} to {span[1]:,}" if span else "what is known of it"


async def _end(task: asyncio.Task[None]) -> None:
    """Cancel a second request, and wait until it has ended; it writes into memory of its own."""
    task.cancel()
    await asyncio.wait({task}, timeout=GRACE)


def _succeeded(task: asyncio.Task[None]) -> bool:
    return task.done() and not task.cancelled() and task.exception() is None


if sys.version_info >= (3, 11):

    def _cancelled(task: asyncio.Task[Any]) -> int:
        return task.cancelling()

    def _uncancel(task: asyncio.Task[Any]) -> int:
        return task.uncancel()
else:  # a task does not count who cancelled it

    def _cancelled(task: asyncio.Task[Any]) -> int:
        return 0

    def _uncancel(task: asyncio.Task[Any]) -> int:
        return 0


class _Attempt:
    """One attempt, and the timer that wakes when it is late, and again when its time is over.

    The request runs in the calling task, and the timer cancels the task out of it, as asyncio.timeout does: a task for
    each request would cost several times as much.
    """

    __slots__ = ("_ask", "_began", "_cancelled", "_given_up", "_hedge", "_into", "_latency", "_limit", "_looked",
                 "_loop", "_policy", "_scratch", "_size", "_spans", "_storage", "_task", "_timer", "_traffic",
                 "_wakes")  # fmt: skip

    def __init__(
        self,
        storage: Storage,
        ask: Callable[[Sequence[Span], Sequence[memoryview]], Coroutine[Any, Any, None]],
        spans: Sequence[Span],
        into: Sequence[memoryview],
        size: int,
        policy: Policy,
        latency: Latency,
        traffic: Traffic,
    ) -> None:
        self._storage = storage
        self._ask = ask
        self._spans = spans
        self._into = into
        self._policy = policy
        self._latency = latency
        self._traffic = traffic
        self._size = size
        self._loop = asyncio.get_running_loop()
        self._task = cast("asyncio.Task[Any]", asyncio.current_task(self._loop))
        self._cancelled = _cancelled(self._task)

    async def run(self, limit: float) -> None:
        """Read once, until the time `limit` at most."""
        self._looked = False
        self._given_up = False  # this attempt has cancelled its task
        self._hedge: asyncio.Task[None] | None = None
        self._began = began = now()
        self._limit = limit
        self._wake_at(began + self._late_after())
        self._traffic.requests += 1
        try:
            if not await self._first():
                self._second()
        finally:
            self._timer.cancel()
            if self._hedge is not None:
                await _end(self._hedge)
        ended = now()
        self._latency.add(ended, ended - began, self._size)
        self._traffic.bytes += self._size

    async def _first(self) -> bool:
        """The first request. Returns False if it was given up, or failed where the second has succeeded."""
        try:
            await self._ask(self._spans, self._into)
        except asyncio.CancelledError:
            if not self._given_up or self._is_cancelled_by_others():
                raise
            return False
        except StorageError as error:
            if self._hedge is None or not error.passing:
                raise
            self._timer.cancel()
            await asyncio.wait({self._hedge}, timeout=max(0.0, self._limit - now()))
            if not _succeeded(self._hedge):
                raise
            return False
        if self._given_up and self._is_cancelled_by_others():
            raise asyncio.CancelledError
        return True

    def _second(self) -> None:
        """Take over what the second request has brought, if it has."""
        if self._hedge is not None and _succeeded(self._hedge):
            for view, scratch in zip(self._into, self._scratch, strict=True):
                view[:] = scratch
            return
        span = self._spans[0][0], self._spans[-1][1]
        raise StorageTimeoutError(
            f"{self._storage.name}: no answer for {_name(span)} within {self._limit - self._began:.3g} s",
            url=self._storage.name,
            span=span,
            passing=True,
        )

    def _late_after(self) -> float:
        """Seconds after which a second request is sent."""
        policy, latency = self._policy, self._latency
        if policy.hedge == 0 or not latency.is_known:
            return policy.timeout
        return max(policy.hedge_least, policy.hedge * latency.usual(self._size, policy.hedge_quantile))

    def _wake_at(self, when: float) -> None:
        self._wakes = min(when, self._limit)
        self._timer = self._loop.call_later(max(0.0, self._wakes - now()), self._wake)

    def _wake(self) -> None:
        if self._wakes >= self._limit:
            self._give_up()
            return
        if not self._looked:  # the answer may be there, and the loop itself late
            self._looked = True
            self._wake_at(now() + LOOK)
            return
        self._wake_at(self._limit)
        # Where everything is late, second requests would only make it worse.
        if self._traffic.hedged < HEDGES + self._policy.hedge_share * self._traffic.requests:
            self._traffic.hedged += 1
            self._traffic.requests += 1
            self._scratch = [bytearray(len(view)) for view in self._into]
            into = [memoryview(scratch) for scratch in self._scratch]
            self._hedge = self._loop.create_task(self._ask(self._spans, into))
            self._hedge.add_done_callback(self._end_hedge)

    def _end_hedge(self, hedge: asyncio.Task[None]) -> None:
        if _succeeded(hedge) and not self._timer.cancelled():
            self._give_up()

    def _give_up(self) -> None:
        """Cancel the first request."""
        self._timer.cancel()
        if not self._given_up:
            self._given_up = True
            self._task.cancel()

    def _is_cancelled_by_others(self) -> bool:
        """Take this attempt's own cancellation back; whether there was another one, too."""
        return _uncancel(self._task) > self._cancelled
