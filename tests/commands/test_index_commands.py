"""The commands that write indexes: ddfast-index from the data file, ddfast-convert-index from an index of old."""

from __future__ import annotations

import shutil
from pathlib import Path

import datadings.commands.convert_index
import datadings.reader
import pytest
from datasets import beside, damage, keys_of, md5_of, some_samples, write, write_checksums, write_legacy

from ddfast._native.xxh3 import checksums
from ddfast.commands import _run, convert_index, index
from ddfast.errors import CorruptSampleError, DatasetNotFoundError
from ddfast.format import scan
from ddfast.format.window import Window
from ddfast.writer import index_files

SAMPLES = some_samples(50)
GOLDEN = Path(__file__).parent.parent / "golden"
HUGE = [{"key": "huge", "data": bytes(3 << 20)}]


@pytest.fixture(autouse=True)
def nobody_answers(monkeypatch):
    def closed():
        raise EOFError

    monkeypatch.setattr("builtins.input", closed)


def run(module, *argv):
    return _run.run(module, f"ddfast-{module.__name__.rpartition('.')[2]}", [str(arg) for arg in argv])


def contents(folder):
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def forget_index(path):
    for suffix in (*index_files.INDEX_SUFFIXES, ".md5"):
        beside(path, suffix).unlink()


# -- index


@pytest.mark.parametrize(
    "samples", [SAMPLES, [], [{"key": "one"}], HUGE], ids=["some", "none", "one", "huge"]
)
@pytest.mark.parametrize("keep", [False, True], ids=["no index", "index"])
def test_index_is_byte_for_byte_what_datadings_wrote(tmp_path, capsys, samples, keep):
    path = write_checksums(write(tmp_path / "x.msgpack", samples))
    expected = contents(tmp_path)
    beside(path, ".xxh3").unlink()
    if not keep:
        forget_index(path)
    assert run(index, path, *["-y"] * keep) == 0
    assert contents(tmp_path) == expected
    assert capsys.readouterr() == (f"x.msgpack: {len(samples):,} samples indexed\n", "")


def test_index_of_the_golden_dataset_is_made_again(tmp_path):
    shutil.copy(GOLDEN / "golden.msgpack", tmp_path)
    assert index.index(tmp_path / "golden.msgpack") == 8
    made = contents(tmp_path)
    del made["golden.msgpack.xxh3"]
    assert made == {
        file.name: file.read_bytes() for file in GOLDEN.iterdir() if file.name.startswith("golden")
    }


def test_legacy_dataset_gets_an_index_and_keeps_its_old_one(tmp_path, capsys):
    path = write_legacy(tmp_path / "x.msgpack", SAMPLES)
    assert run(index, path, "-y") == 0
    assert f"{md5_of(beside(path, '.index'))}  x.msgpack.index" in beside(path, ".md5").read_text()
    reader = datadings.reader.MsgpackReader(path)
    assert [reader.find_key(i) for i in range(len(reader))] == keys_of(SAMPLES)
    assert reader.verify_data()
    assert reader.verify_index()


def test_patterns_stand_for_files(tmp_path, capsys):
    for name in "ab":
        forget_index(write(tmp_path / f"{name}.msgpack", SAMPLES))
    assert run(index, tmp_path / "*.msgpack") == 0
    assert capsys.readouterr().out == "a.msgpack: 50 samples indexed\nb.msgpack: 50 samples indexed\n"


@pytest.mark.parametrize(
    ("answer", "code", "message"), [("n", 1, "nothing was changed"), ("a", 130, ""), (None, 1, "use -y")]
)
def test_old_index_stays_unless_the_user_agrees(tmp_path, monkeypatch, capsys, answer, code, message):
    path = write(tmp_path / "x.msgpack", SAMPLES)
    beside(path, ".keys").write_bytes(b"old")
    before = contents(tmp_path)
    if answer is not None:
        monkeypatch.setattr("builtins.input", lambda: answer)
    assert run(index, path) == code
    assert contents(tmp_path) == before
    captured = capsys.readouterr()
    assert "x.msgpack has an index, overwrite?" in captured.out
    assert message in captured.err


def test_old_index_stays_where_a_sample_is_damaged(tmp_path, capsys):
    path = write(tmp_path / "x.msgpack", SAMPLES)
    damage(path, 20)
    before = contents(tmp_path)
    assert run(index, path, "-y") == 1
    assert contents(tmp_path) == before
    assert "sample 20 is damaged" in capsys.readouterr().err


def test_data_file_that_changed_is_not_indexed(tmp_path):
    path = write(tmp_path / "x.msgpack", [{"key": "a", "n": 1}])
    path.write_bytes(path.read_bytes().replace(b"\xa1n\x01", b"\xa1n\x02"))
    before = contents(tmp_path)
    with pytest.raises(
        CorruptSampleError, match=r"MD5 mismatch in .*x\.msgpack: .* remove x\.msgpack\.md5 to accept"
    ):
        index.index(path)
    assert contents(tmp_path) == before
    beside(path, ".md5").unlink()
    assert index.index(path) == 1


# -- checksums


@pytest.mark.parametrize("writer", [write, write_legacy])
@pytest.mark.parametrize("samples", [SAMPLES, [], HUGE], ids=["some", "none", "huge"])
def test_checksums_are_written_alone(tmp_path, capsys, writer, samples):
    path = writer(tmp_path / "x.msgpack", samples)
    before = contents(tmp_path)
    assert run(index, "--checksums", path) == 0
    assert capsys.readouterr() == (f"x.msgpack: {len(samples):,} samples hashed\n", "")
    after = contents(tmp_path)
    sums = after.pop("x.msgpack.xxh3")
    assert after == before
    if writer is write:
        assert sums == beside(write_checksums(path), ".xxh3").read_bytes()


def test_checksums_of_a_changed_data_file_are_not_written(tmp_path, capsys):
    path = write(tmp_path / "x.msgpack", SAMPLES)
    damage(path, 3, 60)
    before = contents(tmp_path)
    assert run(index, "--checksums", path) == 1
    assert "has changed since it was written" in capsys.readouterr().err
    assert contents(tmp_path) == before


def test_checksums_are_replaced_after_a_question_only(tmp_path, capsys):
    path = write_checksums(write(tmp_path / "x.msgpack", SAMPLES))
    assert run(index, "--checksums", path) == 1
    assert "x.msgpack has checksums, overwrite?" in capsys.readouterr().err
    assert run(index, "--checksums", "-y", path) == 0


def test_checksums_without_an_index_of_the_data_file_are_refused(tmp_path, capsys):
    path = write(tmp_path / "x.msgpack", SAMPLES)
    offsets = beside(path, ".offsets")
    offsets.write_bytes(offsets.read_bytes()[:-8])
    assert run(index, "--checksums", path) == 1
    assert "x.msgpack.offsets belongs to another data file" in capsys.readouterr().err
    offsets.unlink()
    assert run(index, "--checksums", path) == 1
    assert "x.msgpack.offsets" in capsys.readouterr().err


@pytest.mark.parametrize("stage", ["pack_filter", "sync"])
@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError("disk full")], ids=["Ctrl-C", "full disk"])
def test_failure_leaves_the_old_index_and_nothing_else(tmp_path, monkeypatch, stage, error):
    def fail(*_):
        raise error

    path = write(tmp_path / "x.msgpack", SAMPLES)
    before = contents(tmp_path)
    monkeypatch.setattr(index_files, stage, fail)
    assert run(index, path, "-y") == (130 if error is KeyboardInterrupt else 1)
    assert contents(tmp_path) == before


def test_ctrl_c_while_the_file_is_read_leaves_everything(tmp_path, monkeypatch):
    path = write(tmp_path / "x.msgpack", SAMPLES)
    before = contents(tmp_path)
    monkeypatch.setattr(index, "scan_index", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    assert run(index, path, "-y") == 130
    assert contents(tmp_path) == before


def test_damaged_md5_file_is_told(tmp_path, capsys):
    path = write(tmp_path / "x.msgpack", SAMPLES)
    beside(path, ".md5").write_text("nonsense\n")
    assert run(index, path, "-y") == 1
    assert "x.msgpack.md5 is damaged" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "message"), [("none", "none not found"), (".", "is a folder. Name its files")]
)
def test_what_is_no_file_is_named(tmp_path, monkeypatch, capsys, name, message):
    monkeypatch.chdir(tmp_path)
    assert run(index, name) == 1
    captured = capsys.readouterr()
    assert message in captured.err
    assert len(captured.err.splitlines()) == 1


@pytest.mark.parametrize("suffix", [*index_files.INDEX_SUFFIXES, ".md5"])
def test_index_files_are_not_taken_for_data(tmp_path, capsys, suffix):
    path = write(tmp_path / "x.msgpack", SAMPLES)
    before = contents(tmp_path)
    assert run(index, "-y", f"{path}{suffix}") == 1
    assert f"{suffix} is an index file. Name the data file, {path}\n" in capsys.readouterr().err
    assert contents(tmp_path) == before


# -- convert-index


def converted_by_datadings(path, folder):
    shutil.copytree(path.parent, folder)
    datadings.commands.convert_index.convert_index(folder / path.name, None)
    return contents(folder)


@pytest.mark.parametrize("suffix", ["", ".index"])
@pytest.mark.parametrize("samples", [SAMPLES, [], HUGE], ids=["some", "none", "huge"])
def test_conversion_is_that_of_datadings(tmp_path, samples, suffix):
    (tmp_path / "ours").mkdir()
    path = write_legacy(tmp_path / "ours" / "x.msgpack", samples)
    expected = converted_by_datadings(path, tmp_path / "theirs")
    assert run(convert_index, f"{path}{suffix}") == 0
    assert contents(tmp_path / "ours") == expected


def test_conversion_repeated_changes_nothing(tmp_path):
    path = write_legacy(tmp_path / "x.msgpack", SAMPLES)
    run(convert_index, path)
    before = contents(tmp_path)
    run(convert_index, path)
    assert contents(tmp_path) == before


def test_files_go_into_another_folder(tmp_path):
    path = write_legacy(tmp_path / "x.msgpack", SAMPLES)
    expected = converted_by_datadings(path, tmp_path / "theirs")
    (tmp_path / "out").mkdir()
    before = path.stat().st_mtime_ns, beside(path, ".md5").read_bytes()
    assert run(convert_index, path, "-o", tmp_path / "out") == 0
    assert contents(tmp_path / "out") == {
        name: data for name, data in expected.items() if name not in ("x.msgpack", "x.msgpack.index")
    }
    assert (path.stat().st_mtime_ns, beside(path, ".md5").read_bytes()) == before


def test_missing_md5_file_is_made(tmp_path):
    path = write_legacy(tmp_path / "x.msgpack", SAMPLES)
    md5 = beside(path, ".md5")
    expected = converted_by_datadings(path, tmp_path / "theirs")["x.msgpack.md5"]
    md5.unlink()
    assert run(convert_index, path) == 0
    assert md5.read_bytes() == expected


@pytest.mark.parametrize("missing", ["", ".index"])
def test_missing_file_is_named(tmp_path, capsys, missing):
    path = write_legacy(tmp_path / "x.msgpack", SAMPLES)
    beside(path, missing).unlink()
    with pytest.raises(DatasetNotFoundError):
        convert_index.convert_index(path)
    assert run(convert_index, path) == 1
    assert f"x.msgpack{missing} not found" in capsys.readouterr().err


def test_missing_folder_is_named(tmp_path, capsys):
    path = write_legacy(tmp_path / "x.msgpack", SAMPLES)
    assert run(convert_index, path, "-o", tmp_path / "none") == 1
    assert "none is not a folder. Create it first" in capsys.readouterr().err


def test_damaged_legacy_index_changes_nothing(tmp_path, capsys):
    path = write_legacy(tmp_path / "x.msgpack", SAMPLES)
    beside(path, ".index").write_bytes(beside(path, ".index").read_bytes()[:-1])
    before = contents(tmp_path)
    assert run(convert_index, path) == 1
    assert "x.msgpack.index" in capsys.readouterr().err
    assert contents(tmp_path) == before


@pytest.mark.parametrize("module", [index, convert_index])
def test_wrong_arguments_end_with_usage(module, capsys):
    for argv in ([], ["x", "--unknown"]):
        with pytest.raises(SystemExit) as end:
            run(module, *argv)
        assert end.value.code == 2
        assert "usage: ddfast-" in capsys.readouterr().err


def test_the_data_file_is_read_once_for_index_and_checksums(tmp_path, monkeypatch):
    path = write(tmp_path / "x", some_samples(100))
    pieces = []
    monkeypatch.setattr(
        scan, "checksums_of", lambda data, sizes: pieces.append(len(data)) or checksums(data, sizes)
    )
    monkeypatch.setattr(Window, "SIZE", 100)
    opened = []
    monkeypatch.setattr(Window, "__enter__", lambda window: opened.append(window) or window)
    index.index(path)
    assert (len(opened), sum(pieces)) == (1, path.stat().st_size)
    beside(path, ".xxh3").rename(tmp_path / "sums")
    index.index_checksums(path)
    assert beside(path, ".xxh3").read_bytes() == (tmp_path / "sums").read_bytes()
