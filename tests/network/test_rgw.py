"""A real S3 server, the RADOS gateway of Ceph: datasets are written to it, read, replaced, refused and cached."""

from __future__ import annotations

import random
import re
import secrets
import time
from contextlib import ExitStack
from itertools import islice

import pytest
from datasets import SUFFIXES, beside
from rgw import KEY, SECRET, gateway, missing

from ddfast import AsyncReader, FileWriter, MsgpackReader
from ddfast.commands import __main__ as program
from ddfast.errors import (
    DatasetBusyError,
    DatasetNotFoundError,
    DatasetReplacedError,
    StorageDeniedError,
    StorageNotFoundError,
    StorageTimeoutError,
)
from ddfast.reader import ShardedReader
from ddfast.storage import ObjectStorage, RetryPolicy, expand, open_storage, open_upload
from ddfast.testing import StorageTests

pytest.importorskip("obstore")
pytestmark = pytest.mark.skipif(bool(missing()), reason=missing() or "all is there")

COUNT = 1600
FILES = ("", *SUFFIXES, ".md5", ".xxh3")
PART = 5 << 20  # servers may refuse smaller ones


def samples():
    """12 reproducible MB."""
    draw = random.Random(1)
    for i in range(COUNT):
        yield {"key": f"{i:04} ß", "label": i, "image": draw.randbytes(draw.randrange(15_000))}


def write(path, **options):
    with FileWriter(path, disable=True, **options) as writer:
        for sample in samples():
            writer.write(sample)


@pytest.fixture(scope="module")
def server():
    with ExitStack() as stack:
        try:
            started = stack.enter_context(gateway())
        except RuntimeError as error:
            pytest.skip(f"no gateway here: {error}")
        yield started


@pytest.fixture
def options(server):
    return server.options


@pytest.fixture
def environment(server, monkeypatch):
    """Environment variables for programs without options."""
    settings = {"ENDPOINT_URL": server.endpoint, "ACCESS_KEY_ID": KEY, "SECRET_ACCESS_KEY": SECRET}
    for name, value in {**settings, "REGION": "default"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)


def new_bucket(server):
    name = f"bucket-{secrets.token_hex(4)}"
    server.ask("PUT", name)
    return name


@pytest.fixture
def bucket(server):
    return new_bucket(server)


@pytest.fixture(scope="module")
def near(tmp_path_factory):
    """A dataset on a disk."""
    path = tmp_path_factory.mktemp("near") / "x.msgpack"
    write(path)
    return path


def put(server, near):
    """The same, written to a bucket; its URL."""
    url = f"s3://{new_bucket(server)}/some sets/x.msgpack"
    write(url, storage_options={**server.options, "part_bytes": PART})
    return url


@pytest.fixture(scope="module")
def far(server, near):
    return put(server, near)


def keys_in(server, bucket):
    return re.findall("<Key>([^<]*)</Key>", server.ask("GET", bucket))


def uploads_in(server, bucket):
    return re.findall("<Key>([^<]*)</Key>", server.ask("GET", bucket, "?uploads"))


# -- writing


def test_objects_of_a_writer_are_the_files_of_a_local_one(near, far, options):
    for suffix in FILES:
        with open_storage(far + suffix, **options) as storage:
            assert storage.read_all() == beside(near, suffix).read_bytes()
    with open_storage(far, **options) as storage:
        assert storage.stat().version.endswith('-3"')


def test_a_dataset_is_seen_when_it_is_complete(server, bucket, options):
    with FileWriter(f"s3://{bucket}/x.msgpack", disable=True, storage_options=options) as writer:
        for sample in samples():
            writer.write(sample)
        assert keys_in(server, bucket) == []
    assert keys_in(server, bucket) == sorted(f"x.msgpack{suffix}" for suffix in FILES)
    assert uploads_in(server, bucket) == []


@pytest.mark.parametrize("end", ["an exception", "discard"])
@pytest.mark.parametrize("exists", [False, True])
def test_a_dataset_that_is_given_up_leaves_nothing(server, bucket, options, end, exists):
    url, settings = f"s3://{bucket}/x.msgpack", {**options, "part_bytes": PART}
    if exists:
        with FileWriter(url, disable=True, storage_options=options) as writer:
            writer.write({"key": "old"})
    before = keys_in(server, bucket)
    writer = FileWriter(url, disable=True, overwrite=True, storage_options=settings)
    for sample in samples():
        writer.write(sample)
    deadline = time.monotonic() + 20
    while not uploads_in(server, bucket) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert uploads_in(server, bucket) == ["x.msgpack"]
    if end == "discard":
        writer.discard()
    else:
        with pytest.raises(ZeroDivisionError), writer:
            raise ZeroDivisionError
    assert uploads_in(server, bucket) == []
    assert keys_in(server, bucket) == before
    if exists:
        with MsgpackReader(url, storage_options=options) as reader:
            assert list(reader) == [{"key": "old"}]


@pytest.mark.parametrize("exists", [False, True])
def test_of_two_writers_one_is_told_of_the_other(bucket, options, exists):
    url, settings = f"s3://{bucket}/x.msgpack", {"disable": True, "storage_options": options}
    if exists:
        FileWriter(url, **settings).close()
    writer = FileWriter(url, overwrite=True, **settings)
    writer.write({"key": "mine"})
    with FileWriter(url, overwrite=True, **settings) as other:
        other.write({"key": "theirs"})
    with pytest.raises(DatasetBusyError, match=r"x\.msgpack was written by another writer"):
        writer.close()
    with MsgpackReader(url, storage_options=options) as reader:
        assert list(reader) == [{"key": "theirs"}]


def test_an_object_that_is_there_is_not_put_as_a_new_one(bucket, options):
    from ddfast.storage import open_group

    objects = open_group(f"s3://{bucket}/x", **options)
    assert objects.put_new(".offsets", b"first")
    assert not objects.put_new(".offsets", b"second")
    assert objects.read(".offsets") == b"first"


# -- reading


def read(path, face, arun, shuffle=False, **options):
    """The bytes of all samples."""
    options = {"verify": "sample", **options}
    arguments = {"shuffle": shuffle, "seed": 3, "raw": True}
    if face == "blocking":
        with MsgpackReader(path, **options) as reader:
            return [bytes(sample) for batch in reader.batches(32, **arguments) for sample in batch]

    async def all_of():
        async with AsyncReader(path, **options) as reader:
            return [bytes(sample) async for batch in reader.batches(32, **arguments) for sample in batch]

    return arun(all_of())


@pytest.mark.parametrize("shuffle", [False, True, "block"])
@pytest.mark.parametrize("face", ["blocking", "async"])
def test_a_verified_pass_gives_the_bytes_of_the_file(near, far, options, arun, face, shuffle):
    found = read(far, face, arun, shuffle, storage_options=options)
    assert len(found) == COUNT
    assert found == read(near, face, arun, shuffle)


def test_single_samples_and_keys_are_found(near, far, options):
    with MsgpackReader(near) as local, MsgpackReader(far, storage_options=options) as reader:
        assert reader.get(reader.find_index("0217 ß")) == local[217]
        assert list(reader.get_many([3, 1599, -4])) == list(local.get_many([3, 1599, -4]))
        assert list(reader.keys()) == list(local.keys())
        assert list(reader) == list(local)


def test_ranges_are_requested_with_the_version(near, far, options):
    with open_storage(far, **options) as storage, near.open("rb") as file:
        for start in range(0, 4000, 100):
            buffer = bytearray(100)
            storage.read([(start, start + 100)], [memoryview(buffer)])
            assert buffer == file.read(100)
        assert storage._tag is not None


def test_opening_takes_three_requests(server, far, options):
    before = server.counts()
    with MsgpackReader(far, storage_options=options) as reader:
        assert len(reader) == COUNT
        assert reader.stats().requests == server.counts()["req"] - before["req"] == 3
    assert server.counts()["get_b"] - before["get_b"] <= 8 * (COUNT + 1)


def test_shards_are_found_by_a_pattern(bucket, options):
    settings = {"disable": True, "storage_options": options}
    for i in range(3):
        with FileWriter(f"s3://{bucket}/a+b/{i}.msgpack", **settings) as writer:
            writer.write({"key": f"{i}"})
    with ShardedReader(f"s3://{bucket}/a+b/[12].msgpack", storage_options=options) as reader:
        assert [sample["key"] for sample in reader] == ["1", "2"]


def test_the_second_pass_of_a_cache_reads_no_byte_of_the_server(server, near, far, options, arun, tmp_path):
    settings = {"storage_options": options, "cache": tmp_path, "cache_bytes": 1 << 26}
    expected = read(near, "blocking", arun)
    before = server.counts()
    assert read(far, "blocking", arun, **settings) == expected
    between = server.counts()
    assert between["get_b"] - before["get_b"] >= near.stat().st_size
    for face in ("blocking", "async"):
        assert sorted(read(far, face, arun, True, **settings)) == sorted(expected)
    assert server.counts()["get_b"] == between["get_b"]


# -- errors


@pytest.mark.parametrize("batches", [1, 60], ids=["soon", "late"])
@pytest.mark.parametrize("face", ["blocking", "async"])
def test_a_dataset_that_is_replaced_during_a_pass_is_told(server, near, arun, face, batches):
    url = put(server, near)
    settings = {"storage_options": server.options, "prefetch_bytes": 1 << 20, "queue_depth": 2}

    def blocking():
        with MsgpackReader(url, **settings) as reader:
            running = reader.batches(8)
            seen = list(islice(running, batches))
            write(url, overwrite=True, storage_options=server.options)
            with pytest.raises(DatasetReplacedError, match=r"x\.msgpack was replaced while it was in use"):
                seen += list(running)
            return seen

    async def coroutine():
        async with AsyncReader(url, **settings) as reader:
            running = aiter(reader.batches(8))
            seen = [await anext(running) for _ in range(batches)]
            write(url, overwrite=True, storage_options=server.options)
            with pytest.raises(DatasetReplacedError, match=r"x\.msgpack was replaced while it was in use"):
                seen += [batch async for batch in running]
            return seen

    seen = blocking() if face == "blocking" else arun(coroutine())
    with MsgpackReader(near) as reader:
        expected = [sample["image"] for sample in reader]
    assert [image for batch in seen for image in batch["image"]] == expected[: 8 * len(seen)]


WRONG = {"secret": {"secret_access_key": "wrong"}, "key": {"access_key_id": "nobody"}}


@pytest.mark.parametrize("wrong", WRONG)
def test_wrong_keys_are_told_at_once(server, far, options, arun, wrong):
    settings = {**options, **WRONG[wrong]}
    before = server.counts()["req"]
    actions = {
        "open": lambda: MsgpackReader(far, storage_options=settings),
        "open_async": lambda: read(far, "async", arun, storage_options=settings),
        "list": lambda: expand(f"{far}*", **settings),
        "write": lambda: FileWriter(f"{far}.new", disable=True, storage_options=settings),
        "upload": lambda: upload(f"{far}.new", **settings),
    }
    for action in actions.values():
        with pytest.raises(StorageDeniedError, match=r"was denied.*403") as caught:
            action()
        assert caught.value.attempts == 1
    # data and offsets, by HEAD and by GET, each once more after credentials were asked for again
    assert server.counts()["req"] - before <= 8 * len(actions)


def upload(url, **options):
    with open_upload(url, **options) as upload:
        upload.write(b"x")


def test_what_is_not_there_is_told_at_once(server, bucket, options):
    before = server.counts()["req"]
    for url in (f"s3://{bucket}/none.msgpack", f"s3://no-{bucket}/none.msgpack"):
        with pytest.raises(DatasetNotFoundError, match=r"none\.msgpack not found"):
            MsgpackReader(url, storage_options=options)
        with open_storage(url, **options) as storage, pytest.raises(StorageNotFoundError, match="404"):
            storage.read_all()
    with pytest.raises(StorageNotFoundError, match="NoSuchBucket"):
        upload(f"s3://no-{bucket}/x", **options)
    assert server.counts()["req"] - before <= 8


def test_refused_keys_are_asked_for_again(far, options):
    given = []

    def provide():
        given.append("wrong" if not given else SECRET)
        return {"access_key_id": KEY, "secret_access_key": given[-1], "token": None, "expires_at": None}

    settings = {name: options[name] for name in ("endpoint", "region")}
    with MsgpackReader(far, storage_options={**settings, "credential_provider": provide}) as reader:
        assert reader.get(5)["label"] == 5
    assert given[:2] == ["wrong", SECRET]


@pytest.mark.parametrize("face", ["blocking", "async"])
def test_a_pass_survives_that_the_server_is_started_again(server, near, far, options, arun, face):
    settings = {"storage_options": options, "prefetch_bytes": 1 << 20, "timeout": 30}

    def blocking():
        with MsgpackReader(far, **settings) as reader:
            running = reader.batches(8)
            seen = [next(running)]
            server.restart()
            seen += running
            return [label for batch in seen for label in batch["label"].tolist()]

    async def coroutine():
        async with AsyncReader(far, **settings) as reader:
            running = aiter(reader.batches(8))
            seen = [await anext(running)]
            server.restart()
            seen += [batch async for batch in running]
            return [label for batch in seen for label in batch["label"].tolist()]

    assert (blocking() if face == "blocking" else arun(coroutine())) == list(range(COUNT))


def test_a_server_that_says_nothing_is_told_in_time(server, far, options):
    patience = RetryPolicy(timeout=2.0, attempt_timeout=0.9, backoff=0.01)
    with MsgpackReader(far, storage_options=options, retry=patience) as reader:
        begin = time.monotonic()
        with server.frozen(), pytest.raises(StorageTimeoutError, match="did not arrive within 2 s"):
            reader.get(7)
        assert time.monotonic() - begin < 10
        assert reader.get(7)["label"] == 7


# -- commands


@pytest.mark.parametrize(
    "arguments",
    [("cat", "-n", "3"), ("info", "--samples", "9"), ("verify",), ("verify", "--quick")],
    ids=" ".join,
)
def test_commands_say_what_they_say_of_the_file(capsys, near, far, environment, arguments):
    name, *rest = arguments

    def call(path):
        assert program.main([name, str(path), *rest]) == 0
        return capsys.readouterr().out.replace(str(path), "PATH")

    assert call(far) == call(near)


def test_commands_take_options_of_the_storage(capsys, far, options):
    settings = [f"--storage-option={name}={value}" for name, value in options.items()]
    assert program.main(["info", far, "--samples", "1", *settings]) == 0
    assert f"{COUNT:,} samples" in capsys.readouterr().out


def test_commands_write_to_the_server(bucket, near, options, environment, tmp_path):
    outputs = tmp_path / "x.msgpack", f"s3://{bucket}/x.msgpack"
    for output in outputs:
        assert program.main(["shuffle", "--seed", "3", str(near), str(output)]) == 0
    for suffix in FILES:
        if beside(outputs[0], suffix).exists():
            with open_storage(outputs[1] + suffix, **options) as storage:
                assert storage.read_all() == beside(outputs[0], suffix).read_bytes()


# -- the contract of storages


@pytest.fixture(scope="module")
def folder(server):
    return f"s3://{new_bucket(server)}/a b+ü"


class TestStorageOfGateway(StorageTests):
    @pytest.fixture
    def content(self):
        return random.Random(5).randbytes(3000)

    @pytest.fixture
    def url(self, folder):
        return f"{folder}/{secrets.token_hex(4)}%20[1]?.bin"

    @pytest.fixture
    def replace(self, url, options):
        return lambda content: self.put(url, content, options)

    @pytest.fixture
    def beside(self, url, options):
        return lambda suffix, content: self.put(url + suffix, content, options)

    @pytest.fixture
    def storage(self, url, replace, content, options):
        replace(content)
        with ObjectStorage(url, **options) as storage:
            yield storage

    @staticmethod
    def put(url, content, options):
        with open_upload(url, **options) as upload:
            upload.write(content)
