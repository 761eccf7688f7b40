"""URLs, options and patterns."""

import multiprocessing
import operator
import os
import pickle
import secrets
import sys
import zipfile

import obstore
import pytest

from ddfast.errors import (
    ClosedError,
    MissingPackageError,
    StorageDeniedError,
    StorageError,
    StorageNotFoundError,
    StorageOptionError,
    StorageTimeoutError,
    UnsupportedIOError,
)
from ddfast.storage import AnyStorage, LocalStorage, ObjectStorage, expand, is_url, open_storage
from ddfast.storage.backends.failures import of_any
from ddfast.storage.backends.stores import make_store
from ddfast.storage.open import matches
from ddfast.storage.urls import Secrets, lengthened, shown, split_url


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("train.msgpack", False),
        ("/data/train.msgpack", False),
        ("c:\\data", False),
        ("a:b", False),
        ("s3://bucket/key", True),
        ("file:///data", True),
        ("simplecache::s3://bucket/key", True),
        ("HTTPS://host/x", True),
    ],
)
def test_urls_are_told_from_paths(name, expected):
    assert is_url(name) is expected


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        ("s3://bucket/a/b?c#d*", ("s3", "bucket", "a/b?c#d*", "")),
        ("HTTP://host:80/a/b?c=d/e#f", ("http", "host:80", "a/b", "?c=d/e")),
        ("https://host", ("https", "host", "", "")),
        ("abfss://c@a.dfs.core.windows.net/x", ("abfss", "c@a.dfs.core.windows.net", "x", "")),
    ],
)
def test_url_is_split(url, parts):
    assert tuple(split_url(url)) == parts


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("s3://b/x?y", "s3://b/x?y.offsets"),
        ("http://h/x?y=1", "http://h/x.offsets?y=1"),
        ("/data/x", "/data/x.offsets"),
    ],
)
def test_name_beside_is_longer(url, expected):
    assert lengthened(url, ".offsets") == expected


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://me:secret@h/x?token=1", "http://me:...@h/x?..."),
        ("https://token@h/x#secret", "https://...@h/x"),
        ("https://me:se/cr?et@h/x", "https://me:.../...?..."),
        ("s3://me:sec/ret@b/x", "s3://me:.../b/x"),
        ("s3://b/x?sig=secret", "s3://b/x?..."),
        ("s3://b/x-??.msgpack", "s3://b/x-??.msgpack"),
        ("http://me:secret@[::1]:80/x?sig=secret", "http://me:...@[::1]:80/x?..."),
        ("http://[fe80::abcd:1]/x", "http://[fe80::abcd:1]/x"),
        (
            "zip://a?b=c::simplecache::http://me:secret@h:80/x?sig=secret",
            "zip://a?...::simplecache::http://me:...@h:80/x?...",
        ),
        ("http:/me:secret@h/x?sig=secret", "http:/me:...@h/x?..."),
        ("abfss://c@a.net/x", "abfss://c@a.net/x"),
        ("s3://b/x", "s3://b/x"),
        ("x.msgpack", "x.msgpack"),
    ],
)
def test_secrets_are_not_shown(url, expected):
    assert shown(url) == expected


@pytest.mark.parametrize(
    ("url", "kind", "options"),
    [
        ("/x.msgpack", LocalStorage, {}),
        ("file:///x.msgpack", LocalStorage, {}),
        ("s3://b/x", ObjectStorage, {"region": "eu-central-1", "endpoint": "http://localhost:9000"}),
        ("s3a://b/x", ObjectStorage, {"skip_signature": True}),
        ("gs://b/x", ObjectStorage, {"skip_signature": True}),
        ("az://container/x", ObjectStorage, {"account_name": "a", "skip_signature": True}),
        ("abfss://container@a.dfs.core.windows.net/x", ObjectStorage, {"skip_signature": True}),
        ("https://h/x", ObjectStorage, {"client_options": {"timeout": 2.5, "http1_only": True}}),
        ("memory://x/y", ObjectStorage, {}),
        ("local:///x", AnyStorage, {}),
        ("dir::memory://x", AnyStorage, {}),
    ],
)
def test_scheme_decides_who_reads(url, kind, options):
    with open_storage(url, **options) as storage:
        assert type(storage) is kind
        assert storage.url == url
        with pickle.loads(pickle.dumps(storage)) as other:
            assert other.options == options


@pytest.mark.parametrize(
    ("url", "options", "message"),
    [
        ("s3://b/x", {"nonsense": 1}, "s3://b/x cannot be opened.*nonsense"),
        ("s3://b/x", {"region": 5}, "s3://b/x cannot be opened"),
        ("https://h/x", {"region": "r"}, "https://h/x cannot be opened.*region"),
        ("https://h/x", {"client_options": {"nonsense": 1}}, "nonsense"),
        ("https://h/x", {"client_options": 5}, "client_options is of type int, not a dict of settings"),
        ("az://container/x", {}, "Account must be specified"),
        ("memory://x/y", {"region": "r"}, "memory:// has no options, but got region"),
        ("x.msgpack", {"region": "r"}, "x.msgpack is a file, which has no options such as region"),
        ("nonsense://x/y", {}, "nonsense://x/y cannot be opened.*[Pp]rotocol"),
    ],
)
def test_options_that_make_no_sense_are_refused(url, options, message, monkeypatch):
    monkeypatch.delenv("AZURE_STORAGE_ACCOUNT_NAME", raising=False)
    with pytest.raises(StorageOptionError, match=message) as caught:
        open_storage(url, **options)
    assert isinstance(caught.value, ValueError)
    assert isinstance(caught.value, TypeError)


@pytest.mark.parametrize(("url", "package"), [("s3://b/x", "obstore.store"), ("webdav://b/x", "fsspec.core")])
def test_package_that_is_missing_is_named(url, package, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingPackageError, match=r"pip install 'ddfast\[remote\]'"):
        open_storage(url)


def test_file_of_another_machine_is_refused():
    with pytest.raises(ValueError, match=r"file://server/x names a file on another machine.*file:///path"):
        open_storage("file://server/x")


def test_key_that_the_store_cannot_have_is_refused():
    with open_storage("memory://x/a//b") as storage, pytest.raises(StorageError, match="empty path segment"):
        storage.stat()


# -- patterns

NAMES = ["a/1.msgpack", "a/2.msgpack", "a/2.msgpack.keys", "a/b/3.msgpack", "a/x[1].msgpack", "c/4.msgpack"]
PATTERNS = {
    "a/*.msgpack": [0, 1, 4],
    "a/?.msgpack": [0, 1],
    "a/[13-9].msgpack": [0],
    "a/[!1].msgpack": [1],
    "*/*.msgpack": [0, 1, 4, 5],
    "**/*.msgpack": [0, 1, 3, 4, 5],
    "a/**": [0, 1, 2, 3, 4],
    "a/x[[]1].msgpack": [4],
    "no/*": [],
    "a/2.msgpack": [1],
}


@pytest.mark.parametrize(("pattern", "expected"), PATTERNS.items())
def test_names_match_patterns(pattern, expected):
    assert [i for i, name in enumerate(NAMES) if matches(name.split("/"), pattern.split("/"))] == expected


@pytest.fixture(params=["memory", "file", "local"])
def folder(request, tmp_path):
    """The URL of a folder with files of these names."""
    if request.param == "memory":
        url = f"memory://{secrets.token_hex(4)}"
        for name in [*NAMES, "ab/5.msgpack"]:
            obstore.put(make_store(split_url(url), {}), name, b"x")
        return url
    for name in [*NAMES, "ab/5.msgpack"]:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    return f"{request.param}://{tmp_path}"


@pytest.mark.parametrize(
    "pattern", ["a/*.msgpack", "a/[13-9].msgpack", "**/*.msgpack", "no/*", "a/2.msgpack"]
)
def test_patterns_give_what_is_listed(folder, pattern):
    expected = [NAMES[i] for i in PATTERNS[pattern]]
    if pattern == "**/*.msgpack":
        expected = sorted([*expected, "ab/5.msgpack"])
    urls = expand(f"{folder}/{pattern}")
    assert len(urls) == len(expected)
    for url, name in zip(urls, expected, strict=True):
        assert url.replace("%5B", "[").replace("%5D", "]").endswith(f"/{name}")
        with open_storage(url) as storage:
            assert storage.stat().size == 1


def test_chains_of_file_systems_are_read_and_listed(tmp_path):
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("a/x.msgpack", b"data")
        archive.writestr("a/x.msgpack.offsets", b"offsets")
    chain = f"a/*.msgpack::file://{tmp_path}/x.zip"
    urls = expand(f"zip://{chain}")
    assert urls == [f"zip://a/x.msgpack::file://{tmp_path}/x.zip"]
    with open_storage(urls[0]) as storage, storage.beside(".offsets") as other:
        assert (bytes(storage.read_all()), bytes(other.read_all())) == (b"data", b"offsets")
    cached = f"simplecache::file://{tmp_path}/x"
    with open_storage(cached) as storage, storage.beside(".zip") as other:
        assert other.url == f"{cached}.zip"
        assert other.stat().size == (tmp_path / "x.zip").stat().st_size


def test_url_of_a_web_server_is_no_pattern():
    assert expand("http://h/x[1]?a=*") == ["http://h/x[1]?a=*"]
    with pytest.raises(UnsupportedIOError, match="web servers cannot list their objects"):
        expand("http://h/*.msgpack")


def test_store_that_gives_no_list_is_told():
    with pytest.raises(StorageError, match="s3://b/x"):
        expand("s3://b/x/*", endpoint="http://127.0.0.1:1", skip_signature=True)


# -- errors of clients


class ClientError(Exception):
    def __init__(self, status):
        headers = {"retry-after": "3"}
        self.response = {"ResponseMetadata": {"HTTPStatusCode": status, "HTTPHeaders": headers}}


class HttpError(Exception):
    def __init__(self, code):
        self.code = code


class ReadTimeoutError(Exception):
    pass


class ConnectionClosed(Exception):  # noqa: N818
    pass


@pytest.mark.parametrize(
    ("error", "kind", "passing"),
    [
        (ClientError(503), StorageError, True),
        (ClientError(403), StorageDeniedError, False),
        (HttpError(404), StorageNotFoundError, False),
        (HttpError("429"), StorageError, True),
        (ReadTimeoutError(), StorageTimeoutError, True),
        (ConnectionClosed(), StorageError, True),
        (RuntimeError("x"), StorageError, False),
        (FileNotFoundError("x"), StorageNotFoundError, False),
        (ConnectionResetError(104, "reset"), StorageError, True),
        (TimeoutError(), StorageTimeoutError, True),
        (OSError(28, "full"), StorageError, False),
    ],
)
def test_errors_of_any_client_are_told_by_what_they_carry(error, kind, passing):
    told = of_any(error, "x://y", (0, 5), Secrets())
    assert type(told) is kind
    assert told.passing is passing
    assert told.retry_after == (3 if told.passing and isinstance(error, ClientError) else None)


def test_errors_travel_between_processes():
    error = StorageTimeoutError(
        "too late", url="x://y", span=(1, 2), attempts=3, passing=True, retry_after=4.0
    )
    other = pickle.loads(pickle.dumps(error))
    assert type(other) is StorageTimeoutError
    assert str(other) == "too late"
    assert vars(other) == vars(error)
    assert (other.url, other.span, other.attempts, other.passing, other.retry_after) == (
        "x://y",
        (1, 2),
        3,
        True,
        4.0,
    )


# -- processes


def test_storage_is_sent_to_a_new_process(tmp_path):
    (tmp_path / "x").write_bytes(b"12345")
    with open_storage(tmp_path / "x") as storage:
        storage.stat()
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            assert pool.apply_async(operator.methodcaller("stat"), (storage,)).get(60).size == 5


def test_object_beside_of_a_forked_storage_is_refused_too(tmp_path):
    (tmp_path / "x").write_bytes(b"12345")
    with open_storage(tmp_path / "x") as storage:
        storage._pid = os.getpid() + 1
        with pytest.raises(ClosedError, match="Open it again after the fork"):
            storage.stat()
