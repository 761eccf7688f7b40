"""The source files of a dataset are downloaded, verified and found as in datadings, except that failures are errors."""

from __future__ import annotations

import hashlib
from argparse import Namespace

import datadings.tools as reference
import pytest
from webserver import serving

import ddfast.tools as tools
from ddfast.errors import ChecksumError, DownloadError

CONTENT = bytes(range(256))
MD5 = hashlib.md5(CONTENT).hexdigest()


@pytest.fixture
def site():
    with serving(CONTENT) as site:
        yield site


@pytest.fixture
def indir(tmp_path):
    (tmp_path / "here.zip").write_bytes(CONTENT)
    return tmp_path


HERE = {"path": "here.zip", "md5": MD5}


def args(indir, skip=False):
    return Namespace(indir=str(indir), skip_verification=skip)


def test_files_are_located_as_in_datadings(indir):
    files = {"a": HERE, "b": {"path": "/elsewhere/b", "other": 1}}
    for folder in (indir, str(indir), "", "."):
        assert tools.locate_files(files, folder) == reference.locate_files(files, folder)
    assert files["a"]["path"] == "here.zip"


def test_files_are_verified_as_in_datadings(indir, capsys):
    files = {"a": HERE, "b": {**HERE, "path": "../" + indir.name + "/here.zip"}}
    printed = []
    for module in (tools, reference):
        assert module.verify_files(files, indir) is None
        assert module.verify_file(HERE, str(indir)) is None
        printed.append(capsys.readouterr().out)
    assert printed[0] == printed[1] == "Verifying here.zip\n" * 3


def test_wrong_digest_is_an_error_that_names_both(indir):
    with pytest.raises(
        ChecksumError, match=rf"MD5 mismatch in .*here\.zip: expected 00, got {MD5}.*Remove it"
    ):
        tools.verify_files({"a": {**HERE, "md5": "00"}}, indir)


def test_folder_that_is_complete_is_prepared_as_in_datadings(indir, capsys):
    for skip in (False, True):
        results = []
        for module in (tools, reference):
            located = module.prepare_indir({"a": HERE}, args(indir, skip))
            results.append((located, capsys.readouterr().out))
        assert results[0] == results[1]


def test_missing_files_are_downloaded_and_verified_once(indir, site, capsys):
    files = {"a": HERE, "b": {"path": "sub/b.zip", "url": site.url, "md5": MD5}}
    located = tools.prepare_indir(files, args(indir))
    assert located == reference.locate_files(files, indir)
    assert (indir / "sub" / "b.zip").read_bytes() == CONTENT
    printed = capsys.readouterr().out
    assert printed.count("Verifying b.zip") == printed.count("Verifying here.zip") == 1
    tools.prepare_indir(files, args(indir))
    assert len(site.requests) == 1
    assert capsys.readouterr().out == "Verifying here.zip\nVerifying b.zip\n"


def test_file_without_url_is_not_downloaded(indir):
    tools.download_files_if_not_found({"a": {"path": "b", "url": None}, "b": {"path": "c"}}, indir)
    with pytest.raises(FileNotFoundError):
        tools.prepare_indir({"a": {"path": "b", "md5": MD5}}, args(indir))


def test_downloaded_file_without_digest_cannot_be_verified(indir, site):
    with pytest.raises(KeyError, match="md5"):
        tools.prepare_indir({"a": {"path": "b", "url": site.url}}, args(indir))
    assert (indir / "b").read_bytes() == CONTENT


def test_wrong_digest_keeps_a_download_from_its_name_unless_verification_is_skipped(indir, site):
    files = {"b": {"path": "b", "url": site.url, "md5": "00"}}
    with pytest.raises(ChecksumError):
        tools.prepare_indir(files, args(indir))
    assert not (indir / "b").exists()
    tools.prepare_indir(files, args(indir, skip=True))
    assert (indir / "b").read_bytes() == CONTENT


@pytest.mark.parametrize("path", ["../b", "sub/../../b", "/b", "../{name}-sibling/b"])
def test_nothing_is_downloaded_to_outside_of_the_folder(indir, site, path):
    files = {"b": {"path": path.format(name=indir.name), "url": site.url}}
    with pytest.raises(DownloadError, match=rf"/file would be written to .*b, which is outside of {indir}"):
        tools.download_files_if_not_found(files, indir)
    assert not site.requests


def test_located_files_may_be_downloaded(indir, site, monkeypatch):
    monkeypatch.chdir(indir)
    files = tools.locate_files({"b": {"path": "b", "url": site.url}}, indir)
    tools.download_files_if_not_found(files, indir)
    tools.download_files_if_not_found({"b": {"path": "c", "url": site.url}}, "")
    assert (indir / "b").read_bytes() == (indir / "c").read_bytes() == CONTENT
