"""RawWriter.write_many writes what write would have written one by one, or nothing at all."""

import msgpack
import numpy as np
import pytest
from datasets import some_samples, write

from ddfast import MsgpackReader
from ddfast.errors import ClosedError, DuplicateKeyError, InvalidSampleError, KernelError
from ddfast.writer import AsyncRawWriter, RawWriter

SUFFIXES = ["", ".offsets", ".keys", ".key_hashes", ".filter", ".md5"]
MESSAGES = [msgpack.packb(value) for value in [{"a": 1}, None, [1, 2], "text", 5, b"x" * 70_000]]
KEYS = [f"key {i} \N{SNOWMAN}" for i in range(len(MESSAGES))]


def files(path):
    return [path.with_name(path.name + suffix).read_bytes() for suffix in SUFFIXES]


@pytest.fixture
def one_by_one(tmp_path):
    path = tmp_path / "one by one" / "x"
    with RawWriter(path, disable=True) as writer:
        for key, message in zip(KEYS, MESSAGES, strict=True):
            writer.write(key, message)
    return files(path)


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview, lambda data: np.frombuffer(data, "u1")])
@pytest.mark.parametrize("cut", [0, 1, 3, 6])
def test_many_are_written_as_one_by_one(tmp_path, one_by_one, kind, cut):
    samples = [kind(message) for message in MESSAGES]
    with RawWriter(tmp_path / "x", disable=True) as writer:
        writer.write_many(KEYS[:cut], samples[:cut])
        writer.write_many(iter(KEYS[cut:]), tuple(samples[cut:]))
        assert writer.written == len(KEYS)
    assert files(tmp_path / "x") == one_by_one


def test_many_and_single_samples_mix(tmp_path, one_by_one):
    with RawWriter(tmp_path / "x", disable=True) as writer:
        writer.write(KEYS[0], MESSAGES[0])
        writer.write_many(KEYS[1:3], MESSAGES[1:3])
        writer.write(KEYS[3], MESSAGES[3])
        writer.write_many(KEYS[4:], MESSAGES[4:])
    assert files(tmp_path / "x") == one_by_one


def test_async_writer_writes_the_same(tmp_path, one_by_one, arun):
    async def main():
        async with AsyncRawWriter(tmp_path / "x", disable=True) as writer:
            await writer.write_many(KEYS[:2], MESSAGES[:2])
            await writer.write_many(KEYS[2:], MESSAGES[2:])
        with pytest.raises(ClosedError):
            await writer.write_many([], [])

    arun(main())
    assert files(tmp_path / "x") == one_by_one


@pytest.mark.parametrize("raw", [True, False])
@pytest.mark.parametrize(
    "part", [slice(None), slice(3, 20), slice(None, None, -1), slice(1, 30, 7), slice(0)]
)
@pytest.mark.parametrize("shuffled", [False, True])
def test_batches_are_written_as_their_samples(tmp_path, raw, part, shuffled):
    source = write(tmp_path / "source", some_samples(40))
    with MsgpackReader(source) as reader:
        order = np.random.default_rng(0).permutation(40) if shuffled else np.arange(40)
        batch = reader.get_many(order, raw=raw)[part]
        with RawWriter(tmp_path / "x", disable=True) as writer:
            writer.write_many(batch.keys, batch)
        with RawWriter(tmp_path / "y" / "x", disable=True) as writer:
            for i, key in enumerate(batch.keys):
                writer.write(key, reader.get(reader.find_index(key), raw=True))
                assert batch.raw(i) == reader.get(reader.find_index(key), raw=True)
    assert files(tmp_path / "x") == files(tmp_path / "y" / "x")


def test_buffers_may_be_reused_after_write_many(tmp_path):
    buffer = bytearray(b"\x01")
    with RawWriter(tmp_path / "x", disable=True) as writer:
        writer.write_many(["a"], [buffer])
        buffer[0] = 2
        writer.write_many(["b"], [buffer])
    assert (tmp_path / "x").read_bytes() == b"\x01\x02"


@pytest.mark.parametrize(
    ("keys", "samples", "message"),
    [
        (["b", "c"], [b"\x02", b"\x92\x01"], r"sample 2 \('c'\) is not one msgpack message: .* byte 2 of 2"),
        (["b", "c"], [b"\x02", b""], r"sample 2 \('c'\) is not one msgpack message: .* byte 0 of 0"),
        (["b", "c"], [b"\x01\x02", b"\x03"], r"sample 1 \('b'\) is not .*, at byte 1 of 2"),
        (["b", "c"], [b"\xa1\xff", b"\x03"], r"sample 1 \('b'\) is not .* UTF-8"),
        (["b", "c"], [b"\x02", "text"], r"sample 2 \('c'\) is not bytes but 'text'"),
        (["b", 5], [b"\x02", b"\x03"], "sample 2 has the key 5, which is not a string"),
        (["b", ["c"]], [b"\x02", b"\x03"], r"sample 2 has the key \['c'\], which is not a string"),
        (["b", "\ud800"], [b"\x02", b"\x03"], r"sample 2 \(.*\) has a lone surrogate in its key"),
    ],
    ids=str,
)
def test_none_is_written_where_one_is_refused(tmp_path, keys, samples, message):
    with RawWriter(tmp_path / "x", disable=True) as writer:
        writer.write("a", b"\x01")
        with pytest.raises(InvalidSampleError, match=rf"^x: {message}"):
            writer.write_many(keys, samples)
        assert writer.written == 1
        writer.write_many(["b", "c"], [b"\x02", b"\x03"])
    assert (tmp_path / "x").read_bytes() == b"\x01\x02\x03"


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        (["b", "a"], r"sample 2 \('a'\) has the key of sample 0"),
        (["b", "b"], r"sample 2 \('b'\) has the key of sample 1"),
        (["ß", "b", "ß"], r"sample 3 \('ß'\) has the key of sample 1"),
    ],
)
def test_duplicate_keys_are_named_and_none_is_written(tmp_path, keys, message):
    with RawWriter(tmp_path / "x", disable=True) as writer:
        writer.write("a", b"\x01")
        with pytest.raises(DuplicateKeyError, match=message):
            writer.write_many(keys, [b"\x02"] * len(keys))
        assert writer.written == 1
    assert (tmp_path / "x").read_bytes() == b"\x01"


@pytest.mark.parametrize("count", [0, 2])
def test_keys_must_be_as_many_as_samples(tmp_path, count):
    with (
        RawWriter(tmp_path / "x", disable=True) as writer,
        pytest.raises(ValueError, match=f"x: got 1 keys for {count} samples"),
    ):
        writer.write_many(["a"], [b"\x01"] * count)


def test_the_cause_says_which_sample_is_at_fault(tmp_path):
    with RawWriter(tmp_path / "x", disable=True) as writer:
        writer.write("a", b"\x01")
        with pytest.raises(InvalidSampleError) as caught:
            writer.write_many(["b", "c"], [b"\x02", b"\xc1"])
    assert isinstance(caught.value.__cause__, KernelError)
    assert caught.value.__cause__.item == 1


def test_keys_of_subclasses_become_plain_strings(tmp_path):
    with RawWriter(tmp_path / "x", disable=True) as writer:
        writer.write_many(np.array(["a", "ß"]), [b"\x01", b"\x02"])
    with MsgpackReader(tmp_path / "x") as reader:
        assert list(reader.keys()) == ["a", "ß"]
        assert reader.get(reader.find_index("ß")) == 2


def test_closed_writer_takes_no_samples(tmp_path):
    writer = RawWriter(tmp_path / "x", disable=True)
    writer.close()
    with pytest.raises(ClosedError, match="accepts no more samples"):
        writer.write_many(["a"], [b"\x01"])
