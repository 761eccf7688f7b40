"""Full passes over a web server that fails: every sample is right, or the documented error is raised in time."""

from __future__ import annotations

import gc
import itertools
import random
import socket
import threading
import time

import pytest
from datasets import beside, some_samples, write
from rangeserver import serving

from ddfast import AsyncReader, MsgpackReader
from ddfast.errors import (
    DatasetReplacedError,
    StorageDeniedError,
    StorageError,
    StorageNotFoundError,
    StorageTimeoutError,
)
from ddfast.reader import ShardedReader
from ddfast.storage import RetryPolicy

pytest.importorskip("obstore")

COUNT = 400
QUICK = RetryPolicy(timeout=30, attempt_timeout=0.4, retries=60, backoff=0.005, max_backoff=0.05)
SHORT = RetryPolicy(timeout=1.0, attempt_timeout=0.4, retries=60, backoff=0.01, max_backoff=0.1)

# Faults of a server after which another attempt succeeds.
PASSING = [503, 429, 500, 408, "reset", "reset_after_half", "serve_half", "trickle", "stall",
           "stall_after_half"]  # fmt: skip


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return write(tmp_path_factory.mktemp("faults") / "0.msgpack", some_samples(COUNT))


@pytest.fixture
def site(path):
    suffixes = ("", ".offsets", ".keys", ".key_hashes")
    with serving({f"/0.msgpack{suffix}": beside(path, suffix).read_bytes() for suffix in suffixes}) as site:
        yield site


@pytest.fixture
def url(site):
    return f"{site.url}/0.msgpack"


@pytest.fixture(autouse=True)
def nothing_is_left():
    """Neither a thread of this package nor a request remains."""
    yield
    gc.collect()
    deadline = time.monotonic() + 5
    while (left := _ours()) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not left


def _ours():
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("ddfast")]


def sometimes(act, share, seed=1):
    draw = random.Random(seed)
    return lambda number: act if draw.random() < share else None


def labels_of(url, face, arun, **options):
    """The labels of all samples, in a shuffled order by batches, and one by one in theirs."""
    if face == "blocking":
        with MsgpackReader(url, **options) as reader:
            batches = [
                label for batch in reader.batches(16, shuffle=True) for label in batch["label"].tolist()
            ]
            return batches, [sample["label"] for sample in reader], reader.stats()

    async def read():
        async with AsyncReader(url, **options) as reader:
            batches = [
                label async for batch in reader.batches(16, shuffle=True) for label in batch["label"].tolist()
            ]
            return batches, [sample["label"] async for sample in reader.samples()], reader.stats()

    return arun(read())


@pytest.mark.parametrize("act", PASSING)
@pytest.mark.parametrize("face", ["blocking", "async"])
def test_a_pass_survives_what_passes(url, site, arun, act, face):
    slow = act in ("trickle", "stall", "stall_after_half")
    expected = labels_of(url, face, arun)[0]
    site.act = sometimes(act, 0.1 if slow else 0.3)
    options = {"retry": QUICK, "queue_depth": 8}
    shuffled, ordered, stats = labels_of(url, face, arun, **options)
    assert shuffled == expected
    assert ordered == list(range(COUNT))
    assert stats.retries + stats.hedged > 0


def test_a_pass_survives_a_burst_of_refusals(url, site, arun):
    with MsgpackReader(url, retry=QUICK) as reader:
        batches = reader.batches(16)
        seen = [next(batches)["label"].tolist()]
        site.script.extend([503] * 40)
        seen += [batch["label"].tolist() for batch in batches]
        assert list(itertools.chain(*seen)) == list(range(COUNT))


def test_single_samples_survive_what_passes(url, site):
    with MsgpackReader(url, retry=QUICK) as reader:
        site.script.extend([503, "reset", "serve_half", "stall"])
        assert reader.get(7)["label"] == 7
        assert reader.stats().retries >= 3


def test_opening_survives_what_passes(url, site):
    site.script.extend([503, "reset", 500, "serve_half", None, "stall"])
    with MsgpackReader(url, retry=QUICK) as reader:
        assert len(reader) == COUNT


def test_looking_for_keys_survives_what_passes(url, site):
    with MsgpackReader(url, retry=QUICK) as reader:
        site.script.extend([503, "serve_half", "reset"])
        assert reader.find_index("sample 5 ß") == 5


READS = {
    "get": lambda reader: reader.get(199),
    "get_many": lambda reader: reader.get_many([3, 300]),
    "batches": lambda reader: list(reader.batches(4)),
    "iteration": list,
    "keys": lambda reader: reader.find_key(2),
    "find": lambda reader: "x" in reader,
}


@pytest.mark.parametrize("read", READS)
@pytest.mark.parametrize("act", ["stall", "trickle", 503, "reset"])
def test_a_dead_server_is_told_in_time(url, site, act, read):
    with MsgpackReader(url, retry=SHORT, on_error="skip") as reader:
        site.act = lambda number: act
        message = r"0\.msgpack: bytes [\d,]+ to [\d,]+ did not arrive within 1 s and \d+ attempts"
        if read in ("keys", "find"):
            message = r"0\.msgpack\.key.* did not arrive within 1 s and \d+ attempts?"
        begin = time.monotonic()
        with pytest.raises(StorageTimeoutError, match=message) as caught:
            READS[read](reader)
        assert time.monotonic() - begin < 3.5
        assert caught.value.attempts > 1 or act in ("stall", "trickle")
    assert time.monotonic() - begin < 8


def test_a_server_that_is_gone_is_told_when_opening():
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    begin = time.monotonic()
    with pytest.raises(StorageError, match=rf"http://127\.0\.0\.1:{port}/x\.msgpack"):
        MsgpackReader(f"http://127.0.0.1:{port}/x.msgpack", timeout=1)
    assert time.monotonic() - begin < 8


def test_the_readers_timeout_is_that_of_a_read(url, site):
    with MsgpackReader(url, timeout=0.9) as reader:
        site.act = lambda number: "stall"
        begin = time.monotonic()
        with pytest.raises(StorageTimeoutError, match=r"did not arrive within 0\.9 s and \d attempts"):
            next(reader.batches(4))
        assert time.monotonic() - begin < 4


def test_a_batch_fails_in_time_where_it_is_awaited(url, site, arun):
    async def read():
        async with AsyncReader(url, retry=SHORT) as reader:
            site.act = lambda number: "stall"
            begin = time.monotonic()
            with pytest.raises(StorageTimeoutError, match="did not arrive within 1 s"):
                async for _ in reader.batches(4):
                    pass
            assert time.monotonic() - begin < 3.5
            site.act = lambda number: None
            site.go_on.set()
            return (await reader.get(3))["label"]

    assert arun(read()) == 3


LASTING = {
    401: StorageDeniedError,
    403: StorageDeniedError,
    404: StorageNotFoundError,
    "ignore_range": StorageError,
    "chunk_half": StorageError,
}


@pytest.mark.parametrize("act", LASTING)
def test_what_does_not_pass_is_told_at_once(url, site, act):
    with MsgpackReader(url, retry=QUICK) as reader:
        site.act = lambda number: act
        for read in (lambda: reader.get(3), lambda: list(reader.batches(4)), lambda: list(reader)):
            count = len(site.requests)
            with pytest.raises(LASTING[act], match=r"0\.msgpack"):
                read()
            assert len(site.requests) - count < 40
        assert reader.stats().retries < 3  # of connections that broke off before the answer


@pytest.mark.parametrize("face", ["blocking", "async"])
def test_a_dataset_that_is_replaced_in_the_middle_of_a_pass_is_told(url, site, arun, face):
    def replace_then(number):
        if number == 12:
            site.versions["/0.msgpack"] = 1

    site.act = replace_then
    with pytest.raises(DatasetReplacedError, match=r"0\.msgpack was replaced while it was in use"):
        labels_of(url, face, arun, retry=QUICK, queue_depth=2, prefetch_bytes=1)


def test_a_shard_that_fails_is_named(url, site):
    for suffix in ("", ".offsets"):
        site.objects[f"/1.msgpack{suffix}"] = site.objects[f"/0.msgpack{suffix}"]
    with ShardedReader([url, f"{site.url}/1.msgpack"]) as reader:
        del site.objects["/1.msgpack"]
        assert reader.get(0)["label"] == 0
        with pytest.raises(StorageNotFoundError, match=r"1\.msgpack"):
            reader.get(COUNT)


def test_memory_stays_within_the_budget(tmp_path):
    samples = [{"key": str(i), "data": bytes(10_000)} for i in range(1000)]
    path = write(tmp_path / "x.msgpack", samples)
    limit = 2 << 20
    with serving({f"/x{suffix}": beside(path, suffix).read_bytes() for suffix in ("", ".offsets")}) as site:
        site.act = lambda number: "pause" if number % 50 == 0 else None
        with MsgpackReader(f"{site.url}/x", prefetch_bytes=limit) as reader:
            used = [reader._fetcher.pool.used for _ in reader.batches(16, shuffle=True)]
    group = 1 << 20  # that was delivered last does not count
    assert max(used) <= 1.2 * limit + group


def test_closing_in_the_middle_of_stalled_reads_is_quick(url, site):
    reader = MsgpackReader(url)
    site.act = lambda number: "stall"
    batches = reader.batches(16)
    time.sleep(0.1)
    begin = time.monotonic()
    reader.close()
    assert time.monotonic() - begin < 8
    del batches


def test_leaving_a_loop_over_stalled_reads_is_quick(url, site, arun):
    async def read():
        import asyncio

        async with AsyncReader(url) as reader:
            site.act = lambda number: "stall"
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(reader.get(1), 0.2)
            begin = time.monotonic()
        return time.monotonic() - begin

    assert arun(read()) < 3
