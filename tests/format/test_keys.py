"""Key hashes against hashlib, the key table against a dict, and the lazy sequence of keys against msgpack."""

import gc
import hashlib
import math
import pickle
import struct
import weakref

import msgpack
import numpy as np
import pytest
import simplebloom
from hypothesis import given
from hypothesis import strategies as st

from ddfast._native.keys import KeyTable, PackedStrings, bloom_add, hash_key, hash_keys
from ddfast._native.status import E_COLLISION, E_INDEX, E_LIMIT
from ddfast.errors import IndexFileError, KernelError, SampleIndexError
from ddfast.format.index import FILTER_HEADER
from ddfast.format.keys import Keys

texts = st.text(st.characters(exclude_categories=["Cs"]))


def reference_hash(key, salt=b""):
    return struct.unpack(">Q", hashlib.blake2s(key.encode(), salt=salt).digest()[:8])[0]


@given(st.lists(texts | st.text("ab", max_size=200), max_size=40), st.integers(2, 5000))
def test_filters_are_those_of_simplebloom(keys, count):
    theirs = simplebloom.BloomFilter(count)
    ours = theirs.dumps()
    for key in keys:
        theirs += key
    bits = memoryview(ours)[FILTER_HEADER.size :]
    bloom_add(bits, round(8 * len(bits) / count * math.log(2)), keys)
    assert ours == theirs.dumps()


def test_a_filter_without_bits_is_refused():
    with pytest.raises(ValueError, match="the filter must have at least one bit"):
        bloom_add(bytearray(), 1, ["a"])


@pytest.mark.parametrize("salt", [b"", b"abc", b"\xff" * 8])
def test_hashes_of_keys_of_any_length_equal_hashlib(salt):
    keys = ["k" * n for n in range(301)]
    expected = [reference_hash(key, salt) for key in keys]
    assert hash_keys(keys, salt).tolist() == expected
    assert [hash_key(key, salt) for key in keys] == expected


@given(st.lists(texts, max_size=50), st.binary(max_size=8))
def test_hashes_equal_hashlib(keys, salt):
    assert hash_keys(keys, salt).tolist() == [reference_hash(key, salt) for key in keys]


def test_short_and_long_keys_may_take_turns():
    keys = ["k" * (n % 7 * 20) + str(n) for n in range(100)]
    assert hash_keys(keys, b"").tolist() == [reference_hash(key) for key in keys]


def test_more_keys_than_one_chunk_are_hashed():
    keys = [f"key {i}" for i in range(5000)]
    assert hash_keys(keys, b"").tolist() == [reference_hash(key) for key in keys]


def test_a_salt_of_nine_bytes_is_refused():
    with pytest.raises(ValueError, match="at most 8 bytes"):
        hash_key("key", bytes(9))


def test_a_lone_surrogate_has_no_hash():
    with pytest.raises(UnicodeEncodeError):
        hash_keys(["fine", "\ud800"], b"")


@pytest.mark.parametrize("keys", [[1], [None], [b"key"]])
def test_only_strings_are_hashed(keys):
    with pytest.raises(TypeError):
        hash_keys(keys, b"")


@pytest.mark.parametrize("slot_size", [0, 4, 8])
@given(keys=st.lists(texts, unique=True, max_size=200), absent=st.lists(texts, max_size=20))
def test_the_table_finds_what_a_dict_finds(slot_size, keys, absent):
    salt = b"12345678"
    table = KeyTable(salt + hash_keys(keys, salt).astype(">u8").tobytes(), slot_size)
    expected = {key: i for i, key in enumerate(keys)}
    assert len(table) == len(keys)
    assert table.salt == salt
    for key in keys + absent:
        assert table.find(key) == expected.get(key, -1)


def test_a_table_needs_less_than_20_bytes_a_key():
    for n in (30_000, 49_152, 49_153):  # three quarters of 65536 are the fullest, one more the emptiest
        hashes = hash_keys([str(i) for i in range(n)], b"")
        assert KeyTable(bytes(8) + hashes.astype(">u8").tobytes()).nbytes < 20 * n


def test_equal_hashes_are_refused():
    with pytest.raises(KernelError) as caught:
        KeyTable(struct.pack(">8s4Q", b"", 1, 2, 1, 3))
    assert (caught.value.code, caught.value.item) == (E_COLLISION, 2)


def test_hashes_made_to_crowd_one_slot_are_refused():
    crowded = np.arange(200_001, dtype=">u8") << np.uint64(40)
    with pytest.raises(KernelError) as caught:
        KeyTable(crowded)
    assert caught.value.code == E_LIMIT


@pytest.mark.parametrize("size", [0, 7, 12])
def test_a_hash_buffer_of_odd_size_is_refused(size):
    with pytest.raises(ValueError, match=f"a multiple of 8, not {size}"):
        KeyTable(bytes(size))


@given(st.lists(texts, max_size=100), st.data())
def test_packed_strings_equal_what_was_packed(keys, data):
    strings = PackedStrings(msgpack.packb(keys))
    assert len(strings) == len(keys)
    assert strings.get_range(0, len(keys)) == keys
    assert strings.hashes(b"salt").tolist() == [reference_hash(key, b"salt") for key in keys]
    if keys:
        indices = data.draw(st.lists(st.integers(0, len(keys) - 1)))
        assert strings.take(np.array(indices, np.int64)) == [keys[i] for i in indices]


@given(st.binary(max_size=60))
def test_arbitrary_bytes_are_strings_or_refused(content):
    for pairs in (False, True):
        try:
            strings = PackedStrings(content, pairs)
            strings.scan()
        except KernelError:
            continue
        unpacked = msgpack.unpackb(content, object_pairs_hook=list, strict_map_key=False)
        assert strings.get_range(0, len(strings)) == ([key for key, _ in unpacked] if pairs else unpacked)


def test_an_index_deep_in_a_bulk_call_is_named():
    strings = PackedStrings(msgpack.packb(["a", "b"]))
    with pytest.raises(KernelError) as caught:
        strings.take(np.array([0] * 3000 + [2]))
    assert (caught.value.code, caught.value.item) == (E_INDEX, 3000)


@pytest.fixture
def words():
    return [f"{i}-ключ" * (i % 40) + str(i) for i in range(9000)]


@pytest.fixture
def keys(words, tmp_path):
    (tmp_path / "train.msgpack.keys").write_bytes(msgpack.packb(words))
    return Keys(tmp_path / "train.msgpack")


def test_keys_are_a_sequence_like_the_list(keys, words):
    assert len(keys) == len(words)
    assert list(keys) == words
    assert keys[17] == keys[np.int64(17)] == words[17]
    assert keys[-1] == words[-1]
    assert words[123] in keys
    assert keys.index(words[123]) == 123


@pytest.mark.parametrize(
    "cut", [slice(None), slice(5, 20), slice(-3, None), slice(None, None, -1), slice(9, 2)]
)
def test_slices_equal_those_of_the_list(keys, words, cut):
    assert keys[cut] == words[cut]


def test_take_gives_the_keys_of_a_batch(keys, words):
    indices = np.random.default_rng(1).integers(0, len(words), 5000)
    assert keys.take(indices) == [words[i] for i in indices]
    assert keys.take([]) == []


@pytest.mark.parametrize("index", [9000, -9001, 2**70, -(2**70)])
def test_an_index_without_key_is_named(keys, index):
    with pytest.raises(SampleIndexError, match=rf"index {index} out of range: .* has 9,000 keys"):
        keys[index]


def test_an_index_without_key_in_a_batch_is_named(keys):
    with pytest.raises(SampleIndexError, match="index -4 out of range"):
        keys.take([1, 2, -4])


def test_keys_survive_pickling(keys, words):
    assert list(pickle.loads(pickle.dumps(keys))) == words


def test_the_length_needs_no_sound_file(tmp_path):
    path = tmp_path / "train.msgpack.keys"
    path.write_bytes(b"\x93\xa1x\xa1y\xc1")
    keys = Keys(path)
    assert len(keys) == 3
    with pytest.raises(IndexFileError, match=r"train\.msgpack\.keys \(6 bytes\).*key 2, byte 5"):
        keys[0]


def test_check_reads_the_whole_file(keys, tmp_path):
    keys.check()
    (tmp_path / "bad.keys").write_bytes(b"\x91\x07")
    with pytest.raises(IndexFileError, match="a key is not a string"):
        Keys(tmp_path / "bad").check()


def test_strings_over_a_memoryview_in_a_cycle_are_collected():
    class Holder:
        pass

    def make():
        view = memoryview(
            bytearray(b"\x91\xa1x")
        ).toreadonly()  # older than the rest, so that it is cleared first
        holder = Holder()
        holder.self, holder.view, holder.strings = holder, view, PackedStrings(view)
        return weakref.ref(holder)

    gone = make()
    gc.collect()
    assert gone() is None


def test_keys_may_be_in_memory():
    keys = Keys("s3://bucket/x.keys", msgpack.packb(["a", "b"]))
    assert list(keys) == list(pickle.loads(pickle.dumps(keys))) == ["a", "b"]
    with pytest.raises(SampleIndexError, match=r"index 2 out of range: s3://bucket/x\.keys has 2 keys"):
        keys[2]
    with pytest.raises(IndexFileError, match=r"s3://bucket/x\.keys \(1 bytes\) is damaged"):
        Keys("s3://bucket/x.keys", b"\xc0")
