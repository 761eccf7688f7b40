"""Columns against the plain decoder: the rule, damaged samples, limits, memory."""

import gc

import numpy as np
import pytest
from column_rule import expected_columns, same
from column_samples import NAMES, ODD_NAMES, batch_of, batch_of_packed, samples
from datadings.tools.msgpack import packb, unpackb
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ddfast._native import status
from ddfast._native.arena import Pool
from ddfast._native.columns import build_table
from ddfast.errors import ColumnNameError, CorruptSampleError, KernelError

SLOW = settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)


def values_of(column):
    return column if isinstance(column, np.ndarray) else column.tolist()


def assert_columns_follow_the_rule(batch, decoded, names=None):
    expected = expected_columns(decoded, names)
    assert same(list(batch.columns), list(expected))
    columns = batch.to_dict()
    for name, (kind, values) in expected.items():
        column = columns[name]
        numbers = batch._column_numbers()[name]
        assert (kind == "object") if numbers < 0 else batch._table.describe(numbers)[0] == kind
        assert same(values_of(column), values), (name, kind)


@SLOW
@given(samples())
def test_columns_and_samples_are_those_of_the_plain_decoder(generated):
    packed = [packb(sample) for sample in generated]
    decoded = [unpackb(message) for message in packed]
    batch = batch_of_packed(packed)
    assert_columns_follow_the_rule(batch, decoded)
    assert same(list(batch), decoded)


@SLOW
@given(samples(NAMES | ODD_NAMES))
def test_fields_whose_name_is_no_str_are_object_columns(generated):
    packed = [packb(sample) for sample in generated]
    decoded = [unpackb(message) for message in packed]
    assert_columns_follow_the_rule(batch_of_packed(packed), decoded)


@SLOW
@given(samples(), st.lists(NAMES, max_size=3), st.data())
def test_a_selection_gives_the_same_columns_in_its_own_order(generated, more, data):
    packed = [packb(sample) for sample in generated]
    decoded = [unpackb(message) for message in packed]
    present = [name for sample in decoded if isinstance(sample, dict) for name in sample]
    names = data.draw(st.permutations(more + present[:2]))
    assert_columns_follow_the_rule(batch_of_packed(packed, names), decoded, names)


@SLOW
@given(samples(), st.data())
def test_mutated_bytes_give_an_error_or_what_the_plain_decoder_gives(generated, data):
    packed = [bytearray(packb(sample)) for sample in generated]
    for message in packed:
        for _ in range(data.draw(st.integers(0, 2))):
            message[data.draw(st.integers(0, len(message) - 1))] = data.draw(st.integers(0, 255))
    try:
        batch = batch_of_packed(packed)
    except KernelError as error:
        assert error.pos <= len(packed[error.item])  # noqa: PT017
        return
    try:
        decoded = list(batch)
        columns = {name: values_of(column) for name, column in batch.to_dict().items()}
    except CorruptSampleError:
        return
    for name, values in columns.items():
        for sample, value in zip(decoded, values, strict=True):
            if isinstance(sample, dict) and not isinstance(values, np.ndarray):
                assert same(value, sample.get(name))
            elif isinstance(sample, dict):
                np.testing.assert_equal(value, np.asarray(sample[name]).astype(values.dtype))


@pytest.mark.parametrize(
    ("bad", "code", "pos"),
    [
        (b"", status.E_TRUNCATED, 0),
        (b"\x82\xa1a\x01", status.E_TRUNCATED, 4),
        (b"\x81\xa1a\xc4\x05abc", status.E_TRUNCATED, 3),
        (b"\x81\xa5a", status.E_TRUNCATED, 1),
        (b"\x81\xa1a\x92\x01", status.E_TRUNCATED, 5),
        (b"\x81\xa1a\x01\xc0", status.E_TRAILING, 4),
        (b"\xc0\xc0", status.E_TRAILING, 1),
        (b"\x81\xa1a\xc1", status.E_RESERVED, 3),
        (b"\x81\xc1\x01", status.E_RESERVED, 1),
        (b"\x81\xa1a\x91\xc1", status.E_RESERVED, 4),
        (b"\x81\xa1a\xa2\xff\xff", status.E_UTF8, 3),
        (b"\x81\xa1a\xb4" + b"x" * 18 + b"\xed\xa0", status.E_UTF8, 3),
        (b"\x81\xa1\xff\x01", status.E_UTF8, 1),
        (b"\x81\xa1a" + b"\x91" * 1100, status.E_DEPTH, 1027),
    ],
)
def test_damage_is_told_with_sample_and_position(bad, code, pos):
    with pytest.raises(KernelError) as caught:
        build_table([b"\x81\xa1a\xa1x", bad, b"\x81\xa1a\xa1x"])
    assert (caught.value.code, caught.value.item, caught.value.pos) == (code, 1, pos)


def test_a_batch_with_more_field_names_than_it_may_have_has_no_columns():
    names = [f"{i:04}" for i in range(4097)]
    assert build_table([packb(dict.fromkeys(names[1:]))] * 2).names == names[1:]
    table = build_table([packb(0), packb(dict.fromkeys(names))])
    assert (table.crowded, table.names, len(table)) == (True, [], 2)
    table = build_table([packb(dict.fromkeys(names))], names)
    assert (table.crowded, table.names) == (True, [])
    assert not build_table([], names).crowded


@pytest.mark.parametrize("bad", [b"\xc1", b"\x81\xa1a", b"\x81\xa2\xff\xff\x01", b"\x80\x80"])
def test_samples_of_a_batch_with_too_many_fields_are_checked_too(bad):
    crowd = packb({f"{i:04}": i for i in range(5000)})
    with pytest.raises(KernelError) as caught:
        build_table([crowd, packb({"a": 1}), bad])
    assert caught.value.item == 2


def test_names_times_samples_far_beyond_the_input_make_no_columns():
    packed = [packb({str(i % 4096): 0}) for i in range(65_536)]
    table = build_table(packed)
    assert (table.crowded, table.names) == (True, [])


def test_fields_beside_a_selection_are_not_counted():
    table = build_table([packb({str(i): 0, "x": i}) for i in range(5000)], ["x"])
    assert table.column(0).tolist() == list(range(5000))


def test_names_packed_in_different_widths_are_one_field():
    batch = batch_of_packed([b"\x81\xa1a\x01", b"\x81\xd9\x01a\x02", b"\x81\xdb\0\0\0\x01a\x03"])
    assert batch["a"].tolist() == [1, 2, 3]


def test_of_a_name_that_comes_twice_the_last_value_counts():
    batch = batch_of_packed([b"\x82\xa1a\x01\xa1a\x02", b"\x81\xa1a\x03"])
    assert batch["a"].tolist() == [2, 3] == [sample["a"] for sample in batch]


@pytest.mark.parametrize(
    "value",
    [
        {b"nd": True, b"type": "<f4", b"kind": b"", b"shape": [3], b"data": b"12345678"},
        {b"nd": True, b"type": "<f4", b"kind": b"", b"shape": [2**62, 2**62], b"data": b"12345678"},
        {b"nd": True, b"type": "<i3", b"kind": b"", b"shape": [1], b"data": b"123"},
        {b"nd": True, b"type": "|O", b"kind": b"", b"shape": [1], b"data": b"12345678"},
        {b"nd": False, b"type": "<f4", b"data": b"123"},
        {b"complex": True, b"data": "1+"},
    ],
)
def test_an_array_that_contradicts_itself_is_an_error_at_its_sample(value):
    batch = batch_of([{"x": 1}, {"x": value}], first=40)
    with pytest.raises(CorruptSampleError, match=r"sample 41, byte \d"):
        batch["x"].tolist()


def test_a_damaged_complex_number_names_its_sample():
    batch = batch_of([{"x": 1j}, {"x": {b"complex": True, b"data": "one"}}], first=40)
    with pytest.raises(CorruptSampleError, match=r"sample 41, byte \d"):
        batch["x"]


def test_an_empty_array_may_have_a_large_dimension_but_not_a_huge_one():
    def empty(*shape):
        return {b"nd": True, b"type": "<f4", b"kind": b"", b"shape": shape, b"data": b""}

    assert batch_of([{"x": empty(0, 2**56)}] * 4)["x"].shape == (4, 0, 2**56)
    assert batch_of([{"x": empty(2**26, 0)}] * 4)["x"].shape == (4, 2**26, 0)
    for shape, reason in ((2**26 + 1, 0), "rows without bytes"), ((0, 2**61), "too large for numpy"):
        with pytest.raises(CorruptSampleError, match=reason):
            batch_of([{"x": empty(*shape)}] * 4)["x"].tolist()


def test_reserved_names_leave_what_is_a_map_to_the_decoder():
    array = np.arange(3.0)
    assert_columns_follow_the_rule(batch_of([{"x": 1}, {"x": 1, b"nd": 0}]), [{"x": 1}, {"x": 1, b"nd": 0}])
    batch = batch_of([{"x": 1}, array, {b"nd": 5, "y": 2}])
    assert same(list(batch), [{"x": 1}, array, {b"nd": 5, "y": 2}])
    assert batch.columns == ("x", b"nd", "y")
    assert [batch[name].tolist() for name in batch.columns] == [
        [1, None, None],
        [None, None, 5],
        [None, None, 2],
    ]
    assert batch_of([array, array]).columns == ()


def test_numbers_are_aligned_and_may_be_written_to():
    batch = batch_of([{"a": i, "b": np.arange(3, dtype="f4"), "c": 0.5} for i in range(5)])
    for name in "abc":
        assert batch[name].ctypes.data % 64 == 0
        batch[name][:] = 7
        assert (batch[name] == 7).all()
    assert batch[0]["a"] == 0


def test_bytes_and_arrays_of_different_shape_are_views_of_the_packed_sample():
    batch = batch_of([{"b": bytes(100), "s": b"short", "a": np.zeros(i + 1)} for i in range(3)])
    for i in range(3):
        packed = np.frombuffer(batch.raw(i), np.uint8).ctypes.data
        for value in (batch["b"][i], batch["a"][i]):
            address = np.frombuffer(value, np.uint8).ctypes.data
            assert packed <= address < packed + len(batch.raw(i))
    assert batch["b"][0].readonly
    assert batch["s"][0].readonly
    assert not batch["a"][0].flags.writeable
    assert bytes(batch["s"][-1]) == b"short"


@pytest.mark.parametrize("name", ["label", "key", "image", "arrays", "other"])
def test_a_column_keeps_the_arena_until_it_is_gone(name):
    pool = Pool(1 << 24)
    batch = batch_of(
        [
            {"label": i, "key": str(i), "image": b"x" * 50, "arrays": np.ones(i), "other": [i]}
            for i in range(4)
        ],
        pool=pool,
    )
    assert pool.used > 0
    column = batch[name]
    expected = [sample[name] for sample in batch]
    part = column[1:]
    del batch, column
    gc.disable()
    try:
        assert pool.used > 0
        assert same(list(map(plain, part)), expected[1:])
        item = part[0]
        del part
        owns = isinstance(item, (memoryview, np.ndarray))
        assert (pool.used > 0) == owns
        del item
        assert pool.used == 0
        assert pool.kept > 0
    finally:
        gc.enable()


def plain(value):
    return (
        bytes(value)
        if isinstance(value, memoryview)
        else value.item()
        if isinstance(value, np.integer)
        else value
    )


def test_a_column_is_a_sequence_and_its_slices_too():
    column = batch_of([{"x": "abcdef"[i]} for i in range(6)])["x"]
    assert list(column) == column.tolist() == list("abcdef")
    assert column[-1] == "f"
    assert column[::-2].tolist() == list("fdb")
    assert column[::-2][1:].tolist() == list("db")
    assert list(reversed(column)) == list("fedcba")
    assert "c" in column
    assert column.index("c") == 2
    assert column.count("z") == 0
    assert np.asarray(column).tolist() == list("abcdef")
    with pytest.raises(IndexError, match="index 6 out of range: the column has 6 values"):
        column[6]


def test_an_object_column_decodes_a_value_once():
    column = batch_of([{"x": [1]}, {}])["x"]
    assert column[0] is column[0] is column[:1][0]
    assert column[1] is None


def test_an_unknown_column_names_the_others():
    batch = batch_of([{"label": 1, "image": b""}])
    with pytest.raises(ColumnNameError, match=r"no column 'lable'; did you mean 'label'\?.*label, image"):
        batch["lable"]
    chosen = batch_of([{"label": 1, "image": b""}], ["label"])
    with pytest.raises(
        KeyError, match=r"no column 'image'\. .* are: label \(columns=\.\.\. left out image\)"
    ):
        chosen["image"]
    mistaken = batch_of([{"label": 1}], ["lable"])
    with pytest.raises(KeyError, match=r"no column 'lable'; did you mean 'label'\?.*none .* left out label"):
        mistaken["lable"]
    with pytest.raises(KeyError, match="raw"):
        batch_of([{"label": 1}], raw=True)["label"]
