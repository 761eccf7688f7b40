"""Index files: the same bytes and the same results as datadings, and errors that say what is wrong."""

import contextlib
import struct

import datadings.index as theirs
import msgpack
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ddfast.format.index as ours
from ddfast.errors import IndexFileError
from ddfast.format.files import path_append, path_append_suffix
from ddfast.format.keys import Keys

KEYS = {
    "none": [],
    "one": ["sample"],
    "empty string": ["", "a"],
    "unicode": ["ключ", "鍵", "🔑", "a\x00b"],
    "block boundary": ["k" * n for n in range(301)],
    "many": [f"n{i % 7:08d}/{i}.jpeg" for i in range(3000)],
}
OFFSETS = [[0], [0, 5], [0, 5, 5, 2**40, 2**63]]
texts = st.text(st.characters(exclude_categories=["Cs"]))

every_keys = pytest.mark.parametrize("keys", KEYS.values(), ids=KEYS)
writers = pytest.mark.parametrize("name", ["write_keys", "write_key_hashes", "write_filter"])


def equal(ours_result, theirs_result):
    assert type(ours_result) is type(theirs_result)
    if isinstance(ours_result, tuple):
        assert len(ours_result) == len(theirs_result)
        for ours_item, theirs_item in zip(ours_result, theirs_result, strict=True):
            equal(ours_item, theirs_item)
    elif isinstance(ours_result, np.ndarray):
        assert ours_result.dtype == theirs_result.dtype
        np.testing.assert_array_equal(ours_result, theirs_result)
    else:
        assert ours_result == theirs_result
        if isinstance(ours_result, list):
            assert list(map(type, ours_result)) == list(map(type, theirs_result))


@pytest.fixture
def data(tmp_path):
    """A data file of 9 bytes, of which only the size matters here."""
    path = tmp_path / "train.msgpack"
    path.write_bytes(bytes(9))
    return path


# -- written --


@writers
@every_keys
def test_files_of_keys_are_byte_for_byte_those_of_datadings(name, keys, tmp_path):
    written = getattr(ours, name)(keys, tmp_path / "ours.msgpack")
    expected = getattr(theirs, name)(keys, tmp_path / "theirs.msgpack")
    assert written.read_bytes() == expected.read_bytes()
    assert written.name.replace("ours", "theirs") == expected.name


@pytest.mark.parametrize("offsets", OFFSETS)
def test_offset_files_are_byte_for_byte_those_of_datadings(offsets, tmp_path):
    written = ours.write_offsets(offsets, tmp_path / "ours")
    assert written.read_bytes() == theirs.write_offsets(offsets, tmp_path / "theirs").read_bytes()


@writers
@pytest.mark.parametrize(
    "name_of_path", ["train", "train.keys", "train.key_hashes", "train.filter", "a.b.keys.tmp"]
)
def test_suffixes_are_appended_as_datadings_does(name, name_of_path, tmp_path):
    path = tmp_path / name_of_path
    assert getattr(ours, name)(["a"], path) == getattr(theirs, name)(["a"], path)


def test_a_bad_argument_leaves_the_file_alone(tmp_path):
    path = ours.write_keys(["a"], tmp_path / "train")
    with pytest.raises(TypeError, match="key 1 is 7, not a string"):
        ours.write_keys(["a", 7], path)
    with pytest.raises(UnicodeEncodeError):
        ours.write_keys(["a", "\ud800"], path)
    assert ours.load_keys(path) == ["a"]


# -- hashed --


@every_keys
def test_hash_keys_equals_datadings(keys):
    equal(ours.hash_keys(keys), theirs.hash_keys(keys))


@given(st.lists(texts, unique=True, max_size=30))
def test_hash_keys_equals_datadings_on_any_keys(keys):
    equal(ours.hash_keys(keys), theirs.hash_keys(keys))


def test_hash_keys_takes_the_lazy_keys(tmp_path):
    ours.write_keys(KEYS["many"], tmp_path / "train")
    equal(ours.hash_keys(Keys(tmp_path / "train")), theirs.hash_keys(KEYS["many"]))


def collide(monkeypatch, salts):
    """Make the keys a and c collide, in both packages, as long as one of these salts is used."""
    bad = {theirs.hash_string_bytes(str(i)) for i in salts}
    hash_string, bulk_hashes = theirs.hash_string, ours.bulk_hashes

    def crowded(keys, salt):
        hashes = bulk_hashes(keys, salt)
        if salt in bad:
            hashes[2] = hashes[0]
        return hashes

    monkeypatch.setattr(ours, "bulk_hashes", crowded)
    monkeypatch.setattr(
        theirs, "hash_string", lambda key, salt: hash_string("a" if salt in bad and key == "c" else key, salt)
    )


@pytest.mark.parametrize("salts", [[0], [0, 1, 2]])
def test_the_first_salt_without_collision_is_used(monkeypatch, salts):
    collide(monkeypatch, salts)
    keys = ["a", "b", "c", "d"]
    result = ours.hash_keys(keys)
    equal(result, theirs.hash_keys(keys))
    assert result[0] == theirs.hash_string_bytes(str(len(salts)))


def test_hash_keys_gives_up_after_max_tries(monkeypatch):
    collide(monkeypatch, range(3))
    keys = ["a", "b", "c"]
    for hash_keys in (ours.hash_keys, theirs.hash_keys):
        with pytest.raises(RuntimeError, match="max_tries"):
            hash_keys(keys, max_tries=3)
    assert ours.hash_keys(keys, max_tries=4)[0] == theirs.hash_keys(keys, max_tries=4)[0]


def test_equal_keys_are_named():
    with pytest.raises(RuntimeError, match="keys 1 and 3 are both 'b'"):
        ours.hash_keys(["a", "b", "c", "b"])


# -- loaded --


@every_keys
def test_loading_gives_what_datadings_loads(keys, tmp_path):
    path = tmp_path / "train.msgpack"
    theirs.write_keys(keys, path)
    theirs.write_key_hashes(keys, path)
    for name in ("keys_len", "load_keys", "load_key_hashes"):
        equal(getattr(ours, name)(path), getattr(theirs, name)(path))


@pytest.mark.parametrize("offsets", OFFSETS)
def test_load_offsets_equals_datadings(offsets, tmp_path):
    path = theirs.write_offsets(offsets, tmp_path / "train")
    equal(ours.load_offsets(path), theirs.load_offsets(path))


@every_keys
def test_load_filter_gives_the_filter_that_was_written(keys, tmp_path):
    path = theirs.write_filter(keys, tmp_path / "train")
    loaded = ours.load_filter(path)
    assert loaded.dumps() == theirs.load_filter(path).dumps()
    assert all(key in loaded for key in keys)


@given(st.dictionaries(texts, st.integers(0, 2**20), max_size=20))
def test_legacy_index_equals_datadings(tmp_path_factory, lengths):
    path = tmp_path_factory.mktemp("legacy") / "train.msgpack"
    offsets = np.cumsum([0, *lengths.values()]).tolist()
    path.touch()
    with path.open("r+b") as file:
        file.truncate(offsets[-1])
    path_append(path, ".index").write_bytes(msgpack.packb(dict(zip(lengths, offsets[:-1], strict=True))))
    equal(ours.legacy_load_index(path), theirs.legacy_load_index(path))
    equal(ours.legacy_index_len(path), theirs.legacy_index_len(path))
    equal(ours.legacy_load_index(path_append(path, ".index")), theirs.legacy_load_index(path))


LOADERS = ["keys_len", "load_keys", "load_key_hashes", "load_filter", "load_offsets", "legacy_index_len"]


@pytest.mark.parametrize("name", [*LOADERS, "legacy_load_index"])
def test_a_missing_file_is_not_found(name, data):
    with pytest.raises(FileNotFoundError):
        getattr(ours, name)(data)


# -- opened --


def test_open_offsets_reads_spans(data):
    ours.write_offsets([0, 4, 9], data)
    table = ours.open_offsets(data, 9)
    assert len(table) == 2
    assert table.span(1) == (4, 9)


def test_offsets_of_another_data_file_are_refused(data):
    ours.write_offsets([0, 4, 9], data)
    with pytest.raises(IndexFileError, match=r"train\.msgpack\.offsets \(24 bytes\).*which has 8 bytes"):
        ours.open_offsets(data, 8)


def test_open_key_table_finds_keys(data):
    ours.write_key_hashes(KEYS["many"], data)
    table = ours.open_key_table(data, len(KEYS["many"]))
    assert [table.find(key) for key in KEYS["many"]] == list(range(3000))
    assert table.find("absent") == -1


def test_build_key_table_needs_no_key_hashes_file(data):
    ours.write_keys(KEYS["many"], data)
    built = ours.build_key_table(Keys(data))
    assert built.salt == theirs.hash_keys(KEYS["many"])[0]
    assert [built.find(key) for key in KEYS["many"]] == list(range(3000))


def test_hashes_of_another_dataset_are_refused(data):
    ours.write_key_hashes(["a", "b"], data)
    with pytest.raises(IndexFileError, match="2 hashes for 3 samples"):
        ours.open_key_table(data, 3)


def test_equal_hashes_in_the_file_are_refused(data):
    path_append(data, ".key_hashes").write_bytes(struct.pack(">8s3Q", b"salt", 7, 8, 7))
    with pytest.raises(IndexFileError, match=r"same hash \(hash 2\).*write_key_hashes"):
        ours.open_key_table(data)


# -- damaged --


@pytest.mark.parametrize("cut", [1, 7, 8, 16])
def test_truncated_key_hashes_name_file_and_size(data, cut):
    path = ours.write_key_hashes(["a", "b"], data)
    content = path.read_bytes()[:-cut]
    path.write_bytes(content)
    with pytest.raises(IndexFileError, match=rf"train\.msgpack\.key_hashes \({len(content)} bytes\)"):
        ours.open_key_table(data, 2)


@pytest.mark.parametrize("content", [b"", b"1234567", bytes(12)])
def test_key_hashes_of_odd_size_are_refused(data, content):
    path_append(data, ".key_hashes").write_bytes(content)
    for load in (ours.load_key_hashes, ours.open_key_table):
        with pytest.raises(IndexFileError, match="8 bytes of salt and 8 a key"):
            load(data)


@pytest.mark.parametrize("content", [b"", bytes(7), bytes(12)])
def test_offsets_of_odd_size_are_refused(data, content):
    path_append(data, ".offsets").write_bytes(content)
    for load in (ours.load_offsets, lambda path: ours.open_offsets(path, 9)):
        with pytest.raises(IndexFileError, match=rf"offsets \({len(content)} bytes\).*8 bytes an entry"):
            load(data)


@pytest.mark.parametrize(("offsets", "entry"), [([1, 9], 0), ([0, 5, 4, 9], 2), ([0, 10, 9], 2)])
def test_offsets_out_of_order_are_refused(data, offsets, entry):
    ours.write_offsets(offsets, data)
    with pytest.raises(IndexFileError, match=rf"\(entry {entry}\)"):
        ours.load_offsets(data)


BAD_KEYS = {
    "empty": (b"", "byte 0"),
    "a map": (msgpack.packb({"a": 1}), "not one array"),
    "a count without keys": (b"\xdd\xff\xff\xff\xff", "too short for the number"),
    "a count above the keys": (b"\x93\xa5hello", "key 1, byte 7"),
    "a count below the keys": (b"\x91\xa1x\xa1y", "bytes follow the last item"),
    "a number": (b"\x92\xa1x\x07", "not a string .key 1, byte 3"),
    "bytes": (msgpack.packb([b"x"]), "not a string .key 0, byte 1"),
    "no UTF-8": (b"\x91\xa1\xff", "not valid UTF-8"),
}


@pytest.mark.parametrize(("content", "reason"), BAD_KEYS.values(), ids=BAD_KEYS)
def test_damaged_keys_name_file_and_byte(data, content, reason):
    path_append(data, ".keys").write_bytes(content)
    with pytest.raises(IndexFileError, match=rf"train\.msgpack\.keys \({len(content)} bytes\).*{reason}"):
        ours.load_keys(data)


def test_every_truncation_of_the_keys_is_noticed(data):
    path = ours.write_keys(KEYS["unicode"], data)
    content = path.read_bytes()
    for size in range(len(content)):
        path.write_bytes(content[:size])
        with pytest.raises(IndexFileError):
            ours.load_keys(data)


def filter_header(magic=b"SIMPBLOO", size=None, capacity=2, probability=0.5, body=8):
    size = 32 + body if size is None else size
    return struct.pack(">8sQQd", magic, size, capacity, probability) + bytes(body)


BAD_FILTERS = {
    "empty": (b"", "shorter than the header"),
    "short": (b"SIMPBLOO", "shorter than the header"),
    "garbage": (bytes(range(100)), "not a simplebloom filter"),
    "announces a terabyte": (filter_header(size=2**40), "gives its size as 1,099,511,627,776 bytes"),
    "announces less": (filter_header(size=3), "gives its size as 3 bytes"),
    "capacity of 0": (filter_header(capacity=0), "num_element"),
    "endless capacity": (filter_header(capacity=2**64 - 1), "len"),
    "probability of 0": (filter_header(probability=0.0), "false_positive_prob"),
    "probability of 1": (filter_header(probability=1.0), "false_positive_prob"),
    "probability not a number": (filter_header(probability=float("nan")), "false_positive_prob"),
}


@pytest.mark.parametrize(("content", "reason"), BAD_FILTERS.values(), ids=BAD_FILTERS)
def test_damaged_filters_are_refused(data, content, reason):
    path_append(data, ".filter").write_bytes(content)
    with pytest.raises(IndexFileError, match=rf"filter \({len(content)} bytes\).*{reason}.*write_filter"):
        ours.load_filter(data)


@given(
    capacity=st.one_of(st.integers(0, 2**64 - 1), st.integers(0, 100)),
    probability=st.floats(),
    body=st.integers(0, 200),
)
def test_a_filter_is_loaded_or_refused_whatever_its_header_says(
    tmp_path_factory, capacity, probability, body
):
    path = tmp_path_factory.mktemp("filter") / "train.filter"
    path.write_bytes(filter_header(capacity=capacity, probability=probability, body=body))
    try:
        loaded = ours.load_filter(path)
    except IndexFileError:
        return
    assert len(loaded) == body
    assert isinstance("key" in loaded, bool)


def test_a_truncated_filter_is_refused(data):
    path = ours.write_filter(KEYS["many"], data)
    content = path.read_bytes()
    for changed in (content[:-1], content[:-1000], content + b"\0"):
        path.write_bytes(changed)
        with pytest.raises(IndexFileError, match="its header gives its size as"):
            ours.load_filter(data)


BAD_LEGACY = {
    "empty": (b"", "end of the file"),
    "an array": (msgpack.packb(["a"]), "not one map"),
    "truncated": (msgpack.packb({"a": 0, "b": 300})[:-1], "entry 1, byte 6"),
    "a number as key": (msgpack.packb({1: 0}), "a key is not a string"),
    "a string as offset": (msgpack.packb({"a": "b"}), "an offset is not an integer"),
    "a nested array": (msgpack.packb({"a": [0] * 5}), "an offset is not an integer"),
    "a negative offset": (msgpack.packb({"a": -1}), "an offset is not an integer"),
    "an endless offset": (msgpack.packb({"a": 2**64 - 1}), "an offset is not an integer"),
    "a wild offset": (msgpack.packb({"a": 0, "b": 2**40}), "entry 2"),
    "falling offsets": (msgpack.packb({"a": 0, "b": 5, "c": 3}), "entry 2"),
    "a late start": (msgpack.packb({"a": 1}), "entry 0"),
    "more behind": (msgpack.packb({"a": 0}) + b"\0", "bytes follow"),
}


@pytest.mark.parametrize(("content", "reason"), BAD_LEGACY.values(), ids=BAD_LEGACY)
def test_damaged_legacy_indexes_are_refused(data, content, reason):
    path_append(data, ".index").write_bytes(content)
    with pytest.raises(IndexFileError, match=rf"train\.msgpack\.index \({len(content)} bytes\).*{reason}"):
        ours.legacy_load_index(data)


@given(st.binary(max_size=100), st.sampled_from(LOADERS))
def test_garbage_is_loaded_or_refused_and_never_crashes(tmp_path_factory, content, name):
    path = tmp_path_factory.mktemp("garbage") / "train.msgpack"
    for suffix in (".offsets", ".keys", ".key_hashes", ".filter", ".index"):
        path_append(path, suffix).write_bytes(content)
    with contextlib.suppress(IndexFileError):
        getattr(ours, name)(path)


# -- names --


@pytest.mark.parametrize(
    "name", ["train", "train.msgpack", ".keys", "a.keys", "keys", "train.keys.keys", "a."]
)
@pytest.mark.parametrize("suffix", [".keys", "keys", ".msgpack", ""])
def test_names_are_those_of_datadings(name, suffix, tmp_path):
    from datadings import tools

    path = tmp_path / name
    assert path_append(path, suffix) == tools.path_append(path, suffix)
    assert path_append_suffix(path, suffix) == tools.path_append_suffix(path, suffix)
    assert path_append_suffix(str(path), suffix) == path_append_suffix(path, suffix)


def test_a_path_without_a_name_cannot_be_lengthened():
    with pytest.raises(ValueError, match="empty name"):
        path_append("/", ".keys")


def test_constants_are_those_of_datadings():
    names = [name for name in dir(theirs) if name.startswith("SUFFIX_")]
    assert {name: getattr(ours, name) for name in names} == {name: getattr(theirs, name) for name in names}
