"""Commands copy index files of URLs to private temporary folders, whatever the names are."""

from __future__ import annotations

import contextlib
import string
import tempfile
from urllib.parse import quote

import pytest
from datasets import beside, some_samples, write
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from rangeserver import serving

from ddfast.commands import __main__ as program
from ddfast.commands._places import placed
from ddfast.errors import StorageError
from ddfast.storage.urls import file_name, lengthened

pytest.importorskip("obstore")

SUFFIXES = ("", ".offsets", ".keys", ".key_hashes", ".filter", ".md5", ".xxh3")
OTHERS = ("", ".", "..", "d", "d/..", "...", "x.msgpack")


@pytest.fixture
def path(tmp_path):
    (tmp_path / "source").mkdir()
    return write(tmp_path / "source" / "x.msgpack", some_samples(9))


@pytest.fixture
def site(path):
    """A server that sends the files of a dataset under any name."""
    with serving({}) as site:
        content = {
            suffix: beside(path, suffix).read_bytes() for suffix in SUFFIXES if beside(path, suffix).exists()
        }

        class Objects(dict):
            def get(self, name, default=None):
                return self[name]

            def __getitem__(self, name):
                return content.get(next((end for end in SUFFIXES if end and name.endswith(end)), ""), b"")

        site.objects = Objects()
        yield site


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The folder for temporary files, with links under the names of index files."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    (tmp_path / "precious").write_text("precious")
    for suffix in SUFFIXES[1:]:
        (folder / suffix).symlink_to(tmp_path / "precious")
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def untouched(folder):
    names = {path.name for path in folder.iterdir()}
    return names == set(SUFFIXES[1:]) and (folder.parent / "precious").read_text() == "precious"


@pytest.mark.parametrize("command", ["verify", "info"])
@pytest.mark.parametrize("name", ["d/", "", "d/..", "d/%2E%2E", "d/x%2F", "d/%00"])
def test_urls_without_a_file_name_are_refused(site, folder, capsys, command, name):
    assert program.main([command, f"{site.url}/{name}"]) == 1
    error = capsys.readouterr().err
    assert "names a folder, not a data file. Append the name of the file" in error
    assert untouched(folder)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(string.ascii_letters + "./ %\\~-é\0", max_size=12))
@example("../x")
@example("%2E%2E")
@example(".msgpack")
def test_copies_stay_in_their_folder(site, folder, name):
    with contextlib.suppress(StorageError), placed(f"{site.url}/{quote(name, safe='/%')}") as place:
        private = place.base.parent
        assert private.parent == folder
        assert private.stat().st_mode & 0o077 == 0
        ends = {path.name.removeprefix(place.base.name) for path in private.iterdir()}
        assert ends <= {*SUFFIXES, ".index"}
    assert untouched(folder)


def test_names_of_objects_are_compared_without_escapes(site, folder):
    with placed(f"{site.url}/a%20b.msgpack") as place:
        assert place.base.name == "a b.msgpack"


@pytest.mark.parametrize(
    ("url", "name", "longer"),
    [
        ("s3://b/d/x%20", "x%20", "s3://b/d/x%20.md5"),
        ("http://h/d/x%20?sig=1", "x ", "http://h/d/x%20.md5?sig=1"),
        ("zip://d/x::https://h/y.zip?sig=1", "x", "zip://d/x.md5::https://h/y.zip?sig=1"),
        ("simplecache::https://h/x?sig=1", "x", "simplecache::https://h/x.md5?sig=1"),
        ("x.msgpack", "", "x.msgpack.md5"),
    ],
)
def test_names_of_chains(url, name, longer):
    assert lengthened(url, ".md5") == longer
    if name:
        assert file_name(url) == name


def test_datasets_in_archives_are_verified(path, tmp_path, capsys):
    from zipfile import ZipFile

    with ZipFile(tmp_path / "x.zip", "w") as archive:
        for suffix in SUFFIXES:
            if beside(path, suffix).exists():
                archive.write(beside(path, suffix), f"d/x.msgpack{suffix}")
    assert program.main(["verify", f"zip://d/x.msgpack::file://{tmp_path}/x.zip"]) == 0
    assert "9 samples" in capsys.readouterr().out


def test_the_name_of_a_temporary_folder_is_random(site, folder):
    names = set()
    for _ in range(3):
        with placed(f"{site.url}/x.msgpack") as place:
            names.add(place.base.parent)
    assert len(names) == 3
