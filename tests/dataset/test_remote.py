"""Remote datasets: the same samples as from local files, for every way of reading."""

from __future__ import annotations

import asyncio
import errno
import gc
import os
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from queue_readers import QueueReader

from ddfast import AsyncReader, FileWriter, MsgpackReader
from ddfast._native.engine import Engine
from ddfast._native.offsets import OffsetTable
from ddfast._native.remote_queue import RemotePiece
from ddfast.dataset.base import BaseDataset
from ddfast.dataset.remote import RemoteDataset, RemoteShard
from ddfast.errors import (
    CorruptSampleError,
    CorruptSpanError,
    ReadError,
    SampleIndexError,
    StorageTimeoutError,
    TooManyFieldsError,
)
from ddfast.format.keys import Keys
from ddfast.index import build_key_table, open_checksums, open_offsets
from ddfast.reader.sharded import ShardedReader
from ddfast.storage.transfer.session import TransferLog

SAMPLES = 400


class Server(QueueReader):
    """A reader of a remote queue as a dataset's session starts it."""

    def close(self, timeout: float = 0) -> bool:  # type: ignore[override]
        super().close()
        return True


class Session:
    """Serves files from memory."""

    max_gap = 1 << 16
    max_read = 1 << 18
    read_timeout = 0.0
    transfers = TransferLog()

    def __init__(
        self, files: Sequence[bytes], deal: Callable[[RemotePiece], bool] = lambda piece: False
    ) -> None:
        self.files = files
        self.servers: list[Server] = []
        self.failures: dict[str, Exception] = {}
        self.closed = 0
        self._deal = deal

    def serve(self, engine: Engine) -> Server:
        self.servers.append(Server(engine, self.files, deal=self._deal))
        return self.servers[-1]

    def failure(self, reason: str) -> Exception | None:
        return self.failures.get(reason)

    def close(self) -> None:
        self.closed += 1


class RemoteReader(MsgpackReader):
    """A reader whose dataset is given."""

    def __init__(self, dataset: BaseDataset, **options: Any) -> None:
        self._given = dataset
        super().__init__("remote", **options)

    def _open_dataset(self) -> Any:
        return self._given


class AsyncRemoteReader(AsyncReader):
    """The same without blocking."""

    def __init__(self, dataset: BaseDataset, **options: Any) -> None:
        self._given = dataset
        super().__init__("remote", **options)

    async def _open_dataset(self) -> BaseDataset:
        return self._given


def write(path: Path, first: int) -> Path:
    rng = np.random.default_rng(first)
    with FileWriter(path, disable=True) as writer:
        for i in range(first, first + SAMPLES):
            data = rng.bytes(int(rng.integers(0, 5000)))
            writer.write({"key": str(i), "label": i, "image": rng.integers(0, 9, (3, 4)), "data": data})
    return path


def remote(paths: Sequence[Path], session: Session | None = None, verified: bool = False) -> RemoteDataset:
    """What is in some files, as if they were far away."""
    shards = [shard_of(path, verified) for path in paths]

    def keys() -> list[str]:
        return [key for path in paths for key in Keys(path)]

    session = session or Session([path.read_bytes() for path in paths])
    return RemoteDataset("far", shards, session, keys=keys, key_table=lambda: build_key_table(keys()))


def shard_of(path: Path, verified: bool) -> RemoteShard:
    size = path.stat().st_size
    sums = open_checksums(path, SAMPLES) if verified else None
    return RemoteShard(f"far/{path.name}", size, open_offsets(path, size), sums)


@pytest.fixture(params=[1, 3])
def paths(request: pytest.FixtureRequest, tmp_path: Path) -> list[Path]:
    return [write(tmp_path / f"{i}.msgpack", i * SAMPLES) for i in range(request.param)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write(tmp_path / "0.msgpack", 0)


def plain(samples: Any) -> list[Any]:
    """Samples as values that can be compared."""
    return [{**sample, "image": sample["image"].tolist()} for sample in samples]


@pytest.mark.parametrize("shuffle", [False, True, "block"])
def test_batches_are_those_of_local_files(paths: list[Path], shuffle: Any) -> None:
    options = {"shuffle": shuffle, "seed": 3, "rank": 1, "world_size": 2}
    with ShardedReader(paths) as local, RemoteReader(remote(paths)) as far:
        for near, batch in zip(local.batches(32, **options), far.batches(32, **options), strict=True):
            assert batch.indices.tolist() == near.indices.tolist()
            assert batch["label"].tolist() == near["label"].tolist()
            assert plain(batch) == plain(near)
            assert list(batch.keys) == list(near.keys)


def test_asynchronous_batches_are_those_of_local_files(paths: list[Path], arun: Callable[..., Any]) -> None:
    async def all_of(reader: AsyncReader) -> list[Any]:
        async with reader:
            batches = [batch async for batch in reader.batches(50, shuffle=True, seed=1)]
            many = await reader.get_many([5, 3, -1, 5])
            return [plain(batch) for batch in [*batches, many]]

    assert arun(all_of(AsyncRemoteReader(remote(paths)))) == arun(all_of(AsyncReader(paths)))


def test_single_samples_and_slices_are_those_of_local_files(paths: list[Path]) -> None:
    session = Session([path.read_bytes() for path in paths])
    with ShardedReader(paths) as local, RemoteReader(remote(paths, session)) as far:
        assert len(far) == len(local)
        for index in (0, 7, len(local) - 1, -1, -len(local)):
            assert plain([far.get(index)]) == plain([local.get(index)])
            assert far.get(index, raw=True) == local.get(index, raw=True)
            assert far.get(index, raw=True, copy=False) == local.get(index, raw=True)
        served = sum(len(server.served) for server in session.servers)
        assert plain(far) == plain(local)
        assert sum(len(server.served) for server in session.servers) - served < 60
        assert [bytes(raw) for raw in far.rawiter()] == list(local.rawiter())
        assert plain(far.slice(350, 380)) == plain(local.slice(350, 380))
        assert plain(far.get_many([9, 2, 9])) == plain(local.get_many([9, 2, 9]))
        assert list(far.keys()) == list(local.keys())
        assert far.find_index("17") == 17
        assert "no such key" not in far
        with pytest.raises(SampleIndexError, match="out of range"):
            far.get(len(local))
    assert session.closed == 1


def test_iterating_reads_ahead(path: Path) -> None:
    session = Session([path.read_bytes()])
    with RemoteReader(remote([path], session)) as reader:
        samples = iter(reader)
        assert next(samples)["label"] == 0
        deadline = time.monotonic() + 30
        while sum(stop - start for _, start, stop in session.servers[0].served) < len(session.files[0]):
            assert time.monotonic() < deadline
        assert next(samples)["label"] == 1


def test_a_closed_reader_opens_again(path: Path) -> None:
    session = Session([path.read_bytes()])
    reader = RemoteReader(remote([path], session))
    for _ in range(2):
        assert reader.get(3)["label"] == 3
        assert next(iter(reader.batches(4)))["label"].tolist() == [0, 1, 2, 3]
        reader.close()
    assert len(session.servers) == 2
    assert all(not server._thread.is_alive() for server in session.servers)


@pytest.mark.parametrize("sharded", [False, True])
def test_one_engine_and_one_thread_serve_single_samples_and_batches(
    paths: list[Path], sharded: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    engines: list[Engine] = []

    def new_engine(*args: Any, **kwargs: Any) -> Engine:
        engines.append(Engine(*args, **kwargs))
        return engines[-1]

    monkeypatch.setattr("ddfast.loading.fetcher.Engine", new_engine)
    before = set(threading.enumerate())
    session = Session([path.read_bytes() for path in paths])
    reader: Any = RemoteReader(remote(paths, session))
    if sharded:
        monkeypatch.setattr(
            "ddfast.reader.sharded.open_files", lambda *args, **kwargs: remote(paths, session)
        )
        reader = ShardedReader([f"https://localhost/{path.name}" for path in paths])
    with reader:
        assert reader.get(3)["label"] == 3
        assert next(iter(reader.batches(4)))["label"].tolist() == [0, 1, 2, 3]
        assert reader.get(5, raw=True)
        assert len(reader.get_many([1, 2])) == 2
        assert next(iter(reader))["label"] == 0
        started = set(threading.enumerate()) - before
        assert started == {server._thread for server in session.servers}
        assert len(started) == len(engines) == 1
    assert set(threading.enumerate()) == before


def test_a_dropped_reader_ends_its_server(path: Path) -> None:
    session = Session([path.read_bytes()])
    reader = RemoteReader(remote([path], session))
    assert reader.get(3)["label"] == 3
    stream = reader.batches(4)
    assert len(session.servers) == 1
    del reader, stream
    gc.collect()
    assert all(not server._thread.is_alive() for server in session.servers)


@pytest.mark.parametrize("damaged", [0, 123])
def test_samples_are_verified(paths: list[Path], damaged: int) -> None:
    files = [bytearray(path.read_bytes()) for path in paths]
    number, local = len(paths) - 1, damaged
    stop = open_offsets(paths[number], len(files[number])).span(local)[1]
    files[number][stop - 1] ^= 1
    dataset = remote(paths, Session([bytes(content) for content in files]), verified=True)
    index = number * SAMPLES + local
    with RemoteReader(dataset) as reader:
        for read in (lambda: reader.get(index), lambda: reader.get_many([1, index])):
            with pytest.raises(
                CorruptSampleError, match=rf"far/{number}\.msgpack: sample {local}\b.*checksum"
            ):
                read()
        assert reader.get(index + 1)["label"] == index + 1


def test_damage_is_told_with_file_and_sample(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[open_offsets(path, len(content)).span(5)[0]] = 0xC1
    with RemoteReader(remote([path], Session([bytes(content)]))) as reader:
        for read in (lambda: reader.get(5), lambda: reader.get_many([4, 5])):
            with pytest.raises(CorruptSampleError, match=r"far/0\.msgpack: sample 5 is damaged at byte 0"):
                read()
        assert len(list(reader.slice(0, 5))) == 5


def test_damaged_offsets_are_told(path: Path) -> None:
    content = path.read_bytes()
    table = np.fromfile(path.with_name(path.name + ".offsets"), ">u8")
    table[8] = 1 << 60
    shard = RemoteShard("far/x", len(content), OffsetTable(table.tobytes(), len(content)))
    dataset = RemoteDataset(
        "far", [shard], Session([content]), keys=list, key_table=lambda: build_key_table([])
    )
    with RemoteReader(dataset) as reader:
        with pytest.raises(CorruptSpanError, match=r"far/x: sample 7: its offsets are not a range.*Restore"):
            reader.get(7)
        assert reader.get(6)["label"] == 6


def test_too_many_fields_are_told_as_of_files(tmp_path: Path) -> None:
    path = tmp_path / "x.msgpack"
    with FileWriter(path, disable=True) as writer:
        writer.write({"key": "a", **{f"field {i}": i for i in range(5000)}})
    with (
        RemoteReader(remote([path])) as reader,
        pytest.raises(TooManyFieldsError, match=r"far: the 1 samples of a batch .*Choose columns="),
    ):
        reader.get_many([0]).to_dict()


def test_the_error_behind_a_failed_read_is_raised(path: Path) -> None:
    def deal(piece: RemotePiece) -> bool:
        piece.fail(errno.ETIMEDOUT, "number 17")
        return True

    session = Session([b""], deal)
    with RemoteReader(remote([path], session)) as reader:
        with pytest.raises(ReadError, match=r"number 17: cannot read far/0\.msgpack: sample 4"):
            reader.get(4)
        with pytest.raises(ReadError, match=r"number 17: cannot read far/0\.msgpack") as caught:
            reader.get_many([4])
        assert caught.value.errno == errno.ETIMEDOUT
        session.failures["number 17"] = StorageTimeoutError("far/0.msgpack: no answer after 3 attempts")
        for read in (lambda: reader.get(4), lambda: next(iter(reader.batches(8)))):
            with pytest.raises(StorageTimeoutError, match="3 attempts"):
                read()


def test_a_server_that_never_answers_does_not_hold_up_closing(path: Path) -> None:
    held: list[RemotePiece] = []

    def deal(piece: RemotePiece) -> bool:
        held.append(piece)
        return True

    reader = RemoteReader(remote([path], Session([b""], deal)), timeout=0.3)
    with pytest.raises(StorageTimeoutError, match="does not respond"):
        reader.get_many([4])
    stream = reader.batches(8)
    reader.close()
    assert held
    assert all(piece.cancelled for piece in held)
    held.clear()
    del stream


def test_closing_in_the_middle_of_asynchronous_batches(path: Path, arun: Callable[..., Any]) -> None:
    async def some(reader: AsyncReader) -> int:
        async with reader:
            async for batch in reader.batches(8):
                await asyncio.sleep(0)
                return len(batch)
        return 0

    assert arun(some(AsyncRemoteReader(remote([path])))) == 8


def test_a_forked_child_is_served_anew(path: Path) -> None:
    session = Session([path.read_bytes()])
    with RemoteReader(remote([path], session)) as reader:
        assert reader.get(1)["label"] == 1
        child = os.fork()
        if child == 0:
            status = 1
            try:
                good = reader.get(2)["label"] == 2 and len(reader.get_many([3, 4])) == 2
                reader.close()
                status = 0 if good and len(session.servers) == 2 else 2
            finally:
                os._exit(status)
        assert os.waitpid(child, 0)[1] == 0
        assert reader.get(3)["label"] == 3


def test_damaged_samples_can_be_skipped(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[open_offsets(path, len(content)).span(5)[0]] = 0xC1
    with RemoteReader(remote([path], Session([bytes(content)])), on_error="skip") as reader:
        wanted = [i for i in range(SAMPLES) if i != 5]
        assert [sample["label"] for sample in reader] == wanted
        assert [label for batch in reader.batches(16) for label in batch["label"].tolist()] == wanted
