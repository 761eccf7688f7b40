"""What tests of several commands share."""

import pytest

from ddfast.commands import _move


@pytest.fixture
def small_batches(monkeypatch):
    """Commands that move samples take several batches even of small datasets."""
    monkeypatch.setattr(_move, "BATCH_BYTES", 5_000)
