import io
import json
import math
import mmap
import os
import pickle
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from json_documents import (
    SCHEMAS,
    documents,
    expected,
    has_utf8,
    layouts,
    numbers,
    read,
    text_of,
    texts,
)

from ddfast._native.json_reader import FLAT, MISSING, NULL_VALUE, OTHER, PRESENT, JSONReader
from ddfast.errors import JSONFormatError

SMALL = st.sampled_from([1, 2, 3, 7, 16, 64, 1 << 20])


STRICTER = {
    "a document begins with { or [",
    "a record, which is an object, is expected",
    "the document has a second member with this name",
}
"""What is refused though it is JSON."""


def failure(text, schemas=SCHEMAS, **options):
    with pytest.raises(JSONFormatError) as caught:
        read(text, schemas, **options)
    return caught.value


def column(text, kind, **options):
    """The only column of a document with one array, read at once."""
    (table,) = JSONReader(text, {"": {"x": kind}}, **options)
    return table.columns["x"]


def other_texts(found):
    bounds = found.other_offsets.tolist()
    return [found.other.tobytes()[a:b].decode() for a, b in pairwise(bounds)]


@given(documents, layouts, SMALL, st.integers(1, 3))
def test_columns_hold_what_json_reads(document, layout, window, chunk):
    text = text_of(document, layout)
    found, extra, reader = read(text, window_bytes=window, chunk_records=chunk)
    known = json.loads(text)
    arrays = {"": known} if isinstance(known, list) else {n: v for n, v in known.items() if n in SCHEMAS}
    rest = {} if isinstance(known, list) else {n: v for n, v in known.items() if n not in SCHEMAS}
    rows = {n: [expected(record, SCHEMAS[n]) for record in records] for n, records in arrays.items()}
    assert repr(found) == repr(rows)
    assert repr(extra) == repr(
        [{k: v for k, v in r.items() if k not in SCHEMAS[n]} for n, rs in arrays.items() for r in rs]
    )
    assert repr({name: json.loads(text) for name, text in reader.rest.items()}) == repr(rest)


@given(documents, layouts, st.data())
def test_a_document_that_is_cut_off_is_truncated_at_its_end(document, layout, data):
    text = text_of(document, layout)
    size = data.draw(st.integers(0, len(text) - 1))
    error = failure(text[:size], window_bytes=data.draw(SMALL))
    assert (error.reason, error.position) == ("the text ends before the document does", size)


@given(documents, layouts, st.data())
def test_any_change_of_a_byte_is_read_as_json_reads_it_or_refused(document, layout, data):
    text = bytearray(text_of(document, layout))
    text[data.draw(st.integers(0, len(text) - 1))] = data.draw(st.integers(0, 255))
    try:
        known = json.loads(text.decode())
    except ValueError:
        known = None
    window = data.draw(SMALL)
    try:
        found, _, _ = read(bytes(text), window_bytes=window)
    except JSONFormatError:
        error = failure(bytes(text), window_bytes=window)
        lines = text[: error.position].split(b"\n")
        assert error.line == len(lines)
        assert error.column == 1 + sum(byte & 0xC0 != 0x80 for byte in lines[-1])
        assert str(failure(bytes(text))) == str(error)
        assert known is None or error.reason in STRICTER
    else:
        assert known is not None
        arrays = {"": known} if isinstance(known, list) else known
        for name, records in found.items():
            assert repr(records) == repr([expected(record, SCHEMAS[name]) for record in arrays[name]])


@given(st.lists(numbers, min_size=1))
def test_numbers_are_those_of_float(values):
    written = [json.dumps(value) for value in values]
    found = column(f'[{{"x":[{",".join(written)}]}}]'.encode(), "numbers").values
    assert repr(found.tolist()) == repr([float(text) for text in written])


digits = st.text("0123456789", min_size=1, max_size=30)
number_texts = st.builds(
    lambda sign, whole, fraction, exponent: (
        sign + (whole.lstrip("0") or "0") + (f".{fraction}" if fraction else "") + exponent
    ),
    st.sampled_from(["", "-"]),
    digits | st.text("0123456789", min_size=800, max_size=900),
    st.just("") | digits,
    st.just("")
    | st.builds(
        "{}{}{}".format, st.sampled_from("eE"), st.sampled_from(["", "+", "-"]), digits.map(lambda d: d[:4])
    ),
)


@given(number_texts)
@example("2.2250738585072011e-308")
@example("9007199254740993")
@example("9007199254740993.0000000000000000000000000000000000000000001")
@example("0.500000000000000166533453693773481063544750213623046875")
@example("1.7976931348623159e308")
@example("2.4703282292062328e-324")
@example("2.4703282292062327e-324")
@example("0e99999999999999999999")
@example("1e99999999999999999999")
@example("1e-99999999999999999999")
@example("-0")
@example("-0.0")
@example("0." + "0" * 400 + "1e401")
@example("1" + "0" * 800 + "1e-801")
def test_any_text_of_a_number_is_read_as_float_reads_it(text):
    found = column(f'[{{"x":{text}}}]'.encode(), "number").values[0]
    assert repr(found.item()) == repr(float(text))


@given(st.floats(allow_nan=False, allow_infinity=False), st.integers(0, 25))
def test_any_precision_is_read_as_float_reads_it(value, precision):
    text = f"{value:.{precision}e}"
    found = column(f'[{{"x":{text}}}]'.encode(), "number").values[0]
    assert repr(found.item()) == repr(float(text))


@pytest.mark.parametrize(
    "text",
    ["01", "-", "-a", "1.", ".5", "+1", "1e", "1e+", "1.e1", "0x1", "1_0", "Nan", "-NaN", "Inf", "--1"],
)
@pytest.mark.parametrize("kind", ["int", "number", "raw", "numbers"])
def test_what_json_does_not_call_a_number_is_refused(text, kind):
    text = f"[{text}]" if kind == "numbers" else text
    failure(f'[{{"x":{text}}}]'.encode(), {"": {"x": kind}})


@given(texts)
def test_strings_are_those_of_orjson(text):
    orjson = pytest.importorskip("orjson")
    if has_utf8(text):
        written = orjson.dumps([{"x": text}])
        assert column(written, "string").values.tobytes() == orjson.loads(written)[0]["x"].encode()


def test_half_of_a_surrogate_pair_is_kept_as_text():
    found = column(
        rb'[{"x":"\ud83d\ude00"},{"x":"\ud83d"},{"x":"\ude00\ud83d"},{"x":"\ud83d\u0041"}]', "string"
    )
    assert found.states.tolist() == [PRESENT, OTHER, OTHER, OTHER]
    assert found.values.tobytes().decode() == "😀"
    assert other_texts(found) == ['"\\ud83d"', '"\\ude00\\ud83d"', '"\\ud83d\\u0041"']


def test_every_state_has_its_value():
    found = column(
        b'[{},{"x":null},{"x":1.0},{"x":"a"},{"x":1.5},{"x":9223372036854775808},{"x":1e3}]', "int"
    )
    assert found.states.tolist() == [MISSING, NULL_VALUE, PRESENT, OTHER, OTHER, OTHER, PRESENT]
    assert found.values.tolist() == [0, 0, 1, 0, 0, 0, 1000]
    assert other_texts(found) == ['"a"', "1.5", "9223372036854775808"]
    assert found.other_rows.tolist() == [3, 4, 5]
    assert np.isnan(column(b'[{"x":null},{}]', "number").values).all()


def test_segments_are_lists_of_lists_or_one_list():
    text = b'[{"x":[[1,2.5],[],[3]]},{"x":[4,5]},{"x":[]},{"x":[[]]},{"x":{"counts":[1]}},{"x":[[1],2]},{"x":[1,[2]]}]'
    found = column(text, "segments")
    assert found.states.tolist() == [PRESENT, FLAT, PRESENT, PRESENT, OTHER, OTHER, OTHER]
    assert found.offsets.tolist() == [0, 3, 4, 4, 5, 5, 5, 5]
    assert found.parts.tolist() == [0, 2, 2, 3, 5, 5]
    assert found.values.tolist() == [1, 2.5, 3, 4, 5]
    assert other_texts(found) == ['{"counts":[1]}', "[[1],2]", "[1,[2]]"]


def test_the_last_of_equal_names_counts():
    (table,) = JSONReader(
        b'[{"x":[1],"y":2,"x":"a","\\u0078":[3,4]},{"x":5,"x":[6]}]', {"": {"x": "numbers"}}, extra=True
    )
    found = table.columns["x"]
    assert found.values.tolist() == [3, 4, 6]
    assert found.offsets.tolist() == [0, 2, 3]
    assert found.states.tolist() == [PRESENT, PRESENT]
    assert len(found.other) == len(found.other_rows) == 0
    assert table.extra.values.tobytes() == b'{"y":2}'


def test_other_members_are_kept_if_they_are_small():
    text = b' {"info": {"a": [1, 2]} , "big":[ "%s" ],"a\\u0062": 1, "info":3, "x":[{}]}' % (b"a" * 100)
    reader = JSONReader(text, {"x": {}}, max_rest_bytes=50, window_bytes=8)
    assert [(table.name, table.rows) for table in reader] == [("x", 1)]
    assert reader.rest == {"info": b"3", "ab": b"1"}
    start, size = reader.skipped["big"]
    assert text[start : start + size] == b'[ "%s" ]' % (b"a" * 100)


def test_an_array_of_no_records_has_an_empty_table():
    reader = JSONReader(
        b'{"a": [], "b": null, "d": {}}', {"a": {"x": "int"}, "b": {}, "c": {}, "d": {}}, extra=True
    )
    tables = list(reader)
    assert [(table.name, table.rows, table.first) for table in tables] == [("a", 0, 0)]
    assert len(tables[0].columns["x"].values) == 0
    assert reader.rest == {"b": b"null", "d": b"{}"}


def test_chunks_end_where_they_are_full():
    text = json.dumps({"a": [{"x": [1] * 10}] * 7, "b": [{"x": []}]}).encode()
    schemas = {"a": {"x": "numbers"}, "b": {"x": "numbers"}}
    by_records = JSONReader(text, schemas, chunk_records=3)
    assert [(t.name, t.first, t.rows) for t in by_records] == [
        ("a", 0, 3),
        ("a", 3, 3),
        ("a", 6, 1),
        ("b", 0, 1),
    ]
    by_bytes = JSONReader(text, schemas, chunk_bytes=170)
    assert [t.rows for t in by_bytes] == [2, 2, 2, 1, 1]


@pytest.mark.parametrize("count", [3, 6])
def test_a_chunk_that_ends_with_its_array_is_not_followed_by_an_empty_one(count):
    text = json.dumps([{"x": 1}] * count).encode()
    assert [t.rows for t in JSONReader(text, {"": {"x": "int"}}, chunk_records=3)] == [3] * (count // 3)


def test_tables_outlive_their_reader():
    tables = list(JSONReader(b'[{"x":"abc"},{"x":"de"},{"x":"f"}]', {"": {"x": "string"}}, chunk_records=2))
    assert [table.columns["x"].values.tobytes() for table in tables] == [b"abcde", b"f"]
    tables[0].columns["x"].values[0] = ord("x")
    assert tables[0].columns["x"].values.tobytes() == b"xbcde"


@pytest.mark.parametrize("window", [1, 5, 1 << 20])
def test_files_descriptors_and_bytes_are_read_alike(tmp_path, window):
    text = b"\xef\xbb\xbf \n" + json.dumps({"a": [{"x": i} for i in range(100)]}).encode() + b"\n"
    path = tmp_path / "a.json"
    path.write_bytes(text)
    descriptor = os.open(path, os.O_RDONLY)
    os.lseek(descriptor, 17, os.SEEK_SET)

    class Slow(io.BytesIO):
        def read(self, size):
            return super().read(min(size, 3))

    mapped = mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ)
    mapped.read(5)
    for source in [text, memoryview(text), bytearray(text), descriptor, mapped, io.BytesIO(text), Slow(text)]:
        (table,) = JSONReader(source, {"a": {"x": "int"}}, window_bytes=window)
        assert table.columns["x"].values.tolist() == list(range(100))
    os.close(descriptor)


def test_what_cannot_be_read_is_no_source():
    with pytest.raises(
        TypeError, match="a source is bytes-like, a descriptor, or an object with a method `read`, not str"
    ):
        JSONReader("{}", {})


def test_a_reader_belongs_to_one_thread_at_a_time():
    class Nested:
        def read(self, size):
            next(reader)

    reader = JSONReader(Nested(), {})
    with pytest.raises(RuntimeError, match="another thread is reading from this JSONReader"):
        next(reader)
    with pytest.raises(RuntimeError, match="a JSONReader is initialised once"):
        reader.__init__(b"{}", {})
    assert list(JSONReader.__new__(JSONReader)) == []


def test_a_failing_source_says_why(tmp_path):
    with pytest.raises(OSError, match="Bad file descriptor"):
        next(JSONReader(10**6, {}))

    class Failing:
        def read(self, size):
            raise EOFError("gone")

    reader = JSONReader(Failing(), {})
    with pytest.raises(EOFError, match="gone"):
        next(reader)
    assert list(reader) == []

    class Excessive:
        def read(self, size):
            return b" " * (size + 1)

    with pytest.raises(ValueError, match=r"read\(8\) of the source returned 9 bytes"):
        next(JSONReader(Excessive(), {}, window_bytes=8))


ERRORS = {
    b"": (1, 1, 0, "the text ends before the document does"),
    b"  ": (1, 3, 2, "the text ends before the document does"),
    b"1": (1, 1, 0, "a document begins with { or ["),
    b"\xef\xbbx": (1, 2, 2, "a document begins with { or ["),
    b" \xef\xbb\xbf{}": (1, 2, 1, "a document begins with { or ["),
    b'{"a":1}\n\n x': (3, 2, 10, "something follows the end of the document"),
    b'{"a":1,}': (1, 8, 7, "a string is expected"),
    b"{'a':1}": (1, 2, 1, "a string is expected"),
    b'{"a" 1}': (1, 6, 5, "a colon is expected"),
    b'{"a":1 "b":2}': (1, 8, 7, "a comma or a closing brace is expected"),
    b'{"a":}': (1, 6, 5, "a value is expected"),
    b'{"a":nulL}': (1, 9, 8, "a value is expected"),
    b'{"a":[1,]}': (1, 9, 8, "a value is expected"),
    b'{"a":[1 2]}': (1, 9, 8, "a comma or a closing bracket is expected"),
    b'{"a":[1}': (1, 8, 7, "a comma or a closing bracket is expected"),
    b'{"a":"\xc3\xa9\xff"}': (1, 8, 8, "a string is not UTF-8"),
    b'{"a":"\n"}': (1, 7, 6, "a string contains a control character"),
    b'{"a":"\\x"}': (1, 8, 7, "a backslash is followed by a character that it does not escape"),
    b'{"a":"\\u12g4"}': (1, 11, 10, "a hexadecimal digit of an escape is expected"),
    b'{"a":-x}': (1, 7, 6, "a number is not well-formed"),
    b'{"a":1}\0': (1, 8, 7, "something follows the end of the document"),
    b'{"images":[],"\\u0069mages":[]}': (1, 14, 13, "the document has a second member with this name"),
}  # fmt: skip

RECORD_ERRORS = {
    b'{"images":[{},\n 1]}': (2, 2, 16, 1, "a record, which is an object, is expected"),
    b'{"images":[{},]}': (1, 15, 14, 1, "a record, which is an object, is expected"),
    b'{"images":[{"id":1},{"id":}]}': (1, 27, 26, 1, "a value is expected"),
    b'{"images":[{"id":1 "n":2}]}': (1, 20, 19, 0, "a comma or a closing brace is expected"),
    b'{"images":[{"id":1]}': (1, 19, 18, 0, "a comma or a closing brace is expected"),
    b'{"images":[{"id":1},}': (1, 21, 20, 1, "a record, which is an object, is expected"),
    b'{"images":[{"id":1} {"id":1}]}': (1, 21, 20, 1, "a comma or a closing bracket is expected"),
    b'{"images":[{"id":01}]}': (1, 19, 18, 0, "a number is not well-formed"),
    b'{"images":[{"id":1,}]}': (1, 20, 19, 0, "a string is expected"),
}  # fmt: skip


@pytest.mark.parametrize("window", [1, 4, 1 << 20])
@pytest.mark.parametrize("text", ERRORS)
def test_an_error_names_its_place(text, window):
    error = failure(text, {"images": {"id": "int"}}, window_bytes=window)
    assert (error.line, error.column, error.position, error.reason) == ERRORS[text]
    assert (error.array, error.record) == (None, None)
    line, column, position, reason = ERRORS[text]
    assert str(error) == f"line {line}, column {column} (byte {position}): {reason}"


@pytest.mark.parametrize("window", [1, 4, 1 << 20])
@pytest.mark.parametrize("text", RECORD_ERRORS)
def test_an_error_in_a_record_names_it(text, window):
    error = failure(text, {"images": {"id": "int"}}, window_bytes=window, name="a.json")
    line, column, position, record, reason = RECORD_ERRORS[text]
    assert (error.array, error.record) == ("images", record)
    place = f"line {line}, column {column} (byte {position})"
    assert str(error) == f"a.json: {place}, record {record} of 'images': {reason}"


def test_an_array_where_an_object_is_expected_is_refused():
    error = failure(b" []", {"images": {}})
    assert (error.reason, error.column) == ("the document is an array, and an object is expected", 2)


def test_an_error_survives_pickling():
    error = failure(b'{"images":[1]}', {"images": {}}, name="a.json")
    again = pickle.loads(pickle.dumps(error))
    assert str(again) == str(error)
    assert vars(again) == vars(error)


def test_tables_before_an_error_are_returned():
    reader = JSONReader(b'[{"x":1},{"x":2},{"x":}]', {"": {"x": "int"}}, chunk_records=2)
    assert next(reader).columns["x"].values.tolist() == [1, 2]
    with pytest.raises(JSONFormatError, match="record 2: a value"):
        next(reader)
    assert list(reader) == []


@pytest.mark.parametrize("window", [3, 1 << 20])
def test_depth_is_limited(window):
    def nested(depth):
        return b'{"a":%s%s}' % (b"[" * depth, b"]" * depth)

    reader = JSONReader(nested(512), {}, window_bytes=window)
    assert list(reader) == []
    assert reader.rest["a"] == b"[" * 512 + b"]" * 512
    assert failure(nested(513), {}, window_bytes=window).reason == "values are nested deeper than 512 levels"


def test_the_size_of_a_record_is_limited():
    text = b'[{"x":"%s"},{"x":"%s"}]' % (b"a" * 50, b"a" * 500)
    error = failure(text, {"": {"x": "string"}}, window_bytes=16, max_record_bytes=200)
    assert (error.reason, error.record) == ("a record is larger than allowed: max_record_bytes is 200", 1)
    assert len(read(text, window_bytes=16, max_record_bytes=520)[0][""]) == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"window_bytes": 0}, "window_bytes must be between 1 and"),
        (
            {"max_record_bytes": 2**31},
            "max_record_bytes must be between 1 and 1,073,741,824, not 2,147,483,648",
        ),
        ({"chunk_records": 0}, "chunk_records must be"),
        ({"chunk_bytes": 2**30}, "chunk_bytes must be"),
        ({"max_rest_bytes": -1}, "max_rest_bytes must be"),
    ],
)
def test_options_have_limits(options, message):
    with pytest.raises(ValueError, match=message):
        JSONReader(b"{}", {}, **options)


def test_an_unknown_kind_is_refused():
    with pytest.raises(ValueError, match="field 'id' of 'images': 'float' is not one of int, number, bool"):
        JSONReader(b"{}", {"images": {"id": "float"}})
    with pytest.raises(ValueError, match=r"a schema has 5,000 fields; the maximum is 4,096"):
        JSONReader(b"{}", {"images": {str(i): "int" for i in range(5000)}})


def test_infinite_and_missing_numbers_are_read():
    found = column(b'[{"x":[NaN,Infinity,-Infinity,1e400,-1e400]}]', "numbers").values.tolist()
    assert math.isnan(found[0])
    assert found[1:] == [math.inf, -math.inf, math.inf, -math.inf]
