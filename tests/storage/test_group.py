"""Groups of objects."""

import secrets

import pytest
from bucketserver import BucketHandler
from rangeserver import serving

from ddfast.errors import StorageDeniedError, StorageError
from ddfast.storage import open_group


@pytest.fixture
def bucket():
    with serving({}, BucketHandler) as site:
        yield site


@pytest.fixture(params=["s3", "memory", "local"])
def objects(request, tmp_path):
    if request.param == "s3":
        return in_bucket(request.getfixturevalue("bucket"))
    url = f"memory://{secrets.token_hex(4)}/x" if request.param == "memory" else f"local://{tmp_path}/x"
    return open_group(url)


def in_bucket(bucket):
    return open_group("s3://b/x", endpoint=bucket.url, skip_signature=True)


@pytest.mark.parametrize("size", [0, 10, 50_000])
def test_object_is_what_was_put_last(objects, tmp_path, size):
    (tmp_path / "source").write_bytes(secrets.token_bytes(size))
    objects.put(".a", b"old")
    objects.put(".a", tmp_path / "source")
    assert objects.read(".a") == (tmp_path / "source").read_bytes()
    assert objects.stat(".a").size == size


def test_object_that_is_not_there_is_none(objects):
    assert objects.stat(".a") is None
    assert objects.read("") is None


def test_object_is_another_after_it_was_put_again(objects):
    objects.put("", b"1")
    before = objects.stat("")
    assert before == objects.stat("")
    objects.put("", b"2")
    assert objects.stat("") != before


def test_object_is_removed_if_it_is_there(objects):
    objects.put(".a", b"1")
    objects.put(".b", b"2")
    for _ in range(2):
        objects.remove(".a")
        assert objects.stat(".a") is None
    assert objects.read(".b") == b"2"


def test_new_object_does_not_replace_another(objects):
    assert objects.put_new("", b"1")
    assert not objects.put_new("", b"2")
    assert objects.read("") == b"1"


@pytest.mark.parametrize("act", ["serve_and_reset", "reset", 503])
def test_new_object_that_came_through_without_an_answer_is_ours(bucket, act):
    bucket.script.append(act)
    assert in_bucket(bucket).put_new("", b"1")
    assert bucket.objects == {"/b/x": b"1"}


def test_store_without_conditions_is_looked_at_first(bucket):
    def act(number):
        return 501 if "if-none-match" in bucket.requests[number][2] else None

    bucket.act = act
    assert in_bucket(bucket).put_new("", b"1")
    assert not in_bucket(bucket).put_new("", b"2")
    assert bucket.objects == {"/b/x": b"1"}


@pytest.mark.parametrize("act", ["serve_and_reset", "reset", 503])
def test_object_is_removed_though_the_answer_is_lost(bucket, act):
    bucket.objects["/b/x"] = b"1"
    bucket.script.append(act)
    in_bucket(bucket).remove("")
    assert bucket.objects == {}


def test_store_that_refuses_is_told_with_the_name_of_the_object(bucket):
    bucket.act = lambda number: 403
    objects = in_bucket(bucket)
    for request in (
        lambda: objects.stat(".a"),
        lambda: objects.read(".a"),
        lambda: objects.put(".a", b"1"),
        lambda: objects.put_new(".a", b"1"),
        lambda: objects.remove(".a"),
    ):
        with pytest.raises(StorageDeniedError, match=r"s3://b/x\.a"):
            request()


def test_file_system_that_refuses_is_told_and_nothing_stays(tmp_path):
    objects = open_group(f"local://{tmp_path}/no/x")
    with pytest.raises(StorageError, match=r"no/x\.a could not be written"):
        objects.put(".a", b"1")
    (tmp_path / "x.b").mkdir()
    (tmp_path / "x.b" / "y").touch()
    objects = open_group(f"local://{tmp_path}/x")
    with pytest.raises(StorageError, match=r"x\.b could not be removed"):
        objects.remove(".b")
    assert [path.name for path in tmp_path.iterdir()] == ["x.b"]
