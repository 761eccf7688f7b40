"""Objects whose server refuses other versions, and what becomes of those whose server does not."""

import secrets

import pytest
from bucketserver import BucketHandler
from rangeserver import serving

from ddfast.errors import (
    DatasetReplacedError,
    StorageDeniedError,
    StorageError,
    StorageNotFoundError,
)
from ddfast.storage import open_storage
from ddfast.storage.backends.pinned import MOST_PINNED, WORTH_READS

CONTENT = secrets.token_bytes(3000)
PATH = "/data/x.bin"
OTHER = '"not-0"'


@pytest.fixture
def site():
    with serving({PATH: CONTENT}) as site:
        yield site


@pytest.fixture
def read_often(read):
    """Read until the server was tried."""

    def read_often(storage, times=WORTH_READS):
        for start in range(times):
            assert read(storage, start, start + 10) == CONTENT[start : start + 10]

    return read_often


@pytest.fixture
def storage(site, read_often):
    """Of an object that is pinned."""
    with open_storage(site.url + PATH, client_options={"timeout": 1}) as storage:
        read_often(storage)
        assert storage._pin.store is not None
        site.requests.clear()
        yield storage


def tags(site):
    return [headers.get("if-match") for _, _, headers in site.requests]


def test_the_server_is_tried_once_and_every_request_names_the_version(site, read_often):
    with open_storage(site.url + PATH) as storage:
        read_often(storage, 2 * WORTH_READS)
        assert storage._pin.store is not None
    tried = tags(site).index(OTHER)
    assert tags(site) == [None, *['"0"'] * (tried - 1), OTHER, *['"0"'] * (2 * WORTH_READS - tried)]
    assert tried == WORTH_READS - 1


def test_a_reader_of_little_never_tries(site, read_often):
    with open_storage(site.url + PATH) as storage:
        read_often(storage, WORTH_READS - 1)
    assert OTHER not in tags(site)


@pytest.mark.parametrize(("name", "value"), [("checks_tags", False), ("weak", True), ("has_tags", False)])
def test_a_server_that_does_not_compare_versions_is_not_relied_on(site, read_often, name, value):
    setattr(site, name, value)
    with open_storage(site.url + PATH) as storage:
        read_often(storage, 3 * WORTH_READS)
        assert storage._pin.store is None
    assert tags(site).count(OTHER) == (name == "checks_tags")


def test_a_trial_that_fails_is_repeated_later(site, read_often):
    site.act = lambda number: 503 if tags(site).count(OTHER) == 1 and tags(site)[-1] == OTHER else None
    with open_storage(site.url + PATH) as storage:
        read_often(storage, 2 * WORTH_READS)
        assert storage._pin.store is not None
    assert tags(site).count(OTHER) == 2


def test_a_trial_that_is_refused_is_not_repeated(site, read_often):
    site.act = lambda number: 400 if tags(site)[-1] == OTHER else None
    with open_storage(site.url + PATH) as storage:
        read_often(storage, 3 * WORTH_READS)
        assert storage._pin.store is None
    assert tags(site).count(OTHER) == 1


def test_headers_of_the_user_are_sent_as_well(site, read_often):
    options = {"default_headers": {"x-y": "z"}}
    with open_storage(site.url + PATH, client_options=options) as storage:
        read_often(storage)
        assert storage._pin.store is not None
    assert {headers["x-y"] for _, _, headers in site.requests} == {"z"}


def test_conditions_of_the_user_stay_his(site, read_often):
    options = {"default_headers": {"If-None-Match": '"7"'}}
    with open_storage(site.url + PATH, client_options=options) as storage:
        read_often(storage, 2 * WORTH_READS)
        assert storage._pin.store is None
    assert OTHER not in tags(site)


def test_few_objects_of_a_server_are_pinned(site, read_often):
    with open_storage(site.url + PATH) as first:
        site.objects.update({f"{PATH}{i}": CONTENT for i in range(MOST_PINNED)})
        all_of_them = [first, *(first.beside(str(i)) for i in range(MOST_PINNED))]
        for storage in all_of_them:
            read_often(storage)
        assert [storage._pin.store is not None for storage in all_of_them] == [True] * MOST_PINNED + [False]


def test_a_replaced_object_is_refused(site, storage, read):
    site.replace(PATH, CONTENT[::-1])
    with pytest.raises(DatasetReplacedError, match="it had another version"):
        read(storage, 100, 2000)
    assert tags(site) == ['"0"']


@pytest.mark.parametrize("act", [408, 429, 500, 503, "reset", "reset_after_half", "serve_half", "stall"])
def test_what_may_pass_is_told_as_such(site, storage, read, act):
    site.script.append(act)
    with pytest.raises(StorageError) as caught:
        read(storage, 100, 2000)
    assert caught.value.passing
    assert caught.value.throttled == (act in (429, 503))
    assert (caught.value.url, caught.value.span) == (storage.name, (100, 2000))
    site.go_on.set()
    assert read(storage, 100, 2000) == CONTENT[100:2000]


@pytest.mark.parametrize(
    ("act", "kind"),
    [
        (400, StorageError),
        (401, StorageDeniedError),
        (403, StorageDeniedError),
        (404, StorageNotFoundError),
        ("ignore_range", StorageError),
        ("chunk_half", StorageError),
    ],
)
def test_what_lasts_is_told_as_such(site, storage, read, act, kind):
    site.script.append(act)
    with pytest.raises(kind) as caught:
        read(storage, 100, 2000)
    assert not caught.value.passing
    assert len(site.requests) == 1


@pytest.mark.parametrize("span", [(2990, 3010), (3500, 3600)])
def test_a_range_behind_the_end_is_told_as_ever(storage, read, span):
    with pytest.raises(StorageError, match="3,000 bytes") as caught:
        read(storage, *span)
    assert not caught.value.passing


def test_spans_are_read_over_by_one_request(site, storage, arun):
    buffers = [bytearray(10), bytearray(20)]
    arun(storage.read_over_async([(5, 15), (100, 120)], [memoryview(buffer) for buffer in buffers]))
    assert buffers == [CONTENT[5:15], CONTENT[100:120]]
    assert site.ranges() == [(5, 120)]


def test_objects_of_this_process_are_read_as_ever(read):
    import obstore

    with open_storage("memory://pinned/x") as storage:
        obstore.put(storage._client.store, "x", CONTENT)
        assert all(read(storage, i, i + 10) == CONTENT[i : i + 10] for i in range(2 * WORTH_READS))
        assert storage._pin.store is None


@pytest.fixture
def bucket():
    with serving({"/b/x": CONTENT}, BucketHandler) as site:
        yield site


def bucket_options(site):
    keys = {"access_key_id": "a", "secret_access_key": "b", "region": "us-east-1"}
    return {"endpoint": site.url, **keys}


def test_requests_to_buckets_are_signed_with_the_version(bucket, read_often):
    with open_storage("s3://b/x", **bucket_options(bucket)) as storage:
        read_often(storage)
        assert storage._pin.store is not None
    headers = bucket.requests[-1][2]
    assert headers["if-match"] == '"0"'
    assert "if-match" in headers["authorization"]


def test_refused_credentials_are_asked_for_again(bucket, read, read_often):
    with open_storage("s3://b/x", **bucket_options(bucket)) as storage:
        read_often(storage)
        bucket.script.append(403)
        assert read(storage, 1, 9) == CONTENT[1:9]
        assert storage._pin.store is None
        read_often(storage)
        assert storage._pin.store is not None
