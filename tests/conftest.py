"""Fixtures for all tests, and a line that says which ddfast is tested."""

from __future__ import annotations

import asyncio
import importlib.util
import os
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

import ddfast

LOOP = os.environ.get("DDFAST_TEST_LOOP", "asyncio")
if LOOP not in ("asyncio", "uvloop"):
    raise pytest.UsageError(f"DDFAST_TEST_LOOP is 'asyncio' or 'uvloop', not {LOOP!r}")
if importlib.util.find_spec("ddfast._native.status") is None:
    raise pytest.UsageError(
        f"{Path(ddfast.__file__).parent} is a source tree that was never built. Run `pytest`, not "
        "`python -m pytest`, to test the installed ddfast, or build it in place (see CONTRIBUTING.md)."
    )


def pytest_report_header() -> str:
    return f"ddfast: {Path(ddfast.__file__).parent}, event loop: {LOOP}"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "arun" in getattr(item, "fixturenames", ()):
            item.add_marker("aio")


@pytest.fixture
def arun() -> Callable[[Coroutine[Any, Any, Any]], Any]:
    """``arun(coroutine)`` runs it on a fresh loop of the kind that DDFAST_TEST_LOOP names."""
    if LOOP == "uvloop":
        return pytest.importorskip("uvloop").run
    return asyncio.run
