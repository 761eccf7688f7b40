"""Every error of obstore that is recognised by its class or text, provoked with the installed version.

A failure here means that obstore has changed: adapt `ddfast.storage.backends.failures` to the text that the
failure shows.
"""

from __future__ import annotations

from datetime import timedelta

import pytest
from bucketserver import BucketHandler
from rangeserver import serving

from ddfast.errors import (
    DatasetReplacedError,
    StorageDeniedError,
    StorageError,
    StorageNotFoundError,
    StorageTimeoutError,
)
from ddfast.storage import open_storage
from ddfast.storage.backends import failures as adapter
from ddfast.storage.backends.stores import make_store
from ddfast.storage.urls import Secrets, split_url

obstore = pytest.importorskip("obstore")

SIZE = 3000
RETRY = {"max_retries": 2, "backoff": {"init_backoff": timedelta(milliseconds=1)}}
KEYS = {"access_key_id": "a", "secret_access_key": "b", "region": "us-east-1"}


@pytest.fixture
def site():
    with serving({"/x": bytes(SIZE)}) as site:
        yield site
        site.go_on.set()


@pytest.fixture
def bucket():
    with serving({"/b/x": bytes(SIZE)}, BucketHandler) as bucket:
        yield bucket


def store_of(site, **client):
    return make_store(split_url(f"{site.url}/x"), {"client_options": {"timeout": 0.5, **client}})


def bucket_store(bucket):
    return make_store(split_url("s3://b/x"), {"endpoint": bucket.url, "retry_config": RETRY, **KEYS})


def get(store, start=100, stop=2000, **options):
    return obstore.get(store, "x", options={"range": (start, stop), **options}).bytes()


def provoked(call, *args, **kwargs):
    """The exception of obstore, and what its text says."""
    with pytest.raises(Exception) as caught:  # noqa: PT011  the class is what is tested
        call(*args, **kwargs)
    error = caught.value
    print(f"obstore {obstore.__version__}, {type(error).__name__}: {error}")
    assert adapter.is_failure(error)
    return error, adapter.parsed(error)


def explained(error, span=(100, 2000)):
    with open_storage("memory://errors/x") as storage:
        return adapter.explained(error, storage, span)


@pytest.mark.parametrize(
    ("status", "kind", "passing"),
    [
        (400, StorageError, False),
        (401, StorageDeniedError, False),
        (403, StorageDeniedError, False),
        (404, StorageNotFoundError, False),
        (408, StorageError, True),
        (409, StorageError, False),
        (410, StorageNotFoundError, False),
        (412, DatasetReplacedError, False),
        (416, StorageError, False),
        (429, StorageError, True),
        (500, StorageError, True),
        (501, StorageError, False),
        (503, StorageError, True),
        (505, StorageError, False),
    ],
)
def test_statuses_are_in_the_text(site, status, kind, passing):
    site.script.append(status)
    error, text = provoked(get, store_of(site))
    assert (text.status, text.passing) == (status, passing)
    assert type(explained(error)) is kind
    assert explained(error).passing == passing


def test_the_reason_has_no_details_for_debugging(site):
    site.script.append(503)
    error, text = provoked(get, store_of(site))
    assert "Debug source" in str(error)
    assert text.reason.endswith("503 Service Unavailable: as told")


@pytest.mark.parametrize("act", ["reset", "reset_after_half", "serve_half"])
def test_broken_connections_have_a_kind(site, act):
    site.script.append(act)
    error, text = provoked(get, store_of(site))
    assert (text.status, text.passing, text.timed_out) == (None, True, False)
    assert adapter.KIND.search(str(error))


def test_refused_connections_have_a_kind():
    store = make_store(split_url("http://127.0.0.1:1/x"), {"client_options": {"connect_timeout": 1}})
    error, text = provoked(get, store)
    assert (text.status, text.passing) == (None, True)
    assert adapter.KIND.search(str(error))


@pytest.mark.parametrize("act", ["stall", "stall_after_half"])
def test_timeouts_have_a_kind_of_their_own(site, act):
    site.script.append(act)
    error, text = provoked(get, store_of(site))
    assert (text.status, text.passing, text.timed_out) == (None, True, True)
    assert type(explained(error)) is StorageTimeoutError


def test_expired_credentials_are_quoted_from_the_answer(bucket):
    bucket.script.append("expired")
    error, text = provoked(get, bucket_store(bucket))
    assert (text.status, text.is_expired) == (400, True)
    assert type(explained(error)) is StorageDeniedError


def test_another_range_than_the_requested_one_is_reported(site):
    site.script.append("serve_other_range")
    error, text = provoked(get, store_of(site))
    assert (text.is_wrong_range, text.passing, adapter.may_be_cut(error)) == (True, True, True)


def test_ranges_after_the_end_are_reported(site):
    error, text = provoked(get, store_of(site), SIZE + 500, SIZE + 600)
    assert (text.status, adapter.may_be_cut(error)) == (416, True)
    store = obstore.store.MemoryStore()
    obstore.put(store, "x", b"123")
    error, text = provoked(get, store, 5, 10)
    assert (text.is_wrong_range, adapter.may_be_cut(error)) == (True, True)


def test_servers_without_ranges_have_a_class_of_their_own(site):
    site.script.append("ignore_range")
    error, _ = provoked(get, store_of(site))
    assert "whole objects only" in str(explained(error))


def test_another_version_has_a_class_of_its_own(site):
    error, _ = provoked(get, store_of(site), if_match='"9"')
    assert type(explained(error)) is DatasetReplacedError


@pytest.mark.parametrize("status", [401, 403, 405, 501])
def test_servers_that_refuse_head_requests_may_answer_others(site, status):
    site.script.append(status)
    error, _ = provoked(obstore.head, store_of(site), "x")
    assert adapter.needs_get(error)


def test_a_missing_object_is_no_reason_for_another_request(site):
    site.script.append(404)
    error, _ = provoked(obstore.head, store_of(site), "x")
    assert not adapter.needs_get(error)


def test_existing_objects_fail_conditional_writes(bucket):
    store = obstore.store.MemoryStore()
    obstore.put(store, "x", b"1")
    for each in (bucket_store(bucket), store):
        error, _ = provoked(obstore.put, each, "x", b"2", mode="create")
        assert adapter.is_condition_failed(error)
        assert not adapter.is_condition_unknown(error)


def test_stores_without_conditional_writes_are_recognised(bucket):
    bucket.script.append(400)
    error, _ = provoked(obstore.put, bucket_store(bucket), "y", b"2", mode="create")
    assert adapter.is_condition_unknown(error)
    assert not adapter.is_condition_failed(error)


def test_failed_parts_of_uploads_have_a_number_and_attempts(bucket):
    bucket.act = lambda number: 503 if "partNumber=2" in bucket.requests[-1][1] else None
    parts = iter([bytes(6 << 20)] * 3)
    error, text = provoked(obstore.put, bucket_store(bucket), "z", parts, chunk_size=6 << 20)
    assert (text.status, text.part, text.attempts, text.passing) == (503, 2, 3, True)
    unwritten = adapter.unwritten(error, "s3://b/z", Secrets())
    assert "part 2 of s3://b/z could not be written after 3 attempts" in str(unwritten)
    assert (unwritten.attempts, unwritten.passing) == (3, True)


def test_mistakes_in_the_program_are_no_failures_of_storage(site):
    for error in (TypeError("x"), KeyError("x"), StorageError("explained already")):
        assert not adapter.is_failure(error)
