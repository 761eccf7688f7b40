"""A small demo dataset."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ddfast import FileWriter

SAMPLES = 20_000
CLASSES = 1000
SMALLEST, LARGEST = 8 << 10, 24 << 10


def demo_samples(n: int = SAMPLES, seed: int = 0) -> Iterator[dict[str, Any]]:
    """Samples like those of an image dataset: a key, 8 to 24 KiB of incompressible bytes, and a label."""
    rng = np.random.default_rng(seed)
    noise = rng.bytes(4 << 20)
    sizes = rng.integers(SMALLEST, LARGEST, n)
    starts = rng.integers(0, len(noise) - LARGEST, n)
    labels = rng.integers(0, CLASSES, n)
    for i, (size, start, label) in enumerate(
        zip(sizes.tolist(), starts.tolist(), labels.tolist(), strict=True)
    ):
        yield {"key": f"{i:08d}.jpg", "image": noise[start : start + size], "label": label}


def write_demo(folder: Path, n: int = SAMPLES, show: bool = True) -> Path:
    """Write the demo dataset (n = 20,000: 330 MB) into ``folder``, with a progress bar. Returns its path."""
    path = folder / "demo.msgpack"
    with FileWriter(path, total=n, desc="write demo dataset", disable=None if show else True) as writer:
        for sample in demo_samples(n):
            writer.write(sample)
    return path
