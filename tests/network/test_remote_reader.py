"""Readers of datasets under URLs: the same samples as from files, with few requests."""

from __future__ import annotations

import copy
import gc
import pickle
import time
from urllib.parse import urlsplit

import numpy as np
import pytest
from datasets import beside, descriptors, offsets_of, some_samples, write, write_checksums
from rangeserver import serving

from ddfast import AsyncReader, MsgpackReader
from ddfast._native.keys import hash_key
from ddfast.errors import (
    ChecksumsNotFoundError,
    ClosedError,
    CorruptSampleError,
    DatasetNotFoundError,
    DatasetReplacedError,
    IndexFileError,
    SampleKeyError,
    StorageOptionError,
    UnsupportedIOError,
)
from ddfast.reader import ListReader, ShardedReader
from ddfast.storage import RetryPolicy

obstore = pytest.importorskip("obstore")

SUFFIXES = ("", ".offsets", ".keys", ".key_hashes", ".xxh3")
SAMPLES = some_samples(300)


def files_of(path, name):
    """The files of a dataset on a server."""
    return {
        f"/{name}{suffix}": beside(path, suffix).read_bytes()
        for suffix in SUFFIXES
        if beside(path, suffix).exists()
    }


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    folder = tmp_path_factory.mktemp("remote")
    parts = [SAMPLES[:120], SAMPLES[120:121], SAMPLES[121:]]
    return [write_checksums(write(folder / f"{i}.msgpack", part)) for i, part in enumerate(parts)]


@pytest.fixture
def site(paths):
    objects = {}
    for i, path in enumerate(paths):
        objects |= files_of(path, f"{i}.msgpack")
    with serving(objects) as site:
        yield site


@pytest.fixture
def urls(site):
    return [f"{site.url}/{i}.msgpack" for i in range(3)]


def plain(samples):
    """Samples as values that can be compared."""
    return [{**sample, "array": sample["array"].tolist()} for sample in samples]


def data_requests(site):
    return [path for _, path, _ in site.requests if path.endswith(".msgpack")]


# -- the same as files


def test_a_reader_gives_what_is_in_the_file(paths, urls):
    with MsgpackReader(paths[0]) as local, MsgpackReader(urls[0]) as remote:
        assert len(remote) == len(local)
        assert plain(remote) == plain(local)
        assert plain([remote.get(7), remote.get(-1), remote[3]]) == plain(
            [local.get(7), local.get(-1), local[3]]
        )
        assert list(remote.rawiter()) == list(local.rawiter())
        assert list(remote.keys()) == list(local.keys())
        assert remote.find_index("sample 17 ß") == 17
        assert "sample 17 ß" in remote
        assert "sample 170 ß" not in remote
        with pytest.raises(SampleKeyError, match="no sample with key"):
            remote.find_index("nothing")
        assert remote.find_index(np.str_("sample 17 ß")) == 17
        assert all(key not in remote for key in (17, b"sample 17", None))
        with pytest.raises(TypeError, match=r"use key\.decode\(\)"):
            remote.find_index(b"sample 17")


@pytest.mark.parametrize("shuffle", [False, True, "block"])
def test_batches_of_shards_are_those_of_the_files(paths, urls, shuffle):
    arguments = {"shuffle": shuffle, "seed": 5, "rank": 1, "world_size": 2}
    with ShardedReader(paths) as local, ShardedReader(urls, verify="sample") as remote:
        for expected, batch in zip(
            local.batches(16, **arguments), remote.batches(16, **arguments), strict=True
        ):
            assert plain(batch) == plain(expected)
            assert list(batch.keys) == list(expected.keys)
            assert batch["label"].tolist() == expected["label"].tolist()
        assert remote.find_index("sample 200 ß") == 200
        assert remote.find_key(120) == "sample 120 ß"


def test_asynchronous_reading_is_the_same(arun, paths, urls):
    async def all_of(reader):
        async with reader:
            batches = [plain(batch) async for batch in reader.batches(20, shuffle=True)]
            samples = plain([sample async for sample in reader.samples()])
            return batches, samples, await reader.find_index("sample 3 ß"), plain([await reader.get(-2)])

    assert arun(all_of(AsyncReader(urls))) == arun(all_of(AsyncReader(paths)))


def test_paths_and_urls_may_be_shards_of_one_dataset(paths, urls):
    mixed = [paths[0], urls[1], f"file://{paths[2]}"]
    with ShardedReader(paths) as local, ShardedReader(mixed) as remote:
        assert plain(remote) == plain(local)


def test_a_file_url_is_the_file(paths, arun):
    url = f"file://{paths[0]}"
    with MsgpackReader(url) as reader:
        assert plain(reader) == plain(SAMPLES[:120])
        assert reader.stats().requests == 0
    pattern = f"file://{paths[0].parent}/*.msgpack"
    with ShardedReader(pattern) as reader:
        assert len(reader) == 300

    async def count():
        async with AsyncReader(pattern) as reader:
            return len(reader)

    assert arun(count()) == 300


@pytest.mark.parametrize("pattern", ["memory://patterns/*.msgpack", "memory://patterns/?.msgpack*"])
def test_patterns_are_expanded_without_index_files(paths, arun, pattern):
    from ddfast.storage import open_upload

    for i, path in enumerate(paths):
        for name, content in files_of(path, f"{i}.msgpack").items():
            with open_upload(f"memory://patterns{name}") as upload:
                upload.write(content)
    with ShardedReader(pattern) as reader:
        assert plain(reader) == plain(SAMPLES)

    async def samples():
        async with AsyncReader(pattern) as reader:
            return plain([sample async for sample in reader.samples()])

    assert arun(samples()) == plain(SAMPLES)
    with pytest.raises(DatasetNotFoundError, match=r"no file matches memory://patterns/x\*"):
        ShardedReader("memory://patterns/x*")


def test_patterns_of_web_servers_are_refused(site):
    with pytest.raises(UnsupportedIOError, match="web servers cannot list their objects"):
        ShardedReader(f"{site.url}/*.msgpack")


# -- requests


def test_opening_a_million_samples_takes_three_requests():
    offsets = np.arange(1_000_001, dtype=">u8").tobytes()
    objects = {"/big.msgpack": b"\x00" * 1_000_000, "/big.msgpack.offsets": offsets}
    with serving(objects) as site:
        with MsgpackReader(f"{site.url}/big.msgpack") as reader:
            assert len(reader) == 1_000_000
            assert len(site.requests) == 3
            assert reader.get(999_999) == 0
        assert len(site.requests) == 4


def test_keys_are_fetched_when_they_are_first_used_and_only_once(site, urls):
    with MsgpackReader(urls[0]) as reader:
        list(reader)
        assert not [path for _, path, _ in site.requests if "key" in path]
        assert "sample 1 ß" in reader
        assert "sample 2 ß" in reader
        assert {path for _, path, _ in site.requests if "key" in path} == {"/0.msgpack.key_hashes"}
        count = len(site.requests)
        assert reader.find_key(3) == reader.keys()[3] == "sample 3 ß"
        assert len(site.requests) == count + 3  # size, content, and whether the data file is the same


def test_without_key_hashes_the_keys_serve(site, urls):
    del site.objects["/0.msgpack.key_hashes"]
    with MsgpackReader(urls[0]) as reader:
        assert reader.find_index("sample 9 ß") == 9


def test_shards_of_a_store_share_its_connections(urls):
    from ddfast.storage.open import open_storages

    storages = open_storages([*urls, urls[0].replace("127.0.0.1", "localhost")])
    assert len({id(storage._client) for storage in storages}) == 2
    assert [storage.url for storage in storages[:3]] == urls


# -- errors


def test_a_missing_data_file_is_told(site):
    with pytest.raises(DatasetNotFoundError, match=rf"{site.url}/none\.msgpack.* not found"):
        MsgpackReader(f"{site.url}/none.msgpack")


def test_a_missing_index_is_told(site, urls):
    del site.objects["/0.msgpack.offsets"]
    with pytest.raises(DatasetNotFoundError, match=r"has no index: .*/0\.msgpack\.offsets not found"):
        MsgpackReader(urls[0])


def test_missing_keys_are_told_when_they_are_used(site, urls):
    del site.objects["/0.msgpack.keys"]
    with MsgpackReader(urls[0]) as reader:
        assert reader.get(1)["label"] == 1
        with pytest.raises(
            DatasetNotFoundError, match=r"0\.msgpack\.keys not found, so samples have no keys"
        ):
            reader.find_key(0)


def test_missing_checksums_are_told(site, urls):
    del site.objects["/0.msgpack.xxh3"]
    with pytest.raises(ChecksumsNotFoundError, match=r"0\.msgpack\.xxh3 not found"):
        MsgpackReader(urls[0], verify="sample")


@pytest.mark.parametrize(
    ("suffix", "content", "message"),
    [
        (".offsets", b"\0" * 12, r"0\.msgpack\.offsets \(12 bytes\) is damaged: an offset table has 8 bytes"),
        (".offsets", b"\0" * 15 + b"\1", r"0\.msgpack\.offsets \(16 bytes\) is damaged"),
        (".xxh3", b"\0" * 8, r"0\.msgpack\.xxh3 \(8 bytes\) is damaged"),
        (".keys", b"\xc0", r"0\.msgpack\.keys \(1 bytes\) is damaged"),
        (".keys", b"\x91\xa1x", r"0\.msgpack has 120 samples, but 1 keys"),
        (".key_hashes", b"\0" * 12, r"0\.msgpack\.key_hashes \(12 bytes\) is damaged"),
        (".key_hashes", hash_key("0").to_bytes(8, "big") * 2, r"key_hashes has 1 hashes for 120 samples"),
    ],
)
def test_damaged_index_files_are_told_with_their_url(site, urls, suffix, content, message):
    site.objects[f"/0.msgpack{suffix}"] = content

    def use():
        with MsgpackReader(urls[0], verify="sample") as reader:
            return "sample 1 ß" in reader if suffix == ".key_hashes" else reader.find_key(0)

    with pytest.raises(IndexFileError, match=message):
        use()


def test_a_sample_that_is_not_what_was_written_is_told(site, urls, paths):
    content = bytearray(site.objects["/0.msgpack"])
    content[offsets_of(paths[0])[31] - 1] ^= 1
    site.objects["/0.msgpack"] = bytes(content)
    with MsgpackReader(urls[0], verify="sample") as reader:
        for read in (lambda: reader.get(30), lambda: list(reader.batches(8)), lambda: list(reader)):
            with pytest.raises(CorruptSampleError, match=r"0\.msgpack: sample 30 is damaged"):
                read()
    with MsgpackReader(urls[0], verify="sample", on_error="skip") as reader:
        assert [sample["label"] for sample in reader] == [i for i in range(120) if i != 30]


def test_a_dataset_that_was_replaced_is_told(site, urls):
    with MsgpackReader(urls[0]) as reader:
        reader.get(0)
        site.replace("/0.msgpack", site.objects["/0.msgpack"])
        count = len(site.requests)
        for read in (lambda: reader.get(5), lambda: list(reader.batches(8)), lambda: reader.find_key(0)):
            with pytest.raises(DatasetReplacedError, match=r"0\.msgpack was replaced while it was in use"):
                read()
        assert len(site.requests) < count + 30  # not again for each batch of a group
    with MsgpackReader(urls[0]) as reader:
        assert reader.get(5)["label"] == 5


def test_secrets_of_a_url_are_never_shown(site):
    host = urlsplit(site.url).netloc
    url = f"http://me:pass%77ord@{host}/0.msgpack?signature=s3cr3t"
    for make in (MsgpackReader, lambda url: ShardedReader([url]), ShardedReader):
        with make(url) as reader:
            assert reader.get(0)["label"] == 0
            texts = [repr(reader), str(reader.stats())]
            site.replace("/0.msgpack", site.objects["/0.msgpack"])
            with pytest.raises(DatasetReplacedError) as caught:
                reader.get(1)
            texts.append(str(caught.value))
            with pytest.raises(IndexError) as outside:
                reader.get(1000)
            texts.append(str(outside.value))
        for text in texts:
            assert "word" not in text
            assert "s3cr3t" not in text
    reader = AsyncReader(url)
    assert "s3cr3t" not in repr(reader) + reader.path
    with pytest.raises(ClosedError) as closed:
        len(reader)
    assert "s3cr3t" not in str(closed.value)


# -- options


def test_storage_options_reach_the_store(urls, site):
    options = {"client_options": {"default_headers": {"x-token": "17"}}}
    with MsgpackReader(urls[0], storage_options=options) as reader:
        reader.get(0)
    assert all(headers.get("x-token") == "17" for _, _, headers in site.requests)
    with pytest.raises(StorageOptionError, match="cannot be opened with these options"):
        MsgpackReader(urls[0], storage_options={"no_such_option": 1})


def test_the_clients_timeout_comes_from_the_policy(urls):
    from ddfast.dataset.options import RemoteOptions
    from ddfast.dataset.remote_open import _open_storages

    def timeout(**options):
        (storage,) = _open_storages(urls[:1], RemoteOptions(**options), RetryPolicy(attempt_timeout=60))
        return storage.options["client_options"]["timeout"]

    assert timeout() == 65
    assert timeout(storage_options={"client_options": {"timeout": 7}}) == 7


@pytest.mark.parametrize("kind", ["blocking", "async", "sharded"])
def test_no_more_reads_are_in_flight_than_allowed(arun, urls, site, kind):
    site.act = lambda number: "pause"
    options = {"queue_depth": 3, "storage_options": {"client_options": {"timeout": 30}}}
    if kind == "async":

        async def read():
            async with AsyncReader(urls, **options) as reader:
                site.most_paused = 0
                return sum([len(batch) async for batch in reader.batches(20, shuffle=True)])

        assert arun(read()) == 300
    else:
        with (
            ShardedReader(urls, **options)
            if kind == "sharded"
            else MsgpackReader(urls[0], **options) as reader
        ):
            site.most_paused = 0
            assert sum(map(len, reader.batches(20, shuffle=True))) == len(reader)
    assert 1 <= site.most_paused <= 3


def test_a_cache_makes_the_second_pass_local(urls, site, tmp_path):
    for number in range(2):
        before = len(site.requests)
        with ShardedReader(urls, cache=tmp_path / "cache", cache_bytes=1 << 26) as reader:
            assert plain(reader) == plain(SAMPLES)
            assert reader.find_index("sample 7 ß") == 7
        ranges = [path for _, path, headers in site.requests[before:] if "range" in headers]
        assert bool(ranges) == (number == 0)


# -- opening and closing


def test_nothing_is_left_when_a_reader_is_closed(urls):
    MsgpackReader(urls[0]).close()  # obstore keeps threads of its own
    gc.collect()
    time.sleep(0.1)
    own, files = _own_threads(), len(descriptors())
    reader = ShardedReader(urls)
    batches = reader.batches(16, shuffle=True)
    next(batches)
    next(iter(reader))
    reader.get(3)
    assert len(_own_threads()) > len(own)
    reader.close()
    del batches
    gc.collect()
    deadline = time.monotonic() + 5
    while (len(descriptors()) > files or _own_threads() != own) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert _own_threads() == own
    assert len(descriptors()) <= files


def _own_threads():
    import threading

    names = [thread.name for thread in threading.enumerate()]
    return sorted(name for name in names if name.startswith("ddfast"))


@pytest.mark.parametrize("kind", ["blocking", "sharded", "async"])
def test_one_thread_reads_single_samples_and_batches(arun, urls, kind):
    before = _own_threads()
    if kind == "async":

        async def read():
            async with AsyncReader(urls) as reader:
                assert (await reader.get(3))["label"] == 3
                assert len(await anext(reader.batches(4))) == 4
                assert (await reader.get(5))["label"] == 5
                return _own_threads()

        during = arun(read())
    else:
        with MsgpackReader(urls[0]) if kind == "blocking" else ShardedReader(urls) as reader:
            assert reader.get(3)["label"] == 3
            assert len(next(reader.batches(4))) == 4
            assert reader.get(5)["label"] == 5
            assert next(iter(reader))["label"] == 0
            during = _own_threads()
    assert len(during) == len(before) + 1


def test_a_closed_reader_opens_again(urls):
    reader = MsgpackReader(urls[0])
    for _ in range(2):
        assert reader.get(3)["label"] == 3
        assert len(next(iter(reader.batches(4)))) == 4
        reader.close()


def test_batches_stay_valid_when_the_reader_is_closed(urls):
    with MsgpackReader(urls[0]) as reader:
        batch = next(reader.batches(4))
    assert batch["label"].tolist() == [0, 1, 2, 3]
    assert list(batch.keys)[1] == "sample 1 ß"


def test_a_read_may_take_as_long_as_it_likes(urls):
    with MsgpackReader(urls[0], timeout=float("inf")) as reader:
        assert reader.get(5)["label"] == 5
        assert len(next(reader.batches(16))) == 16


@pytest.mark.parametrize("retry", [3, 0])
def test_a_retry_argument_that_is_no_policy_is_refused(urls, retry):
    with pytest.raises(TypeError, match=rf"retry is {retry}, not a ddfast\.storage\.RetryPolicy"):
        MsgpackReader(urls[0], retry=retry)


@pytest.mark.parametrize("new", [MsgpackReader, AsyncReader, ShardedReader])
def test_attempts_is_a_deprecated_name_of_retry(urls, new):
    policy = RetryPolicy(retries=1)
    with pytest.warns(DeprecationWarning, match="use retry=") as caught:
        reader = new(urls[0], attempts=policy)
    assert caught[0].filename == __file__
    if new is not AsyncReader:
        reader.close()
    assert (reader._inner if new is ShardedReader else reader)._options.retry is policy


def test_copies_and_pickles_read_the_same(urls):
    options = {"client_options": {"timeout": 10}}
    with MsgpackReader(urls[0], storage_options=options, retry=RetryPolicy(retries=1)) as reader:
        third = pickle.loads(pickle.dumps(reader))
        assert third._options == reader._options
        for other in (copy.copy(reader), third):
            with other:
                assert plain([other.get(5)]) == plain([reader.get(5)])


def test_closing_a_copy_leaves_the_reads_of_others_alone(urls):
    with MsgpackReader(urls[0]) as reader:
        batches = reader.batches(4)
        next(batches)
        with copy.copy(reader) as other:
            assert other.get(5)["label"] == 5
        assert reader.get(6)["label"] == 6
        assert sum(map(len, batches)) == len(reader) - 4


def test_threads_may_share_a_reader(urls):
    from concurrent.futures import ThreadPoolExecutor

    with ShardedReader(urls) as reader, ThreadPoolExecutor(8) as pool:
        assert plain(pool.map(reader.get, range(0, 300, 7))) == plain(SAMPLES[::7])
        parts = pool.map(lambda i: plain(reader.get_many(range(i, 300, 50))), range(8))
        assert list(parts) == [plain(SAMPLES[i::50]) for i in range(8)]


FORK = """
import os, sys
from ddfast import MsgpackReader
from ddfast.errors import UnsupportedIOError
reader = MsgpackReader(sys.argv[1])
assert reader.get(0)["label"] == 0
batches = reader.batches(4)
next(batches)
child = os.fork()
if child == 0:
    status = 1
    try:
        try:
            reader.get(1)
        except UnsupportedIOError as error:
            assert "spawn" in str(error) and "forkserver" in str(error), error
            try:
                MsgpackReader(sys.argv[1])
            except UnsupportedIOError as error:
                status = 0 if "forked" in str(error) else 3
        reader.close()
    finally:
        os._exit(status)
assert os.waitpid(child, 0)[1] == 0
assert reader.get(2)["label"] == 2
print("ok")
"""


def test_a_forked_child_says_how_to_start_processes(urls, run_python):
    assert run_python("-c", FORK, urls[0]).stdout.strip() == "ok"


LEAVE = """
import sys
from ddfast import MsgpackReader
for depth in (1, 64):
    reader = MsgpackReader(sys.argv[1], queue_depth=depth)
    batches = reader.batches(2, shuffle=True)
    next(batches)
    if depth == 1:
        reader.close()
"""


def test_leaving_in_the_middle_of_a_pass_is_quiet(urls, site, run_python):
    site.act = lambda number: "pause" if number > 10 else None
    done = run_python("-c", LEAVE, urls[0])
    assert (done.stdout, done.stderr) == ("", "")


# -- counts


def test_stats_tell_what_went_over_the_wire(urls, site, arun):
    size = len(site.objects["/0.msgpack"])
    with MsgpackReader(urls[0]) as reader:
        opened = reader.stats()
        assert opened.requests == len(site.requests) == 3
        list(reader.batches(16))
        stats = reader.stats()
        assert stats.requests == len(site.requests)
        assert stats.bytes_fetched >= size
        assert stats.seconds_storage > 0
        assert stats.retries == stats.throttled == 0
        reader.get(3)
        assert reader.stats().requests == stats.requests + 1
    assert reader.stats().requests == stats.requests + 1  # also when it is closed

    async def read():
        async with AsyncReader(urls[0]) as reader:
            async for _ in reader.batches(16):
                pass
        return reader.stats()

    site.script.extend([503, 503])
    stats = arun(read())
    assert stats.retries == stats.throttled == 2
    assert stats.bytes_fetched >= size


def count(reader, site):
    """The counters after a pass; all requests are counted."""
    opened = reader.stats()
    assert opened.requests == len(site.requests) > 0
    list(reader.batches(16))
    stats = reader.stats()
    assert stats.requests == len(site.requests) > opened.requests
    assert stats.samples == len(reader)
    return stats


@pytest.mark.parametrize("shards", ["urls", "copy"])
def test_stats_of_shards_count_from_their_opening(urls, site, shards):
    with ShardedReader(urls) as reader:
        stats = count(copy.copy(reader) if shards == "copy" else reader, site)
    assert stats.bytes_fetched >= sum(len(site.objects[urlsplit(url).path]) for url in urls)
    assert reader.stats() == stats  # also when it is closed
    again = pickle.loads(pickle.dumps(reader))
    site.requests.clear()
    before = again.stats().requests
    with again:
        list(again.batches(16))
        assert again.stats().requests - before == len(site.requests)


def test_stats_of_mixed_shards_count_transfers(urls, site, monkeypatch):
    monkeypatch.setattr("ddfast.reader.sharded.MAX_OPEN", 1)
    with ShardedReader([*urls, ListReader([{"key": "one more"}])], on_error="skip") as reader:
        stats = count(reader, site)
        assert stats.seconds_storage > 0
    assert reader.stats() == stats


def test_stats_of_mixed_shards_count_skipped_samples(urls, site):
    content = bytearray(site.objects["/0.msgpack"])
    content[0] = 0xC1
    site.replace("/0.msgpack", bytes(content))
    for more in ([], [ListReader([{"key": "one more"}])]):
        with ShardedReader([*urls, *more], on_error="skip") as reader:
            list(reader.batches(16))
            assert reader.stats().skipped == 1
            assert len(reader.quarantine) == 1


def test_verifying_digests_of_urls_names_the_command(urls):
    with MsgpackReader(urls[0]) as reader:
        with pytest.raises(UnsupportedIOError, match="ddfast verify"):
            reader.verify_data()
        with pytest.raises(UnsupportedIOError, match="ddfast verify"):
            reader.verify_index()
    with ShardedReader(urls) as reader, pytest.raises(UnsupportedIOError, match="ddfast verify"):
        reader.verify_data()
