"""The MD5 file of a dataset, also of one that was renamed or has a name with unusual characters."""

import os
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddfast import FileWriter, MsgpackReader
from ddfast.commands import verify
from ddfast.errors import IndexFileError, ReadError
from ddfast.format.digests import load_digests, parse_digests
from ddfast.format.files import SUFFIXES, UNLISTED

DIGEST = "0123456789abcdef" * 2
ODD = ["x y.msgpack", "x ", " x", "x\n", "x\ny", f"x\n{DIGEST}", "x.md5.msgpack", "ü.msgpack", "x  y"]


def write(path):
    with FileWriter(path, disable=True) as writer:
        for i in range(20):
            writer.write({"key": str(i)})
    return path


def rename(path, name):
    for file in path.parent.iterdir():
        file.rename(path.with_name(name + file.name.removeprefix(path.name)))
    return path.with_name(name)


def is_sound(path):
    reader = MsgpackReader(path)
    return reader.verify_data(), reader.verify_index()


@pytest.mark.parametrize("name", ODD)
def test_dataset_of_any_name_is_sound(tmp_path, name):
    path = write(tmp_path / name)
    assert set(load_digests(path)) == {"", *SUFFIXES} - UNLISTED - {".index"}
    assert is_sound(path) == (True, True)


@pytest.mark.parametrize("old", ["train.new.msgpack", "x ", "x\n"])
@pytest.mark.parametrize("new", ["train.msgpack", "y ", "a.keys.msgpack"])
def test_renamed_dataset_is_sound(tmp_path, old, new):
    path = rename(write(tmp_path / old), new)
    assert is_sound(path) == (True, True)
    assert verify.main(arguments(path)) == 0


def arguments(path):
    import argparse

    parser = argparse.ArgumentParser()
    verify.add_arguments(parser)
    parser.set_defaults(prog="ddfast verify")
    return parser.parse_args([os.fspath(path)])


@pytest.mark.parametrize("suffix", ["", ".offsets", ".filter"])
def test_damage_of_a_renamed_dataset_is_found(tmp_path, suffix, capsys):
    path = rename(write(tmp_path / "old.msgpack"), "new.msgpack")
    file = path.with_name(path.name + suffix)
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    reader = MsgpackReader(path)
    file.write_bytes(content)
    assert (reader.verify_data(), reader.verify_index()) == (bool(suffix), not suffix)
    assert verify.main(arguments(path)) == 1
    assert f"{file.name}: its MD5 is" in capsys.readouterr().out


def test_missing_file_of_a_renamed_dataset_is_found(tmp_path, capsys):
    path = rename(write(tmp_path / "old.msgpack"), "new.msgpack")
    path.with_name("new.msgpack.filter").unlink()
    assert is_sound(path) == (True, False)
    assert verify.main(arguments(path)) == 1
    assert "new.msgpack.filter: not found, but new.msgpack.md5 lists it" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"nonsense\n", "'nonsense' is not a digest and a name"),
        (b"\n", "'' is not a digest and a name"),
        (
            f"{DIGEST}  x\n{DIGEST}  /etc/passwd\n".encode(),
            "it lists '/etc/passwd', which is no file of this dataset",
        ),
        (f"{DIGEST}  x\n{DIGEST}  x/../../a\n".encode(), "it lists 'x/../../a', which is no file"),
        (f"{DIGEST}  x\n{DIGEST}  x\0.keys\n".encode(), "which is no file of this dataset"),
        (f"{DIGEST}  a\n{DIGEST}  b\n".encode(), "which is no file of this dataset"),
        (f"{DIGEST[:-1]}  x\n".encode(), "is not a digest and a name"),
    ],
)
def test_damaged_md5_file_is_an_error_that_names_it(content, reason):
    with pytest.raises(IndexFileError, match=r"y\.md5 is damaged: .*Remove it and rebuild it") as caught:
        parse_digests(content, "x", "y.md5")
    assert reason in str(caught.value)


@given(
    content=st.binary(max_size=200)
    | st.text(max_size=100).map(lambda text: f"{DIGEST}  {text}\n".encode("utf-8", "replace"))
)
def test_any_content_is_digests_or_an_index_file_error(content):
    try:
        found = parse_digests(content, "x", "x.md5")
    except IndexFileError:
        return
    assert set(found) <= {"", *SUFFIXES}


def test_pipe_in_the_place_of_an_md5_file_is_refused(tmp_path):
    path = write(tmp_path / "x.msgpack")
    (tmp_path / "x.msgpack.md5").unlink()
    os.mkfifo(tmp_path / "x.msgpack.md5")
    for check in (MsgpackReader(path).verify_data, MsgpackReader(path).verify_index):
        with pytest.raises(ReadError, match=r"not a file.*x\.msgpack\.md5"):
            check()


def test_md5sum_accepts_the_file(tmp_path):
    write(tmp_path / "x.msgpack")
    subprocess.run(["md5sum", "--strict", "--quiet", "-c", "x.msgpack.md5"], cwd=tmp_path, check=True)
