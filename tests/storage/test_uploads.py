"""Objects exist once they are complete."""

import errno
import secrets
import threading

import obstore
import pytest
from rangeserver import serving

from ddfast.errors import (
    ClosedError,
    StorageDeniedError,
    StorageError,
    StorageNotFoundError,
    StorageOptionError,
    UnsupportedIOError,
)
from ddfast.storage import open_storage, open_upload
from ddfast.storage.backends.stores import make_store
from ddfast.storage.upload import uploads
from ddfast.storage.urls import split_url

CONTENT = secrets.token_bytes(50_000)


@pytest.fixture(params=["path", "file", "local", "memory"])
def url(request, tmp_path):
    if request.param == "memory":
        return f"memory://{secrets.token_hex(4)}/a/x.bin"
    return str(tmp_path / "x.bin") if request.param == "path" else f"{request.param}://{tmp_path}/x.bin"


@pytest.fixture
def names(url, tmp_path):
    """A function that returns the names of all objects."""
    if not url.startswith("memory"):
        return lambda: [path.name for path in tmp_path.iterdir()]
    store = make_store(split_url(url), {})
    return lambda: [meta["path"].removeprefix("a/") for part in obstore.list(store) for meta in part]


@pytest.fixture
def options(url):
    return {"part_bytes": 7_000} if url.startswith("memory") else {}


def content_of(url):
    with open_storage(url) as storage:
        return bytes(storage.read_all())


@pytest.fixture(autouse=True)
def no_thread_is_left():
    def threads():
        return {thread for thread in threading.enumerate() if "process_request" not in thread.name}

    before = threads()
    yield
    assert threads() <= before


@pytest.mark.parametrize("pieces", [[], [0], [1], [50_000], [7_000, 7_000], [3, 20_000, 0, 5_000]], ids=str)
def test_object_has_what_was_written(url, names, options, pieces):
    expected = b""
    with open_upload(url, **options) as upload:
        for size in pieces:
            upload.write(memoryview(CONTENT)[len(expected) : len(expected) + size])
            expected += CONTENT[len(expected) : len(expected) + size]
        assert upload.size == len(expected)
    assert content_of(url) == expected
    assert names() == ["x.bin"]


def test_written_memory_may_be_used_again_at_once(url, options):
    buffer = bytearray(10_000)
    with open_upload(url, **options) as upload:
        for i in range(8):
            buffer[:] = bytes([i]) * len(buffer)
            upload.write(buffer)
    assert content_of(url) == b"".join(bytes([i]) * 10_000 for i in range(8))


def test_object_is_seen_when_it_is_committed(url, names, options):
    upload = open_upload(url, **options)
    upload.write(CONTENT)
    assert "x.bin" not in names()
    upload.commit()
    assert names() == ["x.bin"]


@pytest.mark.parametrize("size", [0, 10, 50_000])
def test_object_that_is_given_up_leaves_nothing(url, names, options, size):
    upload = open_upload(url, **options)
    upload.write(CONTENT[:size])
    upload.abort()
    upload.abort()
    assert names() == []


def test_object_of_an_interrupted_block_is_given_up(url, names, options):
    def interrupted():
        with open_upload(url, **options) as upload:
            upload.write(CONTENT)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        interrupted()
    assert names() == []


def test_object_that_was_there_is_replaced_in_the_end(url, names, options):
    with open_upload(url, **options) as upload:
        upload.write(b"old")
    upload = open_upload(url, **options)
    upload.write(CONTENT)
    assert content_of(url) == b"old"
    upload.commit()
    assert content_of(url) == CONTENT
    assert names() == ["x.bin"]


def test_upload_that_is_over_refuses_more(url, options):
    with open_upload(url, **options) as upload:
        pass
    for call in (upload.commit, lambda: upload.write(b"x")):
        with pytest.raises(ClosedError, match="the upload is over"):
            call()


def test_file_that_replaces_another_has_its_mode(tmp_path):
    path = tmp_path / "x"
    path.touch()
    path.chmod(0o440)
    with open_upload(path) as upload:
        upload.write(CONTENT)
        assert {file.stat().st_mode & 0o777 for file in tmp_path.iterdir()} == {0o440}
    assert path.read_bytes() == CONTENT
    assert path.stat().st_mode & 0o777 == 0o440


def test_web_servers_are_not_written_to():
    with pytest.raises(UnsupportedIOError, match="web servers are for reading"):
        open_upload("https://h/x")


@pytest.mark.parametrize("url", ["file:///x", "s3://b/x"])
def test_options_of_uploads_that_make_no_sense_are_refused(url):
    with pytest.raises(StorageOptionError, match="nonsense"):
        open_upload(url, nonsense=1)


def test_part_without_bytes_is_refused():
    with pytest.raises(ValueError, match="part_bytes is 0"):
        open_upload("memory://x/y", part_bytes=0)


def test_folder_that_is_missing_is_told(tmp_path):
    for url in (f"{tmp_path}/no/x", f"local://{tmp_path}/no/x"):
        with pytest.raises(StorageError, match="no/x"):
            open_upload(url)


def test_disk_that_is_full_is_told_and_nothing_stays(tmp_path, monkeypatch):
    def refuse(fd):
        raise OSError(errno.ENOSPC, "No space left on device")

    upload = open_upload(tmp_path / "x")
    upload.write(b"123")
    monkeypatch.setattr(uploads.os, "fsync", refuse)
    with pytest.raises(StorageError, match=r"x could not be written: .*No space left on device"):
        upload.commit()
    assert list(tmp_path.iterdir()) == []


def write_and_commit(upload, content):
    """The request is sent at once, so that either call may raise its error."""
    upload.write(content)
    upload.commit()


@pytest.mark.parametrize("content", [CONTENT, b"x"], ids=len)
def test_store_that_fails_is_told(content):
    options = {"skip_signature": True, "endpoint": "http://127.0.0.1:1", "retry_config": {"max_retries": 0}}
    with open_upload("s3://b/x", part_bytes=100, **options) as upload:
        with pytest.raises(StorageError, match="s3://b/x could not be written") as caught:
            write_and_commit(upload, content)
        upload.abort()
    assert caught.value.passing


def test_store_that_refuses_is_told_as_such():
    with serving({}) as site:
        site.act = lambda number: 403
        upload = open_upload("s3://b/x", skip_signature=True, endpoint=site.url)
        with pytest.raises(StorageDeniedError, match="s3://b/x"):
            write_and_commit(upload, b"x")
        upload.abort()


def test_bucket_that_is_not_there_is_told_as_such():
    with serving({}) as site:
        site.act = lambda number: 404
        upload = open_upload("s3://b/x", skip_signature=True, endpoint=site.url)
        with pytest.raises(StorageNotFoundError, match=r"s3://b/x could not be written.*404") as caught:
            write_and_commit(upload, b"x")
        assert not caught.value.passing
        upload.abort()
