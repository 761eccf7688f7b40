"""FileWriter writes the files of datadings, and refuses samples that would not come back."""

import array
import enum
import re
from collections import OrderedDict, namedtuple

import datadings.reader
import datadings.writer
import ml_dtypes
import msgpack
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import ddfast.reader
import ddfast.writer
from ddfast.errors import ClosedError, DuplicateKeyError, InvalidSampleError, MissingKeyError
from ddfast.writer import FileWriter, Writer

SUFFIXES = ["", ".offsets", ".keys", ".key_hashes", ".filter", ".md5"]


def contents(path):
    """Bytes of the six files of a dataset, by suffix; None where one is missing."""
    files = [path.with_name(path.name + suffix) for suffix in SUFFIXES]
    return {file.suffix: file.read_bytes() if file.exists() else None for file in files}


def write(writer_class, path, samples, **options):
    path.parent.mkdir(exist_ok=True)
    with writer_class(path, overwrite=True, disable=True, **options) as writer:
        for sample in samples:
            writer.write(sample)
    return contents(path)


@pytest.fixture
def writer(tmp_path):
    with FileWriter(tmp_path / "train.msgpack", disable=True) as writer:
        writer.write({"key": "first"})
        yield writer
        writer.write({"key": "last"})
    reader = datadings.reader.MsgpackReader(tmp_path / "train.msgpack")
    assert [sample["key"] for sample in reader] == ["first", "last"], (
        "the writer was not usable after an error"
    )


Point = namedtuple("Point", "x y")


def name_of(value):
    """The id of a test: the same in every process."""
    return re.sub(r" at 0x[0-9a-f]+", "", repr(value))[:30]


VALUES = [
    None,
    True,
    -(2**63),
    2**64 - 1,
    1.5,
    float("nan"),
    "text \N{SNOWMAN}",
    b"bytes",
    bytearray(b"bytes"),
    memoryview(b"bytes"),
    [1, [2, (3,)]],
    Point(1, 2),
    OrderedDict(a=1),
    {2: "int", None: "none", b"b": "bytes", 1.5: "float", True: "bool"},
    {np.int32(5): 1, 1 + 2j: 2, np.float64(3): 3},
    msgpack.ExtType(42, b"ext"),
    msgpack.Timestamp(1, 2),
    {"nd": True, "type": "<f4", "shape": [0], "data": b"", "complex": True},
    {b"nd": True},
    {b"complex": 1, "data": 1},
    {str(i): i for i in range(100)},
    np.str_("string"),
    np.bytes_(b"bytes"),
    np.arange(5000.0).reshape(50, 100)[::2, ::3],
    np.array([1, "a"], object),
    np.zeros(2, [("a", "<i4"), ("b", ">f8", (2, 3)), ("c", [("d", "S3"), ("e", "?")])]),
    [
        np.array(5),
        np.float32(1),
        np.bool_(True),
        np.timedelta64(5, "s"),
        1j,
        np.complex64(1j),
        np.longdouble(1),
    ],
]


@pytest.mark.filterwarnings("ignore:an array of Python objects")
@pytest.mark.parametrize("value", VALUES, ids=name_of)
def test_value_is_written_as_datadings_writes_it(tmp_path, value):
    samples = [{"key": "a", "value": value}, {"key": "b", "values": {"nested": [value]}}]
    ours = write(FileWriter, tmp_path / "ours" / "x.msgpack", samples)
    assert ours == write(datadings.writer.FileWriter, tmp_path / "theirs" / "x.msgpack", samples)


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text()
    | st.binary()
    | st.complex_numbers()
    | st.builds(msgpack.ExtType, st.integers(0, 127), st.binary())
    | st.builds(msgpack.Timestamp, st.integers(-(2**62), 2**62), st.integers(0, 10**9 - 1))
    | hnp.arrays(
        hnp.boolean_dtypes() | hnp.integer_dtypes() | hnp.floating_dtypes() | hnp.unicode_string_dtypes(),
        hnp.array_shapes(min_dims=0, min_side=0),
    )
    | hnp.from_dtype(np.dtype(np.float32))
)
KEYS = st.text() | st.integers(-5, 5) | st.binary(max_size=3) | st.booleans() | st.none()
SAMPLES = st.dictionaries(
    st.text(),
    st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(KEYS, inner), max_leaves=8),
)


@settings(max_examples=40, deadline=None)
@given(samples=st.lists(st.tuples(st.text(), SAMPLES), max_size=6, unique_by=lambda pair: pair[0]))
def test_generated_datasets_are_what_datadings_writes(tmp_path_factory, samples):
    folder = tmp_path_factory.mktemp("generated")
    samples = [{**sample, "key": key} for key, sample in samples]
    ours = write(FileWriter, folder / "ours" / "x.msgpack", samples)
    assert ours == write(datadings.writer.FileWriter, folder / "theirs" / "x.msgpack", samples)


@pytest.mark.parametrize(
    ("count", "size"), [(0, 0), (1, 3_000_000), (40, 100_000), (5_000, 700), (3, 1 << 20)]
)
def test_samples_of_all_sizes_are_what_datadings_writes(tmp_path, count, size):
    samples = [{"key": f"{i}", "data": bytes([i % 256]) * size} for i in range(count)]
    samples += [{"key": "tail", "data": b""}] if count else []
    ours = write(FileWriter, tmp_path / "ours" / "x.msgpack", samples)
    assert ours == write(datadings.writer.FileWriter, tmp_path / "theirs" / "x.msgpack", samples)


def test_parent_folders_are_made_and_samples_counted(tmp_path):
    with FileWriter(tmp_path / "a" / "b" / "x.msgpack", disable=True) as writer:
        assert writer.written == 0
        writer.write({"key": "a"})
        assert writer.written == 1
    assert (tmp_path / "a" / "b" / "x.msgpack.md5").exists()


class IdentityStr(str):
    __slots__ = ()
    __eq__ = object.__eq__
    __hash__ = object.__hash__


class HashableDict(dict):
    def __hash__(self):
        return 1


class Unpackable:
    pass


def endless():
    value = []
    value.append(value)
    return value


def test_duplicate_key_names_both_samples(writer):
    with pytest.raises(
        DuplicateKeyError, match=r"train\.msgpack: sample 1 \('first'\) has the key of sample 0"
    ):
        writer.write({"key": "first"})


def test_sample_without_key_names_what_it_has(writer):
    with pytest.raises(
        MissingKeyError, match=r"train\.msgpack: sample 1 has no 'key', only \['image', 'label'\]"
    ):
        writer.write({"image": b"", "label": 1})


@pytest.mark.parametrize("key", [1, b"bytes", None, ("a",), np.array(1)], ids=name_of)
def test_key_that_is_no_string_is_refused(writer, key):
    with pytest.raises(InvalidSampleError, match=r"sample 1 has the key .* not a string\. Use str\(key\)"):
        writer.write({"key": key})


@pytest.mark.parametrize("sample", [None, [("key", "a")], "key", b"key"], ids=name_of)
def test_sample_that_is_no_dict_is_refused(writer, sample):
    with pytest.raises(InvalidSampleError, match=r"sample 1 is not a dict"):
        writer.write(sample)


@pytest.mark.filterwarnings("ignore:an array of Python objects")
@pytest.mark.parametrize(
    ("value", "message"),
    [
        (Unpackable(), r"sample\['x'\] cannot be packed: .*Unpackable"),
        ({"deep": [1, {2, 3}]}, r"sample\['x'\]\['deep'\]\[1\] cannot be packed: .*set"),
        (2**64, r"sample\['x'\] cannot be packed: Integer value out of range"),
        ([-(2**63) - 1], r"sample\['x'\]\[0\] cannot be packed"),
        ("\ud800", r"sample\['x'\] is a string with a lone surrogate"),
        ({"\ud800": 1}, r"sample\['x'\] key '\\ud800' is a string with a lone surrogate"),
        ({Unpackable: 1}, r"key <class .*Unpackable'> cannot be packed"),
        (np.zeros(1, [("a", "O")]), r"sample\['x'\] cannot be packed: .*addresses of Python objects"),
        (np.datetime64("2020"), r"sample\['x'\] cannot be packed: .*store np\.asarray\(value\)"),
        (np.zeros(1, "i4,f8")[0], r"sample\['x'\] cannot be packed: .*store np\.asarray\(value\)"),
        (np.ma.array([1, 2], mask=[0, 1]), r"sample\['x'\] .*its mask would be lost; store array\.filled"),
        ({"deep": [np.ma.masked]}, r"sample\['x'\]\['deep'\]\[0\] .*its mask would be lost"),
        (np.zeros(3, ml_dtypes.bfloat16), r"sample\['x'\] .*dtype bfloat16: .*array\.astype\(\)"),
        (np.zeros((8192, 8193, 0)), r"sample\['x'\] .*67,117,056 rows without bytes.*length 0 first"),
        (np.array([lambda: 1], object), r"sample\['x'\] cannot be packed"),
        (endless(), r"the sample cannot be packed: recursion limit"),
    ],
    ids=name_of,
)
def test_value_that_cannot_be_packed_is_named(writer, value, message):
    with pytest.raises(
        InvalidSampleError, match=rf"train\.msgpack: sample 1 \('a'\) cannot be written: .*{message}"
    ):
        writer.write({"key": "a", "y": 1, "x": value})


@pytest.mark.parametrize("key", ["\ud800", "a\udfff"])
def test_key_with_a_lone_surrogate_is_refused(writer, key):
    with pytest.raises(InvalidSampleError, match="lone surrogate"):
        writer.write({"key": key})


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({b"nd": True, b"type": "<f4", b"shape": [1], b"data": b"1234"}, r"sample\['x'\] has the key b'nd'"),
        ([{b"nd": 0, b"type": "<f4", b"data": b"1234"}, 1j], r"sample\['x'\]\[0\] has the key b'nd'"),
        ({b"nd": True, b"kind": b"O", b"data": b""}, r"has the key b'nd'"),
        ({"n": {b"complex": 0, b"data": "1"}}, r"sample\['x'\]\['n'\] has the key b'complex'"),
        ({memoryview(b"complex"): 0, b"data": "1"}, r"has the key b'complex'"),
        ({(1, 2): 3}, r"has the key \(1, 2\), which would be read back as a list"),
        ({HashableDict(a=1): 3}, r"would be read back as a dict"),
        ({IdentityStr("a"): 1, IdentityStr("a"): 2}, r"has the keys 'a' and 'a', which would be equal"),
        ({IdentityStr(i % 99): i for i in range(100)}, r"has the keys '0' and '0', which would be equal"),
    ],
    ids=name_of,
)
def test_map_that_would_be_read_back_as_something_else_is_refused(writer, value, message):
    with pytest.raises(
        InvalidSampleError, match=rf"sample 1 \('a'\) would be read back as something else: .*{message}"
    ):
        writer.write({"key": "a", "x": value})


def test_more_keys_of_rare_types_than_readers_accept_are_refused(writer, tmp_path):
    values = {complex(i): i for i in range(1025)}
    message = r"sample\['x'\]\['y'\] has more than 1,024 keys .* Use strings as keys"
    with pytest.raises(InvalidSampleError, match=message):
        writer.write({"key": "b", "x": {"y": values}})
    values.popitem()
    write(FileWriter, tmp_path / "few" / "x.msgpack", [{"key": "a", "x": values}])
    with ddfast.reader.MsgpackReader(tmp_path / "few" / "x.msgpack") as reader:
        assert reader.get(0)["x"] == values


def test_real_array_does_not_hide_an_imitation(writer):
    imitation = {b"nd": True, b"type": "<f4", b"shape": [1], b"data": b"1234"}
    with pytest.raises(InvalidSampleError, match="b'nd'"):
        writer.write({"key": "a", "real": np.zeros(3), "x": [np.float32(1), imitation]})


@settings(max_examples=200, deadline=None)
@given(
    value=st.recursive(
        st.integers(0, 1) | st.just(1j) | st.sampled_from([b"1234", "<f4", b"O"]),
        lambda inner: (
            st.lists(inner, max_size=2)
            | st.dictionaries(
                st.sampled_from(
                    [b"nd", b"type", b"kind", b"shape", b"data", b"complex", "x", 1, 1.5, None, (1,)]
                ),
                inner,
            )
        ),
        max_leaves=12,
    )
)
def test_what_is_accepted_comes_back_as_it_was(tmp_path_factory, value):
    path = tmp_path_factory.mktemp("accepted") / "x.msgpack"
    with FileWriter(path, disable=True) as writer:
        try:
            writer.write({"key": "a", "x": value})
        except InvalidSampleError:
            return
    assert datadings.reader.MsgpackReader(path).get(0)["x"] == value


class Colour(str, enum.Enum):
    RED = "red"


@pytest.mark.parametrize("key", [np.str_("red"), Colour.RED], ids=["numpy", "enum"])
def test_key_of_a_string_subclass_is_its_text(tmp_path, key):
    assert write(FileWriter, tmp_path / "a" / "x", [{"key": key}]) == write(
        FileWriter, tmp_path / "b" / "x", [{"key": "red"}]
    )


def test_closed_writer_takes_nothing_and_closes_again(tmp_path):
    writer = FileWriter(tmp_path / "x.msgpack", disable=True)
    writer.close()
    before = contents(tmp_path / "x.msgpack")
    writer.close()
    writer.discard()
    assert contents(tmp_path / "x.msgpack") == before
    with pytest.raises(ClosedError, match=r"x\.msgpack: the writer accepts no more samples, it is closed"):
        writer.write({"key": "a"})


def test_writer_is_abstract(tmp_path):
    with pytest.raises(TypeError, match="abstract"):
        Writer(tmp_path / "x.msgpack")


def test_subclass_writes_through_the_methods_datadings_has(tmp_path):
    class PairWriter(Writer):
        def write(self, key, value):
            if isinstance(value, bytes):
                self._write_data(key, value)
            else:
                self._write(key, {"value": value})

    with PairWriter(tmp_path / "x.msgpack", disable=True) as writer:
        writer.write("a", array.array("B", b"1").tobytes())
        writer.write("b", 2)
    assert (tmp_path / "x.msgpack").read_bytes() == b"1" + msgpack.packb({"value": 2})


def test_old_name_of_packed_samples_works_with_a_warning():
    with pytest.warns(DeprecationWarning, match=r"use ddfast\.writer\.PackedSamples"):
        assert ddfast.writer.Piece is ddfast.writer.PackedSamples
