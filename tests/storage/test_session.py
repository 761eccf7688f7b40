"""Readers of remote datasets."""

from __future__ import annotations

import random

import pytest
from transfer_doubles import Memory, passing

from ddfast import FileWriter, MsgpackReader
from ddfast.dataset.remote import RemoteDataset, RemoteShard
from ddfast.errors import StorageDeniedError, StorageError
from ddfast.index import build_key_table, open_offsets
from ddfast.storage import LocalStorage
from ddfast.storage.transfer.retry import RetryPolicy
from ddfast.storage.transfer.session import TransferSession

COUNT = 300


@pytest.fixture
def paths(tmp_path):
    found = []
    for shard in range(2):
        path = tmp_path / f"{shard}.msgpack"
        draw = random.Random(shard)
        with FileWriter(path, disable=True) as writer:
            for i in range(COUNT):
                writer.write(
                    {"key": f"{shard}-{i}", "label": i, "data": draw.randbytes(draw.randrange(5000))}
                )
        found.append(path)
    return found


def remote(paths, session):
    shards = [RemoteShard(str(path), size := path.stat().st_size, open_offsets(path, size)) for path in paths]
    keys = [f"{shard}-{i}" for shard in range(len(paths)) for i in range(COUNT)]
    return RemoteDataset(
        "remote", shards, session, keys=lambda: keys, key_table=lambda: build_key_table(keys)
    )


class RemoteReader(MsgpackReader):
    """A reader whose dataset is given."""

    def __init__(self, dataset, **options):
        self._given = dataset
        super().__init__("remote", **options)

    def _open_dataset(self):
        return self._given


def local(paths):
    samples = []
    for path in paths:
        with MsgpackReader(path) as reader:
            samples += list(reader)
    return samples


def test_readers_give_what_local_ones_do(paths):
    session = TransferSession([LocalStorage(str(path)) for path in paths])
    expected = local(paths)
    with RemoteReader(remote(paths, session)) as reader:
        assert list(reader) == expected
        assert [sample for batch in reader.batches(64) for sample in batch] == expected
        assert reader.get(COUNT) == expected[COUNT]
    assert session.counters.bytes >= sum(path.stat().st_size for path in paths)
    assert session.counters.in_flight == 0
    assert session.max_gap == 4096
    assert session.max_read >= 1 << 20


def test_faults_that_pass_are_not_seen_by_readers(paths):
    draw = random.Random(3)

    def deal(number):
        if draw.random() < 0.2:
            raise passing()
        return 0.0

    session = TransferSession(
        [Memory(path.read_bytes(), deal) for path in paths], RetryPolicy(retries=40, backoff=0.0)
    )
    with RemoteReader(remote(paths, session)) as reader:
        assert [sample for batch in reader.batches(16, shuffle=True) for sample in batch] != []
        assert list(reader) == local(paths)


def test_readers_raise_what_the_storage_raised(paths):
    denied = StorageDeniedError("train.msgpack must not be read")

    def deal(number):
        raise denied

    with RemoteReader(remote(paths, TransferSession([Memory(b"", deal)] * 2))) as reader:
        with pytest.raises(StorageDeniedError) as caught:
            next(iter(reader.batches(16)))
        assert caught.value is denied


@pytest.mark.parametrize("text", ["x" * 3000, "ü\0€" * 900, "\0", "\udc80 of a path", ""])
def test_errors_are_known_by_reasons_of_any_text(paths, text):
    denied = StorageDeniedError(text)

    def deal(number):
        raise denied

    with RemoteReader(remote(paths, TransferSession([Memory(b"", deal)] * 2))) as reader:
        for read in (lambda: next(iter(reader.batches(16))), lambda: reader.get(3)):
            with pytest.raises(StorageDeniedError) as caught:
                read()
            assert caught.value is denied


def test_a_storage_that_fails_as_a_whole_is_not_asked_again_for_each_batch(paths):
    memory = Memory(b"", lambda number: (_ for _ in ()).throw(passing()))
    with RemoteReader(remote(paths, TransferSession([memory] * 2, RetryPolicy(retries=0), most=1))) as reader:
        batches = reader.batches(4)
        with pytest.raises(StorageError, match="connection reset"):
            next(batches)
    assert len(memory.asked) < 8


def test_what_was_counted_stays_when_all_is_closed(paths):
    session = TransferSession([LocalStorage(str(path)) for path in paths])
    with RemoteReader(remote(paths, session)) as reader:
        assert len(list(reader)) == 2 * COUNT
        assert reader.stats().requests == session.counters.requests > 0
    assert reader.stats().bytes_fetched == session.counters.bytes > 0


def test_storages_are_opened_again_after_they_were_closed(paths):
    session = TransferSession([LocalStorage(str(path)) for path in paths])
    for _ in range(2):
        with RemoteReader(remote(paths, session)) as reader:
            assert reader.get(1) == local(paths)[1]
