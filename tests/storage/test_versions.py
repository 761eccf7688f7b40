"""Versions of objects: every request names the one that was seen first, and answers are compared with it."""

import secrets

import pytest
from bucketserver import BucketHandler
from rangeserver import serving

from ddfast.errors import (
    DatasetReplacedError,
)
from ddfast.storage import open_storage

CONTENT = secrets.token_bytes(3000)
PATH = "/data/x.bin"
READS = 20


@pytest.fixture
def site():
    with serving({PATH: CONTENT}) as site:
        yield site


@pytest.fixture
def storage(site, read):
    """The storage of an object that was read before."""
    with open_storage(site.url + PATH, client_options={"timeout": 1}) as storage:
        read(storage, 0, 10)
        site.requests.clear()
        yield storage


def tags(site):
    return [headers.get("if-match") for _, _, headers in site.requests]


@pytest.mark.parametrize(("name", "value"), [("checks_tags", False), ("weak", True), ("has_tags", False)])
def test_a_server_that_does_not_compare_versions_gives_all_bytes(site, read, name, value):
    setattr(site, name, value)
    with open_storage(site.url + PATH) as storage:
        for start in range(READS):
            assert read(storage, start, start + 10) == CONTENT[start : start + 10]
    assert set(tags(site)) <= ({None} if name != "checks_tags" else {None, '"0"'})


def test_headers_of_the_user_are_sent_as_well(site, read):
    options = {"default_headers": {"x-y": "z"}}
    with open_storage(site.url + PATH, client_options=options) as storage:
        read(storage, 0, 10)
        read(storage, 0, 10)
    assert {headers["x-y"] for _, _, headers in site.requests} == {"z"}


def test_a_replaced_object_is_refused(site, storage, read):
    site.replace(PATH, CONTENT[::-1])
    with pytest.raises(DatasetReplacedError, match="it had another version"):
        read(storage, 100, 2000)
    assert tags(site) == ['"0"']


def test_spans_are_read_over_by_one_request(site, storage, arun):
    buffers = [bytearray(10), bytearray(20)]
    arun(storage.read_over_async([(5, 15), (100, 120)], [memoryview(buffer) for buffer in buffers]))
    assert buffers == [CONTENT[5:15], CONTENT[100:120]]
    assert site.ranges() == [(5, 120)]


@pytest.fixture
def bucket():
    with serving({"/b/x": CONTENT}, BucketHandler) as site:
        yield site


def bucket_options(site):
    keys = {"access_key_id": "a", "secret_access_key": "b", "region": "us-east-1"}
    return {"endpoint": site.url, **keys}


def test_requests_to_buckets_name_the_version(bucket, read):
    with open_storage("s3://b/x", **bucket_options(bucket)) as storage:
        read(storage, 0, 10)
        read(storage, 0, 10)
    headers = bucket.requests[-1][2]
    assert headers["if-match"] == '"0"'


def test_refused_credentials_are_requested_again(bucket, read):
    with open_storage("s3://b/x", **bucket_options(bucket)) as storage:
        read(storage, 0, 10)
        bucket.script.append(403)
        assert read(storage, 1, 9) == CONTENT[1:9]
