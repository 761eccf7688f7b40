"""A file gets its name when all of it has come, whatever the server does meanwhile."""

from __future__ import annotations

import hashlib
import os
import ssl
import sys
import threading
from pathlib import Path
from types import ModuleType

import pytest
import trustme
from webserver import Site, serving

from ddfast.errors import ChecksumError, DdfastError, DownloadError, MissingPackageError
from ddfast.tools import download, download_if_not_found

CONTENT = os.urandom(500_000)
HALF = len(CONTENT) // 2
MD5 = hashlib.md5(CONTENT).hexdigest()


@pytest.fixture(autouse=True)
def _impatient(monkeypatch):
    for name, value in {"BACKOFF": 0.001, "READ_TIMEOUT": 0.5, "LOCK_POLL": 0.01}.items():
        monkeypatch.setattr(download, name, value)
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def site():
    with serving(CONTENT) as site:
        yield site


@pytest.fixture
def path(tmp_path):
    return tmp_path / "folder" / "a.zip"


def names(path):
    return sorted(entry.name for entry in path.parent.iterdir())


def ranges(site: Site) -> list[str | None]:
    return [request.get("Range") for request in site.requests]


def break_off(site, path, *script):
    """Have a download fail after half of the file."""
    site.script.extend(script or ["serve_half", 404])
    with pytest.raises(DownloadError):
        download_if_not_found(site.url, path)
    assert names(path) == ["a.zip.part", "a.zip.part.json"]
    site.requests.clear()


def test_file_is_downloaded_into_a_new_folder(site, path, capsys):
    download_if_not_found(site.url, str(path))
    assert path.read_bytes() == CONTENT
    assert names(path) == ["a.zip"]
    printed = capsys.readouterr()
    assert printed.out == f"downloading a.zip --> {path}\n\n"
    assert "500k of 500k (100%)" in printed.err


def test_file_that_is_there_is_left_alone(site, path):
    path.parent.mkdir()
    path.write_bytes(b"old")
    download_if_not_found(site.url, path, MD5)
    assert path.read_bytes() == b"old"
    assert not site.requests


@pytest.mark.parametrize(
    "script",
    [
        ["serve_half"],
        ["serve_half", "serve_half", "serve_half"],
        ["reset_after_half"],
        ["hang_after_half"],
        ["hang", "hang"],
        ["serve_three_quarters_in_chunks"],
        [503, 503],
        [429, 500, 502, 504, 408],
        ["serve_half", "ignore_range"],
        ["serve_half", "serve_another_range"],
        ["serve_half", 416],
        ["serve_half", 206],
    ],
    ids=str,
)
def test_file_is_whole_after_the_server_has_failed(site, path, script):
    site.script.extend(script)
    download_if_not_found(site.url, path, MD5)
    assert path.read_bytes() == CONTENT
    assert names(path) == ["a.zip"]


def test_failed_attempts_are_told(site, path, capsys):
    site.script.append(503)
    download_if_not_found(site.url, path)
    assert (
        f"the server answered 503 Service Unavailable to a request for {site.url}; retrying in 0 s"
        in capsys.readouterr().err
    )


def test_next_attempt_asks_for_what_is_missing(site, path):
    site.script.append("serve_half")
    download_if_not_found(site.url, path)
    assert ranges(site) == [None, f"bytes={HALF}-"]
    assert site.requests[1]["If-Range"] == '"1"'


def test_next_call_goes_on_with_the_part(site, path):
    break_off(site, path)
    download_if_not_found(site.url, path)
    assert ranges(site) == [f"bytes={HALF}-"]
    assert path.read_bytes() == CONTENT


@pytest.mark.parametrize("behaviour", ["serve", "ignore_if_range"])
def test_parts_of_different_versions_are_not_glued_together(site, path, behaviour):
    break_off(site, path)
    site.content, site.headers["ETag"] = bytes(len(CONTENT)), '"2"'
    site.script.append(behaviour)
    download_if_not_found(site.url, path)
    assert path.read_bytes() == site.content


def test_date_tells_versions_where_there_is_no_strong_tag(site, path):
    date = "Sat, 21 Nov 2020 09:00:00 GMT"
    site.headers = {"ETag": 'W/"1"', "Last-Modified": date}
    site.script.append("serve_half")
    download_if_not_found(site.url, path)
    assert site.requests[1]["If-Range"] == date
    assert path.read_bytes() == CONTENT


@pytest.mark.parametrize("headers", [{}, {"ETag": 'W/"1"'}], ids=str)
def test_download_starts_again_where_versions_cannot_be_told(site, path, headers):
    site.headers = headers
    site.script.append("serve_half")
    download_if_not_found(site.url, path)
    assert ranges(site) == [None, None]
    assert path.read_bytes() == CONTENT


@pytest.mark.parametrize("origin", [None, "", "[]", "{}", '{"url": "http://other/", "version": "\\"1\\""}'])
def test_part_of_unknown_origin_is_not_used(site, path, origin):
    path.parent.mkdir()
    (path.parent / "a.zip.part").write_bytes(bytes(1000))
    if origin is not None:
        (path.parent / "a.zip.part.json").write_text(origin)
    download_if_not_found(site.url, path)
    assert ranges(site) == [None]
    assert path.read_bytes() == CONTENT


def test_part_that_was_complete_becomes_the_file(site, path):
    break_off(site, path)
    (path.parent / "a.zip.part").write_bytes(CONTENT)
    download_if_not_found(site.url, path, MD5)
    assert ranges(site) == [f"bytes={len(CONTENT)}-"]
    assert names(path) == ["a.zip"]


def test_file_is_stored_as_it_is_on_the_server(site, path):
    site.headers["Content-Encoding"] = "gzip"
    download_if_not_found(site.url, path)
    assert site.requests[0]["Accept-Encoding"] == "identity"
    assert path.read_bytes() == CONTENT


def test_server_that_never_recovers_is_left_after_a_number_of_attempts(site, path):
    site.script.extend([503] * 100)
    with pytest.raises(DownloadError, match=r"file could not be downloaded: .* answered 503"):
        download_if_not_found(site.url, path)
    assert len(site.requests) == download.ATTEMPTS
    assert names(path) == []


def test_attempts_are_counted_anew_when_a_round_of_them_has_brought_something(site, path):
    site.headers = {}
    site.script.extend(["serve_half"] * 100)
    with pytest.raises(DownloadError, match=r"was interrupted.* next attempt continues from .*a\.zip\.part"):
        download_if_not_found(site.url, path)
    assert len(site.requests) == 2 * download.ATTEMPTS


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410])
def test_refusal_is_an_error_at_once(site, path, status):
    site.script.append(status)
    with pytest.raises(OSError, match=rf"the server answered {status} .* to a request for {site.url}"):
        download_if_not_found(site.url, path)
    assert len(site.requests) == 1


@pytest.mark.parametrize("url", ["ftp://localhost/x", "no url", "file:///etc/passwd"])
def test_other_urls_are_refused(path, url):
    with pytest.raises(DownloadError, match=f"{url} could not be downloaded"):
        download_if_not_found(url, path)


def test_server_that_is_not_there_is_an_error(path):
    with pytest.raises(DownloadError, match="Connection refused"):
        download_if_not_found("http://127.0.0.1:1/x", path)


def test_wrong_digest_keeps_the_name_from_the_file(site, path, capsys):
    with pytest.raises(ChecksumError, match=rf"a\.zip\.bad: expected {'0' * 32}, got {MD5}") as caught:
        download_if_not_found(site.url, path, "0" * 32)
    assert isinstance(caught.value, ValueError)
    assert isinstance(caught.value, DdfastError)
    assert (caught.value.expected, caught.value.got) == ("0" * 32, MD5)
    assert names(path) == ["a.zip.bad"]
    assert "Verifying a.zip\n" in capsys.readouterr().out


def test_digest_in_capitals_is_right(site, path):
    download_if_not_found(site.url, path, MD5.upper())
    assert names(path) == ["a.zip"]


def tls(name: str) -> tuple[trustme.CA, ssl.SSLContext]:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return authority, context


def test_certificates_are_verified(path):
    _, context = tls("localhost")
    with serving(CONTENT, context) as site:
        with pytest.raises(DownloadError, match=r"no secure connection.*CERTIFICATE_VERIFY_FAILED"):
            download_if_not_found(site.url, path)
        assert not site.requests
    assert names(path) == []


@pytest.mark.parametrize("name", ["localhost", "elsewhere.example"])
def test_certificates_must_be_of_a_known_authority_and_for_the_host(path, tmp_path, monkeypatch, name):
    authority, context = tls(name)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "ca.pem"))
    with serving(CONTENT, context) as site:
        if name == "localhost":
            download_if_not_found(site.url, path)
            assert path.read_bytes() == CONTENT
        else:
            with pytest.raises(DownloadError, match="no secure connection"):
                download_if_not_found(site.url, path)


def test_one_of_several_downloads_of_a_file_at_once_does_it(site, path, capsys):
    site.script.append("hang_after_half")
    threads = [threading.Thread(target=download_if_not_found, args=(site.url, path)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert path.read_bytes() == CONTENT
    assert len(site.requests) == 2
    assert capsys.readouterr().err.count("waiting for another process to download a.zip") == 2
    assert names(path) == ["a.zip"]


def test_download_that_another_one_holds_up_is_an_error(site, path, monkeypatch):
    monkeypatch.setattr(download, "LOCK_TIMEOUT", 0.1)
    path.parent.mkdir()
    with (
        download._locked(path),
        pytest.raises(DownloadError, match=r"Another process has locked .*a\.zip\.part"),
    ):
        download_if_not_found(site.url, path)


def test_download_works_where_files_cannot_be_locked(site, path, monkeypatch):
    def refuse(*_):
        raise OSError("no locks here")

    monkeypatch.setattr("fcntl.flock", refuse)
    download_if_not_found(site.url, path)
    assert path.read_bytes() == CONTENT
    assert names(path) == ["a.zip"]


def fake_drive(monkeypatch, content):
    gdown = ModuleType("gdown")

    def fetch(url, output, **_):
        if content is None:
            raise ValueError("too many people have asked for it")
        Path(output).write_bytes(content)

    gdown.download = fetch
    monkeypatch.setitem(sys.modules, "gdown", gdown)


def test_file_on_google_drive_is_downloaded_by_gdown(path, monkeypatch):
    fake_drive(monkeypatch, CONTENT)
    download_if_not_found("https://drive.google.com/uc?id=1", path, MD5)
    assert path.read_bytes() == CONTENT
    assert names(path) == ["a.zip"]


def test_failure_on_google_drive_is_a_download_error(path, monkeypatch):
    fake_drive(monkeypatch, None)
    with pytest.raises(DownloadError, match=r"uc\?... could not be downloaded: too many people"):
        download_if_not_found("https://drive.google.com/uc?id=1", path)
    assert names(path) == []


def test_error_says_how_to_install_gdown(path, monkeypatch):
    monkeypatch.setitem(sys.modules, "gdown", None)
    with pytest.raises(MissingPackageError, match=r"pip install ddfast\[download\]") as caught:
        download_if_not_found("https://drive.google.com/uc?id=1", path)
    assert isinstance(caught.value, ImportError)
