"""A writer keeps the modes of the files that it replaces, and follows no links in the dataset's folder."""

import asyncio
import os
import stat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddfast import AsyncFileWriter, FileWriter, MsgpackReader
from ddfast.writer import write_index
from ddfast.writer.index_files import write_sums

SUFFIXES = ["", ".offsets", ".keys", ".key_hashes", ".filter", ".md5", ".xxh3"]
HIDDEN = [".x.draft", *(f".x.draft{suffix}" for suffix in SUFFIXES[1:]), ".x.journal"]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "x"


def add(path, key="b", **options):
    with FileWriter(path, disable=True, **options) as writer:
        writer.write({"key": key})


def stop(path):
    """Leave a draft with one sample."""
    writer = FileWriter(path, resume=True, overwrite=True, disable=True)
    writer.write({"key": "a"})
    writer.__exit__(KeyboardInterrupt, None, None)


async def add_async(path, **options):
    async with AsyncFileWriter(path, disable=True, **options) as writer:
        await writer.write({"key": "b"})


def modes(path):
    """Modes of all files of the folder, by name."""
    return {file.name: stat.S_IMODE(file.lstat().st_mode) for file in path.parent.iterdir()}


def make(path, mode=0o600):
    """A dataset whose files have one mode; no checksums, so that a writer has a file to add."""
    add(path, "a", checksums=False)
    for file in path.parent.iterdir():
        file.chmod(mode)


WAYS = {
    "overwrite": lambda path: add(path, overwrite=True),
    "append": lambda path: add(path, append=True),
    "asynchronously": lambda path: asyncio.run(add_async(path, overwrite=True)),
    "index": lambda path: write_index(path, ["a"], [0, path.stat().st_size], [], sums=[0]),
    "checksums": lambda path: write_sums(path, [0]),
}


@given(
    way=st.sampled_from(sorted(WAYS)), mode=st.integers(0, 0o777), umask=st.sampled_from([0, 0o022, 0o077])
)
def test_mode_stays_whatever_replaces_the_files(tmp_path_factory, way, mode, umask):
    path = tmp_path_factory.mktemp("modes") / "x"
    make(path, mode | 0o400)
    old = os.umask(umask)
    try:
        WAYS[way](path)
    finally:
        os.umask(old)
    found = modes(path)
    assert set(found.values()) == {mode | 0o400}
    assert set(found) == {f"x{suffix}" for suffix in SUFFIXES}


def test_each_file_keeps_its_own_mode(path):
    make(path, 0o640)
    path.with_name("x.keys").chmod(0o604)
    add(path, overwrite=True)
    assert modes(path) == {f"x{suffix}": 0o604 if suffix == ".keys" else 0o640 for suffix in SUFFIXES}


def test_nobody_else_can_read_what_is_being_written(path):
    make(path, 0o400)
    with FileWriter(path, overwrite=True, disable=True) as writer:
        writer.write({"key": "secret"})
        assert {mode & 0o077 for mode in modes(path).values()} == {0}


def test_private_draft_gives_a_private_dataset(path):
    stop(path)
    path.with_name(".x.draft").chmod(0o600)
    add(path, resume=True)
    assert set(modes(path).values()) == {0o600}


def test_draft_is_continued_though_the_dataset_is_read_only(path):
    make(path, 0o444)
    stop(path)
    path.with_name(".x.draft").chmod(0o444)
    add(path, resume=True, overwrite=True)
    assert set(modes(path).values()) == {0o444}


def plant(path, name, kind):
    """Something in place of a file of a writer. Returns the file that must not change."""
    victim = path.parent.parent / "victim"
    victim.write_text("precious")
    place = path.with_name(name)
    if kind == "pipe":
        os.mkfifo(place)
    else:
        place.symlink_to({"link": victim, "dangling link": victim.with_name("nowhere")}[kind])
    return victim


@pytest.mark.parametrize("options", [{}, {"overwrite": True}, {"resume": True}, {"append": True}])
@pytest.mark.parametrize("kind", ["link", "dangling link", "pipe"])
@pytest.mark.parametrize("name", HIDDEN)
def test_nothing_is_written_through_links_in_place_of_unfinished_files(tmp_path, name, kind, options):
    path = tmp_path / "dataset" / "x"
    path.parent.mkdir()
    victim = plant(path, name, kind)
    refused = name == ".x.journal" or (name == ".x.draft" and "resume" in options)
    if refused:
        with pytest.raises(OSError, match=rf"not a regular file but a link.*Remove it.*/{name}'"):
            add(path, **options)
    else:
        add(path, **options)
        assert sorted(modes(path)) == sorted(f"x{suffix}" for suffix in SUFFIXES)
        with MsgpackReader(path) as reader:
            assert [sample["key"] for sample in reader] == ["b"]
    assert victim.read_text() == "precious"
    assert sorted(file.name for file in tmp_path.iterdir()) == ["dataset", "victim"]


@pytest.mark.parametrize("suffix", SUFFIXES[1:])
def test_link_in_place_of_an_index_file_is_replaced(tmp_path, suffix):
    path = tmp_path / "dataset" / "x"
    add(path)
    path.with_name(f"x{suffix}").unlink()
    victim = plant(path, f"x{suffix}", "link")
    add(path, overwrite=True)
    assert not path.with_name(f"x{suffix}").is_symlink()
    assert victim.read_text() == "precious"


@pytest.mark.parametrize("suffix", [".offsets", ".keys", ".xxh3"])
def test_index_is_not_written_through_links(tmp_path, suffix):
    path = tmp_path / "dataset" / "x"
    add(path)
    victim = plant(path, f".x.draft{suffix}", "link")
    WAYS["checksums" if suffix == ".xxh3" else "index"](path)
    assert victim.read_text() == "precious"


@pytest.mark.parametrize("name", HIDDEN[:-1])
def test_complete_dataset_is_not_finished_with_links(tmp_path, monkeypatch, name):
    path = tmp_path / "dataset" / "x"
    with monkeypatch.context() as patched, FileWriter(path, disable=True) as writer:
        writer.write({"key": "a"})
        patched.setattr(type(path), "replace", lambda *args: None)
        patched.setattr("ddfast.format.journal.Journal.remove", lambda journal: None)
        writer.close()
    path.with_name(name).unlink()
    victim = plant(path, name, "link")
    with pytest.raises(
        OSError, match=r"cannot be renamed now: not a regular file but a link.*ddfast recover"
    ):
        MsgpackReader(path)
    assert not any(file.is_symlink() for file in path.parent.glob("x*"))
    assert victim.read_text() == "precious"
