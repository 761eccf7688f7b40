"""S3, with moto as the server, if it is installed."""

import logging
import secrets

import obstore
import pytest
from rangeserver import serving

from ddfast.errors import DatasetReplacedError, StorageDeniedError, StorageError, StorageNotFoundError
from ddfast.storage import expand, open_storage, open_upload

CONTENT = secrets.token_bytes(12 << 20)
KEYS = {"access_key_id": "test", "secret_access_key": "test", "region": "us-east-1"}


@pytest.fixture(scope="module")
def endpoint():
    server = pytest.importorskip("moto.server")
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    running = server.ThreadedMotoServer("127.0.0.1", 0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        running.start()
        host, port = running.get_host_and_port()
        yield f"http://{host}:{port}"
        running.stop()


@pytest.fixture
def options(endpoint):
    return {"endpoint": endpoint, **KEYS}


@pytest.fixture
def bucket(options):
    boto3 = pytest.importorskip("boto3")
    client = boto3.client(
        "s3",
        endpoint_url=options["endpoint"],
        aws_access_key_id="test",
        aws_secret_access_key="test",
        region_name="us-east-1",
    )
    name = f"bucket-{secrets.token_hex(4)}"
    client.create_bucket(Bucket=name)
    yield client, name
    client.close()


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_object_is_written_in_parts_and_read_back(bucket, options, arun):
    client, name = bucket
    url = f"s3://{name}/a b/tr%20ain?.msgpack"
    upload = open_upload(url, part_bytes=5 << 20, **options)
    upload.write(CONTENT)
    assert "Contents" not in client.list_objects_v2(Bucket=name)
    upload.commit()
    assert client.list_objects_v2(Bucket=name)["Contents"][0]["Key"] == "a b/tr%20ain?.msgpack"
    assert client.head_object(Bucket=name, Key="a b/tr%20ain?.msgpack")["ETag"].endswith('-3"')
    with open_storage(url, **options) as storage:
        assert storage.stat().size == len(CONTENT)
        spans = [(0, 10), (5 << 20, (5 << 20) + 100), (len(CONTENT) - 5, len(CONTENT))]
        into = [memoryview(bytearray(stop - start)) for start, stop in spans]
        arun(storage.read_async(spans, into))
        assert [bytes(buffer) for buffer in into] == [CONTENT[start:stop] for start, stop in spans]
    assert expand(f"s3://{name}/a b/*.msgpack", **options) == [url]


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_upload_that_is_given_up_leaves_no_parts(bucket, options):
    client, name = bucket
    upload = open_upload(f"s3://{name}/x", part_bytes=5 << 20, **options)
    upload.write(CONTENT)
    upload.abort()
    assert "Contents" not in client.list_objects_v2(Bucket=name)
    assert "Uploads" not in client.list_multipart_uploads(Bucket=name)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_replaced_object_and_missing_ones_are_told(bucket, options):
    client, name = bucket
    client.put_object(Bucket=name, Key="x", Body=b"12345")
    with open_storage(f"s3://{name}/x", **options) as storage:
        storage.stat()
        client.put_object(Bucket=name, Key="x", Body=b"54321")
        with pytest.raises(DatasetReplacedError, match=f"s3://{name}/x"):
            storage.read([(0, 2)], [memoryview(bytearray(2))])
        with storage.beside(".keys") as other, pytest.raises(StorageNotFoundError, match=r"x\.keys"):
            other.stat()


# -- credentials


def keys_in_turn(given):
    """A provider of credentials that counts its calls."""

    def provide():
        given.append(f"key{len(given)}")
        return {"access_key_id": given[-1], "secret_access_key": "x", "token": None, "expires_at": None}

    return provide


@pytest.mark.parametrize("way", ["blocking", "async"])
def test_refused_credentials_are_asked_for_again_once(way, arun):
    given = []
    with serving({"/b/x": b"12345"}) as site:
        options = {"endpoint": site.url, "region": "r", "credential_provider": keys_in_turn(given)}
        with open_storage("s3://b/x", **options) as storage:
            site.script.append(403)
            assert (storage.read_all() if way == "blocking" else arun(storage.read_all_async())) == b"12345"
            assert given == ["key0", "key1"]
            assert [headers["authorization"].split("/")[0][-4:] for _, _, headers in site.requests] == given
            site.act = lambda number: 403
            with pytest.raises(StorageDeniedError):
                storage.read_all() if way == "blocking" else arun(storage.read_all_async())
            assert given == ["key0", "key1", "key2"]
            assert len(site.requests) == 4


def test_expired_token_is_a_refusal(monkeypatch):
    given = []
    with serving({"/b/x": b"12345"}) as site:
        options = {"endpoint": site.url, "region": "r", "credential_provider": keys_in_turn(given)}
        with open_storage("s3://b/x", **options) as storage:
            site.script.append("expired")
            assert storage.read_all() == b"12345"
            assert given == ["key0", "key1"]
            assert isinstance(storage._client.store, obstore.store.S3Store)


# -- endpoints

NAMES = ["AWS_ENDPOINT", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"]


@pytest.mark.parametrize("name", ["endpoint", "endpoint_url", *NAMES])
def test_plain_http_is_for_options_that_name_it(name):
    with serving({"/b/x": b"12345"}) as site, open_storage("s3://b/x", **KEYS, **{name: site.url}) as storage:
        assert storage.read_all() == b"12345"


@pytest.mark.parametrize("name", NAMES)
def test_plain_http_may_be_named_by_the_environment(monkeypatch, name):
    with serving({"/b/x": b"12345"}) as site:
        monkeypatch.setenv(name, site.url)
        with open_storage("s3://b/x", **KEYS) as storage:
            assert storage.read_all() == b"12345"


def test_plain_http_may_be_forbidden(monkeypatch):
    with serving({"/b/x": b"12345"}) as site:
        monkeypatch.setenv(NAMES[0], site.url)
        client = {"allow_http": False}
        with open_storage("s3://b/x", **KEYS, client_options=client) as storage, pytest.raises(StorageError):
            storage.read_all()
        assert site.requests == []
