"""The files that a reader needs, its errors for missing ones, and its verification of the others."""

import contextlib
import re
import warnings

import datadings.reader
import msgpack
import pytest
from compare import assert_same
from datasets import SUFFIXES, beside, keys_of, overwrite, some_samples, write, write_legacy

from ddfast.errors import DatasetNotFoundError, DdfastError, IndexFileError
from ddfast.reader import MsgpackReader
from ddfast.testing import assert_same_sample

SAMPLES = some_samples(20)


@pytest.fixture
def path(tmp_path):
    return write(tmp_path / "x.msgpack", SAMPLES)


@pytest.fixture
def legacy(tmp_path):
    return write_legacy(tmp_path / "x.msgpack", SAMPLES)


def assert_reads_all(path):
    with MsgpackReader(path) as reader:
        assert_same_sample(
            list(reader.iter(yield_key=True)), list(zip(keys_of(SAMPLES), SAMPLES, strict=True))
        )
        assert [reader.find_index(key) for key in keys_of(SAMPLES)] == list(range(20))
        assert keys_of(SAMPLES)[3] in reader
        assert "nobody" not in reader


# -- missing files


def test_the_data_file_must_be_there(tmp_path):
    with pytest.raises(DatasetNotFoundError, match=r"x\.msgpack not found"):
        MsgpackReader(tmp_path / "x.msgpack")


def test_an_index_must_be_there(path):
    beside(path, ".offsets").unlink()
    with pytest.raises(DatasetNotFoundError, match=r"x\.msgpack\.offsets.*x\.msgpack\.index"):
        MsgpackReader(path)


@pytest.mark.parametrize(
    "missing", [[".filter"], [".key_hashes"], [".md5"], [".key_hashes", ".filter", ".md5"]]
)
def test_optional_files_may_be_missing_without_a_warning(path, missing):
    for suffix in missing:
        beside(path, suffix).unlink()
    assert_reads_all(path)


def test_missing_keys_are_warned_of_where_the_reader_is_opened(path):
    beside(path, ".keys").unlink()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        MsgpackReader(path)
    assert [str(warning.message) for warning in caught] == [
        f"{beside(path, '.keys')} not found, samples have no keys"
    ]
    assert caught[0].filename == __file__


@pytest.mark.filterwarnings("ignore:.*samples have no keys")
def test_without_keys_samples_are_read_and_found(path):
    beside(path, ".keys").unlink()
    with MsgpackReader(path) as reader:
        assert_same_sample(list(reader), SAMPLES)
        assert reader.find_index(SAMPLES[7]["key"]) == 7  # by its hash
        assert_same_sample(reader.get_many([3])[0], SAMPLES[3])
        for call in (lambda: reader.find_key(0), reader.keys, lambda: reader.get(0, yield_key=True)):
            with pytest.raises(
                DatasetNotFoundError, match=r"\.keys not found.*Create it with `ddfast index`"
            ):
                call()


@pytest.mark.filterwarnings("ignore:.*samples have no keys")
def test_without_keys_and_hashes_nothing_can_be_found(path):
    beside(path, ".keys").unlink()
    beside(path, ".key_hashes").unlink()
    with MsgpackReader(path) as reader:
        assert_same_sample(list(reader), SAMPLES)
        for call in (lambda: reader.find_index("a"), lambda: "a" in reader, lambda: reader.seek_key("a")):
            with pytest.raises(FileNotFoundError, match=r"\.keys"):
                call()


def test_without_hashes_equal_keys_are_told(path):
    beside(path, ".key_hashes").unlink()
    keys = keys_of(SAMPLES)
    beside(path, ".keys").write_bytes(msgpack.packb([keys[0], *keys[:-1]]))
    with (
        MsgpackReader(path) as reader,
        pytest.raises(IndexFileError, match=r"\.keys is damaged: keys 0 and 1 are both"),
    ):
        reader.find_index(keys[2])


def test_a_directory_is_no_dataset(tmp_path):
    with pytest.raises((DdfastError, OSError)):
        MsgpackReader(tmp_path)


@pytest.mark.parametrize("form", [str, bytes, lambda path: path])
def test_paths_come_in_any_form(path, form):
    if form is bytes:
        path = str(path).encode()
        with pytest.raises(TypeError):
            MsgpackReader(path)
    else:
        assert len(MsgpackReader(form(path))) == 20


# -- the index of old


def test_the_legacy_index_is_read_as_datadings_reads_it(legacy):
    assert_reads_all(legacy)
    with pytest.warns(UserWarning, match="not found"):
        theirs = datadings.reader.MsgpackReader(legacy)
    # All but the last sample, whose end datadings takes from the size of the index.
    with theirs, MsgpackReader(legacy) as ours:
        assert_same([ours.get(i) for i in range(19)], [theirs.get(i) for i in range(19)])
        assert len(ours) == len(theirs)


def test_the_new_index_is_preferred(tmp_path):
    path = write_legacy(tmp_path / "x.msgpack", SAMPLES, remove=False)
    beside(path, ".index").write_bytes(b"damaged")
    assert_reads_all(path)


@pytest.mark.parametrize("missing", [".offsets", ".keys", ".key_hashes"])
def test_the_legacy_index_stands_in_for_any_file(tmp_path, missing):
    path = write_legacy(tmp_path / "x.msgpack", SAMPLES, remove=False)
    beside(path, missing).unlink()
    assert_reads_all(path)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x80",
        msgpack.packb([1, 2]),
        msgpack.packb({"a": 10**6}),
        msgpack.packb({"a": -1}),
        msgpack.packb({"a": 0, "b": 100, "c": 50}),
        msgpack.packb({"a": "0"}),
        msgpack.packb({1: 0}),
        msgpack.packb({"a": 7}),
        msgpack.packb({"a": 0, "b": 9})[:-1],
        msgpack.packb({"a": 0}) + b"\x00",
        b"\xdf\xff\xff\xff\xff",
    ],
)
def test_a_damaged_legacy_index_is_refused(legacy, content):
    beside(legacy, ".index").write_bytes(content)
    with pytest.raises(IndexFileError, match=r"x\.msgpack\.index"):
        MsgpackReader(legacy)


# -- files of different datasets


@pytest.mark.parametrize("suffix", [".offsets", ".keys"])
def test_a_file_of_another_dataset_is_refused_at_once(path, tmp_path, suffix):
    other = write(tmp_path / "other.msgpack", SAMPLES[:9])
    beside(other, suffix).replace(beside(path, suffix))
    with pytest.raises(IndexFileError, match=rf"x\.msgpack\{suffix}"):
        MsgpackReader(path)


def test_key_hashes_of_another_dataset_are_refused_when_used(path, tmp_path):
    other = write(tmp_path / "other.msgpack", SAMPLES[:9])
    beside(other, ".key_hashes").replace(beside(path, ".key_hashes"))
    with MsgpackReader(path) as reader:
        assert_same_sample(list(reader), SAMPLES)
        for call in (lambda: reader.find_index("a"), lambda: "a" in reader):
            with pytest.raises(IndexFileError, match=r"key_hashes.*9 hashes for 20 samples"):
                call()


# -- checksums


def verified(path):
    with MsgpackReader(path) as reader:
        return reader.verify_data(), reader.verify_index()


@pytest.mark.parametrize("writer", ["datadings", "ddfast"])
def test_whole_files_are_verified(tmp_path, writer):
    assert verified(write(tmp_path / "x.msgpack", SAMPLES, writer)) == (True, True)


def test_a_whole_legacy_index_is_verified(legacy):
    assert verified(legacy) == (True, True)


def test_changed_data_is_noticed(path):
    overwrite(path, 100, b"\x00\x01\x02")
    assert verified(path) == (False, True)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_change_of_any_index_file_is_noticed(path, suffix):
    reader = MsgpackReader(path)
    data = bytearray(beside(path, suffix).read_bytes())
    data[len(data) // 2] ^= 1
    beside(path, suffix).write_bytes(data)
    assert (reader.verify_data(), reader.verify_index()) == (True, False)


@pytest.mark.parametrize("suffix", [".key_hashes", ".filter"])
def test_a_missing_index_file_is_noticed(path, suffix):
    beside(path, suffix).unlink()
    assert verified(path) == (True, False)


def test_a_changed_legacy_index_is_noticed(legacy):
    reader = MsgpackReader(legacy)
    overwrite(beside(legacy, ".index"), 3, b"!")
    assert reader.verify_index() is False


def test_an_index_file_that_the_checksums_do_not_list_is_not_verified(path):
    md5 = beside(path, ".md5")
    md5.write_text("".join(line for line in md5.read_text().splitlines(True) if ".filter" not in line))
    assert verified(path) == (True, False)


def test_without_checksums_nothing_can_be_verified(path):
    beside(path, ".md5").unlink()
    with MsgpackReader(path) as reader:
        for check in (reader.verify_data, reader.verify_index):
            with pytest.raises(FileNotFoundError, match=re.escape(".md5")):
                check()


@pytest.mark.parametrize("content", [b"no checksums", b"\xff\xfe\x00", b"a  b  c\n", b"\n"])
def test_damaged_checksums_are_an_error_or_no_match(path, content):
    beside(path, ".md5").write_bytes(content)
    with MsgpackReader(path) as reader:
        for check in (reader.verify_data, reader.verify_index):
            with contextlib.suppress(ValueError):
                assert check() is False
