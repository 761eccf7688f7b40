"""How the files of a dataset are opened."""

import os

import pytest

from ddfast import FileWriter, MsgpackReader
from ddfast._native.content import Content
from ddfast.errors import DatasetChangedError, IndexFileError, ReadError
from ddfast.format.files import SUFFIX_CHECKSUMS, SUFFIX_KEY_HASHES, SUFFIX_KEYS, SUFFIX_OFFSETS, open_file

MANY = 30_000  # samples: their offsets are several windows


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    path = tmp_path_factory.mktemp("large") / "x.msgpack"
    with FileWriter(path, disable=True) as writer:
        for i in range(MANY):
            writer.write({"key": str(i), "i": i})
    return path


@pytest.fixture
def copied(large, tmp_path):
    for file in large.parent.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    return tmp_path / large.name


def test_content_is_that_of_the_file(tmp_path):
    path = tmp_path / "x.offsets"
    path.write_bytes(os.urandom(200_001))
    content = Content(path)
    assert len(content) == 200_001
    assert bytes(content) == path.read_bytes()


def test_empty_file_has_empty_content(tmp_path):
    path = tmp_path / "x.keys"
    path.touch()
    assert bytes(Content(path)) == b""


@pytest.mark.parametrize("open_it", [Content, open_file])
def test_pipe_is_refused_at_once_and_named(tmp_path, open_it):
    path = tmp_path / "x.offsets"
    os.mkfifo(path)
    with pytest.raises(ReadError, match=r"a pipe, a socket or a device, not a file.*x\.offsets"):
        open_it(path)


@pytest.mark.parametrize("open_it", [Content, open_file])
def test_folder_and_missing_file_have_the_errors_of_the_system(tmp_path, open_it):
    with pytest.raises(IsADirectoryError):
        open_it(tmp_path)
    with pytest.raises(FileNotFoundError, match="nowhere"):
        open_it(tmp_path / "nowhere")


# A mapped file would end the process with a signal in each of these.
USES = {
    SUFFIX_OFFSETS: lambda reader: reader.get(MANY // 2),
    SUFFIX_CHECKSUMS: lambda reader: reader.get(MANY // 2),
    SUFFIX_KEYS: lambda reader: reader.find_key(MANY // 2),
    SUFFIX_KEY_HASHES: lambda reader: reader.find_index("77"),
}


@pytest.mark.parametrize("suffix", USES)
def test_index_file_truncated_while_it_is_open_is_an_error_that_names_it(copied, suffix):
    reader = MsgpackReader(copied, verify="sample")
    os.truncate(f"{copied}{suffix}", 100)
    with pytest.raises(DatasetChangedError, match=f"x.msgpack{suffix} was truncated or replaced"):
        USES[suffix](reader)


@pytest.mark.parametrize("suffix", [SUFFIX_OFFSETS, SUFFIX_CHECKSUMS])
def test_batches_over_a_truncated_index_file_raise_an_error_that_names_it(copied, suffix):
    reader = MsgpackReader(copied, verify="sample")
    os.truncate(f"{copied}{suffix}", 100)
    with pytest.raises(DatasetChangedError, match=f"x.msgpack{suffix} was truncated or replaced"):
        for _ in reader.batches(256, shuffle=True):
            pass


def test_samples_whose_index_was_read_are_read_after_it_was_truncated(copied):
    reader = MsgpackReader(copied, verify="sample")
    before = [reader.get(i) for i in (0, 5, MANY - 1)]
    for suffix in USES:
        os.truncate(f"{copied}{suffix}", 0)
    assert [reader.get(i) for i in (0, 5, MANY - 1)] == before


@pytest.mark.parametrize("suffix", ["", *USES])
def test_reader_of_a_dataset_with_a_pipe_in_the_place_of_a_file_raises_an_error(copied, suffix):
    path = copied.with_name(copied.name + suffix)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(ReadError, match=f"not a file.*{path.name}"):
        MsgpackReader(copied, verify="sample").find_index("5")


def test_index_that_is_too_short_is_damaged_and_not_changed(copied):
    os.truncate(f"{copied}{SUFFIX_OFFSETS}", 800)
    with pytest.raises(IndexFileError, match="offsets"):
        MsgpackReader(copied)
