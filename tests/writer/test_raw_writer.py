"""RawWriter writes packed samples as they are, if they are samples."""

import datadings.writer
import msgpack
import numpy as np
import pytest

from ddfast.errors import DuplicateKeyError, InvalidSampleError
from ddfast.index import write_filter
from ddfast.writer import RawWriter

SUFFIXES = ["", ".offsets", ".keys", ".key_hashes", ".filter", ".md5"]
MESSAGES = [msgpack.packb(value) for value in [{"a": 1}, None, [1, 2], "text", 5, b"x" * 70_000]]


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview, lambda data: np.frombuffer(data, "u1")])
def test_raw_dataset_is_what_datadings_writes(tmp_path, kind):
    for writer_class, folder in [(RawWriter, tmp_path / "a"), (datadings.writer.RawWriter, tmp_path / "b")]:
        with writer_class(folder / "x.msgpack", disable=True) as writer:
            for i, message in enumerate(MESSAGES):
                writer.write(f"key {i} \N{SNOWMAN}", kind(message) if writer_class is RawWriter else message)
    for suffix in SUFFIXES:
        name = f"x.msgpack{suffix}"
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes(), suffix


def test_buffer_may_be_reused_after_write(tmp_path):
    buffer = bytearray(b"\x01")
    with RawWriter(tmp_path / "x", disable=True) as writer:
        writer.write("a", buffer)
        buffer[0] = 2
        writer.write("b", buffer)
    assert (tmp_path / "x").read_bytes() == b"\x01\x02"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "byte 0 of 0"),
        (b"\x92\x01", "byte 2 of 2"),
        (b"\x01\x02", "byte 1 of 2"),
        (b"\xc1", "byte 0 of 1"),
        (b"\xa1\xff", "byte 0 of 2"),
        ({"a": 1}, "bytes but {'a': 1}"),
        ("text", "bytes but 'text'"),
    ],
    ids=repr,
)
def test_data_that_is_no_message_is_refused(tmp_path, data, message):
    with RawWriter(tmp_path / "x", disable=True) as writer:
        writer.write("a", b"\x01")
        with pytest.raises(InvalidSampleError, match=rf"x: sample 1 \('b'\) is not .*{message}"):
            writer.write("b", data)
        writer.write("b", b"\x02")
    assert (tmp_path / "x").read_bytes() == b"\x01\x02"


def test_bad_keys_are_refused(tmp_path):
    with RawWriter(tmp_path / "x", disable=True) as writer:
        writer.write("a", b"\x01")
        with pytest.raises(DuplicateKeyError, match=r"sample 1 \('a'\) has the key of sample 0"):
            writer.write("a", b"\x01")
        with pytest.raises(InvalidSampleError, match="not a string"):
            writer.write(5, b"\x01")
        with pytest.raises(InvalidSampleError, match="lone surrogate in its key"):
            writer.write("\ud800", b"\x01")
    assert writer.written == 1


@pytest.mark.parametrize("total", [None, 0, 20, 25, 10, 2.5, 10**15])
@pytest.mark.parametrize("singly", [0, 3])
def test_filter_is_the_same_whatever_number_of_samples_was_announced(tmp_path, total, singly):
    keys = [f"{i}" for i in range(20)]
    packed = [msgpack.packb({"key": key}) for key in keys]
    path = tmp_path / "x.msgpack"
    with RawWriter(path, total=total, disable=True) as writer:
        for key, message in zip(keys[:singly], packed, strict=False):
            writer.write(key, message)
        writer.write_many(keys[singly:12], packed[singly:12])
        writer.write_many(keys[12:], packed[12:])
    expected = write_filter(keys, tmp_path / "expected")
    assert path.with_name("x.msgpack.filter").read_bytes() == expected.read_bytes()
