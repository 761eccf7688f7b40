"""Web servers that answer incorrectly."""

import asyncio
import base64
import email.utils
import secrets
import time

import pytest
from rangeserver import serving

from ddfast.errors import (
    DatasetReplacedError,
    StorageDeniedError,
    StorageError,
    StorageNotFoundError,
    StorageTimeoutError,
)
from ddfast.storage import open_storage
from ddfast.storage.backends.failures import retry_after

CONTENT = secrets.token_bytes(3000)
PATH = "/data/x.bin"


@pytest.fixture
def site():
    with serving({PATH: CONTENT}) as site:
        yield site


@pytest.fixture
def storage(site):
    with open_storage(site.url + PATH, client_options={"timeout": 1}) as storage:
        yield storage


def refused(storage, read):
    with pytest.raises(StorageError) as caught:
        read(storage, 100, 2000)
    assert caught.value.url == storage.name
    assert caught.value.span == (100, 2000)
    assert caught.value.attempts == 1
    assert storage.name in str(caught.value)
    assert "bytes 100 to 2,000" in str(caught.value)
    assert "\n" not in str(caught.value)
    return caught.value


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_status_that_may_pass_is_told_as_such(site, storage, read, status):
    site.script.append(status)
    error = refused(storage, read)
    assert error.passing
    assert str(status) in str(error)
    assert read(storage, 100, 2000) == CONTENT[100:2000]
    assert len(site.requests) == 2


@pytest.mark.parametrize("status", [400, 405, 501, 505])
def test_status_that_stays_is_told_as_such(site, storage, read, status):
    site.script.append(status)
    assert not refused(storage, read).passing
    assert len(site.requests) == 1


@pytest.mark.parametrize(
    ("status", "kind"), [(401, StorageDeniedError), (403, StorageDeniedError), (404, StorageNotFoundError)]
)
def test_refusals_have_classes_of_their_own(site, storage, read, status, kind):
    site.script.append(status)
    error = refused(storage, read)
    assert type(error) is kind
    assert not error.passing
    assert isinstance(error, PermissionError if kind is StorageDeniedError else FileNotFoundError)


@pytest.mark.parametrize("act", ["reset", "reset_after_half", "serve_half"])
def test_answer_that_breaks_off_may_pass(site, storage, read, act):
    site.script.append(act)
    assert refused(storage, read).passing
    assert read(storage, 100, 2000) == CONTENT[100:2000]


@pytest.mark.parametrize("act", ["stall", "stall_after_half", "trickle"])
def test_answer_that_takes_too_long_is_given_up(site, read, act):
    with open_storage(site.url + PATH, client_options={"timeout": 0.1}) as storage:
        site.script.append(act)
        error = refused(storage, read)
        assert type(error) is StorageTimeoutError
        assert error.passing


def test_server_that_knows_no_ranges_is_refused(site, storage, read):
    site.script.append("ignore_range")
    error = refused(storage, read)
    assert not error.passing
    assert "whole objects only" in str(error)
    assert "nginx" in str(error)


def test_answer_without_a_length_is_refused(site, storage, read):
    site.script.append("chunk_half")
    assert "Content-Length" in str(refused(storage, read))


def test_server_that_is_gone_may_come_back(storage, site, read):
    with open_storage("http://127.0.0.1:1/x", client_options={"connect_timeout": 1}) as gone:
        assert refused(gone, read).passing


@pytest.mark.parametrize("answer", [401, 403, 405, 501])
def test_size_is_asked_for_by_range_where_the_head_is_refused(site, storage, arun, answer):
    site.script.append(answer)
    assert storage.stat().size == 3000
    site.script.append(answer)
    assert arun(storage.stat_async()).size == 3000
    assert [method for method, _, _ in site.requests] == ["HEAD", "GET"] * 2


def test_every_request_after_the_first_names_the_version(site, storage, read):
    for _ in range(3):
        read(storage, 0, 10)
    storage.read_all()
    assert [headers.get("if-match") for _, _, headers in site.requests] == [None, '"0"', '"0"', '"0"']


@pytest.mark.parametrize(("checks", "weak", "tags"), [(False, False, True), (False, True, True)])
def test_replaced_object_is_refused_by_what_the_answer_says(site, storage, read, checks, weak, tags):
    site.checks_tags, site.weak, site.has_tags = checks, weak, tags
    read(storage, 0, 10)
    assert not weak or all("if-match" not in headers for _, _, headers in site.requests)
    site.replace(PATH, CONTENT[::-1])
    with pytest.raises(DatasetReplacedError, match="was replaced while it was in use"):
        read(storage, 0, 10)


def test_object_without_version_is_refused_when_its_size_is_another(site, storage, read):
    site.has_tags = False
    assert storage.stat().version is None
    site.replace(PATH, CONTENT[:-1])
    with pytest.raises(DatasetReplacedError, match="had 3,000 bytes, and has 2,999 bytes now"):
        read(storage, 0, 10)


def test_reads_ask_for_nothing_but_their_spans(site, storage, read):
    spans = [(0, 10), (12, 20), (20, 30), (2990, 3000)]
    for start, stop in spans:
        read(storage, start, stop)
    into = [memoryview(bytearray(stop - start)) for start, stop in spans]
    storage.read(spans, into)
    assert sorted(site.ranges()) == sorted(spans * 2)
    assert len(site.requests) == 8


def test_whole_object_is_read_by_one_request(site, storage, arun):
    assert storage.read_all() == CONTENT
    assert arun(storage.read_all_async()) == CONTENT
    assert len(site.requests) == 2


def test_spans_of_one_call_are_read_at_once(site, storage, arun):
    site.act = lambda number: "pause"
    spans = [(i, i + 10) for i in range(0, 240, 10)]
    into = [memoryview(bytearray(10)) for _ in spans]
    arun(storage.read_async(spans, into))
    assert b"".join(into) == CONTENT[:240]
    assert site.most_in_flight > 12
    site.most_in_flight = 0
    storage.read(spans, into)
    assert 4 <= site.most_in_flight <= 16  # the site may count requests whose answer has arrived


def test_first_error_of_a_call_ends_its_other_requests(site, storage, arun):
    site.act = lambda number: 404 if number == 0 else "stall"
    spans = [(0, 10), (20, 30), (40, 50)]
    into = [memoryview(bytearray(10)) for _ in spans]
    with pytest.raises(StorageError):
        arun(storage.read_async(spans, into))
    assert not any(map(any, into))


def test_cancelled_read_ends_its_request(site, storage, arun):
    site.act = lambda number: "stall"

    async def cancelled():
        task = asyncio.create_task(storage.read_async([(0, 10)], [memoryview(bytearray(10))]))
        while site.in_flight == 0:  # noqa: ASYNC110  # the server is in other threads
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    before = time.monotonic()
    arun(cancelled())
    assert time.monotonic() - before < 30


def test_password_is_sent_and_not_shown(site, read):
    url = site.url.replace("://", "://me:pass%20word@") + PATH + "?token=secret"
    with open_storage(url) as storage:
        assert read(storage, 0, 10) == CONTENT[:10]
        _, path, headers = site.requests[0]
        assert base64.b64decode(headers["authorization"].split()[1]) == b"me:pass word"
        assert path == PATH + "?token=secret"
        site.script.append(500)
        error = refused(storage, read)
        for text in (str(error), error.url, repr(storage), storage.name):
            assert "pass" not in text
            assert "secret" not in text
        assert storage.url == url


def test_options_reach_the_client(site):
    headers = {"x-who": "ddfast"}
    with open_storage(site.url + PATH, client_options={"default_headers": headers}) as storage:
        storage.stat()
        with storage.beside(".offsets") as other, pytest.raises(StorageNotFoundError):
            other.stat()
    assert [got["x-who"] for _, _, got in site.requests] == ["ddfast", "ddfast"]


def test_object_beside_keeps_the_query(site):
    with open_storage(f"{site.url}{PATH}?v=1") as storage, storage.beside(".offsets") as other:
        assert other.url == f"{site.url}{PATH}.offsets?v=1"


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        (None, None),
        ({}, None),
        ({"Retry-After": "7"}, 7.0),
        ({"retry-after": "0"}, 0.0),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0.0),
    ],
)
def test_time_to_wait_is_understood(headers, expected):
    assert retry_after(headers) == expected


def test_time_of_day_to_wait_for_is_understood():
    value = email.utils.formatdate(time.time() + 100, usegmt=True)
    assert 50 < retry_after({"Retry-After": value}) <= 101
