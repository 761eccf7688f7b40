"""The samples for the measurements, which are equal in each run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ddfast import FileWriter
from ddfast.reader import MsgpackReader

SAMPLES = 5000


def image(i: int) -> dict[str, Any]:
    """A typical sample."""
    return {
        "key": f"n{i % 1000:07}/{i:07}.jpg",
        "image": np.random.default_rng(i).bytes(200 + i * 7919 % 200),
        "label": i % 1000,
        "box": np.full(4, i, np.float32),
    }


@pytest.fixture(scope="session")
def images() -> list[dict[str, Any]]:
    return [image(i) for i in range(SAMPLES)]


@pytest.fixture(scope="session")
def path(images: list[dict[str, Any]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "images.msgpack"
    with FileWriter(path, disable=True) as writer:
        for sample in images:
            writer.write(sample)
    return path


@pytest.fixture
def reader(path: Path) -> Iterator[MsgpackReader]:
    with MsgpackReader(path) as opened:
        yield opened
