"""All I/O backends deliver the same samples."""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ddfast import AsyncReader, FileWriter, MsgpackReader
from ddfast._native.engine import Engine
from ddfast.errors import DdfastError, UnsupportedIOError

SAMPLES = 700


def offers_io_uring() -> str:
    """Empty, or why there is no io_uring here."""
    try:
        Engine(1, io="uring").stop(1)
    except OSError as error:
        return str(error)
    return ""


needs_uring = pytest.mark.skipif(bool(offers_io_uring()), reason=f"no io_uring: {offers_io_uring()}")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "some.msgpack"
    with FileWriter(path, disable=True) as writer:
        for i in range(SAMPLES):
            writer.write({"key": str(i), "label": i, "data": bytes([i % 251]) * (i * 37 % 9000)})
    return path


def make_cold(path: Path) -> None:
    """Drop the file from the page cache, where the system does that."""
    if hasattr(os, "posix_fadvise"):
        fd = os.open(path, os.O_RDONLY)
        os.fsync(fd)
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(fd)


def blocking_batches(path: Path, io: Any, **options: Any) -> list[tuple[list[int], list[bytes]]]:
    make_cold(path)
    with MsgpackReader(path, io=io) as reader:
        return [
            (batch.indices.tolist(), [bytes(raw) for raw in batch["data"]])
            for batch in reader.batches(64, **options)
        ]


async def async_batches(path: Path, io: Any, **options: Any) -> list[tuple[list[int], list[bytes]]]:
    make_cold(path)
    async with AsyncReader(path, io=io) as reader:
        return [
            (batch.indices.tolist(), [bytes(raw) for raw in batch["data"]])
            async for batch in reader.batches(64, **options)
        ]


@needs_uring
@pytest.mark.parametrize("shuffle", [False, True, "block"])
def test_blocking_batches_are_the_same_with_io_uring(path: Path, shuffle: Any) -> None:
    assert blocking_batches(path, "uring", shuffle=shuffle) == blocking_batches(
        path, "threads", shuffle=shuffle
    )


@needs_uring
@pytest.mark.parametrize("shuffle", [False, True, "block"])
def test_asynchronous_batches_are_the_same_with_io_uring(
    path: Path, shuffle: Any, arun: Callable[..., Any]
) -> None:
    expected = blocking_batches(path, "threads", shuffle=shuffle, seed=3)
    assert arun(async_batches(path, "uring", shuffle=shuffle, seed=3)) == expected


@needs_uring
def test_any_samples_are_the_same_with_io_uring(path: Path) -> None:
    indices = [5, 699, 5, 0, 333, -1]
    make_cold(path)
    with MsgpackReader(path, io="uring", queue_depth=2) as reader:
        batch = reader.get_many(indices)
        assert list(batch["label"]) == [5, 699, 5, 0, 333, 699]


@needs_uring
def test_leaving_early_ends_the_threads_of_io_uring(path: Path, arun: Callable[..., Any]) -> None:
    async def leave() -> Engine:
        make_cold(path)
        async with AsyncReader(path, io="uring") as reader:
            engine = reader._fetcher.engine  # type: ignore[union-attr]
            async for _ in reader.batches(16, shuffle=True):
                return engine
        raise AssertionError("there are batches")

    assert arun(leave()).threads == 0


@needs_uring
def test_a_file_cut_short_is_told_with_io_uring(path: Path) -> None:
    with MsgpackReader(path, io="uring") as reader:
        make_cold(path)
        os.truncate(path, path.stat().st_size // 2)
        with pytest.raises(DdfastError):
            list(reader.batches(64))


REFUSED = """
import ctypes, sys
from ddfast import MsgpackReader
from ddfast.errors import UnsupportedIOError

class Filter(ctypes.Structure):
    _fields_ = [("code", ctypes.c_ushort), ("jt", ctypes.c_ubyte), ("jf", ctypes.c_ubyte), ("k", ctypes.c_uint)]

class Program(ctypes.Structure):
    _fields_ = [("len", ctypes.c_ushort), ("filter", ctypes.POINTER(Filter))]

# io_uring_setup, 425, fails with EPERM: what containers do
code = (Filter * 4)((0x20, 0, 0, 0), (0x15, 0, 1, 425), (0x06, 0, 0, 0x00050001), (0x06, 0, 0, 0x7FFF0000))
libc = ctypes.CDLL(None, use_errno=True)
program = Program(4, code)
assert libc.prctl(38, 1, 0, 0, 0) == 0 and libc.prctl(22, 2, ctypes.byref(program)) == 0
print(sum(len(batch) for batch in MsgpackReader(sys.argv[1], io="auto").batches(64)))
try:
    list(MsgpackReader(sys.argv[1], io="uring").batches(64))
except UnsupportedIOError as error:
    print(error.errno, error)
"""


@needs_uring
def test_where_io_uring_is_forbidden_auto_reads_and_uring_says_so(
    path: Path, run_python: Callable[..., Any]
) -> None:
    result = run_python("-c", REFUSED, str(path))
    assert result.returncode == 0, result.stderr
    read, told = result.stdout.splitlines()
    assert read == str(SAMPLES)
    assert told.startswith(f"{errno.EPERM} ")
    assert "io='threads'" in told


@pytest.mark.skipif(not offers_io_uring(), reason="there is io_uring")
def test_where_there_is_no_io_uring_uring_says_so(path: Path) -> None:
    with pytest.raises(UnsupportedIOError, match="io='threads'"), MsgpackReader(path, io="uring") as reader:
        list(reader.batches(64))


@pytest.mark.parametrize("shuffle", [False, True, "block"])
@pytest.mark.parametrize("verify", [None, "sample"])
def test_batches_are_the_same_past_the_page_cache(
    path: Path, shuffle: Any, verify: Any, arun: Callable[..., Any]
) -> None:
    expected = blocking_batches(path, "threads", shuffle=shuffle, seed=3)
    with MsgpackReader(path, io="direct", verify=verify) as reader:
        found = [
            (batch.indices.tolist(), [bytes(raw) for raw in batch["data"]])
            for batch in reader.batches(64, shuffle=shuffle, seed=3)
        ]
    assert found == expected
    assert arun(async_batches(path, "direct", shuffle=shuffle, seed=3)) == expected


def test_any_samples_are_the_same_past_the_page_cache(path: Path) -> None:
    with MsgpackReader(path, io="direct", queue_depth=2) as reader:
        assert list(reader.get_many([5, 699, 5, 0, 333, -1])["label"]) == [5, 699, 5, 0, 333, 699]
        assert list(reader.get_many([7])["label"]) == [7]


def cached_bytes(path: Path) -> int:
    """Bytes of a file that the page cache holds, as mincore(2) says."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY) as memory:
        pages = -(-len(memory) // mmap.PAGESIZE)
        resident = (ctypes.c_ubyte * pages)()
        start = ctypes.c_char.from_buffer(memory)
        status = ctypes.CDLL(None).mincore(
            ctypes.c_void_p(ctypes.addressof(start)), ctypes.c_size_t(len(memory)), resident
        )
        del start
    assert status == 0
    return sum(page & 1 for page in resident) * mmap.PAGESIZE


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """A dataset that is in no cache, on a file system that can leave it there."""
    path = tmp_path / "large.msgpack"
    with FileWriter(path, disable=True) as writer:
        for i in range(200):
            writer.write({"key": str(i), "data": bytes([i]) * 50_000})
    make_cold(path)
    try:
        os.close(os.open(path, os.O_RDONLY | os.O_DIRECT))
    except (OSError, AttributeError) as error:
        pytest.skip(f"no direct reads here: {error}")
    if cached_bytes(path):
        pytest.skip("the page cache does not let go of files here")
    return path


def test_direct_reads_leave_nothing_in_the_page_cache(large: Path) -> None:
    with MsgpackReader(large, io="direct") as reader:
        assert sum(len(batch) for batch in reader.batches(20, shuffle=True)) == 200
    assert cached_bytes(large) == 0


def test_random_batches_have_nothing_read_that_they_do_not_need(large: Path) -> None:
    with MsgpackReader(large) as reader:
        reader.get_many([7])  # what is missed tells that the file is on disk
        make_cold(large)
        for start in range(0, 200, 40):
            reader.get_many([start])
    assert 5 * 50_000 <= cached_bytes(large) <= 5 * 60_000


def test_auto_and_threads_read_everywhere(path: Path) -> None:
    assert blocking_batches(path, "auto") == blocking_batches(path, "threads")


def test_an_unknown_io_is_refused(path: Path) -> None:
    with pytest.raises(ValueError, match="'fast', not 'auto', 'threads', 'uring' or 'direct'"):
        MsgpackReader(path, io="fast")  # type: ignore[arg-type]
