"""Fixtures for all tests, and a line that says which ddfast is tested."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import stuck_storage

import ddfast

# No test fails because a machine is busy.
hypothesis.settings.register_profile(
    "untimed", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("untimed")

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


@pytest.fixture
def run_python(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """``run_python("-m", "ddfast")`` runs Python on the ddfast that is tested, away from the source tree."""
    env = {**os.environ, "PYTHONPATH": str(Path(ddfast.__file__).parent.parent)}

    def run(*args: str, stdout: int = subprocess.PIPE) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, *args]
        return subprocess.run(
            command,
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            cwd=tmp_path,
            env=env,
            timeout=120,
        )

    return run


@pytest.fixture
def run_with_stuck_storage(tmp_path: Path, run_python: Callable[..., Any]) -> Callable[..., None]:
    """``run(script, *arguments)`` runs Python on storage that can be stuck, see `stuck_storage`."""
    library = stuck_storage.build(tmp_path)

    def run(script: str, *arguments: object) -> None:
        done = run_python("-c", stuck_storage.AGAIN, str(library), script, *map(str, arguments))
        assert done.returncode == 0, done.stderr

    return run
