"""A dataset appears when it is complete, replaces another at once, and leaves nothing when it fails."""

import errno
import os
import sys
import threading

import datadings.writer
import pytest
from datasets import some_samples, write

from ddfast import MsgpackReader
from ddfast.errors import ClosedError, DatasetBusyError, DdfastError
from ddfast.index import load_offsets
from ddfast.writer import FileWriter, index_files
from ddfast.writer.data_file import DataFile

NAMES = [
    f"x.msgpack{suffix}" for suffix in ["", ".filter", ".key_hashes", ".keys", ".md5", ".offsets", ".xxh3"]
]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "x.msgpack"


@pytest.fixture
def old(path):
    """A dataset that exists already; its files, by name."""
    with FileWriter(path, disable=True) as writer:
        writer.write({"key": "old", "x": 1})
    return files(path)


def files(path):
    return {file.name: file.read_bytes() for file in sorted(path.parent.iterdir())}


def answer(monkeypatch, *answers):
    given = iter(answers)
    monkeypatch.setattr("builtins.input", lambda: next(given))


def test_only_hidden_files_exist_until_close(path):
    with FileWriter(path, disable=True) as writer:
        writer.write({"key": "a", "x": b"x" * 3_000_000})
        assert all(name.startswith(".x.msgpack.") for name in files(path))
    assert sorted(files(path)) == NAMES


def test_old_dataset_is_whole_until_close(path, old):
    with FileWriter(path, overwrite=True, disable=True) as writer:
        writer.write({"key": "new", "x": b"x" * 3_000_000})
        assert {name: data for name, data in files(path).items() if not name.startswith(".")} == old
    assert sorted(files(path)) == NAMES
    assert all(data != old[name] for name, data in files(path).items())


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit, GeneratorExit])
@pytest.mark.parametrize("exists", [False, True])
def test_exception_in_the_block_leaves_everything_as_it_was(path, request, error, exists):
    before = request.getfixturevalue("old") if exists else {}
    with pytest.raises(error), FileWriter(path, overwrite=True, disable=True) as writer:  # noqa: PT012
        writer.write({"key": "new", "x": b"x" * 3_000_000})
        raise error
    assert files(path) == before
    with pytest.raises(ClosedError, match="was discarded"):
        writer.write({"key": "more"})


def test_readers_never_find_the_data_of_one_beside_the_offsets_of_another(path, old, monkeypatch):
    sizes = []

    for name in ("replace", "unlink"):
        original = getattr(type(path), name)

        def look(self, *args, original=original, **options):
            result = original(self, *args, **options)
            if path.exists() and path.with_name("x.msgpack.offsets").exists():
                sizes.append((path.stat().st_size, int(load_offsets(path)[-1])))
            return result

        monkeypatch.setattr(type(path), name, look)
    with FileWriter(path, overwrite=True, disable=True) as writer:
        writer.write({"key": "new", "x": b"x" * 100})
    old_size, new_size = len(old["x.msgpack"]), path.stat().st_size
    assert (new_size, new_size) in sizes
    assert set(sizes) <= {(old_size, old_size), (new_size, new_size)}


def test_legacy_index_of_the_old_dataset_goes(path):
    path.write_bytes(b"\x80")
    path.with_name("x.msgpack.index").write_bytes(b"\x81\xa1a\x00")
    FileWriter(path, overwrite=True, disable=True).close()
    assert sorted(files(path)) == NAMES


def test_link_to_a_data_file_is_followed(path, tmp_path):
    (tmp_path / "disk").mkdir()
    path.symlink_to(tmp_path / "disk" / "data")
    with FileWriter(path, disable=True) as writer:
        writer.write({"key": "a"})
    assert path.is_symlink()
    assert [file.name for file in (tmp_path / "disk").iterdir()] == ["data"]
    assert (tmp_path / "disk" / "data").read_bytes() == path.read_bytes() != b""


def test_question_whether_to_overwrite_says_where_a_link_leads(path, tmp_path, monkeypatch, capsys):
    target = tmp_path / "target"
    target.touch()
    path.symlink_to(target)
    answer(monkeypatch, "no")
    with pytest.raises(FileExistsError):
        FileWriter(path)
    assert f"x.msgpack, a link to {target}, exists, overwrite?" in capsys.readouterr().out


def test_link_to_another_dataset_is_refused(path, tmp_path):
    write(tmp_path / "other.msgpack", some_samples(3), "ddfast")
    path.symlink_to(tmp_path / "other.msgpack")
    with pytest.raises(ValueError, match=r"has its own index.* remove the link"):
        FileWriter(path, overwrite=True, disable=True)
    assert len(MsgpackReader(tmp_path / "other.msgpack")) == 3


def write_much(writer):
    for i in range(100):  # writing goes on beside, so a later call may be the first that knows of an error
        writer.write({"key": str(i), "x": b"x" * 2_000_000})


def test_full_disk_leaves_the_old_dataset_and_a_draft(path, old):
    class Full:
        def __init__(self, file):
            self.close = file.close

        def write(self, data):
            raise OSError(errno.ENOSPC, "full")

    writer = FileWriter(path, overwrite=True, disable=True)
    writer._destination.data._file = Full(writer._destination.data._file)
    with pytest.raises(
        OSError,
        match=r"full: \d[\d,]* of \d[\d,]* bytes are not in the file.*resume=True.*ddfast recover.*x\.msgpack",
    ):
        write_much(writer)
    with pytest.raises(ClosedError):
        writer.write({"key": "b"})
    writer.close()
    left = files(path)
    assert {name: left.pop(name) for name in old} == old
    assert sorted(left) == [".x.msgpack.draft", ".x.msgpack.journal"]


def test_file_that_takes_less_than_it_is_given_gets_it_all(path, monkeypatch):
    with FileWriter(path, disable=True) as writer:

        class Slow:
            def __init__(self, file):
                self.close, self.fileno = file.close, file.fileno
                self.write = lambda data, write=file.write: write(data[:1000])
                self.tell = file.tell

        writer._destination.data._file = Slow(writer._destination.data._file)
        writer.write({"key": "a", "x": b"x" * 10_000})
    assert path.stat().st_size == load_offsets(path)[-1] > 10_000


def test_data_that_does_not_fit_the_offsets_is_not_published(path, old):
    writer = FileWriter(path, overwrite=True, disable=True)
    writer.write({"key": "a"})
    writer._destination.data.write([b"stray"])
    with pytest.raises(DdfastError, match="a write was interrupted"):
        writer.close()
    left = files(path)
    assert {name: left.pop(name) for name in old} == old
    assert sorted(left) == [".x.msgpack.draft", ".x.msgpack.journal"]


def test_failure_to_rename_says_where_the_dataset_is(path, monkeypatch):
    def refuse(self, target):
        raise PermissionError(errno.EPERM, "not permitted")

    with FileWriter(path, disable=True) as writer:
        writer.write({"key": "a"})
        monkeypatch.setattr(type(path), "replace", refuse)
        with pytest.raises(PermissionError, match=r"complete as .*/\.x\.msgpack\.draft.*`ddfast recover"):
            writer.close()
    assert len(files(path)) == 8


def test_interrupt_while_names_change_comes_afterwards(path, old, monkeypatch):
    class Interrupted:
        def result(self):
            raise KeyboardInterrupt

    class Pool(index_files.ThreadPoolExecutor):
        def submit(self, work):
            super().submit(work)
            return Interrupted()

    monkeypatch.setattr(index_files, "ThreadPoolExecutor", Pool)
    with pytest.raises(KeyboardInterrupt), FileWriter(path, overwrite=True, disable=True) as writer:
        writer.write({"key": "new"})
    assert sorted(files(path)) == NAMES
    assert files(path) != old


def test_user_may_overwrite(path, old, monkeypatch, capsys):
    answer(monkeypatch, "what?", "Y")
    FileWriter(path, disable=True).close()
    assert path.read_bytes() == b""
    assert "x.msgpack exists, overwrite? [Y/n/a/?]" in capsys.readouterr().out


@pytest.mark.parametrize("writer_class", [FileWriter, datadings.writer.FileWriter])
@pytest.mark.parametrize(("text", "error"), [("n", FileExistsError), ("abort", KeyboardInterrupt)])
def test_user_may_decline_or_abort(path, old, monkeypatch, writer_class, text, error):
    answer(monkeypatch, text)
    with pytest.raises(error) as caught:
        writer_class(path, disable=True)
    assert caught.value.args == (path,)
    assert files(path) == old


def test_folder_in_the_way_is_refused(tmp_path):
    with pytest.raises(IsADirectoryError, match="is a folder"):
        FileWriter(tmp_path, overwrite=True)


@pytest.mark.parametrize("suffix", [".offsets", ".keys", ".key_hashes", ".filter", ".md5", ".index"])
def test_name_of_an_index_file_is_refused(tmp_path, suffix):
    with pytest.raises(ValueError, match="name of an index file"):
        FileWriter(tmp_path / f"x{suffix}")


def test_progress_and_last_line_are_those_of_datadings(tmp_path, capsys):
    printed = []
    for writer_class in (FileWriter, datadings.writer.FileWriter):
        with writer_class(tmp_path / writer_class.__module__ / "x.msgpack", total=2) as writer:
            writer.write({"key": "a"})
            writer.write({"key": "b"})
        captured = capsys.readouterr()
        printed.append((captured.out, captured.err.split("\r")[-1].split()[:2]))
    assert printed[0] == printed[1]
    assert printed[0] == ("2 samples written\n", ["x.msgpack", "100%"])


def test_description_can_be_chosen(path, capsys):
    FileWriter(path, desc="numbers", total=0).close()
    assert "numbers" in capsys.readouterr().err


def test_nothing_is_printed_when_disabled(path, capsys):
    FileWriter(path, disable=True).close()
    assert capsys.readouterr() == ("", "")


@pytest.mark.skipif(not hasattr(os, "fork") or sys.version_info >= (3, 12), reason="fork warns of threads")
def test_child_process_does_not_remove_what_its_parent_writes(path):
    with FileWriter(path, disable=True) as writer:
        child = os.fork()
        if child == 0:
            writer._cleanup()
            os._exit(0)
        os.waitpid(child, 0)
        writer.write({"key": "a"})
    assert sorted(files(path)) == NAMES


@pytest.mark.parametrize("extra", [-1, 0, 1, 4095, 5 << 20])
@pytest.mark.parametrize("piece", [1 << 20, 7_000_001])
def test_large_files_are_whole_wherever_they_end(path, monkeypatch, piece, extra):
    monkeypatch.setattr("ddfast.writer.data_file.DIRECT_FROM", 3 << 20)
    data = bytes(range(256)) * ((piece + extra) // 256 + 1)
    with FileWriter(path, disable=True) as writer:
        for i in range(12):
            writer.write({"key": f"{i}", "x": data[: piece + (extra if i == 11 else 0)]})
    with MsgpackReader(path) as reader:
        assert [len(sample["x"]) for sample in reader] == [piece] * 11 + [piece + extra]
        assert reader.verify_data()


def test_a_file_that_grows_large_with_its_last_piece_is_whole(tmp_path, monkeypatch):
    monkeypatch.setattr("ddfast.writer.data_file.DIRECT_FROM", 1000)
    file = DataFile(tmp_path / "x")
    gate = threading.Event()
    file._worker.put(gate.wait)  # the piece is still to be written when the file is closed
    file.write([b"x" * 1001])
    file.write([b"y" * 10])
    threading.Timer(0.1, gate.set).start()
    file.finish()
    file.close()
    assert (tmp_path / "x").read_bytes() == b"x" * 1001 + b"y" * 10


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are not forked here")
@pytest.mark.parametrize("resume", [False, True])
def test_writer_of_a_forked_child_leaves_the_dataset_to_its_parent(tmp_path, resume):
    path = tmp_path / "x"
    with FileWriter(path, resume=resume, disable=True) as writer:
        writer.write({"key": "a"})
        child = os.fork()
        if child == 0:
            status = 1
            try:
                try:
                    writer.write({"key": "b"})
                except ClosedError as error:
                    status = 0 if "of which this one was forked" in str(error) else 2
                writer.close()
                writer.discard()
                del writer
            finally:
                os._exit(status)
        assert os.waitpid(child, 0)[1] == 0
        with pytest.raises(DatasetBusyError):
            FileWriter(path, overwrite=True)
        writer.write({"key": "c"})
    assert [sample["key"] for sample in MsgpackReader(path)] == ["a", "c"]
