"""A batch as a sequence of samples, and as a table for other libraries."""

import gc
import pickle
from multiprocessing import get_context

import numpy as np
import pyarrow as pa
import pytest
from column_rule import same
from column_samples import Origin, batch_of, batch_of_packed, samples
from datadings.tools.msgpack import packb, unpackb
from hypothesis import HealthCheck, given, settings

from ddfast._native.arena import Pool
from ddfast.batch import Batch
from ddfast.errors import CorruptSampleError, DdfastError

SLOW = settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)


def flowers(n=6):
    return [
        {
            "key": f"{i:06d}.jpg" * (i % 2 + 1),
            "image": bytes(range(i, i + 10 + i * 3)),
            "label": i,
            "score": i / 2,
            "good": i % 2 == 0,
            "vec": np.arange(i, i + 6, dtype="f4").reshape(2, 3),
            "boxes": np.ones((i, 4)),
            "tags": ["a"] * i,
        }
        for i in range(n)
    ]


def test_samples_come_by_position_from_either_end_and_in_order():
    expected = [unpackb(packb(sample)) for sample in flowers()]
    batch = batch_of(flowers())
    assert len(batch) == 6
    assert same(list(batch), expected)
    assert same(list(reversed(batch)), expected[::-1])
    for position in (0, -1, np.int64(3), np.uint8(2), True):
        assert same(batch[position], expected[position])
    for position in (6, -7):
        with pytest.raises(IndexError, match=f"sample {position} out of range for a batch of 6"):
            batch[position]


@pytest.mark.parametrize(
    "part",
    [slice(2, 4), slice(None, None, -1), slice(None, None, 2), slice(-2, None), slice(4, 1, -2), slice(3, 3)],
)
def test_a_slice_is_a_batch_of_these_samples(part):
    batch = batch_of(flowers(), first=10)
    piece = batch[part]
    assert isinstance(piece, Batch)
    assert same(list(piece), list(batch)[part])
    assert same(list(piece[::-1]), list(batch)[part][::-1])
    assert piece.indices.tolist() == list(range(10, 16))[part]
    assert piece.keys == [f"k{i}" for i in range(10, 16)][part]
    assert piece.columns == batch.columns
    for name in batch.columns:
        assert same(piece[name].tolist(), batch[name].tolist()[part])
    assert piece.nbytes == sum(len(packb(sample)) for sample in flowers()[part])


def test_keys_are_looked_up_once():
    origin = Origin()
    batch = Batch(batch_of(flowers(2))._table, np.array([4, 9]), origin)
    assert batch.keys == batch.keys == ["k4", "k9"]
    assert origin.asked == 1


def test_in_asks_for_columns():
    batch = batch_of(flowers())
    assert "label" in batch
    assert "lable" not in batch


def test_repr_tells_size_and_columns():
    assert repr(batch_of(flowers())) == (
        "Batch(6 samples: key str, image bytes, label int64, score float64, good bool, vec float32[2, 3], "
        "boxes arrays, tags object)"
    )
    assert repr(batch_of([{"x": np.float32(i)} for i in range(2)])) == "Batch(2 samples: x float32)"
    assert repr(batch_of([])) == "Batch(0 samples: no columns)"
    assert repr(batch_of([{str(i): i for i in range(40)}])).endswith("11 int64, 28 more)")
    assert repr(batch_of([{"x": 1}], raw=True)) == "Batch(1 raw samples, 4 bytes)"


def test_html_shows_first_values_and_escapes_them():
    page = batch_of([{"<i>": "<b>"}])._repr_html_()
    assert "<td>&lt;i&gt;</td><td>str</td><td>&#x27;&lt;b&gt;&#x27;</td>" in page


def test_a_raw_batch_hands_out_packed_messages():
    packed = [packb(sample) for sample in flowers()]
    batch = batch_of_packed([*packed, b"\xc1"], raw=True)
    assert [bytes(message) for message in batch] == [*packed, b"\xc1"]
    assert batch[1:3][1] == packed[2]
    assert batch.raw(-1) == b"\xc1"
    assert batch.columns == ()
    assert batch[0].readonly
    assert same(batch.decode(2), unpackb(packed[2]))


@pytest.mark.parametrize(
    "part", [slice(None), slice(2, 5), slice(5, 2), slice(None, None, 2), slice(4, None, -1)], ids=str
)
def test_joined_samples_lie_one_after_the_other(part):
    packed = [packb(sample) for sample in flowers()]
    batch = batch_of_packed(packed, raw=True)[part]
    data, ends = batch.joined()
    assert bytes(data) == b"".join(packed[part])
    assert ends.tolist() == np.cumsum([len(message) for message in packed[part]]).tolist()
    assert memoryview(data).readonly


def test_joined_samples_are_copied_only_where_they_lie_apart():
    batch = batch_of_packed([packb(sample) for sample in flowers()], raw=True)
    assert isinstance(batch[1:4].joined()[0], memoryview)
    assert isinstance(batch[::2].joined()[0], bytes)


def test_a_batch_may_be_empty():
    batch = Batch.empty(Origin())
    assert (len(batch), list(batch), batch.columns, batch.keys, batch.nbytes) == (0, [], (), [], 0)
    assert batch.to_arrow().num_columns == 0


def test_a_sample_that_does_not_decode_is_explained_by_the_origin():
    damaged = b"\x81\xa1a\x91\xa1\xff"
    batch = batch_of_packed([packb({"a": []}), damaged], first=70)
    assert batch[0] == {"a": []}
    for ask in (lambda: batch[1], lambda: list(batch), lambda: batch[1:][0], lambda: batch["a"][1]):
        with pytest.raises(CorruptSampleError, match="sample 71, byte 4: string is not valid UTF-8"):
            ask()


@SLOW
@given(samples())
def test_a_pickled_batch_holds_the_same_samples(generated):
    packed = [packb(sample) for sample in generated]
    batch = batch_of_packed(packed, first=5)
    back = pickle.loads(pickle.dumps(batch))
    assert same(list(back), list(batch))
    assert back.indices.tolist() == batch.indices.tolist()
    assert back.keys == batch.keys
    assert repr(back) == repr(batch)


def test_a_pickled_slice_holds_its_samples_alone():
    batch = batch_of(flowers(), ["label", "key"], first=5)
    back = pickle.loads(pickle.dumps(batch[4:1:-2]))
    assert back["label"].tolist() == [4, 2]
    assert back.columns == ("label", "key")
    assert back[1:].keys == ["k7"]
    assert len(pickle.dumps(batch[:1])) < len(pickle.dumps(batch)) / 2


def test_a_pickled_batch_without_keys_says_so():
    class Keyless(Origin):
        def keys_of(self, indices):
            raise DdfastError("no keys file")

    back = pickle.loads(pickle.dumps(Batch(batch_of(flowers(1))._table, np.array([0]), Keyless())))
    with pytest.raises(DdfastError, match="that pickled it could not read them"):
        _ = back.keys


def test_a_damaged_sample_is_told_in_the_other_process_too():
    batch = pickle.loads(pickle.dumps(batch_of_packed([b"\x81\xa1a\x91\xa1\xff"], first=8)))
    with pytest.raises(CorruptSampleError, match="sample 8 is damaged at byte 4"):
        batch[0]


def test_a_batch_crosses_processes():
    batch = batch_of(flowers())
    with get_context("spawn").Pool(1) as pool:
        assert pool.apply(len, (batch,)) == 6
        assert pool.apply(repr, (batch,)) == repr(batch)


def test_a_copy_frees_the_arena_of_the_others():
    pool = Pool(0)
    batch = batch_of(flowers(), first=3, pool=pool)
    kept = batch[2:3].copy()
    expected = batch[2]
    del batch
    assert pool.used == 0
    assert same(kept[0], expected)
    assert kept.keys == ["k5"]


def test_dropping_a_batch_frees_its_arena_without_the_garbage_collector():
    pool = Pool(0)
    batch = batch_of(flowers(), pool=pool)
    piece = batch[1:]
    gc.disable()
    try:
        (
            batch.to_dict(),
            batch.to_arrow,
            list(batch),
            repr(piece),
            piece["tags"][0],
            batch["tags"].tolist(),
            batch.keys,
        )
        del batch, piece
        assert pool.used == 0
    finally:
        gc.enable()


@pytest.mark.parametrize("part", [slice(None), slice(1, 4), slice(None, None, -2), slice(0, 0)])
def test_arrow_holds_the_same_values(part):
    batch = batch_of(flowers())[part]
    table = batch.to_arrow()
    table.validate(full=True)
    assert table.column_names == list(batch.columns)
    for name in ("key", "image", "label", "score", "good", "tags"):
        assert table[name].to_pylist() == batch[name].tolist()
    assert table.schema.field("key").type == pa.string()
    assert table.schema.field("image").type == pa.binary()
    if len(batch):
        assert np.array_equal(table["vec"].to_numpy_ndarray(), batch["vec"])
        assert table["boxes"].to_pylist() == [boxes.tolist() for boxes in batch["boxes"]]


def test_arrow_shares_the_memory_of_numbers_strings_and_stacks():
    batch = batch_of(flowers())
    table = batch.to_arrow(views=True)
    assert table["label"].buffers()[1].address == batch["label"].ctypes.data
    assert table["vec"].storage.flatten().buffers()[1].address == batch["vec"].ctypes.data
    window = table["image"].buffers()[2]
    inside = range(window.address, window.address + window.size)
    assert all(
        np.frombuffer(value, np.uint8).ctypes.data in inside for value in batch["image"] if len(value) > 12
    )


def test_arrow_memory_outlives_the_batch():
    pool = Pool(0)
    batch = batch_of(flowers(), ["key", "label", "image"], pool=pool)
    expected = {name: batch[name].tolist() for name in batch.columns}
    table = batch.to_arrow(views=True)
    del batch
    assert pool.used > 0
    assert table.to_pydict() == expected
    del table
    assert pool.used == 0


def test_foreign_byte_order_reaches_arrow_and_torch_as_numbers():
    pytest.importorskip("torch")
    batch = batch_of([{"x": np.arange(3, dtype=">i2"), "y": np.arange(i, dtype="f4")} for i in range(2)])
    assert batch["x"].dtype == ">i2"
    assert batch.to_arrow()["x"].to_numpy_ndarray().tolist() == [[0, 1, 2]] * 2
    assert batch.to_torch()["x"].tolist() == [[0, 1, 2]] * 2


def test_torch_gets_tensors_over_the_same_memory():
    torch = pytest.importorskip("torch")
    batch = batch_of(flowers())
    tensors = batch.to_torch()
    for name in ("label", "score", "good", "vec"):
        assert isinstance(tensors[name], torch.Tensor)
        assert tensors[name].data_ptr() == batch[name].ctypes.data
    assert tensors["key"] is batch["key"]
    assert tensors["tags"] is batch["tags"]
    assert batch[::-1].to_torch()["label"].tolist() == [5, 4, 3, 2, 1, 0]
