import json
import locale
import math
import shutil
import struct
import subprocess
import threading
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from json_documents import KINDS, arrays, as_float, fits, has_utf8, text_of

from ddfast._native.json_reader import FLAT, MISSING, NULL_VALUE, OTHER, PRESENT, JSONColumn, JSONReader
from ddfast._native.json_writer import JSONRecords, format_numbers, json_column


def texts_of(values, **options):
    text, bounds = format_numbers(values, **options)
    return [text.tobytes()[a:b].decode() for a, b in pairwise(bounds.tolist())]


def written(columns, rows, **options):
    return b"".join(JSONRecords(columns, rows, **options)).decode()


def ints(values, **options):
    return json_column("int", np.array(values, np.int64), **options)


any_double = st.integers(0, 2**64 - 1).map(lambda bits: struct.unpack("<d", struct.pack("<Q", bits))[0])
near_powers = st.builds(
    lambda power, steps: math.ldexp(1.0, power) * (1 + steps * 2.0**-52),
    st.integers(-1074, 1023),
    st.integers(-2, 2),
)
decimals = st.builds(lambda n, d: n / 10**d, st.integers(-(10**17), 10**17), st.integers(0, 22))
doubles = st.floats() | any_double | near_powers | decimals | st.floats(1e-5, 1e16) | st.floats(width=32)


@given(st.lists(doubles))
@example(
    [
        2.0**-44,
        5e-324,
        2.2250738585072014e-308,
        1e-4,
        9.999999999999999e-05,
        0.0001,
        1e15,
        1e16,
        1e17,
        1e22,
        1e23,
    ]
)
@example(
    [9007199254740993.0, 9999999999999998.0, 0.1 + 0.2, 1 / 3, 123456789.123456, 999999999.9999999, 0.3, -0.0]
)
@example(
    [0.000123456, 0.1234567, 0.12345678901234567, 1e-5, 1.5e-5, 999999.9999995, 8.5, 100.0, 123456.0, 4.35]
)
def test_numbers_are_written_as_json_writes_them(values):
    assert texts_of(values) == [json.dumps(value) for value in values]


@given(st.lists(doubles))
def test_short_numbers_have_no_point_where_they_have_no_fraction(values):
    assert texts_of(values, short=True) == [json.dumps(value).removesuffix(".0") for value in values]


@pytest.fixture
def decimal_comma(tmp_path, monkeypatch):
    """A locale in which the C library writes 0,5."""
    if shutil.which("localedef"):
        made = subprocess.run(
            ["localedef", "-i", "de_DE", "-f", "UTF-8", tmp_path / "de_DE.UTF-8"], check=False
        )
        if made.returncode == 0:
            monkeypatch.setenv("LOCPATH", str(tmp_path))
    before = locale.setlocale(locale.LC_NUMERIC)
    try:
        locale.setlocale(locale.LC_NUMERIC, "de_DE.UTF-8")
    except locale.Error:
        pytest.skip("needs the locale de_DE.UTF-8")
    yield
    locale.setlocale(locale.LC_NUMERIC, before)


@pytest.mark.usefixtures("decimal_comma")
def test_numbers_do_not_depend_on_the_locale():
    assert locale.localeconv()["decimal_point"] == ","
    values = [1.5e-7, 5e-324, 0.1 + 0.2, 1e300, 2.25]
    assert texts_of(values) == [json.dumps(value) for value in values]
    texts = ["1.5e-7", "0.1234567890123456789012345", "1.7976931348623157e308"]
    (table,) = JSONReader(f'[{{"x":[{",".join(texts)}]}}]'.encode(), {"": {"x": "numbers"}})
    assert table.columns["x"].values.tolist() == [float(text) for text in texts]


def test_doubles_around_powers_of_two_and_ten_are_written_as_repr_writes_them():
    centres = [2.0**k for k in range(-1074, 1024)] + [float(f"1e{k}") for k in range(-323, 309)]
    values = [
        f(v)
        for v in centres
        for f in (float, lambda v: np.nextafter(v, 0), lambda v: np.nextafter(v, math.inf))
    ]
    assert texts_of(values) == [json.dumps(float(value)) for value in values]


@given(st.lists(st.integers(-(2**63), 2**63 - 1)))
def test_integers_are_written_as_json_writes_them(values):
    assert written({"x": ints(values)}, len(values)) == ",\n".join(f'{{"x":{value}}}' for value in values)


def normal(value, kind):
    """A value as its column has it."""
    if value is None or not fits(value, kind):
        return value
    if kind in ("numbers", "segments"):
        return [as_float(v) if not isinstance(v, list) else [as_float(x) for x in v] for v in value]
    return {"int": int, "number": as_float}.get(kind, lambda v: v)(value)


@given(arrays, st.integers(1, 3), st.sampled_from([1, 50, 1 << 20]))
def test_what_is_read_is_written_again(records, chunk, chunk_bytes):
    text = text_of(records, {})
    again = []
    for table in JSONReader(text, {"": KINDS}, extra=True, chunk_records=chunk):
        if table.rows:
            chunks = JSONRecords(table.columns, table.rows, extra=table.extra, chunk_bytes=chunk_bytes)
            again.append(b"".join(chunks))
    known = [{n: normal(v, KINDS[n]) if n in KINDS else v for n, v in r.items()} for r in json.loads(text)]
    result = json.loads(b"[" + b",".join(again) + b"]")
    assert [repr(sorted(r.items())) for r in result] == [repr(sorted(r.items())) for r in known]


@given(st.lists(st.text(), max_size=5))
def test_strings_are_escaped_as_json_escapes_them(values):
    values = [value for value in values if has_utf8(value)]
    parts = [value.encode() for value in values]
    offsets = np.cumsum([0, *map(len, parts)])
    column = json_column("string", b"".join(parts), offsets=offsets)
    assert written({"x": column}, len(values), between=b"") == "".join(
        json.dumps({"x": value}, ensure_ascii=False, separators=(",", ":")) for value in values
    )


def test_all_ascii_characters_are_escaped_as_json_escapes_them():
    text = "".join(map(chr, range(128)))
    column = json_column("string", text.encode(), offsets=np.array([0, 128]))
    assert written({"x": column}, 1) == json.dumps({"x": text}, ensure_ascii=False, separators=(",", ":"))


def test_every_kind_has_its_text():
    columns = {
        "id": ints([7, 8]),
        'a "name"': b"{ }",
        "ok": json_column("bool", np.array([True, False])),
        "area": json_column("number", np.array([1.5, 2.0])),
        "bbox": json_column("numbers", np.array([1.0, 2.25]), offsets=np.array([0, 2, 2])),
        "seg": json_column(
            "segments",
            np.array([1.0, 2.0, 3.0]),
            offsets=np.array([0, 2, 3], np.int32),
            parts=np.array([0, 1, 1, 3]),
        ),
        "raw": json_column("raw", b"null[1 ]", offsets=np.array([0, 4, 8])),
    }
    assert written(columns, 2) == (
        '{"id":7,"a \\"name\\"":{ },"ok":true,"area":1.5,"bbox":[1.0,2.25],"seg":[[1.0],[]],"raw":null},\n'
        '{"id":8,"a \\"name\\"":{ },"ok":false,"area":2.0,"bbox":[],"seg":[[2.0,3.0]],"raw":[1 ]}'
    )
    assert '"area":2,"bbox":[],"seg":[[2,3]]' in written(columns, 2, short=True)


def test_rows_without_a_value_leave_the_member_out_or_are_null():
    states = np.array([MISSING, PRESENT, NULL_VALUE], np.uint8)
    columns = {"a": ints([1, 2, 3], states=states), "b": ints([4, 5, 6], states=states[::-1])}
    assert written(columns, 3, between=b" ") == '{"b":null} {"a":2,"b":5} {"a":null}'
    assert written(columns, 3, between=b" ", nulls=True) == (
        '{"a":null,"b":null} {"a":2,"b":5} {"a":null,"b":null}'
    )


def test_chunks_end_with_a_record():
    chunks = list(JSONRecords({"x": ints(range(5))}, 5, chunk_bytes=12))
    assert chunks == [b'{"x":0},\n{"x":1}', b',\n{"x":2},\n{"x":3}', b',\n{"x":4}']
    assert list(JSONRecords({"x": ints([])}, 0)) == []
    assert written({}, 2) == "{},\n{}"


def test_members_are_added_at_the_end():
    extra = json_column("raw", b'{"b":2}{ }{\n"c":[]}', offsets=np.array([0, 7, 10, 19]))
    assert (
        written({"a": ints([1, 2, 3])}, 3, extra=extra, between=b" ")
        == '{"a":1,"b":2} {"a":2} {"a":3,"c":[]}'
    )
    assert written({}, 3, extra=extra, between=b" ") == '{"b":2} {} {"c":[]}'


LIST = {"kind": "numbers", "values": np.ones(3), "offsets": np.array([0, 3])}
SEGMENTS = {"kind": "segments", "values": np.ones(3), "offsets": np.array([0, 1]), "parts": np.array([0, 3])}
STRING = {"kind": "string", "values": b"abc", "offsets": np.array([0, 3])}


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (LIST | {"offsets": np.array([0, 4])}, "row 0: offsets are not ascending, or lead beyond the values"),
        (LIST | {"offsets": np.array([2, 1])}, "row 0: offsets are not ascending"),
        (LIST | {"offsets": np.array([-1, 1])}, "row 0: offsets are not ascending"),
        (
            LIST | {"offsets": np.array([0]), "states": np.ones(1, np.uint8)},
            r"offsets must have at least 2 items in one dimension, not shape \(1,\)",
        ),
        (
            LIST | {"values": np.ones((1, 3))},
            r"values must have at least 0 items in one dimension, not shape \(1, 3\)",
        ),
        (SEGMENTS | {"offsets": np.array([0, 2])}, "row 0: offsets are not ascending"),
        (SEGMENTS | {"parts": np.array([0, 4])}, "row 0: offsets are not ascending"),
        (SEGMENTS | {"parts": np.empty(0, int)}, "parts must have at least 1 items"),
        (STRING | {"values": b"a\xff "}, "row 0: a string is not UTF-8"),
        (
            STRING | {"kind": "raw", "offsets": np.array([1, 1])},
            "row 0: a row has an empty text for its value",
        ),
        (STRING | {"kind": "text"}, "'text' is not one of int, number"),
        (
            {"kind": "int", "values": np.ones(0, int), "states": np.ones(1, np.uint8)},
            "fewer values than rows",
        ),
        (
            {"kind": "int", "values": np.ones(1, int), "states": np.ones(0, np.uint8)},
            "states must have at least 1",
        ),
        (
            LIST | {"states": np.array([FLAT], np.uint8)},
            "row 0: a row has a state that its column cannot have",
        ),
        (LIST | {"states": np.array([9], np.uint8)}, "row 0: a row has a state that its column cannot have"),
        (
            LIST | {"states": np.array([OTHER], np.uint8)},
            "row 0: a row with a value of another type has no text",
        ),
        (
            SEGMENTS | {"offsets": np.array([0, 0]), "states": np.array([FLAT], np.uint8)},
            "row 0: a flat row does not have one part",
        ),
    ],
)
def test_a_column_that_is_damaged_is_refused(column, message):
    with pytest.raises(ValueError, match=f"field 'x'.*{message}"):
        written({"x": json_column(**column)}, 1)


def test_texts_of_other_types_stay_inside_of_their_bytes():
    column = JSONColumn(
        "int", np.array([OTHER], np.uint8), np.zeros(1, np.int64), None, None,
        np.zeros(1, np.int32), np.array([0, 5], np.int32), np.zeros(4, np.uint8),
    )  # fmt: skip
    with pytest.raises(ValueError, match="field 'x', row 0: offsets are not ascending"):
        written({"x": column}, 1)


@pytest.mark.parametrize("text", [b"[1]", b"{", b"1}", b""])
def test_only_members_of_objects_are_added(text):
    extra = json_column("raw", text, offsets=np.array([0, len(text)]))
    with pytest.raises(ValueError, match="field 'extra', row 0: a row of the members to add is no object"):
        written({}, 1, extra=extra)
    with pytest.raises(ValueError, match="extra must be a column of kind 'raw', not 'string'"):
        written({}, 1, extra=json_column("string", text, offsets=np.array([0, len(text)])))


def test_records_belong_to_one_thread_at_a_time():
    rows = 20_000
    records = JSONRecords({"x": ints(range(rows))}, rows, between=b" ", chunk_bytes=100_000)
    chunks, refused = [], []

    def write():
        while True:
            try:
                chunks.append(next(records))
            except StopIteration:
                return
            except RuntimeError as error:
                refused.append(str(error))

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(b"".join(chunks).split()) == sorted(b'{"x":%d}' % i for i in range(rows))
    assert set(refused) <= {"another thread is writing these JSONRecords"}
    with pytest.raises(RuntimeError, match="JSONRecords are initialised once"):
        records.__init__({}, 0)
    assert list(JSONRecords.__new__(JSONRecords)) == []


def test_arguments_are_checked():
    with pytest.raises(ValueError, match="chunk_bytes must be between 1 and 1,073,741,824, not 0"):
        JSONRecords({}, 0, chunk_bytes=0)
    with pytest.raises(TypeError):
        JSONRecords({"x": json_column("int", np.ones(1))}, 1)
