"""Ranges of web servers that are read past obstore, and what is left to it."""

import asyncio
import secrets
import shutil
import ssl
import subprocess

import pytest
from rangeserver import serving

from ddfast.errors import (
    DatasetReplacedError,
    StorageDeniedError,
    StorageError,
    StorageNotFoundError,
)
from ddfast.storage import Stat, channels, open_storage
from ddfast.storage.heads import head_of_answer, head_of_request, head_with_range, route_to
from ddfast.storage.urls import split_url

CONTENT = secrets.token_bytes(300_000)
PATH = "/data/x.bin"


@pytest.fixture
def site():
    with serving({PATH: CONTENT}) as site:
        yield site


@pytest.fixture
def storage(site):
    with open_storage(site.url + PATH, client_options={"timeout": 1}) as storage:
        storage.stat()
        site.requests.clear()
        yield storage


@pytest.fixture
def gather(arun):
    """The ranges of a storage, in turns of so many at a time; or an error instead."""

    def gather(storage, *turns):
        async def one(start, stop):
            buffer = memoryview(bytearray(stop - start))
            try:
                await storage.read_async([(start, stop)], [buffer])
            except StorageError as error:
                return error
            return bytes(buffer)

        async def work():
            with channels.opened():
                found = [await asyncio.gather(*(one(*span) for span in spans)) for spans in turns]
            await asyncio.sleep(0.01)
            return [each for some in found for each in some]

        return arun(work())

    return gather


@pytest.fixture
def certified(tmp_path):
    """The file of a certificate for this machine, and a server's context with it."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl makes the certificate")
    key, cert = tmp_path / "key.pem", tmp_path / "cert.pem"
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    name = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
    command = [openssl, "req", "-x509", *curve, *name, "-keyout", key, "-out", cert]
    subprocess.run(command, check=True, capture_output=True)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(cert, key)
    return cert, tls


def agents(site):
    return [headers.get("user-agent") for _, _, headers in site.requests]


def test_ranges_are_read_over_few_connections_and_name_the_version(site, storage, gather):
    spans = [(at, at + 1000 * at) for at in range(1, 250, 7)]
    turns = [spans[at : at + 4] for at in range(0, len(spans), 4)]
    assert gather(storage, *turns) == [CONTENT[start:stop] for start, stop in spans]
    assert site.ranges() == [tuple(span) for span in spans] or sorted(site.ranges()) == sorted(spans)
    assert agents(site) == [None] * len(spans)
    assert {headers["if-match"] for _, _, headers in site.requests} == {'"0"'}
    assert site.most_in_flight <= 4


def test_outside_of_an_agent_obstore_reads(site, storage, arun):
    buffer = memoryview(bytearray(10))
    arun(storage.read_async([(5, 15)], [buffer]))
    assert buffer == CONTENT[5:15]
    assert None not in agents(site)


@pytest.mark.parametrize("status", [400, 408, 429, 500, 503])
def test_refusals_say_whether_they_may_pass_and_when(site, storage, gather, status):
    site.script.append(status)
    site.retry_after = "7"
    error, content = gather(storage, [(0, 10)], [(0, 10)])
    assert (error.passing, error.retry_after) == (status != 400, 7.0)
    assert error.throttled == (status in (429, 503))
    assert (error.span, error.url) == ((0, 10), storage.name)
    assert f"status {status}" in str(error)
    assert content == CONTENT[:10]
    assert len(site.requests) == 2


@pytest.mark.parametrize(
    ("status", "kind"), [(401, StorageDeniedError), (403, StorageDeniedError), (404, StorageNotFoundError)]
)
def test_lasting_refusals_have_classes_of_their_own(site, storage, gather, status, kind):
    site.script.append(status)
    (error,) = gather(storage, [(0, 10)])
    assert type(error) is kind
    assert not error.passing


@pytest.mark.parametrize("act", ["reset", "reset_after_half", "serve_half"])
def test_answers_that_break_off_may_pass(site, storage, gather, act):
    site.script.append(act)
    error, content = gather(storage, [(100, 200_000)], [(100, 200_000)])
    assert error.passing
    assert content == CONTENT[100:200_000]


def test_connection_that_was_closed_when_idle_is_replaced_unseen(site, storage, gather):
    site.script += [None, "reset", None]
    assert gather(storage, [(0, 10)], [(10, 20)]) == [CONTENT[:10], CONTENT[10:20]]
    assert len(site.requests) == 3


def test_read_that_is_cancelled_leaves_its_buffer_alone(site, storage, arun):
    buffer = memoryview(bytearray(200_000))

    async def work():
        with channels.opened():
            site.script.append("trickle")
            reading = asyncio.ensure_future(storage.read_async([(0, 200_000)], [buffer]))
            while not any(buffer):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            reading.cancel()
            await asyncio.wait({reading})
            buffer[:] = bytes(200_000)
            await asyncio.sleep(0.05)
            return any(buffer)

    assert not arun(work())


@pytest.mark.parametrize("checks", [True, False])
def test_replaced_object_is_refused(site, storage, gather, checks):
    site.checks_tags = checks
    site.replace(PATH, CONTENT[::-1])
    (error,) = gather(storage, [(0, 10)])
    assert type(error) is DatasetReplacedError
    assert len(site.requests) == 1


@pytest.mark.parametrize("act", ["chunk_half", "ignore_range"])
def test_answers_that_are_not_understood_are_left_to_obstore_from_then_on(site, storage, gather, act):
    site.script += [act]
    assert gather(storage, [(0, 10)], [(0, 10)]) == [CONTENT[:10]] * 2
    assert agents(site)[0] is None
    assert None not in agents(site)[1:]
    assert len(site.requests) == 3


def test_range_behind_the_end_is_told_as_ever(storage, gather):
    (error,) = gather(storage, [(299_999, 300_001)])
    assert "300,000 bytes" in str(error)


def test_server_that_is_gone_may_come_back(storage, gather, site):
    with open_storage("http://127.0.0.1:1/x") as gone:
        gone.note(storage.seen)
        (error,) = gather(gone, [(0, 10)])
    assert error.passing


def test_tls_is_spoken_with_servers_that_are_trusted(certified, gather, monkeypatch):
    cert, tls = certified
    monkeypatch.setenv("SSL_CERT_FILE", str(cert))
    with serving({PATH: CONTENT}, tls=tls) as site, open_storage(site.url + PATH) as storage:
        storage.note(Stat(len(CONTENT), '"0"'))
        assert gather(storage, [(0, 250_000)], [(7, 99)]) == [CONTENT[:250_000], CONTENT[7:99]]
        assert agents(site) == [None] * 2


def test_servers_that_are_not_trusted_are_left_to_obstore(certified, gather):
    with serving({PATH: CONTENT}, tls=certified[1]) as site, open_storage(site.url + PATH) as storage:
        storage.note(Stat(len(CONTENT), '"0"'))
        (error,) = gather(storage, [(0, 10)])
        assert isinstance(error, StorageError)
        assert storage._client.route is None
        assert site.requests == []


@pytest.mark.parametrize("version", [None, "2026-01-01T00:00:00.000000Z"])
def test_objects_without_a_tag_are_left_to_obstore(site, gather, version):
    site.has_tags = False
    with open_storage(site.url + PATH) as storage:
        storage.stat()
        assert gather(storage, [(0, 10)]) == [CONTENT[:10]]
    assert None not in agents(site)


@pytest.mark.parametrize(
    ("url", "options"),
    [
        ("s3://bucket/x", {}),
        ("http://host/x", {"client_options": {"proxy_url": "http://proxy"}}),
        ("http://host/x", {"client_options": {"default_headers": {"Range": "bytes=0-1"}}}),
        ("http://host/x", {"client_options": {"default_headers": {"a": "b\r\nc: d"}}}),
        ("http://host/x", {"retry_config": {}}),
        ("http://host:port/x", {}),
    ],
)
def test_winding_ways_are_left_to_obstore(url, options, monkeypatch):
    assert route_to(split_url(url), options) is None


def test_ways_through_proxies_are_left_to_obstore(monkeypatch):
    monkeypatch.setenv("http_proxy", "http://proxy:3128")
    monkeypatch.setenv("no_proxy", "inside")
    assert route_to(split_url("http://outside/x"), {}) is None
    assert route_to(split_url("http://inside/x"), {}) is not None


def test_request_is_written_as_the_url_says():
    location = split_url("https://me:pass@host:8443/a%20b/c d?sig=%2F+1")
    route = route_to(location, {"client_options": {"default_headers": {"x-y": "z"}}})
    assert route[:4] == ("host", 8443, True, "host:8443")
    lines = head_with_range(head_of_request(route, location, '"5"'), (3, 10)).decode().split("\r\n")
    assert lines[0] == "GET /a%20b/c%20d?sig=%2F+1 HTTP/1.1"
    assert lines[-4:] == ['If-Match: "5"', "Range: bytes=3-9", "", ""]
    assert {"Host: host:8443", "x-y: z", "authorization: Basic bWU6cGFzcw=="} < set(lines)


def test_head_of_an_answer_is_read_whatever_the_case_of_its_names():
    answer = head_of_answer(
        b'HTTP/1.1 206 Partial Content\r\nCONTENT-LENGTH: 7\r\ncontent-Range: bytes 3-9/1000\r\nETag: W/"a"\r\n'
        b"Connection: Close"
    )
    assert answer == (206, 7, 3, 1000, 'W/"a"', False, None)


@pytest.mark.parametrize(
    "head", [b"", b"220 smtp ready", b"HTTP/1.1 abc", b"HTTP/1.1 200 OK\r\nContent-Length: x"]
)
def test_what_is_no_answer_is_refused(head):
    with pytest.raises(ValueError, match=r"HTTP|invalid literal"):
        head_of_answer(head)
