"""Relative paths name the same files after the working folder has changed."""

import copy
import os
import pickle
import zipfile
from pathlib import Path

import pytest

from ddfast import AsyncFileWriter, AsyncReader, FileWriter, MsgpackReader, RawWriter
from ddfast.errors import CorruptSampleError
from ddfast.policy import Quarantine
from ddfast.reader import DirectoryReader, ListReader, ShardedReader, ZipFileReader
from ddfast.recovery import Salvage, find_unfinished
from ddfast.storage import CachedStorage, open_storage, open_upload
from ddfast.tools.msgpack import packb

KEYS = ["a", "b", "c"]
SUFFIXES = ["", ".filter", ".key_hashes", ".keys", ".md5", ".offsets", ".xxh3"]


@pytest.fixture(params=["home", "ho[m]e *"])
def home(tmp_path, monkeypatch, request):
    """The working folder, with datasets; `tmp_path / "away"` is another one."""
    home = tmp_path / request.param
    for folder in [home / "files", tmp_path / "away"]:
        folder.mkdir(parents=True)
    monkeypatch.chdir(home)
    for name, keys in {"x": KEYS, "part1": KEYS[:1], "part2": KEYS[1:]}.items():
        with FileWriter(name, disable=True) as writer:
            for key in keys:
                writer.write({"key": key})
    for key in KEYS:
        (home / "files" / key).write_text(key)
    with zipfile.ZipFile("x.zip", "w") as archive:
        for key in KEYS:
            archive.writestr(key, key)
    (home / "list").write_text("".join(f"files/{key}\n" for key in KEYS))
    return home


READERS = {
    "path": lambda: MsgpackReader("x"),
    "path with a dot": lambda: MsgpackReader("./x"),
    "path that goes up": lambda: MsgpackReader("files/../x"),
    "pattern": lambda: ShardedReader("part*"),
    "list": lambda: ShardedReader(["part1", "part2"]),
    "readers": lambda: ShardedReader([MsgpackReader("part1"), "part2"]),
    "reader of another kind": lambda: ShardedReader([ListReader([{"key": "a"}], labels=["x"]), "part2"]),
    "folder": lambda: DirectoryReader("files/*", labels=[None]),
    "folder in root_dir": lambda: DirectoryReader("files/*", labels=[None], root_dir="../" + Path.cwd().name),
    "list of files": lambda: DirectoryReader("list", labels=[None]),
    "archive": lambda: ZipFileReader("x.zip", "*", labels=[None]),
}


def keys_of(reader):
    return sorted(os.path.basename(sample["key"]) for sample in reader)  # noqa: PTH119


@pytest.mark.parametrize("how", ["as it is", "pickled", "pickled before", "copied", "closed", "unused"])
@pytest.mark.parametrize("kind", READERS)
def test_reader_finds_its_files(home, tmp_path, monkeypatch, kind, how):
    reader = READERS[kind]()
    if how != "unused":
        assert keys_of(reader) == KEYS
    packed = pickle.dumps(reader) if "reader" not in kind or how.startswith("pickled") else b""
    monkeypatch.chdir(tmp_path / "away")
    if how.startswith("pickled"):
        reader = pickle.loads(packed if how == "pickled before" else pickle.dumps(reader))
    elif how == "copied":
        reader = copy.copy(reader)
    elif how == "closed":
        reader.close()
    assert keys_of(reader) == KEYS
    if kind.startswith("path"):
        assert reader.verify_data()
        assert reader.verify_index()


@pytest.mark.parametrize("location", ["x", "part*", ["part1", "part2"]])
def test_asynchronous_reader_finds_its_files(home, tmp_path, monkeypatch, location, arun):
    async def main():
        reader = AsyncReader(location)
        monkeypatch.chdir(tmp_path / "away")
        async with reader:
            return [key async for batch in reader.batches(2) for key in batch.keys]

    assert arun(main()) == KEYS


@pytest.mark.parametrize("options", [{}, {"overwrite": True}, {"append": True}, {"resume": True}])
@pytest.mark.parametrize("when", ["opened", "written", "reopened"])
def test_writer_writes_where_it_was_opened(home, tmp_path, monkeypatch, options, when):
    name = "x" if options else "new"
    old = KEYS if "append" in options else []
    if "resume" in options:
        options = {"resume": True, "overwrite": True}
    with FileWriter(name, disable=True, **options) as writer:
        if when == "opened":
            monkeypatch.chdir(tmp_path / "away")
        writer.write({"key": "new"})
        if when == "reopened":
            writer.write({"key": "large", "x": bytes(3_000_000)})
        monkeypatch.chdir(tmp_path / "away")
    assert not list((tmp_path / "away").iterdir())
    assert not list(home.glob(".*"))
    with MsgpackReader(home / name) as reader:
        assert list(reader.keys()) == [*old, "new", *(["large"] if when == "reopened" else [])]
        assert reader.verify_index()


def test_asynchronous_writer_writes_where_it_was_made(home, tmp_path, monkeypatch, arun):
    async def main():
        writer = AsyncFileWriter("new", disable=True)
        monkeypatch.chdir(tmp_path / "away")
        async with writer:
            await writer.write({"key": "a"})

    arun(main())
    assert sorted(path.name for path in home.glob("new*")) == [f"new{suffix}" for suffix in SUFFIXES]
    assert not list((tmp_path / "away").iterdir())


@pytest.mark.parametrize("end", ["keep", "discard", "forget"])
def test_unfinished_dataset_stays_where_it_was_opened(home, tmp_path, monkeypatch, end, capsys):
    writer = RawWriter("new", resume=True, disable=True)
    writer.write("a", packb({"key": "a"}))
    monkeypatch.chdir(tmp_path / "away")
    if end == "keep":
        writer.__exit__(KeyboardInterrupt, None, None)
    elif end == "discard":
        writer.discard()
    del writer
    assert (find_unfinished(home / "new") is None) == (end == "discard")
    assert not list((tmp_path / "away").iterdir())
    if end == "forget":
        assert f"`ddfast recover {home}/new`" in capsys.readouterr().err


def test_recovery_finds_its_files(home, tmp_path, monkeypatch):
    writer = RawWriter("new", resume=True, disable=True)
    writer.write("a", packb({"key": "a"}))
    writer.__exit__(KeyboardInterrupt, None, None)
    found, salvage = find_unfinished("new"), Salvage("x")
    monkeypatch.chdir(tmp_path / "away")
    assert [chunk.keys for chunk in found.chunks()] == [["a"]]
    assert [chunk.keys for chunk in salvage.chunks()] == [KEYS]


def test_link_in_the_path_that_changes_meanwhile_is_an_error(home, tmp_path):
    """The files are renamed where they were written, or not at all."""
    (tmp_path / "link").symlink_to(home)
    with FileWriter(tmp_path / "link" / "new", disable=True) as writer:
        writer.write({"key": "a"})
        (tmp_path / "link").unlink()
        (tmp_path / "link").symlink_to(tmp_path / "away")
        with pytest.raises(
            FileNotFoundError, match=r"\.new\.draft was removed, or the path was changed.*link/new'"
        ):
            writer.close()
    assert find_unfinished(home / "new") is not None
    assert not list((tmp_path / "away").glob("new*"))


def test_storage_finds_its_file(home, tmp_path, monkeypatch):
    storage, upload = open_storage("x"), open_upload("sent")
    monkeypatch.chdir(tmp_path / "away")
    assert storage.beside(".keys").stat().size == (home / "x.keys").stat().st_size
    assert pickle.loads(pickle.dumps(storage)).stat().size == (home / "x").stat().st_size
    upload.write(b"data")
    upload.commit()
    assert (home / "sent").read_bytes() == b"data"


def test_quarantine_is_written_where_it_was_made(home, tmp_path, monkeypatch):
    data = bytearray((home / "x").read_bytes())
    data[0] = 0xC1
    (home / "x").write_bytes(data)
    with pytest.raises(CorruptSampleError):
        MsgpackReader("x")[0]
    quarantine = Quarantine("bad")
    reader = MsgpackReader("x", on_error=quarantine)
    monkeypatch.chdir(tmp_path / "away")
    assert keys_of(reader) == KEYS[1:]
    assert (home / "bad").exists()
    assert keys_of(MsgpackReader(home / "x", on_error=Quarantine(home / "bad"))) == KEYS[1:]


def test_cache_stays_where_it_was(home, tmp_path, monkeypatch):
    reader = MsgpackReader("x", cache="cache")
    monkeypatch.chdir(tmp_path / "away")
    assert pickle.loads(pickle.dumps(reader))._options.cache == str(home / "cache")


def test_cache_of_a_storage_stays_where_it_was(home, tmp_path, monkeypatch):
    with CachedStorage(open_storage("x"), "cache", 1 << 30) as storage:
        monkeypatch.chdir(tmp_path / "away")
        with pickle.loads(pickle.dumps(storage)) as other:
            assert other.directory == str(home / "cache")
    assert not list((tmp_path / "away").iterdir())
