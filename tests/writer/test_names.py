"""A name that a dataset cannot have is refused when the writer is opened; any other name is written and read."""

import asyncio
import errno
import os
import secrets
from pathlib import Path

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from ddfast import AsyncFileWriter, FileWriter, MsgpackReader
from ddfast.format.files import SUFFIXES
from ddfast.recovery import find_unfinished


def write(path, **options):
    with FileWriter(path, disable=True, **options) as writer:
        writer.write({"key": "a"})


def keys(path):
    with MsgpackReader(path) as reader:
        return list(reader.keys())


NAMES = st.one_of(
    st.binary(min_size=1, max_size=260),
    st.text(min_size=1, max_size=130).map(lambda text: text.encode("utf-8", "surrogateescape")),
    st.integers(1, 260).map(lambda size: b"x" * size),
    st.text("%#?*[]{}:;&=+~ \n\\'\"!-.aé", min_size=1, max_size=20).map(str.encode),
)


@given(name=NAMES)
@example(name=b"x" * 244)
@example(name=b"x" * 245)
@example(name=b"100%.msgpack")
@example(name=b"%20#?.msgpack")
@example(name=b"\xff.msgpack")
def test_name_is_refused_at_once_or_the_dataset_is_complete(tmp_path_factory, name):
    assume(name not in (b".", b"..") and not set(name) & {0, ord("/")})
    folder = tmp_path_factory.mktemp("names")
    path = folder / os.fsdecode(name)
    assume(path.suffix not in SUFFIXES)
    try:
        writer = FileWriter(path, disable=True)
    except (OSError, ValueError):
        assert len(name) > 244 or not is_utf8(name)
        assert not list(folder.iterdir())
        return
    assert len(name) <= 244
    assert is_utf8(name)
    with writer:
        writer.write({"key": "a"})
    assert len(list(folder.iterdir())) == 7
    assert keys(path) == ["a"]


def is_utf8(name):
    try:
        name.decode()
    except UnicodeDecodeError:
        return False
    return True


@pytest.mark.parametrize("options", [{}, {"resume": True}, {"append": True, "overwrite": True}])
def test_name_whose_index_files_would_have_too_long_names_is_refused(tmp_path, options):
    path = tmp_path / ("x" * 245)
    with pytest.raises(
        OSError, match=r"File name too long: the dataset could not have the file x+\.key_hashes"
    ) as caught:
        FileWriter(path, **options)
    assert caught.value.errno == errno.ENAMETOOLONG
    assert caught.value.filename == str(path)
    assert not list(tmp_path.iterdir())
    write(tmp_path / ("x" * 244))
    assert keys(tmp_path / ("x" * 244)) == ["a"]


def test_path_that_is_too_long_for_hidden_files_is_refused(tmp_path):
    folder = tmp_path
    while len(str(folder)) < 3900:
        folder /= "d" * 100
    name = "x" * (4095 - len(str(folder)) - 1 - len(".draft.key_hashes"))
    with pytest.raises(OSError, match="could not have the file"):
        FileWriter(folder / name)
    write(folder / "x")


def test_name_that_is_not_utf8_is_refused(tmp_path):
    with pytest.raises(
        ValueError, match=r"b'.*/\\xff' is not UTF-8, so the MD5 file cannot list it. Use another name"
    ):
        FileWriter(tmp_path / os.fsdecode(b"\xff"))
    with pytest.raises(ValueError, match="is not UTF-8"):
        AsyncFileWriter(tmp_path / os.fsdecode(b"\xff"))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", [b"\xff", b"#%20?", b"a\nb"])
@pytest.mark.parametrize("by_link", [False, True])
def test_folder_may_have_any_name(tmp_path, name, by_link):
    folder = tmp_path / os.fsdecode(name)
    folder.mkdir()
    path = folder / "x"
    if by_link:
        (tmp_path / "disk").mkdir()
        path.symlink_to(tmp_path / "disk" / "x")
    writer = FileWriter(path, resume=True, disable=True)
    writer.write({"key": "a"})
    writer.__exit__(KeyboardInterrupt, None, None)
    assert find_unfinished(path) is not None
    write(path.with_name("y"))
    with FileWriter(path, resume=True, disable=True) as writer:
        assert "a" in writer
    assert keys(path) == ["a"]


@pytest.mark.parametrize("name", ["x" * 244, "x" * 300, "é" * 140, "100%", "%20", "a#b", "a?b", "a b"])
def test_any_name_of_an_object_is_written_and_read(name):
    url = f"memory://{secrets.token_hex(4)}/{name}"
    write(url)
    assert keys(url) == ["a"]


@pytest.mark.parametrize(
    ("key", "error", "message"),
    [
        (
            "x" * 1014,
            ValueError,
            r"too long: .* index files have up to 1,025 bytes, and object stores allow 1,024",
        ),
        ("\udcff", ValueError, "is not UTF-8"),
        ("a/\udcff/x", ValueError, "is not UTF-8"),
        ("a//x", OSError, "empty path segment"),
        ("a/../x", OSError, r"illegal character sequence"),
    ],
)
def test_url_that_an_object_cannot_have_is_refused(key, error, message):
    with pytest.raises(error, match=message):
        FileWriter(f"memory://{secrets.token_hex(4)}/{key}")


@pytest.mark.parametrize("size", range(240, 258))
def test_file_system_of_fsspec_refuses_at_once_what_it_cannot_complete(tmp_path, size):
    url = f"local://{tmp_path}/{'x' * size}"
    if size <= 244:
        write(url)
        assert keys(url) == ["a"]
    else:
        with pytest.raises(OSError, match="File name too long"):
            FileWriter(url)
        assert not list(tmp_path.iterdir())


def test_asynchronous_writer_refuses_in_its_constructor(tmp_path):
    async def main():
        with pytest.raises(OSError, match="File name too long"):
            AsyncFileWriter(tmp_path / ("x" * 250))

    asyncio.run(main())
    assert not list(Path(tmp_path).iterdir())
