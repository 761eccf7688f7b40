"""A secret that a user gives in any place is in no error, whatever fails, and in no error that caused it."""

from __future__ import annotations

import contextlib
import secrets
import string
import traceback
from base64 import b64encode
from urllib.parse import quote

import pytest
from bucketserver import BucketHandler
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rangeserver import serving

from ddfast import AsyncReader, FileWriter, MsgpackReader
from ddfast._util.secrets import Secrets, calling, shown
from ddfast.errors import StorageError
from ddfast.loading.options import read_options
from ddfast.reader import ShardedReader
from ddfast.storage import RetryPolicy, open_storage

pytest.importorskip("obstore")

CONTENT = bytes(4000)
REFUSED = "127.0.0.1:1"
RETRY = RetryPolicy(retries=1, backoff=0.001, timeout=5.0)


class Echo(BucketHandler):
    """A server whose answers repeat the request."""

    def answer(self, status, body, length=None, **headers):
        if status >= 400:
            body, length = f"{self.path} {self.headers}".encode(), None
        super().answer(status, body, length, **headers)


@pytest.fixture(scope="module")
def site():
    with serving({"/b/x": CONTENT, "/x": CONTENT}, Echo) as site:
        yield site


def in_password(secret, host):
    return f"http://me:{quote(secret, safe='')}@{host}/x", {}


def in_user(secret, host):
    return f"http://{quote(secret, safe='')}@{host}/x", {}


def in_query(secret, host):
    return f"http://{host}/x?X-Amz-Signature={quote(secret, safe='')}&n=1", {}


def in_query_of_s3(secret, host):
    return f"s3://b/x?sig={quote(secret, safe='')}", {"endpoint": f"http://{host}", "skip_signature": True}


def in_endpoint(secret, host):
    endpoint = f"http://me:{quote(secret, safe='')}@{host}"
    return "s3://b/x", {"endpoint": endpoint, "skip_signature": True, "region": "r"}


def in_keys(secret, host):
    keys = {"access_key_id": "someone", "secret_access_key": secret, "session_token": secret}
    return "s3://b/x", {"endpoint": f"http://{host}", "region": "r", **keys}


def in_header(secret, host):
    return f"http://{host}/x", {"client_options": {"default_headers": {"X-Api-Key": secret}}}


def in_proxy(secret, host):
    proxy = f"http://me:{quote(secret, safe='')}@{host}"
    return "http://nobody.invalid/x", {"client_options": {"proxy_url": proxy}}


def in_chain(secret, host):
    return f"simplecache::http://me:{quote(secret, safe='')}@{host}/x?sig={quote(secret, safe='')}", {}


PLACES = [in_password, in_user, in_query, in_query_of_s3, in_endpoint, in_keys, in_header, in_proxy, in_chain]
FAILURES = [
    400,
    401,
    403,
    404,
    412,
    416,
    500,
    503,
    "expired",
    "ignore_range",
    "serve_half",
    "reset",
    "refused",
]


def said(error):
    """All texts of an error, and of all errors that it refers to."""
    texts, todo, seen = ["".join(traceback.format_exception(error))], [error], set()
    while todo:
        each = todo.pop()
        if each is not None and id(each) not in seen:
            seen.add(id(each))
            texts += [str(each), repr(each), getattr(each, "url", "")]
            todo += [each.__cause__, each.__context__]
    return "\n".join(texts)


def assert_hidden(secret, text):
    for form in (secret, quote(secret, safe=""), quote(secret), b64encode(f"me:{secret}".encode()).decode()):
        assert form not in text


def read_stored(url, options):
    with open_storage(url, **options) as storage:
        assert "http://me:" not in repr(storage)
        storage.stat()
        storage.read([(10, 20)], [memoryview(bytearray(10))])


def read_dataset(url, options):
    MsgpackReader(url, storage_options=options, retry=RETRY).close()


def read_shards(url, options):
    ShardedReader([url, url], storage_options=options, retry=RETRY).close()


def list_pattern(url, options):
    MsgpackReader(f"{url}-*", storage_options=options, retry=RETRY).close()


def write(url, options):
    with FileWriter(url, storage_options=options, disable=True) as writer:
        writer.write({"key": "a"})


CALLS = [read_stored, read_dataset, read_shards, list_pattern, write]
SECRETS = st.text(string.ascii_letters + string.digits + "/+=-_.~%", min_size=6, max_size=20).map("5".__add__)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(SECRETS, st.sampled_from(PLACES), st.sampled_from(FAILURES), st.sampled_from(CALLS))
def test_no_error_contains_a_secret(site, secret, place, failure, call):
    url, options = place(secret, REFUSED if failure == "refused" else site.url.removeprefix("http://"))
    options["retry_config"] = {"max_retries": 0}
    if "::" in url:
        del options["retry_config"]
    site.act = lambda number: None if failure == "refused" else failure
    try:
        call(url, options)
    except Exception as error:
        assert_hidden(secret, said(error))


@pytest.mark.parametrize("name", ["AWS_SESSION_TOKEN", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL"])
def test_secrets_of_the_environment_are_hidden(site, monkeypatch, name):
    secret = f"environment{secrets.token_hex(4)}"
    host = site.url.removeprefix("http://")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "someone")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "something")
    monkeypatch.setenv("AWS_ENDPOINT_URL", site.url)
    monkeypatch.setenv(name, f"http://me:{secret}@{host}" if name.endswith("URL") else secret)
    site.act = lambda number: 500
    with pytest.raises(StorageError) as caught:
        read_stored("s3://b/x", {"region": "r", "client_options": {"allow_http": True}})
    assert_hidden(secret, said(caught.value))


def test_tokens_that_a_server_repeats_are_hidden():
    text = "<Error><Token-0>abcd</Token-0><StringToSign>x</StringToSign><Code>InvalidToken</Code></Error>"
    hidden = Secrets().hide(text)
    assert (
        hidden
        == "<Error><Token-0>...</Token-0><StringToSign>...</StringToSign><Code>InvalidToken</Code></Error>"
    )


PASSWORD = "".join(["abcd", "efgh"])  # tracebacks show lines of this file


class AnswerError(Exception):
    """As the exceptions of aiohttp: the text is not in `args`."""

    def __str__(self):
        return f"403, url='https://h/x?sig={PASSWORD}'"


def refuse():
    try:
        raise KeyError(f"https://me:{PASSWORD}@h/x")
    except KeyError as error:
        raise AnswerError from error


def test_exceptions_that_cannot_be_changed_are_replaced():
    with pytest.raises(StorageError) as caught:
        calling(refuse, explained)
    assert PASSWORD not in said(caught.value)
    assert "AnswerError: 403, url='https://h/x?...'" in said(caught.value)
    assert "https://me:...@h/x" in said(caught.value)


def explained(error):
    told = StorageError("failed")
    told.__cause__ = Secrets().removed_from(error)
    return told


def test_cycles_of_causes_end():
    one, other = ValueError("https://h/x?sig=abcdefgh"), ValueError("y")
    one.__cause__, other.__cause__ = other, one
    assert "abcdefgh" not in repr(Secrets().removed_from(one)) + repr(one.__cause__.__cause__)


def test_short_values_are_hidden_as_words_only():
    assert Secrets(options={"password": "test"}).hide("latest test") == "latest ..."
    assert Secrets(options={"password": "abc"}).hide("abc") == "abc"
    assert Secrets(options={"region": "eu-central-1"}).hide("eu-central-1") == "eu-central-1"


@given(st.text(string.ascii_letters + ":/@?#=&.%[]", max_size=40))
def test_urls_that_are_shown_stay_as_they_are(text):
    for url in (text, f"https://{text}", f"s3://{text}", f"zip://{text}::https://h/{text}"):
        assert shown(shown(url)) == shown(url)


@given(SECRETS, st.sampled_from(["https", "s3", "ftp", "simplecache::https", "http"]))
def test_no_shown_url_contains_a_password(secret, scheme):
    secret = f"s{secret}"  # digits and a slash look like a port
    quoted = quote(secret, safe="")
    for url in (f"{scheme}://me:{secret}@h/x", f"{scheme}://me:{quoted}@h/x", f"{scheme}://h/x?sig={quoted}"):
        assert_hidden(secret, shown(url))


def test_readers_and_their_options_do_not_show_secrets(site):
    options = {"client_options": {"default_headers": {"X-Api-Key": "abcdefgh"}}}
    reader = AsyncReader(f"{site.url}/x?sig=abcdefgh", storage_options=options)
    made = read_options(storage_options=options)
    assert "abcdefgh" not in repr(reader) + repr(made) + repr(made.remote)


def test_a_path_that_was_a_url_is_refused(tmp_path, monkeypatch):
    from pathlib import Path

    monkeypatch.chdir(tmp_path)
    path = Path(f"https://me:{PASSWORD}@h/x?sig={PASSWORD}")
    for call in (MsgpackReader, ShardedReader, FileWriter, open_storage, lambda path: ShardedReader([path])):
        with pytest.raises(
            FileNotFoundError, match=r"https:/me:\.\.\.@h/x\?\.\.\. is a URL that has become a path.*as a str"
        ) as caught:
            call(path)
        assert PASSWORD not in said(caught.value)
    Path("https:").mkdir()
    with contextlib.suppress(OSError):
        (tmp_path / "https:" / "x").write_bytes(b"")
        open_storage(Path("https:/x")).close()
