"""Times of the kernels, called through their bindings."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from ddfast._native import msgpack, scan
from ddfast._native.columns import build_table
from ddfast._native.decode import Decoder
from ddfast._native.keys import KeyTable, PackedStrings, hash_keys
from ddfast._native.offsets import OffsetTable
from ddfast._native.order import Order
from ddfast._native.plan import plan_reads
from ddfast._native.shuffle import shuffle
from ddfast._native.xxh3 import checksums
from ddfast.tools.msgpack import packb

SAMPLES = 5000
SALT = b"saltsalt"

VALUES: dict[str, Callable[[int], Any]] = {
    "int64": lambda i: i * i - 1000,
    "uint64": lambda i: i if i % 2 else 2**64 - 1 - i,
    "float64": lambda i: i / 7,
    "bool": lambda i: i % 3 == 0,
    "complex128": lambda i: complex(i, 2),
    "str": lambda i: str(i) if i % 2 else f"a longer string, größer than a view: {i}",
    "bytes": lambda i: bytes(i % 100),
    "array": lambda i: np.full(16, i, np.float32),
    "arrays": lambda i: np.full(i % 16, i, np.float32),
    "object": lambda i: [i, "two", 3.0],
}
"""By the kind of column that they become."""


@pytest.fixture(scope="session")
def packed(images: list[dict[str, Any]]) -> list[bytes]:
    return [packb(sample) for sample in images]


@pytest.fixture(scope="session")
def ends(packed: list[bytes]) -> np.ndarray[Any, np.dtype[np.uint64]]:
    return np.cumsum([len(sample) for sample in packed], dtype=np.uint64)


@pytest.fixture(scope="session")
def offsets(path: Path) -> OffsetTable:
    table = path.with_name(f"{path.name}.offsets").read_bytes()
    return OffsetTable(table, path.stat().st_size)


@pytest.fixture(scope="session")
def shuffled() -> np.ndarray[Any, np.dtype[np.int64]]:
    return np.random.default_rng(0).permutation(SAMPLES)


@pytest.mark.parametrize("kind", VALUES)
def test_columns(benchmark: BenchmarkFixture, kind: str) -> None:
    packed = [packb({"value": VALUES[kind](i)}) for i in range(2000)]
    table = benchmark(build_table, packed)
    assert table.describe(0)[0] == kind


def test_columns_image(benchmark: BenchmarkFixture, packed: list[bytes]) -> None:
    benchmark(build_table, packed[:2000])


def test_offsets_validate(benchmark: BenchmarkFixture, offsets: OffsetTable) -> None:
    benchmark(offsets.validate)


def test_offsets_spans(benchmark: BenchmarkFixture, offsets: OffsetTable, shuffled: Any) -> None:
    benchmark(offsets.spans, shuffled)


def test_offsets_range(benchmark: BenchmarkFixture, offsets: OffsetTable) -> None:
    benchmark(offsets.span_range, 0, SAMPLES)


def test_plan_sequential(benchmark: BenchmarkFixture, offsets: OffsetTable) -> None:
    benchmark(plan_reads, offsets.span_range(0, SAMPLES), 4096, 1 << 20)


def test_plan_shuffled(benchmark: BenchmarkFixture, offsets: OffsetTable, shuffled: Any) -> None:
    benchmark(plan_reads, offsets.spans(shuffled[: SAMPLES // 4]), 64, 1 << 20)


def test_scan_run(benchmark: BenchmarkFixture, packed: list[bytes]) -> None:
    benchmark(scan.scan_run, b"".join(packed))


def test_msgpack_check_run(benchmark: BenchmarkFixture, packed: list[bytes], ends: Any) -> None:
    benchmark(msgpack.check_run, b"".join(packed), ends)


def test_msgpack_split(benchmark: BenchmarkFixture, packed: list[bytes]) -> None:
    benchmark(msgpack.split, b"".join(packed))


def test_xxh3_parts(benchmark: BenchmarkFixture, packed: list[bytes], ends: Any) -> None:
    benchmark(checksums, b"".join(packed), np.diff(ends, prepend=np.uint64(0)))


def test_keys_hash(benchmark: BenchmarkFixture, images: list[dict[str, Any]]) -> None:
    benchmark(hash_keys, [sample["key"] for sample in images], SALT)


def test_keys_table(benchmark: BenchmarkFixture, images: list[dict[str, Any]]) -> None:
    hashes = hash_keys([sample["key"] for sample in images], SALT)
    benchmark(KeyTable, SALT + hashes.astype(">u8").tobytes())


def test_keys_find(benchmark: BenchmarkFixture, images: list[dict[str, Any]]) -> None:
    keys = [sample["key"] for sample in images]
    table = KeyTable(SALT + hash_keys(keys, SALT).astype(">u8").tobytes())
    assert benchmark(lambda: [table.find(key) for key in keys]) == list(range(SAMPLES))


def test_keys_strings(benchmark: BenchmarkFixture, images: list[dict[str, Any]]) -> None:
    keys = [sample["key"] for sample in images]
    file = b"\xdd" + struct.pack(">I", len(keys)) + b"".join(packb(key) for key in keys)
    assert benchmark(lambda: PackedStrings(file).get_range(0, SAMPLES)) == keys


@pytest.mark.parametrize("order", [False, True, "block"])
def test_order(benchmark: BenchmarkFixture, order: Any) -> None:
    epoch = Order(1281167, order, seed=5, epoch=2, block=100, window=20)
    benchmark(epoch.indices, 12345, 12345 + SAMPLES)


def test_shuffle(benchmark: BenchmarkFixture) -> None:
    words = np.random.default_rng(1).integers(0, 2**32, 4 * SAMPLES, np.uint32)
    items = np.arange(SAMPLES)
    left, _ = benchmark(shuffle, words, items, SAMPLES)
    assert left <= 1


def test_decode(benchmark: BenchmarkFixture, packed: list[bytes]) -> None:
    decoder = Decoder()
    assert benchmark(decoder.unpack, packed[7])["label"] == 7
