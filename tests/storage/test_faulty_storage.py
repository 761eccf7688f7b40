"""The storage for tests fails on demand, and so do files that the system cannot read."""

import asyncio
import errno
import os
import pickle
import threading
import time
from pathlib import Path

import pytest

from ddfast.errors import (
    ClosedError,
    DatasetChangedError,
    DatasetReplacedError,
    ReadError,
    StorageDeniedError,
    StorageError,
    StorageTimeoutError,
)
from ddfast.storage import AnyStorage, LocalStorage, open_storage
from ddfast.testing import Every, Fault, FaultyStorage

CONTENT = bytes(range(256)) * 4


@pytest.fixture
def path(tmp_path):
    (tmp_path / "x").write_bytes(CONTENT)
    return tmp_path / "x"


def read(storage, start=0, stop=100):
    buffer = memoryview(bytearray(stop - start))
    storage.read([(start, stop)], [buffer])
    return bytes(buffer)


@pytest.mark.parametrize(
    ("fault", "kind", "passing"),
    [
        (Fault("error"), StorageError, True),
        (Fault("error", errno.ESTALE), StorageError, True),
        (Fault("error", errno.EINVAL), StorageError, False),
        (Fault("error", errno.EACCES), StorageDeniedError, False),
        (Fault("error", errno.ETIMEDOUT), StorageTimeoutError, True),
        (Fault("short"), StorageError, True),
        (Fault("refused", seconds=2.0), StorageError, True),
        (Fault("replaced"), DatasetReplacedError, False),
    ],
)
def test_fault_comes_when_it_is_due(path, fault, kind, passing):
    with FaultyStorage(path, faults=Every(3, fault, first=1, times=2)) as storage:
        for i in range(10):
            if i not in (1, 4):
                assert read(storage) == CONTENT[:100]
                continue
            with pytest.raises(kind) as caught:
                read(storage)
            assert type(caught.value) is kind
            assert caught.value.passing is passing
            assert caught.value.span == (0, 100)
            assert caught.value.retry_after == (2.0 if fault.kind == "refused" else None)
        assert len(storage.reads) == 10
        assert storage.bytes_read == 800


def test_stalled_read_ends_with_the_storage(path, arun):
    with FaultyStorage(path, faults=Every(1, Fault("stall"))) as storage:
        ended = []

        def stalled():
            with pytest.raises(ClosedError):
                read(storage)
            ended.append(True)

        thread = threading.Thread(target=stalled)
        thread.start()
        while storage.most_in_flight == 0:
            time.sleep(0.001)
        storage.close()
        thread.join(10)
        assert ended == [True]


def test_stalled_asynchronous_read_ends_with_the_storage(path, arun):
    async def stalled():
        async with FaultyStorage(path, faults=Every(1, Fault("stall"))) as storage:
            task = asyncio.create_task(storage.read_async([(0, 5)], [memoryview(bytearray(5))]))
            await asyncio.sleep(0.05)
            await storage.close_async()
            with pytest.raises(ClosedError):
                await task

    arun(stalled())


def test_slow_reads_are_counted_while_they_last(path, arun):
    async def slow(storage):
        into = [memoryview(bytearray(10)) for _ in range(4)]
        await asyncio.gather(*(storage.read_async([(0, 10)], [buffer]) for buffer in into))

    with FaultyStorage(path, latency=0.05, faults=Every(2, Fault("slow", seconds=0.05))) as storage:
        arun(slow(storage))
        assert storage.most_in_flight == 4


def test_object_beside_has_the_same_faults(path, tmp_path):
    (tmp_path / "x.offsets").write_bytes(CONTENT)
    with FaultyStorage(path, faults=Every(2, Fault("error"))) as storage:
        with storage.beside(".offsets") as other, pytest.raises(StorageError):
            read(other)
        with pickle.loads(pickle.dumps(storage)) as other, pytest.raises(StorageError):
            read(other)


@pytest.mark.parametrize("number", [errno.ESTALE, errno.EBADF, errno.ENOTCONN])
def test_file_that_the_system_lost_is_opened_again(path, number):
    class Losing(LocalStorage):
        losses = 1

        def read_some(self, fd, target, position):
            if self.losses:
                self.losses -= 1
                raise OSError(number, os.strerror(number))
            return super().read_some(fd, target, position)

    with Losing(path) as storage:
        storage.stat()
        first = storage._file
        with pytest.raises(StorageError, match=os.strerror(number)) as caught:
            read(storage)
        assert caught.value.passing
        assert read(storage) == CONTENT[:100]
        assert storage._file is not first


def test_short_reads_of_the_system_are_gone_on_with(path):
    class Halting(LocalStorage):
        def read_some(self, fd, target, position):
            return super().read_some(fd, target[:7], position)

    with Halting(path) as storage:
        assert read(storage, 3, 300) == CONTENT[3:300]


def test_file_renamed_over_stays_readable_and_a_cut_one_does_not(path, tmp_path):
    with LocalStorage(path) as storage:
        read(storage)
        (tmp_path / "y").write_bytes(b"other")
        (tmp_path / "y").replace(path)
        assert read(storage) == CONTENT[:100]
        assert storage.stat().size == len(CONTENT)
    with LocalStorage(path) as storage:
        storage.stat()
        os.truncate(path, 2)
        with pytest.raises(DatasetReplacedError, match=r"had 5 bytes .* has 2 bytes") as caught:
            read(storage, 0, 5)
    assert isinstance(caught.value, DatasetChangedError)
    assert isinstance(caught.value, ReadError)


def test_no_descriptor_is_left_open(path):
    folder = Path("/proc/self/fd")
    if not folder.is_dir():
        pytest.skip("needs /proc")

    def is_open():
        return path in [Path(os.path.realpath(link)) for link in folder.iterdir()]

    with open_storage(path) as storage:
        read(storage)
        assert is_open()
    assert not is_open()


def test_what_fsspec_gives_too_little_of_may_pass(path, monkeypatch):
    with AnyStorage(f"local://{path}") as storage:
        monkeypatch.setattr(storage._fs, "cat_file", lambda *_, **__: b"x")
        with pytest.raises(StorageError, match="received 1 bytes instead of 100") as caught:
            read(storage)
        assert caught.value.passing
