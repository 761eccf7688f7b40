"""Samples found and checked in a data file without decoding them."""

from __future__ import annotations

import msgpack
import numpy as np
import pytest
from datasets import damage, keys_of, offsets_of, overwrite, some_samples, write
from hypothesis import given, settings
from hypothesis import strategies as st

import ddfast.scan
from ddfast.errors import CorruptSampleError, DatasetChangedError, DuplicateKeyError, InvalidSampleError
from ddfast.format.window import Window
from ddfast.scan import check_samples, find_samples, scan_index

SAMPLES = some_samples(40)


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return write(tmp_path_factory.mktemp("scan") / "x.msgpack", SAMPLES)


@pytest.fixture
def path(source, tmp_path):
    for file in source.parent.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    return tmp_path / source.name


@pytest.fixture(params=[1, 100, 5000, 1 << 20], ids="window of {}".format)
def window(request, monkeypatch):
    monkeypatch.setattr(Window, "SIZE", request.param)
    return request.param


def table(path):
    return np.array(offsets_of(path), np.uint64)


def file_of(path, *messages):
    path.write_bytes(b"".join(messages))
    return path


def test_index_is_what_datadings_wrote(path, window):
    keys, offsets, _ = scan_index(path)
    assert keys == keys_of(SAMPLES)
    assert offsets.dtype == np.uint64
    assert offsets.tolist() == offsets_of(path)


@pytest.mark.parametrize(
    "read", [find_samples, lambda *args: check_samples(args[0], table(args[0]), args[1])]
)
def test_every_byte_is_handed_on_once_and_in_order(path, window, read):
    pieces = []
    runs = list(read(path, lambda data: pieces.append(bytes(data))))
    assert b"".join(pieces) == path.read_bytes()
    assert sum(map(len, runs)) == len(SAMPLES)


def test_rest_of_a_damaged_file_is_handed_on_too(path, window):
    damage(path, 7)
    pieces = []
    *_, last = find_samples(path, lambda data: pieces.append(bytes(data)))
    assert last.damage.index == 7
    assert b"".join(pieces) == path.read_bytes()


def test_runs_continue_one_another(path, window):
    index = 0
    for run in check_samples(path, table(path)):
        assert run.first == index
        assert run.offsets.tolist() == offsets_of(path)[index : index + len(run) + 1]
        assert run.keys == keys_of(SAMPLES)[index : index + len(run)]
        index += len(run)
    assert index == len(SAMPLES)


def test_checking_goes_on_behind_damaged_samples(path, window):
    where = {i: damage(path, i) for i in (0, 7, 8, 39)}
    damages = [run.damage for run in check_samples(path, table(path)) if run.damage]
    assert {found.index: found.position for found in damages} == where
    assert all(found.start == offsets_of(path)[found.index] for found in damages)
    assert sum(map(len, check_samples(path, table(path)))) == len(SAMPLES) - 4


def test_sample_may_be_larger_than_many_windows(tmp_path, monkeypatch):
    monkeypatch.setattr(Window, "SIZE", 64)
    large = {"key": "large", "payload": bytes(10_000), "many": list(range(5000))}
    path = write(tmp_path / "x.msgpack", [{"key": "a"}, large, {"key": "b"}])
    keys, offsets, _ = scan_index(path)
    assert keys == ["a", "large", "b"]
    assert offsets.tolist() == offsets_of(path)


def test_length_beyond_the_end_of_the_file_reads_nothing_more(tmp_path, monkeypatch):
    monkeypatch.setattr(Window, "SIZE", 64)
    path = file_of(tmp_path / "x", b"\x81\xa3key\xc6\xff\xff\xff\xff", bytes(5000))
    sizes = []
    (run,) = find_samples(path, lambda data: sizes.append(len(data)))
    assert run.damage.reason == "the file ends within the sample"
    assert max(sizes) <= 64


def test_empty_file_has_an_empty_index(tmp_path):
    keys, offsets, _ = scan_index(file_of(tmp_path / "x"))
    assert keys == []
    assert offsets.tolist() == [0]
    assert list(check_samples(tmp_path / "x", offsets)) == []


scalars = st.integers(-(2**63), 2**64 - 1) | st.binary(max_size=9)


@settings(max_examples=60)
@given(st.lists(st.dictionaries(st.text(max_size=5), scalars, max_size=4), max_size=9), st.integers(1, 40))
def test_any_samples_are_split_as_msgpack_splits_them(tmp_path_factory, samples, size):
    path = tmp_path_factory.getbasetemp() / "any.msgpack"
    packed = [msgpack.packb({**sample, "key": f"{i}"}) for i, sample in enumerate(samples)]
    file_of(path, *packed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Window, "SIZE", size)
        keys, offsets, _ = scan_index(path)
    assert keys == [f"{i}" for i in range(len(packed))]
    assert np.diff(offsets.astype(int)).tolist() == [len(message) for message in packed]


def test_damaged_sample_is_named_with_what_is_intact(path):
    position = damage(path, 7)
    start = offsets_of(path)[7]
    with pytest.raises(
        CorruptSampleError, match=rf"x\.msgpack: sample 7 is damaged .*{position:,}\).*0xc1"
    ) as error:
        scan_index(path)
    assert f"The 7 samples before it, {start:,} bytes, are intact" in str(error.value)


def test_cut_file_is_told(path):
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size - 3)
    with pytest.raises(CorruptSampleError, match=r"sample 39 .*the file ends within the sample"):
        scan_index(path)


@pytest.mark.parametrize(
    ("sample", "reason"),
    [({"k": 1}, "it has no 'key'"), ({"key": 1}, "its 'key' is not a string"), ([1], "it is not a map")],
    ids=str,
)
def test_sample_without_key_is_named(tmp_path, sample, reason):
    path = file_of(tmp_path / "x", msgpack.packb({"key": "a"}), msgpack.packb(sample))
    with pytest.raises(
        InvalidSampleError, match=rf"sample 1 \(file position 7\).*{reason}.*1 samples before"
    ):
        scan_index(path)


@pytest.mark.parametrize("size", [1, 1000])
def test_key_of_another_sample_is_named(tmp_path, monkeypatch, size):
    monkeypatch.setattr(Window, "SIZE", size)
    path = file_of(tmp_path / "x", *(msgpack.packb({"key": key}) for key in "abcb"))
    with pytest.raises(
        DuplicateKeyError, match=r"sample 3 \(file position 21\) has the key 'b' of sample 1\."
    ):
        scan_index(path)


def test_file_that_is_cut_while_it_is_read_is_told(path, monkeypatch):
    monkeypatch.setattr(Window, "SIZE", 100)
    with pytest.raises(DatasetChangedError, match=r"x\.msgpack was truncated"):
        for _ in find_samples(path, lambda data: path.write_bytes(b"")):
            pass


def test_offsets_beyond_the_end_of_the_file_are_told(path):
    with pytest.raises(DatasetChangedError, match="shorter than its offsets"):
        list(check_samples(path, np.append(table(path), np.uint64(path.stat().st_size + 1))))


def test_invalid_text_is_damage(tmp_path):
    path = file_of(tmp_path / "x", msgpack.packb({"key": "abc"}))
    overwrite(path, 7, b"\xff")
    with pytest.raises(CorruptSampleError, match="UTF-8"):
        scan_index(path)


def test_old_name_of_sequential_files_works_with_a_warning():
    with pytest.warns(DeprecationWarning, match=r"use ddfast\.scan\.SequentialFile"):
        assert ddfast.scan.Front is ddfast.scan.SequentialFile
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        ddfast.scan.nothing  # noqa: B018
