"""Datasets are written to where objects are, and are seen when they are complete."""

import asyncio
import errno
import gc
import secrets
import threading
import time
from datetime import timedelta

import obstore
import pytest
from bucketserver import BucketHandler
from rangeserver import serving

from ddfast import MsgpackReader
from ddfast.commands.__main__ import main as run_command
from ddfast.errors import (
    ClosedError,
    DatasetBusyError,
    InvalidSampleError,
    StorageDeniedError,
    StorageError,
    StorageOptionError,
    UnsupportedIOError,
)
from ddfast.storage import open_group as open_neighbours
from ddfast.storage import open_storage
from ddfast.storage.backends.stores import make_store
from ddfast.storage.urls import split_url
from ddfast.writer import AsyncFileWriter, AsyncRawWriter, FileWriter, RawWriter

INDEX = [".filter", ".key_hashes", ".keys", ".md5", ".offsets"]
FAST = {"backoff": {"init_backoff": timedelta(milliseconds=1), "max_backoff": timedelta(milliseconds=5)}}


def samples(count, text="x"):
    return [{"key": f"{text}{i}", "x": text * (i % 1000)} for i in range(count)]


OLD, NEW = samples(3, "old"), samples(5000, "new")


@pytest.fixture(params=["memory", "local"])
def url(request, tmp_path):
    if request.param == "memory":
        return f"memory://{secrets.token_hex(4)}/a/x.msgpack"
    (tmp_path / "far").mkdir()
    return f"local://{tmp_path}/far/x.msgpack"


@pytest.fixture
def options(url):
    """Of a writer that sends several parts even of little datasets."""
    return {"disable": True, "storage_options": {"part_bytes": 100_000} if url.startswith("memory") else {}}


@pytest.fixture
def files(url, tmp_path):
    """A function that gives the bytes of all objects, by name."""
    if url.startswith("local"):
        return lambda: {path.name: path.read_bytes() for path in sorted((tmp_path / "far").iterdir())}
    store = make_store(split_url(url), {})

    def read():
        keys = sorted(meta["path"] for part in obstore.list(store) for meta in part)
        return {key.removeprefix("a/"): bytes(obstore.get(store, key).bytes()) for key in keys}

    return read


@pytest.fixture(autouse=True)
def no_thread_is_left():
    before = set(threading.enumerate())
    yield
    gc.collect()
    assert {thread for thread in threading.enumerate() if "process_request" not in thread.name} <= before


def write(url, what, **options):
    with FileWriter(url, **options) as writer:
        for sample in what:
            writer.write(sample)


def locally(folder, what, **options):
    """What a writer of files makes of samples: bytes by name."""
    folder.mkdir()
    write(folder / "x.msgpack", what, disable=True, **options)
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.mark.parametrize("checksums", [True, False])
@pytest.mark.parametrize("count", [0, 1, 5000])
def test_objects_are_the_files_of_a_local_writer(url, options, files, tmp_path, count, checksums):
    write(url, samples(count), checksums=checksums, **options)
    assert files() == locally(tmp_path / "near", samples(count), checksums=checksums)


def test_raw_samples_are_written_as_they_are(url, options, files, tmp_path):
    expected = locally(tmp_path / "near", NEW)
    reader = MsgpackReader(tmp_path / "near" / "x.msgpack")
    with reader, RawWriter(url, **options) as writer:
        for batch in reader.batches(999, raw=True):
            writer.write_many(batch.keys, batch)
    assert files() == expected


def test_asynchronous_writers_make_the_same(url, options, files, tmp_path, arun):
    async def main():
        async with AsyncFileWriter(url, **options) as writer:
            for sample in NEW:
                await writer.write(sample)
        made = files()
        reader = MsgpackReader(tmp_path / "near" / "x.msgpack")
        with reader:
            async with AsyncRawWriter(url, overwrite=True, **options) as writer:
                for batch in reader.batches(999, raw=True):
                    await writer.write_many(batch.keys, batch)
        return made

    expected = locally(tmp_path / "near", NEW)
    assert arun(main()) == expected == files()


@pytest.mark.parametrize("exists", [False, True])
def test_nothing_changes_until_close(url, options, files, tmp_path, exists):
    if exists:
        write(url, OLD, **options)
    before = files()
    with FileWriter(url, overwrite=True, **options) as writer:
        for sample in NEW:
            writer.write(sample)
        assert {name: data for name, data in files().items() if not name.endswith(".tmp")} == before
    assert files() == locally(tmp_path / "near", NEW)


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, GeneratorExit])
@pytest.mark.parametrize("exists", [False, True])
def test_exception_in_the_block_leaves_everything_as_it_was(url, options, files, error, exists):
    if exists:
        write(url, OLD, **options)
    before = files()
    with pytest.raises(error), FileWriter(url, overwrite=True, **options) as writer:  # noqa: PT012
        for sample in NEW:
            writer.write(sample)
        raise error
    assert files() == before
    with pytest.raises(ClosedError, match=r"x\.msgpack.*was discarded"):
        writer.write({"key": "more"})


def test_cancelled_task_leaves_nothing(url, options, files, arun):
    async def main():
        async with AsyncFileWriter(url, **options) as writer:
            for i in range(1000):
                await writer.write({"key": str(i), "x": "x" * 10_000})
                if i == 500:
                    asyncio.current_task().cancel()

    with pytest.raises(asyncio.CancelledError):
        arun(main())
    assert files() == {}


def test_dataset_that_is_discarded_or_forgotten_leaves_nothing(url, options, files):
    writer = FileWriter(url, **options)
    writer.write({"key": "a", "x": b"x" * 3_000_000})
    writer.discard()
    assert files() == {}
    writer = FileWriter(url, **options)
    writer.write({"key": "a", "x": b"x" * 3_000_000})
    del writer
    gc.collect()
    assert files() == {}


def test_sample_that_is_refused_is_left_out(url, options, files, tmp_path):
    with FileWriter(url, **options) as writer:
        writer.write({"key": "a"})
        with pytest.raises(InvalidSampleError, match=r"x\.msgpack: sample 1 \('a'\)"):
            writer.write({"key": "a"})
    assert files() == locally(tmp_path / "near", [{"key": "a"}])


def test_files_of_another_kind_of_dataset_go(url, options, files, tmp_path):
    write(url, OLD, **options)
    open_neighbours(url).put(".index", b"legacy")
    write(url, NEW, overwrite=True, checksums=False, **options)
    assert files() == locally(tmp_path / "near", NEW, checksums=False)


def test_user_is_asked_where_a_dataset_is(url, options, files, monkeypatch):
    write(url, OLD, **options)
    before = files()
    for text, error in (("n", FileExistsError), ("abort", KeyboardInterrupt)):
        monkeypatch.setattr("builtins.input", lambda text=text: text)
        with pytest.raises(error, match=r"://.*x\.msgpack"):
            FileWriter(url, **options)
        assert files() == before
    monkeypatch.setattr("builtins.input", lambda: "y")
    write(url, NEW, **options)
    assert files() != before


@pytest.mark.parametrize("exists", [False, True])
def test_dataset_that_somebody_else_wrote_meanwhile_stays(url, options, files, exists):
    if exists:
        write(url, OLD, **options)
    writer = FileWriter(url, overwrite=True, **options)
    writer.write({"key": "mine"})
    write(url, NEW, overwrite=True, **options)
    theirs = {name: data for name, data in files().items() if not name.endswith(".tmp")}
    with pytest.raises(DatasetBusyError, match=r"x\.msgpack was written by another writer"):
        writer.close()
    assert files() == theirs


def test_dataset_that_somebody_else_is_about_to_show_is_not_mixed_with(url, options, files):
    writer = FileWriter(url, **options)
    writer.write({"key": "mine"})
    open_neighbours(url).put(".offsets", b"theirs")
    with pytest.raises(DatasetBusyError, match="or is being written"):
        writer.close()
    assert files() == {"x.msgpack.offsets": b"theirs"}


def test_what_a_killed_writer_left_of_an_index_is_no_hindrance(url, options, files, tmp_path):
    for suffix in INDEX:
        open_neighbours(url).put(suffix, b"stray")
    write(url, NEW, **options)
    assert files() == locally(tmp_path / "near", NEW)


@pytest.mark.parametrize("option", ["resume", "append"])
def test_nobody_goes_on_with_an_object(url, option):
    with pytest.raises(
        ValueError, match=rf"{option}=True is for local files only.*Write the dataset to a local disk"
    ):
        FileWriter(url, **{option: True})


@pytest.mark.parametrize(
    ("url", "error", "reason"),
    [
        ("https://h/x.msgpack", UnsupportedIOError, "web servers are for reading"),
        ("zip://x.msgpack::memory://a/b.zip", UnsupportedIOError, "a chain of file systems"),
        ("s3://bucket", ValueError, "no name for the data file"),
        ("s3://bucket/folder/", ValueError, "no name for the data file"),
        ("s3://bucket/x.keys", ValueError, "the name of an index file"),
    ],
)
def test_url_that_cannot_be_written_to_is_refused(url, error, reason):
    with pytest.raises(error, match=reason):
        FileWriter(url)


def test_file_url_is_a_file(tmp_path):
    url = f"file://{tmp_path}/new%20folder/x.msgpack"
    write(url, OLD, disable=True)
    write(url, OLD[:0], disable=True, append=True)
    assert len(MsgpackReader(tmp_path / "new folder" / "x.msgpack")) == len(OLD)


def test_file_has_no_storage_options(tmp_path):
    with pytest.raises(
        StorageOptionError, match=r"x is a local file, which has no storage options \(part_bytes"
    ):
        FileWriter(tmp_path / "x", storage_options={"part_bytes": 1})


def test_commands_write_to_urls(url, files, tmp_path, capsys):
    expected = locally(tmp_path / "near", NEW)
    assert run_command(["merge", str(tmp_path / "near" / "x.msgpack"), url, "-y"]) == 0
    assert files() == expected


# -- a store that fails


@pytest.fixture
def bucket():
    with serving({}, BucketHandler) as site:
        yield site


@pytest.fixture
def far(bucket):
    """Options of a writer to the bucket, which it asks four times."""
    return {
        "disable": True,
        "storage_options": {
            "endpoint": bucket.url, "skip_signature": True, "part_bytes": 200_000,
            "retry_config": {"max_retries": 3, **FAST},
        },
    }  # fmt: skip


def names(bucket):
    return {path.removeprefix("/b/"): data for path, data in bucket.objects.items()}


def is_part(request):
    return request[0] == "PUT" and "partNumber" in request[1]


def test_parts_that_fail_now_and_then_are_sent_again(bucket, far, tmp_path):
    tried = set()

    def act(number):
        request = bucket.requests[number][:2]
        if request in tried:
            return None
        tried.add(request)
        return 503 if number % 2 else "reset"

    bucket.act = act
    write("s3://b/x.msgpack", NEW, **far)
    assert names(bucket) == locally(tmp_path / "near", NEW)
    assert bucket.uploads == {}


def test_several_parts_are_on_their_way_at_once(bucket, far):
    bucket.act = lambda number: "pause"
    write("s3://b/x.msgpack", NEW, **far)
    assert 2 <= bucket.most_in_flight <= 5


def test_writer_waits_for_a_store_that_is_slow(bucket, far, tmp_path):
    open_now = threading.Event()
    bucket.act = lambda number: open_now.wait(30) and None if is_part(bucket.requests[number]) else None
    writer = FileWriter("s3://b/x.msgpack", **far)
    thread = threading.Thread(target=lambda: [writer.write(sample) for sample in samples(40_000)])
    thread.start()
    written = -1
    while writer.written != written:
        written = writer.written
        time.sleep(0.5)
    assert thread.is_alive()
    assert len(writer._samples.offsets) < 40_000
    assert writer._samples.size < (7 + 1) * 200_000 + (3 << 20)
    open_now.set()
    thread.join()
    writer.close()
    assert names(bucket) == locally(tmp_path / "near", samples(40_000))


@pytest.mark.parametrize("exists", [False, True])
def test_store_that_goes_away_leaves_everything_as_it_was(bucket, far, exists):
    if exists:
        write("s3://b/x.msgpack", OLD, **far)
    before = names(bucket)
    bucket.act = lambda number: 503 if is_part(bucket.requests[number]) else None
    writer = FileWriter("s3://b/x.msgpack", overwrite=True, **far)
    with pytest.raises(StorageError) as caught:  # noqa: PT012
        for sample in NEW:
            writer.write(sample)
        writer.close()
    assert caught.match(r"part \d of s3://b/x\.msgpack could not be written after 4 attempts: .*503")
    assert caught.match("an existing dataset is unchanged. Write it again")
    assert (caught.value.url, caught.value.attempts) == ("s3://b/x.msgpack", 4)
    assert caught.value.passing
    assert names(bucket) == before
    assert bucket.uploads == {}
    with pytest.raises(ClosedError):
        writer.write({"key": "more"})


def test_store_that_refuses_is_told_as_such(bucket, far):
    bucket.act = lambda number: 403
    with pytest.raises(StorageDeniedError, match=r"s3://b/x\.msgpack"):
        FileWriter("s3://b/x.msgpack", **far)


def test_answer_that_is_lost_in_the_end_is_not_missed(bucket, far, tmp_path):
    """The parts are gone by the second attempt, which the server therefore refuses."""

    def act(number):
        method, path, _ = bucket.requests[number]
        return "serve_and_reset" if method == "POST" and "uploadId" in path and bucket.uploads else None

    bucket.act = act
    write("s3://b/x.msgpack", NEW, **far)
    assert names(bucket) == locally(tmp_path / "near", NEW)


STEPS = 18


@pytest.mark.parametrize("step", range(STEPS))
@pytest.mark.parametrize("exists", [False, True])
def test_readers_never_find_data_beside_the_offsets_of_another_wherever_it_fails(
    bucket, far, tmp_path, exists, step
):
    """The store goes away for good at some step of the end, or after that."""
    wholes = [{}, locally(tmp_path / "new", NEW[:10])]
    if exists:
        write("s3://b/x.msgpack", OLD, **far)
        wholes[0] = names(bucket)
    seen, begin = [], []

    def act(number):
        seen.append(tuple(bucket.objects.get(f"/b/x.msgpack{suffix}") for suffix in ("", ".offsets")))
        return 403 if begin and number >= begin[0] + step else None

    bucket.act = act
    writer = FileWriter("s3://b/x.msgpack", overwrite=True, **far)
    for sample in NEW[:10]:
        writer.write(sample)
    begin.append(len(bucket.requests))
    try:
        writer.close()
        assert names(bucket) == wholes[1]
    except StorageError as error:
        assert "s3://b/x.msgpack" in str(error)  # noqa: PT017
        as_it_was = names(bucket).items() >= wholes[0].items()
        assert as_it_was or "its index may be incomplete" in str(error)  # noqa: PT017
    seen.append(tuple(bucket.objects.get(f"/b/x.msgpack{suffix}") for suffix in ("", ".offsets")))
    pairs = {(whole.get("x.msgpack"), whole.get("x.msgpack.offsets")) for whole in wholes}
    assert {pair for pair in seen if None not in pair} <= pairs


@pytest.mark.parametrize("failing", ["DELETE", "POST"])
def test_offsets_of_the_old_dataset_come_back_where_the_new_one_fails(bucket, far, failing):
    write("s3://b/x.msgpack", OLD, **far)
    before = names(bucket)
    writer = FileWriter("s3://b/x.msgpack", overwrite=True, **far)
    writer.write({"key": "new"})
    bucket.act = lambda number: 403 if is_of(bucket.requests[number], failing) else None
    with pytest.raises(StorageError, match="existing dataset is unchanged"):
        writer.close()
    assert names(bucket) == before


def is_of(request, kind):
    """Whether a request is the end of an upload, or one that removes an index file."""
    method, path, _ = request
    return method == "POST" and ("uploadId" in path) == (kind == "POST") and "uploads" not in path


def test_index_that_fails_after_the_data_is_told(bucket, far):
    write("s3://b/x.msgpack", OLD, **far)
    writer = FileWriter("s3://b/x.msgpack", overwrite=True, **far)
    writer.write({"key": "new"})
    bucket.act = lambda number: 403 if ".keys" in bucket.requests[number][1] else None
    with pytest.raises(
        StorageError,
        match=r"x\.msgpack\.keys.*data file exists.*its index may be incomplete.*ddfast index",
    ):
        writer.close()
    assert "x.msgpack.offsets" not in names(bucket)


def test_new_dataset_whose_index_fails_leaves_nothing(bucket, far):
    writer = FileWriter("s3://b/x.msgpack", **far)
    writer.write({"key": "new"})
    bucket.act = lambda number: 403 if bucket.requests[number][1].endswith(".keys") else None
    with pytest.raises(StorageDeniedError, match=r"x\.msgpack\.keys"):
        writer.close()
    assert names(bucket) == {}
    assert bucket.uploads == {}


def test_killed_writer_leaves_nothing_that_is_seen(bucket, run_python):
    program = """
import os, sys
from ddfast import FileWriter

options = {"endpoint": sys.argv[1], "skip_signature": True, "part_bytes": 1000}
writer = FileWriter("s3://b/x.msgpack", disable=True, storage_options=options)
for i in range(5000):
    writer.write({"key": str(i), "x": "x" * 1000})
os.kill(os.getpid(), 9)
"""
    assert run_python("-c", program, bucket.url).returncode == -9
    assert bucket.objects == {}
    assert len(bucket.uploads) == 1  # which a rule of the bucket removes


def test_server_of_s3_gets_the_same(tmp_path, monkeypatch):
    server = pytest.importorskip("moto.server")
    running = server.ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    running.start()
    try:
        host, port = running.get_host_and_port()
        options = {"endpoint": f"http://{host}:{port}", "access_key_id": "a", "secret_access_key": "b"}
        import requests

        requests.put(f"{options['endpoint']}/bucket", timeout=30)
        for what in (OLD, samples(20_000)):  # two parts
            write(
                "s3://bucket/a/x.msgpack",
                what,
                overwrite=True,
                disable=True,
                storage_options={"part_bytes": 5 << 20, **options},
            )
        for name, content in locally(tmp_path / "near", samples(20_000)).items():
            with open_storage(f"s3://bucket/a/{name}", **options) as storage:
                assert storage.read_all() == content
    finally:
        running.stop()


def test_child_of_the_writer_does_not_end_the_upload(bucket, run_python):
    program = """
import os, sys
from ddfast import FileWriter

options = {"endpoint": sys.argv[1], "skip_signature": True, "part_bytes": 1000}
with FileWriter("s3://b/x.msgpack", disable=True, storage_options=options) as writer:
    writer.write({"key": "a", "x": "x" * 3_000_000})
    child = os.fork()
    if not child:
        writer.discard()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
"""
    result = run_python("-c", program, bucket.url)
    assert result.returncode == 0, result.stderr
    assert len(bucket.objects) == 7


def test_folder_for_the_index_that_is_full_is_told(bucket, far, monkeypatch):
    def refuse(*args, **options):
        raise OSError(errno.ENOSPC, "No space left on device", "/tmp/ddfast-1/x")

    writer = FileWriter("s3://b/x.msgpack", **far)
    writer.write({"key": "a"})
    monkeypatch.setattr("ddfast.writer.index_files.pack_offsets", refuse)
    with pytest.raises(
        OSError, match=r"No space left.*while the index of s3://b/x\.msgpack was written.*'/tmp/"
    ):
        writer.close()
    assert bucket.objects == {}
    assert bucket.uploads == {}


def test_old_offsets_do_not_come_back_where_the_new_data_may_be(bucket, far):
    write("s3://b/x.msgpack", OLD, **far)
    writer = FileWriter("s3://b/x.msgpack", overwrite=True, **far)
    writer.write({"key": "new"})
    ended = []

    def act(number):
        """The end of the upload comes through, and then the store says nothing for some requests."""
        request = bucket.requests[number]
        if is_of(request, "POST"):
            ended.append(number)
            return "serve_and_reset" if bucket.uploads else 503
        return 403 if ended and request[0] == "HEAD" and number < ended[-1] + 3 else None

    bucket.act = act
    with pytest.raises(StorageError, match="its index may be incomplete"):
        writer.close()
    assert names(bucket)["x.msgpack"] != b""
    assert "x.msgpack.offsets" not in names(bucket)
