"""One read that survives failures of networks: time limits, retries after a pause, a second request in parallel.

An attempt writes directly into the buffers. Only the second request of a late read (a hedge) has memory of its own,
which is copied once the first request has ended: two requests never write into the same buffer, and none does after
the read.
"""

from __future__ import annotations

import asyncio
import random
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

from ddfast.errors import StorageError, StorageTimeoutError
from ddfast.storage.base import Span, Stat, Storage
from ddfast.storage.transfer.link import ConcurrencyLimiter, Latency, TransferCounters

__all__ = ["LinkState", "RetryPolicy", "now", "read", "stat"]

T = TypeVar("T")

now = time.monotonic  # finer than the time of a loop, which is that of its latest turn, in milliseconds

# The default limit of one attempt, in seconds.
ATTEMPT_SECONDS = 20.0
# Seconds to wait for the end of a second request that was cancelled.
CANCEL_SECONDS = 1.0
# Seconds between finding a read late and sending a second request.
LOOK = 0.001
# Second requests that are always allowed, in addition to a share of all requests.
HEDGES = 2

# Errors that are kept by their reasons, and the length of these reasons in characters.
ERRORS = 256
LONGEST_REASON = 1000


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How long a read takes at most, and how it is retried. All times are in seconds.

    Parameters:
        timeout: for the whole read, including all attempts and pauses.
        attempt_timeout: for one attempt.
        retries: number of attempts after the first.
        backoff: the pause before the second attempt is random between 0 and this; the bound doubles with each further
            attempt.
        max_backoff: maximum of that bound. A pause that the server asks for may be longer.
        hedge: a second request is sent when the first takes longer than this times the usual duration; 0 for never.
        hedge_quantile: the quantile of recent durations that is the usual one.
        hedge_least: no second request is sent earlier.
        hedge_share: at most this share of all requests are second requests.
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
            raise ValueError("timeout and attempt_timeout must be greater than 0")
        if min(self.retries, self.backoff, self.max_backoff, self.hedge, self.hedge_least) < 0:
            raise ValueError("retries, backoff, max_backoff, hedge and hedge_least must be at least 0")
        if not (0 < self.hedge_quantile < 1 and 0 <= self.hedge_share <= 1):
            raise ValueError("hedge_quantile and hedge_share must be between 0 and 1")

    @classmethod
    def within(cls, timeout: float) -> RetryPolicy:
        """The default policy with another limit for the whole read; an attempt takes a third of it at most."""
        return cls(timeout=timeout, attempt_timeout=min(ATTEMPT_SECONDS, timeout / 3))

    def pause(self, retry: int) -> float:
        """Seconds before retry number `retry`, from 0; random."""
        return random.uniform(0.0, min(self.max_backoff, self.backoff * 2.0 ** min(retry, 60)))


@dataclass(slots=True)
class LinkState:
    """The policy for all reads over a link, and what was measured and counted there.

    Attributes:
        retry: the retry policy.
        limiter: how many reads may be in flight.
        latency: durations of recent reads.
        counters: what was transferred.
        errors: the latest errors, by the reasons that the engine gets.
    """

    retry: RetryPolicy = field(default_factory=RetryPolicy)
    limiter: ConcurrencyLimiter = field(default_factory=ConcurrencyLimiter)
    latency: Latency = field(default_factory=Latency)
    counters: TransferCounters = field(default_factory=TransferCounters)
    errors: dict[str, Exception] = field(default_factory=dict)

    def keep(self, error: Exception) -> str:
        """Keep an error; returns the reason by which it is found."""
        text = str(error).replace("\0", "") or type(error).__name__
        reason = text[:LONGEST_REASON].encode("utf-8", "replace").decode()
        self.errors[reason] = error
        while len(self.errors) > ERRORS:
            del self.errors[next(iter(self.errors))]
        return reason


async def read(
    storage: Storage,
    spans: Sequence[Span],
    into: Sequence[memoryview],
    state: LinkState,
    is_scheduled: bool = False,
) -> None:
    """Fill the buffers `into` with the bytes `spans` of `storage`. Nothing writes into them after that.

    Parameters:
        spans: in order; they are read together with the gaps between them, see `Storage.read_over_async`.
        is_scheduled: failures count for the concurrency limit.

    Raises:
        StorageTimeoutError: it was not done within ``retry.timeout``.
        StorageError: another attempt would not help, or the last one failed.
    """
    attempt = _Attempt(storage, spans, into, state)
    await _retried(attempt.run, storage, attempt.span, state, state.limiter if is_scheduled else None)


async def stat(storage: Storage, state: LinkState) -> Stat:
    """Size and version of an object. Errors as `read`."""

    async def once(limit: float) -> Stat:
        state.counters.requests += 1
        seconds = limit - now()
        try:
            return await asyncio.wait_for(storage.stat_async(), seconds)
        except asyncio.TimeoutError:  # a class of its own before Python 3.11
            raise _no_answer(storage, None, seconds) from None

    return await _retried(once, storage, None, state, None)


async def _retried(
    once: Callable[[float], Awaitable[T]],
    storage: Storage,
    span: Span | None,
    state: LinkState,
    limiter: ConcurrencyLimiter | None,
) -> T:
    """Call ``once(limit)`` until it succeeds, fails for good, or the time is over."""
    retry = state.retry
    began = now()
    deadline = began + retry.timeout
    attempts = 0
    while True:
        attempts += 1
        try:
            return await once(min(now() + retry.attempt_timeout, deadline))
        except StorageError as error:
            failed = now()
            _count_failure(error, failed, state.counters, limiter)
            pause = max(error.retry_after or 0.0, retry.pause(attempts - 1))
            if error.passing and failed + pause >= deadline:
                raise _out_of_time(storage.name, span, attempts, retry.timeout, error) from error
            if not error.passing or attempts > retry.retries:
                _complete(error, span, attempts, failed - began)
                raise
        state.counters.retries += 1
        await asyncio.sleep(pause)


def _count_failure(
    error: StorageError, failed: float, counters: TransferCounters, limiter: ConcurrencyLimiter | None
) -> None:
    throttled = error.throttled or error.retry_after is not None
    counters.throttled += throttled
    if limiter is not None and error.passing:
        limiter.fail(failed, throttled or isinstance(error, TimeoutError))


def _complete(error: StorageError, span: Span | None, attempts: int, seconds: float) -> None:
    """Add the number of attempts to the error of the last one."""
    error.attempts = attempts
    error.span = error.span or span
    if attempts > 1:
        advice = ". Check that the server is running and its name is correct" if error.passing else ""
        error.args = (f"{error} (the last of {attempts} attempts in {seconds:.1f} s){advice}",)


def _out_of_time(
    url: str, span: Span | None, attempts: int, timeout: float, last: StorageError
) -> StorageTimeoutError:
    tries = "1 attempt" if attempts == 1 else f"{attempts} attempts"
    reason = "" if isinstance(last, TimeoutError) else f" The last attempt failed: {last}"
    return StorageTimeoutError(
        f"{url}: {_name(span)} did not arrive within {timeout:g} s and {tries}. "
        f"Check that the server is running, or use a larger timeout.{reason}",
        url=url,
        span=span,
        attempts=attempts,
        passing=True,
    )


def _no_answer(storage: Storage, span: Span | None, seconds: float) -> StorageTimeoutError:
    message = f"{storage.name}: no answer for {_name(span)} within {seconds:.3g} s"
    return StorageTimeoutError(message, url=storage.name, span=span, passing=True)


def _name(span: Span | None) -> str:
    return f"bytes {span[0]:,} to {span[1]:,}" if span else "size and version"


def _succeeded(task: asyncio.Task[None]) -> bool:
    return task.done() and not task.cancelled() and task.exception() is None


if sys.version_info >= (3, 11):

    def _cancelled(task: asyncio.Task[Any]) -> int:
        return task.cancelling()

    def _uncancel(task: asyncio.Task[Any]) -> int:
        return task.uncancel()
else:  # a task does not count its cancellations

    def _cancelled(task: asyncio.Task[Any]) -> int:
        return 0

    def _uncancel(task: asyncio.Task[Any]) -> int:
        return 0


class _Attempt:
    """One attempt, and the timer that fires when it is late, and again when its time is over.

    The request runs in the calling task, and the timer cancels the task to end it, as asyncio.timeout does: a task for
    each request would cost several times as much.
    """

    __slots__ = ("_began", "_cancelled", "_hedge", "_into", "_is_ended", "_limit", "_looked", "_loop", "_scratch",
                 "_send", "_size", "_spans", "_state", "_storage", "_task", "_timer", "_wakes", "span")  # fmt: skip

    def __init__(
        self, storage: Storage, spans: Sequence[Span], into: Sequence[memoryview], state: LinkState
    ) -> None:
        self._storage = storage
        self._send = storage.read_async if len(spans) == 1 else storage.read_over_async
        self._spans = spans
        self._into = into
        self.span = spans[0][0], spans[-1][1]
        self._size = self.span[1] - self.span[0]
        self._state = state
        self._loop = asyncio.get_running_loop()
        self._task = cast("asyncio.Task[Any]", asyncio.current_task(self._loop))
        self._cancelled = _cancelled(self._task)

    async def run(self, limit: float) -> None:
        """Read once, until the time `limit` at most."""
        self._looked = False
        self._is_ended = False  # whether this attempt has cancelled its task
        self._hedge: asyncio.Task[None] | None = None
        self._began = began = now()
        self._limit = limit
        self._wake_at(began + self._late_after())
        self._state.counters.requests += 1
        try:
            if not await self._first():
                self._second()
        finally:
            self._timer.cancel()
            if self._hedge is not None:
                self._hedge.cancel()
                await asyncio.wait({self._hedge}, timeout=CANCEL_SECONDS)
        self._state.latency.add(now() - began, self._size)
        self._state.counters.bytes += self._size

    async def _first(self) -> bool:
        """The first request. Returns False if it was cancelled, or failed where the second has succeeded."""
        try:
            await self._send(self._spans, self._into)
        except asyncio.CancelledError:
            if not self._is_ended or self._is_cancelled_by_others():
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
        if self._is_ended and self._is_cancelled_by_others():
            raise asyncio.CancelledError
        return True

    def _second(self) -> None:
        """Copy what the second request has read, if it succeeded."""
        if self._hedge is not None and _succeeded(self._hedge):
            for view, scratch in zip(self._into, self._scratch, strict=True):
                view[:] = scratch
            return
        raise _no_answer(self._storage, self.span, self._limit - self._began)

    def _late_after(self) -> float:
        """Seconds after which a second request is sent."""
        retry, latency = self._state.retry, self._state.latency
        if retry.hedge == 0 or not latency.is_known:
            return retry.timeout
        return max(retry.hedge_least, retry.hedge * latency.usual(self._size, retry.hedge_quantile))

    def _wake_at(self, when: float) -> None:
        self._wakes = min(when, self._limit)
        self._timer = self._loop.call_later(max(0.0, self._wakes - now()), self._wake)

    def _wake(self) -> None:
        if self._wakes >= self._limit:
            self._end()
            return
        if not self._looked:  # the answer may have arrived, and the loop itself may be late
            self._looked = True
            self._wake_at(now() + LOOK)
            return
        self._wake_at(self._limit)
        # If all requests are late, second requests would make it worse.
        counters = self._state.counters
        if counters.hedged < HEDGES + self._state.retry.hedge_share * counters.requests:
            counters.hedged += 1
            counters.requests += 1
            self._scratch = [bytearray(len(view)) for view in self._into]
            into = [memoryview(scratch) for scratch in self._scratch]
            self._hedge = self._loop.create_task(self._send(self._spans, into))
            self._hedge.add_done_callback(self._hedge_ended)

    def _hedge_ended(self, hedge: asyncio.Task[None]) -> None:
        if _succeeded(hedge) and not self._timer.cancelled():
            self._end()

    def _end(self) -> None:
        """Cancel the first request."""
        self._timer.cancel()
        if not self._is_ended:
            self._is_ended = True
            self._task.cancel()

    def _is_cancelled_by_others(self) -> bool:
        """Undo the cancellation by this attempt; whether there was another one."""
        return _uncancel(self._task) > self._cancelled
