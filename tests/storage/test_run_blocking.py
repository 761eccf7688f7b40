"""Coroutines that never suspend are run without an event loop."""

import asyncio

import pytest

from ddfast.storage.base import run_blocking


def test_the_result_and_the_error_of_a_coroutine_are_passed_on():
    async def divide(a, b):
        return a / b

    assert run_blocking(divide(6, 3)) == 2
    with pytest.raises(ZeroDivisionError):
        run_blocking(divide(6, 0))


def test_a_coroutine_that_suspends_is_refused_and_closed():
    ended = []

    async def sleep():
        try:
            await asyncio.sleep(0)
        finally:
            ended.append(True)

    with pytest.raises(RuntimeError, match="awaited an event loop"):
        run_blocking(sleep())
    assert ended == [True]
